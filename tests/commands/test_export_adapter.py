"""Points of adapters of one base, exported as an adapter."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from lm_interpolation.commands import export
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.adapter_files import Adapter
from lm_interpolation.points.adapter_sums import sum_adapters
from lm_interpolation.points.adapters import merge_adapter
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge
from tests.adapters import WEIGHTS, edited_tensors, merged_by_peft, save_adapter, save_llama

COEFFICIENTS = {"films": "2", "poems": "-0.5"}
POINT = "films=2 poems=-0.5 base=-0.5"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path, tiny_gpt2: Path) -> Path:
    """Folder of a study whose models look as if they had been made: two adapters in folders, one that was trained."""
    folder = tmp_path_factory.mktemp("study")
    models = folder / "results" / "models"
    base = save_llama(models / "base", tiny_tokenizer)
    films = {"target_modules": ["q_proj", "down_proj"], "use_rslora": True, "rank_pattern": {"q_proj": 2}}
    save_adapter(base, folder / "films", 1, **films)
    save_adapter(base, folder / "poems", 2, target_modules=["q_proj", "embed_tokens"], r=5)
    # Where an embedding is adapted, PEFT saves it whole as well.
    whole = [name for name in load_file(folder / "poems" / WEIGHTS) if "base_layer" in name]
    edited_tensors(folder / "poems", folder / "verses", rename=dict.fromkeys(whole))
    for name, adapter in (("films", "films"), ("poems", "verses")):
        merge_adapter("base", base, folder / adapter, models / name)
    merge_adapter("base", base, folder / "films", models / "trained")
    save_adapter(base, models / "trained" / "adapter", 1, **films)
    start = {"model": "base"}
    language: dict[str, Any] = {"task": "language-model"}
    training = {"steps": 1, "batch_size": 1, "block_length": 8, "learning_rate": 1}
    config = {
        "study": "own",
        "corpora": {
            "texts": {"source": "synthetic", "kind": "general", "counts": dict.fromkeys(("train", "dev", "test"), 9)}
        },
        "models": {
            "base": language | {"start": {"directory": str(base)}},
            "other": language | {"start": {"directory": str(tiny_gpt2)}},
            "films": language | {"start": start | {"adapter": {"directory": str(folder / "films")}}},
            "poems": language | {"start": start | {"adapter": {"directory": str(folder / "verses")}}},
            "whole": language | {"start": start | {"adapter": {"directory": str(folder / "poems")}}},
            "further": language | {"start": {"model": "films", "adapter": {"directory": str(folder / "films")}}},
            "trained": language
            | {
                "start": start,
                "data": {"corpus": "texts"},
                "training": training | {"lora": {"rank": 3, "alpha": 7, "targets": ["q_proj"]}},
            },
        },
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(config))
    return folder


def exported(study: Path, point: str, target: Path) -> Path:
    arguments = ["--config", str(study / "own.yaml"), "--results", str(study / "results"), "--to", str(target)]
    export.main([*arguments, "--point", point, "--adapter"])
    return target


def test_the_adapter_is_the_point(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = {name: study / "results" / "models" / name for name in ("base", "films", "poems")}
    target = exported(study, POINT, tmp_path / "new" / "adapter")
    assert capsys.readouterr().out == f"{target}\n"
    merge(Point.of({**COEFFICIENTS, "base": "-0.5"}), models, tmp_path / "point")
    merge_adapter("base", models["base"], target, tmp_path / "model")
    peft = merged_by_peft(models["base"], target)
    wanted = load_file(tmp_path / "point" / "model.safetensors")
    before = load_file(models["base"] / "model.safetensors")
    for name, value in load_file(tmp_path / "model" / "model.safetensors").items():
        np.testing.assert_allclose(value, wanted[name], rtol=1e-6, atol=2e-6, err_msg=name)
        np.testing.assert_allclose(value, peft[name], rtol=1e-5, atol=1e-5, err_msg=name)
    changed = {name for name, value in wanted.items() if not np.array_equal(value, before[name])}
    products = Adapter.open(target).products
    assert set(products) == changed
    ranks = {name.split(".")[-2]: product.a.shape[0] for name, product in products.items()}
    assert ranks == {"q_proj": 7, "down_proj": 3, "embed_tokens": 5}
    assert sorted(path.name for path in target.iterdir()) == ["README.md", "adapter_config.json", WEIGHTS]


def test_an_adapter_that_was_trained_here(study: Path, tmp_path: Path) -> None:
    target = exported(study, "trained=1", tmp_path / "adapter")
    trained = load_file(study / "results" / "models" / "trained" / "adapter" / WEIGHTS)
    found = load_file(target / WEIGHTS)
    assert found.keys() == trained.keys()
    scale = 7 / np.sqrt(3)
    name = next(name for name in trained if name.endswith("down_proj.lora_B.weight"))
    np.testing.assert_allclose(found[name], scale * trained[name], rtol=1e-6)
    card = (target / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(card.split("---\n")[1])["library_name"] == "peft"
    assert "A LoRA adapter of `base`, of rank 3 at most" in card and "θ = trained" in card


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("base=1", "--adapter: the point needs adapters of one model, and it has none; choose another"),
        ("films=0.5 further=0.5", "adapters of one model, and it has adapters of base and films; choose another"),
        ("films=0.5 other=0.5", "--adapter: other is no adapter of base; export the point as a model"),
        ("films=0.5 whole=0.5", "poems: holds model.embed_tokens.weight whole, so a sum with it is no adapter; export"),
    ],
)
def test_points_that_are_no_adapter(point: str, words: str, study: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        exported(study, point, tmp_path / "adapter")
    assert words in str(caught.value)
    assert not (tmp_path / "adapter").exists()


def test_peft_loads_the_adapter_of_conv1d(tmp_path: Path, tiny_gpt2: Path) -> None:
    adapters = {
        name: Adapter.open(save_adapter(tiny_gpt2, tmp_path / name, seed, target_modules=targets, fan_in_fan_out=True))
        for seed, (name, targets) in enumerate({"a": ["c_attn", "c_proj"], "b": ["c_proj"]}.items())
    }
    assert sum_adapters({"a": 0.5, "b": -3.0}, adapters, tiny_gpt2, "base", tmp_path / "sum") == 6
    merge_adapter("base", tiny_gpt2, tmp_path / "sum", tmp_path / "model")
    peft = merged_by_peft(tiny_gpt2, tmp_path / "sum")
    for name, value in load_file(tmp_path / "model" / "model.safetensors").items():
        np.testing.assert_allclose(value, peft[name], rtol=1e-5, atol=1e-5)
    with pytest.raises(UserError, match=r"c_attn\.weight: its change has numbers that float32 cannot hold"):
        sum_adapters({"a": 1e39, "b": 1.0}, adapters, tiny_gpt2, "base", tmp_path / "huge")
    assert not (tmp_path / "huge").exists()
