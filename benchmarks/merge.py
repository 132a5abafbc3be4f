"""Merging one checkpoint: ours, ``mergekit-yaml`` (linear) and ``cp``, each as a process of its own.

Parents are random GPT-2 models in float32 on the same disk, read before (by the turn that does not count), so that all
three read from the page cache if it holds them. Before every action, outside of its time, what the one before it wrote
is removed, and as much memory as a result needs is touched and freed: where the host takes free memory back, as virtual
machines do, the first touch of it costs several times a copy, whoever comes first.

Ours checks digests of its parents, writes those of its output, and ends when that is on the disk (``atomic_path``). So
the limit is ``cp`` followed by ``sync FILE``; ``cp`` alone, which leaves the data in memory, has a row of its own.
mergekit leaves them in memory, too, and neither checks nor digests. It runs as it comes, which keeps the whole result
in memory until the end, and with the options that were fastest on a CPU, which write many small files.

Memory is the peak of RssAnon in /proc/PID/status, read every 5 ms in runs of their own: pages of files do not count.
"""

import functools
import json
import shutil
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open

from benchmarks.harness import PEERS, Goal, Growth, Row, alternate, anonymous_peak, call, touch_memory
from benchmarks.models import gpt2
from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.points.algebra import Point

POINTS = (Point.of({"a": 1.5, "b": -0.5}), Point.of({"a": 1, "b": 1.5, "c": -1.5}))
"""Eq. 1 at alpha = 1.5 and Eq. 3 at gamma = 1.5: two and three parents."""

SHARDS = ("--out-shard-size", "50M")
"""Files of 50 M parameters. Of 200 M, ``--async-write`` and ``-j 2`` took longer (one or two runs each)."""

SHAPES = {"gpt2": 124_439_808, "gpt2-medium": 354_823_168, "gpt2-large": 774_030_080}
"""Numbers of parameters."""

PROGRAM = """
import sys
from lm_interpolation.points.merging import merge
from lm_interpolation.points.algebra import Point
merge(Point.parse(sys.argv[1]), dict(zip(sys.argv[3::2], sys.argv[4::2])), sys.argv[2])
"""


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """Rows for GPT-2 Large with two and three parents, and the growth of both with the size of the model."""
    models = {name: _parent(folder / name, "gpt2-large", seed) for seed, name in enumerate("abc")}
    rows = [row for point in POINTS for row in _rows(point, models, runs, folder)]
    growth = Growth("merge of two models", "parameters", list(SHAPES.values()))
    actions = {}
    for shape in SHAPES:
        parents = models
        if shape != "gpt2-large":
            parents = {name: _parent(folder / f"{shape}-{name}", shape, seed) for seed, name in enumerate("ab")}
        command = _ours(POINTS[0], parents, folder / "ours")
        actions[shape] = functools.partial(call, command)
    growth.seconds = list(alternate(runs, actions, before=lambda: _level(folder)).values())
    _clean(folder)
    return rows, [growth]


