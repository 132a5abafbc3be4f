"""config/README.md says what the schema says: every key with its type and default, and examples that are valid."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from lm_interpolation.analyses.barriers import BARRIER_COLUMNS
from lm_interpolation.analyses.cost import COST_COLUMNS
from lm_interpolation.analyses.geometry import NORM_COLUMNS
from lm_interpolation.analyses.loss_files import LOSSES_SCHEMA
from lm_interpolation.claims.verdicts import untested
from lm_interpolation.claims.vocabulary import AT_LEAST, AT_MOST
from lm_interpolation.models.searches import SEARCH_COLUMNS
from lm_interpolation.points.algebra import build_sweep
from lm_interpolation.study.config import declare
from lm_interpolation.study.extending import extended
from lm_interpolation.study.kinds.analyses.layers import Layers
from lm_interpolation.study.kinds.analyses.regions import Regions
from lm_interpolation.study.kinds.base import tag
from lm_interpolation.study.kinds.catalog import CLAIMS, FAMILIES
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.kinds.claims.linear import LinearClaim
from lm_interpolation.study.kinds.study_config import DeclaredMethod
from lm_interpolation.study.schema import load_schema
from lm_interpolation.tables.tables import STATISTIC_COLUMNS
from tests.reading import check_corpus, check_prompts

ROOT = Path(__file__).parents[2]
README = (ROOT / "config" / "README.md").read_text()
SCHEMA = load_schema()
DEFINITIONS = SCHEMA["$defs"]
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]


@dataclass
class Key:
    """What the schema says of one path; a key of several kinds (of scorer, figure, ...) comes from several places."""

    types: set[str] = field(default_factory=set)
    required: bool = True
    """Whether each kind that has the key needs it."""
    values: set[str] = field(default_factory=set)
    defaults: list[Any] = field(default_factory=list)


def keys_of_schema() -> dict[str, Key]:
    """Path to key; names that the user chooses are ``<>``, items of a list are ``[]``."""
    keys: dict[str, Key] = {}

    def walk(schema: Mapping[str, Any], path: str) -> None:
        schema = expand(schema)
        for name, part in schema.get("properties", {}).items():
            child = f"{path}.{name}" if path else name
            key, expanded = keys.setdefault(child, Key()), expand(part)
            key.types.add(type_of(part))
            key.required &= name in schema.get("required", [])
            key.values |= {*expanded.get("enum", []), *([expanded["const"]] if "const" in expanded else [])}
            # Kinds may share a default.
            if "default" in expanded and expanded["default"] not in key.defaults:
                key.defaults.append(expanded["default"])
            walk(part, child)
        if isinstance(schema.get("additionalProperties"), dict):
            walk(schema["additionalProperties"], f"{path}.<>")
        if "items" in schema:
            walk(schema["items"], f"{path}[]")
        for branch in schema.get("oneOf", []):
            if branch.keys() != {"required"}:
                walk(branch, path)

    walk(SCHEMA, "")
    return keys


def expand(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**DEFINITIONS[schema["$ref"].rsplit("/", 1)[1]], **schema} if "$ref" in schema else schema


def type_of(schema: Mapping[str, Any]) -> str:
    """The word for it in the README: a map has names that the user chooses, a section has keys of its own."""
    schema = expand(schema)
    if "pattern" in schema and "maxLength" in schema:
        return "name"
    if "enum" in schema or "const" in schema:
        return "one of"
    if "type" not in schema:
        branches = [expand(branch) for branch in schema["oneOf"]]
        if {branch.get("type") for branch in branches} == {"string", "array"}:
            return "name or list" if any("pattern" in branch for branch in branches) else "path or list"
        return "section"
    if schema["type"] == "object":
        return "section" if schema.get("additionalProperties") is False else "map"
    return "list" if schema["type"] == "array" else schema["type"]


def rows_of_readme() -> Iterator[tuple[str, str, str, str]]:
    """Path (normalised), type, default and meaning of each row of the tables of keys."""
    for table in re.findall(
        r"^\| key \| type \| default \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)", README, re.MULTILINE
    ):
        for row in table.splitlines():
            path, kind, default, meaning = (cell.strip() for cell in row.strip("|").split(" | "))
            assert re.fullmatch(r"`[^`]+`", path), row
            yield re.sub(r"<[a-z]+>", "<>", path.strip("`")), kind, default, meaning


KEYS = keys_of_schema()
ROWS = list(rows_of_readme())


def test_every_key_has_one_row() -> None:
    assert sorted(path for path, *_ in ROWS) == sorted(KEYS)


@pytest.mark.parametrize(("path", "kind", "default", "meaning"), ROWS, ids=[row[0] for row in ROWS])
def test_row_agrees_with_schema(path: str, kind: str, default: str, meaning: str) -> None:
    key = KEYS[path]
    # The name of the study is not declared elsewhere.
    assert " or ".join(sorted("string" if path == "study" else one for one in key.types)) == kind
    if key.defaults:
        # Kinds may have defaults of their own.
        written = default.split(" or ")
        assert all(re.fullmatch(r"`.+`", one) for one in written)
        assert [yaml.safe_load(one.strip("`")) for one in written] == key.defaults
    else:
        assert default == ("required" if key.required else "–")
    for value in key.values:
        assert f"`{value}`" in meaning


def test_every_section_has_a_heading() -> None:
    headings = set(re.findall(r"\w+", " ".join(re.findall(r"^## (.*)$", README, re.MULTILINE))))
    assert set(SCHEMA["properties"]) <= headings


def test_examples_are_of_whole_sections() -> None:
    assert len(EXAMPLES) >= 10
    assert {key for example in EXAMPLES for key in example} == set(SCHEMA["properties"])


@pytest.mark.parametrize("example", EXAMPLES, ids=[", ".join(example) for example in EXAMPLES])
def test_example_is_valid(example: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "config")
    # One that extends another file is valid on top of it.
    for section, value in extended(example)[0].items():
        schema = {**SCHEMA["properties"][section], "$defs": DEFINITIONS}
        assert [error.message for error in Draft202012Validator(schema).iter_errors(value)] == [], section
    for name, corpus in example.get("corpora", {}).items():
        if "source" in corpus:
            check_corpus(corpus, name)
    for name, prompts in example.get("prompts", {}).items():
        check_prompts(prompts, name)
    method: TypeAdapter[Any] = TypeAdapter(DeclaredMethod)
    methods = {name: method.validate_python(spec).built(name) for name, spec in example.get("methods", {}).items()}
    for name, sweep in extended(example)[0].get("sweeps", {}).items():
        spec = {"space": "weights", "prompts": [], "directions": {}, **sweep}
        assert build_sweep(name, spec, methods.get(sweep.get("method"))).points


def test_whole_study_is_valid() -> None:
    (study,) = [example for example in EXAMPLES if "study" in example]
    _, resolved, left_out = declare(study)
    assert resolved["tables"]["resamples"] == 2000 and left_out == {}


def test_examples_of_sections_make_a_study_together() -> None:
    """What the examples of single sections name, others of them declare: they hold as one configuration."""
    config: dict[str, Any] = {"study": "all"}
    for example in EXAMPLES:
        if "study" not in example and "extends" not in example:
            for section, value in example.items():
                config[section] = value
    scratch = config["models"]["scratch"]["training"]
    # The examples of processes and of parts of a batch stand apart.
    assert scratch["batch_size"] % (scratch["processes"] * config["compute"]["batch_size"]["train"]) == 0
    config["models"]["judge"] = config["models"]["base"]
    _, resolved, left_out = declare(config)
    assert left_out == {} and len(resolved["figures"]) == 12 and len(resolved["claims"]) == 4


def test_the_example_of_a_study_that_extends_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "config")
    (example,) = [example for example in EXAMPLES if "extends" in example]
    base = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    own = {key: base[key] for key in base if key not in ("sweeps", "analyses", "searches", "figures", "claims")}
    own["corpora"] = own["corpora"] | {"sst": base["corpora"]["reviews"]}
    _, resolved, left_out = declare(own | example)
    assert left_out == {}
    assert "table2" not in resolved["figures"] and resolved["searches"] == {} and resolved["claims"]


def test_equations_are_affine() -> None:
    equations = re.findall(r"^\| [^|]* \| [^|]* \| `(\{.*?\})` \| `(\{.*?\})`", README, re.MULTILINE)
    assert len(equations) == 7
    for origin, directions in (map(yaml.safe_load, row) for row in equations):
        grid = {coordinate: [0, 1] for coordinate in directions}
        spec = {"origin": origin, "directions": directions, "grid": grid, "space": "weights", "prompts": ["neutral"]}
        assert build_sweep("equation", spec).points[0].point.models == tuple(origin)


@pytest.mark.parametrize(("section", "heading"), [("analyses", "analyses"), ("figures", "figures and quick")])
def test_kinds_have_a_row_each(section: str, heading: str) -> None:
    kinds = [tag(kind, "kind") for kind in FAMILIES[section][1]]
    part = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = re.findall(r"^\| kind \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", part, re.MULTILINE)
    assert re.findall(r"^\| `(\w+)` \|", table[0], re.MULTILINE) == kinds


def test_tests_of_claims_have_a_row_each() -> None:
    (table,) = re.findall(r"^\| test \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    rows = {}
    for row in table.splitlines():
        test, _, keys, unit, side = (cell.strip() for cell in row.strip("|").split(" | "))
        rows[test.strip("`")] = (set(re.findall(r"`(\w+)`", keys)) - {"loss"}, unit, side)
    kinds = {tag(kind, "test"): kind for kind in CLAIMS}
    assert rows.keys() == kinds.keys()
    for test, kind in kinds.items():
        known = {field.alias or name for name, field in kind.model_fields.items()} - Claim.model_fields.keys()
        unit = "that of the column" if test == "linear" else kind.UNIT
        # Of a kind without a side of its own, a key decides.
        side = getattr(kind, "SIDE", f"`sign: lower`: {AT_MOST}, `higher`: {AT_LEAST}")
        assert rows[test] == (known, unit, side), test


def columns_of(title: str) -> list[str]:
    """The names in code style of the row of a file, those in brackets left out."""
    (row,) = re.findall(rf"^\| {re.escape(title)} \|(.*)$", README, re.MULTILINE)
    return re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row))


def test_columns_of_tables() -> None:
    assert columns_of("`tables/<sweep>.csv`") == ["sweep", "prompts", "point", *STATISTIC_COLUMNS]
    assert columns_of("`tables/<analysis>.csv`, norms") == NORM_COLUMNS
    assert columns_of("`tables/<analysis>.csv`, cost") == COST_COLUMNS
    assert columns_of("`tables/<analysis>.csv`, barrier") == BARRIER_COLUMNS
    assert columns_of("`tables/<analysis>.csv`, layers") == list(Layers.TABLES[""].columns)
    for suffix, table in Regions.TABLES.items():
        assert columns_of(f"`tables/<analysis>{suffix}.csv`, regions") == list(table.columns)
    assert columns_of("`tables/<search>.csv`") == SEARCH_COLUMNS
    assert columns_of("`losses/<analysis>.parquet`") == LOSSES_SCHEMA.names
    claim = {"test": "linear", "analysis": "a", "quantity": "logits", "column": "r2", "threshold": 0, "reason": "ours"}
    settings = LinearClaim.model_validate(claim).settings("mine")
    assert columns_of("`claims.json`, a list") == list(untested(settings, ""))


def test_messages_exist() -> None:
    """Each message stands in the source, ``…`` for what is filled in."""
    literals = [
        node.value
        for folder in ("src", "workflow")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    table = README.split("## Messages", 1)[1]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(messages) >= 15
    for message in messages:
        for fragment in message.split("…"):
            assert any(fragment.strip() in literal for literal in literals), message
