"""Adapters as models, against PEFT and against the formula in float64."""

import json
import math
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch
from transformers import AutoModelForCausalLM

from lm_interpolation.jobs.checksums import check_files, write_checksums
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.points import adapters, reading
from lm_interpolation.points.adapters import merge_adapter
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge
from tests.adapters import WEIGHTS, edited_config, edited_tensors, merged_by_peft, save_adapter, save_llama
from tests.by_hand import make_job
from tests.edited_models import edit_config, edited, flipped
from tests.hub_cache import add_repository, commit_of
from workflow.scripts.models import adapter as script

HALF = 0.5001
"""Units in the last place that rounding once moves a number by: half of one, and what is lost in float64."""


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    return save_llama(tmp_path_factory.mktemp("llama") / "base", tiny_tokenizer)


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "model.safetensors")


def stored(folder: Path) -> dict[str, np.ndarray]:
    """The tensors of an adapter in float64, without the prefix of their names."""
    tensors = load_torch(folder / WEIGHTS).items()
    return {name.removeprefix("base_model.model."): tensor.double().numpy() for name, tensor in tensors}


def close_to_peft(base: Path, adapter: Path, found: dict[str, np.ndarray]) -> None:
    """PEFT multiplies, scales and adds in float32: some units in the last place of what it adds up."""
    expected = merged_by_peft(base, adapter)
    for name, tensor in found.items():
        np.testing.assert_allclose(tensor, expected[name], rtol=3e-6, atol=3e-6, err_msg=name)
    assert set(found) <= set(expected)


