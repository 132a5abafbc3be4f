"""Per-point overhead: what a point of a sweep costs beside the arithmetic of its models.

The embedded study's line theta1 (19 points, neutral prompts, all four scorers) is merged, generated and scored by
Snakemake, and the CPU time, user and system, of it and all of its jobs is counted. What generating and scoring cost in
a process that has done so before is taken off: their own rows are about that. What is left is Snakemake, starts and
imports of jobs, merging, loading, checks, reading and writing.

At the paper's scale (GPT-2 Large, 5000 prompts, 25 continuations of 30 tokens; Figs. 7 and 8) the parts that grow with
the model, merging three parents and loading what came of it, are measured in its shape here; the arithmetic is
estimated from its FLOPs on one A100, at the speeds of paper_cost.py: prompts are read once for all their continuations
by the model and by the judge of perplexity, and with each of them by classifiers.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.dag import copy_workflow, snakemake
from benchmarks.harness import ROOT, Goal, Growth, Row, cpu_of_children, in_process
from benchmarks.models import embedded, gpt2
from benchmarks.paper_cost import FP32, GENERATION, PARAMETERS, PROMPT_TOKENS

SWEEP = "theta1"
LARGE = PARAMETERS["openai-community/gpt2-large"]
JUDGE = PARAMETERS["openai-community/gpt2-xl"]
CLASSIFIERS = sum(
    PARAMETERS[judge] for judge in ("cardiffnlp/twitter-roberta-base-sentiment", "textattack/roberta-base-CoLA")
)

PROMPTS, SAMPLES, NEW_TOKENS = 5000, 25, 30


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """CPU seconds per point, ``runs`` times the same sweep from the start; the estimate as a share in percent."""
    study = folder / "study"
    copy_workflow(study)
    config = _config()
    (study / "point.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    options = ("--cores", "2", "--configfile", "point.yaml", "--")
    top = "results/point"
    snakemake(study, *options, f"{top}/prompts/neutral.parquet", *(f"{top}/models/{name}" for name in config["models"]))
    scores = [f"{top}/scores/neutral/{SWEEP}/{scorer}.parquet" for scorer in config["scorers"]]

    points = len(config["sweeps"][SWEEP]["grid"]["alpha"])
    totals, arithmetic = [], []
    for _ in range(runs):
        totals.append(snakemake(study, *options[:-1], "--forcerun", "merge", "--", *scores) / points)
        arithmetic.append(_arithmetic(study, points) / points)
    starts = {
        module: _cpu(lambda module=module: in_process(["-c", f"import {module}"]))
        for module in (
            "torch",
            "lm_interpolation.texts.generation",
            "lm_interpolation.points.merging",
            "snakemake.iocontainers",
        )
    }
    rows = [
        Row(
            "point",
            f"overhead of a point: embedded study, {points} points of {SWEEP}, {len(scores)} scorers",
            [total - used for total, used in zip(totals, arithmetic, strict=True)],
            unit="s of CPU",
            goals=[Goal("ours", "at most", 6.0)],
            note=(
                f"of {totals[-1]:.2f} s of CPU per point {arithmetic[-1]:.2f} s are generating (taken to cost at every "
                "point what it costs the base model) and scoring; to import "
                + ", ".join(f"{module} takes {seconds:.2f} s" for module, seconds in starts.items())
            ),
        ),
        _at_scale(folder, totals[-1] - arithmetic[-1]),
    ]
    return rows, []


def _config() -> dict[str, Any]:
    """The embedded study's sweep, over the models that its run has left."""
    study = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    experiments = yaml.safe_load((ROOT / "config" / "experiments.yaml").read_text(encoding="utf-8"))
    names = {"base", "positive", "negative"}
    names |= {spec["model"] for spec in study["scorers"].values() if "model" in spec}
    sweep = {**experiments["sweeps"][SWEEP], "prompts": ["neutral"]}
    models = {
        name: {"task": study["models"][name]["task"], "start": {"directory": str(embedded(name))}}
        for name in sorted(names)
    }
    # Through JSON: no anchors.
    config = {
        "study": "point",
        # At least one is needed; nothing reads it.
        "corpora": {"reviews": study["corpora"]["reviews"]},
        "models": models,
        "prompts": {"neutral": study["prompts"]["neutral"]},
        "generation": study["generation"],
        "scorers": study["scorers"],
        "sweeps": {SWEEP: sweep},
    }
    if "compute" in study:
        config["compute"] = study["compute"]
    return json.loads(json.dumps(config))


