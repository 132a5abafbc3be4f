"""Merging one checkpoint under a method: ours and ``mergekit-yaml`` with the same method, each a process of its own.

The models are random GPT-2 models in float32: a base, and four that moved from it by displacements of 1e-3, as
fine-tuning does. Turns and caches are as in ``benchmarks.merge``; here, too, ours checks digests of its parents, writes
those of its output and ends when that is on the disk, which mergekit does not. A process is timed while its memory is
watched.

Both trim per tensor, since mergekit knows nothing else. Our trimming over the whole model, as the paper of TIES has it,
reads everything three times and has a row without a peer. mergekit's slerp takes two models; for four, both compute the
Karcher mean, which for two models of equal norms is slerp's middle.
"""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from benchmarks.harness import PEERS, Goal, Growth, Row, alternate, anonymous_peak, call, touch_memory
from benchmarks.models import gpt2
from benchmarks.plane import SHARE, SST_EVALUATION, THREADS, sst_evaluation
from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.compute import prepare_torch
from lm_interpolation.points.algebra import Method
from lm_interpolation.points.interpolation import WeightSpace

SHAPE = "gpt2-large"
SMALL = "gpt2"
"""Of the models that points move among in memory."""
SHARDS = ("--out-shard-size", "50M")
"""mergekit's fastest option on a CPU: see ``benchmarks.merge``."""

PROGRAM = """
import json, sys
from lm_interpolation.jobs.allocation import keep_freed_memory
from lm_interpolation.points.algebra import Method
from lm_interpolation.points.method_merging import merge_by_method
keep_freed_memory()
asked = json.loads(sys.argv[1])
method = Method("method", asked["base"], recipe={"stages": asked["stages"]})
merge_by_method(method.point(asked["coefficients"], {}), method, dict(zip(sys.argv[3::2], sys.argv[4::2])), sys.argv[2])
"""

Stages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Work:
    """A method, ours and theirs. ``base`` says whether there is one; ``theirs`` is empty where there is no peer.

    ``of_models`` are parameters of each model in mergekit. ``rounding`` is the relative difference to expect.
    """

    name: str
    stages: Stages
    base: bool
    theirs: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    of_models: Mapping[str, Any] = field(default_factory=dict)
    rounding: float = 2.0**-20


def _stage(module: str, **settings: Any) -> Mapping[str, Any]:
    return {"module": module, "settings": settings}


def _ties(over: str) -> Stages:
    return (_stage("magnitude", density=0.2, over=over), _stage("elect"), _stage("mean"))


TIES = Work("TIES, density 0.2 per tensor", _ties("tensor"), True, "ties", {}, {"weight": 1.0, "density": 0.2})
WHOLE = Work("TIES, density 0.2 over the whole model", _ties("model"), True)
DARE = Work(
    "DARE, density 0.5",
    (_stage("chance", density=0.5, rescale="inverse", seed=0),),
    True,
    "dare_linear",
    {"normalize": True},
    {"weight": 1.0, "density": 0.5},
)
# mergekit adds the squares of whole tensors in float32.
SLERP = Work("SLERP of weights", (_stage("slerp"),), False, "slerp", {"t": 0.5}, rounding=2.0**-13)
KARCHER = Work(
    "Karcher mean of weights",
    (_stage("karcher", iterations=10, tolerance=1e-5),),
    False,
    "karcher",
    rounding=2.0**-13,
)
LINES = Work("LiNeS", (_stage("rescale", layers=[0.3, 1.0], other=0.3),), True)
WORKS = ((TIES, "ab"), (TIES, "abcd"), (WHOLE, "ab"), (DARE, "ab"), (DARE, "abcd"), (SLERP, "ab"), (KARCHER, "abcd"))


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """Rows for GPT-2 Large: seconds and memory of each method, of two models and of four. For GPT-2 small: moves."""
    small = make_parents(folder / "small", SMALL)
    # First, since a difference would make the rest pointless.
    checks = {(work.name, models): _check(work, models, small, folder) for work, models in WORKS if work.theirs}
    rows = _moves(runs, small)
    shutil.rmtree(folder / "small")
    large = make_parents(folder / "large", SHAPE)
    for work, models in WORKS:
        rows += _rows(work, models, large, runs, folder, checks.get((work.name, models), ""))
    return rows, []


