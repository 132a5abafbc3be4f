"""The settings of jobs as text, and that each script takes exactly what its rule gives it."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import BaseModel, Field

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.jobs.settings import arguments_of, to_text
from lm_interpolation.study import verdicts
from lm_interpolation.study.kinds.models.model import Training
from lm_interpolation.study.settings import AddedLater, canonical, job_settings
from lm_interpolation.study.study import Study
from tests.study.test_config import SHIPPED, full_config
from tests.whole.test_workflow import ROOT, copy_sources

SCRIPTS = ROOT / "workflow" / "scripts"

# --- the text ---


class Reader(BaseModel, validate_by_name=True):
    name: str = Field(alias="class")
    context: int | None = None


class Spec(BaseModel):
    steps: int
    readers: list[Reader] = []
    classes: dict[str, list[str]] = {}
    adapter: Annotated[str, AddedLater(as_before="none")] = "none"
    rank: Annotated[int, AddedLater(as_before=0)] = 8


def test_fields_keep_the_order_of_their_declaration_and_free_mappings_are_sorted() -> None:
    spec = Spec(classes={"b": ["x"], "a": []}, readers=[Reader(context=3, name="θ")], steps=2)
    arguments = {"spec": spec, "at": {"y": 1, "x": [{"d": (1, 0.5), "c": None}]}, "all": [("b", 1), ("a", 2)]}
    text = job_settings("points/merge.py", arguments)
    assert text.startswith(
        '{"settings": {"spec": {"steps": 2, "readers": [{"class": "θ", "context": 3}], '
        '"classes": {"a": [], "b": ["x"]}, "rank": 8}, '
        '"at": {"x": [{"c": null, "d": [1, 0.5]}], "y": 1}, "all": [["b", 1], ["a", 2]]}, '
        '"packages": {"'
    )
    assert list(json.loads(text)) == ["settings", "packages", "sources"]
    assert to_text(json.loads(text)) == text
    assert arguments_of(text)["all"] == [["b", 1], ["a", 2]]


def test_a_field_that_was_added_later_is_left_out_while_it_is_as_before() -> None:
    # What it is as before need not be its default.
    assert canonical(Spec(steps=1, rank=0)) == {"steps": 1, "readers": [], "classes": {}}
    assert canonical(Spec(steps=1, rank=0, adapter="lora"))["adapter"] == "lora"
    assert canonical({"models": [Spec(steps=1)]})["models"][0]["rank"] == 8


def test_a_field_that_was_added_later_is_in_no_settings_that_come_from_a_config() -> None:
    """Models, corpora, prompts, sweeps and sections reach their jobs as mappings."""

    class Later(Training):
        rank: Annotated[int, AddedLater(as_before=0)] = 0

    keys = {"steps": 1, "batch_size": 1, "block_length": 2, "learning_rate": 0.1}
    assert Later(**keys).plain() == Training(**keys).plain()
    assert Later(**keys, rank=8).plain() == {**Training(**keys).plain(), "rank": 8}


def test_an_absent_key_is_left_out() -> None:
    assert canonical(Reader(name="θ")) == {"class": "θ"}


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, Path("x")])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        job_settings("points/merge.py", {"value": value})


def test_the_order_of_fields_in_a_config_changes_no_settings() -> None:
    """Of those whose names are ours; sweeps, scorers, classes and words keep the order in which they are declared."""

    def turned(value: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value[key] for key in reversed(value)}

    config, other = full_config(), full_config()
    for section in ("corpora", "prompts", "tokenizers", "models", "scorers", "analyses", "figures", "claims", "sweeps"):
        other[section] = {name: turned(entry) for name, entry in other.get(section, {}).items()}
    for model in other["models"].values():
        model["training"] = turned(model["training"])
    other["generation"] = turned(other["generation"])
    one, two = Study(config), Study(turned(other))
    for name in config["models"]:
        assert one.settings("models/trial.py", model=one.models.settings(name)) == two.settings(
            "models/trial.py", model=two.models.settings(name)
        )
    for name in config["analyses"]:
        assert one.settings("analyses/loss.py", **one.analysis_settings(name)) == two.settings(
            "analyses/loss.py", **two.analysis_settings(name)
        )
    assert one.settings("claims/claims.py", **verdicts.settings(one)) == two.settings(
        "claims/claims.py", **verdicts.settings(two)
    )


# --- what scripts take ---

# In a copy of the Snakefile: script, settings and execution values of all jobs.
LISTED = """