_ARITHMETIC = """
import json, sys, time
from pathlib import Path
import pandas as pd
from lm_interpolation.jobs.compute import prepare_torch
from lm_interpolation.study.config import declare
from lm_interpolation.texts.generation import Sampling, generate
from lm_interpolation.scores.classifier import score_classifier
from lm_interpolation.scores.line_texts import read_line_texts
from lm_interpolation.scores.perplexity import score_perplexity
import yaml

folder = Path(sys.argv[1])
_, config, _ = declare(yaml.safe_load((folder / "point.yaml").read_text()))
top = folder / "results" / "point"
prepare_torch(1)
prompts = pd.read_parquet(top / "prompts" / "neutral.parquet")
files = sorted((top / "texts" / "weights" / "neutral").glob("*.parquet"))
texts = read_line_texts(files, [file.stem for file in files], top / "prompts" / "neutral.parquet")
sampling = {key: value for key, value in config["generation"].items() if key not in ("nucleus", "precision")}
batch = config["compute"]["batch_size"]

def cpu(action, *arguments):
    started = time.process_time()
    action(*arguments)
    return time.process_time() - started

def generating(rows):
    generate(top / "models" / "base", prompts.head(rows), Sampling(**sampling), batch_size=batch["generate"])

def scoring(name, count):
    spec, part = config["scorers"][name], texts.head(count)
    model = top / "models" / spec["model"]
    if spec["kind"] == "perplexity":
        score_perplexity(model, part["prompt"].tolist(), part["continuation"].tolist(), batch_size=batch["score"])
    else:
        score_classifier(model, (part["prompt"] + part["continuation"]).tolist(), batch_size=batch["score"])

# Loading and the like is in both calls, and what only a first call does, in neither.
generating(1)
used = len(files) * (cpu(generating, len(prompts)) - cpu(generating, 1))
for name in (name for name, spec in config["scorers"].items() if "model" in spec):
    scoring(name, 1)
    used += cpu(scoring, name, len(texts)) - cpu(scoring, name, 1)
print(json.dumps(used))
"""


def _arithmetic(study: Path, points: int) -> float:
    """CPU seconds of generating and scoring all points in a process that has loaded what it needs."""
    done = in_process(["-c", _ARITHMETIC, study])
    if len(list((study / "results" / "point" / "texts" / "weights" / "neutral").glob("*.parquet"))) != points:
        raise RuntimeError(f"{study}: not the texts of {points} points")
    return float(json.loads(done.stdout.splitlines()[-1]))


def _cpu(action: Callable[[], object]) -> float:
    """CPU seconds of the processes that ``action`` runs and waits for."""
    before = cpu_of_children()
    action()
    return cpu_of_children() - before


def _at_scale(folder: Path, overhead: float) -> Row:
    """The share of the overhead in a point of GPT-2 Large, from what is measured here and the FLOPs of its texts."""
    parents = [gpt2(folder / name, "gpt2-large", seed) for seed, name in enumerate("abc")]
    code = (
        "import sys, time\n"
        "from lm_interpolation.points.merging import merge\n"
        "from lm_interpolation.points.algebra import Point\n"
        "started = time.perf_counter()\n"
        "merge(Point.of({'a': -1, 'b': 1.5, 'c': 0.5}), dict(zip('abc', sys.argv[2:])), sys.argv[1])\n"
        "print(time.perf_counter() - started)\n"
    )
    merging = float(in_process(["-c", code, folder / "merged", *parents]).stdout.split()[-1])
    code = (
        "import sys, time\n"
        "from lm_interpolation.texts.language_models import load_language_model\n"
        "started = time.perf_counter()\n"
        "load_language_model(sys.argv[1], 'cpu')\n"
        "print(time.perf_counter() - started)\n"
    )
    loading = float(in_process(["-c", code, folder / "merged"]).stdout.split()[-1])
    once = PROMPTS * PROMPT_TOKENS + PROMPTS * SAMPLES * NEW_TOKENS
    generating = 2 * LARGE * once / GENERATION
    scoring = 2 * (JUDGE * once + CLASSIFIERS * PROMPTS * SAMPLES * (PROMPT_TOKENS + NEW_TOKENS)) / FP32
    around = overhead + merging + loading
    return Row(
        "point",
        f"overhead of a point at the paper's scale (GPT-2 Large, {PROMPTS} prompts x {SAMPLES}; an estimate)",
        [100 * around / (around + generating + scoring)],
        unit="% of its time",
        goals=[Goal("ours", "at most", 10.0)],
        note=(
            f"measured here: merging three parents {merging:.1f} s, loading {loading:.1f} s, all else {overhead:.1f} s "
            f"of CPU as above; estimated for an A100: generating {generating:.0f} s, scoring {scoring:.0f} s"
        ),
    )
