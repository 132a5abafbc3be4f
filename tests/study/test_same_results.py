"""Code whose results are those of earlier code is named by it; every other edit reruns what uses it."""

import json
from pathlib import Path

import pytest

from lm_interpolation.study import same_results
from lm_interpolation.study.same_results import FILE, code_of, current_code, difference, digest, scripts

ENTRIES = json.loads(FILE.read_text(encoding="utf-8"))
MERGE = "points/merge.py"


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of entries in place of ours, empty at first."""
    path = tmp_path / "same_results.json"
    path.write_text("{}")
    monkeypatch.setattr(same_results, "FILE", path)
    same_results._entries.cache_clear()
    yield path
    same_results._entries.cache_clear()


@pytest.mark.parametrize("script", ENTRIES)
def test_no_entry_is_out_of_use(script: str) -> None:
    """After an edit, run the module for the scripts whose results it leaves as they are, or remove their entries."""
    assert script in scripts()
    assert list(ENTRIES[script]) == [digest(current_code(script))]


def test_an_entry_names_the_code_before_and_holds_for_no_other_code(
    entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = current_code(MERGE)
    assert code_of(MERGE) == now
    before = {
        "packages": {**now["packages"], "numpy": "1.0"},
        "sources": {name: value for name, value in now["sources"].items() if name != "lm_interpolation.points.writing"}
        | {"lm_interpolation.points.merging": "0123456789abcdef"},
    }
    changed = difference(now, before)
    assert changed["sources"]["lm_interpolation.points.writing"] is None
    entries.write_text(json.dumps({MERGE: {digest(now): changed}}))
    same_results._entries.cache_clear()
    assert code_of(MERGE) == before
    # As ever, the script is the first of its sources, and the others follow by name.
    first, *others = code_of(MERGE)["sources"]
    assert first == MERGE and others == sorted(others)
    # One more edit, and the code is what it is.
    edited = {**now, "sources": {**now["sources"], "lm_interpolation.points.algebra": "f" * 16}}
    monkeypatch.setattr(same_results, "current_code", lambda script: edited)
    assert code_of(MERGE) == edited


def test_what_was_added_and_removed_is_restored() -> None:
    now = {"packages": {"a": "1"}, "sources": {"x/x.py": "1", "m.b": "2", "m.c": "3"}}
    before = {"packages": {"a": "1", "z": "9"}, "sources": {"x/x.py": "1", "m.a": "7", "m.c": "4"}}
    changed = difference(now, before)
    assert changed == {"packages": {"z": "9"}, "sources": {"m.a": "7", "m.b": None, "m.c": "4"}}
    assert difference(now, now) == {}
    restored = {part: same_results._before(now[part], changed[part]) for part in now}
    assert restored == before and list(restored["sources"]) == list(before["sources"])