def make_parents(folder: Path, shape: str) -> dict[str, Path]:
    """Model name -> folder: a base, and four models that moved from it, with digests as the workflow writes them."""
    parents = {name: folder / name for name in ("base", *"abcd")}
    gpt2(parents["base"], shape, 0)
    for seed, name in enumerate("abcd", start=1):
        shutil.copytree(parents["base"], parents[name], ignore=shutil.ignore_patterns("*.safetensors"))
        random = np.random.default_rng(seed)
        moved = {}
        with safe_open(parents["base"] / "model.safetensors", "numpy") as base:
            for tensor in base.keys():  # noqa: SIM118 (no mapping)
                values = base.get_tensor(tensor)
                moved[tensor] = values + np.float32(1e-3) * random.standard_normal(values.shape, np.float32)
        save_file(moved, parents[name] / "model.safetensors", metadata={"format": "pt"})
    for path in parents.values():
        write_checksums(path)
    return parents


def _moves(runs: int, parents: Mapping[str, Path]) -> list[Row]:
    """Moving from one point to the next in memory beside evaluating there."""
    prepare_torch(THREADS)
    works = (TIES, DARE, SLERP, LINES)
    methods = {
        work.name: Method(f"m{index}", "base" if work.base else None, recipe={"stages": work.stages})
        for index, work in enumerate(works)
    }
    space = WeightSpace({name: parents[name] for name in ("base", "a", "b")}, methods=methods.values())
    shares = ((0.25, 0.75), (0.5, 0.5), (0.75, 0.25))

    def move(method: Method) -> None:
        for share in shares:
            space.set_point(method.point(dict(zip("ab", map(str, share), strict=True)), {}))

    actions = {name: partial(move, method) for name, method in methods.items()}
    seconds = alternate(runs, {**actions, "evaluate": sst_evaluation(space)})
    return [
        Row(
            "methods",
            f"GPT-2 small shape, 2 models: {work.name}: move to the next point in memory",
            [total / len(shares) for total in seconds[work.name]],
            limit=SST_EVALUATION,
            limits=[SHARE * total for total in seconds["evaluate"]],
            goals=[Goal("limit", "at most", 0.05)],
            note=f"{THREADS} thread; what all points share (cuts, inner products) is known from the first.",
        )
        for work in works
    ]


def _rows(work: Work, models: str, parents: Mapping[str, Path], runs: int, folder: Path, checked: str) -> list[Row]:
    commands = _commands(work, models, parents, folder)
    anonymous: dict[str, list[float]] = {name: [] for name in commands}

    def measure(name: str) -> None:
        anonymous[name].append(anonymous_peak(commands[name]))

    actions = {name: partial(measure, name) for name in commands}
    seconds = alternate(runs, actions, warmups=0, before=lambda: _level(folder))
    named = f"GPT-2 Large shape, fp32, {len(models)} models: {work.name}"
    memory = Goal("ours", "at most", 300)
    if not work.theirs:
        _clean(folder)
        return [
            Row(
                "methods", named, seconds["ours"], note="it reads all parents three times; mergekit has no such method."
            ),
            Row("methods", f"{named}: anonymous memory", anonymous["ours"], unit="MB", goals=[memory]),
        ]
    _clean(folder)
    peer = f"mergekit-yaml {work.theirs}"
    return [
        Row(
            "methods",
            named,
            seconds["ours"],
            peer=peer,
            peers=seconds["mergekit"],
            goals=[Goal("peer", "at least", 3)],
            note=f"processes, imports included; mergekit with {' '.join(SHARDS)}. {checked}",
        ),
        Row(
            "methods",
            f"{named}: anonymous memory",
            anonymous["ours"],
            unit="MB",
            peer=peer,
            peers=anonymous["mergekit"],
            goals=[memory],
        ),
    ]


