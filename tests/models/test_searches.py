"""Trials, their ids and runs, and the choice among them."""

import json
import math
from pathlib import Path

import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.searches import (
    SEARCH_COLUMNS,
    SEARCH_VALUES,
    Trial,
    read_metrics,
    search_table,
    trial_id,
    trials,
)
from lm_interpolation.tables.tables import read_table, write_table


@pytest.mark.parametrize(
    ("values", "identifier"),
    [
        ((2e-4, 16, 40), "learning_rate=0.0002+batch_size=16+steps=40"),
        ((1e-7, 16, None), "learning_rate=0.0000001+batch_size=16"),
        ((1.25e-05, 100, 3000), "learning_rate=0.0000125+batch_size=100+steps=3000"),
        ((1.0, 8, 1), "learning_rate=1+batch_size=8+steps=1"),
        ((10, 8, 1), "learning_rate=10+batch_size=8+steps=1"),
        ((0.1 + 0.2, 8, 1), "learning_rate=0.30000000000000004+batch_size=8+steps=1"),
    ],
)
def test_ids_are_plain(values, identifier):
    assert trial_id(*values) == identifier


# Table 1 of the paper is 3 x 4 x 3.
GRID = {"learning_rate": [1e-6, 1e-5, 1e-4], "batch_size": [8, 16, 32, 64], "steps": [1000, 500, 2000]}


def test_every_combination_is_a_run():
    found = trials(GRID, "linear")
    assert len({trial.id for trial in found}) == 36
    assert found[1] == Trial(1e-6, 8, 500, (500,), False)
    assert found[1].id == "learning_rate=0.000001+batch_size=8+steps=500"
    assert {(t.learning_rate, t.batch_size, t.steps) for t in found} == {
        (rate, size, steps) for rate in GRID["learning_rate"] for size in GRID["batch_size"] for steps in GRID["steps"]
    }


def test_a_constant_rate_shares_runs():
    found = trials(GRID, "constant_with_warmup")
    assert len({trial.id for trial in found}) == 12
    assert found[0] == Trial(1e-6, 8, 2000, (500, 1000, 2000), True)
    assert found[0].id == "learning_rate=0.000001+batch_size=8"


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("learning_rate", [1e-4, 0.0001], "learning_rate: 0.0001 is listed twice"),
        ("steps", [], "steps: is empty"),
        ("batch_size", [8, 0], "batch_size: 0 is not positive"),
        ("learning_rate", [math.nan], "learning_rate: nan is not positive"),
    ],
)
def test_mistakes_in_the_grid(key, values, message):
    with pytest.raises(UserError, match=message):
        trials(GRID | {key: values}, "linear")


def metrics(path: Path, *evaluations: dict) -> Path:
    path.write_text(json.dumps({"evaluations": list(evaluations)}))
    return path


def entry(steps: int, loss: float | None) -> dict:
    return {"steps": steps, "dev_loss": loss, "dev_perplexity": None if loss is None else math.exp(loss)}


TRIAL = {"learning_rate": 1e-4, "batch_size": 16, "steps": 80, "checkpoints": [40, 80]}


def test_metrics_of_a_run(tmp_path):
    rows = read_metrics(metrics(tmp_path / "m.json", entry(80, None), entry(40, 2.0)), TRIAL)
    assert rows[0] == {
        "learning_rate": 1e-4, "batch_size": 16, "steps": 40, "dev_loss": 2.0, "dev_perplexity": math.exp(2)
    }  # fmt: skip
    assert rows[1]["steps"] == 80 and math.isnan(rows[1]["dev_loss"]) and math.isnan(rows[1]["dev_perplexity"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"evaluations": [{"steps": 40', "m.json: not the metrics of a trial"),
        ('{"steps": 40}', "m.json: not the metrics of a trial"),
        (
            '{"evaluations": [{"steps": 40, "dev_loss": 1, "dev_perplexity": 2}]}',
            r"at steps \[40\], expected \[40, 80\]",
        ),
        (json.dumps({"evaluations": [entry(40, 1), entry(40, 1), entry(80, 1)]}), r"at steps \[40, 40, 80\]"),
        (json.dumps({"evaluations": [entry(40, 1), entry(80, math.nan)]}), "after 80 steps are"),
        (json.dumps({"evaluations": [entry(40, 1), entry(80, 1) | {"dev_loss": None}]}), "after 80 steps are"),
    ],
)
def test_metrics_that_do_not_hold(tmp_path, text, message):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_metrics(tmp_path / "m.json", TRIAL)


def row(rate: float, size: int, steps: int, loss: float) -> dict:
    return {
        "learning_rate": rate, "batch_size": size, "steps": steps, "dev_loss": loss, "dev_perplexity": math.exp(loss)
    }  # fmt: skip


def chosen(*rows: dict) -> tuple:
    table = search_table("positive", rows, {"learning_rate": 1, "batch_size": 1, "steps": 1})
    assert table["chosen"].sum() == 1
    return tuple(table[table["chosen"]].iloc[0][["learning_rate", "batch_size", "steps"]])


def test_choice():
    assert chosen(row(0.1, 8, 10, 3.0), row(0.2, 8, 10, 2.0), row(0.3, 8, 10, 2.5)) == (0.2, 8, 10)
    # Equal losses: fewer steps, then the smaller batch, then the lower rate.
    assert chosen(row(0.1, 4, 20, 2.0), row(0.2, 8, 10, 2.0)) == (0.2, 8, 10)
    assert chosen(row(0.1, 8, 10, 2.0), row(0.2, 4, 10, 2.0)) == (0.2, 4, 10)
    assert chosen(row(0.2, 8, 10, 2.0), row(0.1, 8, 10, 2.0)) == (0.1, 8, 10)
    # What diverged is never chosen.
    assert chosen(row(0.1, 8, 10, math.nan), row(0.2, 8, 10, 9.0)) == (0.2, 8, 10)
    with pytest.raises(UserError, match="search positive: all trials diverged"):
        chosen(row(0.1, 8, 10, math.nan))
    with pytest.raises(ValueError, match="twice"):
        chosen(row(0.1, 8, 10, 1.0), row(0.1, 8, 10, 2.0))


def test_table_and_its_file(tmp_path):
    rows = [row(1e-6, 16, 40, 1.5), row(1e-6, 8, 80, math.nan), row(1e-6, 8, 40, 2 / 3)]
    table = search_table("positive", rows, {"learning_rate": 1e-6, "batch_size": 16, "steps": 40})
    assert list(table) == SEARCH_COLUMNS
    write_table(table, tmp_path / "s.csv", SEARCH_VALUES)
    assert (tmp_path / "s.csv").read_text().splitlines() == [
        "search,learning_rate,batch_size,steps,dev_loss,dev_perplexity,chosen,configured",
        "positive,1e-06,8,40,0.666667,1.94773,true,false",
        "positive,1e-06,8,80,,,false,false",
        "positive,1e-06,16,40,1.5,4.48169,false,true",
    ]
    back = read_table(tmp_path / "s.csv", SEARCH_VALUES)
    assert back["chosen"].tolist() == [True, False, False] and back["dev_loss"].isna().sum() == 1
    # A study may train its model with a setting that was not tried.
    away = search_table("positive", rows, {"learning_rate": 1e-6, "batch_size": 16, "steps": 80})
    assert not away["configured"].any()
