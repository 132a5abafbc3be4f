"""Fisher merging and RegMean through Snakemake: statistics, texts and losses of their points, and what runs again."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file

from tests.whole.test_workflow import ROOT, all_planned, copy_sources, finish

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

TINY = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))


def study() -> dict[str, Any]:
    """Two experts under both methods, with texts of one of them and losses of both."""
    sweep = {
        "origin": {"base": 1},
        "directions": {"gamma": {"positive": 1, "negative": 1, "base": -2}},
        "grid": {"gamma": [0, 0.5]},
    }
    losses = {"kind": "loss", "corpus": "reviews", "limit": 20}
    return {
        "study": "tiny",
        "corpora": {name: TINY["corpora"][name] for name in ("general", "reviews")},
        "tokenizers": TINY["tokenizers"],
        "models": {name: TINY["models"][name] for name in ("base", "positive", "negative")},
        "prompts": TINY["prompts"],
        "generation": TINY["generation"],
        "scorers": {"distinct": TINY["scorers"]["distinct"]},
        "statistics": {"information": {"kind": "fisher", "limit": 5}, "inputs": {"kind": "gram", "limit": 5}},
        "methods": {
            "fisher": {"base": "base", "combine": {"by": "fisher", "statistic": "information"}},
            "regmean": {"base": "base", "combine": {"by": "regmean", "statistic": "inputs"}},
        },
        "sweeps": {
            "plain": sweep,
            "fisher": {**sweep, "method": "fisher", "prompts": ["neutral"]},
            "regmean": {**sweep, "method": "regmean"},
        },
        "analyses": {f"{name}-loss": {**losses, "sweep": name} for name in ("plain", "fisher", "regmean")},
    }


def test_points_by_statistics_of_their_models(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(study(), sort_keys=False))
    finish(tmp_path)
    assert not set(all_planned(tmp_path)) - {"summary", "overview"}
    top = tmp_path / "results" / "tiny"
    files = sorted(path.relative_to(top / "statistics").as_posix() for path in (top / "statistics").rglob("*.*"))
    experts = ("negative.safetensors", "positive.safetensors")
    assert files == [f"{name}/{file}" for name in ("information", "inputs") for file in experts]
    weights = load_file(top / "models" / "positive" / "model.safetensors")
    found = load_file(top / "statistics" / "information" / "positive.safetensors")
    assert {name: values.shape for name, values in found.items()} == {
        name: values.shape for name, values in weights.items()
    }
    assert all((values >= 0).all() for values in found.values())
    losses = {
        name: pd.read_csv(top / "tables" / f"{name}-loss.csv").query("statistic == 'nll_token'").set_index("gamma")
        for name in ("plain", "fisher", "regmean")
    }
    at_base = {table["estimate"][0] for table in losses.values()}
    halfway = {name: table["estimate"][0.5] for name, table in losses.items()}
    assert len(at_base) == 1 and len(set(halfway.values())) == 3
    # A change of one statistic makes what it decides on again, and trains nothing.
    changed = study()
    changed["statistics"]["information"]["limit"] = 6
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    planned = set(all_planned(tmp_path))
    assert {"fisher_information", "merge_by_method", "evaluate_losses"} <= planned
    assert not planned & {"train_language_model", "train_starting_model", "input_grams", "corpus"}
