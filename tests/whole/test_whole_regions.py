"""Regions of a tiny study, from its trainings to the verdict, of language models and classifiers."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.whole.test_workflow import ROOT, all_planned, copy_sources, finish

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

TINY = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))
REGIONS = {
    "sets": {
        "good": {"models": ["positive"], "labels": {"data": "good", "task": "texts"}},
        "bad": {"models": ["negative"], "labels": {"data": "bad", "task": "texts"}},
        "judges": {"models": ["sentiment-judge", "grammar-judge"], "labels": {"data": "classes", "task": "classes"}},
    },
    "analyses": {
        "areas": {"kind": "regions", "base": "base", "sets": ["good", "bad", "judges"], "by": ["data", "task"]}
    },
    "figures": {
        "atlas": {"kind": "tsne", "analysis": "areas", "title": "A map"},
        "heat": {"kind": "similarity", "analysis": "areas"},
    },
    "claims": {
        "by-task": {"test": "clusters", "analysis": "areas", "label": "task", "threshold": 0.8, "reason": "For a test."}
    },
}


def study() -> dict[str, object]:
    family = {**TINY["models"]["positive"], "replicates": [0, 1]}
    models = {**TINY["models"], "positive": family, "negative": {**TINY["models"]["negative"], "replicates": [0, 1]}}
    parts = {key: TINY[key] for key in ("corpora", "tokenizers", "tables", "compute")}
    return {"study": "tiny", **parts, "models": models, **REGIONS}


def test_from_trainings_to_the_verdict(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(study(), sort_keys=False))
    finish(tmp_path)
    top = tmp_path / "results" / "tiny"
    tables = {
        name: pd.read_csv(top / "tables" / f"{name}.csv", keep_default_na=False)
        for name in ("areas", "areas_clusters", "areas_places")
    }
    members = ["positive.s0", "positive.s1", "negative.s0", "negative.s1", "sentiment-judge", "grammar-judge"]
    assert tables["areas_places"]["model"].tolist() == members * 2
    assert len(tables["areas"]) == 15
    clusters = tables["areas_clusters"]
    assert clusters["clusters"].tolist() == [3] * 3 + [2] * 3 and set(clusters["models"]) == {6}
    # The classifiers have a head, which neither the language models nor the base have.
    assert set(clusters["left_out"]) == {"score.weight"}
    for name in ("atlas", "heat"):
        assert (top / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        text = (top / "figures" / f"{name}.md").read_text()
        assert "Of 6 models in 3 spectral clusters" in text and "left out: score.weight." in text
        assert "similarity of the models of good, bad, judges by their displacements from base" in text
    assert "A row.** A pair of models." in (top / "tables" / "areas.md").read_text()
    claims = pd.read_json(top / "claims.json").set_index("name")
    assert claims.loc["by-task", "unit_kind"] == "models" and claims.loc["by-task", "units"] == 6
    assert claims.loc["by-task", "value"] == pytest.approx(clusters["accuracy"][3], rel=1e-5)
    assert all_planned(tmp_path) == {}
