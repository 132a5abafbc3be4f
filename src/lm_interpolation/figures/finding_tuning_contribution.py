"""What a figure of tuning contributions shows: how large they are, and how well they tell groups of texts apart."""

import os
from collections.abc import Mapping, Sequence

from lm_interpolation.analyses.contribution_tables import read_blocks, read_groups
from lm_interpolation.figures.phrases import Value, counted, listed
from lm_interpolation.scores.judges import Judge
from lm_interpolation.statistics.inference import LEAST_UNITS


def find_tuning_contribution(
    paths: Sequence[str | os.PathLike[str]], judges: Mapping[str, Judge], *, against: str
) -> list[str]:
    """The mean of each group, a sentence on each AUC, and the block with the largest contribution of each group.

    ``paths`` are the tables of texts, of groups and of blocks.
    """
    groups, blocks = read_groups(paths[1]), read_blocks(paths[2])
    means = [f"{Value.of(row)} on {row['group']} texts" for _, row in groups.iterrows()]
    found = [f"Mean tuning contribution: {listed(means)}."]
    for row in groups[groups["group"] != against].to_dict("records"):
        value = Value(row["auc"], row["auc_low"], row["auc_high"])
        found.append(f"It tells {row['group']} texts from {against} ones with an AUC of {value}{_shown(value)}.")
    largest = []
    for group, part in blocks.groupby("group", sort=False):
        most = part.iloc[int(part["estimate"].to_numpy().argmax())]
        largest.append(f"{most['layer']} on {group} texts ({Value.of(most)})")
    found.append(f"The block that fine-tuning contributes most to is number {listed(largest)}.")
    if (least := int(groups["n_texts"].min())) < LEAST_UNITS:
        found.append(f"Intervals rest on {counted(least, 'text')} only, too few for a verdict.")
    return found


def _shown(value: Value) -> str:
    if value.low > 0.5:
        return ", larger there beyond chance"
    return ", smaller there beyond chance" if value.high < 0.5 else ", no difference shown"
