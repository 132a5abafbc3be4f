"""One corpus split into several shares: which text belongs to which share.

The Snakefile imports this module, so it imports no heavy package.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any


def bounds(spec: Mapping[str, Any]) -> tuple[Fraction, Fraction]:
    """Where the share of a resolved corpus begins and ends among the ``places`` of its parent."""
    begin, share = (Decimal(str(spec[key])) for key in ("offset", "share"))
    return Fraction(begin), Fraction(begin + share)


def same_text(text: str) -> str:
    """``text`` without case and with single spaces for white space: equal for texts that count as the same."""
    return " ".join(text.casefold().split())


def places(splits: Mapping[str, Sequence[tuple[int, str, str | None]]]) -> dict[str, list[Fraction]]:
    """The place, at least 0 and less than 1, of each (row, text, label) of a corpus; places determine the shares.

    Texts of one document (a row of a split) have the same place, and so have all that differ only in case and white
    space, in any split. Otherwise the texts of each class in each split are spread evenly. Places depend only
    on the texts, not on their order.
    """
    document_of: dict[tuple[str, int], int] = {}
    labels: list[tuple[str, str | None]] = []
    parents: list[int] = []
    first: dict[str, int] = {}

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    plain_texts: dict[int, str] = {}
    for split, rows in splits.items():
        for row, text, label in rows:
            number = document_of.setdefault((split, row), len(parents))
            if number == len(parents):
                parents.append(number)
                labels.append((split, label))
            plain = same_text(text)
            parents[root(number)] = root(first.setdefault(plain, number))
            plain_texts[number] = min(plain, plain_texts.get(number, plain))
    groups: dict[int, list[int]] = defaultdict(list)
    for number in range(len(parents)):
        groups[root(number)].append(number)

    # A group counts where its last document is: in the smaller split, if it is in several.
    strata: dict[tuple[str, str | None], list[tuple[str, list[int]]]] = defaultdict(list)
    for members in groups.values():
        order = hashlib.sha256(min(plain_texts[number] for number in members).encode()).hexdigest()
        strata[labels[members[-1]]].append((order, members))
    place: dict[int, Fraction] = {}
    for stratum, found in strata.items():
        sizes = {order: sum(labels[number] == stratum for number in members) for order, members in found}
        total, before = sum(sizes.values()), 0
        for order, members in sorted(found):
            place |= dict.fromkeys(members, Fraction(2 * before + sizes[order], 2 * total))
            before += sizes[order]
    return {split: [place[document_of[split, row]] for row, _, _ in rows] for split, rows in splits.items()}
