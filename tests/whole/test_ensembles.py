"""Ensembles across sizes, and with members that are no models, through Snakemake and ``steer``."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from lm_interpolation.data.parquet import read_parquet
from tests.whole.test_workflow import ROOT, all_planned, copy_sources, finish

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

TINY = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))
STEER = [sys.executable, "-m", "lm_interpolation", "steer", "--config", "tiny.yaml", "--json"]
RULE = "combined@base=1+cheerful=20+flat=-20"


def study() -> dict[str, Any]:
    """A model, its expert, a smaller model, and ensembles of them with a union and a list of words."""
    models = {name: copy.deepcopy(TINY["models"][name]) for name in ("base", "positive")}
    models["small"] = copy.deepcopy(models["base"])
    models["small"]["start"]["architecture"] |= {"n_layer": 1, "n_embd": 8, "n_head": 2}

    def line(direction: dict[str, float], values: list[float]) -> dict[str, Any]:
        return {
            "space": "logits",
            "method": "combined",
            "origin": {"base": 1},
            "directions": {"gamma": direction},
            "grid": {"gamma": values},
            "prompts": ["neutral"],
        }

    return {
        "study": "tiny",
        "corpora": {name: TINY["corpora"][name] for name in ("general", "reviews")},
        "tokenizers": TINY["tokenizers"],
        "models": models,
        "prompts": TINY["prompts"],
        "generation": TINY["generation"] | {"nucleus": "small"},
        "scorers": {"distinct": TINY["scorers"]["distinct"]},
        "experts": {
            "either": {"kind": "max", "models": ["positive", "small"]},
            "cheerful": {"kind": "words", "words": {"qq": 1}},
            "flat": {"kind": "uniform"},
        },
        "methods": {"combined": {"space": "logits"}},
        "sweeps": {
            "sizes": line({"positive": 1, "small": -1}, [1]),
            "filtered": {
                key: value for key, value in line({"positive": 1, "small": -1}, [1]).items() if key != "method"
            },
            "contrast": line({"base": 1, "either": -1}, [1]),
            "words": line({"cheerful": 1, "flat": -1}, [0, 20]),
        },
    }


def continuations(top: Path, point: str) -> pd.DataFrame:
    return read_parquet(top / "texts" / "logits" / "neutral" / f"{point}.parquet").to_pandas()


def test_ensembles_of_sizes_unions_and_rules(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(study(), sort_keys=False))
    finish(tmp_path)
    assert not set(all_planned(tmp_path)) - {"summary", "overview"}
    top = tmp_path / "results" / "tiny"
    own, filtered = (continuations(top, f"{method}base=1+positive=1+small=-1") for method in ("combined@", ""))
    # Who decides which tokens may be sampled makes other texts.
    assert not own["continuation"].equals(filtered["continuation"])
    words, plain = (continuations(top, point)["continuation"] for point in (RULE, "combined@base=1"))
    # A word of several tokens, which the model would not write by itself.
    assert sum(" qq" in text for text in words) > len(words) / 2 and not any("qq" in text for text in plain)
    # A change of a rule makes its own texts again, and no others.
    changed = study()
    changed["experts"]["cheerful"]["words"]["qq"] = 2
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    planned = all_planned(tmp_path)
    assert planned["generate_ensemble"] == 1 and "train_language_model" not in planned
    # By coordinates and by members, steer samples the texts of the study.
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(study(), sort_keys=False))
    for point in (["--sweep", "words", "--point", "gamma=20"], ["--point", "combined base=1 cheerful=20 flat=-20"]):
        done = subprocess.run(
            [*STEER, *point, "--prompts", "neutral", "--row", "0", "--samples", "3"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        found = [json.loads(row)["continuation"] for row in done.stdout.splitlines()]
        first = continuations(top, RULE).query("row == 0")
        assert found == first["continuation"].tolist()
