"""The loss plane of Fig. 8: models whose weights are set in memory, beside a checkpoint for each point.

Ours is ``evaluate_losses``: one live model that is moved along the lines of the plane. The peers merge to disk, load
and evaluate at each point, with our own ``merge`` (no other that we know is as fast) and the very batches of ours, so
that only rewriting and reloading differ. One peer does so for all points in one process, and reads the texts once; the
other starts a process for each, as jobs of a workflow and scripts around ``mergekit-yaml`` do. They visit a sample of
the points, at which losses must be equal to 1e-5 relative.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import AutoModelForCausalLM

from benchmarks.harness import Goal, Growth, Row, alternate, in_process
from benchmarks.models import data, embedded, gpt2
from lm_interpolation.analyses.losses import encode_texts, evaluate_losses, text_losses
from lm_interpolation.data.sources.sst import load_sst
from lm_interpolation.data.synthetic.texts import generate
from lm_interpolation.jobs.compute import prepare_torch
from lm_interpolation.models.loading import load_model
from lm_interpolation.points.algebra import Point, Sweep, build_sweep, grid_values
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.merging import merge
from lm_interpolation.study.config import declare

THREADS = int(os.environ.get("BENCH_THREADS", "1"))
"""As many as the study gives to an analysis."""

BATCH_SIZE = 32
"""Texts at once: what config/README.md recommends on a CPU."""

SAMPLE = 4
"""Points that the peers visit in a turn."""

SHARE = 10
SST_EVALUATION = f"evaluating the SST test sentences ({SHARE} x every {SHARE}th)"


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    prepare_torch(THREADS)
    whole = plane(20)
    step = len(whole.points) // SAMPLE
    sample = [entry.point for entry in whole.points[step // 2 :: step]]
    reviews = _reviews()
    (folder / "reviews.json").write_text(json.dumps(reviews), encoding="utf-8")
    losses: dict[str, dict[str, np.ndarray]] = {}

    def ours(sweep: Sweep) -> None:
        losses["ours"] = _by_point(evaluate_losses(WeightSpace(_models()), sweep, reviews, BATCH_SIZE))

    def one_process() -> None:
        encoded = None
        for point in sample:
            model, tokenizer = _merge_and_load(point, folder)
            encoded = encoded or encode_texts(model, tokenizer, reviews, BATCH_SIZE)
            losses["one"][point.id] = text_losses(model, encoded)

    def process_each() -> None:
        for point in sample:
            done = in_process(["-m", "benchmarks.plane", point.id, folder])
            losses["each"][point.id] = np.array(json.loads(done.stdout.splitlines()[-1]))

    peers = {
        "merge to disk, load, evaluate; one process": one_process,
        "merge to disk, load, evaluate; a process for each point": process_each,
    }
    losses |= {"one": {}, "each": {}}
    seconds = alternate(runs, {"ours": lambda: ours(whole), **peers}, warmups=0)
    for peer in ("one", "each"):
        for point, found in losses[peer].items():
            np.testing.assert_allclose(found, losses["ours"][point], rtol=1e-5, err_msg=f"{peer}, {point}")
    rows = [
        Row(
            benchmark="plane",
            work=f"loss plane of the embedded study, {len(whole.points)} points, time per point",
            ours=[1000 * total / len(whole.points) for total in seconds["ours"]],
            unit="ms",
            peer=peer,
            peers=[1000 * total / len(sample) for total in seconds[peer]],
            goals=(Goal("peer", "at least", 10.0),),
            note=f"{THREADS} thread; the peer visits {len(sample)} points a turn; losses equal to 1e-5 relative.",
        )
        for peer in peers
    ]
    sizes = (5, 10, 20)
    growth = alternate(runs, {str(size): partial(ours, plane(size)) for size in sizes}, warmups=0)
    return [*rows, _switch(runs, folder)], [
        Growth("loss plane, embedded study", "points", [float(size**2) for size in sizes], list(growth.values()))
    ]


def plane(count: int, lines: int | None = None) -> Sweep:
    """theta3 on a grid of ``count`` x ``count`` points in [-4, 4], as in the paper; or only its first ``lines``."""
    values = grid_values({"start": -4, "stop": 4, "count": count})
    spec = {
        "origin": {"base": 1},
        "directions": {"alpha": {"positive": 1, "base": -1}, "beta": {"negative": 1, "base": -1}},
        "grid": {"alpha": values, "beta": values[:lines]},
        "space": "weights",
        "prompts": [],
    }
    return build_sweep("plane", spec)


def _models() -> dict[str, Path]:
    return {name: embedded(name) for name in ("base", "positive", "negative")}


def _reviews() -> dict[str, list[str]]:
    """The texts that the embedded study evaluates: 120 of its test split for each of two classes."""
    reviews = generate("reviews", {"train": 0, "dev": 0, "test": 600}, seed=3, shard=(2, 6))["test"]
    classes = {"positive": (3, 4), "negative": (0, 1)}
    return {name: [text for text, level in reviews if level in levels][:120] for name, levels in classes.items()}


def _by_point(losses: pd.DataFrame) -> dict[str, np.ndarray]:
    """Point -> (n,) NLL of its texts."""
    return {str(point): group.to_numpy() for point, group in losses.groupby("point", observed=True)["nll"]}


def _merge_and_load(point: Point, folder: Path) -> tuple[Any, Any]:
    """What a peer does at one point of the plane before it evaluates there."""
    merge(point, _models(), folder / "merged")
    loaded = load_model(AutoModelForCausalLM, folder / "merged", "cpu")
    shutil.rmtree(folder / "merged")
    return loaded


def _switch(runs: int, folder: Path) -> Row:
    """Moving from one point to the next beside evaluating the SST test sentences there, for models of real size."""
    space = WeightSpace({name: gpt2(folder / name, seed=seed) for seed, name in enumerate(_models())})
    evaluate = sst_evaluation(space)
    line = plane(20, lines=1)

    def visit() -> None:
        for _ in space.visit(line):
            pass

    seconds = alternate(runs, {"visit": visit, "evaluate": evaluate})
    return Row(
        benchmark="plane",
        work="loss plane, GPT-2 small shape: switch from one point of a line to the next",
        ours=[total / len(line.points) for total in seconds["visit"]],
        limit=SST_EVALUATION,
        limits=[SHARE * total for total in seconds["evaluate"]],
        goals=(Goal("limit", "at most", 0.05),),
        note=f"{THREADS} thread; the start of the line is counted to its {len(line.points)} points.",
    )


def sst_evaluation(space: WeightSpace) -> Callable[[], object]:
    """What evaluates every ``SHARE``-th of the SST test sentences where the live model is."""
    models = {"base": {"task": "language-model", "start": {"hub": "gpt2", "revision": "main"}}}
    source = {"source": "sst", "path": str(data("sst")), "detokenize": True}
    study = declare({"study": "plane", "models": models, "corpora": {"sst": source}}).config
    corpus = load_sst(study.corpora["sst"].settings("sst", study)["corpus"], "sst")
    texts = encode_texts(space.model, space.tokenizer, {"": corpus["test"]["text"].tolist()[::SHARE]}, BATCH_SIZE)
    return lambda: text_losses(space.model, texts)


if __name__ == "__main__":
    prepare_torch(THREADS)
    texts = json.loads((Path(sys.argv[2]) / "reviews.json").read_text(encoding="utf-8"))
    merged, its_tokenizer = _merge_and_load(Point.parse(sys.argv[1]), Path(sys.argv[2]))
    print(json.dumps(text_losses(merged, encode_texts(merged, its_tokenizer, texts, BATCH_SIZE)).tolist()))
