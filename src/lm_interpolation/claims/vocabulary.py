"""The possible verdicts on a claim, for all code that counts or shows them. Imports no package."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

AT_MOST, AT_LEAST = "at most", "at least"
"""The side of its threshold on which a claim holds."""

HOLDS, REFUTED, UNDECIDED, NOT_TESTED = VERDICTS = ("holds", "refuted", "undecided", "not tested")
"""What may be said of a claim: see ``verdicts.judge``."""
_COUNTED = (
    ("holds", "hold"),
    ("is refuted", "are refuted"),
    ("is undecided", "are undecided"),
    ("is not tested", "are not tested"),
)


def count_verdicts(entries: Iterable[Mapping[str, Any]], column: str = "verdict") -> str:
    """``15 hold, 4 are refuted, 6 are undecided``: how many entries of ``claims.json`` have which verdict."""
    found = Counter(entry[column] for entry in entries)
    counts = [(found[verdict], words) for verdict, words in zip(VERDICTS, _COUNTED, strict=True) if found[verdict]]
    return ", ".join(f"{count} {words[count > 1]}" for count, words in counts)
