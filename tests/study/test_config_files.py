"""Configuration files: one line at once for files that cannot be read or would be misread."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from benchmarks.dag import copy_workflow
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config import typed_overrides
from lm_interpolation.study.config_files import MAX_BYTES, MAX_DEPTH, read_config
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study
from tests.campaign import fuzz_config

pytestmark = pytest.mark.usefixtures("warm_python")

ROOT = Path(__file__).parents[2]
TINY = (ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8")


def error_of(path: Path, content: str | bytes) -> str:
    """What is wrong with a file of this content, after its path, told within two seconds."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        read_config(path)
    assert time.process_time() - started < 2
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and message.isprintable()
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("study: a\nsweeps: {}\nstudy: b\n", "line 3: key 'study' is there already, in line 1; remove one"),
        ('study: a\n"study": b\n', "line 2: key 'study' is there already"),
        ("a:\n  b: {c: 1, d: 2, c: 3}\n", "line 2: key 'c' is there already, in line 2"),
        ("a: &a {k: 1}\nb:\n  <<: *a\n  <<: *a\n", "line 4: key '<<' is there already, in line 3; give it a list"),
        ('{"a": {"b": 1,\t"b": 2}}', "key 'b' occurs twice in one mapping; remove one"),
    ],
)
def test_a_key_is_given_once(content: str, words: str, tmp_path: Path) -> None:
    assert error_of(tmp_path / "own.yaml", content).startswith(words)


def test_merged_keys_may_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("a: &a {k: 1, m: 2}\nb: &b {k: 3}\nc:\n  <<: [*a, *b]\n  k: 4\nd: {<<: *a}\n")
    assert read_config(path)["c"] == {"k": 4, "m": 2} and read_config(path)["d"] == {"k": 1, "m": 2}


def test_json_is_read_as_json(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text('{\n\t"rate": 1e-5, "day": "2024-01-01"}')
    assert read_config(path) == {"rate": 1e-5, "day": "2024-01-01"}


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "config").glob("*.yaml")))
def test_shipped_files_are_far_from_the_bounds(name: str) -> None:
    path = ROOT / "config" / name
    assert read_config(path) and path.stat().st_size < MAX_BYTES / 20

    def depth(value: object) -> int:
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return 1 + max(map(depth, parts), default=0)

    assert depth(read_config(path)) < MAX_DEPTH / 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("study: für\nkind: \u00e9\n".encode("latin-1"), "line 1: byte 0xfc is not UTF-8; save the file in UTF-8"),
        (TINY.encode("utf-16"), "is in UTF-16, or is not text; save it in UTF-8"),
        (TINY.encode("utf-16-be"), "is in UTF-16, or is not text"),
        ("", "is empty; give a configuration"),
        ("# nothing\n", "is empty"),
        ("- a\n- b\n", "is not a mapping but list; give a configuration"),
        ("study", "is not a mapping but str"),
        ("x" * (MAX_BYTES + 1), "has 1.0 MB, a configuration at most 1; keep texts in files of their own"),
        ("a: 1\n---\nb: 2\n", "not a YAML file: line 2, column 1: expected a single document"),
        ("a:\n\tb: 1\n", "not a YAML file: line 2, column 1: while scanning for the next token found character"),
        ("b: 1\na: \x07\n", "not a YAML file: line 2: character U+0007; fix it"),
        ("day: 2024-99-99\n", "not a YAML file: line 1, column 6: month must be in 1..12; fix it"),
        (f"a: {'1' * 5000}\n", "not a YAML file: line 1, column 4: Exceeds the limit"),
        ("a: !!int x\n", "not a YAML file: line 1, column 4: "),
        ("a: !!bool x\n", "not a YAML file: line 1, column 4: "),
        ("a: !!timestamp x\n", "not a YAML file: line 1, column 4: "),
        ("a: !!python/tuple [1]\n", "not a YAML file: line 1, column 4: could not determine a constructor"),
        ("__use_yte__: true\nstudy: a\n", "__use_yte__ lets a configuration run Python code"),
        ("a: &a [1, *a]\n", "line 1: *a refers to a value that contains it; write it out"),
        ("a: &a\n  b: {c: *a}\n", "line 2: *a refers to a value that contains it"),
        ("a: &a\n  <<: *a\n", "line 2: *a refers to a value that contains it"),
        *((f"study: a\n{bomb}", "line 8: more than 100000 values") for bomb in fuzz_config.BOMBS.values()),
        ("a: " + "[" * 100_000, "line 1: mappings and lists are nested more than 40 deep; flatten them"),
        ("a: " + "{a: " * 100 + "1" + "}" * 100, "line 1: mappings and lists are nested more than 40 deep"),
        ("[" * 100_000 + "]" * 100_000, "mappings and lists are nested more than 40 deep"),
        ('{"a":' * 41 + "1" + "}" * 41, "mappings and lists are nested more than 40 deep"),
    ],
    ids=lambda value: ascii(value[:40]),
)
def test_what_cannot_be_read_is_told(content: str | bytes, words: str, tmp_path: Path) -> None:
    assert error_of(tmp_path / "own.yaml", content).startswith(words)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cases = {
        tmp_path: "is a folder; give a file in YAML",
        tmp_path / "pipe": "is no regular file; give a file in YAML",
        Path("/dev/zero"): "is no regular file",
        tmp_path / "lost.yaml": "cannot be read: No such file or directory; correct the path",
        tmp_path / ("x" * 300): "cannot be read: File name too long",
    }
    for path, words in cases.items():
        with pytest.raises(UserError) as caught:
            read_config(path)
        assert str(caught.value).startswith(f"{path}: {words}")


