"""What each figure shows, in sentences computed from its tables.

Each kind of figure has a module ``finding_<kind>`` with one function. The function takes the figure's tables by path,
in the order of ``Figure.tables``, the judges of its scorers, and the values of ``Figure.drawn`` as keyword arguments.
It returns sentences without markup. Where intervals overlap, they say that no difference is shown.
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
    """The sentences of ``find`` about one figure, and one more if a weak judge provides some of its statistics."""
    found = find(paths, judges, **drawn)
    weak = [judge.model for judge in judges.values() if judge.weaknesses]
    if weak:
        names = ", ".join(dict.fromkeys(weak))
        found.append(f"Weak judge: {names}. Differences in its scores need not be differences of the texts.")
    return found
