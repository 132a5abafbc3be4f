"""Batches of texts computed in parts of similar length, so that little is spent on padding."""

from collections.abc import Sequence

PART_COST = 48
"""What a further part costs, in tokens: on a CPU it reads all weights once more, and writes their gradients."""


def parts_of(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of texts with these ``lengths`` in tokens, in the cheapest parts, those with the longest texts first.

    A part costs its texts times the longest of them, and ``PART_COST``. Texts of similar length share a part, so the
    parts are spans of the texts sorted by length.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    # Least cost of the first n texts, and where the last of their parts begins.
    cost, begins = [0], [0]
    for end in range(1, len(order) + 1):
        least, begin = min(
            (cost[begin] + (end - begin) * lengths[order[begin]] + PART_COST, begin) for begin in range(end)
        )
        cost.append(least)
        begins.append(begin)
    parts = []
    end = len(order)
    while end:
        parts.append(order[begins[end] : end])
        end = begins[end]
    return parts[::-1]
