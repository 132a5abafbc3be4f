"""Fig. 10 with an aligned model, through Snakemake: both lines, their barriers, and the verdict on the difference."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file

from tests.whole.test_workflow import ROOT, all_planned, copy_sources, finish

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

TINY = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))


def study() -> dict[str, Any]:
    """Two unrelated models, one of them also aligned, with the losses along both lines."""
    base = TINY["models"]["base"]
    models = {
        "base": base,
        "scratch": {**base, "training": {**base["training"], "seed": 7}},
        "aligned": {"task": "language-model", "start": {"align": "scratch", "to": "base"}},
    }

    def line(model: str) -> dict[str, Any]:
        return {"origin": {"base": 1}, "directions": {"alpha": {model: 1, "base": -1}}, "grid": {"alpha": [0, 0.5, 1]}}

    def losses(sweep: str) -> dict[str, Any]:
        return {"kind": "loss", "sweep": sweep, "corpus": "general", "limit": 20}

    return {
        "study": "tiny",
        "corpora": {"general": TINY["corpora"]["general"]},
        "tokenizers": TINY["tokenizers"],
        "models": models,
        "sweeps": {"unrelated": line("scratch"), "rebasin": line("aligned")},
        "analyses": {"unrelated-loss": losses("unrelated"), "rebasin-loss": losses("rebasin")},
        "claims": {
            "lower": {
                "test": "lower_loss",
                "point": {"analysis": "rebasin-loss", "at": {"alpha": 0.5}},
                "baseline": {"analysis": "unrelated-loss", "at": {"alpha": 0.5}},
                "statistic": "nll_token",
                "threshold": 0,
                "reason": "ours",
            }
        },
    }


def test_a_line_to_an_aligned_model(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(study(), sort_keys=False))
    finish(tmp_path)
    assert not set(all_planned(tmp_path)) - {"summary", "overview"}
    top = tmp_path / "results" / "tiny"
    weights = {path.name: load_file(path / "model.safetensors") for path in (top / "models").iterdir()}
    for key, value in weights["scratch"].items():
        assert np.array_equal(*(np.sort(one, axis=None) for one in (value, weights["aligned"][key]))), key
    found = json.loads((top / "training" / "aligned" / "alignment.json").read_text())
    assert {key: found[key] for key in ("model", "to", "permute", "seed")} == {
        "model": "scratch",
        "to": "base",
        "permute": ["residual", "heads", "mlp"],
        "seed": 0,
    }
    assert found["converged"] and len(found["inner_products"]) == found["sweeps"] + 1
    assert (np.diff(found["inner_products"]) >= 0).all()
    assert found["distance"]["after"] < found["distance"]["before"]
    # The ends of both lines are one function.
    tables = [pd.read_csv(top / "tables" / f"{name}-loss.csv") for name in ("unrelated", "rebasin")]
    one, two = (table[table["statistic"] == "nll_token"].set_index("alpha")["estimate"] for table in tables)
    np.testing.assert_allclose(one[[0, 1]], two[[0, 1]], rtol=1e-5)
    (entry,) = json.loads((top / "claims.json").read_text())
    assert entry["value"] == pytest.approx(two[0.5] - one[0.5], abs=1e-4)
