"""Error messages about texts that a judge cannot read or cannot give a finite number for."""

import os
from collections.abc import Sequence
from typing import Any

from lm_interpolation.jobs.runtime import UserError, announce

PathLike = str | os.PathLike[str]


def find_too_long(
    encoded: Sequence[Sequence[int]], texts: Sequence[str], limit: int | None, model_dir: PathLike, choice: str
) -> list[int]:
    """Indices of texts with more than ``limit`` tokens. Raises one ``UserError`` about all if ``choice`` is error."""
    over = [] if limit is None else [index for index, tokens in enumerate(encoded) if len(tokens) > limit]
    if over:
        longest = max(over, key=lambda index: len(encoded[index]))
        found = (
            f"{model_dir}: {len(over)} of {len(texts)} texts have more than the {limit} tokens that the model reads, "
            f"the longest {len(encoded[longest])}, {show_text(longest, texts[longest])}"
        )
        if choice == "error":
            raise UserError(
                f"{found}; shorten the prompts, generate fewer tokens, or set too_long: cut or drop at the scorer"
            )
        announce(f"{found}: {'cut' if choice == 'cut' else 'without a score'}")
    return over


def remedy(model: Any) -> str:
    """What to do about numbers that are not finite."""
    import torch

    return "choose bf16 or fp32, whose range is larger" if model.dtype == torch.float16 else "check the model"


def show_text(index: int, text: str) -> str:
    return f"text {index} ({text[:60]!r}{'...' if len(text) > 60 else ''})"
