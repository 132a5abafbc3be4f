"""The study of tests/tiny.yaml, changed, and the mistakes that a changed one has."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.study import Study

TINY: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "tiny.yaml").read_text(encoding="utf-8"))


def tiny_study() -> dict[str, Any]:
    """A configuration of its own, to be changed."""
    return copy.deepcopy(TINY)


def change(config: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Set values in ``config``, by their key paths, joined by ``__``."""
    for path, value in changes.items():
        node = config
        *above, last = path.split("__")
        for key in above:
            node = node[key]
        node[last] = value


def errors_of(config: dict[str, Any]) -> list[str]:
    """The lines on the mistakes in a study."""
    with pytest.raises(UserError) as caught:
        Study(config)
    return caught.value.lines()
