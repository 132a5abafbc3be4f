"""Adapters by configuration and headers: what is read, and what is refused in one line."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig

from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models import adapter_files as module
from lm_interpolation.models.adapter_files import Adapter, adapter_files
from tests.adapters import CONFIG, WEIGHTS, edited_config, edited_tensors, save_adapter, save_llama

Q = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    base = save_llama(folder / "base", tiny_tokenizer)
    return save_adapter(base, folder / "adapter", target_modules=["q_proj", "v_proj"], modules_to_save=["lm_head"])


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        Adapter.open(folder)
    (line,) = caught.value.lines()
    return line


def test_what_an_adapter_holds(adapter: Path) -> None:
    found = Adapter.open(adapter)
    assert found.base == str(adapter.parent / "base") and found.trained_on == f"it was trained on {found.base}"
    assert list(found.replaced) == ["lm_head.weight"]
    names = [f"model.layers.{n}.self_attn.{kind}_proj.weight" for n in (0, 1) for kind in "qv"]
    assert sorted(found.products) == names
    product = found.products[names[1]]
    assert (product.shape, product.scale, product.embedding) == ((8, 16), 7 / 3, False)
    assert (product.a.shape, product.b.shape) == ((3, 16), (8, 3))


def test_ranks_and_alphas_by_patterns(adapter: Path, tmp_path: Path) -> None:
    folder = edited_config(adapter, tmp_path / "patterns", alpha_pattern={"v_proj": 5, "proj": 1, "0.*q_proj": 2})
    products = Adapter.open(folder).products
    scales = {
        name.removeprefix("model.layers.").removesuffix(".weight"): product.scale for name, product in products.items()
    }
    # "proj" is no end of a name's parts; the first pattern that fits counts.
    assert scales == {
        "0.self_attn.q_proj": 2 / 3,
        "0.self_attn.v_proj": 5 / 3,
        "1.self_attn.q_proj": 7 / 3,
        "1.self_attn.v_proj": 5 / 3,
    }
    folder = edited_config(folder, tmp_path / "roots", use_rslora=True)
    assert Adapter.open(folder).products["model.layers.0.self_attn.v_proj.weight"].scale == 5 / math.sqrt(3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3'; only LORA can be read: merge it with PEFT"),
        ({"peft_type": None}, "peft_type is None; only LORA"),
        ({"use_dora": True}, "use_dora is true, and DoRA is not read; merge it"),
        ({"use_qalora": True}, "use_qalora is True, which is not read and may change weights; merge it"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "layer_replication is [[0, 2], [1, 2]], which is not read"),
        ({"lora_bias": True}, "lora_bias is True, which is not read"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices is [3], which is not read"),
        ({"target_parameters": ["experts"]}, "target_parameters is ['experts'], which is not read"),
        ({"alora_invocation_tokens": [1]}, "alora_invocation_tokens is [1], which is not read"),
        ({"invented_later": 0.5}, "invented_later is 0.5, which is not read"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights is 'pissa_niter_4', which changes the base; save"),
        ({"init_lora_weights": 1}, "init_lora_weights is 1, which"),
        ({"bias": "some"}, "bias is 'some'; save the adapter again"),
        ({"use_rslora": "yes"}, "use_rslora is 'yes'; save"),
        ({"modules_to_save": "lm_head"}, "modules_to_save is 'lm_head'; save"),
        ({"modules_to_save": ["lm_head", "score"]}, f"modules_to_save names score, of which {WEIGHTS} has no tensor"),
        ({"r": 4}, "model.layers.0.self_attn.q_proj has rank 4, but its matrices have 3; save"),
        ({"rank_pattern": {"q_proj": 2}}, "model.layers.0.self_attn.q_proj has rank 2, but its matrices have 3"),
        ({"r": 0}, "r is 0 for model.layers.0.self_attn.q_proj; save"),
        ({"lora_alpha": None}, "lora_alpha is None for model.layers.0.self_attn.q_proj"),
        ({"lora_alpha": True}, "lora_alpha is True for"),
        ({"alpha_pattern": {"q_proj": "a"}}, "alpha_pattern is 'a' for model.layers.0.self_attn.q_proj"),
        ({"alpha_pattern": {"q_proj(": 1}}, "alpha_pattern is {'q_proj(': 1}; save"),
        ({"alpha_pattern": [1]}, "alpha_pattern is [1]; save"),
    ],
)
def test_a_configuration_that_is_not_read(values: dict[str, Any], words: str, adapter: Path, tmp_path: Path) -> None:
    folder = edited_config(adapter, tmp_path / "edited", **values)
    line = refused(folder)
    assert line.startswith(f"{folder}/{CONFIG}: ") and words in line


@pytest.mark.parametrize("start", [True, False, "gaussian", "eva", "orthogonal"])
def test_starts_that_leave_the_base_as_it_is(start: Any, adapter: Path, tmp_path: Path) -> None:
    Adapter.open(edited_config(adapter, tmp_path / "edited", init_lora_weights=start))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rename": {f"{Q}.lora_B.weight": None}}, "model.layers.0.self_attn.q_proj has .lora_A.weight, which is not"),
        ({"add": {f"{Q}.lora_embedding_A": torch.ones(3, 16)}}, "which is not one matrix A and one B"),
        ({"add": {f"{Q}.lora_A.weight": torch.ones(2, 16)}}, "have the shapes [2, 16] and [16, 3], which are not"),
        ({"add": {f"{Q}.lora_A.weight": torch.ones(3, 16, 1)}}, "have the shapes [3, 16, 1] and"),
        ({"add": {f"{Q}.lora_magnitude_vector": torch.ones(16)}}, f"lora_magnitude_vector is none that {CONFIG} expl"),
        ({"add": {f"{Q}.weight": torch.ones(16, 16)}}, f"{Q}.weight is none that {CONFIG} explains; merge it"),
        ({"add": {f"{Q}.bias": torch.ones(16)}}, f"{Q}.bias is none that"),
        ({"add": {"lora_A.weight": torch.ones(3, 16)}}, "tensor lora_A.weight does not begin with base_model.model."),
        ({"dtype": torch.float64}, "has dtype F64; save the adapter in float32"),
    ],
)
def test_tensors_that_are_not_read(changes: dict[str, Any], words: str, adapter: Path, tmp_path: Path) -> None:
    folder = edited_tensors(adapter, tmp_path / "edited", **changes)
    line = refused(folder)
    assert line.startswith(f"{folder}/{WEIGHTS}: ") and words in line


def test_an_adapter_without_tensors(adapter: Path, tmp_path: Path) -> None:
    whole = edited_config(adapter, tmp_path / "whole", modules_to_save=None)
    names = list(module.read_header(adapter / WEIGHTS))
    assert "holds no tensor" in refused(edited_tensors(whole, tmp_path / "none", rename=dict.fromkeys(names)))


def test_files_that_are_not_there(adapter: Path, tmp_path: Path) -> None:
    assert "no such directory; give the folder of an adapter" in refused(tmp_path / "no")
    folder = edited_config(adapter, tmp_path / "edited")
    assert list(map(str, adapter_files(folder))) == [f"{folder}/{CONFIG}", f"{folder}/{WEIGHTS}"]
    write_checksums(folder)
    assert [path.name for path in adapter_files(folder)] == [CONFIG, WEIGHTS, "checksums.json"]
    (folder / WEIGHTS).write_bytes(b"less")
    assert refused(folder).endswith("; copy the adapter again")
    (folder / "checksums.json").unlink()
    assert f"{folder}/{WEIGHTS}: truncated or not a safetensors file" in refused(folder)
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")
    assert f"{folder}: has its weights as adapter_model.bin only, which is not read; load it" in refused(folder)
    (folder / "adapter_model.bin").unlink()
    assert f"{folder}: has no {WEIGHTS}; save the adapter again" in refused(folder)
    (folder / CONFIG).write_text("{")
    (folder / WEIGHTS).touch()
    assert f"{folder}/{CONFIG}: not valid JSON" in refused(folder)
    (folder / CONFIG).unlink()
    assert f"{folder}: has no {CONFIG}, so it is no adapter of PEFT" in refused(folder)


def test_every_key_of_peft_is_known_or_refused(adapter: Path, tmp_path: Path) -> None:
    """A key that PEFT adds is refused once it is set, and until then its default must not be in the way."""
    names = {field.name for field in dataclasses.fields(LoraConfig)}
    # A configuration holds all keys but one, which is about the run.
    written = json.loads((adapter / CONFIG).read_text()).keys()
    assert names - written == {"runtime_config"}
    assert names >= module._READ | module._IDLE


def test_no_heavy_package_is_needed() -> None:
    code = (
        "import sys, lm_interpolation.points.adapter_fits; "
        "print({'torch', 'numpy', 'peft', 'transformers', 'safetensors'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
