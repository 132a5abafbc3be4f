"""Small models and texts of several data sets, for tests of regions."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.set_losses import DataSet
from lm_interpolation.analyses.set_texts import Texts
from tests.edited_models import variants

WORDS = ("the film was good", "the plot was bad", "the end was not fine", "everybody had expected that", "was it good")
"""Few words that the tiny tokenizer knows."""


def texts_of(*names: str, splits: tuple[str, ...] = ("test",)) -> dict[str, dict[str, Texts]]:
    """Texts of two classes for each name, different in each set and split."""
    found: dict[str, dict[str, Texts]] = {}
    for place, name in enumerate(names):
        for number, split in enumerate(splits):
            texts = [f"{WORDS[(place + n) % 5]} {WORDS[(n * n + number) % 5]}" for n in range(6)]
            found.setdefault(name, {})[split] = Texts(texts, ["a" if n % 2 else "b" for n in range(6)])
    return found


def family(of: Path, folder: Path, letters: str, noise: float = 0.02) -> dict[str, Path]:
    """The model itself as ``base``, and one noisy variant per letter."""
    return {**variants(of, letters, noise, folder), "base": of}


def sets_of(**groups: Any) -> list[DataSet]:
    """``x=("task", "ab")``: data sets with their groups and one model per letter."""
    return [DataSet(name, group, tuple(models)) for name, (group, models) in groups.items()]
