"""Statistics, intervals and tables against values computed by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import build_sweep
from lm_interpolation.tables.tables import (
    Shown,
    coordinate_columns,
    read_table,
    single_model,
    statistic_matrix,
    summarise,
    sweep_summary,
    sweep_table,
    write_table,
)
from tests.scorers import statistics

CLASSIFIER = statistics("classifier", weights={"positive": 1, "neutral": 0.5})
PERPLEXITY = statistics("perplexity")
DISTINCT = statistics("distinct", n=[1, 2])


def by_statistic(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("statistic")


# --- statistics


def test_eq_6_expectation_and_excluded_texts():
    scores = pd.DataFrame(
        {
            "point": ["m=1"] * 4,
            "row": [1, 1, 2, 2],
            "sample": [0, 1, 0, 1],
            "p_negative": pd.array([0.2, 0.5, 0.0, None], "Float32"),
            "p_neutral": pd.array([0.2, 0.5, 0.0, None], "Float32"),
            "p_positive": pd.array([0.6, 0.0, 1.0, None], "Float32"),
        }
    )
    table = by_statistic(summarise(scores, "sentiment", CLASSIFIER, 50, 1))
    assert list(table.index) == ["score", "p_negative", "p_neutral", "p_positive"]
    assert table.loc["score", "estimate"] == pytest.approx((0.7 + 0.25 + 1.0) / 3)
    assert table.loc["p_positive", "estimate"] == pytest.approx(1.6 / 3)
    assert table.loc["score", ["n_prompts", "n_texts", "n_excluded"]].tolist() == [2, 3, 1]
    assert set(table["scorer"]) == {"sentiment"}

    with pytest.raises(
        UserError, match=r"scorers.sentiment: it gives no p_good, but p_negative, p_neutral, p_positive"
    ):
        summarise(scores, "sentiment", statistics("classifier", weights={"good": 1}), 50, 1)
    with pytest.raises(ValueError, match="twice"):
        summarise(pd.concat([scores, scores]), "sentiment", CLASSIFIER, 50, 1)


def perplexity_scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "point": ["m=1"] * 3,
            "row": [1, 1, 2],
            "sample": [0, 1, 0],
            "nll_continuation": [4 * math.log(2), 0.0, math.log(8)],
            "tokens_continuation": [4, 0, 1],
            "nll_text": [5 * math.log(4), 0.0, 5 * math.log(4)],
            "tokens_text": [5, 0, 5],
        }
    )


def test_perplexity_conventions():
    table = by_statistic(summarise(perplexity_scores(), "ppl", PERPLEXITY, 200, 1))
    assert table.loc["continuation_mean", "estimate"] == pytest.approx((2 + 8) / 2)
    assert table.loc["continuation_corpus", "estimate"] == pytest.approx(2 ** (7 / 5))
    assert table.loc["text_mean", "estimate"] == pytest.approx(4)
    assert table.loc["text_corpus", "estimate"] == pytest.approx(4)
    # Two prompts say little, but no perplexity is below 1.
    for statistic in ("continuation_mean", "continuation_corpus"):
        low, high = table.loc[statistic, ["low", "high"]]
        assert low == 1 and high > 8
    assert set(table["n_texts"]) == {2} and set(table["n_excluded"]) == {1} and set(table["n_prompts"]) == {2}


def test_intervals_stay_within_what_a_statistic_can_be():
    scores = pd.DataFrame({"point": "m=1", "row": [1, 2, 3], "sample": 0, "p_a": [0.0, 1, 1], "p_b": [1.0, 0, 0]})
    table = by_statistic(summarise(scores, "s", statistics("classifier", weights={"a": 2, "b": -1}), 100, 1))
    assert table.loc["score", ["low", "high"]].tolist() == [-1, 2]
    assert table.loc["p_a", ["low", "high"]].tolist() == [0, 1]
    # Labels that do not exclude each other add up.
    weights = {"a": 1, "b": 1}
    scores = scores.assign(p_b=[0.9, 0.9, 0.0])
    table = by_statistic(summarise(scores, "s", statistics("classifier", weights=weights), 100, 1))
    assert table.loc["score", "high"] == 2
    frame = pd.DataFrame({"point": "m=1", "row": [1, 2, 3], "texts": 1, "distinct_1": [0.2, 1, 1], "distinct_2": 1.0})
    table = by_statistic(summarise(frame, "d", DISTINCT, 100, 1))
    assert table.loc["distinct_1", ["low", "high"]].tolist() == [pytest.approx(0, abs=1e-9), 1]
    assert table.loc["distinct_2", ["low", "high"]].tolist() == [1, 1]


def test_perplexity_that_overflows_is_an_error():
    scores = perplexity_scores()
    scores["nll_continuation"] = [4000.0, 0.0, 4000.0]
    with pytest.raises(UserError, match="continuation_mean of prompt 1, sample 0 at point m=1 overflows"):
        summarise(scores, "ppl", PERPLEXITY, 10, 1)


def test_distinct_is_a_mean_over_prompts():
    scores = pd.DataFrame(
        {
            "point": ["m=1"] * 3,
            "row": [1, 2, 3],
            "texts": [4, 5, 5],
            "distinct_1": pd.array([0.5, 1.0, None], "Float64"),
            "distinct_2": pd.array([0.25, 0.5, None], "Float64"),
        }
    )
    table = by_statistic(summarise(scores, "distinct", DISTINCT, 20, 1))
    assert table["estimate"].tolist() == [0.75, 0.375]
    assert table.loc["distinct_1", ["n_prompts", "n_texts", "n_excluded"]].tolist() == [2, 9, 5]


def test_points_must_have_the_same_prompts():
    scores = pd.concat([perplexity_scores(), perplexity_scores().iloc[:2].assign(point="n=1")])
    with pytest.raises(UserError, match="point n=1 has no score for prompt 2"):
        summarise(scores, "ppl", PERPLEXITY, 10, 1)


def test_statistic_matrix_is_what_the_summary_is_made_of():
    one, two = perplexity_scores(), perplexity_scores().assign(point="n=1", nll_continuation=[1.0, 0.0, 2.0])
    # A point that nobody asked for, with a prompt of its own; rows and points in no order.
    other = perplexity_scores().assign(point="o=1", row=[1, 1, 3])
    scores = pd.concat([two, other, one]).iloc[::-1].astype({"point": "category"})
    numerators, denominators, exponentiate = statistic_matrix(
        scores, "ppl", PERPLEXITY, "continuation_corpus", ["n=1", "m=1"]
    )
    assert exponentiate
    np.testing.assert_allclose(numerators, [[1, 4 * math.log(2)], [2, math.log(8)]])
    assert denominators.tolist() == [[4, 4], [1, 1]]

    numerators, denominators, exponentiate = statistic_matrix(scores, "ppl", PERPLEXITY, "continuation_mean", ["m=1"])
    assert not exponentiate
    np.testing.assert_allclose(numerators, [[2], [8]])
    assert denominators.tolist() == [[1], [1]]

    with pytest.raises(UserError, match=r"scorers.ppl: has no statistic 'score', but continuation_mean,"):
        statistic_matrix(scores, "ppl", PERPLEXITY, "score", ["m=1"])
    with pytest.raises(UserError, match="scorer ppl: no score for point q=1"):
        statistic_matrix(scores, "ppl", PERPLEXITY, "continuation_corpus", ["m=1", "q=1"])
    with pytest.raises(UserError, match="point o=1 has no score for prompt 2"):
        statistic_matrix(scores, "ppl", PERPLEXITY, "continuation_corpus", ["m=1", "o=1"])
    with pytest.raises(ValueError, match="twice"):
        statistic_matrix(pd.concat([one, one]), "ppl", PERPLEXITY, "continuation_corpus", ["m=1"])


# --- sweeps

SPEC = {
    "space": "weights",
    "prompts": ["neutral", "null"],
    "origin": {"negative": 1},
    "directions": {"alpha": {"positive": 1, "negative": -1}},
    "grid": {"alpha": [1, 0, -0.333333, 0.5]},
}


def sweep_scores(sweep) -> pd.DataFrame:
    """Perplexity exp(1 + alpha^2) of every text, in the wrong order and with a point that is not in the sweep."""
    parts = []
    for entry in reversed(sweep.points):
        nll = 3 * (1 + float(entry.coordinates[0][1]) ** 2)
        parts.append(
            perplexity_scores().assign(
                point=entry.point.id, nll_continuation=nll, nll_text=nll, tokens_continuation=3, tokens_text=3
            )
        )
    parts.append(perplexity_scores().assign(point="base=1"))
    return pd.concat(parts, ignore_index=True)


def test_sweep_table_and_its_file(tmp_path):
    sweep = build_sweep("theta1", SPEC)
    frame = sweep_scores(sweep).astype({"point": "category"})
    scores = {prompts: {"ppl": frame} for prompts in sweep.prompts}
    table = sweep_table(sweep, scores, {"ppl": PERPLEXITY}, 20, 1)
    assert list(table) == [
        "sweep", "prompts", "alpha", "point", "scorer", "statistic", "estimate", "low", "high",
        "n_prompts", "n_texts", "n_excluded",
    ]  # fmt: skip
    assert coordinate_columns(table) == ["alpha"]
    assert len(table) == 2 * 4 * 4
    curve = table[(table["prompts"] == "neutral") & (table["statistic"] == "continuation_corpus")]
    assert curve["alpha"].tolist() == [-0.333333, 0, 0.5, 1]
    assert curve["point"].tolist()[1:] == ["negative=1", "negative=0.5+positive=0.5", "positive=1"]
    np.testing.assert_allclose(curve["estimate"], np.exp(1 + curve["alpha"] ** 2))

    write_table(table, tmp_path / "t.csv")
    first = (tmp_path / "t.csv").read_bytes()
    write_table(sweep_table(sweep, scores, {"ppl": PERPLEXITY}, 20, 1), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == first
    assert b"-0.333333," in first
    back = read_table(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(back, table, check_dtype=False, rtol=1e-5)
    assert set(back["prompts"]) == {"neutral", "null"}

    del scores["null"]["ppl"]
    scores["null"]["ppl"] = frame[frame["point"] != "positive=1"]
    with pytest.raises(UserError, match="theta1, prompts null: no ppl score for point positive=1"):
        sweep_table(sweep, scores, {"ppl": PERPLEXITY}, 20, 1)


def test_missing_estimate_survives_the_file(tmp_path):
    table = pd.DataFrame({"sweep": ["s"], "prompts": "p", "alpha": 0.1, "point": "m=1", "scorer": "x", "statistic": "y",
                          "estimate": [np.nan], "low": [np.nan], "high": [np.nan], "n_prompts": 0, "n_texts": 0,
                          "n_excluded": 3})  # fmt: skip
    write_table(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "s,p,0.1,m=1,x,y,,,,0,0,3"
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), table, check_dtype=False)


def test_other_tables_and_their_files(tmp_path):
    table = pd.DataFrame({"pair": ["1", "NA"], "chosen": [True, False], "rate": [1e-6, 0.1], "loss": [2 / 3, np.nan]})
    write_table(table, tmp_path / "t.csv", ["loss"])
    assert (tmp_path / "t.csv").read_text() == "pair,chosen,rate,loss\n1,true,1e-06,0.666667\nNA,false,0.1,\n"
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv", ["loss"]), table, rtol=1e-6)


def line(alphas, values) -> pd.DataFrame:
    points = {0: "negative=1", 1: "positive=1"}
    return pd.DataFrame(
        {
            "sweep": "theta1",
            "prompts": "neutral",
            "alpha": alphas,
            "point": [points.get(a, f"negative={1 - a:g}+positive={a:g}") for a in alphas],
            "scorer": "ppl",
            "statistic": "continuation_corpus",
            "estimate": values,
            "low": np.array(values) * 0.9,
            "high": np.array(values) * 1.1,
            "n_prompts": 5,
            "n_texts": 10,
            "n_excluded": [2] + [0] * (len(alphas) - 1),
        }
    )


def test_single_model():
    table = line([0.0, 0.5, 1.0], [1, 2, 3])
    assert single_model(table, "alpha", 0.0) == "negative"
    assert single_model(table, "alpha", 0.5) is None
    assert single_model(table, "alpha", 0.7) is None


SHOWN = {"ppl": Shown("ppl", ["continuation_corpus"], "continuation_corpus")}


def test_summary():
    assert sweep_summary(line([0.0, 0.5, 1.0], [100, 180, 200]), SHOWN) == [
        "theta1, prompts neutral: 3 points, 5 prompts, 10 texts per point",
        "  ppl continuation_corpus: 100 [90, 110] at alpha = 0, 180 [162, 198] at alpha = 0.5, "
        "200 [180, 220] at alpha = 1",
        "  ppl between alpha = 0 and 1: highest point +0.24 nats per token from the chord, at 0.5",
        "  ppl continuation_corpus: up to 2 texts per point have no score",
    ]
    # A coordinate may have any name, a word of Python's among them.
    renamed = line([0.0, 1.0], [1, 2]).rename(columns={"alpha": "lambda"})
    assert any("at lambda = 1" in text for text in sweep_summary(renamed, SHOWN))
    # No word of it where an end is missing or a mixture of models.
    assert not [text for text in sweep_summary(line([0.5, 1.0], [1, 2]), SHOWN) if "between" in text]
    # Where no point lies between, nothing was measured.
    told = "  ppl between alpha = 0 and 1: no point there, a barrier is not measured"
    assert told in sweep_summary(line([0.0, 1.0, 2.0], [1, 2, 3]), SHOWN)


def test_summary_shows_what_a_scorer_asks_for():
    other = SHOWN["ppl"]
    marked = sweep_summary(
        line([0.0, 1.0], [1, 2]), {"ppl": Shown("ppl (weak judge)", other.statistics, other.barrier)}
    )
    assert marked[1].startswith("  ppl (weak judge) continuation_corpus: 1 [0.9, 1.1] at alpha = 0")
    assert marked[2].startswith("  ppl (weak judge) between alpha = 0 and 1: ")
    assert marked[3] == "  ppl (weak judge) continuation_corpus: up to 2 texts per point have no score"
    table = line([0.0, 1.0], [1, 2]).assign(n_excluded=0)
    assert len(sweep_summary(table, {"ppl": Shown("ppl", ["continuation_corpus"], None)})) == 2
    assert len(sweep_summary(table, {"ppl": Shown("ppl", [], None)})) == 1
