"""The claim auc: how well the tuning contribution tells groups of texts apart."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.analyses.contribution_tables import CONTRIBUTION_COLUMNS, group_table
from lm_interpolation.jobs.runtime import UserError
from tests.claims.test_claims import data, result

SPEC: dict[str, Any] = {
    "test": "auc",
    "analysis": "tuco",
    "group": "chat",
    "against": "web",
    "threshold": 0.8,
    "reason": "as in the paper",
}


def table(apart: float, texts: int = 100) -> pd.DataFrame:
    """Contributions of both groups, whose means lie so many standard deviations apart."""
    generator = np.random.default_rng(1)
    rows = [
        (group, place, 9, 0.2 + 0.02 * value, 1.0, 0.25)
        for group, mean in (("chat", apart), ("web", 0.0))
        for place, value in enumerate(generator.normal(mean, 1, texts))
    ]
    return pd.DataFrame(rows, columns=CONTRIBUTION_COLUMNS)


def measured(contributions: pd.DataFrame, **changes: Any) -> dict[str, Any]:
    return result(SPEC | changes, data(tables={"tuco": contributions.astype(str)}))


@pytest.mark.parametrize(
    ("apart", "verdict"), [(2.0, "holds"), (1.2, "undecided"), (0.3, "refuted"), (-2.0, "refuted")]
)
def test_verdicts(apart: float, verdict: str) -> None:
    entry = measured(table(apart))
    assert entry["verdict"] == verdict and entry["low"] < entry["value"] < entry["high"]
    assert (entry["units"], entry["unit_kind"], entry["unit"], entry["direction"]) == (
        100, "texts", "probability", "at least",
    )  # fmt: skip
    assert entry["note"].startswith("mean 0.") and "over 100 chat texts" in entry["note"]


def test_the_verdict_is_about_the_value_in_the_table() -> None:
    contributions = table(1.0)
    row = group_table(contributions, "web", 4000, 0).set_index("group").loc["chat"]
    entry = measured(contributions)
    assert entry["value"] == pytest.approx(row["auc"], rel=1e-5)
    other_way = measured(contributions, group="web", against="chat")
    assert other_way["value"] == pytest.approx(1 - row["auc"], rel=1e-5)


def test_few_texts_give_no_verdict() -> None:
    entry = measured(table(4.0, texts=5))
    assert entry["value"] == 1 and entry["verdict"] == "undecided"


def test_a_table_without_the_group_is_an_error() -> None:
    with pytest.raises(UserError, match="no tuning contributions of group 'chat'; there are web"):
        measured(table(1.0).query("group == 'web'"))
