"""Importing models, on folders of a few thousand weights: what is read, what is refused, and in what words."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from edited_models import edit_config, edited, flipped
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from workflow.lib.importing import import_model
from workflow.lib.runtime import UserError


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> Path:
    """A classifier of three classes with random weights."""
    folder = tmp_path_factory.mktemp("judge") / "model"
    names = {0: "negative", 1: "neutral", 2: "positive"}
    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(tiny_gpt2, id2label=names, label2id={name: k for k, name in names.items()})
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_gpt2).save_pretrained(folder)
    return folder


def to_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def to_bf16(folder: Path) -> None:
    weights = {name: tensor.bfloat16() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    edit_config(dtype="bfloat16")(folder)


def without_pad_token(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in values.items() if key != "pad_token"}))
    edit_config(pad_token_id=None)(folder)


@pytest.mark.parametrize("edit", [lambda folder: None, to_pickle, to_bf16, without_pad_token])
def test_a_local_model_is_imported_in_fp32_with_its_tokenizer(
    edit: Callable[[Path], Any], tmp_path: Path, tiny_gpt2: Path
) -> None:
    source = edited(tiny_gpt2, tmp_path / "source", edit)
    import_model(str(source), None, "language-model", tmp_path / "model")
    weights, expected = (load_file(folder / "model.safetensors") for folder in (tmp_path / "model", tiny_gpt2))
    assert weights.keys() == expected.keys()
    for name, tensor in weights.items():
        rounded = expected[name].bfloat16().float() if edit is to_bf16 else expected[name]
        assert tensor.dtype == torch.float32 and torch.equal(tensor, rounded), name
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert model.dtype == torch.float32 and model.config.pad_token_id == tokenizer.pad_token_id == 0
    assert tokenizer.encode("the film") == AutoTokenizer.from_pretrained(tiny_gpt2).encode("the film")


def test_a_damaged_model_of_another_study_is_not_imported(tmp_path: Path, tiny_gpt2: Path) -> None:
    import_model(str(tiny_gpt2), None, "language-model", tmp_path / "theirs")
    import_model(str(tmp_path / "theirs"), None, "language-model", tmp_path / "ours")
    weights = tmp_path / "theirs" / "model.safetensors"
    weights.write_bytes(flipped(weights.read_bytes(), -3))
    with pytest.raises(UserError, match=rf"^{weights}: damaged .*; copy the model again$"):
        import_model(str(tmp_path / "theirs"), None, "language-model", tmp_path / "again")


def test_a_classifier_is_imported_with_its_head(tmp_path: Path, judge: Path) -> None:
    import_model(str(judge), None, "classifier", tmp_path / "model")
    head, expected = (load_file(folder / "model.safetensors")["score.weight"] for folder in (tmp_path / "model", judge))
    assert torch.equal(head, expected)
    assert AutoConfig.from_pretrained(tmp_path / "model").id2label == {0: "negative", 1: "neutral", 2: "positive"}


def test_a_classifier_as_language_model_is_announced(
    tmp_path: Path, judge: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import_model(str(judge), None, "language-model", tmp_path / "model")
    assert "1 weights have no place in a language-model: score.weight" in capfd.readouterr().err


class Malicious:
    def __reduce__(self) -> Any:
        return os.mkdir, ("malicious-code-was-here",)


def shorten(file: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:1000])


def remove(pattern: str) -> Callable[[Path], Any]:
    return lambda folder: [path.unlink() for path in folder.glob(pattern)]


def with_nan(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["transformer.wpe.weight"][2, 5] = math.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def longer_tokenizer(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["extra"])
    tokenizer.save_pretrained(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            remove("tokenizer*"),
            r"source: no tokenizer \(tokenizer\.json, or vocab\.json\); save it with save_pretrained",
        ),
        (remove("tokenizer.json"), r"source: no tokenizer"),
        (longer_tokenizer, r"its tokenizer has 301 tokens, but it embeds 300"),
        (remove("*.safetensors"), r"source: no weights \(model\.safetensors\); save the model with save_pretrained"),
        (remove("config.json"), r"source/config\.json: missing; not a model directory"),
        (edit_config(model_type="unheard-of"), r"cannot load model .*unheard-of"),
        (shorten("model.safetensors"), r"source/model\.safetensors: truncated"),
        (lambda folder: (to_pickle(folder), shorten("pytorch_model.bin")(folder)), r"cannot load model"),
        (edit_config(n_embd=32), r"lacks weights of a language-model: .*transformer\.h\.0"),
        (edit_config(n_layer=2), r"lacks weights of a language-model: .*transformer\.h\.1"),
        (with_nan, r"weight transformer\.wpe\.weight is not finite"),
    ],
)
def test_broken_local_models(edit: Callable[[Path], Any], message: str, tmp_path: Path, tiny_gpt2: Path) -> None:
    source = edited(tiny_gpt2, tmp_path / "source", edit)
    with pytest.raises(UserError, match=message) as caught:
        import_model(str(source), None, "language-model", tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_a_language_model_is_no_classifier(tmp_path: Path, tiny_gpt2: Path) -> None:
    with pytest.raises(UserError, match=r"lacks weights of a classifier: \['score.weight'\]; is it a model of another"):
        import_model(str(tiny_gpt2), None, "classifier", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_code_in_a_pickle_is_not_run(tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = edited(tiny_gpt2, tmp_path / "source", remove("*.safetensors"))
    torch.save({"transformer.wte.weight": Malicious()}, source / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"cannot load model"):
        import_model(str(source), None, "language-model", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_code_in_a_repository_is_not_run_and_nobody_is_asked(
    tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "y")
    names = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    source = edited(tiny_gpt2, tmp_path / "source", edit_config(model_type="own", auto_map=names))
    (source / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match=r"cannot load model .*custom code"):
        import_model(str(source), None, "language-model", tmp_path / "model")
    assert not asked and not (tmp_path / "ran").exists()


def test_a_hub_model_is_found_in_the_cache_without_network(
    tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--some--model"
    commits = {"old": "a" * 40, "main": "b" * 40}
    for revision, commit in commits.items():
        edited(tiny_gpt2, repository / "snapshots" / commit, lambda folder: None)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / revision).write_text(commit)
    path = repository / "snapshots" / commits["old"] / "model.safetensors"
    weights = load_file(path)
    weights["transformer.ln_f.bias"].fill_(0.5)
    save_file(weights, path, {"format": "pt"})

    for revision, value in (("old", 0.5), (commits["old"], 0.5), ("main", 0.0), (commits["main"], 0.0)):
        import_model("some/model", revision, "language-model", tmp_path / "model")
        assert (load_file(tmp_path / "model" / "model.safetensors")["transformer.ln_f.bias"] == value).all()
    for source, revision in (("some/model", "v2"), ("some/other", "main")):
        with pytest.raises(UserError, match=rf"cannot list the files of model {source} at {revision}: .*hub cache"):
            import_model(source, revision, "language-model", tmp_path / "new")
    assert not (tmp_path / "new").exists()