def _rows(point: Point, models: Mapping[str, Path], runs: int, folder: Path) -> list[Row]:
    parents = len(point.models)
    work = f"GPT-2 Large shape, fp32, {parents} parents"
    ours, peer = _ours(point, models, folder / "ours"), _mergekit(point, models, folder)
    source, copy = models["a"] / "model.safetensors", folder / "copy.safetensors"
    seconds = alternate(
        runs,
        {
            "ours": lambda: call(ours),
            "cp, sync": lambda: call(["sh", "-c", f"cp {source} {copy} && sync {copy}"]),
            "mergekit": lambda: call(peer),
            "mergekit, shards": lambda: call([*peer, *SHARDS]),
            "cp": lambda: call(["cp", source, copy]),
        },
        before=lambda: _level(folder),
    )
    anonymous: dict[str, list[float]] = {"ours": [], "mergekit, shards": [], "mergekit": []}
    commands = {"ours": ours, "mergekit, shards": [*peer, *SHARDS], "mergekit": peer}
    for _ in range(min(runs, 3)):
        _clean(folder)
        for name, command in commands.items():
            shutil.rmtree(folder / "mergekit", ignore_errors=True)
            anonymous[name].append(anonymous_peak(command))
    difference = _check_equal(folder, point, models)
    _clean(folder)
    return [
        Row(
            "merge",
            work,
            seconds["ours"],
            peer="mergekit-yaml linear",
            peers=seconds["mergekit"],
            limit="cp of one checkpoint, then sync",
            limits=seconds["cp, sync"],
            goals=[Goal("peer", "at least", 5), Goal("limit", "at most", 1.1)],
            note="processes, imports included. Ours verifies the digests of its parents and ends with its output on "
            f"disk, as cp with sync does; mergekit does neither. Both results differ by {difference:.1g} of the sum of "
            "the terms' magnitudes at most (rounding).",
        ),
        Row(
            "merge",
            f"{work}, against small files and cp without sync",
            seconds["ours"],
            peer=f"mergekit-yaml linear {' '.join(SHARDS)}",
            peers=seconds["mergekit, shards"],
            limit="cp of one checkpoint, left in memory",
            limits=seconds["cp"],
            note="ours is still flushed to disk: not the same work.",
        ),
        Row(
            "merge",
            f"{work}: anonymous memory",
            anonymous["ours"],
            unit="MB",
            peer="mergekit-yaml linear",
            peers=anonymous["mergekit"],
            goals=[Goal("ours", "at most", 300)],
            note="peak of RssAnon, sampled every 5 ms; mergekit with small files: "
            f"{statistics.median(anonymous['mergekit, shards']):.0f} MB.",
        ),
    ]


def _parent(folder: Path, shape: str, seed: int) -> Path:
    """A random model with digests, as the workflow writes them."""
    write_checksums(gpt2(folder, shape, seed))
    return folder


def _ours(point: Point, models: Mapping[str, Path], output: Path) -> list[str | Path]:
    pairs = [word for model in point.models for word in (model, models[model])]
    return [sys.executable, "-c", PROGRAM, point.id, output, *pairs]


def _mergekit(point: Point, models: Mapping[str, Path], folder: Path) -> list[str | Path]:
    recipe = {
        "merge_method": "linear",
        "dtype": "float32",
        "parameters": {"normalize": False},
        "models": [
            {"model": str(models[model]), "parameters": {"weight": float(coefficient)}}
            for model, coefficient in point.coefficients
        ],
    }
    # JSON is YAML, too.
    (folder / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    return [PEERS / "mergekit-yaml", folder / "recipe.yaml", folder / "mergekit", "--no-write-model-card", "--quiet"]


def _clean(folder: Path) -> None:
    """Remove all results."""
    for name in ("ours", "mergekit"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "copy.safetensors").unlink(missing_ok=True)


def _level(folder: Path) -> None:
    """The same conditions for whoever comes next: see the top."""
    _clean(folder)
    touch_memory()


def _check_equal(folder: Path, point: Point, models: Mapping[str, Path]) -> float:
    """The largest difference of the two results, relative to sum |c theta|. Raises RuntimeError beyond rounding."""
    worst = 0.0
    with (
        safe_open(folder / "ours" / "model.safetensors", "numpy") as ours,
        safe_open(folder / "mergekit" / "model.safetensors", "numpy") as theirs,
    ):
        parents = [safe_open(models[model] / "model.safetensors", "numpy") for model in point.models]
        if set(ours.keys()) != set(theirs.keys()):
            raise RuntimeError(f"the results hold other tensors: {set(ours.keys()) ^ set(theirs.keys())}")
        for name in ours.keys():  # noqa: SIM118 (no mapping)
            terms = zip(parents, point.coefficients, strict=True)
            scale = sum(np.abs(parent.get_tensor(name)) * abs(float(weight)) for parent, (_, weight) in terms)
            difference = np.abs(ours.get_tensor(name) - theirs.get_tensor(name))
            worst = max(worst, float(np.max(difference / np.maximum(scale, np.finfo(np.float32).tiny))))
    # Three products and two sums, each rounded to float32 by mergekit, and one rounding of ours.
    if worst > 6 * 2.0**-24:
        raise RuntimeError(f"the results differ by {worst} of the terms' magnitudes")
    return worst
