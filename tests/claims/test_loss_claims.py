"""Claims on losses: shares of a gain, points against points, chosen points, general loss at equal target loss."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.claims.data import ClaimData
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Method, Sweep, build_sweep
from lm_interpolation.statistics.inference import ratios
from lm_interpolation.statistics.shares import Contrast, Share, apart, mean_of
from tests.claims.test_claims import BASE, constant, data, line, result, score_rows

AT = {"at": {"x": 0.5}, "from": {"x": 0}, "to": {"x": 1}, "sign": "higher"}


def losses_of(**analyses: tuple[Sweep, Mapping[str, np.ndarray]]) -> ClaimData:
    """Claim data with loss analyses: their sweep and, by class, the NLL (texts, points) of texts of one token."""
    tables, losses = {}, {}
    for name, (sweep, classes) in analyses.items():
        rows, raw = [], []
        for class_name, nll in classes.items():
            for place, entry in enumerate(sweep.points):
                at = {key: str(float(value)) for key, value in entry.coordinates}
                start = {"sweep": sweep.name, **at, "point": entry.point.id, "class": class_name}
                rows += [{**start, "statistic": statistic} for statistic in ("nll_text", "nll_token")]
                raw.append(
                    pd.DataFrame({"text": np.arange(len(nll)), "nll": nll[:, place], "tokens": 1}).assign(
                        point=entry.point.id, **{"class": class_name}
                    )
                )
        tables[name], losses[name] = pd.DataFrame(rows), pd.concat(raw)
    return data(tables=tables, losses=losses)


def noisy(values: Sequence[float], texts: int = 60, seed: int = 0, noise: float = 0.02) -> np.ndarray:
    """Losses of texts that differ much from each other, and little in how they change from point to point."""
    random = np.random.default_rng(seed)
    return random.gamma(4, 0.5, (texts, 1)) + np.asarray(values) + noise * random.standard_normal((texts, len(values)))


# --- share


def test_share_of_the_gain():
    spec = BASE | AT | {"test": "share", "analysis": "nll", "class": "good", "statistic": "nll_text", "threshold": 0.7}
    # From 4 to 2, and 2.5 in the middle: three quarters of the gain.
    entry = result(spec, losses_of(nll=(line([0, 0.5, 1]), {"good": constant([4, 2.5, 2])})))
    assert (entry["value"], entry["verdict"], entry["unit"], entry["direction"]) == (0.75, "holds", "share", "at least")
    assert entry["note"] == "4 at the start, 2 at the end, 2.5 at the point" and entry["unit_kind"] == "texts"
    assert (
        result(spec | {"sign": "lower"}, losses_of(nll=(line([0, 0.5, 1]), {"good": constant([4, 2.5, 2])})))["verdict"]
        == "refuted"
    )


def test_share_is_paired_over_texts():
    spec = BASE | AT | {"test": "share", "analysis": "nll", "statistic": "nll_token", "threshold": 0.7}
    entry = result(spec, losses_of(nll=(line([0, 0.5, 1]), {"": noisy([4, 2.5, 2])})))
    # Texts differ by about 1; the share is known to a hundredth.
    assert entry["verdict"] == "holds" and 0.72 < entry["low"] < 0.75 < entry["high"] < 0.78


def test_share_without_a_gain_is_not_tested():
    spec = BASE | AT | {"test": "share", "analysis": "nll", "statistic": "nll_text"}
    entry = result(spec, losses_of(nll=(line([0, 0.5, 1]), {"": constant([2, 1, 2])})))
    assert entry["verdict"] == "not tested" and entry["note"].startswith("start and end have the same value")
    entry = result(spec, losses_of(nll=(line([0, 0.5, 1]), {"": noisy([2, 1, 2.0001])})))
    assert entry["verdict"] == "not tested" and entry["note"].startswith("start and end do not differ beyond chance")


def test_share_of_a_score_on_a_plane_of_a_method():
    method = Method("graft", "a", ("density",))
    spec = {"space": "weights", "origin": {"a": 1}, "prompts": ["neutral"], "directions": {"x": {"b": 1, "a": -1}}}
    sweep = build_sweep("line", {**spec, "grid": {"x": [0, 1], "density": [0.1, 1]}}, method)
    points = {entry.point.id: index for index, entry in enumerate(sweep.points)}
    # The base is one point under both densities.
    assert len(points) == 3
    values = {"a=1": 0.2, "graft~density=0.1@b=1": 0.5, "graft~density=1@b=1": 0.7}
    frame = score_rows(sweep, constant([values[entry.point.id] for entry in sweep.points])).drop_duplicates(
        ["point", "row"]
    )
    claim = BASE | {
        "test": "share",
        "sweep": "line",
        "prompts": "neutral",
        "scorer": "sentiment",
        "statistic": "score",
        "at": {"x": 1, "density": 0.1},
        "from": {"x": 0, "density": 1},
        "to": {"x": 1, "density": 1},
        "sign": "lower",
        "threshold": 0.6,
    }
    entry = result(claim, data([sweep], {("line", "sentiment"): frame}))
    assert (entry["value"], entry["verdict"], entry["unit_kind"]) == (0.6, "holds", "prompts")
    assert "x = 1, density = 0.1" in entry["statement"]
    with pytest.raises(UserError, match="there is no point at"):
        result(claim | {"at": {"x": 2, "density": 0.1}}, data([sweep], {("line", "sentiment"): frame}))


def test_fieller_covers_the_share():
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        # The gain is only some errors long: the delta method would cover too rarely.
        nll = np.array([1.0, 0.4, 0.0]) + random.standard_normal((20, 3))
        low, high = Share(ratios(nll, np.ones_like(nll))).limits(0.025)
        inside += low <= 0.6 <= high
    assert inside >= 370


# --- lower_loss


def test_one_point_against_another():
    spec = BASE | {
        "test": "lower_loss",
        "point": {"analysis": "sparse", "at": {"x": 1}},
        "baseline": {"analysis": "dense", "at": {"x": 0.5}},
        "statistic": "nll_text",
        "threshold": 0,
    }
    one, other = noisy([3, 2], seed=1), noisy([3, 2.1, 1], seed=1)
    given = losses_of(sparse=(line([0, 1], "sparse"), {"": one}), dense=(line([0, 0.5, 1], "dense"), {"": other}))
    entry = result(spec, given)
    assert entry["value"] == pytest.approx((one[:, 1] - other[:, 1]).mean(), abs=1e-5)
    assert (entry["verdict"], entry["unit"]) == ("holds", "nats") and entry["low"] < -0.1 < entry["high"] < -0.08
    # With noise as large as a text's own, more texts would decide.
    undecided = losses_of(
        sparse=(line([0, 1], "sparse"), {"": noisy([3, 2], seed=1, noise=1)}),
        dense=(line([0, 0.5, 1], "dense"), {"": noisy([3, 2.1, 1], seed=2, noise=1)}),
    )
    assert result(spec, undecided)["verdict"] == "undecided"


def test_classes_weigh_the_same():
    good, bad = constant([1, 2], 10), constant([4, 9], 20)
    spec = BASE | {
        "test": "lower_loss",
        "point": {"analysis": "nll", "at": {"x": 1}},
        "baseline": {"analysis": "nll", "at": {"x": 0}},
        "statistic": "nll_text",
    }
    given = losses_of(nll=(line([0, 1]), {"good": good, "bad": bad}))
    assert result(spec, given)["value"] == 3
    assert result(spec | {"class": "bad"}, given)["value"] == 5


def soups(**models: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table and losses of models by themselves, of texts of one token."""
    raw = [
        pd.DataFrame({"point": f"{model}=1", "class": "", "text": np.arange(len(nll)), "nll": nll, "tokens": 1})
        for model, nll in models.items()
    ]
    return pd.DataFrame({"model": list(models), "class": ""}), pd.concat(raw)


