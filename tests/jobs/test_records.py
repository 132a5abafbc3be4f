"""What made each artefact, kept beside the results: records, what a run makes of them, and ``make adopt``.

The workflow itself builds the studies here, with all rules and settings of tests/tiny.yaml, but with scripts that only
write down their settings and inputs.
"""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_interpolation.commands import adopt
from lm_interpolation.jobs import records
from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.provenance import BY_CHECKSUM, Notes, benchmark_of, note_of
from lm_interpolation.jobs.records import (
    Comparison,
    DamagedRecord,
    Input,
    NoFile,
    Record,
    check_records,
    digest,
    find_records,
    read_inputs,
    read_record,
    record_path,
    settings_digest,
    write_records,
)
from lm_interpolation.jobs.runtime import UserError
from tests.whole.test_workflow import ROOT, copy_sources

pytestmark = pytest.mark.usefixtures("warm_python")

# Writes all that the outputs depend on. Killed, where asked to, with its Snakemake, when the outputs are there.
SCRIPT = """
import json, os, signal
from pathlib import Path
from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.runtime import atomic_path, file_digest, run_job

FOLDERS = ("models", "tokenizers", "checkpoints")

def main(job, **told):
    # How it runs is among them, and no result depends on it.
    told = json.loads(job.settings)["settings"]
    # What Snakemake leaves in folders is not read.
    read = {}
    for path in map(Path, job.input):
        files = [file for file in sorted(path.rglob("*")) if not file.name.startswith(".")] if path.is_dir() else [path]
        read[str(path)] = file_digest(*files)
    for output in job.output:
        with atomic_path(output) as scratch:
            text = json.dumps([output, told, read])
            if Path(output).parts[2] in FOLDERS:
                scratch.mkdir()
                (scratch / "model.safetensors").write_text(text)
                write_checksums(scratch)
            else:
                scratch.write_text(text)
    if Path("kill").exists() and job.rule == Path("kill").read_text():
        Path("kill").unlink()
        os.killpg(0, signal.SIGKILL)

if __name__ == "__main__":
    run_job(main, snakemake)
"""
TOP = "results/tiny"
TEXTS = f"{TOP}/texts/weights/neutral/positive=1.parquet"
GENERATE, ENSEMBLE = (
    "Generate from neutral at positive=1",
    "Generate from neutral at base=0.5+positive=0.5 in logit space",
)
JUDGE = 'models={"sentiment-judge": {"training": {"steps": 12}}}'
CHANGED = ("--config", 'generation={"seed": 77, "top_p": 0.5}')


