"""The figure of intruder dimensions: what is drawn, and what the text beside it says."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lm_interpolation.analyses.intruder_tables import (
    MATRIX_COLUMNS,
    MATRIX_VALUES,
    THRESHOLD_COLUMNS,
    THRESHOLD_VALUES,
)
from lm_interpolation.figures.finding_intruders import find_intruders
from lm_interpolation.figures.plot_intruders import plot_intruders
from lm_interpolation.figures.style import save_figure
from lm_interpolation.tables.tables import write_table


def matrices() -> pd.DataFrame:
    """Two matrices in each of three blocks: LoRA has as many as the block's number plus 1, or 3 more."""
    rows = []
    for model in ("lora", "full"):
        for layer in range(3):
            for name, more in (("attn.c_attn", 0), ("mlp.c_fc", 2)):
                count = layer + 1 + more if model == "lora" else 0
                tensor = f"transformer.h.{layer}.{name}.weight"
                rows.append((model, tensor, "mlp", layer, 8, 4, 0.0 if count == 0 and more else 0.1, 4, count))
    return pd.DataFrame(rows, columns=MATRIX_COLUMNS)


def thresholds() -> pd.DataFrame:
    rows = []
    for model, slope in (("lora", 6.0), ("full", 0.2)):
        for epsilon in (0.25, 0.5, 0.75):
            value = slope * epsilon
            rows.append((model, epsilon, value, value * 0.8, value * 1.2, 0.5, 6))
    return pd.DataFrame(rows, columns=THRESHOLD_COLUMNS)


def test_two_panels_show_each_model(tmp_path: Path) -> None:
    figure = plot_intruders(matrices(), thresholds(), k=10, epsilon=0.5, title="Intruders")
    figure.draw_without_rendering()
    by_threshold, by_block = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["lora", "full"]
    lora, full, dashed = by_threshold.lines
    np.testing.assert_allclose(lora.get_xdata(), [0.25, 0.5, 0.75])
    np.testing.assert_allclose(lora.get_ydata(), [1.5, 3, 4.5])
    np.testing.assert_allclose(full.get_ydata(), [0.05, 0.1, 0.15])
    assert list(dashed.get_xdata()) == [0.5, 0.5] and dashed.get_linestyle() == "--"
    np.testing.assert_allclose(by_block.lines[0].get_xdata(), [0, 1, 2])
    np.testing.assert_allclose(by_block.lines[0].get_ydata(), [2, 3, 4])
    assert by_block.get_ylabel() == "intruders per matrix, of 10" and "ε = 0.5" in by_block.get_xlabel()
    save_figure(figure, tmp_path / "f.png", tmp_path / "f.pdf", 60)
    plt.close("all")


def test_one_matrix_has_no_band() -> None:
    table = thresholds().assign(low=np.nan, high=np.nan)
    figure = plot_intruders(matrices(), table, k=10, epsilon=0.5)
    figure.draw_without_rendering()
    plt.close("all")


@pytest.mark.parametrize(
    ("other", "words"),
    [(0.1, "full has fewer than lora beyond chance."), (2.9, "full against lora: no difference shown.")],
)
def test_the_text_says_how_many_and_who_has_more(tmp_path: Path, other: float, words: str) -> None:
    table = thresholds()
    place = (table["model"] == "full") & (table["epsilon"] == 0.5)
    table.loc[place, ["intruders", "low", "high"]] = [other, other - 0.05, other + 0.05]
    write_table(matrices(), tmp_path / "i.csv", MATRIX_VALUES)
    write_table(table, tmp_path / "i_thresholds.csv", THRESHOLD_VALUES)
    one, two, compared, last = find_intruders(
        [tmp_path / "i.csv", tmp_path / "i_thresholds.csv"], {}, k=10, epsilon=0.5
    )
    assert one == (
        "lora: 3 [2.4, 3.6] intruders per matrix among the first 10 singular vectors, in 50 % of 6 matrices."
    )
    assert two.startswith("full: ") and two.endswith("in 50 % of 6 matrices; 3 did not move.")
    assert compared == words and last.startswith("Intervals are over matrices")


def test_no_intruders_at_all_is_a_line_at_the_bottom() -> None:
    figure = plot_intruders(
        matrices().assign(intruders=0), thresholds().assign(intruders=0.0, low=0.0, high=0.0), k=10, epsilon=0.5
    )
    assert all(axes.get_ylim() == (-0.05, 1) for axes in figure.axes)
    plt.close("all")
