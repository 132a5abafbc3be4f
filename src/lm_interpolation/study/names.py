"""Names in a configuration that become names of files or rules; impossible ones are found before anything runs."""

import functools
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Line, Point, line_owner

MAX_FILE = 190
"""Bytes of a name. A file system takes 255; the rest is for what is written before and after it.

That is ``.partial-`` before a result that is being written, ``.parquet`` and the like after it, ``.log.wanted``, and
what belongs to a result and is named after it.
"""

# The limit of Snakemake's PeriodicityDetector.
_REPEATED = re.compile(r"(.+?)\1{19}$")


def check_file_names(
    lines: Iterable[Line], points: Mapping[str, Iterable[Point]], trials: Mapping[str, Iterable[str]]
) -> None:
    """Raise ``UserError`` for a composed name that is too long for a file.

    ``points`` holds the points merged for each analysis and ``trials`` the ids of each search's trials, both by name.
    (The schema limits the length of single names.)
    """
    for line in lines:
        path = f"sweeps.{line_owner(line.id)}"
        _check(path, "line", line.id, "shorten the names of the sweep and of its coordinates")
        _check_points(path, line.points)
    for analysis, merged in points.items():
        _check_points(f"analyses.{analysis}", merged)
    for search, ids in trials.items():
        for trial in ids:
            _check(f"searches.{search}.grid", "trial", trial, "give numbers with fewer digits")


def _check_points(path: str, points: Iterable[Point]) -> None:
    for point in points:
        _check(path, "point", point.id, f"shorten the names of its models ({', '.join(point.models)})")


def _check(path: str, kind: str, name: str, remedy: str) -> None:
    size = len(os.fsencode(name))
    if size > MAX_FILE:
        raise UserError(
            f"config: {path}: the {kind} {name[:40]}... has a name of {size} bytes, and a file's can have {MAX_FILE}; "
            f"{remedy}"
        )


@functools.cache
def rule_names() -> frozenset[str]:
    """Names of the workflow's rules, parsed from its files; the rules named after figures are not included."""
    files = [WORKFLOW / "Snakefile", *sorted((WORKFLOW / "rules").rglob("*.smk"))]
    found = (
        re.findall(r"^(?:use rule \w+ as|rule) (\w+)\b", file.read_text(encoding="utf-8"), re.MULTILINE)
        for file in files
    )
    # And the rule of the Snakefile in the root of a clone.
    return frozenset({"default", *(name for names in found for name in names)})


def check_names(config: Mapping[str, Any]) -> None:
    """Raise ``UserError`` for a name in ``config`` that Snakemake does not accept.

    That is a figure with the name of a rule (a figure's name is a target), or a name that ends in twenty repetitions of
    one part, which Snakemake mistakes for a circular path.
    """
    for name in config.get("figures", {}):
        if name in rule_names():
            raise UserError(
                f"config: figures.{name}: a rule of the workflow, or a target, is called {name!r}; rename it"
            )
    for section, entries in config.items():
        for name in entries if isinstance(entries, Mapping) else ():
            if found := _REPEATED.search(name):
                raise UserError(f"config: {section}: {name[:40]!r} ends in {found[1][:40]!r} twenty times; rename it")