def test_a_link_extends_what_lies_beside_it_or_beside_its_target(tmp_path: Path) -> None:
    for folder in ("real", "links"):
        (tmp_path / folder).mkdir()
    (tmp_path / "real" / "base.yaml").write_text("study: base\n")
    (tmp_path / "real" / "own.yaml").write_text("extends: base.yaml\n")
    link = tmp_path / "links" / "own.yaml"
    link.symlink_to("../real/own.yaml")
    assert read_study([link])["extends"] == str(tmp_path / "real" / "base.yaml")
    (tmp_path / "links" / "base.yaml").write_text("study: other\n")
    assert read_study([link])["extends"] == str(tmp_path / "links" / "base.yaml")


@pytest.mark.parametrize("path", ["x" * 5000, "a\0"])
def test_what_is_no_path_is_extended_by_none(path: str, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(json.dumps({"extends": path}))
    with pytest.raises(UserError, match=r"own\.yaml: extends: no file"):
        read_study([own])


def test_paths_that_no_file_can_have_are_told_with_their_keys() -> None:
    long = "x" * 300
    config = yaml.safe_load(TINY)
    config["corpora"]["mine"] = {"source": "csv", "files": {"train": f"{long}.csv"}, "text": "t"}
    config["corpora"]["mine"]["fractions"] = {"dev": 0.1, "test": 0.1}
    config["corpora"]["hub"] = {"source": "datasets", "id": long, "revision": "main", "text": "t"}
    config["corpora"]["hub"]["splits"] = {"train": "train", "dev": "dev", "test": "test"}
    config["prompts"]["mine"] = {"source": "text", "path": long}
    config["models"]["mine"] = {"task": "language-model", "start": {"directory": long}}
    with pytest.raises(UserError) as caught:
        Study(config)
    assert caught.value.lines() == [
        f"config: {key}: {long[:60]}: File name too long; correct the path, or its permissions"
        for key in ("corpora.mine.files.train", "prompts.mine.path", "models.mine.start.directory")
    ]


def test_what_a_config_extends_is_read_strictly_too(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text("study: a\nstudy: b\n")
    with pytest.raises(UserError, match=r"base.yaml: line 2: key 'study' is there already"):
        Study({"extends": str(path)})


@pytest.mark.parametrize("count", ["1.0e+9", "1000000000", "10001"])
def test_a_grid_that_nobody_could_plan_is_told_at_once(count: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(TINY.replace("grid: {beta: [0.5]}", f"grid: {{beta: {{start: 0, stop: 1, count: {count}}}}}"))
    with pytest.raises(UserError, match=r"sweeps.ensemble.grid.beta.count is .*; give at most 10000$"):
        Study(read_config(path))


def test_points_and_trials_are_counted_before_they_are_built() -> None:
    config = json.loads(json.dumps(fuzz_config.yaml.safe_load(TINY)))
    config["searches"]["search"]["grid"] |= {"learning_rate": [1 / n for n in range(1, 600)], "steps": [5, 10]}
    with pytest.raises(UserError, match=r"searches.search.grid: 1198 combinations; give at most 1000$"):
        Study(config)
    sweep = config["sweeps"]["theta1"]
    sweep["directions"]["beta"] = {"positive": 1, "base": -1}
    sweep["grid"] = {name: {"start": 0, "stop": 1, "count": 10_000} for name in ("alpha", "beta")}
    with pytest.raises(UserError, match=r"sweeps.theta1.grid: 100000000 points .*; give at most 20000 together$"):
        Study(config)


@pytest.mark.parametrize("value", [2**63, -(2**64), 2**20000, "half \ud83d", {"\udc00": 1}], ids=range(5))
def test_values_that_no_file_or_machine_number_holds_are_told(value: object) -> None:
    config = json.loads(json.dumps(fuzz_config.yaml.safe_load(TINY)))
    config["generation"]["seed"] = value
    with pytest.raises(UserError, match=r"^config: generation.seed") as caught:
        Study(config)
    assert str(caught.value).isprintable()


def test_overrides_that_are_no_numbers_stay_text() -> None:
    assert typed_overrides({"seed": "1" * 5000}) == {"seed": "1" * 5000}


# --- the whole way ---


def test_plain_snakemake_reads_strictly_too(tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    cases = {
        "twice.yaml": (TINY + "\nstudy: other\n", "key 'study' is there already, in line 3; remove one"),
        "itself.yaml": (TINY + "\nx: &x [*x]\n", "*x refers to a value that contains it; write it out"),
        "code.yaml": (TINY + "\n__use_yte__: false\n", "__use_yte__ lets a configuration run Python code"),
    }
    for name, (content, words) in cases.items():
        (tmp_path / name).write_text(content)
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--configfile", name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        assert done.returncode == 1 and "Traceback" not in output
        assert [line for line in output.splitlines() if words in line and line.startswith(f"{name}: ")], output


def test_mutated_configs_are_accepted_or_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz_config.make_stand_ins(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert [fuzz_config.try_here(str(ROOT / base)).kind for base in fuzz_config.BASES] == ["accepted", "accepted"]
    assert fuzz_config.campaign(40, seed=7, sample=0) == []


def test_the_fuzz_finds_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(TINY)
    outcomes = {
        "traceback": lambda config: config["nothing"],
        "slow": lambda config: [None for _ in iter(int, 1)],
        "broken lines": lambda config: (_ for _ in ()).throw(fuzz_config.WorkflowError("one\x07two")),
    }
    for kind, study in outcomes.items():
        monkeypatch.setattr(fuzz_config, "Study", study)
        monkeypatch.setattr(fuzz_config, "LIMIT", 0.2)
        assert fuzz_config.try_here(str(path)).kind == kind


def test_mutations_are_those_of_their_seed() -> None:
    one, two = (fuzz_config.mutate(random.Random(3), TINY) for _ in range(2))
    assert one == two and fuzz_config.mutate(random.Random(4), TINY) != one
