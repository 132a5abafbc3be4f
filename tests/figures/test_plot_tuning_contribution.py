"""Figure and finding of tuning contributions."""

from pathlib import Path

import numpy as np
import pandas as pd

from lm_interpolation.analyses.contribution_tables import (
    BLOCK_VALUES,
    CONTRIBUTION_COLUMNS,
    CONTRIBUTION_VALUES,
    GROUP_VALUES,
    block_table,
    group_table,
    read_blocks,
    read_contributions,
    read_groups,
)
from lm_interpolation.figures.finding_tuning_contribution import find_tuning_contribution
from lm_interpolation.figures.plot_tuning_contribution import plot_tuning_contribution
from lm_interpolation.tables.tables import write_table

MEANS = {"praise": 0.3, "rant": 0.08, "null": 0.2}


def write(folder: Path, texts: int = 40) -> list[Path]:
    """Tables of three groups; the last is what others are compared with. Block 1 of two is the larger one."""
    generator = np.random.default_rng(0)
    rows = [
        (group, place, 7, value, 1.0, value)
        for group, mean in MEANS.items()
        for place, value in enumerate(generator.normal(mean, 0.02, texts))
    ]
    paths = [folder / f"{name}.csv" for name in ("texts", "groups", "blocks")]
    write_table(pd.DataFrame(rows, columns=CONTRIBUTION_COLUMNS), paths[0], CONTRIBUTION_VALUES)
    table = read_contributions(paths[0])
    write_table(group_table(table, "null", 500, 0), paths[1], GROUP_VALUES)
    values = table["tuco"].to_numpy()[:, None] * [0.5, 1.5]
    write_table(block_table(values, {group: [""] * texts for group in MEANS}, 500, 0), paths[2], BLOCK_VALUES)
    return paths


def test_groups_have_a_row_and_a_line_each(tmp_path: Path) -> None:
    texts, groups, blocks = write(tmp_path)
    figure = plot_tuning_contribution(
        read_contributions(texts), read_groups(groups), read_blocks(blocks), against="null", title="Shares"
    )
    figure.draw_without_rendering()
    left, right = figure.axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names[0].startswith("praise (n = 40)\nAUC 1 [") and names[1].startswith("rant (n = 40)\nAUC 0 [0, ")
    assert names[2] == "null (n = 40)"
    dots = [line for line in left.lines if line.get_linestyle() == "None"]
    for place, (dot, mean) in enumerate(zip(dots, MEANS.values(), strict=True)):
        assert len(dot.get_xdata()) == 40 and abs(np.mean(dot.get_xdata()) - mean) < 0.01
        assert np.abs(np.asarray(dot.get_ydata()) - place).max() <= 0.28
    # The first group is the highest row.
    assert left.get_ylim()[0] > left.get_ylim()[1]
    assert [text.get_text() for text in right.get_legend().get_texts()] == list(MEANS)
    for line, mean in zip(right.lines, MEANS.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [0, 1])
        np.testing.assert_allclose(line.get_ydata(), [0.5 * mean, 1.5 * mean], rtol=0.1)


def test_the_finding_says_which_texts_have_more(tmp_path: Path) -> None:
    mean, praise, rant, block = find_tuning_contribution(write(tmp_path), {}, against="null")
    assert mean.startswith("Mean tuning contribution: 0.299 [") and mean.count(" texts") == 3
    assert praise.startswith("It tells praise texts from null ones with an AUC of 1 [")
    assert praise.endswith(", larger there beyond chance.") and rant.endswith(", smaller there beyond chance.")
    assert block.startswith("The block that fine-tuning contributes most to is number 1 on praise texts (0.4")


def test_few_texts_give_no_verdict(tmp_path: Path) -> None:
    *_, last = find_tuning_contribution(write(tmp_path, texts=4), {}, against="null")
    assert last == "Intervals rest on 4 texts only, too few for a verdict."
