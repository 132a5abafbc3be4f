"""What each figure shows, in sentences that are computed from its tables.

A kind of figure has a module ``finding_<kind>`` with one function, and one line here. The function takes the figure's
settings (``Study.figure_settings``), its tables by path, in the order of ``Study.figure_tables``, and the judges of its
scorers; it returns sentences without markup. Where intervals overlap, they say that no difference is shown.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_interpolation.figures.finding_barrier import find_barrier
from lm_interpolation.figures.finding_curves import find_curves
from lm_interpolation.figures.finding_linearity import find_linearity
from lm_interpolation.figures.finding_norms import find_norms
from lm_interpolation.figures.finding_plane import find_plane
from lm_interpolation.figures.finding_search import find_search
from lm_interpolation.figures.finding_training import find_training
from lm_interpolation.figures.finding_words import find_words
from lm_interpolation.scores.judges import Judge

Paths = Sequence[str | os.PathLike[str]]

FINDINGS: dict[str, Callable[[Mapping[str, Any], Paths, Mapping[str, Judge]], list[str]]] = {
    "curves": find_curves,
    "plane": find_plane,
    "words": find_words,
    "norms": find_norms,
    "training": find_training,
    "search": find_search,
    "barrier": find_barrier,
    "linearity": find_linearity,
}
"""Kind of figure to the function that finds what it shows."""


def findings(figure: Mapping[str, Any], tables: Paths, judges: Mapping[str, Judge]) -> list[str]:
    """The sentences on one figure, and one more if a weak judge gives statistics of it."""
    found = FINDINGS[figure["kind"]](figure, tables, judges)
    weak = [judge.model for judge in judges.values() if judge.weaknesses]
    if weak:
        names = ", ".join(dict.fromkeys(weak))
        found.append(f"Weak judge: {names}. Differences in its scores need not be differences of the texts.")
    return found