def _commands(work: Work, models: str, parents: Mapping[str, Path], folder: Path) -> dict[str, list[str | Path]]:
    """Ours and, where there is a peer, theirs, each into the folder of its name."""
    commands = {"ours": _ours(work, models, parents, folder / "ours")}
    if work.theirs:
        commands["mergekit"] = [*mergekit(work, models, parents, folder), *SHARDS]
    return commands


def _ours(work: Work, models: str, parents: Mapping[str, Path], output: Path) -> list[str | Path]:
    coefficients = {model: str(1 / len(models)) for model in models}
    names = ["base", *models] if work.base else list(models)
    asked = {"base": "base" if work.base else None, "stages": work.stages, "coefficients": coefficients}
    pairs = [word for name in names for word in (name, parents[name])]
    return [sys.executable, "-c", PROGRAM, json.dumps(asked), output, *pairs]


def mergekit(work: Work, models: str, parents: Mapping[str, Path], folder: Path) -> list[str | Path]:
    """The command that merges with mergekit into ``folder/mergekit``."""
    recipe: dict[str, Any] = {
        "merge_method": work.theirs,
        "dtype": "float32",
        "parameters": dict(work.parameters),
        "models": [{"model": str(parents[model]), "parameters": dict(work.of_models)} for model in models],
    }
    if work.base:
        recipe["base_model"] = str(parents["base"])
    elif work.theirs == "slerp":
        # It takes the first of its two models for its base.
        recipe["base_model"] = str(parents[models[0]])
    path = folder / f"{work.theirs}-{models}.yaml"
    # JSON is YAML, too.
    path.write_text(json.dumps(recipe), encoding="utf-8")
    seed = ("--random-seed", "0")
    return [PEERS / "mergekit-yaml", path, folder / "mergekit", "--no-write-model-card", "--quiet", *seed]


def _clean(folder: Path) -> None:
    """Remove all results."""
    for name in ("ours", "mergekit"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _level(folder: Path) -> None:
    """The same conditions for whoever comes next."""
    _clean(folder)
    touch_memory()


def _check(work: Work, models: str, parents: Mapping[str, Path], folder: Path) -> str:
    """How ours and mergekit's result compare, in words. Raises RuntimeError if they do not.

    Draws cannot agree, so of DARE the shares of elements that moved are compared.
    """
    for command in _commands(work, models, parents, folder).values():
        call(command)
    try:
        return _compare(work, len(models), parents["base"], folder)
    finally:
        _clean(folder)


def _compare(work: Work, models: int, base: Path, folder: Path) -> str:
    elements = differing = 0
    moved = {"ours": 0, "mergekit": 0}
    shards = [safe_open(path, "numpy") for path in sorted((folder / "mergekit").glob("*.safetensors"))]
    theirs = {tensor: shard for shard in shards for tensor in shard.keys()}  # noqa: SIM118 (no mapping)
    with (
        safe_open(folder / "ours" / "model.safetensors", "numpy") as ours,
        safe_open(base / "model.safetensors", "numpy") as origin,
    ):
        for tensor in ours.keys():  # noqa: SIM118 (no mapping)
            one, two, start = (file.get_tensor(tensor) for file in (ours, theirs[tensor], origin))
            elements += one.size
            # Some roundings to float32 of weights, and of displacements beside small ones.
            differing += int(np.count_nonzero(np.abs(one - two) > work.rounding * (np.abs(two) + 0.01)))
            moved["ours"] += int(np.count_nonzero(one != start))
            moved["mergekit"] += int(np.count_nonzero(two != start))
    if work is DARE:
        shares = {name: count / elements for name, count in moved.items()}
        expected = 1 - 0.5**models
        if any(abs(share - expected) > 1e-3 for share in shares.values()):
            raise RuntimeError(f"{work.name}: the shares of elements that moved are {shares}, not {expected}")
        return f"{shares['ours']:.4f} and {shares['mergekit']:.4f} of the elements moved."
    # mergekit's sort decides which of equal sizes are kept.
    if differing > 1e-4 * elements:
        raise RuntimeError(f"{work.name}: {differing} of {elements} elements differ")
    return f"{differing} of {elements} elements differ by more than rounding."