def test_models_their_mean_and_the_best_of_them():
    test = soups(a=np.full(9, 3.0), b=np.full(9, 5.0), greedy=np.full(9, 3.5))
    dev = soups(a=np.full(9, 4.0), b=np.full(9, 1.0))
    given = data(tables={"test": test[0], "dev": dev[0]}, losses={"test": test[1], "dev": dev[1]})
    spec = BASE | {
        "test": "lower_loss",
        "point": {"analysis": "test", "models": ["greedy"]},
        "baseline": {"analysis": "test", "models": ["a", "b"]},
        "statistic": "nll_text",
        "threshold": 0,
    }
    entry = result(spec, given)
    assert (entry["value"], entry["note"]) == (-0.5, "3.5 against 4")
    assert entry["statement"] == "greedy (test) has a lower loss than the mean of a, b (test)"
    # On dev b is the best.
    best = {"analysis": "test", "models": ["a", "b"], "best_on": "dev"}
    entry = result(spec | {"baseline": best}, given)
    assert (entry["value"], entry["note"]) == (-1.5, "3.5 against 5 of b")
    with pytest.raises(UserError, match="losses of dev: point greedy=1: a loss"):
        result(spec | {"point": {"analysis": "dev", "models": ["greedy"]}}, given)


# --- selected


