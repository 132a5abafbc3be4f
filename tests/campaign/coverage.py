"""Simulations of every kind of claim whose truth is known: coverage of intervals, false verdicts, and power.

    python -m tests.campaign.coverage [--simulations 2000] [--kinds reach better] [--processes 2]

Each cell draws prompts (texts, words, tensors) with the noise of the embedded study, and measures the claim as the
workflow does. Truths: *zero*, where all points are alike; *small* and *plateau*, where several points are nearly or
exactly as high as the highest; *peak*, where one point decides. Columns:

- coverage: how often the 95 % interval holds the truth;
- holds, refuted: how often this is the verdict for a threshold at the truth, on the side where it is false;
- power: how often a claim holds if its threshold lies three standard errors beyond the truth. The standard error
  belongs to the single value that decides in truth, over all simulations (for better, valley, words and norms: to the
  value itself). For orders, neighbours differ by three standard errors of their difference.
- by interval: the same, with the standard error implied by the interval: the mean distance from the truth to the limit
  on that side, divided by 1.96.

There are fewer bootstrap draws than in the workflow, so limits are a little less exact.
"""

import argparse
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# One thread for each process: before numpy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from lm_interpolation.claims import curves as claim_curves
from lm_interpolation.claims.catalog import TESTS
from lm_interpolation.claims.data import ClaimData, NotTested
from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.points.algebra import Sweep, build_sweep
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.statistics import inference, matched, orderings
from lm_interpolation.study.kinds.base import tag
from lm_interpolation.study.kinds.catalog import CLAIMS
from tests.scorers import statistics

SCORERS = {
    "sentiment": statistics("classifier", weights={"good": 1}),
    "perplexity": statistics("perplexity"),
}
Z = 1.96
ENOUGH = 500
"""Simulations from which the standard error is taken."""

Generator = np.random.Generator


DECLARED = {tag(kind, "test"): kind for kind in CLAIMS}
"""Name of a test to the kind of claim."""


@dataclass(frozen=True)
class Cell:
    """One simulated claim: ``draw`` makes the data of one study, in which the claim's value is ``truth``.

    ``decides`` are the terms (sweep, coordinate, weight) of the single value that decides; without them it is the value
    of the claim. A value can be multiples of ``step`` only, if that is not 0: thresholds are put on the next one,
    farther out.
    """

    kind: str
    units: int
    points: str
    what: str
    spec: Mapping[str, Any]
    truth: float
    draw: Callable[[Generator], ClaimData]
    decides: tuple[tuple[str, float, float], ...] = ()
    step: float = 0.0


# --- data


def line(name: str, values: Sequence[float]) -> Sweep:
    spec = {"space": "weights", "origin": {"a": 1}, "prompts": ["neutral"]}
    return build_sweep(name, {**spec, "directions": {"x": {"b": 1, "a": -1}}, "grid": {"x": list(values)}})


def plane(values: Sequence[float]) -> Sweep:
    directions = {"x": {"b": 1, "a": -1}, "y": {"c": 1, "a": -1}}
    spec = {"space": "weights", "origin": {"a": 1}, "prompts": ["neutral"], "directions": directions}
    return build_sweep("plane", {**spec, "grid": {"x": list(values), "y": list(values)}})


def at(sweep: Sweep) -> np.ndarray:
    """Coordinates of the points, (points, coordinates)."""
    return np.array([[float(value) for _, value in entry.coordinates] for entry in sweep.points])


