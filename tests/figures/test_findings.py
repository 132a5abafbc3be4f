"""Findings: computed from the tables of figures, and never more than the intervals allow."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.analyses.barriers import BARRIER_COLUMNS
from lm_interpolation.figures.finding_barrier import find_barrier
from lm_interpolation.figures.finding_curves import find_curves
from lm_interpolation.figures.finding_linearity import find_linearity
from lm_interpolation.figures.finding_norms import find_norms
from lm_interpolation.figures.finding_plane import find_plane
from lm_interpolation.figures.finding_search import find_search
from lm_interpolation.figures.finding_slices import find_slices
from lm_interpolation.figures.finding_training import find_training
from lm_interpolation.figures.finding_words import find_words
from lm_interpolation.figures.findings import Find, findings
from lm_interpolation.figures.phrases import Value, apart, change, describe_range, number
from lm_interpolation.scores.judges import Judge, Quality
from tests.figures.test_analysis_plots import barriers, curve, line, linearity, norms, search, words
from tests.figures.test_plot_curves import cost

NAN = math.nan


LABELS = {"alpha": "α", "beta": "β"}


def find(
    tmp_path: Path,
    kind: Find,
    drawn: dict[str, Any],
    *tables: pd.DataFrame,
    judges: dict[str, Judge] | None = None,
) -> list[str]:
    paths = []
    for index, table in enumerate(tables):
        paths.append(tmp_path / f"{index}.csv")
        table.to_csv(paths[-1], index=False)
    return findings(kind, paths, judges or {}, drawn)


# --- phrases ---


def test_numbers() -> None:
    told = [number(value) for value in (0, 0.3123, -0.05, 1234.5, 123456789, 1e-7, NAN)]
    assert told == ["0", "0.312", "−0.05", "1,230", "1.23e8", "1e−7", "–"]
    assert str(Value(0.31, 0.28, 0.34)) == "0.31 [0.28, 0.34]"
    assert (str(Value(0.31)), str(Value(NAN))) == ("0.31", "no value")
    # Digits tell the ends of an interval apart.
    assert str(Value(0.33665, 0.33644, 0.33692)) == "0.3367 [0.3364, 0.3369]"
    assert str(Value(0.5, 0.5, 0.5)) == "0.5 [0.5, 0.5]"
    assert describe_range(np.array([0.8, 1.37])) == "1.08 (0.80–1.37, 2 runs)"
    assert describe_range(np.array([0.8])) == "0.800 (1 run)"


def test_a_change_is_claimed_only_where_intervals_are_apart() -> None:
    low, high = Value(0.3, 0.25, 0.35), Value(0.6, 0.55, 0.65)
    assert change(low, high, "α = 0", "α = 1") == "rises from 0.3 [0.25, 0.35] at α = 0 to 0.6 [0.55, 0.65] at α = 1"
    assert change(high, low, "a", "b").startswith("falls from 0.6")
    assert change(low, Value(0.4, 0.33, 0.47), "a", "b").endswith("the intervals overlap, no difference shown")
    assert change(low, Value(0.9), "a", "b").endswith("without intervals: no difference shown")
    assert change(low, Value(NAN), "a", "b").endswith("nothing to compare")


def test_extremes_of_noise_are_not_told_apart() -> None:
    """Of 49 equal values with noise the plain intervals of the extremes part most of the time."""
    random, plainly, widened = np.random.default_rng(0), 0, 0
    for _ in range(200):
        estimates = random.normal(size=49)
        ends = [Value(e, e - 1.96, e + 1.96) for e in (estimates.min(), estimates.max())]
        plainly += bool(apart(*ends))
        widened += bool(apart(*ends, among=49))
    assert plainly > 100 and widened <= 10


# --- curves ---


def curves(tmp_path: Path, drawn: dict[str, Any], *tables: pd.DataFrame, **judges: dict[str, Judge]) -> list[str]:
    return find(tmp_path, find_curves, drawn, *tables, **judges)


def sweep(name: str, values: dict[float, tuple[float, float, float]], prompts: str = "positive") -> pd.DataFrame:
    rows = [(name, prompts, at, "a=1", "sentiment", "score", *value, 12, 60, 0) for at, value in values.items()]
    columns = ["sweep", "prompts", "alpha", "point", "scorer", "statistic", "estimate", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "n_prompts", "n_texts", "n_excluded"])


RISING = {-1.0: (0.1, 0.05, 0.15), 0.0: (0.3, 0.25, 0.35), 1.0: (0.6, 0.55, 0.65), 2.0: (0.7, 0.6, 0.8)}
FLAT = {0.0: (0.3, 0.25, 0.35), 1.0: (0.33, 0.28, 0.38)}
SCORE = {"scorer": "sentiment", "statistic": "score", "label": "Positive score", "scale": "linear"}
CURVES: dict[str, Any] = {"sweeps": ["one"], "panels": [SCORE], "overlay": False, "cost": False}
CURVES |= {"coordinate_labels": LABELS, "sweep_labels": {"one": "θ₁"}}


def test_curves(tmp_path: Path) -> None:
    both = pd.concat([sweep("one", RISING), sweep("one", FLAT, "neutral")])
    assert curves(tmp_path, CURVES, both) == [
        "Positive score along θ₁. With positive prompts: rises from 0.3 [0.25, 0.35] at α = 0 to 0.6 [0.55, 0.65] at α "
        "= 1 (estimates over α = −1 … 2: 0.1 to 0.7); with neutral prompts: 0.3 [0.25, 0.35] at α = 0, 0.33 [0.28, "
        "0.38] at α = 1: the intervals overlap, no difference shown."
    ]


def test_what_lies_between_the_ends_is_told_if_it_is_beyond_both(tmp_path: Path) -> None:
    bump = FLAT | {0.25: (0.35, 0.3, 0.4), 0.5: (0.9, 0.85, 0.95), 0.75: (0.1, 0.09, 0.11)}
    (told,) = curves(tmp_path, CURVES, sweep("one", bump))
    assert "; in between up to 0.9 [0.85, 0.95] at α = 0.5, above both; in between down to 0.1 [0.09, 0.11] at" in told
    # Beyond, but not beyond chance; of points outside nothing is claimed.
    (none,) = curves(tmp_path, CURVES, sweep("one", FLAT | {0.5: (0.42, 0.37, 0.47), 3.0: (0.9, 0.85, 0.95)}))
    assert "in between" not in none


def test_few_prompts_are_told(tmp_path: Path) -> None:
    few = sweep("one", RISING).assign(n_prompts=4)
    assert curves(tmp_path, CURVES, few)[1:] == ["Intervals rest on 4 prompts only, too few for a verdict."]
    assert len(curves(tmp_path, CURVES, sweep("one", RISING))) == 1
    # Of one set of prompts suffices.
    both = pd.concat([sweep("one", RISING), sweep("one", FLAT, "neutral").assign(n_prompts=2)])
    assert "2 prompts only" in curves(tmp_path, CURVES, both)[-1]
    plane = plane_table(lambda a, b: 0.3 + 0.1 * a, 0.08).assign(n_prompts=3)
    assert "3 prompts only" in find(tmp_path, find_plane, PLANE, plane)[-1]


def test_curves_of_a_degenerate_sweep(tmp_path: Path) -> None:
    (one,) = curves(tmp_path, CURVES, sweep("one", {0.5: (0.3, NAN, NAN)}))
    assert one == "Positive score along θ₁. With positive prompts: 0.3 at α = 0.5, the only point."
    (lost,) = curves(tmp_path, CURVES, sweep("one", {0.0: (NAN, NAN, NAN), 1.0: (0.3, 0.2, 0.4)}))
    assert "no value at α = 0, 0.3 [0.2, 0.4] at α = 1: nothing to compare" in lost
    # Without 0 and 1 between its ends.
    (ends,) = curves(tmp_path, CURVES, sweep("one", {2.0: (0.1, 0.0, 0.2), 3.0: (0.2, NAN, NAN), 4.0: (0.9, 0.8, 1.0)}))
    assert "rises from 0.1 [0, 0.2] at α = 2 to 0.9 [0.8, 1] at α = 4" in ends


def test_overlaid_curves_trade_offs_and_costs(tmp_path: Path) -> None:
    trade = {**SCORE, "label": "P(good)", "x": SCORE}
    figure = CURVES | {"sweeps": ["one", "two"], "overlay": True, "panels": [SCORE, trade], "cost": True}
    figure["sweep_labels"] = {"one": "θ₁", "two": "θ₂"}
    two = pd.concat([sweep("two", FLAT), sweep("two", FLAT, "others")])
    score, against, price = curves(tmp_path, figure, sweep("one", RISING), two, cost())
    assert (
        score.startswith("Positive score, positive prompts. Along θ₁: rises from 0.3")
        and "; along θ₂: 0.3 [0.25" in score
    )
    assert "Along θ₁: 0.7 [0.6, 0.8] where Positive score is highest, 0.7 [0.6, 0.8] at α = 2" in against
    assert "weights 3.00 (2.00–4.00, 2 runs), logits 7.50 (7.00–8.00, 2 runs) s per 1,000 tokens;" in price
    close = cost().assign(seconds_per_1000_tokens=[2.0, 3.0, 4.0, 8.0])
    assert "s per 1,000 tokens, ranges overlap;" in curves(tmp_path, figure, sweep("one", RISING), two, close)[-1]


def test_two_overlaid_sweeps_are_compared_where_both_have_points(tmp_path: Path) -> None:
    figure = CURVES | {"sweeps": ["one", "two"], "overlay": True, "sweep_labels": {"one": "θ₁", "two": "θ₂"}}
    (told,) = curves(tmp_path, figure, sweep("one", RISING), sweep("two", FLAT))
    assert told.endswith(
        "; of 2 shared coordinates the two are apart beyond chance at α = 1 (0.6 [0.55, 0.65] against 0.33 "
        "[0.28, 0.38])."
    )
    (same,) = curves(tmp_path, figure, sweep("one", FLAT), sweep("two", FLAT))
    assert same.endswith("; at none of 2 shared coordinates the two are apart beyond chance.")
    (other,) = curves(tmp_path, figure, sweep("one", FLAT), sweep("two", FLAT).rename(columns={"alpha": "beta"}))
    assert "shared" not in other


def test_a_weak_judge_is_told(tmp_path: Path) -> None:
    quality = Quality(100, 0.5, 0.5, {"positive": 0.5, "negative": 0.5}, 0.1)
    found = find(
        tmp_path,
        find_curves,
        CURVES,
        sweep("one", RISING),
        judges={"sentiment": Judge("critic", {"positive": 1}, quality)},
    )
    assert found[0].startswith("Positive score (weak judge) along θ₁")
    assert found[1] == "Weak judge: critic. Differences in its scores need not be differences of the texts."


# --- planes ---


def plane_table(value, width: float) -> pd.DataFrame:
    rows = [
        (
            "plane",
            "neutral",
            a,
            b,
            "x=1",
            "sentiment",
            "score",
            value(a, b),
            value(a, b) - width / 2,
            value(a, b) + width / 2,
        )
        for b in (0.0, 1.0, 2.0)
        for a in (0.0, 1.0, 2.0)
    ]
    columns = ["sweep", "prompts", "alpha", "beta", "point", "scorer", "statistic", "estimate", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


PLANE = {
    "coordinate_labels": LABELS,
    "coordinates": ["alpha", "beta"],
    "panels": [SCORE | {"prompts": "neutral", "table": 0}],
    "markers": [
        {"label": "θ⁺", "at": [("alpha", 1), ("beta", 0)]},
        {"label": "off", "at": [("alpha", 0.5), ("beta", 0)]},
    ],
}


def test_planes(tmp_path: Path) -> None:
    (told,) = find(tmp_path, find_plane, PLANE, plane_table(lambda a, b: 0.3 + 0.1 * a, 0.08))
    assert told == (
        "Positive score, neutral prompts. Lowest 0.3 [0.26, 0.34] at α = 0, β = 0, highest 0.5 [0.46, 0.54] at α = 2, "
        "β = 0: further apart than chance puts the extremes of 9 points. θ⁺ 0.4 [0.36, 0.44]."
    )
    (noise,) = find(tmp_path, find_plane, PLANE, plane_table(lambda a, b: 0.3 + 0.05 * a, 0.08))
    # The plain intervals do not overlap.
    assert "chance alone may part the extremes of 9 points with such intervals, no difference shown" in noise
    (none,) = find(tmp_path, find_plane, PLANE, plane_table(lambda a, b: 0.3 + 0.1 * a, NAN))
    assert "of 9 points without intervals: no difference shown" in none
    (lost,) = find(tmp_path, find_plane, PLANE, plane_table(lambda a, b: NAN if a else 0.3, 0.08))
    assert lost.endswith("6 points without a value.")
    (empty,) = find(tmp_path, find_plane, PLANE, plane_table(lambda a, b: NAN, 0.08))
    assert empty.startswith("Positive score, neutral prompts. No point has a value")


def test_slices_of_a_plane(tmp_path: Path) -> None:
    drawn = {"prompts": "neutral", "along": "alpha", "panels": [SCORE], "coordinate_labels": LABELS}
    other = plane_table(lambda a, b: 0.9, 0.08).assign(prompts="other")
    anchor = plane_table(lambda a, b: 0.9, 0.08).iloc[:1].assign(alpha=0.5, beta=0.5)
    rising = plane_table(lambda a, b: 0.3 + 0.1 * a * b, 0.08)
    (told,) = find(tmp_path, find_slices, drawn, pd.concat([rising, other, anchor]))
    assert told == (
        "Positive score along α, neutral prompts. At β = 0: 0.3 [0.26, 0.34] at α = 0, 0.3 [0.26, 0.34] at α = 2: the "
        "intervals overlap, no difference shown; at β = 1: rises from 0.3 [0.26, 0.34] at α = 0 to 0.5 [0.46, 0.54] at "
        "α = 2; at β = 2: rises from 0.3 [0.26, 0.34] at α = 0 to 0.7 [0.66, 0.74] at α = 2."
    )
    (across,) = find(tmp_path, find_slices, drawn | {"along": "beta"}, rising)
    assert across.startswith("Positive score along β, neutral prompts. At α = 0: 0.3 [0.26, 0.34] at β = 0, ")


# --- analyses ---


def test_words(tmp_path: Path) -> None:
    found = find(tmp_path, find_words, {"coordinate_labels": LABELS}, words())
    assert found[0] == "good words, together: 0.03 at α = 0, 0.05 at α = 1; 2 of 2 rise, 0 fall."
    assert "falls most, and the next, from α = 0 to α = 1: “中” (0.3 to 0.2)" in found[3]
    assert found[-1].startswith("Probabilities after one prompt")
    one = find(tmp_path, find_words, {"coordinate_labels": LABELS}, words()[lambda table: table["alpha"] == 1])
    assert one == ["All probabilities are at α = 1, the only point: nothing to compare."]


def test_norms(tmp_path: Path) -> None:
    found = find(tmp_path, find_norms, {}, norms(zero=2))
    assert found[0] == "tuned: median scaled norm 0.004 (0.003 to 0.005 over 3 tensors; 2 tensors unchanged)."
    assert found[2] == "Against the median of tuned: that of unrelated 75 times."
    assert find(tmp_path, find_norms, {}, norms(zero=5))[0] == "tuned: none of 5 tensors differs."


def test_training(tmp_path: Path) -> None:
    figure = {"models": ["base"]}
    rising = curve()
    rising.loc[rising["split"] == "dev", "loss"] = [2.0, 2.5]
    assert find(tmp_path, find_training, figure, rising)[0] == (
        "model base: lowest dev loss 2 nats per token (perplexity 7.39) at step 20, after 2 nats per token (perplexity "
        "7.39) at step 20; it ends at 2.5 nats per token (perplexity 12.2), higher again."
    )
    assert "it is lowest at the end" in find(tmp_path, find_training, figure, curve())[0]
    assert (
        find(tmp_path, find_training, figure, curve()[lambda table: table["split"] == "train"])[0]
        == "model base: no dev loss."
    )
    assert find(tmp_path, find_training, figure, curve()[lambda table: table["step"] == 20])[0].endswith("at step 20.")


def test_searches(tmp_path: Path) -> None:
    found = find(tmp_path, find_search, {}, search())
    assert found[0] == (
        "positive: lowest dev perplexity 21.1 with learning rate 0.0001, batch size 8, steps 40; then 21.5 with "
        "learning rate 0.0001, batch size 8, steps 20; the configured trial has 21.5; at the edge of the grid (the "
        "largest learning rate, the smallest batch size and the largest number of steps), beyond which nothing was "
        "tried; 2 trials diverged."
    )
    lost = search().assign(dev_loss=NAN, dev_perplexity=NAN)
    assert find(tmp_path, find_search, {}, lost)[0] == "positive: all of 12 trials diverged."
    assert (
        "it is what the study's model was trained with"
        in find(tmp_path, find_search, {}, search(configured=(1e-4, 8, 40)))[0]
    )


def test_barriers(tmp_path: Path) -> None:
    figure = {"sweep_labels": {"theta1": "θ₁", "other": "other"}}
    table = barriers()
    table.loc[(table["row"] == "barrier") & (table["sweep"] == "theta1"), "low"] = 0.0
    shown, none = find(tmp_path, find_barrier, figure, table)
    assert shown.startswith(
        "Barrier in nats per token, interval above 0: other (perplexity, neutral prompts): 1.5 [1.52, 1.6] at 0.5;"
    )
    assert none.startswith("No barrier shown, the interval reaches 0: θ₁ (perplexity, neutral prompts): 0 [0, 0.1];")
    lost = pd.DataFrame(line("theta1", "", "loss", "", 0.3), columns=BARRIER_COLUMNS)
    lost.loc[lost["row"] == "barrier", ["coordinate", "estimate", "low", "high"]] = NAN
    assert find(tmp_path, find_barrier, figure, lost) == ["Not measured, no point between 0 and 1: θ₁ (loss)."]
    lost.loc[lost["row"] == "barrier", ["coordinate", "estimate"]] = (0.5, 0.3)
    assert find(tmp_path, find_barrier, figure, lost) == ["Without an interval: θ₁ (loss): 0.3."]


def test_linearity(tmp_path: Path) -> None:
    found = find(tmp_path, find_linearity, {"coordinate_labels": LABELS}, *linearity())
    assert found[0] == (
        "logits: the expansion explains 0.9 of the variance over the plane (R²), 0.95 for |α|, |β| ≤ 1; the error is "
        "at most 10 % at 25 % of the points, at all with |α|, |β| ≤ 0.5."
    )
    assert "explains −3 of" in found[1] and "– for |α|" in found[1] and "in no square around the origin" in found[1]
