"""Barriers against values computed by hand, and their heights against the sweep tables."""

import math

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.analyses.barriers import BARRIER_COLUMNS, barrier_table
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Sweep, build_sweep
from lm_interpolation.scores.score_files import ScoreFiles
from lm_interpolation.tables.tables import read_table, sweep_table, write_table
from tests.scorers import scorer

PERPLEXITY = scorer("perplexity").barrier_statistic()


def line(values: list[float], **changes: object) -> Sweep:
    spec = {
        "space": "weights",
        "prompts": ["neutral"],
        "origin": {"negative": 1},
        "directions": {"alpha": {"positive": 1, "negative": -1}},
        "grid": {"alpha": values},
    }
    return build_sweep("theta1", spec | changes)


def scores(sweep: Sweep, nll: list[list[float]], tokens: list[list[int]]) -> pd.DataFrame:
    """``nll[point][prompt]`` of the continuations, points in the order of the sweep; a mess for the whole texts."""
    return pd.DataFrame(
        [
            {"point": entry.point.id, "row": row, "sample": 0, "nll_continuation": value, "tokens_continuation": count,
             "nll_text": value + 9 * row, "tokens_text": count + 3}
            for entry, values, counts in zip(sweep.points, nll, tokens, strict=True)
            for row, (value, count) in enumerate(zip(values, counts, strict=True))
        ]
    )  # fmt: skip


