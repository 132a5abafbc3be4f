"""Figures of methods: which curves they draw, how these differ, and that the marked points are named."""

import itertools

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

from lm_interpolation.figures.finding_methods import find_methods
from lm_interpolation.figures.methods_data import methods_curves, single
from lm_interpolation.figures.plot_methods import plot_methods
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Method, Sweep, build_sweep
from lm_interpolation.tables.tables import write_table

SCORE = {"scorer": "sentiment", "statistic": "score", "label": "Positive score"}
PERPLEXITY = {"scorer": "ppl", "statistic": "continuation_corpus", "label": "Perplexity", "scale": "log"}
LOSS = {"statistic": "nll_token", "label": "General NLL", "scale": "linear"}


def sweep_of(name: str, density: tuple[float, ...] = ()) -> Sweep:
    """θ⁰ + γ (θ⁺ − θ⁰), under a method if there are values of its density."""
    method = Method("ties", "base", ("density",)) if density else None
    spec = {
        "space": "weights",
        "prompts": ["neutral"],
        "origin": {"base": 1},
        "directions": {"gamma": {"positive": 1, "base": -1}},
        "grid": {"gamma": [0, 0.5, 1, 2]} | ({"density": list(density)} if density else {}),
    }
    return build_sweep(name, spec, method)


