"""A model on disk, with its units permuted to match another one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.jobs.checksums import check_model, write_checksums
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.symmetries import KINDS
from lm_interpolation.points.aligning import align
from tests.edited_models import edit_config, edited, variants


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> dict[str, Path]:
    """Two models that share an architecture and a tokenizer only."""
    return variants(tiny_gpt2, "ab", 0.5, tmp_path_factory.mktemp("pair"))


def logits(folder: Path) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    with torch.no_grad():
        return model(torch.arange(1, 31)[None]).logits.numpy()


def test_the_aligned_model_computes_the_same_with_the_same_bits(tmp_path: Path, pair: dict[str, Path]) -> None:
    folder = tmp_path / "aligned"
    matching = align(pair, folder, KINDS, 0)
    check_model(folder)
    np.testing.assert_allclose(logits(folder), logits(pair["a"]), rtol=0, atol=1e-12)
    before, after, target = (load_file(path / "model.safetensors") for path in (pair["a"], folder, pair["b"]))
    assert before.keys() == after.keys() and any(not np.array_equal(before[key], after[key]) for key in before)
    for key in before:
        assert after[key].dtype == np.float32
        assert np.array_equal(*(np.sort(one[key].view(np.uint32), axis=None) for one in (before, after))), key
    squares = [sum(np.square(target[key].astype(float) - one[key]).sum() for key in target) for one in (before, after)]
    norm = sum(np.square(target[key].astype(float)).sum() for key in target)
    assert np.sqrt(np.array(squares) / norm) == pytest.approx([matching.distance_before, matching.distance_after])
    assert matching.distance_after < matching.distance_before
    config = json.loads((folder / "config.json").read_text())
    assert config["dtype"] == "float32" and config["n_embd"] == 16
    assert AutoTokenizer.from_pretrained(folder).get_vocab() == AutoTokenizer.from_pretrained(pair["a"]).get_vocab()


def test_equal_models_and_a_second_run_give_equal_bytes(tmp_path: Path, pair: dict[str, Path]) -> None:
    for name in ("one", "two"):
        align(pair, tmp_path / name, KINDS, 0)
    align({"a": pair["a"], "copy": pair["a"]}, tmp_path / "same", KINDS, 0)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    tensors = [load_file(folder / "model.safetensors") for folder in (tmp_path / "same", pair["a"])]
    assert all(np.array_equal(tensors[0][key], tensors[1][key]) for key in tensors[1])


def test_weights_in_16_bits_are_widened_and_moved(tmp_path: Path, pair: dict[str, Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(pair["a"], dtype=torch.bfloat16)
    model.save_pretrained(tmp_path / "half")
    AutoTokenizer.from_pretrained(pair["a"]).save_pretrained(tmp_path / "half")
    align({"half": tmp_path / "half", "b": pair["b"]}, tmp_path / "aligned", KINDS, 0)
    after = load_file(tmp_path / "aligned" / "model.safetensors")
    for key, value in model.named_parameters():
        assert np.array_equal(np.sort(after[key], axis=None), np.sort(value.float().detach().numpy(), axis=None))


def test_other_architectures_and_broken_weights_are_refused(tmp_path: Path, pair: dict[str, Path]) -> None:
    other = edited(pair["a"], tmp_path / "other", edit_config(model_type="gpt_neo"))
    with pytest.raises(UserError, match=r"models other .* and b .* cannot be combined: .* model_type is"):
        align({"other": other, "b": pair["b"]}, tmp_path / "aligned", KINDS, 0)
    with pytest.raises(UserError, match=r"model other \(.*\): model_type 'gpt_neo' has no permutations"):
        align({"other": other, "same": other}, tmp_path / "aligned", KINDS, 0)

    def spoil(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        tensors["transformer.h.0.ln_1.bias"][3] = np.nan
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        write_checksums(folder)

    broken = edited(pair["b"], tmp_path / "broken", spoil)
    for models in ({"a": pair["a"], "broken": broken}, {"broken": broken, "a": pair["a"]}):
        with pytest.raises(UserError, match=r"model broken .* tensor transformer.h.0.ln_1.bias holds NaN or inf"):
            align(models, tmp_path / "aligned", KINDS, 0)
    (broken / "model.safetensors").write_bytes((pair["a"] / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"broken.*damaged"):
        align({"a": pair["a"], "broken": broken}, tmp_path / "aligned", KINDS, 0)
    assert not (tmp_path / "aligned").exists()
