"""Adapters trained by Snakemake, alone and as replicates, and one of them taken as a model of its own."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from tests.whole.adapter_roundtrip import ALPHAS, roundtrip
from tests.whole.test_workflow import ROOT, all_planned, copy_sources, finish

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

TINY = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))
SHORT = {**TINY["models"]["base"]["training"], "steps": 4, "save_steps": 2}
LORA = {**SHORT, "lora": {"rank": 2, "alpha": 4, "targets": ["c_attn"]}}
FILMS = {"task": "language-model", "start": {"model": "base"}, "data": {"corpus": "reviews"}}


def write(folder: Path, **models: Any) -> None:
    own = {
        "base": {**TINY["models"]["base"], "training": SHORT},
        "films": {**FILMS, "training": LORA, "replicates": [0, 1]},
        "alone": {**FILMS, "training": {**LORA, "seed": 1}},
    }
    corpora = {name: TINY["corpora"][name] for name in ("general", "reviews")}
    config = {"study": "tiny", "corpora": corpora, "tokenizers": TINY["tokenizers"], "models": own | models}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


@pytest.mark.quick
def test_an_adapter_is_trained_and_taken_as_a_model(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    write(tmp_path)
    finish(tmp_path)
    models = tmp_path / "results" / "tiny" / "models"
    for name in ("films.s0", "films.s1", "alone"):
        assert {path.name for path in (models / name / "adapter").iterdir()} == {
            "adapter_config.json",
            "adapter_model.safetensors",
        }
    files = [Path("model.safetensors"), Path("adapter", "adapter_model.safetensors")]
    for file in files:
        alone, *replicates = ((models / name / file).read_bytes() for name in ("alone", "films.s0", "films.s1"))
        assert [content == alone for content in replicates] == [False, True]
    shutil.copytree(models / "alone" / "adapter", tmp_path / "mine")
    write(tmp_path, taken={"task": "language-model", "start": {"model": "base", "adapter": {"directory": "mine"}}})
    plan = all_planned(tmp_path)
    assert plan["adapter"] == 1 and not any(rule.startswith(("train", "take")) for rule in plan)
    finish(tmp_path)
    for name, value in load_file(models / "taken" / "model.safetensors").items():
        np.testing.assert_array_max_ulp(value, load_file(models / "alone" / "model.safetensors")[name], maxulp=1)
    assert not {"adapter", "train_language_model"} & set(all_planned(tmp_path))


def test_an_adapter_from_elsewhere_is_handed_out_in_four_equal_forms(tmp_path: Path, tiny_gpt2: Path) -> None:
    found = roundtrip(tiny_gpt2, tmp_path / "there", steps=30)
    assert list(found) == list(ALPHAS)
    for alpha, values in found.items():
        assert values["texts"] == 1 and values["exported"] == 0, alpha
        assert values["moved"] == 0 if alpha == "0" else values["moved"] > 0.1 * values["spread"]
        # The same weights up to a rounding in float32, once in the matrices and once in their product.
        assert values["steered"] < 1e-6 * values["spread"]
        assert values.get("adapter", 0) < 1e-5 * values["spread"]