def selected(**changes: Any) -> dict[str, Any]:
    return BASE | {
        "test": "selected",
        "method": {"choose": ["ties-dev"], "measure": ["ties-test"]},
        "baseline": {"choose": ["affine-dev"], "measure": ["affine-test"]},
        "statistic": "nll_text",
        "threshold": 0,
        **changes,
    }


def test_each_sweep_counts_at_its_point_that_is_best_on_dev():
    ties, affine = line([0, 0.5, 1], "ties"), line([0, 0.5, 1, 2], "affine")
    given = losses_of(
        **{
            # On dev the mean over both tasks is least at 0.5, on test at 1.
            "ties-dev": (ties, {"a": constant([3, 1, 2]), "b": constant([3, 2, 2])}),
            "ties-test": (ties, {"a": constant([3, 2, 0]), "b": constant([3, 4, 0])}),
            "affine-dev": (affine, {"a": constant([3, 2, 2, 1]), "b": constant([3, 2, 2, 2])}),
            "affine-test": (affine, {"a": constant([3, 2, 2, 4]), "b": constant([3, 2, 2, 3])}),
        }
    )
    entry = result(selected(), given)
    assert (entry["value"], entry["verdict"]) == (-0.5, "holds")
    assert entry["note"] == "3 at x = 0.5 against 3.5 at x = 2"
    assert entry["unit_kind"] == "texts per class" and entry["units"] == 8


def test_selected_is_paired_by_text():
    ties, affine = line([0, 1], "ties"), line([0, 1], "affine")
    given = losses_of(
        **{
            "ties-dev": (ties, {"": constant([2, 1])}),
            "ties-test": (ties, {"": noisy([3, 2], seed=3)}),
            "affine-dev": (affine, {"": constant([2, 1])}),
            "affine-test": (affine, {"": noisy([3, 2.05], seed=3)}),
        }
    )
    entry = result(selected(), given)
    assert entry["verdict"] == "holds" and entry["high"] - entry["low"] < 0.05


# --- matched_loss


def matched(**changes: Any) -> dict[str, Any]:
    return BASE | {
        "test": "matched_loss",
        "method": {"target": "lines-target", "general": "lines-general"},
        "baseline": {"target": "affine-target", "general": "affine-general"},
        "statistic": "nll_text",
        "threshold": 0,
        **changes,
    }


def trade_offs(gain: float, price: float) -> ClaimData:
    """Two lines from the same base; the first one pays ``price`` for a unit of target loss, the second one 1."""
    at = np.array([0, 0.25, 0.5, 0.75, 1.0])
    lines, affine = line(list(at), "lines"), line(list(at), "affine")
    return losses_of(
        **{
            "lines-target": (lines, {"": noisy(4 - gain * at, seed=5, noise=0.002)}),
            "lines-general": (lines, {"": noisy(3 + price * gain * at, 40, seed=6, noise=0.002)}),
            "affine-target": (affine, {"": noisy(4 - at, seed=5, noise=0.002)}),
            "affine-general": (affine, {"": noisy(3 + at, 40, seed=6, noise=0.002)}),
        }
    )


@pytest.mark.parametrize(("price", "verdict"), [(0.5, "holds"), (1.5, "refuted")])
def test_general_loss_at_equal_target_loss(price, verdict):
    entry = result(matched(), trade_offs(2, price))
    # Over target gains from 0 to 1 the mean price of one unit is 1/2.
    assert entry["verdict"] == verdict and entry["value"] == pytest.approx((price - 1) / 2, abs=0.05)
    assert entry["note"].startswith("losses on the target from ") and entry["units"] == 40


