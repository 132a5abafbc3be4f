"""The union and the intersection of models: the larger, or the smaller, of their log-probabilities of each token.

Source: Dekoninck et al. 2024, "Controlled Text Generation via Language Model Arithmetic" (arXiv 2311.14479, section 3):
for a token that either model likes the union has max(log p, log q), for one that both like the intersection has min(log
p, log q). Their formulas, such as M - 0.96 union(M_toxic, M), are points of an ensemble. They divide by the sum of the
coefficients; here points have a sum of 1 to begin with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

_EXTREMES = {"max": torch.maximum, "min": torch.minimum}


@dataclass(frozen=True)
class Extreme:
    """The ``extreme`` (``max`` or ``min``) of the log-probabilities of the models with the indices ``members``."""

    members: Sequence[int]
    extreme: str

    def log_odds(self, logits: Sequence[torch.Tensor], texts: Sequence[Sequence[int]]) -> torch.Tensor:
        # Of log-probabilities: logits have arbitrary offsets, which would decide which model is larger.
        found: torch.Tensor | None = None
        for member in self.members:
            values = torch.log_softmax(logits[member].double(), dim=-1)
            found = values if found is None else _EXTREMES[self.extreme](found, values)
        assert found is not None
        return found


def expert(names: Sequence[str], tokenizer: Any, extreme: str, models: Sequence[str]) -> Extreme:
    """The extreme of ``models``, two at least, in an ensemble of the models ``names``."""
    return Extreme([names.index(model) for model in models], extreme)
