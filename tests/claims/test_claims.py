"""Claims: every kind of test against values computed by hand, intervals, verdicts, outputs, errors of the config."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from lm_interpolation.claims.catalog import TESTS
from lm_interpolation.claims.data import ClaimData, compact, read_analysis
from lm_interpolation.claims.page import claims_markdown, over, write_claims
from lm_interpolation.claims.verdicts import corrected, judge, untested
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Sweep, assign_lines, build_sweep, sweep_settings
from lm_interpolation.scores.judges import Judge
from lm_interpolation.scores.score_files import ScoreFiles, write_scores
from lm_interpolation.study import config
from lm_interpolation.study.kinds.base import tag
from lm_interpolation.study.kinds.catalog import CLAIMS, AnyClaim
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.kinds.study_config import StudyConfig
from tests.by_hand import make_job
from tests.scorers import statistics
from tests.study.test_config import full_config
from workflow.scripts.claims.claims import main

SCORERS = {
    "sentiment": statistics("classifier", weights={"good": 1}),
    "perplexity": statistics("perplexity"),
    "distinct": statistics("distinct", n=[1]),
}
BASE: dict[str, Any] = {"threshold": 0.1, "reason": "as small as noise"}
CURVE: dict[str, Any] = {**BASE, "sweep": "line", "prompts": "neutral", "scorer": "sentiment", "statistic": "score"}
LOG_CURVE = CURVE | {"scorer": "perplexity", "statistic": "continuation_corpus", "scale": "log"}


def line(values: Sequence[float], name: str = "line", space: str = "weights") -> Sweep:
    spec = {"space": space, "origin": {"a": 1}, "prompts": ["neutral"]}
    return build_sweep(name, {**spec, "directions": {"x": {"b": 1, "a": -1}}, "grid": {"x": list(values)}})


def plane(values: Sequence[float], anchors: Sequence[Mapping[str, float]] = ()) -> Sweep:
    directions = {"x": {"b": 1, "a": -1}, "y": {"c": 1, "a": -1}}
    spec = {"space": "weights", "origin": {"a": 1}, "prompts": ["neutral"], "anchors": list(anchors)}
    return build_sweep("plane", {**spec, "directions": directions, "grid": {"x": list(values), "y": list(values)}})


def score_rows(sweep: Sweep, values: np.ndarray) -> pd.DataFrame:
    """Classifier scores: ``values`` (prompts, points)."""
    points = [entry.point.id for entry in sweep.points]
    rows, columns = np.indices(values.shape)
    return pd.DataFrame(
        {
            "point": np.array(points)[columns.ravel()],
            "row": rows.ravel(),
            "sample": 0,
            "p_good": pd.array(values.ravel(), "Float64"),
        }
    )


def nll_rows(sweep: Sweep, nll: np.ndarray, tokens: np.ndarray) -> pd.DataFrame:
    """Perplexity scores: sums of NLL and tokens (prompts, points)."""
    frame = score_rows(sweep, nll).drop(columns="p_good")
    for part in ("continuation", "text"):
        frame[f"nll_{part}"], frame[f"tokens_{part}"] = nll.ravel(), tokens.ravel()
    return frame


def data(
    sweeps: Sequence[Sweep] = (),
    scores: Mapping[tuple[str, str], pd.DataFrame] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    losses: Mapping[str, pd.DataFrame] | None = None,
    judges: Mapping[str, Judge] | None = None,
) -> ClaimData:
    """Claim data with score rows by (sweep, scorer)."""
    return ClaimData(
        sweeps={sweep.name: sweep for sweep in sweeps},
        scorers=SCORERS,
        barriers={"perplexity": "continuation_corpus"},
        scores=lambda sweep, prompts, scorer: (scores or {})[sweep.name, scorer],
        tables=tables or {},
        losses=losses or {},
        judges=judges or {},
        seed=1,
    )


def constant(values: Sequence[float], prompts: int = 8) -> np.ndarray:
    """The same values for every prompt: there is no noise, the interval is the value."""
    return np.tile(np.asarray(values, dtype=float), (prompts, 1))


def curve_data(at: Sequence[float], values: Sequence[float], **named: Sequence[float]) -> ClaimData:
    """Sweeps over ``at`` without any noise: ``line`` with ``values`` and others by keyword.

    The sentiment score is the value; the log perplexity is the value too.
    """
    sweeps, scores = [], {}
    for name, curve in {"line": values, **named}.items():
        sweep = line(at, name)
        sweeps.append(sweep)
        scores[name, "sentiment"] = score_rows(sweep, constant(curve))
        scores[name, "perplexity"] = nll_rows(sweep, 5 * constant(curve), np.full((8, len(at)), 5))
    return data(sweeps, scores)


def result(spec: Mapping[str, Any], given: ClaimData) -> dict[str, Any]:
    return judge(declare(spec).settings("c"), given)


def declare(spec: Mapping[str, Any]) -> Claim:
    return TypeAdapter(AnyClaim).validate_python(spec)


def values_of(entry: Mapping[str, Any]) -> list[float]:
    return [entry["value"], entry["low"], entry["high"]]


# --- curves


def test_barrier_is_the_height_above_the_chord():
    spec = {key: CURVE[key] for key in ("sweep", "prompts", "threshold", "reason")} | {
        "test": "barrier",
        "scorer": "perplexity",
    }
    # Chord from 2 to 3: at 0.25 it is 2.25, at 0.5 2.5; the value at 2 does not count.
    given = curve_data([0, 0.25, 0.5, 1, 2], [2, 2.5, 2.7, 3, 9])
    entry = result(spec, given)
    assert values_of(entry) == [0.25, 0.25, 0.25]
    assert (entry["verdict"], entry["unit"], entry["direction"]) == ("refuted", "nats/token", "at most")
    assert entry["note"] == "highest point: 0.25 at 0.25; points in [0, 1]: 4"
    assert result(spec | {"threshold": 0.25}, given)["verdict"] == "holds"
    # A curve below its chord has no barrier.
    assert values_of(result(spec, curve_data([0, 0.5, 1], [2, 2, 3]))) == [0, 0, 0]
    entry = result(spec, curve_data([0, 0.5, 2], [2, 2, 3]))
    assert (entry["verdict"], entry["value"]) == ("not tested", None)
    assert "needs values at 0, at 1" in entry["note"]


def test_monotone_within_a_range_and_falling():
    given = curve_data([-1, 0, 1, 2, 3], [9, 1, 3, 2, 4])
    spec = CURVE | {"test": "monotone", "within": [0, 3], "direction": "rising", "threshold": 0.8}
    entry = result(spec, given)
    assert values_of(entry) == [0.8, 0.8, 0.8]
    assert entry["verdict"] == "holds"
    entry = result(spec | {"direction": "falling"}, given)
    assert (entry["value"], entry["verdict"]) == (-0.8, "refuted")
    assert "falling" in entry["statement"]
    entry = result(spec | {"within": [0, 1]}, given)
    assert (entry["verdict"], entry["note"]) == (
        "not tested",
        "a correlation needs 3 points in the range; line has 2",
    )


def test_stable_counts_the_worse_side_only():
    given = curve_data([-2, -1, 0, 0.5, 1, 2, 3], [2, 5, 1, 3, 2, 4, 9])
    spec = CURVE | {"test": "stable", "within": [-1, 2], "scale": "linear", "worse": "higher", "threshold": 2}
    entry = result(spec, given)
    # max over [-1, 2] is 5 at -1; max over [0, 1] is 3.
    assert (entry["value"], entry["verdict"]) == (2, "holds")
    assert "worst at -1" in entry["note"]
    assert result(spec | {"worse": "lower"}, given)["value"] == 0
    assert result(spec | {"worse": "lower", "within": [0, 3]}, curve_data([0, 1, 3], [2, 3, 0.5]))["value"] == 1.5
    # The log of the ratio: perplexities e^5 and e^3.
    entry = result(LOG_CURVE | {"test": "stable", "within": [-1, 2], "worse": "higher"}, given)
    assert (entry["value"], entry["unit"]) == (2, "log ratio")
    # A classifier's score has a log of its own.
    entry = result(spec | {"scale": "log"}, given)
    assert entry["value"] == pytest.approx(math.log(5 / 3), rel=1e-5)
    entry = result(spec | {"scale": "log"}, curve_data([-1, 0, 1], [0, 1, 2]))
    assert (entry["verdict"], entry["note"]) == (
        "not tested",
        "sentiment score of line reaches 0, which has no logarithm",
    )


def test_difference_at_shared_coordinates():
    one, other = line([-1, 0, 1, 2]), line([0, 0.5, 1, 2], "other", "logits")
    scores = {
        ("line", "sentiment"): score_rows(one, constant([9, 1, 2, 7])),
        ("other", "sentiment"): score_rows(other, constant([1.1, 9, 1.75, 5])),
    }
    spec = CURVE | {"test": "difference", "other": "other", "within": [-1, 1], "scale": "linear"}
    entry = result(spec, data([one, other], scores))
    assert entry["value"] == 0.25
    assert entry["note"] == "largest seen: 0.25 at 1; shared points: 2"
    # Whichever of the two is the higher one.
    assert result(spec | {"sweep": "other", "other": "line"}, data([one, other], scores))["value"] == 0.25
    entry = result(spec | {"scale": "log"}, data([one, other], scores))
    assert entry["value"] == pytest.approx(math.log(2 / 1.75), rel=1e-5)
    assert result(spec | {"within": [-1, -0.5]}, data([one, line([-0.75], "other")], scores | {
        ("other", "sentiment"): score_rows(line([-0.75], "other"), constant([1]))
    }))["verdict"] == "not tested"  # fmt: skip


def test_difference_is_paired():
    # Both curves move with the prompt; their difference is 0.5 with a little noise.
    generator = np.random.default_rng(5)
    noise = generator.normal(0, 10, size=(50, 1))
    one, other = line([0, 1]), line([0, 1], "other")
    scores = {
        ("line", "sentiment"): score_rows(one, noise + generator.normal(0.5, 0.01, size=(50, 2))),
        ("other", "sentiment"): score_rows(other, noise + np.zeros((50, 2))),
    }
    spec = CURVE | {"test": "difference", "other": "other", "within": [0, 1], "scale": "linear", "threshold": 0.51}
    entry = result(spec, data([one, other], scores))
    assert entry["verdict"] == "holds"
    assert entry["high"] - entry["low"] < 0.01


def test_middle_beyond_both_ends():
    given = curve_data([-1, 0, 0.25, 0.5, 0.75, 1, 2], [99, 1, 4, 7, 5, 3, 99])
    spec = CURVE | {"test": "middle", "scale": "linear", "sign": "above", "threshold": 1}
    entry = result(spec, given)
    # The lowest point of the middle (4) above the higher end (3).
    assert (entry["value"], entry["verdict"], entry["direction"]) == (1, "holds", "at least")
    assert "[0.25, 0.75]" in entry["statistic"]
    assert result(spec | {"within": [0.4, 0.6]}, given)["value"] == 4
    # min(ends) - max(middle) = 1 - 7
    entry = result(spec | {"sign": "below"}, given)
    assert (entry["value"], entry["verdict"]) == (-6, "refuted")
    assert result(LOG_CURVE | {"test": "middle", "sign": "above"}, given)["value"] == 1
    assert result(spec, curve_data([0, 0.5], [1, 2]))["verdict"] == "not tested"


BETTER = CURVE | {
    "test": "better",
    "than": "than",
    "scorer": "perplexity",
    "statistic": "continuation_corpus",
    "score": {"scorer": "sentiment", "statistic": "score"},
    "scale": "log",
    "sign": "lower",
    "threshold": 0,
}


def better_data(score: Sequence[float], logs: Sequence[float], than_score: Sequence[float], than_logs: Sequence[float]):
    at = [-1, 0, 1, 2, 3]
    one, than = line(at), line(at, "than")
    scores = {}
    for sweep, points, values in ((one, score, logs), (than, than_score, than_logs)):
        scores[sweep.name, "sentiment"] = score_rows(sweep, constant(points))
        scores[sweep.name, "perplexity"] = nll_rows(sweep, 5 * constant(values), np.full((8, 5), 5))
    return data([one, than], scores)


BETTER_NOTE = "scores from 2 to 6; as the curves between their points are not known, the mean may be -2 to -2"


def test_better_at_equal_score():
    # line: log perplexity = score / 2 for scores 0 .. 8; at 3 the score has fallen back, so that point is out.
    # than: score 2 at coordinate 1, 6 at 2, at most 6; log perplexity = score. Common range from 2 to 6.
    given = better_data([50, 0, 4, 8, 7], [9, 0, 2, 4, 99], [-9, 1, 2, 6, 5], [0, 1, 2, 6, 99])
    entry = result(BETTER, given)
    # Mean of -score / 2 over [2, 6]: of straight lines nothing is unknown.
    assert values_of(entry) == [-2, -2, -2]
    assert (entry["verdict"], entry["direction"], entry["note"]) == ("holds", "at most", BETTER_NOTE)
    assert result(BETTER | {"from_score": 4}, given)["value"] == -2.5
    # Not below where a curve starts.
    assert result(BETTER | {"from_score": -5}, given)["value"] == -1.75
    assert result(BETTER | {"sign": "higher"}, given)["verdict"] == "refuted"
    # Not of logarithms the curves are bent, and what lies between their points is bounded only.
    entry = result(BETTER | {"scale": "linear"}, given)
    assert entry["low"] < entry["value"] < entry["high"] and entry["high"] - entry["low"] > 10


def test_better_without_a_common_range():
    given = better_data([0, 0, 1, 1.5, 1.75], [0] * 5, [0, 1, 2, 6, 7], [0] * 5)
    entry = result(BETTER, given)
    assert (entry["verdict"], entry["value"]) == ("not tested", None)
    assert entry["note"] == "the two curves share no range of scores (scores from 2 to 1.75)"
    entry = result(BETTER | {"than": "short"}, curve_data([0, 1, 2], [0, 1, 2], short=[0, 1, 2]))
    assert entry["value"] == 0
    at = line([0, 0.5, 2]), line([0, 0.5, 2], "than")
    scores = {
        (sweep.name, scorer): rows
        for sweep in at
        for scorer, rows in (
            ("sentiment", score_rows(sweep, constant([0, 1, 2]))),
            ("perplexity", nll_rows(sweep, constant([1, 1, 1]), np.ones((8, 3)))),
        )
    }
    entry = result(BETTER, data(at, scores))
    assert entry["verdict"] == "not tested"
    assert "coordinate 1" in entry["note"]


REACH = CURVE | {"test": "reach", "than": "than", "threshold": -0.5}


def test_reach_compares_the_highest_values_wherever_they_are():
    one, than = line([-1, 0, 2]), line([0, 1, 3, 4], "than")
    scores = {
        ("line", "sentiment"): score_rows(one, constant([1, 2.5, 2])),
        ("than", "sentiment"): score_rows(than, constant([0, 1, 2, 3])),
    }
    entry = result(REACH, data([one, than], scores))
    assert (values_of(entry), entry["verdict"]) == ([-0.5, -0.5, -0.5], "holds")
    assert (entry["direction"], entry["unit"], entry["section"]) == ("at least", "as the statistic", "4.2")
    assert entry["statement"] == "line reaches a sentiment score comparable to that of than (neutral prompts)"
    assert entry["note"] == "highest: 2.5 at 0, of the other 3 at 4"
    assert result(REACH | {"threshold": -0.4}, data([one, than], scores))["verdict"] == "refuted"
    assert result(REACH | {"sweep": "than", "than": "line"}, data([one, than], scores))["value"] == 0.5


def test_reach_is_paired():
    # Prompts differ a lot, alike on both lines: no noise is left in the difference.
    noise = np.random.default_rng(6).normal(0, 10, size=(50, 1))
    one, than = line([0, 1]), line([0, 1, 2], "than")
    scores = {
        ("line", "sentiment"): score_rows(one, noise + np.array([0.0, 0.75])),
        ("than", "sentiment"): score_rows(than, noise + np.array([0.5, 0.0, 1.0])),
    }
    assert values_of(result(REACH, data([one, than], scores))) == [-0.25, -0.25, -0.25]


def test_a_plateau_of_many_points_does_not_reach_higher():
    # The best of five equal noisy points lies above the best of one, which is as good: by chance, not in truth.
    generator = np.random.default_rng(6)
    one, than = line(range(5)), line([0], "than")
    scores = {
        ("line", "sentiment"): score_rows(one, generator.normal(0, 1, size=(80, 5))),
        ("than", "sentiment"): score_rows(than, generator.normal(0, 1, size=(80, 1))),
    }
    seen = scores["line", "sentiment"].groupby("point")["p_good"].mean().max()
    entry = result(REACH | {"threshold": 0}, data([one, than], scores))
    other = scores["than", "sentiment"]["p_good"].mean()
    assert entry["value"] < seen - other
    assert entry["verdict"] == "undecided"


def test_sweeps_with_other_prompts_are_told():
    one, than = line([0, 1]), line([0, 1], "than")
    scores = {("line", "sentiment"): score_rows(one, constant([0, 1]))}
    scores["than", "sentiment"] = score_rows(than, constant([0, 1], 9))
    with pytest.raises(UserError, match="sweeps line and than do not have the same prompts; score both again"):
        result(REACH, data([one, than], scores))


def test_too_many_undefined_draws_leave_no_interval():
    # At the end `line` exceeds the score of `than` at 1 by about as much as the noise: many draws have no range.
    at = [0, 1, 2]
    one, than = line(at), line(at, "than")
    noise = np.random.default_rng(1).normal(0, 1, size=(10, 3)) * [0.01, 0.01, 1]
    noise -= noise.mean(axis=0)
    scores = {("line", "sentiment"): score_rows(one, constant([0, 1, 2.2], 10) + noise)}
    scores["than", "sentiment"] = score_rows(than, constant([0, 2, 3], 10))
    for sweep in (one, than):
        scores[sweep.name, "perplexity"] = nll_rows(sweep, np.ones((10, 3)), np.ones((10, 3)))
    entry = result(BETTER, data([one, than], scores))
    assert (entry["verdict"], entry["value"], entry["low"]) == ("not tested", 0, None)
    assert "of the draws, so there is no interval" in entry["note"]
    scores["than", "sentiment"] = score_rows(than, constant([0, 1.2, 3], 10))
    assert result(BETTER, data([one, than], scores))["verdict"] == "holds"


UNMOVED = CURVE | {"test": "unmoved", "sweep": "plane", "along": "x", "within": [-1, 1], "scale": "linear"}


def plane_scores(sweep: Sweep, value: Callable[[float, float], float]) -> ClaimData:
    values = [value(*(float(at) for _, at in entry.coordinates)) for entry in sweep.points]
    frames = {("plane", "sentiment"): score_rows(sweep, constant(values))}
    frames["plane", "perplexity"] = nll_rows(sweep, 5 * constant(values), np.full((8, len(values)), 5))
    return data([sweep], frames)


def test_unmoved_looks_along_one_coordinate_of_a_plane():
    # In x it moves by 0.05 per unit, more where y is 1; in y by 0.4. Beyond the range nothing counts.
    sweep = plane([-1, 0, 1, 2], [{"x": 0.5, "y": 0.5}])
    given = plane_scores(sweep, lambda x, y: 9.0 if 2 in (x, y) else 0.05 * x * (1 + (y == 1)) + 0.4 * y)
    entry = result(UNMOVED, given)
    assert values_of(entry) == [0.2, 0.2, 0.2]
    # Three rows with three points each; the anchor is alone in its row.
    assert entry["note"] == "largest seen: 0.2 between x = -1, y = 1 and x = 1, y = 1; pairs of points: 9"
    assert (entry["verdict"], entry["unit"], entry["direction"]) == ("refuted", "as the statistic", "at most")
    assert result(UNMOVED | {"threshold": 0.2}, given)["verdict"] == "holds"
    assert result(UNMOVED | {"along": "y"}, given)["value"] == pytest.approx(0.85)
    assert result(UNMOVED | {"along": "y", "within": [-1, 0]}, given)["value"] == pytest.approx(0.4)
    # With fewer rows, those of y = 0 and y = -1.
    assert result(UNMOVED | {"within": [-1, 0]}, given)["value"] == pytest.approx(0.05)
    alone = result(UNMOVED | {"within": [0.4, 0.6]}, given)
    assert alone["verdict"] == "not tested" and "no two points in the range that differ in x only" in alone["note"]


def test_unmoved_along_a_line_and_by_logarithms():
    given = curve_data([0, 1, 2], [2.0, 2.25, 1.75])
    spec = UNMOVED | {"sweep": "line", "within": [0, 2]}
    assert result(spec, given)["value"] == 0.5
    logs = LOG_CURVE | {"test": "unmoved", "along": "x", "within": [0, 1]}
    entry = result(logs, given)
    assert (entry["value"], entry["unit"]) == (pytest.approx(0.25), "log ratio")


def test_unmoved_counts_its_whole_interval():
    sweep = line([0, 1])
    generator = np.random.default_rng(5)
    noise = generator.normal(0, 0.2, size=(40, 2))
    spec = UNMOVED | {"sweep": "line", "threshold": 0.15}
    given = data([sweep], {("line", "sentiment"): score_rows(sweep, 0.5 + noise + [0, 0.1])})
    entry = result(spec, given)
    gap = noise.mean(axis=0) @ [-1, 1] + 0.1
    error = (noise @ [-1, 1]).std(ddof=1) / math.sqrt(40)
    assert entry["low"] < abs(gap) - error and entry["high"] > abs(gap) + error
    assert entry["units"] == 40
    assert result(spec | {"threshold": round(abs(gap), 3)}, given)["verdict"] == "undecided"
    assert result(spec | {"threshold": 0.5}, given)["verdict"] == "holds"


def test_valley_of_a_plane_without_its_anchors():
    at = [-2, 0, 2, 4]
    sweep = plane(at, [{"x": 1, "y": 0}, {"x": 0, "y": 1}])
    sums = np.array([float(entry.coordinates[0][1] + entry.coordinates[1][1]) for entry in sweep.points])
    assert len(sums) == 18
    # Lowest where x + y = 2: three points of the grid (-2 + 4, 0 + 2, 2 + 0, 4 - 2 are four).
    values = np.where(sums == 2, 0.0, np.where(sums == 1, -1.0, 5.0))
    scores = {("plane", "sentiment"): score_rows(sweep, constant(values))}
    spec = CURVE | {"test": "valley", "sweep": "plane", "lowest": 0.25}
    entry = result(spec, data([sweep], scores))
    assert (values_of(entry), entry["verdict"]) == ([1, 1, 1], "refuted")
    # Sums -4 .. 8 in steps of 2, as often as 1, 2, 3, 4, 3, 2, 1; distances from 1: 5, 3, 1, 1, 3, 5, 7.
    assert entry["note"] == "mean sum 2; lowest points: 4 of 16; mean distance of all: 2.75"
    assert "mean distance of the sum of coordinates from 1, over the share 0.25" in entry["statistic"]
    assert result(spec | {"sum": 2}, data([sweep], scores))["value"] == 0
    # A tenth of 16 points: the two lowest.
    assert "lowest points: 2 of 16" in result(spec | {"lowest": 0.1}, data([sweep], scores))["note"]
    # Low on both sides of the line, at the sums -2 (two points) and 4 (three): a mean sum of 1.6 is not near it.
    scores = {("plane", "sentiment"): score_rows(sweep, constant(np.where((sums == -2) | (sums == 4), 0.0, 5.0)))}
    entry = result(spec | {"lowest": 5 / 16}, data([sweep], scores))
    assert (values_of(entry), entry["verdict"]) == ([3, 3, 3], "refuted")
    assert entry["note"].startswith("mean sum 1.6; lowest points: 5 of 16")
    # Two corners, at -4 and 8: their mean sum, 2, is on the line.
    scores = {("plane", "sentiment"): score_rows(sweep, constant(np.where((sums == -4) | (sums == 8), 0.0, 5.0)))}
    entry = result(spec | {"lowest": 0.125, "sum": 2}, data([sweep], scores))
    assert (values_of(entry), entry["verdict"]) == ([6, 6, 6], "refuted")
    assert entry["note"].startswith("mean sum 2; lowest points: 2 of 16")
    with pytest.raises(UserError, match=r"claims.c: has 1 coordinates"):
        result(spec | {"sweep": "line"}, curve_data([0, 1], [0, 1]))
    with pytest.raises(UserError, match=r"claims.c: sweep plane has 2 coordinates"):
        result(
            CURVE | {"test": "monotone", "sweep": "plane", "within": [-2, 4], "direction": "rising"},
            data([sweep], scores),
        )


# --- analyses


def loss_data(sweep: Sweep, nll: np.ndarray, tokens: np.ndarray) -> ClaimData:
    """A loss analysis of class ``good``, (texts, points), shuffled, with rows of another class beside it."""
    points = [entry.point.id for entry in sweep.points]
    table = pd.DataFrame(
        [
            {"sweep": sweep.name}
            | {name: f"{value:f}" for name, value in entry.coordinates}
            | {"point": entry.point.id, "class": group, "statistic": statistic, "estimate": ""}
            for entry in reversed(sweep.points)
            for group in ("good", "null")
            for statistic in ("nll_text", "nll_token")
        ]
    )
    texts, columns = np.indices(nll.shape)
    good = pd.DataFrame(
        {
            "point": pd.Categorical(np.array(points)[columns.ravel()]),
            "class": "good",
            "text": texts.ravel().astype(np.int32),
            "nll": nll.ravel(),
            "tokens": tokens.ravel().astype(np.int32),
        }
    )
    other = good.assign(**{"class": "null", "nll": 1e6})
    raw = pd.concat([good, other]).sample(frac=1, random_state=1)
    return data(tables={"nll": table}, losses={"nll": raw})


def test_loss_barrier_over_texts():
    sweep = line([0, 0.5, 1])
    tokens = np.tile([[1], [3]], (4, 3))
    # Per token: 1, 3, 2, the same in both texts; the chord is 1.5 in the middle.
    given = loss_data(sweep, tokens * [1.0, 3.0, 2.0], tokens)
    spec = BASE | {"test": "loss_barrier", "analysis": "nll", "class": "good"}
    entry = result(spec, given)
    assert (values_of(entry), entry["verdict"]) == ([1.5, 1.5, 1.5], "refuted")
    assert entry["unit"] == "nats/token"
    with pytest.raises(UserError, match=r"claims.c: analysis nll has no class 'bad', but good, null"):
        result(spec | {"class": "bad"}, given)
    lost = given.losses["nll"]
    lost = lost[~((lost["class"] == "good") & (lost["text"] == 1) & (lost["point"].astype(str) == "b=1"))]
    with pytest.raises(UserError, match="losses of nll: point b=1: a loss of class 'good' is missing"):
        result(spec, data(tables=given.tables, losses={"nll": lost}))
    assert result(spec, loss_data(sweep, tokens[:2] * [1.0, 3.0, 2.0], tokens[:2]))["verdict"] == "undecided"
    single = loss_data(sweep, np.ones((1, 3)), np.ones((1, 3)))
    assert result(spec, single)["note"] == "an interval needs 2 texts that count; at 0 there are 1"


def test_valley_of_losses_by_text_and_by_token():
    sweep = plane([0, 1])
    # Points (x, y): (0,0), (1,0), (0,1), (1,1). Two texts with 1 and 9 tokens.
    tokens = np.array([[1] * 4, [9] * 4])
    # Mean over texts is least at (1, 1); per token as well if the tokens are the same: so is the order of points.
    given = loss_data(sweep, np.array([[4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0]]), tokens)
    spec = BASE | {
        "test": "valley",
        "analysis": "nll",
        "class": "good",
        "statistic": "nll_text",
        "lowest": 0.25,
        "sum": 1,
    }
    assert result(spec, given)["value"] == 1
    # (1, 1) at 1 from the line and (0, 1) on it; then (1, 0) on it.
    assert result(spec | {"lowest": 0.5}, given)["value"] == 0.5
    assert result(spec | {"lowest": 0.75}, given)["value"] == pytest.approx(1 / 3, rel=1e-5)
    # All four: (0, 0) lies on the other side, so their mean is on the line, but the four are not.
    assert result(spec | {"lowest": 1}, given)["value"] == 0.5
    # Different counts of tokens tell the two statistics apart: per token the least is at (0, 0).
    tokens = np.array([[9, 1, 1, 1], [9, 1, 1, 1]])
    given = loss_data(sweep, np.array([[4.0, 3.0, 2.0, 1.0]] * 2), tokens)
    assert result(spec, given)["note"].startswith("mean sum 2; lowest points: 1 of 4")
    assert result(spec | {"statistic": "nll_token"}, given)["note"].startswith("mean sum 0; lowest points: 1 of 4")


def next_tokens(probabilities: Mapping[str, Sequence[float]], at: Sequence[float]) -> pd.DataFrame:
    rows = [
        {"sweep": "line", "x": f"{x:g}", "point": f"p{x:g}", "kind": kind, "group": group, "text": word}
        | {"probability": f"{value:.6g}"}
        for word, values in probabilities.items()
        for kind, group in (("word", "positive"), ("word", "negative"), ("token", "rises"))
        for x, value in zip(at, values if group == "positive" else values[::-1], strict=True)
    ]
    return pd.DataFrame(rows)


def test_the_median_word_rises():
    at = [10, 0, 1, 2, 3]
    rising, swapped = [9, 0.1, 0.2, 0.3, 0.4], [9, 0.1, 0.3, 0.2, 0.4]
    table = next_tokens({"nan": rising, "fine": swapped, "good": [9, 1, 2, 3, 4]}, at)
    spec = BASE | {
        "test": "words",
        "analysis": "next",
        "group": "positive",
        "direction": "rising",
        "within": [0, 3],
        "threshold": 0.8,
    }
    entry = result(spec, data(tables={"next": table}))
    # That all of three words lie above the median of all words, happens in one of eight cases: there is no interval.
    assert (entry["value"], entry["low"], entry["verdict"]) == (1, None, "undecided")
    assert entry["note"] == "words: 3, points: 4; least for 'fine', 0.8; 3 words are too few for an interval"
    # Of seven words the least and the greatest enclose it, in 126 of 128 cases.
    seven = next_tokens({"fine": swapped} | {f"good {index}": rising for index in range(6)}, at)
    entry = result(spec, data(tables={"next": seven}))
    assert (values_of(entry), entry["verdict"], entry["units"]) == ([1, 0.8, 1], "holds", 7)
    assert result(spec | {"threshold": 0.9}, data(tables={"next": seven}))["verdict"] == "undecided"
    assert result(spec | {"direction": "falling"}, data(tables={"next": table}))["value"] == -1
    assert result(spec | {"within": [0, 1]}, data(tables={"next": table}))["verdict"] == "not tested"
    with pytest.raises(UserError, match=r"claims.c: analysis next has no group 'happy', but positive, negative"):
        result(spec | {"group": "happy"}, data(tables={"next": table}))


def norm_rows(pair: str, norms: Mapping[str, float], elements: int = 4) -> pd.DataFrame:
    rows = [{"pair": pair, "tensor": t, "elements": str(elements), "scaled_norm": f"{n:g}"} for t, n in norms.items()]
    return pd.DataFrame(rows)


def test_norms_matched_and_unmatched():
    tuned = norm_rows("tuned", {"a": 1, "b": 2, "c": 3})
    spec = BASE | {"test": "norms", "analysis": "n", "pair": "tuned", "against": "other"}
    # Ratios 0.1, 0.5, 0.03, in another order of rows; the ratio of the medians would be 2 / 10.
    table = pd.concat([tuned, norm_rows("other", {"c": 100, "b": 4, "a": 10})])
    entry = result(spec, data(tables={"n": table}))
    assert entry["value"] == pytest.approx(0.1)
    assert (entry["low"], entry["verdict"]) == (None, "undecided")
    assert entry["note"] == "3 tensors, matched by name; 3 tensors are too few for an interval"
    # With six the least and the greatest enclose the median.
    six = (
        norm_rows("tuned", dict.fromkeys("abcdef", 1)),
        norm_rows("other", dict(zip("abcdef", range(2, 8), strict=True))),
    )
    entry = result(spec, data(tables={"n": pd.concat(six)}))
    assert values_of(entry) == [pytest.approx((1 / 4 + 1 / 5) / 2), pytest.approx(1 / 7, rel=1e-5), 0.5]
    assert (entry["verdict"], entry["note"]) == ("refuted", "6 tensors, matched by name")
    # Another architecture: medians 2 and 50.
    table = pd.concat([tuned, norm_rows("other", {"d": 50, "b": 50})])
    entry = result(spec, data(tables={"n": table}))
    assert (entry["value"], entry["low"], entry["verdict"]) == (0.04, None, "undecided")
    assert "different tensors (3 and 2)" in entry["note"]
    seven = {str(index): 1 + index for index in range(7)}
    table = pd.concat(
        [norm_rows("tuned", seven), norm_rows("other", {f"{name}'": 100 * n for name, n in seven.items()})]
    )
    # Each of the two medians lies between the least and the greatest of its seven.
    entry = result(spec, data(tables={"n": table}))
    assert (values_of(entry), entry["verdict"]) == ([0.01, pytest.approx(1 / 700, rel=1e-5), 0.07], "holds")
    # The same names with other sizes are not the same tensors.
    table = pd.concat([tuned, norm_rows("other", {"c": 100, "b": 4, "a": 10}, elements=8)])
    assert result(spec, data(tables={"n": table}))["value"] == pytest.approx(0.2)
    table = pd.concat([tuned, norm_rows("other", {"c": 0, "b": 4, "a": 10})])
    assert "c does not differ" in result(spec, data(tables={"n": table}))["note"]


def test_linear_has_no_interval():
    rows = [
        ["logits", "1.5", "2", "0.97", "0.99", "0.1", "0.25", ""],
        ["margin", "1", "2", "0.5", "0.6", "0.1", "1", "2"],
    ]
    columns = ["quantity", "c1", "c2", "r2", "r2_unit", "tolerance", "share_within", "reach"]
    given = data(tables={"lin": pd.DataFrame(rows, columns=columns)})
    spec = BASE | {"test": "linear", "analysis": "lin", "quantity": "logits", "column": "r2", "threshold": 0.97}
    entry = result(spec, given)
    assert (values_of(entry), entry["verdict"]) == ([0.97, None, None], "holds")
    assert result(spec | {"threshold": 0.98}, given)["verdict"] == "refuted"
    entry = result(spec | {"column": "reach"}, given)
    assert (entry["verdict"], entry["value"], entry["unit"]) == ("not tested", None, "reach")


# --- intervals and verdicts


def test_the_unfavourable_end_of_the_interval_decides():
    generator = np.random.default_rng(3)
    sweep = line([0, 0.5, 1])
    values = np.column_stack([np.zeros(30), generator.normal(1, 0.5, size=30), np.zeros(30)])
    given = data([sweep], {("line", "sentiment"): score_rows(sweep, values)})
    spec = CURVE | {"test": "middle", "scale": "linear", "sign": "above"}
    low, value = result(spec, given)["low"], result(spec, given)["value"]
    assert low < value
    assert result(spec | {"threshold": low}, given)["verdict"] == "holds"
    high = result(spec, given)["high"]
    assert result(spec | {"threshold": high}, given)["verdict"] == "undecided"
    assert result(spec | {"threshold": high + 1e-4}, given)["verdict"] == "refuted"
    entry = result(spec | {"threshold": (low + value) / 2}, given)
    # Half the way to the limit: four times as many, up to two digits and the noise of the draws.
    assert entry["verdict"] == "undecided"
    assert entry["note"].endswith(f"; about {entry['units_to_decide']} prompts would decide it, there are 30")
    assert 110 <= entry["units_to_decide"] <= 140


def test_few_prompts_decide_nothing():
    sweep = line([0, 0.5, 1])
    spec = CURVE | {"test": "middle", "scale": "linear", "sign": "above"}
    for prompts, verdict in ((7, "undecided"), (8, "holds")):
        given = data([sweep], {("line", "sentiment"): score_rows(sweep, constant([0, 1, 0], prompts))})
        entry = result(spec, given)
        assert (values_of(entry), entry["verdict"]) == ([1, 1, 1], verdict)
        assert (entry["units_to_decide"] == 8) == (verdict == "undecided")
        assert ("a verdict needs 8 prompts, there are 7" in entry["note"]) == (verdict == "undecided")


def test_noise_has_no_order():
    generator = np.random.default_rng(3)
    sweep = line([0, 0.5, 1])
    given = data([sweep], {("line", "sentiment"): score_rows(sweep, generator.normal(0, 1, size=(30, 3)))})
    entry = result(CURVE | {"test": "monotone", "within": [0, 1], "direction": "rising"}, given)
    assert (entry["low"], entry["high"]) == (-1, 1)
    assert entry["verdict"] == "undecided"


def test_holm_corrects_for_the_number_of_claims():
    def entry(name: str, p: float | None, verdict: str) -> dict[str, Any]:
        return {"name": name, "p": p, "verdict": verdict}

    given = [
        entry("a", 0.01, "holds"),
        entry("b", 0.02, "refuted"),
        entry("c", 0.03, "holds"),
        entry("d", None, "holds"),
    ]
    found = corrected([*given, entry("e", None, "not tested"), entry("f", 0.5, "undecided")])
    # 4 * 0.01, 3 * 0.02, 2 * 0.03 (not below the one before), 0.5.
    assert [one["p_holm"] for one in found] == [pytest.approx(0.04), 0.06, 0.06, None, None, 0.5]
    assert [one["verdict_holm"] for one in found] == [
        "holds", "undecided", "undecided", "holds", "not tested", "undecided",
    ]  # fmt: skip


def test_interval_covers_the_truth_at_its_level():
    # Log ratio of two corpus perplexities: prompts of unequal length, some harder than others.
    generator = np.random.default_rng(7)
    sweep = line([0, 0.5, 1])
    truth, runs, covered = 0.5, 200, 0
    spec = {**LOG_CURVE, "test": "middle", "sign": "above", "threshold": 0}
    for _ in range(runs):
        tokens = np.tile(generator.integers(5, 25, size=(50, 1)), 3)
        rate = generator.normal(2, 0.5, size=(50, 1)) + generator.normal([-3, truth, 0], 0.4, size=(50, 3))
        frame = nll_rows(sweep, tokens * rate, tokens)
        entry = judge(declare(spec).settings("c"), data([sweep], {("line", "perplexity"): frame}))
        covered += entry["low"] <= truth <= entry["high"]
    assert 0.90 <= covered / runs <= 0.99


def test_one_prompt_says_nothing_about_spread():
    sweep = line([0, 0.5, 1])
    given = data([sweep], {("line", "sentiment"): score_rows(sweep, constant([0, 1, 0], 1))})
    entry = result(CURVE | {"test": "middle", "scale": "linear", "sign": "above"}, given)
    assert (entry["verdict"], entry["note"]) == (
        "not tested",
        "an interval needs 2 prompts that count; at 0 there are 1",
    )


# --- reading, writing


def test_score_files_tell_weights_from_logits(tmp_path):
    one, two = line([0, 1, 2]), line([1, 3], "two")
    logits = line([0, 1, 2], "logits", "logits")
    sweeps = {sweep.name: sweep for sweep in (one, two, logits)}
    paths = []
    for number, found in enumerate(assign_lines(sweeps.values())):
        path = tmp_path / "scores" / found.prompts / found.id / "sentiment.parquet"
        path.parent.mkdir(parents=True)
        fake = Sweep("", "weights", (), (), tuple(SimpleNamespace(point=point) for point in found.points))
        write_scores(score_rows(fake, np.full((2, len(found.points)), float(number))), path)
        paths.append(path)
    files = ScoreFiles(paths, {name: sweep.space for name, sweep in sweeps.items()})

    def by_point(sweep: Sweep) -> dict[str, float]:
        return files(sweep, "neutral", "sentiment").groupby("point", observed=True)["p_good"].first().to_dict()

    assert by_point(logits) == {"a=1": 2, "b=1": 2, "a=-1+b=2": 2}
    assert by_point(one) == {"a=1": 0, "b=1": 0, "a=-1+b=2": 0}
    # b=1 lies in the line of the first sweep.
    assert {point: by_point(two)[point] for point in ("b=1", "a=-2+b=3")} == {"b=1": 0, "a=-2+b=3": 1}
    with pytest.raises(UserError, match="sweep line, prompts neutral: no grammar score for point a=-1\\+b=2"):
        files(one, "neutral", "grammar")


def test_script_writes_verdicts(tmp_path):
    sweep = line([0, 0.5, 1])
    spec = {"space": "weights", "origin": {"a": 1}, "prompts": ["neutral"], "directions": {"x": {"b": 1, "a": -1}}}
    spec["grid"] = {"x": [0, 0.5, 1]}
    scores = tmp_path / "scores" / "neutral" / "line" / "sentiment.parquet"
    scores.parent.mkdir(parents=True)
    write_scores(score_rows(sweep, constant([0, 0.75, 0.5])), scores)
    words_table = tmp_path / "next.csv"
    rising_words = {word: [0.1, 0.2, 0.3] for word in ("nan", "good", "fine", "great", "superb", "lovely")}
    next_tokens(rising_words, [0, 1, 2]).to_csv(words_table, index=False)
    middle = CURVE | {"test": "middle", "scale": "linear", "sign": "above", "threshold": 0.2, "section": "9"}
    rising = BASE | {"test": "words", "analysis": "next", "group": "positive", "direction": "rising", "threshold": 0.9}
    rising |= {"within": [0, 2], "statement": "Good words | rise"}
    peak = middle | {"threshold": 0.3}
    metrics = tmp_path / "training" / "judge" / "metrics.json"
    metrics.parent.mkdir(parents=True)
    test = {"texts": 500, "accuracy": 0.536, "majority_share": 0.5, "recall": {"GOOD": 0.06, "bad": 0.98}}
    metrics.write_text(json.dumps({"test": test | {"expected_calibration_error": 0.2}}))
    leaks = tmp_path / "leaks.json"
    leaks.write_text(json.dumps({"configured": [], "leaks": ["3 texts leak"], "unknown": ["the rest is not known"]}))
    planes = declare(CURVE | {"test": "valley", "sweep": "plane"})
    files = {"scores": [scores], "tables": [words_table], "losses": [], "judges": [metrics], "leaks": leaks}
    job = make_job(files, {"markdown": tmp_path / "claims.md", "json": tmp_path / "claims.json"})
    settings: dict[str, Any] = {
        "study": "demo",
        "described": [["sentiment", "sentiment: P(good) by judge"], ["perplexity", "perplexity: under base"]],
        "judges": [
            {
                "scorer": "sentiment",
                "model": "judge",
                "weights": {"good": 1},
                "labels": {"GOOD": "good"},
                "trained": True,
            }
        ],
        "claims": [
            declare(spec).settings(name) for name, spec in {"middle": middle, "rising": rising, "peak": peak}.items()
        ],
        "left_out": [[planes.settings("planes"), "the study has no plane"]],
        "sweeps": [sweep_settings(sweep, spec)],
        "spaces": {"line": "weights"},
        "scorers": [(name, [entry.settings() for entry in found]) for name, found in SCORERS.items()],
        "barriers": {"perplexity": "continuation_corpus"},
        "tables": ["next"],
        "losses": [],
        "seed": 3,
    }
    main(job, **settings)
    entries = {entry["name"]: entry for entry in json.loads((tmp_path / "claims.json").read_text())}
    assert list(entries) == ["middle", "rising", "peak", "planes"]
    assert entries["middle"] == {
        "name": "middle",
        "section": "9",
        "statement": "In the middle of line, sentiment score lies above both ends (neutral prompts)",
        "test": "middle",
        "statistic": "sentiment score: how far every point in [0.25, 0.75] lies above both ends",
        "value": 0.25,
        "low": 0.25,
        "high": 0.25,
        "unit": "as the statistic",
        "threshold": 0.2,
        "direction": "at least",
        "verdict": "holds",
        "p": 0.0005,
        "units": 8,
        "unit_kind": "prompts",
        "units_to_decide": None,
        "weak_judge": True,
        "reason": "as small as noise",
        "note": "least at 0.5; points in the middle: 1",
        "trainings": [],
        "p_holm": pytest.approx(0.0015),
        "verdict_holm": "holds",
    }
    assert [entry["verdict"] for entry in entries.values()] == ["holds", "holds", "refuted", "not tested"]
    assert (entries["planes"]["note"], entries["planes"]["value"]) == ("the study has no plane", None)
    text = (tmp_path / "claims.md").read_text()
    assert text.startswith("# Claims of the study demo\n")
    assert (
        "\n\nJudges:\n\n"
        "- sentiment: P(good) by judge; weak judge (its accuracy is close to the share of the most frequent class and "
        "its recall of good is below the 0.50 of a guess); accuracy 0.536 on 500 test texts (most frequent class "
        "0.500); recall good 0.06, bad 0.98; expected calibration error 0.200\n"
        "- perplexity: under base\n\n"
        "Data:\n\n- 3 texts leak\n- the rest is not known\n\nVerdicts: "
    ) in text
    # Words are not judged, and what is not tested has no verdict to doubt.
    assert [entry["weak_judge"] for entry in entries.values()] == [True, False, True, False]
    assert "\n**rising** (holds)\n" in text and "\n**middle** (holds, weak judge)\n" in text
    counts = "holds 2, refuted 1, undecided 0, not tested 1"
    # The six words alone, two of 64 cases, do not stand beside the other two.
    corrected = "holds 2, refuted 1, undecided 0, not tested 1"
    assert f"Verdicts: {counts}, of 4. After Holm's correction: {corrected}." in text
    assert "- p = 0.0005, corrected 0.0015" in text
    assert "| 4.1 | Good words \\| rise (`rising`) |" in text
    assert "| 0.25 [0.25, 0.25] | 8 prompts; one training | at least 0.3 | **refuted** (weak judge) | refuted |" in text
    assert "| 6 words; one training | at least 0.9 |" in text
    assert "| – | – | at most 0.1 | **not tested** | not tested |" in text
    assert "- Threshold: as small as noise" in text
    assert "- Not tested: the study has no plane" in text
    before = text, (tmp_path / "claims.json").read_bytes()
    main(job, **settings)
    assert ((tmp_path / "claims.md").read_text(), (tmp_path / "claims.json").read_bytes()) == before


@pytest.mark.parametrize(
    ("kind", "words"), [("prompts", "60 prompts; one training"), ("models", "60 models"), ("targets", "60 targets")]
)
def test_units_that_are_trainings_are_not_said_to_be_of_one(kind, words):
    assert over({"verdict": "holds", "trainings": [], "units": 60, "unit_kind": kind}) == words


def test_an_analysis_is_read_as_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,probability\nnan,\nnull,0.5\n")
    assert read_analysis(path)["text"].tolist() == ["nan", "null"]
    assert read_analysis(path)["probability"].tolist() == ["", "0.5"]


def test_nothing_that_is_not_finite_reaches_the_json(tmp_path):
    (entry,) = corrected([untested(declare(CURVE | {"test": "valley"}).settings("c"), "why")])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_claims(
            "demo", [entry | {"value": math.inf, "low": 0.0, "high": 0.0}], [], [], tmp_path / "m", tmp_path / "j"
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (0.012345, "0.0123"),
        (-1234.5, "-1230"),
        (99.96, "100"),
        (1.234e-6, "1.23e-06"),
        (1234567, "1.23e+06"),
    ],
)
def test_compact_numbers(value, shown):
    assert compact(value) == shown


# --- kinds and the config


def test_kinds_and_tests_are_the_same():
    assert [tag(kind, "test") for kind in CLAIMS] == list(TESTS)


SPECS: dict[str, dict[str, Any]] = {
    "barrier": {key: CURVE[key] for key in ("sweep", "prompts", "scorer")} | BASE,
    "monotone": CURVE | {"within": [0, 1], "direction": "rising"},
    "stable": CURVE | {"within": [-1, 2], "scale": "log", "worse": "lower"},
    "words": BASE | {"analysis": "a", "group": "positive", "direction": "falling", "within": [0, 1]},
    "better": BETTER,
    "reach": REACH,
    "valley": CURVE,
    "difference": CURVE | {"other": "other", "within": [0, 1], "scale": "linear"},
    "norms": BASE | {"analysis": "a", "pair": "p", "against": "q"},
    "middle": CURVE | {"scale": "linear", "sign": "below"},
    "linear": BASE | {"analysis": "a", "quantity": "margin", "column": "reach"},
    "loss_barrier": BASE | {"analysis": "a", "class": "good"},
    "unmoved": CURVE | {"along": "x", "within": [0, 1], "scale": "linear"},
    "share": BASE
    | {
        "analysis": "a",
        "statistic": "nll_text",
        "at": {"x": 0.5},
        "from": {"x": 0},
        "to": {"x": 1},
        "sign": "higher",
    },
    "lower_loss": BASE
    | {
        "point": {"analysis": "a", "at": {"x": 0}},
        "baseline": {"analysis": "a", "at": {"x": 1}},
        "statistic": "nll_text",
    },
    "selected": BASE
    | {
        "method": {"choose": ["a"], "measure": ["b"]},
        "baseline": {"choose": ["c"], "measure": ["d"]},
        "statistic": "nll_text",
    },
    "clusters": BASE | {"analysis": "a", "label": "data"},
    "start_gain": BASE
    | {
        "targets": {name: {"analysis": name, "centroid": ["x"], "base": ["y"]} for name in ("a", "b")},
        "statistic": "nll_text",
    },
    "matched_loss": BASE
    | {
        "method": {"target": "a", "general": "b"},
        "baseline": {"target": "c", "general": "d"},
        "statistic": "nll_text",
    },
    "region": BASE | {"analysis": "a", "compare": "in'-ex"},
    "barrier_ratio": BASE | {"analysis": "a", "other": "b"},
    "intruders": BASE | {"analysis": "a", "model": "m", "against": "n"},
    "auc": BASE | {"analysis": "a", "group": "g", "against": "h"},
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_every_kind_has_words_and_required_keys(kind):
    spec = SPECS[tag(kind, "test")] | {"test": tag(kind, "test")}
    claim = declare(spec)
    assert type(claim) is kind
    for text in (*claim.words().values(), claim.unit()):
        assert text and "{" not in text
    assert claim.side() in ("at most", "at least")
    own = declare(spec | {"statement": "Mine {x}", "section": "A.2"}).words()
    assert (own["statement"], own["section"]) == ("Mine {x}", "A.2")
    required = [field.alias or name for name, field in kind.model_fields.items() if field.is_required()]
    assert {"test", "threshold", "reason"} < set(required)
    for key in required:
        with pytest.raises(ValidationError):
            declare({k: v for k, v in spec.items() if k != key})
    with pytest.raises(ValidationError, match="nonsense"):
        declare(spec | {"nonsense": 1})


def test_a_log_scale_has_a_unit_of_its_own():
    spec = SPECS["stable"] | {"test": "stable"}
    assert (declare(spec).unit(), declare(spec | {"scale": "linear"}).unit()) == ("log ratio", "as the statistic")
    assert declare(SPECS["linear"] | {"test": "linear"}).unit() == "reach"


def test_words_are_formatted_with_keys_and_their_defaults():
    told = declare(SPECS["middle"] | {"test": "middle"}).words()
    assert told["statistic"] == "sentiment score: how far every point in [0.25, 0.75] lies below both ends"
    told = declare(CURVE | {"test": "valley"}).words()
    assert (
        told["statement"]
        == "The plateau of low sentiment score on line (neutral prompts) lies near coordinates that sum to 1"
    )
    told = declare(BETTER).words()
    assert (
        told["statement"]
        == "At equal sentiment score, line has lower perplexity continuation_corpus than than (neutral prompts)"
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "claims.c: key 'test' is missing; choose one of barrier, monotone"),
        ({"test": "barier"}, 'claims.c.test is "barier"; choose one of barrier, monotone'),
        (SPECS["stable"] | {"test": "stable", "wose": 1}, "unknown key 'wose' at claims.c; did you mean 'worse'?"),
        (SPECS["stable"] | {"test": "stable", "worse": "up"}, 'claims.c.worse is "up"; choose one of higher, lower'),
        (SPECS["stable"] | {"test": "stable", "within": [1, 0]}, "claims.c.within is [1, 0]; give two numbers"),
        (SPECS["stable"] | {"test": "stable", "within": 1}, "claims.c.within is 1; give a list"),
        (SPECS["norms"] | {"test": "norms", "threshold": "1e-4"}, 'claims.c.threshold is "1e-4"; give a number'),
        (SPECS["norms"] | {"test": "norms", "threshold": True}, "claims.c.threshold is true; give a number"),
        (SPECS["norms"] | {"test": "norms", "reason": " "}, 'claims.c.reason is " "; give a text'),
        (SPECS["norms"] | {"test": "norms", "section": 5.3}, "claims.c.section is 5.3; give a string (in quotes)"),
        (SPECS["better"] | {"score": "sentiment"}, 'claims.c.score is "sentiment"; give a mapping'),
        (BASE | {"test": "valley", "statistic": "s"}, "claims.c has none; give exactly one of sweep, analysis"),
        (CURVE | {"test": "valley", "class": "good"}, "claims.c: class needs analysis; add analysis or remove class"),
        (CURVE | {"test": "valley", "lowest": 10}, "claims.c.lowest is 10; give at most 1"),
        ("barrier", 'claims.c is "barrier"; give a mapping'),
    ],
)
def test_mistakes_in_the_config_are_told(spec, message):
    with pytest.raises(UserError) as caught:
        config.declare(full_config() | {"claims": {"c": spec}})
    assert str(caught.value).startswith(f"config: {message}")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (SPECS["norms"] | {"test": "norms", "against": "p"}, ("against", "is 'p', like pair; name another one")),
        (BETTER | {"than": "line"}, ("than", "is 'line', like sweep; name another one")),
        (
            BASE | {"test": "valley", "analysis": "plane-loss", "class": "positive", "statistic": "nll"},
            ("statistic", "'nll' is not a statistic of a loss; choose one of nll_text, nll_token"),
        ),
    ],
)
def test_what_types_cannot_say_is_checked(spec, problem):
    (key, words) = next(declare(spec).check(StudyConfig.model_validate(full_config())))
    assert key == problem[0] and words.startswith(problem[1])


def test_what_claims_read():
    better = declare(BETTER)
    assert better.sweeps() == ["line", "than"]
    assert better.scores_read() == [
        ("line", "neutral", "perplexity"),
        ("line", "neutral", "sentiment"),
        ("than", "neutral", "perplexity"),
        ("than", "neutral", "sentiment"),
    ]
    assert better.statistics() == [("perplexity", "continuation_corpus"), ("sentiment", "score")]
    assert (better.analysis_read(), better.losses_read()) == (None, None)
    reach = declare(REACH)
    assert reach.scores_read() == [("line", "neutral", "sentiment"), ("than", "neutral", "sentiment")]
    loss = declare(SPECS["loss_barrier"] | {"test": "loss_barrier"})
    assert (loss.sweeps(), loss.scores_read(), loss.statistics()) == ([], [], [])
    assert (loss.analysis_read(), loss.table_read(), loss.losses_read()) == ("a", "a", "a")
    words = declare(SPECS["words"] | {"test": "words"})
    assert (words.analysis_read(), words.losses_read()) == ("a", None)
    assert declare(SPECS["linear"] | {"test": "linear"}).table_read() == "a_summary"
    valley = declare(CURVE | {"test": "valley"})
    assert (valley.sweeps(), valley.analysis_read(), valley.losses_read()) == (["line"], None, None)
    # A barrier is one of perplexity: no judge that tells classes apart gives it.
    assert declare(SPECS["barrier"] | {"test": "barrier"}).statistics() == []


def test_markdown_counts_nothing_without_claims():
    text = claims_markdown("demo", [], [], [])
    assert "Verdicts: holds 0, refuted 0, undecided 0, not tested 0, of 0." in text
    assert "Judges" not in text and "Data" not in text


def test_coordinates_that_name_one_point_twice():
    # Both directions are the same: (0, 1) and (1, 0) are one point.
    directions = {name: {"b": 1, "a": -1} for name in ("x", "y")}
    spec = {"space": "weights", "origin": {"a": 1}, "prompts": ["neutral"], "directions": directions}
    sweep = build_sweep("plane", {**spec, "grid": {"x": [0, 1], "y": [0, 1]}})
    # (0, 0), (1, 0) = (0, 1), (1, 1): the two lowest values are at the sum 1.
    frame = score_rows(sweep, constant([3, 1, 1, 2])).drop_duplicates(["point", "row"])
    entry = result(
        CURVE | {"test": "valley", "sweep": "plane", "lowest": 0.5}, data([sweep], {("plane", "sentiment"): frame})
    )
    assert (entry["value"], entry["note"]) == (0, "mean sum 1; lowest points: 2 of 4; mean distance of all: 0.5")
    given = loss_data(sweep, np.tile([3.0, 1.0, 1.0, 2.0], (2, 1)), np.ones((2, 4)))
    raw = given.losses["nll"].drop_duplicates(["point", "class", "text"])
    spec = BASE | {"test": "valley", "analysis": "nll", "class": "good", "statistic": "nll_text", "lowest": 0.5}
    assert result(spec, data(tables=given.tables, losses={"nll": raw}))["value"] == 0
