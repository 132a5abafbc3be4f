"""Figures of starts: where dots stand, and what the text beside them says."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.figures.finding_start import find_start
from lm_interpolation.figures.plot_start import plot_start
from lm_interpolation.figures.start_data import losses_of, read_model_losses
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.tables.tables import write_table

# Target to losses from the base and from the centroid.
LOSSES = {"film": ([2.0, 2.2], [1.9, 1.9]), "null": ([1.0, 1.2], [1.2, 1.2]), "book": ([3.0, 3.0], [2.9, 2.7])}


def table_of(target: str, class_name: str) -> pd.DataFrame:
    rows = []
    for key, values in zip(("base", "centroid"), LOSSES[target], strict=True):
        for seed, value in enumerate(values):
            row = {"model": f"{target}-{key}.s{seed}", "class": class_name, "n_texts": 9, "n_tokens": 90}
            rows.append({**row, "statistic": "nll_token", "estimate": value, "low": value - 0.1, "high": value + 0.1})
            rows.append({**row, "statistic": "nll_text", "estimate": 10 * value, "low": None, "high": None})
    return pd.DataFrame(rows)


TABLES = [table_of(name, "null" if name == "null" else "") for name in LOSSES]
PANEL: dict[str, Any] = {
    "label": "All texts",
    "targets": [
        {
            "name": name,
            "table": place,
            "class": "null" if name == "null" else None,
            **{key: [f"{name}-{key}.s{seed}" for seed in (0, 1)] for key in ("base", "centroid")},
        }
        for place, name in enumerate(LOSSES)
    ],
}


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = []
    for name, table in zip(LOSSES, TABLES, strict=True):
        found.append(tmp_path / f"{name}.csv")
        write_table(table, found[-1])
    return found


def test_losses_pair_by_seed(paths: list[Path]) -> None:
    pairs = losses_of([read_model_losses(path) for path in paths], PANEL, "nll_token")
    for (base, centroid), expected in zip(pairs, LOSSES.values(), strict=True):
        assert (base.tolist(), centroid.tolist()) == tuple(map(list, expected))


def test_a_model_that_the_table_lacks() -> None:
    wrong = {**PANEL, "targets": [{**PANEL["targets"][0], "base": ["other"]}]}
    with pytest.raises(UserError, match="target film: the table has no nll_token of model other"):
        losses_of(TABLES, wrong, "nll_token")


def test_rows_are_targets_less_their_loss_from_the_base() -> None:
    figure = plot_start(TABLES, [PANEL, {**PANEL, "label": "Few"}], title="Starts")
    axes, other = figure.axes
    # From the largest gain to the smallest one, then the mean.
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["film", "book", "null", "mean"]
    dots = [(line.get_xdata(), line.get_ydata()) for line in axes.get_lines() if line.get_linestyle() == "None"]
    means = sorted((float(y[0]), round(float(x[0]), 6)) for x, y in dots if len(x) == 1)
    # Of rows 0 to 2 the base and the centroid; of the last the mean over targets.
    assert means == [(0, -0.2), (0, 0), (1, -0.2), (1, 0), (2, 0), (2, 0.1), (3.5, -0.1)]
    seeds = sorted(np.round(np.asarray(x, dtype=float), 6).tolist() for x, y in dots if len(x) == 2 and y[0] == 0)
    assert seeds == [[-0.2, -0.2], [-0.1, 0.1]]
    assert {text.get_text() for text in axes.texts} == {"2.10", "1.10", "3.00", "base"}
    assert (axes.get_title("left"), other.get_title("left")) == ("All texts", "Few")
    assert "nats per token" in axes.get_xlabel()
    per_text = plot_start(TABLES, [PANEL], "nll_text").axes[0]
    assert "nats per text" in per_text.get_xlabel() and "21.00" in {text.get_text() for text in per_text.texts}


def test_panels_may_have_different_targets() -> None:
    few = {"label": "Few", "targets": PANEL["targets"][:2]}
    _, axes = plot_start(TABLES, [PANEL, few]).axes
    dots = [line for line in axes.get_lines() if line.get_linestyle() == "None" and len(line.get_xdata()) == 1]
    assert {float(line.get_ydata()[0]) for line in dots} == {0, 2, 3.5}


def test_what_is_found(paths: list[Path]) -> None:
    told, rest = find_start(paths, {}, panels=[PANEL], statistic="nll_token", seed=0)
    # Gains of 0.2, -0.1 and 0.2: Student's interval.
    assert told == (
        "All texts: from the centroid the loss (nll_token) is lower by 0.1 [−0.33, 0.53] nats, mean of 3 targets: no "
        "difference shown. It is lower for 2 of them, most for film (0.2) and least for null (−0.1)."
    )
    assert rest.endswith("3 targets are too few for a verdict.")


@pytest.mark.parametrize(
    ("side", "words"), [(0, "the base is the better start"), (1, "the centroid is the better start")]
)
def test_a_clear_difference_is_told(side: int, words: str, tmp_path: Path) -> None:
    tables = []
    for number in range(8):
        values = (2.0, 1.0 + 0.01 * number)
        rows = [
            {"model": f"{key}{number}", "class": "", "statistic": "nll_token", "estimate": value, "low": "", "high": ""}
            for key, value in zip(("base", "centroid"), values if side else values[::-1], strict=True)
        ]
        tables.append(tmp_path / f"{number}.csv")
        pd.DataFrame(rows).to_csv(tables[-1], index=False)
    targets = [
        {"name": f"t{n}", "table": n, "class": None, "base": [f"base{n}"], "centroid": [f"centroid{n}"]}
        for n in range(8)
    ]
    told, rest = find_start(tables, {}, panels=[{"label": "x", "targets": targets}], statistic="nll_token", seed=0)
    assert words in told and "too few" not in rest