def perplexity_barrier(sweep: Sweep, frame: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    return barrier_table([sweep], lambda *_: frame, "ppl", PERPLEXITY, [], seed)


def test_excess_and_barrier_by_hand():
    # L = 9, 2, 3, 2.5, 4, 9 nats per token (NLL over 2 + 1 tokens); outside of [0, 1] nothing counts.
    sweep = line([-1, 0, 0.25, 0.5, 1, 2])
    levels = [9, 2, 3, 2.5, 4, 9]
    frame = scores(sweep, [[2 * v, v] for v in levels], [[2, 1]] * 6)
    table = perplexity_barrier(sweep, frame)
    assert list(table) == BARRIER_COLUMNS
    assert (table["sweep"] == "theta1").all() and (table["prompts"] == "neutral").all() and (table["class"] == "").all()
    assert (table["quantity"] == "perplexity").all()
    assert table["row"].tolist() == ["excess"] * 4 + ["barrier"]
    assert table["coordinate"].tolist() == [0, 0.25, 0.5, 1, 0.25]
    # Chord 2 + 2 alpha: 2, 2.5, 3, 4.
    np.testing.assert_allclose(table["estimate"], [0, 0.5, -0.5, 0, 0.5], atol=1e-12)
    # Every prompt has the same loss per token: no spread.
    np.testing.assert_allclose(table[["low", "high"]], table[["estimate", "estimate"]], atol=1e-12)


def test_no_barrier_on_a_straight_or_sagging_line():
    sweep = line([0, 0.1, 0.3, 0.7, 1])
    straight = scores(sweep, [[1 + a] for a in (0, 0.1, 0.3, 0.7, 1)], [[1]] * 5)
    table = perplexity_barrier(sweep, straight)
    # Exactly: rounding errors of 1e-17 are no barrier.
    assert table["estimate"].tolist() == [0] * 6
    assert table["coordinate"].iloc[-1] == 0.1
    # One prompt: nothing is known of the spread.
    assert table[["low", "high"]].isna().all(axis=None)
    sagging = perplexity_barrier(sweep, scores(sweep, [[1, 1], [0.5, 1], [0, 0], [1, 1], [1, 1]], [[1, 1]] * 5))
    assert sagging["estimate"].tolist() == [0, -0.25, -1, 0, 0, 0]
    assert sagging.iloc[-1]["low"] == 0 < sagging.iloc[-1]["high"]


def test_nothing_between_the_ends_is_not_measured(tmp_path):
    for grid in ([0, 1], [0, 1, 2]):
        sweep = line(grid)
        table = perplexity_barrier(sweep, scores(sweep, [[1, 2, 3]] * len(grid), [[1, 1, 1]] * len(grid)))
        assert table["row"].tolist() == ["excess", "excess", "barrier"]
        assert table.iloc[-1][["coordinate", "estimate", "low", "high"]].isna().all()
        write_table(table, tmp_path / "b.csv")
        assert (tmp_path / "b.csv").read_text().splitlines()[-1] == "theta1,neutral,perplexity,,barrier,,,,"
        pd.testing.assert_frame_equal(read_table(tmp_path / "b.csv"), table)


def test_intervals_of_single_heights_are_students():
    # Two prompts, one token each, ends at 0: prompt 0 rises by 1 at 1/4, prompt 1 by 3 at 3/4.
    sweep = line([0, 0.25, 0.75, 1])
    table = perplexity_barrier(sweep, scores(sweep, [[0, 0], [1, 0], [0, 3], [0, 0]], [[1, 1]] * 4))
    # Mean 0.5, standard error 0.5, one degree of freedom.
    reach = 12.7062047 * 0.5
    assert table.iloc[1][["estimate", "low", "high"]].tolist() == pytest.approx([0.5, 0.5 - reach, 0.5 + reach])
    # Of the barrier nothing is known but that it is not negative.
    assert table.iloc[-1]["coordinate"] == 0.75
    assert table.iloc[-1]["low"] == 0 and table.iloc[-1]["high"] > 1.5 + 12 * 1.5


def test_the_largest_of_noisy_heights_is_corrected():
    # No barrier: the highest of seven heights is about one standard error (0.06) too high.
    sweep = line([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1])
    generator = np.random.default_rng(5)
    seen, corrected, covered = [], [], 0
    for run in range(60):
        nll = 2 + generator.normal(0, 0.5, size=80) + generator.normal(0, 0.4, size=(9, 80))
        table = perplexity_barrier(sweep, scores(sweep, nll.tolist(), [[1] * 80] * 9), run)
        seen.append(table["estimate"].iloc[:-1].max())
        corrected.append(table["estimate"].iloc[-1])
        covered += table["low"].iloc[-1] == 0 <= table["high"].iloc[-1]
    assert np.median(seen) > 0.04
    assert np.median(corrected) < 0.75 * np.median(seen)
    assert covered >= 55


def test_interval_of_the_excess_uses_the_pairing_of_the_points():
    # Prompts differ by 10 nats, their excess by nothing.
    sweep = line([0, 0.5, 1])
    level = np.arange(20.0)
    table = perplexity_barrier(sweep, scores(sweep, [level, level + 1, level], [[1] * 20] * 3))
    np.testing.assert_allclose(table.loc[1, ["estimate", "low", "high"]].astype(float), 1)


def test_ratio_of_sums_not_mean_of_ratios():
    sweep = line([0, 0.5, 1])
    # At 1/2: (1 * 8 + 9 * 1) / 10 = 1.7, a mean of ratios would be 4.5; an empty continuation counts for nothing.
    table = perplexity_barrier(sweep, scores(sweep, [[8, 9, 0], [8, 9, 0], [0, 0, 0]], [[1, 9, 0]] * 3))
    assert table.loc[1, "estimate"] == pytest.approx(1.7 - 0.85)


def test_heights_agree_with_the_sweep_table():
    sweep = line([-0.5, 0, 0.2, 0.4, 0.6, 0.8, 1, 1.5])
    generator = np.random.default_rng(3)
    tokens = generator.integers(0, 9, size=(8, 40))
    frame = scores(sweep, (tokens * generator.uniform(1, 3, size=(8, 40))).tolist(), tokens.tolist())
    other = frame.assign(point="base=1")
    shuffled = pd.concat([other, frame]).sample(frac=1, random_state=0).astype({"point": "category"})
    table = sweep_table(sweep, {"neutral": {"ppl": frame}}, {"ppl": [PERPLEXITY]}, 50, 1)
    inside = table[(table["statistic"] == "continuation_corpus") & table["alpha"].between(0, 1)]
    alpha, logs = inside["alpha"].to_numpy(), np.log(inside["estimate"].to_numpy())
    result = perplexity_barrier(sweep, shuffled)
    heights, top = result.iloc[:-1], result.iloc[-1]
    np.testing.assert_allclose(heights["estimate"], logs - (1 - alpha) * logs[0] - alpha * logs[-1], rtol=1e-9)
    assert top["coordinate"] == heights["coordinate"][heights["estimate"].argmax()]
    assert 0 <= top["low"] <= top["estimate"] < heights["estimate"].max() < top["high"]
    pd.testing.assert_frame_equal(result, perplexity_barrier(sweep, shuffled))
    assert perplexity_barrier(sweep, shuffled, seed=2).iloc[-1]["high"] != top["high"]


def loss_rows(sweep: Sweep, levels: dict[str, list[list[float]]]) -> pd.DataFrame:
    """``levels[class][point][text]`` NLL per token, text t of t + 1 tokens."""
    return pd.DataFrame(
        [
            {"point": entry.point.id, "class": name, "text": text, "nll": value * (text + 1), "tokens": text + 1}
            for name, curve in levels.items()
            for entry, values in zip(sweep.points, curve, strict=True)
            for text, value in enumerate(values)
        ]
    )


def test_loss_per_class_and_the_file(tmp_path):
    sweep = line([0, 0.333333, 1], prompts=["null", "neutral"])
    losses = loss_rows(sweep, {"positive": [[1, 1], [4, 1], [1, 1]], "negative": [[3, 3], [2, 2], [0, 0]]})
    ppl = scores(sweep, [[1, 2], [3, 4], [1, 2]], [[1, 1]] * 3)

    def given(line: Sweep, prompts: str, scorer: str) -> pd.DataFrame:
        assert (line, scorer) == (sweep, "ppl")
        return ppl.assign(row=[5, 6] * 3) if prompts == "null" else ppl

    table = barrier_table([sweep], given, "ppl", PERPLEXITY, [(sweep, losses)], 1)
    groups = table[table["row"] == "barrier"][["prompts", "quantity", "class", "coordinate"]]
    assert groups.to_numpy().tolist() == [
        ["null", "perplexity", "", 0.333333],
        ["neutral", "perplexity", "", 0.333333],
        ["", "loss", "positive", 0.333333],
        ["", "loss", "negative", 0.333333],
    ]
    losses_only = table[table["quantity"] == "loss"]
    # positive: (4 * 1 + 1 * 2) / 3 - 1; negative: 2 - (2/3 * 3), to the sixth digit of 1/3.
    expected = [0, 1, 0, 0, 2 - 3 * (1 - 0.333333), 0]
    heights = losses_only[losses_only["row"] == "excess"]["estimate"]
    np.testing.assert_allclose(heights, expected, atol=1e-12)
    assert losses_only.iloc[3]["low"] == 0 and losses_only.iloc[3]["high"] > 3

    write_table(table, tmp_path / "b.csv")
    text = (tmp_path / "b.csv").read_text().splitlines()
    assert text[0] == "sweep,prompts,quantity,class,row,coordinate,estimate,low,high"
    assert text[1] == "theta1,null,perplexity,,excess,0.0,0,0,0"
    assert text[-4] == "theta1,,loss,negative,excess,0.0,0,0,0"
    pd.testing.assert_frame_equal(read_table(tmp_path / "b.csv"), table, rtol=1e-5, atol=1e-9)


def test_mistakes_are_named():
    frame = scores(line([0, 0.5, 1]), [[1, 1]] * 3, [[1, 1]] * 3)
    with pytest.raises(UserError, match=r"sweep theta1: a barrier needs alpha = 1 on the grid"):
        perplexity_barrier(line([0, 0.5]), frame)
    with pytest.raises(UserError, match=r"sweep theta1: a barrier needs alpha = 0 on the grid"):
        perplexity_barrier(line([-1, 0.5, 1]), frame)
    plane = line(
        [0, 1],
        directions={"alpha": {"positive": 1, "negative": -1}, "beta": {"base": 1, "negative": -1}},
        grid={"alpha": [0, 1], "beta": [0, 1]},
    )
    with pytest.raises(UserError, match="sweep theta1: has the coordinates alpha, beta"):
        barrier_table([], ScoreFiles([], {}), "ppl", PERPLEXITY, [(plane, frame)], 1)
    with pytest.raises(UserError, match=r"theta1, prompts neutral: scorer ppl: no score for point negative=0.75"):
        perplexity_barrier(line([0, 0.25, 1]), frame)
    empty = frame.assign(tokens_continuation=[1, 1, 0, 0, 1, 1], nll_continuation=[1, 1, 0, 0, 1, 1])
    with pytest.raises(UserError, match=r"neutral: point negative=0.5\+positive=0.5: no text has a perplexity"):
        perplexity_barrier(line([0, 0.5, 1]), empty)
    losses = loss_rows(line([0, 1]), {"": [[1, 2], [2, 1]]})
    with pytest.raises(UserError, match=r"sweep theta1: point negative=0.5\+positive=0.5: a loss"):
        barrier_table([], ScoreFiles([], {}), "ppl", PERPLEXITY, [(line([0, 0.5, 1]), losses)], 1)
    with pytest.raises(UserError, match="sweep theta1: has its loss evaluated twice"):
        barrier_table([], ScoreFiles([], {}), "ppl", PERPLEXITY, [(line([0, 1]), losses)] * 2, 1)


def test_coverage_of_the_interval_of_a_barrier():
    # A true barrier of 1 at 1/2, well above the neighbours: the interval should hold it in about 95 % of the cases.
    sweep = line([0, 0.25, 0.5, 0.75, 1])
    generator = np.random.default_rng(0)
    truth = np.array([1, 1.25, 2, 1.25, 1])
    runs, covered = 200, 0
    for run in range(runs):
        tokens = generator.integers(1, 10, size=60)
        # Noise per prompt that all points share, and a part of their own.
        noise = generator.normal(0, 0.5, size=60) + generator.normal(0, 0.5, size=(5, 60))
        nll = (truth[:, None] + noise) * tokens
        top = perplexity_barrier(sweep, scores(sweep, nll.tolist(), [tokens.tolist()] * 5), run).iloc[-1]
        covered += top["low"] <= 1 <= top["high"]
    assert covered / runs >= 0.93


def test_log_is_natural():
    # Perplexities 2, 8 and 2 of the corpus: a barrier of log 4 nats.
    sweep = line([0, 0.5, 1])
    table = perplexity_barrier(sweep, scores(sweep, [[math.log(v)] * 2 for v in (2, 8, 2)], [[1, 1]] * 3))
    assert table.iloc[-1]["estimate"] == pytest.approx(math.log(4))
