"""The uniform distribution: the same log-probability for all tokens.

It changes no odds, so its coefficient only brings the sum of a point to 1: with c beside 1 - c of a uniform expert a
model has the temperature 1/c.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Uniform:
    """All tokens are equally likely."""

    members: Sequence[int] = ()

    def log_odds(self, logits: Sequence[torch.Tensor], texts: Sequence[Sequence[int]]) -> torch.Tensor:
        return torch.zeros(1, 1, dtype=torch.float64, device=logits[0].device)


def expert(names: Sequence[str], tokenizer: Any) -> Uniform:
    """The uniform distribution."""
    return Uniform()
