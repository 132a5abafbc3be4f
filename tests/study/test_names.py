"""Names that become names of files or rules: impossible ones are reported with their key before anything runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter
from snakemake.io import PeriodicityDetector

from benchmarks.dag import copy_workflow
from lm_interpolation.jobs.runtime import UserError, atomic_path
from lm_interpolation.study.kinds.base import Name
from lm_interpolation.study.names import MAX_FILE, rule_names
from lm_interpolation.study.study import Study

pytestmark = pytest.mark.usefixtures("warm_python")

ROOT = Path(__file__).parents[2]
LIMIT = 180
# Snakemake takes a part that is repeated for a path without end.
LONGEST = ("abcdefghijklmnopqrstuvwxyz" * 7)[:LIMIT]


def tiny() -> dict[str, Any]:
    # Through JSON: YAML's anchors make one object of what several models share.
    return json.loads(json.dumps(yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))))


def error_of(config: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        Study(config)
    message = str(caught.value)
    assert all(line.isprintable() for line in caught.value.lines())
    return message


def renamed(section: str, name: str, new: str) -> dict[str, Any]:
    """The tiny study with an entry of a section, and whatever refers to it, under another name."""
    text = json.dumps(tiny())
    assert f'"{name}": ' in text and section in tiny()
    return json.loads(text.replace(f'"{name}"', json.dumps(new)))


NAMED = {
    "corpora": "grammar",
    "tokenizers": "bpe",
    "models": "negative",
    "prompts": "neutral",
    "scorers": "sentiment",
    "sweeps": "ensemble",
    "analyses": "losses",
    "searches": "search",
    "claims": "no-barrier",
    "figures": "fig3",
}


@pytest.mark.parametrize("section", NAMED)
def test_every_name_fits_into_a_file(section: str) -> None:
    name = NAMED[section]
    if section == "corpora":
        # Labels and judges are called so, too.
        config = tiny()
        config["corpora"] |= {"x" * (LIMIT + 1): config["corpora"]["grammar"]}
        message = error_of(config)
    else:
        message = error_of(renamed(section, name, "x" * (LIMIT + 1)))
    assert re.search(rf'{section}[^:]*: "xxxx.* has 181 characters; give at most 180$', message, re.M), message
    long = {**tiny(), section: {**tiny()[section], "x" * 300: next(iter(tiny()[section].values()))}}
    assert error_of(long).endswith("has 300 characters; give at most 180")


def test_names_of_the_greatest_length_hold() -> None:
    for section in ("tokenizers", "prompts", "scorers", "sweeps", "analyses", "searches", "claims", "figures"):
        Study(renamed(section, NAMED[section], LONGEST))


@pytest.mark.parametrize(
    "name", ["tiny\n", "tiny\r", "\ntiny", "a b", "a/b", "..", "", "é", "a=1", "x" * 181, "x" * 300]
)
def test_a_study_is_called_like_a_folder(name: str) -> None:
    message = error_of({**tiny(), "study": name})
    assert message.startswith("config: study: ") and ("is not a name of the form" in message or "characters" in message)


@pytest.mark.parametrize("section", NAMED)
def test_no_name_ends_in_a_line_break(section: str) -> None:
    config = tiny()
    config[section]["new\n"] = next(iter(config[section].values()))
    message = error_of(config)
    assert message.startswith(f"config: {section}: ") and '"new\\n" is not a name of the form' in message


def test_coordinates_do_not_end_in_a_line_break_either() -> None:
    config = tiny()
    sweep = config["sweeps"]["theta1"]
    sweep |= {"directions": {"alpha\n": sweep["directions"]["alpha"]}, "grid": {"alpha\n": [0, 1]}}
    assert r'sweeps.theta1.directions: "alpha\n" is not a name of the form' in error_of(config)


def many_models(letters: int, count: int = 8) -> dict[str, Any]:
    """The tiny study with a point of so many models whose names have so many letters."""
    config = tiny()
    names = [f"{index}".rjust(letters, "m") for index in range(count)]
    config["models"] |= dict.fromkeys(names, config["models"]["positive"])
    origin = dict.fromkeys(names, 1 / count)
    direction = {"positive": 1, "base": -1}
    config["sweeps"]["wide"] = {"origin": origin, "directions": {"t": direction}, "grid": {"t": [0]}, "prompts": []}
    return config


def test_the_name_of_a_point_fits_into_a_file() -> None:
    config = many_models(40)
    # In memory such a point needs no file.
    Study(config)
    config["sweeps"]["wide"]["prompts"] = ["neutral"]
    message = error_of(config)
    assert message.startswith("config: sweeps.wide: the point ")
    assert (
        f"has a name of {8 * 46 + 7} bytes, and a file's can have 190; shorten the names of its models (mmm" in message
    )
    # Analyses merge points of sweeps without texts.
    config["sweeps"]["wide"] |= {"prompts": [], "grid": {"t": [0, 1]}}
    config["analyses"]["time"] = {"kind": "cost", "sweep": "wide", "at": [0], "prompts": "neutral", "prefixes": 1}
    assert error_of(config).startswith("config: analyses.time: the point ")
    fitting = many_models(15)
    fitting["sweeps"]["wide"]["prompts"] = ["neutral"]
    assert max(len(point.id) for line in Study(fitting).lines.all.values() for point in line.points) == 8 * 21 + 7


def test_the_name_of_a_line_fits_into_a_file() -> None:
    config = tiny()
    sweep = config["sweeps"]["theta1"]
    other = {"base": 1, "negative": -1}
    for letters, fits in ((180, True), (200, False)):
        second = f"y{LONGEST}{LONGEST}"[:letters]
        config["sweeps"]["plane"] = sweep | {
            "directions": {**sweep["directions"], second: other},
            "grid": {"alpha": [0, 1], second: [0, 1]},
        }
        if fits:
            Study(config)
        else:
            assert "config: sweeps.plane: the line plane+yabc" in error_of(config)


def test_the_name_of_a_trial_fits_into_a_file() -> None:
    config = tiny()
    config["searches"]["search"]["grid"]["learning_rate"] = [1e-300]
    assert "config: searches.search.grid: the trial learning_rate=0.000" in error_of(config)


def test_the_longest_names_leave_room_for_what_is_put_around_them(tmp_path: Path) -> None:
    assert TypeAdapter(Name).json_schema()["maxLength"] == LIMIT and LIMIT + len("_summary") <= MAX_FILE
    for suffix in (".parquet", ".json", ".log", ".tsv", ""):
        with atomic_path(tmp_path / f"{'x' * MAX_FILE}{suffix}") as scratch:
            scratch.touch()
    (tmp_path / f".{'x' * MAX_FILE}.log.wanted").touch()
    # What else belongs to a result.
    (tmp_path / f".partial-{'x' * MAX_FILE}.parquet{'y' * 48}").touch()


@pytest.mark.snakemake
@pytest.mark.slow
def test_figures_are_not_called_like_rules() -> None:
    for name in ("summary", "all", "explorer", "quick", "merge", "verify", "train_starting_model"):
        assert name in rule_names()
    for name in rule_names():
        message = error_of(renamed("figures", "fig3", name))
        assert message == (
            f"config: figures.{name}: a rule of the workflow, or a target, is called {name!r}; rename it"
        )
    # Nor are those that would be left out.
    config = tiny()
    config["figures"]["all"] = {"kind": "training", "models": ["absent-model"]}
    assert "figures.all: a rule" in error_of(config)


def test_names_that_snakemake_takes_for_endless_paths() -> None:
    detector = PeriodicityDetector()
    for name, ends in (("ab" * 20, "ab"), ("film" + "a" * 25, "a"), ("ab" * 19, None), ("a" * 30 + "b", None)):
        assert (detector.is_periodic(name) is not None) == (ends is not None)
        for section in ("figures", "models"):
            config = tiny()
            config[section][name] = next(iter(config[section].values()))
            if ends is None:
                Study(config)
            else:
                assert error_of(config) == f"config: {section}: {name!r} ends in {ends!r} twenty times; rename it"


def test_rules_are_those_of_snakemake(tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    (tmp_path / "tiny.yaml").write_bytes((ROOT / "tests" / "tiny.yaml").read_bytes())
    command = [sys.executable, "-m", "snakemake", "--list-rules", "--configfile", "tiny.yaml"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env={**os.environ})
    assert set(listed.stdout.split()) - {"fig3"} == rule_names()
