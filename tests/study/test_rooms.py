"""Data flows one way: a room of the package imports only rooms of earlier stages, and those shared by all."""

import ast
from pathlib import Path

import pytest

from lm_interpolation.jobs.places import PACKAGE

BELOW = ("jobs", "statistics")
"""What every stage may use. Jobs know no statistics."""
STAGES = ("data", "models", "points", "texts", "scores", "tables", "analyses", "figures", "claims", "pages")
"""In the order in which data flow."""
ABOVE = ("study", "commands")
"""The plan and the programs, which may use all rooms, and which no stage imports."""

EXCEPTIONS = {
    # Tries on an imported model what later stages will do with it. It decides on no result, see sources.
    ("models.probing", "points"),
    ("models.probing", "texts"),
    ("models.probing", "scores"),
    # Verdicts are a page, too: claims.md is written in the markup of all pages.
    ("claims.page", "pages"),
    # It names the type of an open study, for type checkers alone.
    ("texts.steering", "study"),
    # A program writes the card of an exported model, which describes the study that it comes from.
    ("pages.model_cards", "study"),
}
"""(module, room) that go the other way."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if len(path.relative_to(PACKAGE).parts) > 1)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imported_rooms(path: Path) -> set[str]:
    """The rooms of the package that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == PACKAGE.name and len(part) > 1}


def allowed(room: str) -> set[str]:
    if room in ABOVE:
        return {*BELOW, *STAGES, *ABOVE[: ABOVE.index(room) + 1], "api"}
    if room in BELOW:
        return set(BELOW[: BELOW.index(room) + 1])
    return {*BELOW, *STAGES[: STAGES.index(room) + 1]}


def test_every_room_has_its_place() -> None:
    assert {path.relative_to(PACKAGE).parts[0] for path in MODULES} == {*BELOW, *STAGES, *ABOVE}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_imports_only_what_comes_before_it(path: Path) -> None:
    module = name_of(path)
    against = imported_rooms(path) - allowed(module.split(".")[0])
    assert {(module, room) for room in against} == {entry for entry in EXCEPTIONS if entry[0] == module}


def test_no_exception_is_out_of_use() -> None:
    assert {module for module, _ in EXCEPTIONS} <= {name_of(path) for path in MODULES}