def snakemake(folder: Path, *arguments: str, module: str = "snakemake") -> tuple[int, str]:
    """Exit status and all output; in a process group of its own, which a job may kill."""
    done = subprocess.run(
        [sys.executable, "-m", *module.split(), "--cores", "2", "--configfile", "tiny.yaml", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def finish(folder: Path, *arguments: str, module: str = "snakemake") -> str:
    status, said = snakemake(folder, *arguments, module=module)
    assert status == 0, said[-3000:]
    return said


def planned(folder: Path, *arguments: str) -> set[str]:
    """What the jobs that Snakemake would run say of themselves."""
    return jobs(finish(folder, "--dry-run", *arguments))


def jobs(said: str) -> set[str]:
    found = set(re.findall(r"^Job \d+: (.*)$", said, re.MULTILINE))
    assert bool(found) != ("Nothing to be done" in said)
    return found


def notes_of(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith(f"{TOP}: ")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study."""
    folder = tmp_path_factory.mktemp("records") / "study"
    copy_sources(folder)
    shutil.copy(ROOT / "tests" / "tiny.yaml", folder)
    for script in (folder / "workflow" / "scripts").rglob("*.py"):
        # A comment tells their digests apart.
        if script.name not in ("manifest.py", "verify.py"):
            script.write_text(f"{SCRIPT}\n{script.stem} = 0\n")
    finish(folder)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, with all times."""
    folder = tmp_path / "study"
    shutil.copytree(finished, folder, symlinks=True)
    return folder


@pytest.fixture(scope="module")
def changed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy without .snakemake, finished with other settings."""
    folder = tmp_path_factory.mktemp("changed") / "study"
    shutil.copytree(finished, folder, symlinks=True)
    forget_metadata(folder)
    finish(folder, *CHANGED)
    return folder


def forget_metadata(folder: Path) -> None:
    shutil.rmtree(folder / ".snakemake")


def shuffle_times(folder: Path) -> None:
    """As copies have them: all times new, in any order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    random.Random(0).shuffle(files)
    now = time.time()
    for index, file in enumerate(files):
        os.utime(file, (now - index, now - index))


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [folder, *sorted(folder.rglob("*"))]
    }


# --- the format ---


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study with a model, a table and a corpus from elsewhere, in the working directory."""
    monkeypatch.chdir(tmp_path)
    model = Path(TOP, "models", "base")
    model.mkdir(parents=True)
    (model / "model.safetensors").write_text("weights")
    write_checksums(model)
    Path(TOP, "tables").mkdir()
    Path(TOP, "tables", "a.csv").write_text("a\n1\n")
    Path("corpus.txt").write_text("text\n")
    return TOP


def write(outputs: list[str], inputs: list[str], **settings: Any) -> None:
    write_records(outputs, TOP, "rule", settings, read_inputs(inputs, TOP), f"{TOP}/logs/rule.log")


def test_a_record_holds_what_made_a_file(place: str) -> None:
    table, model = f"{place}/tables/a.csv", f"{place}/models/base"
    write([model], ["corpus.txt", "corpus.txt"], steps=3)
    write([table], [model], θ=["positive", 0.1], **{"top": {"b": 1, "a": None}})
    digests = {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in (table, "corpus.txt")}
    digests[model] = hashlib.sha256(Path(model, "checksums.json").read_bytes()).hexdigest()
    assert json.loads(Path(f"{place}/made/tables/a.csv.json").read_text()) == {
        "format": 1,
        "rule": "rule",
        "settings": {"θ": ["positive", 0.1], "top": {"b": 1, "a": None}},
        "inputs": [{"path": model, "sha256": digests[model]}],
        "log": f"{place}/logs/rule.log",
        "sha256": digests[table],
        "bytes": 4,
    }
    record = read_record(record_path(place, model), place)
    # A rule may name a file twice, and Snakemake counts both.
    assert record.inputs == (Input("corpus.txt", digests["corpus.txt"]),) * 2
    assert (record.sha256, record.bytes) == (digests[model], 7 + Path(model, "checksums.json").stat().st_size)
    assert {output for output, _ in find_records(place)} == {table, model}
    # Nothing in them changes from one rebuild to the next.
    before = record_path(place, table).read_bytes()
    write([table], [model], θ=["positive", 0.1], **{"top": {"b": 1, "a": None}})
    assert record_path(place, table).read_bytes() == before


def test_nothing_is_read_twice(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table, model = f"{place}/tables/a.csv", f"{place}/models/base"
    write([table, model], [])
    read: list[str] = []

    def sha256(path: Path) -> tuple[str, int]:
        read.append(str(path))
        return "x", 1

    monkeypatch.setattr(records, "sha256", sha256)
    assert [entry.path for entry in read_inputs([table, model, table], place)] == [table, model, table]
    # Of a model its checksums, which are small.
    assert read == [f"{model}/checksums.json"]


def edit(path: Path) -> None:
    path.write_text("a\n2\n")


def lengthen(path: Path) -> None:
    path.write_text("a\n10\n")


def edit_and_hide(path: Path) -> None:
    before = path.stat()
    edit(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_an_older_one(path: Path) -> None:
    other = path.with_name("other")
    edit(other)
    os.utime(other, (0, 0))
    other.replace(path)


@pytest.mark.parametrize("change", [edit, lengthen, edit_and_hide, replace_by_an_older_one])
def test_an_edited_input_is_recorded_as_it_was_read(change: Callable[[Path], None], place: str) -> None:
    """Its record is about what was there before: what is made now is not made of that."""
    table = f"{place}/tables/a.csv"
    write([table], [])
    change(Path(table))
    found = hashlib.sha256(Path(table).read_bytes()).hexdigest()
    assert read_inputs([table], place) == [Input(table, found)]
    assert found != read_record(record_path(place, table), place).sha256


def test_an_exchanged_model_is_recorded_as_it_was_read(place: str) -> None:
    model = f"{place}/models/base"
    write([model], [])
    Path(model, "model.safetensors").write_text("WEIGHTS")
    write_checksums(Path(model))
    found = hashlib.sha256(Path(model, "checksums.json").read_bytes()).hexdigest()
    assert read_inputs([model], place) == [Input(model, found)]
    assert found != read_record(record_path(place, model), place).sha256


def test_a_model_without_checksums_is_read_as_a_whole(place: str) -> None:
    model = f"{place}/models/base"
    Path(model, "checksums.json").unlink()
    first = records.digest(model)[0]
    Path(model, "model.safetensors").write_text("WEIGHTS")
    assert records.digest(model)[0] != first


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "3",
        '{"format": 1}',
        '{"rule": "x"}',
        '{"format": 1, "inputs": [3]}',
        '{"format": 1, "rule": "x", "settings": [], "inputs": [], "log": "x", "sha256": "x", "bytes": 1}',
    ],
)
def test_what_is_no_record_is_told(content: str, place: str) -> None:
    path = record_path(place, f"{place}/tables/a.csv")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(DamagedRecord, match=r"made/tables/a\.csv\.json: damaged"):
        read_record(path, place)
    with pytest.raises(UserError, match=r"damaged .*; delete it and run again$"):
        read_inputs([f"{place}/tables/a.csv"], place)


@pytest.mark.parametrize(
    "values",
    [
        {"rule": None},
        {"log": "x"},
        {"log": ""},
        {"log": f"{TOP}/logs/"},
        {"log": f"{TOP}/logs/../../../x.log"},
        {"log": f"{TOP}/tables/x.log"},
        {"log": "results/other/logs/x.log"},
        {"log": f"/{TOP}/logs/x.log"},
        {"inputs": {}},
        {"inputs": "corpus.txt"},
        {"inputs": [["corpus.txt", "0" * 64]]},
        {"inputs": [{"path": "", "sha256": "0" * 64}]},
        {"inputs": [{"path": "a\0b", "sha256": "0" * 64}]},
        {"inputs": [{"path": "\ud800", "sha256": "0" * 64}]},
        {"inputs": [{"path": "a" * 256, "sha256": "0" * 64}]},
        {"inputs": [{"path": "corpus.txt", "sha256": "0"}]},
        {"inputs": [{"path": "corpus.txt", "sha256": None}]},
        {"inputs": [{"path": 3, "sha256": "0" * 64}]},
        {"bytes": None},
        {"bytes": -1},
        {"bytes": True},
        {"bytes": 4.0},
        {"sha256": "x"},
        {"more": 1},
    ],
    ids=str,
)
def test_no_value_of_a_record_is_taken_on_trust(values: dict[str, Any], place: str) -> None:
    table = f"{place}/tables/a.csv"
    write([table], ["corpus.txt", "./corpus.txt", str(Path("corpus.txt").resolve())])
    path = record_path(place, table)
    read_record(path, place)
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    with pytest.raises(DamagedRecord, match=r"made/tables/a\.csv\.json: damaged"):
        read_record(path, place)


def test_a_folder_in_the_place_of_a_record_is_told(place: str, tmp_path: Path) -> None:
    table, model = f"{place}/tables/a.csv", f"{place}/models/base"
    for output in (table, model):
        record_path(place, output).mkdir(parents=True)
    told = r"made/\S+\.json: damaged \(a folder, no record\); delete it and run again$"
    with pytest.raises(UserError, match=told):
        read_inputs([table], place)
    done = job(tmp_path, WRITE)
    told = "a folder, where a record belongs; delete it and run again"
    assert (done.returncode, done.stderr) == (1, f"error: {record_path(place, table)}: {told}\n")
    assert check_records(place, {}, [(table, "", "")]).without == (table,)


@pytest.mark.parametrize("name", ["pipe", "/proc/kmsg", "/dev/zero", "link", "/", ".."])
def test_what_is_no_data_is_not_read(name: str, place: str) -> None:
    """Some would be read for ever."""
    os.mkfifo("pipe")
    Path("link").symlink_to("/proc/kmsg")
    with pytest.raises(NoFile, match=rf"^{re.escape(name)}: "):
        digest(name)
    record = Record("rule", {}, (Input(name, "0" * 64),), f"{place}/logs/a.log", "0" * 64, 0)
    found = Comparison(place).outdated(record)
    assert found and found.startswith(f"what it was made of cannot be compared: {name}: ")


def test_a_pipe_in_the_place_of_a_result_is_not_read(place: str) -> None:
    table = f"{place}/tables/a.csv"
    write([table], [])
    record = read_record(record_path(place, table), place)
    Path(table).unlink()
    os.mkfifo(table)
    found = Comparison(place).changed(table, record)
    assert found and found.startswith(f"{table}: neither a file nor a folder")


def test_adopt_touches_nothing_outside_of_the_study(place: str, tmp_path: Path) -> None:
    table, model = f"{place}/tables/a.csv", f"{place}/models/base"
    for path in (Path(table), Path(model)):
        path.rename(tmp_path / path.name)
        path.symlink_to(tmp_path / path.name)
    write([table], ["corpus.txt"])
    write([model], ["corpus.txt"])
    os.utime(tmp_path / "a.csv", (9, 9))
    os.utime(tmp_path / "base", (9, 9))
    before = state(tmp_path / "base"), state(tmp_path / "a.csv")
    lines, denied = adopt.adopt(place)
    assert [(error.filename, error.strerror) for error in denied] == [
        (path, f"a link leads out of {place}") for path in (model, table)
    ]
    assert "times of 0 files" in lines[0]
    assert (state(tmp_path / "base"), state(tmp_path / "a.csv")) == before


@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_another_format_is_one_clear_error(number: object, place: str) -> None:
    table = f"{place}/tables/a.csv"
    write([table], [])
    path = record_path(place, table)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": number, "more": 1}))
    with pytest.raises(
        UserError, match=rf"^{path}: a record of format {number!r}, and this version knows 1; use "
    ) as told:
        read_record(path, place)
    assert not isinstance(told.value, DamagedRecord)


def test_files_are_compared_with_records_and_inputs(place: str) -> None:
    table, model = f"{place}/tables/a.csv", f"{place}/models/base"
    write([model], ["corpus.txt"])
    write([table], [model])
    of = {path: read_record(record_path(place, path), place) for path in (table, model)}

    def found() -> list[str | None]:
        comparison = Comparison(place, whole=True)
        return [
            told
            for path in (model, table)
            for told in (comparison.changed(path, of[path]), comparison.outdated(of[path]))
        ]

    assert found() == [None] * 4
    Path("corpus.txt").write_text("other\n")
    Path(table).write_text("a\n2\n")
    assert found() == [
        None,
        "it was made of another corpus.txt",
        "it is not what its record says (another digest)",
        None,
    ]
    Path(table).write_text("a\n10\n")
    assert found()[2] == "it has 5 bytes, its record says 4"
    Path(model, "model.safetensors").write_text("WEIGHTS")
    assert found()[0] == f"{model}/model.safetensors: damaged (its bytes do not match the digest in checksums.json)"
    write_checksums(Path(model))
    assert found()[0] == "it is not what its record says (another digest)"
    # Made anew, by a job that left a record: the table was made of another one.
    write([model], ["corpus.txt"])
    assert found()[3] == f"it was made of another {model}"
    # What was deleted to save space contradicts nobody.
    shutil.rmtree(model)
    Path("corpus.txt").unlink()
    assert found()[:2] == [None, None]


# --- jobs ---


def job(folder: Path, body: str, **changes: object) -> subprocess.CompletedProcess[str]:
    """Run a job that writes the table of ``place`` anew."""
    values = {
        "rule": "table",
        "log": f"{TOP}/logs/table.log",
        "input": ["corpus.txt"],
        "output": [f"{TOP}/tables/a.csv"],
    }
    script = f"""
import sys
from types import SimpleNamespace
from pathlib import Path
sys.path.insert(0, {str(ROOT / "src")!r})
from lm_interpolation.jobs.runtime import UserError, run_job

def main(job, *, steps):
{textwrap.indent(textwrap.dedent(body), "    ")}

params = SimpleNamespace(settings='{{"settings": {{"steps": 3}}, "packages": {{}}, "sources": {{}}}}')
run_job(main, SimpleNamespace(**{values | changes!r}, wildcards={{}}, params=params))
"""
    return subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)


WRITE = f"Path('{TOP}/tables/a.csv').write_text('new')"


def test_a_job_leaves_a_record(place: str, tmp_path: Path) -> None:
    done = job(tmp_path, WRITE)
    assert done.returncode == 0, done.stderr
    record = read_record(record_path(place, f"{place}/tables/a.csv"), place)
    told = {"settings": {"steps": 3}, "packages": {}, "sources": {}}
    assert (record.rule, record.settings, record.bytes) == ("table", told, 3)
    assert record.inputs == (Input("corpus.txt", hashlib.sha256(b"text\n").hexdigest()),)


@pytest.mark.parametrize("body", ["raise UserError('no')", f"{WRITE}\nimport os\nos.kill(os.getpid(), 9)"])
def test_no_record_outlives_what_it_is_about(body: str, place: str, tmp_path: Path) -> None:
    path = record_path(place, f"{place}/tables/a.csv")
    assert job(tmp_path, WRITE).returncode == 0 and path.exists()
    assert job(tmp_path, body).returncode != 0
    assert not path.exists()


def test_a_record_that_cannot_be_written_loses_nothing(place: str, tmp_path: Path) -> None:
    # The output itself was written; on a full disk the record need not be.
    done = job(tmp_path, f"{WRITE}\nPath('{TOP}/made').write_text('in the way')")
    assert done.returncode == 0
    assert re.search(
        rf"^what made {TOP}/tables/a\.csv could not be kept beside it: .*; copies of it will be", done.stderr, re.M
    )
    assert Path(place, "tables", "a.csv").read_text() == "new"


def test_a_job_is_told_of_another_format_before_it_works(place: str, tmp_path: Path) -> None:
    write([f"{place}/models/base"], [])
    path = record_path(place, f"{place}/models/base")
    path.write_text(path.read_text().replace('"format": 1', '"format": 9'))
    done = job(tmp_path, WRITE, input=[f"{place}/models/base"])
    assert done.returncode == 1 and done.stderr.startswith(
        f"error: {path}: a record of format 9, and this version knows 1"
    )
    assert Path(place, "tables", "a.csv").read_text() == "a\n1\n"


# --- what Snakemake notes ---

LISTED = """

import json
from lm_interpolation.jobs.settings import to_text
from lm_interpolation.study.lineage import settings_of
with open("listed.json", "w") as handle:
    jobs = jobs_behind(study.targets.results(), workflow.rules, study.targets.measurements())
    settings = dict(settings_of(jobs, workflow.rules))
    told = [[to_text(value), to_text(json.loads(json.dumps(value)))] for value in settings.values()]
    logs = [[str(rule.log[0]), str(rule.benchmark)] for rule in workflow.rules if rule.output]
    json.dump([told, logs], handle)
"""


def test_settings_of_all_rules_survive_the_record(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    with open(tmp_path / "Snakefile", "a") as handle:
        handle.write(LISTED)
    command = [sys.executable, "-m", "snakemake", "--list-rules"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    settings, logs = json.loads((tmp_path / "listed.json").read_text())
    assert len(settings) > 250
    # Equal for Snakemake, which compares how they are written: order, numbers and all.
    assert all(told == read for told, read in settings)
    assert len(logs) > 30
    assert all(benchmark_of(log, "results/demo") == benchmark for log, benchmark in logs)


def test_sizes_are_compared_as_in_the_profiles() -> None:
    for profile in (ROOT / "profiles").glob("*/*.yaml"):
        assert yaml.safe_load(profile.read_text())["max-checksum-file-size"] == BY_CHECKSUM


@pytest.mark.snakemake
@pytest.mark.slow
def test_every_output_has_a_record_that_tells_what_snakemake_noted(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    found, notes = dict(find_records(TOP)), Notes()
    # Merged checkpoints, too, which are gone: what is to be known of them is what made them.
    assert f"{TOP}/checkpoints/neutral/positive=1" in found and not Path(TOP, "checkpoints", "neutral").exists()
    listed = json.loads(Path(TOP, "manifest.json").read_text())
    files = {f"{TOP}/{path}" for path in listed["artefacts"]}
    assert files <= found.keys() | {path for path in files if Path(path).parent.as_posix() in found}
    for output, file in found.items():
        ours, theirs = note_of(output, read_record(file.path, TOP), TOP), notes.read(output)
        assert theirs is not None
        for key in ("rule", "input", "log", "params", "input_checksums", "record_format_version", "incomplete"):
            assert ours[key] == theirs[key], (output, key)
        if Path(output).exists():
            assert ours.endtime == theirs.endtime
            assert 0 <= ours.endtime - ours.starttime < 60


# --- results without Snakemake's notes ---


@pytest.mark.snakemake
@pytest.mark.slow
def test_unchanged_results_are_taken_as_they_are(study: Path) -> None:
    """As ``rsync -a`` and archives bring them: with their times."""
    forget_metadata(study)
    before = state(study / "results")
    said = finish(study, "--dry-run")
    assert "Nothing to be done" in said and notes_of(said) == []
    # Nor does a plan write into the results.
    assert state(study / "results") == before


@pytest.mark.snakemake
@pytest.mark.slow
def test_a_changed_setting_makes_the_texts_again(study: Path) -> None:
    """results/ without .snakemake, a changed seed: the explorer told of it over the old texts."""
    expected = planned(study, *CHANGED)
    assert {GENERATE, "Write explorer"} < expected and "Train language model base" not in expected
    forget_metadata(study)
    assert planned(study, *CHANGED) == expected


@pytest.mark.snakemake
@pytest.mark.slow
def test_pages_tell_of_the_settings_that_made_the_texts(changed: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(changed, study, symlinks=True)
    assert '"seed": 77' in (study / TEXTS).read_text()
    for page in ("explorer.html", "figures/fig3.md", "tables/theta1.md"):
        assert "top-p 0.5" in (study / TOP / page).read_text() and "top-p 0.9" not in (study / TOP / page).read_text()
    assert json.loads((study / TOP / "manifest.json").read_text())["config"]["generation"]["seed"] == 77
    assert re.search(r"^\d+ artefacts equal$", finish(study, *CHANGED, "--", "verify"), re.MULTILINE)
    status, said = snakemake(study, "--", "verify")
    assert status == 1
    assert "config.generation.seed: 0, in the manifest 77" in said
    log = (study / TOP / "logs" / "verify.log").read_text().splitlines()
    assert f"{TEXTS} was made with other settings" in log and not any("its record" in line for line in log)
    assert re.search(
        rf"^error: {TOP}/texts/\S+ was made with other settings than those here, the first of \d+", said, re.M
    )


# How jobs run: no result depends on it.
HOW = (
    "device=cuda",
    'compute={"batch_size": {"generate": 2, "score": 3, "train": 4}, "threads": {"train": 2, "generate": 2}}',
    'models={"base": {"training": {"save_steps": 3}}, "sentiment-judge": {"training": {"save_steps": 2}}}',
)


@pytest.mark.snakemake
@pytest.mark.slow
@pytest.mark.parametrize("values", [*((value,) for value in HOW), HOW])
def test_how_jobs_run_makes_nothing_again(values: tuple[str, ...], study: Path) -> None:
    assert planned(study, "--config", *values) == set()
    forget_metadata(study)
    assert planned(study, "--config", *values) == set()


@pytest.mark.snakemake
@pytest.mark.slow
def test_two_settings_that_are_swapped_make_the_model_again(study: Path) -> None:
    swapped = 'models={"base": {"training": {"log_steps": 10, "eval_steps": 5}}}'
    assert {"Train language model base", GENERATE} < planned(study, "--config", swapped)


@pytest.mark.snakemake
@pytest.mark.slow
def test_records_of_before_are_read_and_count_as_made_by_other_code(study: Path) -> None:
    """Those of versions that kept settings in one mapping with packages and sources."""
    everything = planned(study, "--forceall")
    for _, file in find_records(study / TOP):
        record = json.loads(Path(file.path).read_text())
        code = {key: record["settings"][key] for key in ("packages", "sources")}
        record["settings"] = {**record["settings"]["settings"], **code}
        Path(file.path).write_text(json.dumps(record))
    said = finish(study, "--", "verify")
    assert re.search(r"^note: \d+ results made by an earlier version of the workflow", said, re.MULTILINE)
    status, said = snakemake(study, *CHANGED, "--", "verify")
    assert status == 1 and "config.generation.seed: 77, in the manifest 0" in said
    forget_metadata(study)
    assert planned(study) == everything


def edit_merge(folder: Path) -> None:
    with open(folder / "workflow" / "scripts" / "points" / "merge.py", "a") as handle:
        handle.write("changed = 1\n")


def edit_template(folder: Path) -> None:
    with open(folder / "workflow" / "report" / "explorer.js", "a") as handle:
        handle.write("// changed\n")


@pytest.mark.snakemake
@pytest.mark.slow
def test_other_changes_run_again_what_they_always_did(study: Path) -> None:
    # A setting of a classifier; what made the merged checkpoints, which are gone; a file of ours.
    edit_merge(study)
    edit_template(study)
    expected = planned(study, "--config", JUDGE)
    assert {"Train classifier sentiment-judge", GENERATE, "Write explorer"} < expected
    assert not {"Train language model base", "Train classifier grammar-judge", ENSEMBLE} & expected
    forget_metadata(study)
    assert planned(study, "--config", JUDGE) == expected


def exchange_weights(model: Path, text: str) -> None:
    """Put others into the folder of a model, with checksums that fit."""
    (model / "model.safetensors").write_text(text)
    (model / ".snakemake_timestamp").unlink()
    write_checksums(model)


@pytest.mark.snakemake
@pytest.mark.slow
def test_what_is_not_as_it_was_made_is_named_and_made_again(study: Path) -> None:
    table, model = study / TOP / "tables" / "theta1.csv", study / TOP / "models" / "positive"
    table.write_text(table.read_text().replace("neutral", "NEUTRAL"))
    exchange_weights(model, "mine")
    forget_metadata(study)
    said = finish(study, "--dry-run")
    assert notes_of(said) == [
        f"{TOP}: 2 results are not as they were made, first {TOP}/models/positive: it is not what its record says "
        "(another digest); what is asked for of them is made again"
    ]
    assert {"Tabulate theta1", "Train language model positive"} < jobs(said)
    assert "Train language model base" not in jobs(said)
    finish(study, "--", f"{TOP}/tables/theta1.csv")
    assert "NEUTRAL" not in table.read_text() and (model / "model.safetensors").read_text() != "mine"


@pytest.mark.snakemake
@pytest.mark.slow
def test_what_was_made_of_something_else_is_made_again(study: Path) -> None:
    # A model of another rebuild, with its record, older than the texts of this one.
    model, path = study / TOP / "models" / "positive", study / TOP / "made" / "models" / "positive.json"
    exchange_weights(model, "theirs")
    digest = hashlib.sha256((model / "checksums.json").read_bytes()).hexdigest()
    size = sum(file.stat().st_size for file in model.iterdir())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": digest, "bytes": size}))
    for file in (*model.iterdir(), model):
        os.utime(file, (0, 0))
    forget_metadata(study)
    said = finish(study, "--dry-run")
    assert f"it was made of another {TOP}/models/positive; what is asked for" in notes_of(said)[0]
    assert GENERATE in jobs(said) and "Train language model positive" not in jobs(said)


@pytest.mark.snakemake
@pytest.mark.slow
def test_what_nothing_tells_of_is_named_and_made_again(study: Path) -> None:
    for name in ("made/tables/theta1.csv.json", "made/models/grammar-judge.json"):
        (study / TOP / name).unlink()
    (study / TOP / "notes.txt").write_text("mine")
    forget_metadata(study)
    for _ in range(2):
        said = finish(study, "--dry-run")
        assert notes_of(said) == [
            f"{TOP}: 2 results are of unknown make, first {TOP}/models/grammar-judge: neither {TOP}/made nor "
            ".snakemake says what made them; what is asked for of them is made again"
        ]
        assert {"Train classifier grammar-judge", "Tabulate theta1"} < jobs(said)
        assert "Train language model base" not in jobs(said)
    finish(study, "--", f"{TOP}/tables/theta1.csv")
    assert notes_of(finish(study, "--dry-run")) == []


@pytest.mark.snakemake
@pytest.mark.slow
def test_old_studies_go_on_without_records(study: Path) -> None:
    shutil.rmtree(study / TOP / "made")
    said = finish(study, "--dry-run")
    assert "Nothing to be done" in said and notes_of(said) == []
    assert "nothing beside" in finish(study, "--", "verify")


@pytest.mark.snakemake
@pytest.mark.slow
def test_results_of_others_laid_over_ones_own_are_theirs(study: Path, changed: Path) -> None:
    expected = planned(changed)
    assert GENERATE in expected
    # Snakemake's notes here are of what was there before.
    shutil.copytree(changed / "results", study / "results", symlinks=True, dirs_exist_ok=True)
    assert planned(study) == expected
    assert planned(study, *CHANGED) == set()


@pytest.mark.snakemake
@pytest.mark.slow
def test_a_record_of_another_format_ends_a_plan(study: Path) -> None:
    path = study / TOP / "made" / "claims.md.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    forget_metadata(study)
    status, said = snakemake(study, "--dry-run")
    assert status == 1 and f"{TOP}/made/claims.md.json: a record of format 2, and this version knows 1" in said
    assert "Traceback" not in said


def test_notes_elsewhere_are_refused(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    shutil.copy(ROOT / "tests" / "tiny.yaml", tmp_path)
    status, said = snakemake(tmp_path, "--dry-run", "--persistence-backend", "db")
    assert (
        status == 1 and "--persistence-backend: results are compared with Snakemake's notes in files; leave it" in said
    )
    assert "Traceback" not in said


@pytest.mark.snakemake
@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True])
def test_a_kill_between_result_and_record(lost: bool, study: Path) -> None:
    (study / "kill").write_text("generate_ensemble")
    made = study / TOP / "texts" / "logits" / "neutral" / "base=0.5+positive=0.5.parquet"
    target = f"{TOP}/scores/neutral/ensemble/distinct.parquet"
    status, _ = snakemake(study, *CHANGED, "--", target)
    assert status == -9 and '"seed": 77' in made.read_text()
    assert not record_path(study / TOP, made).exists()
    if lost:
        forget_metadata(study)
        said = finish(study, *CHANGED, "--", target)
        assert f"{TOP}: 1 result is of unknown make, first {made.relative_to(study)}: " in said
    else:
        finish(study, "--unlock")
        finish(study, *CHANGED, "--", target)
    assert record_path(study / TOP, made).exists() and '"seed": 77' in made.read_text()


# --- adopt ---

LATE = re.compile(
    rf"^{TOP}: \d+ results are older than what they were made of, as copies are, and Snakemake would make them again, "
    r"and what follows; make adopt CONFIG=tiny\.yaml compares them with their records and sets their times$"
)


@pytest.fixture
def copied(study: Path) -> Path:
    """Copied without times and .snakemake."""
    shuffle_times(study)
    forget_metadata(study)
    return study


@pytest.mark.snakemake
@pytest.mark.slow
def test_copies_are_adopted(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = finish(copied, "--dry-run")
    assert {"Train language model base", GENERATE} < jobs(said)
    assert len(notes_of(said)) == 1 and LATE.match(notes_of(said)[0])
    said = finish(copied, module="lm_interpolation adopt")
    assert re.search(
        rf"^{TOP}: \d+ results are what their records say; times of \d+ files were set$", said, re.MULTILINE
    )
    said = finish(copied)
    assert "Nothing to be done" in said and notes_of(said) == []
    again = planned(copied, "--config", JUDGE)
    assert "Train classifier sentiment-judge" in again and "Train language model base" not in again
    # Once more: nothing to do.
    monkeypatch.chdir(copied)
    assert "times of 0 files were set" in adopt.adopt(TOP)[0][0]


@pytest.mark.snakemake
@pytest.mark.slow
def test_adopt_names_what_does_not_match_and_leaves_it_to_be_made_again(copied: Path) -> None:
    table = copied / TOP / "tables" / "theta1.csv"
    table.write_text(table.read_text().replace("neutral", "NEUTRAL"))
    (copied / TOP / "models" / "grammar-judge" / "model.safetensors").write_text("x")
    said = finish(copied, *CHANGED, module="lm_interpolation adopt")
    assert "\n2 are not, and are made again when they are asked for:\n" in said
    assert f"  {TOP}/tables/theta1.csv: it is not what its record says (another digest)\n" in said
    assert (
        f"  {TOP}/models/grammar-judge: {TOP}/models/grammar-judge/model.safetensors: damaged (1 bytes instead" in said
    )
    again = planned(copied)
    assert again >= {"Tabulate theta1", "Train classifier grammar-judge", "Draw fig3"}
    assert not again & {"Train language model base", GENERATE}
    # And what a changed setting does.
    assert {GENERATE, *again} <= planned(copied, *CHANGED)


@pytest.mark.snakemake
@pytest.mark.slow
def test_an_interrupted_adoption_is_done_again(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copied)
    left = [5]
    set_time = os.utime

    def interrupted(*arguments: Any, **values: Any) -> None:
        if "ns" in values:
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
        set_time(*arguments, **values)

    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", interrupted)
        with pytest.raises(KeyboardInterrupt):
            adopt.adopt(TOP)
    lines, denied = adopt.adopt(TOP)
    assert denied == [] and "times of 0 files" not in lines[0] and len(lines) == 1
    assert planned(copied) == set()


@pytest.mark.snakemake
@pytest.mark.slow
def test_times_that_cannot_be_set_are_told(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copied)
    set_time = os.utime

    def denied(path: Any, *arguments: Any, **values: Any) -> None:
        if "ns" in values and "texts" in str(path):
            raise PermissionError(1, "Operation not permitted", str(path))
        set_time(path, *arguments, **values)

    monkeypatch.setattr(os, "utime", denied)
    with pytest.raises(
        UserError, match=r"^results/tiny/\S*texts\S*: its time cannot be set \(Operation not permitted\)"
    ):
        adopt.main(["--configfile", "tiny.yaml"])
    monkeypatch.undo()
    # And told again, until they are.
    assert any(map(LATE.match, notes_of(finish(copied, "--dry-run"))))


def test_there_is_nothing_to_adopt_without_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"^results/tiny/made: no records of what made the results; copy that folder, too"
    ):
        adopt.main(["--configfile", str(ROOT / "tests" / "tiny.yaml")])


# --- verify ---


def test_records_are_compared_with_the_manifest(place: str) -> None:
    table, model = f"{place}/tables/a.csv", f"{place}/models/base"
    told = {"settings": {"steps": 3}, "packages": {}, "sources": {"a.py": "1"}}
    write([table, model], [], **told)

    def check(settings: dict[str, Any], content: str = "a\n1\n") -> records.Checked:
        artefacts = {
            "tables/a.csv": {"sha256": hashlib.sha256(content.encode()).hexdigest()},
            "models/base/checksums.json": {"sha256": records.digest(model)[0]},
        }
        return check_records(
            place, artefacts, [(path, *settings_digest(settings)) for path in (table, model, "results/tiny/x")]
        )

    assert check(told) == records.Checked((), (), (), (), ("results/tiny/x",))
    assert check(told, "a\n2\n").contradicted == (table,)
    assert check(told | {"settings": {"steps": 4}}).other_settings == (table, model)
    assert check(told | {"sources": {"a.py": "2"}}).other_code == (table, model)
    # As a version wrote them that had one mapping for all.
    write([table, model], [], steps=4, sources={"a.py": "1"}, packages={})
    assert check(told) == records.Checked((), (), (), (table, model), ("results/tiny/x",))
    assert check(told, "a\n2\n").contradicted == (table,)


@pytest.mark.snakemake
@pytest.mark.slow
def test_verify_finds_what_was_changed_before_the_manifest_was_written(study: Path) -> None:
    table = study / TOP / "tables" / "theta1.md"
    table.write_text("mine")
    (study / TOP / "manifest.json").unlink()
    finish(study)
    status, said = snakemake(study, "--", "verify")
    assert (
        status == 1 and f"error: {TOP}/tables/theta1.md is not what its record says, the first of 1 result that" in said
    )
    # Which of both it is, one by one, in the log.
    log = (study / TOP / "logs" / "verify.log").read_text().splitlines()
    assert f"{TOP}/tables/theta1.md is not what its record says" in log
