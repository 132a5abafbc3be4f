"""Curves over several trainings: their means and both intervals by hand, and what figures show and say of them."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import FillBetweenPolyCollection

from lm_interpolation.figures.finding_curves import find_curves
from lm_interpolation.figures.mean_curves import band_labels, mean_rows, together
from lm_interpolation.figures.plot_curves import plot_curves
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.tables.tables import write_table
from tests.statistics.test_trainings import T2

SCORE = {"scorer": "sentiment", "statistic": "score", "label": "Score"}
PERPLEXITY = {"scorer": "perplexity", "statistic": "corpus", "label": "Perplexity", "scale": "log"}
TRAININGS = {"theta": ["theta.s0", "theta.s1", "theta.s2"]}
REACH = T2 / math.sqrt(3)
"""Reach of Student's interval over three trainings, relative to their standard deviation."""


def table(sweep: str, scores: Sequence[float], perplexities: Sequence[float], reach: float = 0.1) -> pd.DataFrame:
    """A sweep table at coordinates 0, 1, ...: scores +- ``reach``, and perplexities within a factor of 2."""
    seed = sweep.partition(".")[2]
    points = [f"negative{seed and f'.{seed}'}=1", f"positive{seed and f'.{seed}'}=1"]
    rows = []
    for at, (point, score, perplexity) in enumerate(zip(points, scores, perplexities, strict=True)):
        row = {"sweep": sweep, "prompts": "neutral", "alpha": float(at), "point": point, "n_prompts": 9}
        rows.append({**row, "scorer": "sentiment", "statistic": "score", "estimate": score, "low": score - reach, "high": score + reach})  # noqa: E501  # fmt: skip
        rows.append({**row, "scorer": "perplexity", "statistic": "corpus", "estimate": perplexity, "low": perplexity / 2, "high": perplexity * 2})  # noqa: E501  # fmt: skip
    return pd.DataFrame(rows)


def three() -> list[pd.DataFrame]:
    """Scores with the means 0.2 and 0.5 and the deviations 0.1 and 0; perplexities with the geometric means 4 and 8."""
    scores = ([0.1, 0.5], [0.2, 0.5], [0.3, 0.5])
    perplexities = ([2, 8], [4, 8], [8, 8])
    return [table(f"theta.s{seed}", *both) for seed, both in enumerate(zip(scores, perplexities, strict=True))]


def rows(tables: Sequence[pd.DataFrame], scorer: str) -> list[pd.DataFrame]:
    return [one[one["scorer"] == scorer] for one in tables]


def test_means_and_intervals_of_scores() -> None:
    found = mean_rows(rows(three(), "sentiment"))
    assert found["estimate"].tolist() == pytest.approx([0.2, 0.5])
    assert found["prompts_low"].tolist() == pytest.approx([0.1, 0.4])
    assert found["prompts_high"].tolist() == pytest.approx([0.3, 0.6])
    assert found["trainings_high"].tolist() == pytest.approx([0.2 + 0.1 * REACH, 0.5])
    assert found["low"].tolist() == pytest.approx([0.2 - math.hypot(0.1 * REACH, 0.1), 0.4])


def test_perplexities_are_averaged_by_their_logarithms() -> None:
    found = mean_rows(rows(three(), "perplexity"), "log")
    assert found["estimate"].tolist() == pytest.approx([4, 8])
    assert found["prompts_low"].tolist() == pytest.approx([2, 4])
    assert found["trainings_high"].tolist() == pytest.approx([4 * 2**REACH, 8])
    assert found["high"].tolist() == pytest.approx([4 * 2 ** math.hypot(REACH, 1), 16])


def test_a_value_that_one_training_lacks_is_missing() -> None:
    tables = three()
    tables[1].loc[0, ["estimate", "low", "high"]] = np.nan
    assert mean_rows(rows(tables, "sentiment"))["estimate"].isna().tolist() == [True, False]


