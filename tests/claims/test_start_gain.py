"""The claim on the centroid as a start, against gains by hand and studies whose truth is known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from lm_interpolation.claims.data import ClaimData
from lm_interpolation.points.algebra import Point
from lm_interpolation.statistics.paired_targets import gains, interval, mean_gain
from tests.claims.test_claims import BASE, data, declare, result


def study(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]], texts: int = 20
) -> tuple[dict[str, Any], ClaimData]:
    """A claim and its data: the losses of each target's models from the base and from the centroid.

    Texts differ, and all models alike: their mean is that of the model.
    """
    spread = np.linspace(-1, 1, texts)
    targets, tables, losses = {}, {}, {}
    for number, sides in enumerate(pairs):
        name, rows = f"t{number}", []
        models: dict[str, list[str]] = {"base": [], "centroid": []}
        for key, values in zip(models, sides, strict=True):
            for seed, value in enumerate(values):
                model = f"{name}-{key}.s{seed}"
                models[key].append(model)
                frame = {"text": np.arange(texts), "nll": 10 * (value + spread), "tokens": 10}
                rows.append(pd.DataFrame(frame).assign(point=Point.of({model: 1}).id, **{"class": ""}))
        targets[name] = {"analysis": f"{name}-loss", **models}
        tables[f"{name}-loss"] = pd.DataFrame({"class": [""]})
        losses[f"{name}-loss"] = pd.concat(rows)
    return {**BASE, "test": "start_gain", "targets": targets, "statistic": "nll_token"}, data(
        tables=tables, losses=losses
    )


def test_the_mean_gain_by_hand() -> None:
    # Gains of 0.1, 0.3 and 0.2, each over two seeds.
    spec, given = study([([2.1, 2.3], [2.0, 2.2]), ([1.0, 1.4], [1.0, 0.8]), ([3.0, 3.0], [2.9, 2.7])])
    entry = result(spec | {"threshold": 0}, given)
    # Student's with 3 targets: 0.2 +- 4.303 * 0.1 / sqrt(3).
    assert entry["value"] == pytest.approx(0.2)
    assert (entry["low"], entry["high"]) == pytest.approx((0.2 - 0.248414, 0.2 + 0.248414), abs=1e-5)
    assert (entry["units"], entry["unit_kind"], entry["unit"], entry["direction"]) == (3, "targets", "nats", "at least")
    assert entry["note"].startswith(
        "2.13 from the base and 1.93 from the centroid, with 2 training seeds for each target; lower from the centroid "
        "for 3 of 3 targets"
    )
    # Three targets give no verdict, whatever their texts and seeds.
    assert entry["verdict"] == "undecided" and "a verdict needs 8 targets, there are 3" in entry["note"]
    per_text = result(spec | {"threshold": 0, "statistic": "nll_text"}, given)
    assert per_text["value"] == pytest.approx(2.0)


@pytest.mark.parametrize(("gain", "verdict"), [(0.3, "holds"), (-0.3, "refuted"), (0.0, "undecided")])
def test_eight_targets_decide(gain: float, verdict: str) -> None:
    random = np.random.default_rng(1)
    noise = 0.1 * random.standard_normal((8, 2, 2))
    noise -= noise.mean(axis=(0, 2), keepdims=True)
    # Targets differ by far more than what they gain.
    levels = np.arange(1, 9)[:, None]
    spec, given = study(
        [(level + 0.5 + pair[0], level + 0.5 - gain + pair[1]) for level, pair in zip(levels, noise, strict=True)]
    )
    entry = result(spec | {"threshold": 0}, given)
    assert entry["verdict"] == verdict and entry["units"] == 8
    assert entry["value"] == pytest.approx(gain, abs=1e-6)


def test_a_class_of_the_analysis() -> None:
    spec, given = study([([2.0], [1.0]), ([2.0], [1.0])])
    for name, frame in given.losses.items():
        worse = frame.assign(nll=np.where(frame["point"].str.contains("base"), 50.0, 10.0), **{"class": "bad"})
        given.losses[name] = pd.concat([frame.assign(**{"class": "good"}), worse])  # type: ignore[index]
        given.tables[name] = pd.DataFrame({"class": ["good", "bad"]})  # type: ignore[index]
    chosen = {name: target | {"class": "good"} for name, target in spec["targets"].items()}
    assert result(spec | {"targets": chosen}, given)["value"] == pytest.approx(1.0)
    # By default both weigh the same: gains of 1 and 4.
    assert result(spec, given)["value"] == pytest.approx(2.5)


def test_two_targets_at_least() -> None:
    spec, _ = study([([2.0], [1.0])])
    with pytest.raises(ValidationError, match="at least 2"):
        declare(spec)


# --- statistics


def test_gains_are_means_of_pairs() -> None:
    pairs = [(np.array([3.0, 5.0]), np.array([1.0, 2.0])), (np.array([1.0]), np.array([4.0]))]
    assert gains(pairs).tolist() == [2.5, -3.0]
    estimate = mean_gain(pairs)
    assert estimate.values[0] == -0.25 and estimate.units == 2
    assert estimate.errors[0] == pytest.approx(stats.sem([2.5, -3.0]))
    low, high = stats.t.interval(0.95, 1, -0.25, stats.sem([2.5, -3.0]))
    assert interval(pairs, 0) == pytest.approx((-0.25, low, high))


def covered(count: int, seeds: int, spread: Mapping[str, float], studies: int = 400) -> float:
    """Share of simulated studies whose interval holds the true mean gain; seeds and texts vary within targets."""
    random, inside = np.random.default_rng(5), 0
    for number in range(studies):
        gain = 0.1 + spread["targets"] * random.standard_normal((count, 1))
        base, centroid = spread["seeds"] * random.standard_normal((2, count, seeds))
        texts = spread["texts"] * random.standard_normal((count, 1))
        pairs = list(zip(base + gain + texts, centroid, strict=True))
        _, low, high = interval(pairs, number)
        inside += low <= 0.1 <= high
    return inside / studies


@pytest.mark.parametrize("count", [6, 8, 12])
@pytest.mark.parametrize(
    "spread",
    [
        {"targets": 0.1, "seeds": 0.02, "texts": 0.0},
        {"targets": 0.0, "seeds": 0.1, "texts": 0.0},
        {"targets": 0.05, "seeds": 0.05, "texts": 0.05},
    ],
)
def test_the_interval_covers_whatever_varies(count: int, spread: Mapping[str, float]) -> None:
    assert covered(count, 2, spread) >= 0.93