import json
from snakemake.iocontainers import Wildcards
from lm_interpolation.study.lineage import jobs_behind

def texts(maker, values):
    found = Wildcards(fromdict=values)
    execution = getattr(maker.params, "execution", lambda wildcards, threads: "{}")
    return maker.params.settings(found), execution(found, threads=1)

makers = {maker.name: maker for maker in workflow.rules}
listed = [texts(maker, {}) for maker in makers.values() if maker.script and not maker.output]
targets = [*study.targets.results(), study.path("manifest.json")]
targets += [study.path("corpora", name, "train.parquet") for name in study.data.from_source()]
targets += [study.path("corpora", name, "train.parquet") for name in study.data.shares() + study.data.joined()]
targets += [study.path("prompts", f"{name}.parquet") for name in study.prompts]
targets += [study.path("models", name) for name in study.models.from_gguf() + study.models.derived()]
targets += [study.path("models", name) for name in study.models.replicates()]
for job in jobs_behind(targets, workflow.rules, ()):
    listed.append(texts(makers[job.rule], makers[job.rule].get_wildcards(job.outputs[0])))
# Of temporary outputs.
listed.append(texts(makers["merge"], {"use": "neutral", "point": "base=1"}))
points = {entry.point for sweep in study.sweeps.values() for entry in sweep.points if entry.point.method}
listed += [texts(makers["merge_by_method"], {"use": "neutral", "point": point.id}) for point in points]
with open("listed.json", "w") as handle:
    json.dump(listed, handle)