GPT2 = {"target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True}
ATTENTION = {"target_modules": ["q_proj", "v_proj"]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "conv1d": ("gpt2", GPT2),
    "conv1d, told to be linear": ("gpt2", {**GPT2, "fan_in_fan_out": False}),
    "biases of adapted layers": ("gpt2", {**GPT2, "bias": "lora_only"}),
    "all biases": ("gpt2", {**GPT2, "bias": "all"}),
    "linear": ("llama", ATTENTION),
    "all linear layers": ("llama", {"target_modules": "all-linear", "use_rslora": True}),
    "patterns": (
        "llama",
        {
            "target_modules": "all-linear",
            "rank_pattern": {"layers.1.self_attn.q_proj": 5, "^model.layers.0.mlp.*": 2},
            "alpha_pattern": {"q_proj": 11, "down_proj": 0.5},
        },
    ),
    "patterns by square roots": ("llama", {**ATTENTION, "use_rslora": True, "rank_pattern": {"v_proj": 4}}),
    "a whole head": ("llama", {**ATTENTION, "modules_to_save": ["lm_head", "norm"]}),
    "embeddings": ("llama", {"target_modules": ["embed_tokens", "q_proj"]}),
    "embeddings and head": ("llama", {"target_modules": ["embed_tokens", "lm_head"], "lora_alpha": 2}),
    "some layers": ("llama", {**ATTENTION, "layers_to_transform": [1]}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_model_is_that_of_peft(case: str, tmp_path: Path, tiny_gpt2: Path, llama: Path) -> None:
    kind, options = CASES[case]
    base = {"gpt2": tiny_gpt2, "llama": llama}[kind]
    adapter = save_adapter(base, tmp_path / "adapter", **options)
    merge_adapter("base", base, adapter, tmp_path / "model")
    found, before = weights(tmp_path / "model"), weights(base)
    close_to_peft(base, adapter, found)
    # It is not the base that is like PEFT's model.
    changed = {name for name in found if not np.array_equal(found[name], before[name])}
    named = {name.split(".lora_")[0].replace(".base_layer", "") for name in stored(adapter)}
    assert changed == {name for name in found if name in named or name.removesuffix(".weight") in named}
    assert all(tensor.dtype == np.float32 for tensor in found.values())
    # All names are there, and the digests are those of the files.
    assert Checkpoint.open(tmp_path / "model").tensors.keys() == Checkpoint.open(base).tensors.keys()
    check_files(tmp_path / "model")


@pytest.mark.parametrize("rslora", [False, True])
def test_each_weight_is_rounded_once(rslora: bool, tmp_path: Path, tiny_gpt2: Path) -> None:
    adapter = save_adapter(tiny_gpt2, tmp_path / "adapter", **GPT2, use_rslora=rslora)
    merge_adapter("base", tiny_gpt2, adapter, tmp_path / "model")
    parts, before = stored(adapter), weights(tiny_gpt2)
    for name, tensor in weights(tmp_path / "model").items():
        module = name.removesuffix(".weight")
        if f"{module}.lora_A.weight" not in parts:
            assert tensor.tobytes() == before[name].tobytes(), name
            continue
        product = parts[f"{module}.lora_B.weight"] @ parts[f"{module}.lora_A.weight"]
        exact = before[name].astype(np.float64) + 7 / (math.sqrt(3) if rslora else 3) * product.T
        assert (np.abs(tensor - exact) <= np.spacing(np.abs(exact).astype(np.float32)) * HALF).all()


@pytest.mark.parametrize("chunk", [1, 7, 16, 50, 1 << 20])
def test_chunks_do_not_matter(
    chunk: int, tmp_path: Path, llama: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for base, options in ((tiny_gpt2, GPT2), (llama, {"target_modules": ["embed_tokens", "down_proj"]})):
        folder = tmp_path / base.name
        adapter = save_adapter(base, folder / "adapter", **options)
        merge_adapter("base", base, adapter, folder / "whole")
        with monkeypatch.context() as patch:
            patch.setattr(adapters, "CHUNK", chunk)
            patch.setattr(reading, "CHUNK", chunk)
            merge_adapter("base", base, adapter, folder / "parts")
        whole = weights(folder / "whole")
        for name, tensor in weights(folder / "parts").items():
            np.testing.assert_array_max_ulp(tensor, whole[name], maxulp=1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_adapters_in_16_bits(dtype: torch.dtype, tmp_path: Path, llama: Path) -> None:
    whole = save_adapter(llama, tmp_path / "whole", **ATTENTION, modules_to_save=["lm_head"])
    adapter = edited_tensors(whole, tmp_path / "adapter", dtype=dtype)
    merge_adapter("base", llama, adapter, tmp_path / "model")
    parts, found, name = stored(adapter), weights(tmp_path / "model"), "model.layers.0.self_attn.q_proj"
    exact = weights(llama)[f"{name}.weight"] + 7 / 3 * parts[f"{name}.lora_B.weight"] @ parts[f"{name}.lora_A.weight"]
    assert (np.abs(found[f"{name}.weight"] - exact) <= np.spacing(np.abs(exact).astype(np.float32)) * HALF).all()
    assert np.array_equal(found["lm_head.weight"], parts["lm_head.weight"])


def test_a_sweep_goes_along_the_change_of_the_adapter(tmp_path: Path, llama: Path) -> None:
    adapter = save_adapter(llama, tmp_path / "adapter", target_modules="all-linear", use_rslora=True)
    merge_adapter("base", llama, adapter, tmp_path / "adapted")
    models = {"base": llama, "adapted": tmp_path / "adapted"}
    base, adapted = (
        {name: tensor.astype(np.float64) for name, tensor in weights(folder).items()} for folder in models.values()
    )
    for coefficient in ("-1", "0", "1/2", "1", "2"):
        c = Fraction(coefficient)
        point = Point.of({name: value for name, value in (("base", 1 - c), ("adapted", c)) if value})
        merge(point, models, tmp_path / "point")
        for name, tensor in weights(tmp_path / "point").items():
            # float64 holds these sums of two float32 numbers up to its own rounding.
            exact = (base[name] + float(c) * (adapted[name] - base[name])).astype(np.float32)
            np.testing.assert_array_max_ulp(tensor, exact, maxulp=1)
            if c in (0, 1):
                assert np.array_equal(tensor, (adapted if c else base)[name])
            if c == -1:
                assert np.array_equal(tensor, (2 * base[name] - adapted[name]).astype(np.float32))
        shutil.rmtree(tmp_path / "point")


def test_what_is_written_loads_and_computes_as_with_the_adapter(tmp_path: Path, tiny_gpt2: Path) -> None:
    from peft import PeftModel

    adapter = save_adapter(tiny_gpt2, tmp_path / "adapter", **GPT2, bias="all")
    merge_adapter("base", tiny_gpt2, adapter, tmp_path / "model")
    ids = torch.arange(20)[None]
    with torch.no_grad():
        found = AutoModelForCausalLM.from_pretrained(tmp_path / "model")(ids).logits
        peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_gpt2), adapter)(ids).logits
        before = AutoModelForCausalLM.from_pretrained(tiny_gpt2)(ids).logits
    torch.testing.assert_close(found, peft, rtol=1e-4, atol=1e-4)
    assert (found - before).abs().max() > 0.1
    names = {path.name for path in tiny_gpt2.iterdir()}
    assert {path.name for path in (tmp_path / "model").iterdir()} == names | {"checksums.json"}


# --- what does not fit


def refused(base: Path, adapter: Path, folder: Path) -> str:
    """The line with which an adapter is refused, before anything is written."""
    with pytest.raises(UserError) as caught:
        merge_adapter("base", base, adapter, folder / "model")
    assert not (folder / "model").exists()
    (line,) = caught.value.lines()
    return line


def test_another_base_is_told(tmp_path: Path, tiny_gpt2: Path, llama: Path, tiny_tokenizer: Path) -> None:
    adapter = save_adapter(llama, tmp_path / "adapter", target_modules=["down_proj"])
    line = refused(tiny_gpt2, adapter, tmp_path)
    assert line == (
        f"{adapter}: changes model.layers.0.mlp.down_proj.weight, which {tiny_gpt2} does not have; give it the model "
        f"that it belongs to (it was trained on {llama})"
    )
    wide = save_llama(tmp_path / "wide", tiny_tokenizer, intermediate_size=40)
    assert (
        f"{adapter}: is for a tensor model.layers.0.mlp.down_proj.weight of shape [16, 24], but that of {wide} has "
        "[16, 40]; give it the model"
    ) in refused(wide, adapter, tmp_path)
    unnamed = edited_config(adapter, tmp_path / "unnamed", base_model_name_or_path=None)
    assert "(adapter_config.json does not name its base)" in refused(wide, unnamed, tmp_path)
    whole = save_adapter(llama, tmp_path / "whole", **ATTENTION, modules_to_save=["down_proj"])
    assert "of shape [16, 24], but that of" in refused(wide, whole, tmp_path)


def test_square_matrices_are_turned_by_the_kind_of_layer_alone(tmp_path: Path, tiny_gpt2: Path) -> None:
    """The matrix c_proj of GPT-2's attention is square, so its shape does not tell."""
    adapter = save_adapter(tiny_gpt2, tmp_path / "adapter", target_modules=["attn.c_proj"], fan_in_fan_out=True)
    merge_adapter("base", tiny_gpt2, adapter, tmp_path / "model")
    close_to_peft(tiny_gpt2, adapter, weights(tmp_path / "model"))


@pytest.mark.parametrize("module", ["wte", "lm_head"])
def test_tied_weights_are_refused(module: str, tmp_path: Path, tiny_gpt2: Path) -> None:
    line = refused(tiny_gpt2, save_adapter(tiny_gpt2, tmp_path / "adapter", target_modules=[module]), tmp_path)
    name = {"wte": "transformer.wte.weight", "lm_head": "lm_head.weight"}[module]
    assert f"changes {name}, and in {tiny_gpt2} input and output embeddings are one tensor; save the base with" in line


def test_embeddings_of_positions_are_not_tied(tmp_path: Path, tiny_gpt2: Path) -> None:
    adapter = save_adapter(tiny_gpt2, tmp_path / "adapter", target_modules=["wpe"])
    # PEFT saves the tied embedding as well if an embedding is adapted; here it is the base's.
    tied = [name for name in load_torch(adapter / WEIGHTS) if "wte" in name or "lm_head" in name]
    adapter = edited_tensors(adapter, tmp_path / "own", rename=dict.fromkeys(tied))
    merge_adapter("base", tiny_gpt2, adapter, tmp_path / "model")
    close_to_peft(tiny_gpt2, adapter, weights(tmp_path / "model"))


def test_numbers_that_are_not_finite_are_told(tmp_path: Path, llama: Path) -> None:
    adapter = save_adapter(llama, tmp_path / "adapter", **ATTENTION)
    key = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"
    for value, words in (
        (math.nan, rf"{WEIGHTS}: tensor {key} holds NaN or inf; its training diverged"),
        (3e38, "with it, tensor model.layers.0.self_attn.q_proj.weight of base exceeds the range of float32"),
    ):
        folder = tmp_path / str(value)
        edited_tensors(adapter, folder, add={key: torch.full((16, 3), value)})
        assert words in refused(llama, folder, tmp_path)


def test_a_damaged_adapter_of_ours_is_told(tmp_path: Path, llama: Path) -> None:
    adapter = save_adapter(llama, tmp_path / "adapter", **ATTENTION)
    write_checksums(adapter)
    merge_adapter("base", llama, adapter, tmp_path / "fine")
    content = (adapter / WEIGHTS).read_bytes()
    (adapter / WEIGHTS).write_bytes(flipped(content, len(content) - 3))
    line = refused(llama, adapter, tmp_path)
    assert line.startswith(f"{adapter}/{WEIGHTS}: damaged") and line.endswith("; copy the adapter again")


def test_a_damaged_base_is_told(tmp_path: Path, llama: Path) -> None:
    adapter = save_adapter(llama, tmp_path / "adapter", **ATTENTION)
    base = edited(llama, tmp_path / "base", write_checksums)
    content = (base / "model.safetensors").read_bytes()
    (base / "model.safetensors").write_bytes(flipped(content, len(content) - 3))
    assert f"{base}/model.safetensors: damaged" in refused(base, adapter, tmp_path)


def test_the_configuration_is_that_of_the_base(tmp_path: Path, llama: Path) -> None:
    adapter = save_adapter(llama, tmp_path / "adapter", **ATTENTION)
    base = edited(llama, tmp_path / "base", edit_config(max_position_embeddings=31))
    merge_adapter("base", base, adapter, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["max_position_embeddings"] == 31 and config["dtype"] == "float32"


# --- the job


def test_the_job_of_a_folder_and_of_the_hub(tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    adapter = save_adapter(tiny_gpt2, tmp_path / "adapter", **GPT2)
    snapshot = add_repository(hub, "model", "some/adapter")
    for file in adapter.iterdir():
        shutil.copy(file, snapshot)
    lock = tmp_path / "lock.yaml"
    sources = {"local": {"directory": str(adapter)}, "remote": {"hub": "some/adapter", "revision": "main"}}
    for name, source in sources.items():
        job = make_job({"base": tiny_gpt2}, [tmp_path / name])
        script.main(job, str(lock), start={"model": "base", "adapter": source})
    assert yaml.safe_load(lock.read_text()) == {
        "models": {"some/adapter": {"main": commit_of("model", "some/adapter")}}
    }
    for file in (tmp_path / "local").iterdir():
        assert file.read_bytes() == (tmp_path / "remote" / file.name).read_bytes()
