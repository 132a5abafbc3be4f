"""Scorers of a study's own put their folder on Python's search path. A job is a process of its own; tests share one."""

import sys

import pytest


@pytest.fixture(autouse=True)
def own_search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the search path after each test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
