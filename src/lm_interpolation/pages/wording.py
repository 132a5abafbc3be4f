"""Numbers and groups of words, as captions write them."""

from collections.abc import Iterable, Mapping


def number(value: float) -> str:
    """``1,200``, ``0.01``, ``1e−5``."""
    return f"{value:,.10g}".replace("e-0", "e-").replace("-", "−")


def numbers(values: Iterable[float]) -> str:
    """Numbers with commas between them."""
    return ", ".join(map(number, values))


def groups(words: Mapping[str, Iterable[str]]) -> str:
    """``good (fine, great); bad (poor)``."""
    return "; ".join(f"{group} ({', '.join(entries)})" for group, entries in words.items())
