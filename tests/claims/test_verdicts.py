"""Claims over several trainings: every kind goes through one place, and the page shows each training."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.claims.data import ClaimData
from lm_interpolation.claims.page import claims_markdown
from lm_interpolation.claims.verdicts import corrected, judge
from lm_interpolation.jobs.runtime import UserError
from tests.claims.test_claims import CURVE, constant, data, declare, line, score_rows
from tests.statistics.test_trainings import T2

REACH = CURVE | {"test": "reach", "than": "base", "sweep": "theta"}
"""How much higher theta reaches than base."""


def over(spec: Mapping[str, Any], seeds: Sequence[int], *keys: str) -> dict[str, Any]:
    """Settings of a claim whose ``keys`` name something that exists once for each seed."""
    settings = declare(spec).settings("c")
    trainings = [[str(seed), settings["keys"] | {key: f"{spec[key]}.s{seed}" for key in keys}] for seed in seeds]
    return settings | {"trainings": trainings}


def sweeps(highest: Sequence[float], prompts: int = 8, noise: float = 0.0) -> ClaimData:
    """A sweep ``base`` of score 0, and ``theta.s<seed>``, which reaches ``highest`` of that seed, for all prompts."""
    generator = np.random.default_rng(0)
    of_prompts = generator.normal(0, noise, size=(prompts, 1))
    made, scores = [], {}
    for name, value in {"base": 0.0, **{f"theta.s{seed}": value for seed, value in enumerate(highest)}}.items():
        made.append(line([0, 1], name))
        scores[name, "sentiment"] = score_rows(made[-1], constant([0, value], prompts) + (name != "base") * of_prompts)
    return data(made, scores)


def test_a_claim_is_judged_on_its_mean_over_trainings() -> None:
    entry = judge(over(REACH | {"threshold": 0}, [0, 1, 2], "sweep"), sweeps([0.4, 0.5, 0.6]))
    reach = T2 * 0.1 / math.sqrt(3)
    assert [entry["value"], entry["low"], entry["high"]] == pytest.approx([0.5, 0.5 - reach, 0.5 + reach], rel=1e-5)
    assert (entry["verdict"], entry["units"], entry["unit_kind"]) == ("holds", 3, "trainings")
    assert entry["note"] == "over 3 trainings: 0.4 (seed 0), 0.5 (seed 1), 0.6 (seed 2)"
    assert [(one["seed"], one["value"], one["low"], one["verdict"]) for one in entry["trainings"]] == [
        ("0", 0.4, 0.4, "holds"),
        ("1", 0.5, 0.5, "holds"),
        ("2", 0.6, 0.6, "holds"),
    ]
    assert {(one["units"], one["unit_kind"]) for one in entry["trainings"]} == {(8, "prompts")}
    assert 0.001 < entry["p"] < 0.05


def test_trainings_that_each_hold_may_not_hold_together() -> None:
    # Each lies above 0.3, but another seed may well lie below.
    entry = judge(over(REACH | {"threshold": 0.3}, [0, 1, 2], "sweep"), sweeps([0.35, 0.55, 0.6]))
    assert [one["verdict"] for one in entry["trainings"]] == ["holds"] * 3
    assert entry["verdict"] == "undecided" and entry["units_to_decide"] > 3
    assert entry["note"].endswith(f"; about {entry['units_to_decide']} trainings would decide it, there are 3")


def test_prompts_count_beside_trainings() -> None:
    claim = over(REACH | {"threshold": 0}, [0, 1, 2], "sweep")
    quiet, noisy = (judge(claim, sweeps([0.5] * 3, prompts=12, noise=noise)) for noise in (0.0, 3.0))
    # All trainings have the same noise of prompts: they agree, and yet the mean is uncertain.
    assert quiet["low"] == quiet["high"] == 0.5
    alone = noisy["trainings"][0]
    assert [noisy["low"], noisy["high"]] == pytest.approx([alone["low"], alone["high"]])
    assert noisy["verdict"] == "undecided"
    told = "more trainings alone would not decide it: it takes more prompts (texts), too, or the value lies too near"
    assert told in noisy["note"]


@pytest.mark.parametrize(
    ("seeds", "prompts", "words"),
    [
        ([0, 1], 8, "a verdict needs 3 trainings, there are 2"),
        ([0, 1, 2], 5, "a verdict needs 8 prompts, there are 5"),
    ],
)
def test_few_trainings_or_prompts_give_no_verdict(seeds: list[int], prompts: int, words: str) -> None:
    entry = judge(over(REACH | {"threshold": 0}, seeds, "sweep"), sweeps([0.5] * 3, prompts))
    assert entry["verdict"] == "undecided" and words in entry["note"]
    assert (entry["value"], entry["p"]) == (0.5, None)


def test_one_replicate_is_judged_over_prompts() -> None:
    given = sweeps([0.4])
    entry = judge(over(REACH, [0], "sweep"), given)
    assert entry == judge(declare(REACH | {"sweep": "theta.s0"}).settings("c"), given) | {
        key: entry[key] for key in ("statement", "statistic")
    }
    assert entry["trainings"] == []


def test_a_training_without_a_value_leaves_the_claim_untested() -> None:
    claim = over(
        CURVE | {"test": "monotone", "sweep": "theta", "within": [0, 1], "direction": "rising"}, [0, 1], "sweep"
    )
    entry = judge(claim, sweeps([0.4, 0.5]))
    assert entry["verdict"] == "not tested"
    assert entry["note"] == "training with seed 0: a correlation needs 3 points in the range; theta.s0 has 2"
    with pytest.raises(UserError, match=r"claims\.c: has no scores"):
        judge(claim, broken())


def broken() -> ClaimData:
    def scores(*names: Any) -> pd.DataFrame:
        raise UserError("has no scores")

    made = sweeps([0.4, 0.5])
    return ClaimData(**{**vars(made), "scores": scores})


def test_a_computed_value_has_an_interval_over_trainings() -> None:
    spec = {
        "test": "linear",
        "analysis": "taylor",
        "quantity": "margin",
        "column": "r2",
        "threshold": 0.5,
        "reason": "x",
    }
    tables = {
        f"taylor.s{seed}": pd.DataFrame({"quantity": ["margin"], "r2": [str(value)]})
        for seed, value in enumerate([0.8, 0.9, 1.0])
    }
    entry = judge(over(spec, [0, 1, 2], "analysis"), data(tables=tables))
    reach = T2 * 0.1 / math.sqrt(3)
    assert [entry["value"], entry["low"], entry["high"]] == pytest.approx([0.9, 0.9 - reach, 0.9 + reach], rel=1e-5)
    assert entry["verdict"] == "holds"
    assert [(one["value"], one["low"], one["units"]) for one in entry["trainings"]] == [
        (0.8, None, None),
        (0.9, None, None),
        (1.0, None, None),
    ]
    (row,) = [row for row in claims_markdown("s", corrected([entry]), [], []).splitlines() if "(`c`)" in row]
    assert "| 3 trainings |" in row


def test_limits_lie_where_the_statistic_can() -> None:
    spec = CURVE | {"test": "difference", "sweep": "theta", "other": "base", "within": [0, 1], "scale": "linear"}
    entry = judge(over(spec, [0, 1, 2], "sweep"), sweeps([0.0, 0.01, 0.2]))
    assert entry["low"] == 0 and entry["high"] > 0.2


def test_the_page_shows_each_training_and_says_what_verdicts_are_over() -> None:
    given = sweeps([0.4, 0.5, 0.6])
    alone = declare(REACH | {"sweep": "theta.s0", "threshold": 0.45}).settings("alone")
    entries = corrected([judge(over(REACH | {"threshold": 0}, [0, 1, 2], "sweep"), given), judge(alone, given)])
    text = claims_markdown("demo", entries, [], [])
    assert "| 3 trainings, 8 prompts | at least 0 | **holds** |" in text
    assert "| 8 prompts; one training | at least 0.45 | **refuted** |" in text
    assert "- Value: over 3 trainings: 0.4 (seed 0), 0.5 (seed 1), 0.6 (seed 2)\n" in text
    assert "- Seed 1 alone: 0.5 [0.5, 0.5], holds over 8 prompts\n" in text
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries
