"""Trainings of an adapter: what they change, how they go on, and that the model is the base with the adapter."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from lm_interpolation.jobs.checksums import check_files
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models import logits
from lm_interpolation.models.adapter_files import Adapter
from lm_interpolation.models.language_training import run_trial
from lm_interpolation.points.adapters import merge_adapter
from tests.adapters import merged_by_peft, save_llama
from tests.models.test_distributed import together
from tests.models.test_training import DEV, SETTINGS, TRAIN, interrupt, metrics, outputs, train, weights

LORA = {"rank": 2, "alpha": 6, "targets": ["c_attn", "mlp.c_proj"], "dropout": 0.1, "rslora": False}


def adapted(folder: Path, start: Path, lora: dict[str, Any] | None = None, **changes: Any) -> Path:
    return train(folder, start=start, lora=LORA | (lora or {}), **changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> Path:
    return adapted(tmp_path_factory.mktemp("lora"), tiny_gpt2)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    return save_llama(tmp_path_factory.mktemp("llama") / "base", tiny_tokenizer)


def losses(folder: Path) -> list[float]:
    with open(folder / "loss.csv") as handle:
        return [float(row["loss"]) for row in csv.DictReader(handle) if row["split"] == "dev"]


def test_the_adapted_layers_alone_change_and_the_loss_falls(trained: Path, tiny_gpt2: Path) -> None:
    before, after = load_file(tiny_gpt2 / "model.safetensors"), weights(trained)
    assert before.keys() == after.keys()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {name for name in before if name.endswith(("c_attn.weight", "mlp.c_proj.weight"))}
    for name in changed:
        assert torch.linalg.matrix_rank((after[name] - before[name]).double(), rtol=1e-4) == 2
    assert losses(trained)[-1] < losses(trained)[0]
    assert metrics(trained)["parameters"] == AutoModelForCausalLM.from_pretrained(tiny_gpt2).num_parameters()


@pytest.mark.parametrize("rslora", [False, True])
def test_the_model_is_the_base_with_its_adapter(rslora: bool, tmp_path: Path, llama: Path) -> None:
    folder = adapted(tmp_path, llama, {"targets": ["q_proj", "down_proj"], "rslora": rslora}, steps=6)
    model, adapter = folder / "model", folder / "model" / "adapter"
    merge_adapter("base", llama, adapter, tmp_path / "merged")
    peft = merged_by_peft(llama, adapter)
    for name, value in load_file(tmp_path / "merged" / "model.safetensors").items():
        np.testing.assert_array_max_ulp(weights(folder)[name].numpy(), value.numpy(), maxulp=1)
        np.testing.assert_allclose(value.numpy(), peft[name], rtol=1e-5, atol=1e-6)
    found = Adapter.open(adapter)
    assert found.base == llama.name and not found.replaced
    assert {product.scale for product in found.products.values()} == {6 / (math.sqrt(2) if rslora else 2)}
    check_files(model)
    assert "adapter/adapter_model.safetensors" in json.loads((model / "checksums.json").read_text())
    # The whole model loads by itself, and is no adapter to transformers.
    loaded = AutoModelForCausalLM.from_pretrained(model)
    assert torch.equal(loaded.state_dict()["lm_head.weight"], weights(folder)["lm_head.weight"])


@pytest.mark.parametrize("step", [4, 7, 13])
def test_it_goes_on_where_it_stopped(
    step: int, trained: Path, tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, step)
        adapted(tmp_path, tiny_gpt2)
    assert outputs(adapted(tmp_path, tiny_gpt2)) == outputs(trained)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        file = Path("model", "adapter", name)
        assert (tmp_path / file).read_bytes() == (trained / file).read_bytes()


def test_checkpoints_hold_the_adapter_alone(tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 7)
        adapted(tmp_path, tiny_gpt2)
    checkpoint = tmp_path / "scratch" / "checkpoint-5"
    assert not (checkpoint / "model.safetensors").exists() and (checkpoint / "adapter_model.safetensors").exists()
    state = torch.load(checkpoint / "optimizer.pt", weights_only=True)["state"]
    shapes = sorted(tuple(entry["exp_avg"].shape) for entry in state.values())
    assert shapes == [(2, 16), (2, 64), (16, 2), (48, 2)]


def test_another_seed_is_another_adapter(trained: Path, tmp_path: Path, tiny_gpt2: Path) -> None:
    assert outputs(adapted(tmp_path, tiny_gpt2, seed=2)) != outputs(trained)


def test_logits_in_parts_give_the_same(
    trained: Path, tmp_path: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lora = {"targets": ["q_proj"], "dropout": 0.0}
    whole = adapted(tmp_path / "whole", llama, lora, steps=6)
    monkeypatch.setattr(logits, "LIMIT", 300)
    parts = adapted(tmp_path / "parts", llama, lora, steps=6)
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(parts)[name], value, rtol=1e-4, atol=1e-5)


def test_a_trial_has_the_losses_of_the_training(tmp_path: Path, tiny_gpt2: Path) -> None:
    folder = adapted(tmp_path / "whole", tiny_gpt2, steps=4, eval_steps=4)
    settings = SETTINGS | {"lora": LORA, "steps": 4}
    loss, result, scratch = (tmp_path / name for name in ("loss.csv", "metrics.json", "scratch"))
    run_trial("tiny", "trial", TRAIN, DEV, loss, result, scratch, settings, [4], start=tiny_gpt2)
    assert metrics(tmp_path)["evaluations"][0]["dev_loss"] == metrics(folder)["dev_loss"]


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (["c_attn", "q_proj"], "the model has no linear layer q_proj; it has c_attn, c_fc, c_proj"),
        (["wte"], "the model has no linear layer wte; it has c_attn, c_fc, c_proj"),
        (["attn"], "the model has no linear layer attn; it has"),
        (["lm_head"], "lm_head is the output layer, which is not adapted; remove it"),
    ],
)
def test_targets_that_are_not_adapted(targets: list[str], words: str, tmp_path: Path, tiny_gpt2: Path) -> None:
    with pytest.raises(UserError, match=rf"^models\.tiny\.training\.lora\.targets: {words}"):
        adapted(tmp_path, tiny_gpt2, {"targets": targets})
    assert not (tmp_path / "scratch").exists()


def test_bf16_trains_an_adapter_in_fp32(tmp_path: Path, llama: Path) -> None:
    folder = adapted(tmp_path, llama, {"targets": ["q_proj"]}, steps=4, precision="bf16")
    tensors = load_file(folder / "model" / "adapter" / "adapter_model.safetensors")
    assert {value.dtype for value in tensors.values()} == {torch.float32}


def test_two_processes_train_one_adapter(tmp_path: Path, tiny_gpt2: Path) -> None:
    values = {"steps": 6, "batch_size": 8, "learning_rate": 0.01, "adam_epsilon": 1e-6}
    lora = {"dropout": 0.0}
    one = adapted(tmp_path / "one", tiny_gpt2, lora, **values)
    together(2, adapted, tmp_path / "two", tiny_gpt2, lora, processes=2, micro_batch=2, **values)
    before = load_file(tiny_gpt2 / "model.safetensors")["transformer.h.0.attn.c_attn.weight"]
    for name, value in weights(one).items():
        np.testing.assert_allclose(weights(tmp_path / "two")[name], value, atol=1e-5, err_msg=name)
    assert (weights(one)["transformer.h.0.attn.c_attn.weight"] - before).abs().max() > 0.005