"""


def parameters(script: str) -> tuple[list[str], list[str], list[str]]:
    """What the ``main`` of a script takes: how it runs, what its result depends on, and of this what may be absent.

    Only what was added later may be; None is as before. Nothing else has a default.
    """
    tree = ast.parse((SCRIPTS / script).read_text(encoding="utf-8"))
    (main,) = (node.args for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    assert main.args[0].arg == "job" and not (main.vararg or main.kwarg or main.defaults)
    defaults = dict(zip((argument.arg for argument in main.kwonlyargs), main.kw_defaults, strict=True))
    later = [name for name, default in defaults.items() if default is not None]
    assert all(ast.unparse(default) == "None" for default in defaults.values() if default is not None)
    return [argument.arg for argument in main.args[1:]], list(defaults), later


FILES = {split: f"own/data/texts/{split}.txt" for split in SPLITS}
EVERY_SOURCE: dict[str, dict[str, Any]] = {
    "part": {"split_from": "reviews", "share": 1},
    "topic": {"classes_from": {"review": "reviews", "line": "lines"}},
    **{source: {"source": source, "files": FILES, "text": "text"} for source in ("csv", "jsonl", "parquet")},
    **{source: {"source": source, "files": FILES} for source in ("lines", "documents")},
    "archive": {"source": "archive", "path": "own/data/texts.zip", "files": FILES},
    "datasets": {
        "source": "datasets",
        "id": "someone/texts",
        "revision": "main",
        "splits": {split: split for split in SPLITS},
        "text": "text",
    },
}


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[tuple[tuple[str, ...], tuple[str, ...]]]]:
    """Script to the names of the execution values and of the settings that rules give it."""
    folder = tmp_path_factory.mktemp("bound") / "study"
    copy_sources(folder)
    shutil.copytree(ROOT / "config", folder / "config")
    with open(folder / "Snakefile", "a", encoding="utf-8") as handle:
        handle.write(LISTED)
    configs = {path.name: path.read_text(encoding="utf-8") for path in [*SHIPPED, ROOT / "tests" / "tiny.yaml"]}
    full = full_config()
    full["corpora"] |= EVERY_SOURCE
    full["models"]["quantised"] = {
        "task": "language-model",
        "start": {"hub": "someone/model", "revision": "main", "gguf_file": "model.gguf"},
    }
    full["models"]["adapted"] = {
        "task": "language-model",
        "start": {"model": "base", "adapter": {"hub": "someone/adapter", "revision": "main"}},
    }
    tuned = {key: value for key, value in full["models"]["positive"].items() if key != "exam"}
    full["models"]["family"] = {**tuned, "replicates": [0, 1]}
    full["models"]["family"]["training"] = {key: value for key, value in tuned["training"].items() if key != "seed"}
    for kind, rest in (("mean", {}), ("greedy", {"loss": {"corpus": "reviews"}})):
        full["models"][kind] = {"task": "language-model", "start": {kind: ["family"], **rest}}
    full["models"]["aligned"] = {"task": "language-model", "start": {"align": "negative", "to": "base"}}
    line = {"origin": {"base": 1}, "directions": {"beta": {"family": 1, "base": -1}}, "grid": {"beta": [0, 1]}}
    full["sweeps"]["trained"] = {**line, "prompts": ["neutral"]}
    shown = {"scorer": "sentiment", "statistic": "score", "label": "Score"}
    full["figures"]["trained"] = {"kind": "curves", "sweeps": ["trained"], "panels": [shown]}
    full["prompts"]["lines"] = {"source": "text", "path": "own/data/prompts.txt"}
    for example in sorted((ROOT / "tests" / "study" / "kinds" / "scorers").glob("*.yaml")):
        full["scorers"] |= yaml.safe_load(example.read_text(encoding="utf-8"))
    # What scripts may be given.
    for scorer in full["scorers"].values():
        scorer["samples"] = 1
    configs["every-scorer.yaml"] = yaml.safe_dump({**full, "study": "samples"}, sort_keys=False)
    for scorer in full["scorers"].values():
        del scorer["samples"]
    configs["full.yaml"] = yaml.safe_dump(full, sort_keys=False)
    found: dict[str, set[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for name, text in configs.items():
        path = folder / "config" / name
        path.write_text(text, encoding="utf-8")
        # Planning needs the data of a study to be there, and does not read them.
        for data in map(folder.joinpath, re.findall(r"(?:[\w./-]*/)?data/[\w./-]+", text)):
            for file in [data] if data.suffix else [data / f"{split}.txt" for split in SPLITS]:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
        command = [sys.executable, "-m", "snakemake", "--list-rules", "--configfile", str(path)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, name + done.stdout + done.stderr
        for settings, execution in json.loads((folder / "listed.json").read_text()):
            # The script comes first among its sources.
            script = next(iter(json.loads(settings)["sources"]))
            found.setdefault(script, set()).add((tuple(json.loads(execution)), tuple(arguments_of(settings))))
    return found


@pytest.mark.parametrize("script", sorted(path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.py")))
def test_a_script_takes_exactly_what_its_rules_give_it(
    script: str, listed: dict[str, set[tuple[tuple[str, ...], tuple[str, ...]]]]
) -> None:
    how, what, later = parameters(script)
    before = [name for name in what if name not in later]
    assert listed[script] == {(tuple(how), tuple(what)), (tuple(how), tuple(before))}


def test_no_script_knows_more_of_snakemake_than_its_job() -> None:
    for path in SCRIPTS.rglob("*.py"):
        names = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)]
        assert [node.id for node in names if node.id == "snakemake"] == ["snakemake"], path
        assert path.read_text().endswith('if __name__ == "__main__":\n    run_job(main, snakemake)\n'), path
