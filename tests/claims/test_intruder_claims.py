"""The claim intruders."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.analyses.intruder_tables import MATRIX_COLUMNS
from lm_interpolation.jobs.runtime import UserError
from tests.claims.test_claims import data, result

SPEC: dict[str, Any] = {
    "test": "intruders",
    "analysis": "new",
    "model": "lora",
    "against": "full",
    "threshold": 0.5,
    "reason": "ours",
}


def table(**counts: list[int]) -> pd.DataFrame:
    """Intruders of each model in its matrices, as the table is read."""
    rows = []
    for model, own in counts.items():
        for layer, count in enumerate(own):
            rows.append((model, f"h.{layer}.mlp.c_fc.weight", "mlp", layer, 8, 4, 0.1, 4, count))
    return pd.DataFrame(rows, columns=MATRIX_COLUMNS).astype(str)


def test_the_difference_is_paired_over_matrices() -> None:
    full = [0, 3, 1, 5, 2, 4, 0, 3, 2, 1]
    more = [2, 1, 1, 2, 1, 2, 2, 1, 1, 2]
    lora = [one + two for one, two in zip(full, more, strict=True)]
    entry = result(SPEC, data(tables={"new": table(lora=lora, full=full)}))
    assert entry["value"] == np.mean(more) and entry["verdict"] == "holds"
    assert (entry["units"], entry["unit_kind"], entry["direction"]) == (10, "matrices", "at least")
    # Unpaired it would be three times as wide.
    assert entry["low"] > 1 and entry["high"] < 2 and entry["note"] == "3.6 (lora) against 2.1 (full)"


def test_as_many_is_refuted_and_few_matrices_decide_nothing() -> None:
    same = [2, 1, 0, 3, 2, 1, 0, 1, 2, 3]
    entry = result(SPEC, data(tables={"new": table(lora=same, full=same)}))
    assert (entry["value"], entry["verdict"]) == (0, "refuted")
    few = result(SPEC, data(tables={"new": table(lora=[5, 4, 6, 5], full=[0, 0, 0, 0])}))
    assert few["verdict"] == "undecided" and "a verdict needs 8 matrices" in few["note"]


def test_a_model_that_the_table_lacks_is_an_error() -> None:
    with pytest.raises(UserError, match="has no model 'full'"):
        result(SPEC, data(tables={"new": table(lora=[1] * 9)}))
