"""The claim clusters: its value, interval and verdict, from the table of an analysis of regions."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter

from lm_interpolation.claims.data import ClaimData, read_analysis
from lm_interpolation.claims.verdicts import judge
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study import verdicts
from lm_interpolation.study.kinds.catalog import AnyClaim
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.study import Study
from lm_interpolation.tables.tables import write_table
from tests.study.test_config import full_config


def verdict(folder: Path, row: dict[str, Any], **keys: Any) -> dict[str, Any]:
    common = {"label": "data", "measure": "cosine", "clusters": 12, "f1": 0.95, "ari": 0.9, "p": 1e-4}
    table = pd.DataFrame([common | row, common | row | {"measure": "distance", "accuracy": 0.3}])
    write_table(table, folder / "areas_clusters.csv", ["accuracy", "effective"])
    written = {"test": "clusters", "analysis": "areas", "label": "data", "threshold": 0.9, "reason": "ours"} | keys
    claim: Claim = TypeAdapter(AnyClaim).validate_python(written)
    data = ClaimData({}, {}, {}, lambda *_: pd.DataFrame(), {"areas": read_analysis(folder / "areas_clusters.csv")}, {}, {}, 0)  # fmt: skip # noqa: E501
    return judge(claim.settings("mine"), data)


def test_perfect_clusters_of_enough_models_hold(tmp_path: Path) -> None:
    found = verdict(tmp_path, {"accuracy": 1.0, "models": 60, "effective": 60.0})
    assert (found["value"], found["high"], found["verdict"]) == (1, 1, "holds")
    assert found["low"] == pytest.approx(0.025 ** (1 / 60), rel=1e-5)
    assert (found["units"], found["unit_kind"], found["unit"]) == (60, "models", "share")
    assert found["note"] == (
        "60 models in 12 clusters, as uncertain as 60 independent models; F1 0.95, adjusted Rand index 0.9, "
        "label-permutation p 0.0001"
    )
    assert found["p"] < 0.05
    assert found["statement"] == "Models with one data are a cluster in weight space, by the cosine of displacements"


def test_few_or_unsteady_models_leave_it_open(tmp_path: Path) -> None:
    few = verdict(tmp_path, {"accuracy": 1.0, "models": 20, "effective": 20.0})
    assert few["verdict"] == "undecided" and "about 36 models would decide it, there are 20" in few["note"]
    unsteady = verdict(tmp_path, {"accuracy": 1.0, "models": 60, "effective": 12.5})
    assert unsteady["verdict"] == "undecided" and "as uncertain as 12.5 independent models" in unsteady["note"]
    fewer = verdict(tmp_path, {"accuracy": 1.0, "models": 7, "effective": 7.0}, threshold=0.1)
    assert fewer["verdict"] == "undecided" and "a verdict needs 8 models" in fewer["note"]


def test_another_measure_has_a_verdict_of_its_own(tmp_path: Path) -> None:
    found = verdict(tmp_path, {"accuracy": 1.0, "models": 60, "effective": 60.0}, measure="distance")
    assert (found["value"], found["verdict"]) == (0.3, "refuted")
    with pytest.raises(UserError, match=r"claims\.mine: .*has no measure 'weights'"):
        verdict(tmp_path, {"accuracy": 1.0, "models": 60, "effective": 60.0}, measure="weights")


def test_the_claim_reads_the_clusters_of_its_analysis() -> None:
    study = Study(full_config())
    read = dict(zip(verdicts.settings(study)["tables"], verdicts.inputs(study)["tables"], strict=True))
    assert read["areas"] == "results/small/tables/areas_clusters.csv"


def test_a_label_that_the_analysis_lacks() -> None:
    config = full_config()
    config["claims"]["grouped"]["label"] = "taks"
    with pytest.raises(UserError, match=r"claims\.grouped\.label: .*'taks' .*did you mean 'task'\?"):
        Study(config)
