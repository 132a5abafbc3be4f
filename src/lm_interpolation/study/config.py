"""Reading a study's configuration: types, defaults, references, and entries that are left out.

The Snakefile uses it, so it imports nothing heavy. Every error names the key path and says what to do; all errors of a
file are reported at once, one line each.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.checks import check_entry, check_whole
from lm_interpolation.study.config_errors import describe, place
from lm_interpolation.study.config_values import check_sizes, check_values
from lm_interpolation.study.extending import extended, wrote
from lm_interpolation.study.families import Families, expand
from lm_interpolation.study.kinds.base import AllRepeated
from lm_interpolation.study.kinds.study_config import StudyConfig
from lm_interpolation.study.names import check_names
from lm_interpolation.study.references import ENTRIES, Named, Path, Reference, is_gone, leave_out, references, without


class Declared(NamedTuple):
    """A study as declared, without the entries ``left_out`` (key path to reason).

    ``plain`` is the same as mappings and lists. It keeps the claims that are left out, which are reported as not
    tested.
    """

    config: StudyConfig
    plain: dict[str, Any]
    left_out: dict[str, str]


def typed_overrides(value: Any) -> Any:
    """``value`` of Snakemake's ``--config`` with numbers and booleans restored: nested ones arrive as text."""
    if isinstance(value, Mapping):
        return {key: typed_overrides(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed_overrides(item) for item in value]
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for number, pattern in ((int, r"[-+]?\d+"), (float, r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")):
        # More digits than Python reads: no setting can have such a number.
        if len(value) < 1000 and re.fullmatch(pattern, value):
            return number(value)
    return value


def with_typed_overrides(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with ``typed_overrides`` of what ``--config`` has set in it, or in the config that it is a part of."""
    parts = [overrides]
    # The list grows while it is read.
    for part in parts:
        config = _typed_like(config, part)
        parts += [item for item in part.values() if isinstance(item, Mapping)]
    return dict(config)


def _typed_like(value: Any, overrides: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(overrides, Mapping):
        return {key: _typed_like(item, overrides[key]) if key in overrides else item for key, item in value.items()}
    return typed_overrides(value) if value == overrides else value


def declare(config: Mapping[str, Any]) -> Declared:
    """Check ``config``, which may extend a file, and fill in all defaults. Raises ``UserError`` for mistakes.

    Entries that cannot be had are left out, together with each sweep, analysis, search, figure and claim that depends
    on them. In a study that extends a file these are inherited entries that refer to something the study lacks; in
    others they are entries that need a model that is not declared. So somebody without the second pretrained model can
    delete it and keep the rest. A name that resembles a declared one is treated as a misspelling.
    """
    written, idle = extended(config)
    if lines := check_values(written, ""):
        _raise([*idle, *lines])
    families = expand(written)
    inherited = None if config.get("extends") is None else lambda path: not wrote(config, families.written(path))
    try:
        return _declare(families, inherited, [*idle, *families.lines])
    except UserError as error:
        raise UserError(*dict.fromkeys(map(families.in_words, error.args))) from None


def _declare(families: Families, inherited: Callable[[Path], bool] | None, before: Sequence[str]) -> Declared:
    """Check a study; the lines ``before`` are about mistakes that have been found already."""
    draft = _draft(families.config, families.repeated, inherited, before)
    problems = Problems(draft.lines)
    problems.keep(check_names, families.config)
    if not problems.keep(check_sizes, draft.config.plain()):
        # Building the points finds the other mistakes.
        _raise(problems.lines)
    found = references(draft.config)
    named = Named(draft.config, draft.broken)
    gone = leave_out(found, named, draft.config, inherited, draft.incomplete)
    # Claims stay: their verdict says that they were not tested, and why.
    plain = without(draft.config.plain(), [path for path in gone if path[0] != "claims"])
    declared = StudyConfig.model_validate(plain, context=families.repeated)
    kept = [one for one in found if not is_gone(one, gone)]
    unsound = _unsound(kept, named, gone, draft.broken, problems)
    _check_entries(declared, plain, gone, unsound, problems)
    if not problems.lines:
        for line in check_whole(declared):
            problems.add(line)
    _raise(problems.lines)
    for name, corpus in declared.corpora.items():
        plain["corpora"][name] |= corpus.resolved(name, declared)
    for name, model in declared.models.items():
        plain["models"][name]["start"] |= model.start.resolved(declared)
    return Declared(declared, plain, {".".join(path): reason for path, reason in gone.items()})


class Problems:
    """Lines on mistakes."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = list(lines)

    def add(self, line: str) -> None:
        """Add a line that begins with a key path."""
        self.lines.append(f"config: {line}")

    def keep(self, check: Callable[..., Any], *arguments: Any) -> bool:
        """Run a check that may raise ``UserError`` and keep its lines; returns whether it passed."""
        try:
            check(*arguments)
        except UserError as error:
            self.lines += [f"config: {line.removeprefix('config: ')}" for line in error.lines()]
            return False
        return True


class _Draft(NamedTuple):
    """The result of type checks: the valid entries, the names of invalid ones by section, and the mistakes."""

    config: StudyConfig
    broken: Mapping[str, list[str]]
    incomplete: dict[Path, str]
    lines: list[str]


def _draft(
    written: Mapping[str, Any], repeated: AllRepeated, inherited: Callable[[Path], bool] | None, before: Sequence[str]
) -> _Draft:
    """The valid part of ``written``; its lines begin with those from ``before``.

    Raises ``UserError`` if an error lies outside the entries of sections.
    """
    incomplete: dict[Path, str] = {}
    broken: dict[str, list[str]] = {}
    lines = list(before)
    while True:
        try:
            return _Draft(StudyConfig.model_validate(written, context=repeated), broken, incomplete, lines)
        except ValidationError as error:
            errors = error.errors(include_url=False)
        places = [(tuple(map(str, place(one["loc"]))), one) for one in errors]
        lacking = {
            keys[:2]: f"the study gives no {'.'.join(keys[2:])}"
            for keys, one in places
            if one["type"] == "missing" and keys[0] in ENTRIES and len(keys) > 2 and inherited and inherited(keys[:2])
        }
        if lacking:
            # Inherited entries may be meant to be completed.
            incomplete |= lacking
            written = without(written, lacking)
            continue
        lines += describe(errors)
        if any(len(keys) < 2 or keys[0] not in ENTRIES for keys, _ in places):
            raise UserError(*lines)
        entries = {keys[:2] for keys, _ in places}
        rest = without(written, entries)
        if not rest["models"]:
            raise UserError(*lines)
        for section, name in sorted(entries):
            broken.setdefault(section, []).append(name)
        written = rest


def _unsound(
    found: Sequence[Reference],
    named: Named,
    gone: Mapping[Path, str],
    broken: Mapping[str, list[str]],
    problems: Problems,
) -> set[Path]:
    """Key paths of entries that cannot be checked further: they, or entries they refer to, are invalid."""
    unsound: set[Path] = {(section, name) for section, names in broken.items() for name in names}
    for reference in found:
        if words := named.problem(reference, gone):
            problems.add(f"{'.'.join(reference.path)}: {words}")
            unsound.add(reference.path[:2])
    before = -1
    while before < len(unsound):
        before = len(unsound)
        unsound |= {reference.path[:2] for reference in found if reference.target[:2] in unsound}
    return unsound


def _check_entries(
    config: StudyConfig, plain: Mapping[str, Any], gone: Mapping[Path, str], unsound: set[Path], problems: Problems
) -> None:
    """Check each entry by itself and against those that it refers to, which all exist."""
    for section in ENTRIES:
        for name in plain[section]:
            if (section, name) not in unsound and (section, name) not in gone:
                for line in check_entry(config, section, name):
                    problems.add(line)


def _raise(lines: Sequence[str]) -> None:
    if lines:
        raise UserError(*dict.fromkeys(lines))
