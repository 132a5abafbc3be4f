"""Patterns of tensor names: whole parts between points, ``*`` for any one part, ``**`` for any number of them."""

import fnmatch
from collections.abc import Sequence

from lm_interpolation.jobs.runtime import UserError


def matches(pattern: str, name: str) -> bool:
    """Whether a tensor's name matches: ``**.h.1.**`` takes block 1, not block 10; ``*`` may be a part of a part."""
    return _match(pattern.split("."), name.split("."))


def first_match(patterns: Sequence[str], name: str) -> int | None:
    """Index of the first pattern that the name matches."""
    return next((index for index, pattern in enumerate(patterns) if matches(pattern, name)), None)


def require_use(patterns: Sequence[str], names: Sequence[str]) -> None:
    """Raise ``UserError`` for a pattern that no tensor matches, whatever other patterns take."""
    for pattern in patterns:
        if not any(matches(pattern, name) for name in names):
            raise UserError(
                f"no tensor matches {pattern!r}; a pattern consists of whole parts of names such as {names[0]}, * for "
                "any part, and ** for any number of parts"
            )


def _match(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_match(pattern[1:], parts[index:]) for index in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _match(pattern[1:], parts[1:])
