"""The JSON schema is generated from the declarations, and means what they mean."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from lm_interpolation.study.extending import extended
from lm_interpolation.study.kinds.study_config import StudyConfig
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.schema import DATA_SCHEMA, SCHEMA, generate, load_schema, text
from tests.campaign.fuzz_config import changed_values
from tests.study.test_config import full_config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "config").glob("*.yaml"))
PARTS = (
    "data",
    "experiments",
    "methods",
    "regions-claims",
    "smollm2-methods",
    "smollm2-models",
    "trainings",
    "sst-trainings",
)
"""Files that are no studies by themselves."""
STUDIES = [path for path in CONFIGS if path.stem not in PARTS]


def accepted(config: Any) -> bool:
    try:
        StudyConfig.model_validate(config)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("file", [SCHEMA, DATA_SCHEMA], ids=lambda file: file.stem)
def test_the_committed_schema_is_the_one_of_the_declarations(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == text(file), "run python -m lm_interpolation.study.schema"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_editors_find_the_schema(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.split("$schema=")[1]).resolve() == (DATA_SCHEMA if path.stem == "data" else SCHEMA)


def test_configs_are_valid() -> None:
    validator = Draft202012Validator(load_schema())
    configs = [extended(read_study([path]))[0] for path in STUDIES]
    for config in (*configs, full_config()):
        assert [error.message for error in validator.iter_errors(config)] == [] and accepted(config)
    downloads = yaml.safe_load((ROOT / "config" / "data.yaml").read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(generate(DATA_SCHEMA)).iter_errors(downloads)] == []


@pytest.mark.parametrize("seed", range(2))
def test_the_schema_and_the_declarations_accept_the_same(seed: int) -> None:
    # In JSON Schema $ is the end of the text; in a pattern of Python's it also stands before a last line break.
    schema = json.loads(re.sub(r'("pattern": ".*?)\$"', r'\1\\\\Z"', json.dumps(generate())))
    rng, validator = random.Random(seed), Draft202012Validator(schema)
    refused = 0
    for _ in range(60):
        config = full_config()
        what, content = changed_values(rng, config)
        try:
            config = json.loads(json.dumps(yaml.safe_load(content)))
        except (ValueError, TypeError, yaml.YAMLError):
            # No JSON, as dates and bytes: refused before.
            continue
        assert accepted(config) == validator.is_valid(config), what
        refused += not accepted(config)
    assert 10 < refused < 60
