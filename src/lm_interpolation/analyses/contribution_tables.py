"""Tuning contributions as tables: of each text, of groups of texts, and of blocks. No model is needed here."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.statistics.inference import DRAWS, TAIL, bootstrap_ratio
from lm_interpolation.statistics.superiority import Comparison, Superiority

if TYPE_CHECKING:
    from lm_interpolation.analyses.tuning_contribution import Contributions

CONTRIBUTION_COLUMNS = ["group", "text", "tokens", "tuco", "pretraining", "tuning"]
CONTRIBUTION_VALUES = ["tuco", "pretraining", "tuning"]
"""The columns that ``tables.write_table`` rounds."""
GROUP_COLUMNS = ["group", "estimate", "low", "high", "auc", "auc_low", "auc_high", "n_texts"]
GROUP_VALUES = ["estimate", "low", "high", "auc", "auc_low", "auc_high"]
BLOCK_COLUMNS = ["group", "layer", "estimate", "low", "high", "n_texts"]
BLOCK_VALUES = ["estimate", "low", "high"]


def contribution_table(found: "Contributions", texts: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The columns ``CONTRIBUTION_COLUMNS``, a row for each of ``texts`` (group -> texts); ``text`` counts from 0."""
    values = {"tokens": found.tokens, "tuco": found.tuco, "pretraining": found.pretraining, "tuning": found.tuning}
    return pd.DataFrame({"group": _groups(texts), "text": _places(texts), **values})[CONTRIBUTION_COLUMNS]


def read_contributions(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of ``contribution_table`` as it was written. A group may well be called "null"."""
    return _read(path)


def read_groups(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of ``group_table`` as it was written; AUC is NaN for the texts that groups are compared with."""
    return _read(path, GROUP_VALUES)


def read_blocks(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of ``block_table`` as it was written."""
    return _read(path, BLOCK_VALUES)


def group_table(contributions: pd.DataFrame, against: str, resamples: int, seed: int) -> pd.DataFrame:
    """Mean TuCo of each group of ``contributions`` and its AUC, with 95 % intervals: the columns ``GROUP_COLUMNS``.

    Groups are in the order of ``contributions`` (see ``contribution_table``); that of ``against`` has no AUC.
    """
    rows = []
    for group, part in contributions.groupby("group", sort=False):
        values = part["tuco"].to_numpy(np.float64)[:, None]
        mean = [float(ends[0]) for ends in bootstrap_ratio(values, np.ones_like(values), resamples, seed)]
        told = [np.nan] * 3
        if group != against:
            found = auc(contributions, str(group), against, seed, resamples)
            told = [found.value, *found.limits(TAIL)]
        rows.append((group, *mean, *told, len(part)))
    return pd.DataFrame(rows, columns=GROUP_COLUMNS)


def block_table(
    values: npt.NDArray[np.float64], texts: Mapping[str, Sequence[str]], resamples: int, seed: int
) -> pd.DataFrame:
    """Mean TuCo of each block alone, ``values`` (n, blocks), for each group of ``texts``: columns ``BLOCK_COLUMNS``."""
    groups = np.array(_groups(texts), dtype=object)
    rows = []
    for group in texts:
        part = values[groups == group]
        ends = zip(*bootstrap_ratio(part, np.ones_like(part), resamples, seed), strict=True)
        rows += [(group, layer, *map(float, each), len(part)) for layer, each in enumerate(ends)]
    return pd.DataFrame(rows, columns=BLOCK_COLUMNS)


def auc(contributions: pd.DataFrame, group: str, against: str, seed: int, draws: int = DRAWS) -> Superiority:
    """Area under the ROC curve of TuCo that tells texts of ``group`` from those of ``against``.

    It is the probability that a random text of the group has the larger TuCo, P(larger) + P(equal) / 2; its interval is
    over texts. Raises ``UserError`` if a group has no texts.
    """
    sides = [contributions.loc[contributions["group"] == name, "tuco"] for name in (against, group)]
    for name, values in zip((against, group), sides, strict=True):
        if values.empty:
            known = ", ".join(dict.fromkeys(contributions["group"]))
            raise UserError(f"no tuning contributions of group {name!r}; there are {known}")
    low, high = (values.to_numpy(np.float64) for values in sides)
    units = np.arange(len(low) + len(high))
    compared = Comparison(low, units[: len(low)], high, units[len(low) :])
    strata = [against] * len(low) + [group] * len(high)
    return Superiority([[compared]], strata, min(len(low), len(high)), seed, draws)


def _groups(texts: Mapping[str, Sequence[str]]) -> list[str]:
    return [group for group, members in texts.items() for _ in members]


def _places(texts: Mapping[str, Sequence[str]]) -> list[int]:
    return [place for members in texts.values() for place in range(len(members))]


def _read(path: str | os.PathLike[str], missing: Sequence[str] = ()) -> pd.DataFrame:
    empty = {column: [""] for column in missing}
    return pd.read_csv(path, dtype={"group": str}, keep_default_na=False, na_values=empty)