@dataclass(frozen=True)
class Sums:
    """What a score file comes to: per prompt and point (id) what a statistic is the ratio of."""

    points: tuple[str, ...]
    numerators: np.ndarray
    denominators: np.ndarray
    exponentiate: bool

    def of(self, points: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        places = [self.points.index(point) for point in points]
        return self.numerators[:, places], self.denominators[:, places]


def _statistic_matrix(
    scores: Sums, name: str, scorer: Sequence[Statistic], statistic: str, points: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, bool]:
    return *scores.of(points), scores.exponentiate


def _points(sweep: Sweep) -> tuple[str, ...]:
    return tuple(entry.point.id for entry in sweep.points)


def logs(generator: Generator, sweeps: Mapping[str, tuple[Sweep, np.ndarray]], units: int) -> dict[str, Sums]:
    """Perplexities: NLL per token around a curve, prompts alike on all sweeps, texts of unequal length."""
    shared, found = generator.normal(0, 0.25, size=(units, 1)), {}
    for name, (sweep, curve) in sweeps.items():
        tokens = generator.integers(60, 140, size=(units, len(curve))).astype(float)
        nll = (curve + shared + generator.normal(0, 0.2, size=(units, len(curve)))) * tokens
        found[name] = Sums(_points(sweep), nll, tokens, True)
    return found


def probabilities(generator: Generator, sweeps: Mapping[str, tuple[Sweep, np.ndarray]], units: int) -> dict[str, Sums]:
    """Scores: means of five texts, each near 0 or 1, with a curve as their expectation; prompts differ, too."""
    shared, found = generator.normal(0, 0.05, size=(units, 1)), {}
    for name, (sweep, curve) in sweeps.items():
        mean = np.clip(curve + shared, 0.02, 0.98)
        values = generator.beta(0.6 * mean, 0.6 * (1 - mean), size=(5, units, len(curve))).mean(axis=0)
        # With what clipping takes away of the expectation.
        found[name] = Sums(_points(sweep), values + curve - mean, np.ones_like(mean), False)
    return found


def study(
    sweeps: Sequence[Sweep],
    scores: Mapping[tuple[str, str], Sums] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    losses: Mapping[str, Sums] | None = None,
) -> ClaimData:
    return ClaimData(
        sweeps={sweep.name: sweep for sweep in sweeps},
        scorers=SCORERS,
        barriers={"perplexity": "continuation_corpus"},
        scores=lambda sweep, prompts, scorer: (scores or {})[sweep.name, scorer],  # type: ignore[arg-type, return-value]
        tables=tables or {},
        losses=losses or {},  # type: ignore[arg-type]
        judges={},
        seed=0,
    )


# --- cells: the truth is the statistic of the curves without noise

BASE = {"prompts": "neutral", "threshold": 0.0, "reason": "simulated"}
LOGS = BASE | {"scorer": "perplexity", "statistic": "continuation_corpus", "scale": "log"}
SCORE = BASE | {"scorer": "sentiment", "statistic": "score"}
GRIDS = {5: np.linspace(0, 1, 5), 9: np.linspace(0, 1, 9)}


def _of_logs(sweeps: Mapping[str, tuple[Sweep, np.ndarray]], units: int) -> Callable[[Generator], ClaimData]:
    def draw(generator: Generator) -> ClaimData:
        frames = logs(generator, sweeps, units)
        return study([sweep for sweep, _ in sweeps.values()], {(name, "perplexity"): f for name, f in frames.items()})

    return draw


def _of_scores(sweeps: Mapping[str, tuple[Sweep, np.ndarray]], units: int) -> Callable[[Generator], ClaimData]:
    def draw(generator: Generator) -> ClaimData:
        frames = probabilities(generator, sweeps, units)
        return study([sweep for sweep, _ in sweeps.values()], {(name, "sentiment"): f for name, f in frames.items()})

    return draw


def _barriers(grid: np.ndarray) -> Iterator[tuple[str, float, np.ndarray]]:
    """Truths of a barrier: what, its height, and the curve."""
    yield "zero", 0.0, 2 + 0 * grid
    yield "small", 0.05, 2 + 0.05 * 4 * grid * (1 - grid)
    yield "peak", 0.4, 2 + 0.4 * (1 - np.abs(2 * grid - 1))


_MIDDLE = (("one", 0.5, 1.0), ("one", 0.0, -0.5), ("one", 1.0, -0.5))


def barriers(units: int) -> Iterator[Cell]:
    spec = {key: LOGS[key] for key in ("prompts", "threshold", "reason", "scorer")}
    spec |= {"sweep": "one", "test": "barrier"}
    for points, grid in GRIDS.items():
        for what, truth, curve in _barriers(grid):
            draw = _of_logs({"one": (line("one", grid), curve)}, units)
            yield Cell("barrier", units, str(points), what, spec, truth, draw, _MIDDLE)


def _losses(sweep: Sweep, curve: np.ndarray, units: int) -> Callable[[Generator], ClaimData]:
    names = [name for name, _ in sweep.points[0].coordinates]
    table = pd.DataFrame(
        [
            {"sweep": sweep.name}
            | {name: str(value) for name, value in entry.coordinates}
            | {"point": entry.point.id, "class": "c", "statistic": "nll_token"}
            for entry in sweep.points
        ]
    )[["sweep", *names, "point", "class", "statistic"]]

    def draw(generator: Generator) -> ClaimData:
        return study([], tables={"nll": table}, losses=logs(generator, {"nll": (sweep, curve)}, units))

    return draw


def loss_barriers(units: int) -> Iterator[Cell]:
    spec = {"test": "loss_barrier", "analysis": "nll", "class": "c", "threshold": 0.0, "reason": "simulated"}
    for points, grid in GRIDS.items():
        for what, truth, curve in _barriers(grid):
            draw = _losses(line("one", grid), curve, units)
            yield Cell("loss_barrier", units, str(points), what, spec, truth, draw, _MIDDLE)


def monotones(units: int) -> Iterator[Cell]:
    spec = LOGS | {"test": "monotone", "sweep": "one", "within": [0, 1], "direction": "rising"}
    # Standard error of the difference of two points: of their own noise, and of the shared one where lengths differ.
    lengths = np.arange(60, 140)
    spread = lengths.var() / lengths.mean() ** 2
    error = math.sqrt(2 * (0.2**2 * (1 + spread) + 0.25**2 * spread) / units)
    for points, grid in GRIDS.items():
        swaps = 1 if points == 5 else 3
        threshold = 1 - swaps * 12 / (points * (points**2 - 1))
        curves = {"zero": np.zeros(points), "threshold": np.arange(points) * 3 * error}
        curves["power"] = np.arange(points) * 3 * error
        for swap in range(swaps):
            curves["threshold"][[2 * swap, 2 * swap + 1]] = curves["threshold"][[2 * swap + 1, 2 * swap]]
        for what, truth in (("zero", 0.0), ("threshold", threshold), ("power", threshold)):
            draw = _of_logs({"one": (line("one", grid), 2 + curves[what])}, units)
            yield Cell("monotone", units, str(points), what, spec, truth, draw)


def stables(units: int) -> Iterator[Cell]:
    spec = LOGS | {"test": "stable", "sweep": "one", "within": [-1, 2], "worse": "higher"}
    for points, inner in GRIDS.items():
        grid = np.concatenate([[-1, -0.5], inner, [1.5, 2]])
        for what, truth, curve in (("zero", 0.0, 0 * grid), ("peak", 0.8, 0.8 * grid)):
            draw = _of_logs({"one": (line("one", grid), 2 + curve)}, units)
            decides = (("one", 2.0, 1.0), ("one", 1.0, -1.0))
            yield Cell("stable", units, f"{points}+4", what, spec, truth, draw, decides)


def middles(units: int) -> Iterator[Cell]:
    spec = LOGS | {"test": "middle", "sweep": "one", "sign": "above"}
    for points, grid in GRIDS.items():
        inner = (grid > 0) & (grid < 1)
        peak = np.where(inner, 0.4 + 0.4 * np.abs(2 * grid - 1), -0.4 * (grid == 1))
        for what, truth, curve in (("zero", 0.0, 0 * grid), ("plateau", 0.1, 0.1 * inner), ("peak", 0.4, peak)):
            draw = _of_logs({"one": (line("one", grid), 2 + curve)}, units)
            decides = (("one", 0.5, 1.0), ("one", 0.0, -1.0))
            yield Cell("middle", units, str(points), what, spec, truth, draw, decides)


def differences(units: int) -> Iterator[Cell]:
    spec = LOGS | {"test": "difference", "sweep": "one", "other": "other", "within": [0, 1]}
    for points, grid in GRIDS.items():
        for what, truth in (("zero", 0.0), ("small", 0.1), ("peak", 0.4)):
            apart = truth * np.exp(-(((grid - 0.5) / 0.25) ** 2))
            sweeps = {"one": (line("one", grid), 2 + apart), "other": (line("other", grid), 2 + 0 * grid)}
            decides = (("one", 0.5, 1.0), ("other", 0.5, -1.0))
            yield Cell("difference", units, str(points), what, spec, truth, _of_logs(sweeps, units), decides)


def unmoveds(units: int) -> Iterator[Cell]:
    spec = LOGS | {"test": "unmoved", "sweep": "one", "along": "x", "within": [0, 1]}
    for points, grid in GRIDS.items():
        for what, truth in (("zero", 0.0), ("small", 0.1), ("peak", 0.4)):
            curve = truth * np.where(grid == 0.5, 1.0, np.where(grid == 0, 0.0, 0.5))
            decides = (("one", 0.5, 1.0), ("one", 0.0, -1.0))
            draw = _of_logs({"one": (line("one", grid), 2 + curve)}, units)
            yield Cell("unmoved", units, str(points), what, spec, truth, draw, decides)


def reaches(units: int) -> Iterator[Cell]:
    spec = SCORE | {"test": "reach", "sweep": "one", "than": "than"}
    decides = (("one", 1.0, 1.0), ("than", 1.0, -1.0))
    for first, second in ((5, 5), (9, 9), (9, 5), (5, 9)):
        one, than = GRIDS[first], GRIDS[second]
        for what, truth, high, other in (
            ("zero", 0.0, np.where(one >= 0.5, 0.7, 0.3), np.where(than >= 0.5, 0.7, 0.3)),
            ("plateau", -0.05, np.where(one >= 0.25, 0.7, 0.3), np.where(than == 1, 0.75, 0.4)),
            ("peak", -0.05, np.where(one == 1, 0.7, 0.4), np.where(than == 1, 0.75, 0.4)),
        ):
            sweeps = {"one": (line("one", one), high), "than": (line("than", than), other)}
            yield Cell("reach", units, f"{first}, {second}", what, spec, truth, _of_scores(sweeps, units), decides)


def betters(units: int) -> Iterator[Cell]:
    spec = LOGS | {"test": "better", "sweep": "one", "than": "than", "from_score": 0.4, "sign": "lower"}
    spec |= {"score": {"scorer": "sentiment", "statistic": "score"}}
    for first, second in ((5, 5), (9, 9), (9, 5), (5, 9)):
        grids = [2 * GRIDS[first], 2 * GRIDS[second]]
        for what, truth in (("zero", 0.0), ("peak", -0.2)):

            def draw(generator: Generator, grids=grids, truth=truth) -> ClaimData:
                # A convex curve of the score: straight lines between its points lie above it.
                lines = [line(name, grid) for name, grid in zip(("one", "than"), grids, strict=True)]
                shift = (truth, 0.0)
                levels = {s.name: (s, 2 + 0.4 * g**2 + d) for s, g, d in zip(lines, grids, shift, strict=True)}
                scores = {s.name: (s, 0.35 + 0.25 * g) for s, g in zip(lines, grids, strict=True)}
                found = {(n, "perplexity"): frame for n, frame in logs(generator, levels, units).items()}
                found |= {(n, "sentiment"): frame for n, frame in probabilities(generator, scores, units).items()}
                return study(lines, found)

            yield Cell("better", units, f"{first}, {second}", what, spec, truth, draw)


def valleys(units: int) -> Iterator[Cell]:
    for points, half in ((5, 2), (9, 4)):
        sweep = plane(range(-half, half + 1))
        sums = at(sweep).sum(axis=1)
        for what, middle in (("zero", 1), ("peak", 2)):
            count = int((sums == middle).sum())
            spec = LOGS | {"test": "valley", "sweep": "plane", "sum": 1, "lowest": count / len(sums)}
            spec = {key: value for key, value in spec.items() if key != "scale"}
            draw = _of_logs({"plane": (sweep, 2 + 0.3 * np.abs(sums - middle))}, units)
            yield Cell("valley", units, f"{points} x {points}", what, spec, float(middle - 1), draw)
    loss = {"test": "valley", "analysis": "nll", "class": "c", "statistic": "nll_token", "sum": 1}
    sweep = plane(range(-2, 3))
    sums = at(sweep).sum(axis=1)
    spec = loss | {"threshold": 0.0, "reason": "simulated", "lowest": 3 / 25}
    draw = _losses(sweep, 2 + 0.3 * np.abs(sums - 2), units)
    yield Cell("valley", units, "5 x 5, loss", "peak", spec, 1.0, draw)
    spec = LOGS | {"test": "valley", "sweep": "plane", "sum": 1, "lowest": 3 / 25}
    spec = {key: value for key, value in spec.items() if key != "scale"}
    # Flat: the lowest points are hard to tell from their neighbours.
    draw = _of_logs({"plane": (sweep, 2 + 0.1 * np.abs(sums - 2))}, units)
    yield Cell("valley", units, "5 x 5", "small", spec, 1.0, draw)


def words(units: int) -> Iterator[Cell]:
    spec = {"test": "words", "analysis": "next", "group": "g", "within": [0, 1], "direction": "rising"}
    spec |= {"threshold": 0.0, "reason": "simulated"}
    for points, grid in GRIDS.items():
        one_swap = 1 - 12 / (points * (points**2 - 1))
        for what, truth in (("zero", 0.0), ("peak", one_swap)):

            def draw(generator: Generator, grid=grid, what=what) -> ClaimData:
                orders = []
                for _ in range(units):
                    order = np.arange(len(grid))
                    kind = generator.random()
                    if what == "zero" or kind < 0.25:
                        order = generator.permutation(order)
                    elif kind < 0.6:
                        swapped = generator.integers(len(grid) - 1)
                        order[[swapped, swapped + 1]] = order[[swapped + 1, swapped]]
                    orders.append(order)
                names = np.repeat([f"w{word}" for word in range(units)], len(grid))
                table = pd.DataFrame({"text": names, "x": np.tile(grid.astype(str), units)})
                table["probability"] = (np.concatenate(orders) + 1.0).astype(str)
                table = table.assign(sweep="one", point="p", kind="word", group="g")
                columns = ["sweep", "x", "point", "kind", "group", "text", "probability"]
                return study([], tables={"next": table[columns]})

            # Half of a step: a median may lie between two values.
            yield Cell("words", units, str(points), what, spec, truth, draw, (), (1 - one_swap) / 2)


def norms(units: int) -> Iterator[Cell]:
    spec = {"test": "norms", "analysis": "n", "pair": "p", "against": "q", "threshold": 0.0, "reason": "simulated"}
    for points, other in (("matched", units), ("unmatched", units + 1)):

        def draw(generator: Generator, other=other) -> ClaimData:
            parts = [
                pd.DataFrame(
                    {
                        "pair": pair,
                        "tensor": [f"t{index:03}" for index in range(count)],
                        "elements": "4",
                        "scaled_norm": (level * np.exp(generator.normal(0, 0.7, size=count))).astype(str),
                    }
                )
                for pair, level, count in (("p", 0.1, units), ("q", 1.0, other))
            ]
            return study([], tables={"n": pd.concat(parts)})

        yield Cell("norms", units, points, "peak", spec, 0.1, draw)


KINDS: dict[str, Callable[[int], Iterator[Cell]]] = {
    "barrier": barriers,
    "loss_barrier": loss_barriers,
    "monotone": monotones,
    "stable": stables,
    "words": words,
    "better": betters,
    "reach": reaches,
    "valley": valleys,
    "difference": differences,
    "unmoved": unmoveds,
    "norms": norms,
    "middle": middles,
}
"""All kinds of claims that have an interval."""


# --- simulation


def simulate(cell: Cell, simulations: int, seed: int) -> tuple[np.ndarray, float, int]:
    """Limits (simulations, 2) of the claim's interval, the standard error, and how often it was not tested."""
    generator = np.random.default_rng(seed)
    limits, values, untested = [], [], 0
    spec = {**DECLARED[cell.kind].DEFAULTS, **cell.spec}
    for _ in range(simulations):
        data = cell.draw(generator)
        try:
            measured = TESTS[cell.kind](spec, data)
        except NotTested:
            untested += 1
            continue
        limits.append(measured.inference.limits(inference.TAIL))
        if len(values) < ENOUGH:
            values.append(deciding(cell, spec, data) if cell.decides else measured.inference.value)
    return np.array(limits).reshape(-1, 2), float(np.std(values)), untested


def deciding(cell: Cell, spec: Mapping[str, Any], data: ClaimData) -> float:
    """The estimate of the value that decides in truth."""
    if cell.kind == "loss_barrier":
        curves = {"one": claim_curves.loss_curve(data, spec, "nll_token")}
    else:
        used = {"statistic": "continuation_corpus", "scale": "log", **spec} if cell.kind == "barrier" else spec
        names = {sweep for sweep, _, _ in cell.decides}
        curves = {name: claim_curves.line_curve(data, used, sweep=name, within=(-math.inf, math.inf)) for name in names}
    return sum(weight * float(curves[name].values[curves[name].at == x][0]) for name, x, weight in cell.decides)


def summary(cell: Cell, limits: np.ndarray, error: float, untested: int) -> dict[str, Any]:
    """The row of a cell."""
    at_most = DECLARED[cell.kind].model_construct(**cell.spec).side() == AT_MOST
    low, high = limits.T
    # The limits of exact values agree with the truth up to rounding.
    slack = 1e-9
    good, bad = (high < cell.truth - slack, low > cell.truth + slack)
    if not at_most:
        good, bad = bad, good
    row = {
        "kind": cell.kind,
        "units": cell.units,
        "points": cell.points,
        "truth": cell.what,
        "coverage": float(np.mean((low <= cell.truth + slack) & (high >= cell.truth - slack))),
        "holds": float(good.mean()),
        "refuted": float(bad.mean()),
        "power": math.nan,
        "by interval": math.nan,
        "not tested": untested / (untested + len(limits)),
    }
    near = high if at_most else low
    if cell.what == "power":
        # The truth is a correlation of 1; the cell's own is the threshold.
        return (
            row
            | dict.fromkeys(("coverage", "holds", "refuted"), math.nan)
            | {"power": float((near >= cell.truth - slack).mean())}
        )
    if cell.kind == "monotone":
        return row
    for column, spread in (("power", error), ("by interval", float(np.abs(near - cell.truth).mean()) / Z)):
        threshold = cell.truth + 3 * spread * (1 if at_most else -1)
        if cell.step:
            threshold = (math.ceil if at_most else math.floor)(threshold / cell.step) * cell.step
        row[column] = float(((near <= threshold + slack) if at_most else (near >= threshold - slack)).mean())
    return row


def _run(job: tuple[str, int, int, int, int]) -> dict[str, Any]:
    kind, units, index, simulations, draws = job
    inference.DRAWS = orderings.DRAWS = orderings.PAIR_DRAWS = draws
    matched.CURVE_DRAWS = draws // 5
    # What reads score files and losses is not on trial.
    claim_curves.statistic_matrix = _statistic_matrix
    claim_curves.loss_matrix = lambda losses, points, class_name: losses.of(points)
    cell = list(KINDS[kind](units))[index]
    return summary(cell, *simulate(cell, simulations, 1000 * index + units))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--units", nargs="+", type=int, default=[12, 80])
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    jobs = [
        (kind, units, index, options.simulations, options.draws)
        for kind in options.kinds
        for units in options.units
        for index in range(len(list(KINDS[kind](units))))
    ]
    print(f"{options.simulations} simulations for each cell", flush=True)
    print("| kind | units | points | truth | coverage | holds | refuted | power | by interval | not tested |")
    print("|---" * 10 + "|", flush=True)
    began = time.monotonic()
    worst = {"coverage": 1.0, "holds": 0.0, "power": 1.0}
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for row in pool.imap(_run, jobs):
            shown = (
                "–" if isinstance(v, float) and math.isnan(v) else f"{v:.3f}" if isinstance(v, float) else v
                for v in row.values()
            )
            print("| " + " | ".join(map(str, shown)) + " |", flush=True)
            if not math.isnan(row["coverage"]):
                worst["coverage"] = min(worst["coverage"], row["coverage"])
                worst["holds"] = max(worst["holds"], row["holds"])
            if row["units"] == 80 and row["truth"] in ("peak", "power") and not math.isnan(row["power"]):
                worst["power"] = min(worst["power"], row["power"])
    print(
        f"\nleast coverage {worst['coverage']:.3f} (goal 0.93), most false holds {worst['holds']:.3f} (goal 0.05), "
        f"least power with 80 units and a peak {worst['power']:.3f} (goal 0.8); {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