def test_planes_have_no_order():
    directions = {"x": {"b": 1, "a": -1}, "y": {"c": 1, "a": -1}}
    spec = {"space": "weights", "origin": {"a": 1}, "prompts": [], "directions": directions}
    plane = build_sweep("plane", {**spec, "grid": {"x": [0, 1], "y": [0, 1]}})
    given = losses_of(**{name: (plane, {"": constant([1, 2, 3, 4])}) for name in ("t", "g")})
    pair = {"target": "t", "general": "g"}
    with pytest.raises(UserError, match="analysis t runs over a plane; name one along a line"):
        result(matched(method=pair, baseline=pair), given)


# --- statistics


def test_means_and_blocks_of_units():
    first, second = (ratios(values, np.ones_like(values)) for values in (noisy([1, 2], 10), noisy([3, 5], 30, 1)))
    mean = mean_of([first, second])
    np.testing.assert_allclose(mean.values, (first.values + second.values) / 2)
    np.testing.assert_allclose(mean.errors, np.hypot(first.errors, second.errors) / 2)
    assert mean.units == 10
    one, two = apart([first, second])
    np.testing.assert_allclose(one.errors, first.errors)
    # They do not share a unit, so they are independent.
    assert not (one.influence.T @ two.influence).any() and len(one.influence) == len(two.influence) == 40


def test_a_contrast_has_the_mean_and_covers_it():
    random = np.random.default_rng(2)
    inside = 0
    for seed in range(100):
        values = random.exponential(1, (40, 2)) + np.array([0.0, 0.3])
        contrast = Contrast(ratios(values, np.ones_like(values)), [-1, 1], seed)
        low, high = contrast.limits(0.025)
        assert low < contrast.value < high
        narrower = contrast.limits(0.025, more=4)
        assert low < narrower[0] < contrast.value < narrower[1] < high
        inside += low <= 0.3 <= high
    assert inside >= 90


# --- barrier_ratio


RATIO = BASE | {"test": "barrier_ratio", "analysis": "one", "other": "two", "threshold": 0.8, "coordinate": 0.5}


def test_the_ratio_of_two_barriers():
    # Above chords from 2 to 4 and from 2 to 3: 1 and 2.
    one, two = (line([0, 0.5, 1]), {"": constant([2, 4, 4])}), (line([0, 0.5, 1]), {"": constant([2, 4.5, 3])})
    entry = result(RATIO, losses_of(one=one, two=two))
    assert (entry["value"], entry["verdict"], entry["direction"]) == (0.5, "holds", "at most")
    assert entry["note"] == "heights: 1 against 2" and entry["unit_kind"] == "texts"
    assert result(RATIO | {"threshold": 0.4}, losses_of(one=one, two=two))["verdict"] == "refuted"


def test_the_ratio_is_measured_at_its_coordinate():
    one = (line([0, 0.25, 1]), {"": constant([2, 2.75, 3])})
    two = (line([0, 0.25, 1]), {"": constant([2, 4.25, 3])})
    assert result(RATIO | {"coordinate": 0.25}, losses_of(one=one, two=two))["value"] == 0.25


def test_the_ratio_is_paired_over_texts():
    one, two = ({"": noisy([2, 3, 2], seed=0)} for _ in range(2))
    two[""] = one[""] + np.array([0, 1, 0])
    entry = result(RATIO, losses_of(one=(line([0, 0.5, 1]), one), two=(line([0, 0.5, 1]), two)))
    # Texts differ by about 1; the ratio is known to a hundredth.
    assert 0.48 < entry["low"] < 0.5 < entry["high"] < 0.52


def test_without_a_barrier_there_is_no_ratio():
    one = (line([0, 0.5, 1]), {"": constant([2, 4, 4])})
    flat = (line([0, 0.5, 1]), {"": constant([2, 2, 2])})
    entry = result(RATIO, losses_of(one=one, two=flat))
    assert entry["verdict"] == "not tested" and entry["note"].startswith("the other line has no barrier")
    noise = (line([0, 0.5, 1]), {"": noisy([2, 2, 2])})
    entry = result(RATIO, losses_of(one=(line([0, 0.5, 1]), {"": noisy([2, 3, 2], seed=1)}), two=noise))
    assert entry["verdict"] == "not tested" and "beyond chance" in entry["note"]