def tables_of(sweep: Sweep, slope: float = 1.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of a sweep and of its loss, with made-up values."""
    scores, losses = [], []
    for entry in sweep.points:
        at = {name: float(value) for name, value in entry.coordinates}
        gamma, density = at["gamma"], at.get("density", 1.0)
        start = {"sweep": sweep.name, "prompts": "neutral", **at, "point": entry.point.id}
        score = 0.3 + 0.5 * (1 - np.exp(-gamma * slope * density**0.3))
        ppl = 40 * np.exp(0.5 * slope * gamma**2 * density)
        for scorer, statistic, value, width in (
            ("sentiment", "score", score, 0.03),
            ("ppl", "continuation_corpus", ppl, ppl / 20),
        ):
            ends = {"estimate": value, "low": value - width, "high": value + width, "n_prompts": 20}
            scores.append({**start, "scorer": scorer, "statistic": statistic, **ends})
        nll = 3 + 0.2 * slope * gamma * density
        del start["prompts"]
        losses.append(
            {**start, "class": "", "statistic": "nll_token", "estimate": nll, "low": nll - 0.02, "high": nll + 0.02}
        )
    return pd.DataFrame(scores), pd.DataFrame(losses)


def described(sweep: Sweep, *values: tuple[str, list[float]]) -> dict:
    return {
        "name": sweep.name,
        "label": sweep.name.upper(),
        "coordinates": list(sweep.coordinates),
        "values": list(values),
    }


def two_methods() -> tuple[list[pd.DataFrame], list[dict]]:
    line, plane = sweep_of("affine"), sweep_of("ties", (0.05, 0.2, 1))
    (one, one_loss), (two, two_loss) = tables_of(line), tables_of(plane, 0.8)
    return [one, two, one_loss, two_loss], [described(line), described(plane, ("density", [0.05, 1.0]))]


def draw(**changes):
    tables, sweeps = two_methods()
    across = [PERPLEXITY, LOSS | {"tables": [2, 3]}]
    return plot_methods(tables, sweeps, "neutral", SCORE, across, {"gamma": "γ", "density": "d"}, **changes)


def curves(axes):
    return [line for line in axes.lines if line.get_marker() not in ("None", None, "") and line.get_gid() is None]


def test_a_curve_per_sweep_and_value_of_its_method():
    tables, sweeps = two_methods()
    found = methods_curves(tables, sweeps, "neutral", SCORE, LOSS | {"tables": [2, 3]}, {"density": "d"})
    assert [curve["label"] for curve in found] == ["AFFINE", "TIES, d = 0.05", "TIES, d = 1"]
    assert [curve["rank"] for curve in found] == [0, 0, 1]
    points = found[1]["points"]
    assert points["at"].tolist() == [0, 0.5, 1, 2]
    np.testing.assert_allclose(points["x"], 3 + 0.2 * 0.8 * points["at"] * 0.05)
    # The base is one point, whichever the density.
    assert points["point"].tolist()[0] == "base=1" and "~density=0.05@" in points["point"].tolist()[1]
    with pytest.raises(UserError, match=r"sweep ties has no point where density is 0.3; choose some of 0.05, 0.2, 1"):
        chosen = [sweeps[0], {**sweeps[1], "values": [("density", [0.3])]}]
        methods_curves(tables, chosen, "neutral", SCORE, PERPLEXITY, {})


def test_sweeps_differ_in_colour_and_marker_and_curves_of_one_in_dashes():
    figure = draw(title="Methods")
    left, right = figure.axes
    assert (left.get_xscale(), right.get_xscale()) == ("log", "linear")
    assert (left.get_xlabel(), right.get_xlabel()) == ("Perplexity (log scale)", "General NLL")
    assert (left.get_ylabel(), right.get_ylabel()) == ("Positive score", "")
    for axes in figure.axes:
        affine, sparse, dense = curves(axes)
        assert matplotlib.colors.to_hex(sparse.get_color()) == matplotlib.colors.to_hex(dense.get_color())
        assert sparse.get_marker() == dense.get_marker() != affine.get_marker()
        assert sparse._dash_pattern != dense._dash_pattern
    np.testing.assert_allclose(curves(right)[0].get_xdata(), [3, 3.1, 3.2, 3.4])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["AFFINE", "TIES, d = 0.05", "TIES, d = 1"]
    # The legend stands beside the panels.
    figure.draw_without_rendering()
    assert legend.get_window_extent().x0 >= right.get_window_extent().x1


def test_single_models_are_ringed_and_named():
    figure = draw()
    figure.draw_without_rendering()
    for axes in figure.axes:
        (rings,) = [line for line in axes.lines if line.get_gid() == "shared"]
        # Under a method γ = 1 is no model.
        assert len(rings.get_xdata()) == 2
        words = [text.get_text() for text in axes.texts]
        assert {"model base", "model positive"} <= set(words)
        boxes = [text.get_window_extent() for text in axes.texts]
        assert not any(one.overlaps(two) for one, two in itertools.combinations(boxes, 2))
    assert (single("base=1"), single("ties~density=1@positive=1"), single("a=0.5+b=0.5")) == ("base", None, None)


def test_mistakes():
    plane = sweep_of("ties", (0.1, 0.2, 0.3, 0.4, 0.5))
    scores, _ = tables_of(plane)
    with pytest.raises(UserError, match="sweep ties has more than 4 curves"):
        plot_methods([scores], [described(plane)], "neutral", SCORE, [PERPLEXITY])
    scores.loc[scores["scorer"] == "ppl", "low"] = -1.0
    with pytest.raises(UserError, match="Perplexity is not positive everywhere"):
        plot_methods([scores], [described(plane, ("density", [0.1]))], "neutral", SCORE, [PERPLEXITY])
    with pytest.raises(UserError, match="has no prompts 'other'"):
        plot_methods([scores], [described(plane)], "other", SCORE, [PERPLEXITY])


def test_the_text_names_the_highest_score_and_its_cost(tmp_path):
    tables, sweeps = two_methods()
    paths = []
    for index, table in enumerate(tables):
        write_table(table, tmp_path / f"{index}.csv")
        paths.append(tmp_path / f"{index}.csv")
    found = find_methods(
        paths,
        {},
        sweeps=sweeps,
        prompts="neutral",
        score=SCORE,
        across=[PERPLEXITY, LOSS | {"tables": [2, 3]}],
        coordinate_labels={"gamma": "γ"},
    )
    assert len(found) == 2
    assert found[1].startswith("Highest Positive score of each curve, neutral prompts, and General NLL there. AFFINE: ")
    assert "AFFINE: 0.732 [0.702, 0.762] at γ = 2, with 3.4 [3.38, 3.42]; TIES, density = 0.05: " in found[1]
