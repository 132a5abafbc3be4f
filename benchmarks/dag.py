"""The DAG: dry runs, a finished study, and the real execution of many trivial points.

The study is a plane of points (as of the paper's Figs. 7 and 8), each of them merged, generated and scored by two
judges. What is compared is Snakemake's own work, so where jobs really run, each script is replaced by a shell command
that makes its outputs, empty. The limit is a plain Snakefile of as many jobs in the same dependencies, with neither
settings, logs nor measurements: what Snakemake costs as such.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness import ROOT, Goal, Growth, Row, alternate, cpu_of_children

LINE = 20
"""Points of a line, which are scored together."""

PLAIN = f"""
LINES = [range({LINE} * line, {LINE} * line + {LINE}) for line in range(config["points"] // {LINE})]

rule all:
    input: expand("scores/{{line}}/{{scorer}}", line=range(len(LINES)), scorer=["sentiment", "perplexity"])

rule merge:
    output: temp(directory("checkpoints/{{point}}"))
    priority: 10
    shell: "mkdir {{output}}"

rule generate:
    input: "checkpoints/{{point}}"
    output: "texts/{{point}}"
    priority: 20
    shell: "touch {{output}}"

rule score:
    input: lambda wildcards: [f"texts/{{point}}" for point in LINES[int(wildcards.line)]]
    output: "scores/{{line}}/{{scorer}}"
    priority: 30
    shell: "touch {{output}}"
"""


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """Seconds of wall time; executions take turns with their limit once, the rest ``runs`` times."""
    study, plain = folder / "study", folder / "plain"
    copy_workflow(study)
    make_trivial(study)
    plain.mkdir()
    (plain / "Snakefile").write_text(PLAIN, encoding="utf-8")
    shutil.copytree(ROOT / "profiles", plain / "profiles")
    limit = "a plain Snakefile of as many jobs"

    rows = []
    growth = Growth("dry run", "points")
    for points, bound in ((400, 4.0), (1600, None), (4000, 12.0)):
        write_plane(study, f"p{points}", points)
        seconds = alternate(
            runs,
            {
                "ours": lambda points=points: snakemake(study, "-n", "--configfile", f"p{points}.yaml"),
                "plain": lambda points=points: snakemake(plain, "-n", "--config", f"points={points}"),
            },
        )
        goals = [] if bound is None else [Goal("ours", "at most", bound)]
        rows.append(
            Row(
                "dag",
                f"dry run of {points} points",
                seconds["ours"],
                limit=limit,
                limits=seconds["plain"],
                goals=goals,
            )
        )
        growth.sizes.append(points)
        growth.seconds.append(seconds["ours"])

    growth_of_runs = Growth("execution of trivial points", "points")
    for points in (400, 4000):
        shutil.rmtree(plain / "scores", ignore_errors=True)
        shutil.rmtree(plain / "texts", ignore_errors=True)
        seconds = alternate(
            1,
            {
                "ours": lambda points=points: snakemake(study, "--cores", "2", "--configfile", f"p{points}.yaml"),
                "plain": lambda points=points: snakemake(plain, "--cores", "2", "--config", f"points={points}"),
            },
            warmups=0,
        )
        made = len(list((study / "results" / f"p{points}" / "texts" / "weights" / "neutral").iterdir()))
        if made != points:
            raise RuntimeError(f"{made} text files where {points} were to be made")
        rows.append(
            Row(
                "dag",
                f"real execution of {points} trivial points",
                seconds["ours"],
                limit=limit,
                limits=seconds["plain"],
            )
        )
        growth_of_runs.sizes.append(points)
        growth_of_runs.seconds.append(seconds["ours"])

    finished = alternate(
        runs, {"ours": lambda: snakemake(study, "--cores", "2", "--configfile", "p400.yaml", says="Nothing to be done")}
    )
    rows.append(Row("dag", "a finished study of 400 points", finished["ours"], goals=[Goal("ours", "at most", 4.0)]))
    return rows, [growth, growth_of_runs]


def copy_workflow(folder: Path) -> None:
    """What Snakemake needs of the repository, into the directory ``folder``, which may be there."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("Snakefile", "workflow", "src", "profiles", "envs", "requirements.lock"):
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, dirs_exist_ok=True)
        else:
            shutil.copy(source, folder / part)


def write_plane(folder: Path, name: str, points: int, **changes: Any) -> None:
    """``folder/<name>.yaml``: the study ``name``, a plane of ``points`` points over tests/tiny.yaml's models.

    ``changes`` replace keys of the study.
    """
    # Through JSON: YAML's anchors make one object of what several models share.
    study = json.loads(json.dumps(yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))))
    for key in ("analyses", "searches", "claims", "figures"):
        del study[key]
    study["study"] = name
    del study["models"]["grammar-judge"], study["corpora"]["grammar"]
    study["scorers"] = {scorer: study["scorers"][scorer] for scorer in ("sentiment", "perplexity")}
    grid = {
        "alpha": {"start": -4, "stop": 4, "count": LINE},
        "beta": {"start": -4, "stop": 4, "count": points // LINE},
    }
    directions = {"alpha": {"positive": 1, "base": -1}, "beta": {"negative": 1, "base": -1}}
    study["sweeps"] = {"plane": {"origin": {"base": 1}, "directions": directions, "grid": grid, "prompts": ["neutral"]}}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(study | changes, sort_keys=False), encoding="utf-8")


def make_trivial(folder: Path, commands: Mapping[str, str] | None = None) -> None:
    """Let the jobs of the workflow in ``folder`` make empty outputs instead of what their scripts do.

    ``commands``, script to shell command, if given, replaces those scripts alone.
    """
    if commands is None:
        trained = "mkdir -p {output.model}; touch {output.loss_curve} {output.metrics}"
        commands = {script.name: "touch {output}" for script in (ROOT / "workflow" / "scripts").rglob("*.py")}
        # Rules whose script is that of a kind.
        commands["{params.script}"] = "touch {output}"
        commands |= dict.fromkeys(("merge.py", "tokenizer.py", "import_model.py"), "mkdir -p {output}")
        commands |= dict.fromkeys(("train_language_model.py", "train_classifier.py"), trained)
    for file in (folder / "workflow" / "rules").rglob("*.smk"):
        text = file.read_text(encoding="utf-8")
        for script, command in commands.items():
            directive = rf'    script:\n        "(?:\.\./)+scripts/(?:\w+/)?{re.escape(script)}"'
            text = re.sub(directive, f'    shell:\n        "{command}"', text)
        file.write_text(text, encoding="utf-8")


def snakemake(folder: Path, *arguments: str, says: str = "") -> float:
    """Run Snakemake in ``folder``: the CPU seconds, user and system, of it and of all its jobs.

    A failure, or an output without ``says``, ends the benchmark.
    """
    command = [sys.executable, "-m", "snakemake", *arguments]
    before = cpu_of_children()
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    used = cpu_of_children() - before
    if done.returncode or says not in done.stdout + done.stderr:
        raise RuntimeError(f"{command}: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return used
