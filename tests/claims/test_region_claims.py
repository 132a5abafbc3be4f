"""The claim region: PB of kinds of points, and what decides it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.analyses.region_tables import superiority_table
from lm_interpolation.jobs.runtime import UserError
from tests.claims.test_claims import data, declare, result

SPEC: dict[str, Any] = {"test": "region", "analysis": "area", "threshold": 0.9, "reason": "as in the paper"}


def table(groups: int, models: int, hull: float, outside: float, noise: float = 0.1) -> pd.DataFrame:
    """Losses of a data set per group: models at 1, plus noise; points of the hull and outside at these values."""
    random = np.random.default_rng(0)
    rows = []
    for group in range(groups):
        own = [f"m{group}.s{seed}" for seed in range(models)]
        others = [f"m{other}.s{seed}" for other in range(groups) for seed in range(models) if other != group]
        for kind, points, level in (
            ("in", own, 1.0),
            ("in'", [f"hull {number}" for number in range(models)], hull),
            ("ex", others, outside),
        ):
            for point in points:
                loss = group + level + noise * random.normal()
                rows.append((f"g{group}", f"d{group}", kind, point, 1, loss, 60))
    return pd.DataFrame(rows, columns=["group", "data", "kind", "point", "models", "loss", "n_texts"])


def as_read(losses: pd.DataFrame) -> pd.DataFrame:
    return losses.astype(str)


def test_a_hull_that_is_better_than_all_outside() -> None:
    losses = table(12, 5, hull=0.9, outside=3)
    entry = result(SPEC | {"compare": "in'-ex"}, data(tables={"area": as_read(losses)}))
    assert (entry["value"], entry["high"], entry["verdict"]) == (1, 1, "holds")
    # Of sixty models none is worse.
    assert entry["low"] == pytest.approx(0.025 ** (1 / 60), rel=1e-5)
    assert (entry["units"], entry["unit_kind"], entry["unit"], entry["direction"]) == (
        60, "models", "probability", "at least",
    )  # fmt: skip
    assert entry["note"].startswith("12 groups; lowest 1 for g0")
    # Of ten models that all are better, nobody knows that nine in ten are.
    few = result(SPEC | {"compare": "in'-ex"}, data(tables={"area": as_read(table(2, 5, hull=0.9, outside=3))}))
    assert (few["value"], few["verdict"]) == (1, "undecided")


def test_a_hull_like_its_models_is_undecided_and_a_worse_one_is_refuted() -> None:
    same = table(12, 5, hull=1, outside=3)
    entry = result(SPEC | {"compare": "in'-in", "threshold": 0.5}, data(tables={"area": as_read(same)}))
    assert entry["low"] < 0.5 < entry["high"] and entry["verdict"] == "undecided"
    worse = result(
        SPEC | {"compare": "in'-in", "threshold": 0.5},
        data(tables={"area": as_read(table(12, 5, hull=1.5, outside=3))}),
    )
    assert (worse["value"], worse["verdict"]) == (0, "refuted")


def test_the_verdict_is_about_the_value_in_the_table() -> None:
    losses = table(4, 5, hull=0.95, outside=1.05)
    found = superiority_table(losses, resamples=2000, seed=1).set_index(["group", "pair"])
    for compare in ("in'-ex", "in'-in", "in-ex"):
        entry = result(SPEC | {"compare": compare}, data(tables={"area": as_read(losses)}))
        row = found.loc["all groups", compare]
        assert entry["value"] == pytest.approx(row["pb"], rel=1e-5)
        assert (entry["low"], entry["high"]) == (
            pytest.approx(row["low"], abs=0.02),
            pytest.approx(row["high"], abs=0.02),
        )


def test_a_table_without_a_kind_is_an_error() -> None:
    losses = table(2, 5, hull=1, outside=3)
    with pytest.raises(UserError, match=r"claims.c: group g0, data set d0: no loss of kind in'; delete the table"):
        result(SPEC | {"compare": "in'-ex"}, data(tables={"area": as_read(losses[losses["kind"] != "in'"])}))


def test_the_claim_in_words() -> None:
    words = declare(SPEC | {"compare": "in'-ex"}).words()
    assert (
        words["statement"]
        == "In area, points of the convex hull of a group's models have a lower loss than points outside"
    )
    assert words["statistic"] == "PB(in'-ex): probability of the lower loss, mean over data sets and groups"