def test_trainings_have_the_same_points() -> None:
    tables = three()
    tables[2] = tables[2][tables[2]["alpha"] == 1]
    with pytest.raises(UserError, match=r"the trainings of theta\.s0 do not have the same points; make their tables"):
        mean_rows(rows(tables, "sentiment"))


def test_tables_of_one_line_call_models_by_their_families() -> None:
    alone = table("toward", [0.2, 0.4], [5, 5])
    lines = together([*three(), alone], TRAININGS)
    assert [(name, len(tables)) for name, tables in lines] == [("theta", 3), ("toward", 1)]
    for one in lines[0][1]:
        assert set(one["sweep"]) == {"theta"} and set(one["point"]) == {"negative=1", "positive=1"}
    pd.testing.assert_frame_equal(lines[1][1][0], alone)


def test_a_curve_has_two_bands_and_a_line_for_each_training() -> None:
    figure = plot_curves(three(), [SCORE, PERPLEXITY], trainings=TRAININGS)
    for axes in figure.axes:
        bands = [one for one in axes.collections if isinstance(one, FillBetweenPolyCollection)]
        assert len(bands) == 2
        # The mean has a marker, the trainings are thin, and two lines are dashed: those at 0 and 1.
        assert [line.get_linewidth() for line in axes.lines].count(0.6) == 3
    prompts = figure.axes[0].collections[1].get_paths()[0].vertices
    trainings = figure.axes[0].collections[0].get_paths()[0].vertices
    assert (prompts[:, 1].min(), prompts[:, 1].max()) == pytest.approx((0.1, 0.6))
    assert trainings[:, 1].min() == pytest.approx(0.2 - 0.1 * REACH)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "neutral prompts",
        "95 % over prompts (mean of 3 trainings)",
        "95 % over 3 trainings",
        "one training",
    ]
    # All trainings have a model of the family there.
    assert [text.get_text() for text in figure.axes[0].texts] == ["model negative", "model positive"]


def test_one_training_is_a_curve_like_others() -> None:
    figure = plot_curves(three()[:1], [SCORE], trainings={"theta": ["theta.s0"]})
    assert not figure.legends and len(figure.axes[0].collections) == 1


def test_a_trade_off_has_both_intervals() -> None:
    figure = plot_curves(three(), [{**PERPLEXITY, "x": SCORE}], trainings=TRAININGS, overlay=True)
    assert len(figure.axes[0].collections) == 4


def test_bands_say_how_many_trainings() -> None:
    assert band_labels([5, 3, 3])["trainings"] == "95 % over 3 or 5 trainings"


def test_values_in_words_are_means_with_the_whole_interval(tmp_path: Path) -> None:
    paths = []
    for one in [*three(), table("toward", [0.2, 0.4], [5, 5])]:
        paths.append(tmp_path / f"{one['sweep'].iloc[0]}.csv")
        write_table(one, paths[-1])
    drawn = {"panels": [SCORE], "cost": False, "coordinate_labels": {"alpha": "α"}, "trainings": TRAININGS}
    drawn |= {"sweeps": ["theta.s0", "theta.s1", "theta.s2", "toward"], "sweep_labels": {"theta": "θ", "toward": "t"}}
    high = 0.2 + math.hypot(0.1 * REACH, 0.1)
    apart, overlaid = (find_curves(paths, {}, overlay=overlay, **drawn) for overlay in (False, True))
    # Over prompts alone the two ends would be apart.
    assert apart[0].startswith("Score along θ (mean of 3 trainings). With neutral prompts: 0.2 [")
    assert f", {high:.3g}] at α = 0, 0.5 [0.4, 0.6] at α = 1: the intervals overlap, no difference shown" in apart[0]
    assert apart[1].startswith("Score along t. With neutral prompts: ")
    assert "Along θ (mean of 3 trainings): 0.2 [" in overlaid[0]
