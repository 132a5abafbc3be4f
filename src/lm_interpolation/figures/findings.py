"""What each figure shows, in sentences that are computed from its tables.

A kind of figure has a module ``finding_<kind>`` with one function. It takes the figure's tables by path, in the order
of ``Figure.tables``, the judges of its scorers, and by name what ``Figure.drawn`` gives. It returns sentences without
markup. Where intervals overlap, they say that no difference is shown.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_interpolation.scores.judges import Judge

Find = Callable[..., list[str]]
"""``find_<kind>(paths, judges, **drawn)``."""


def findings(
    find: Find, paths: Sequence[str | os.PathLike[str]], judges: Mapping[str, Judge], drawn: Mapping[str, Any]
) -> list[str]:
    """The sentences that ``find`` says of one figure, and one more if a weak judge gives statistics of it."""
    found = find(paths, judges, **drawn)
    weak = [judge.model for judge in judges.values() if judge.weaknesses]
    if weak:
        names = ", ".join(dict.fromkeys(weak))
        found.append(f"Weak judge: {names}. Differences in its scores need not be differences of the texts.")
    return found
