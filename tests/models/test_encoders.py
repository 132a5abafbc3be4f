"""Encoders: imported without their heads, whatever these are for, and what is trained from them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerBase,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    RobertaModel,
    T5Config,
    T5Model,
)

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models import probing
from lm_interpolation.models.classifier_training import train_classifier
from lm_interpolation.models.common_body import common_body
from lm_interpolation.models.importing import import_model
from tests.hub_cache import roberta_tokenizer

SHORT = {
    "steps": 2,
    "batch_size": 2,
    "block_length": 16,
    "learning_rate": 0.01,
    "schedule": "linear",
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "max_grad_norm": 1.0,
    "precision": "fp32",
    "seed": 0,
    "log_steps": 1,
    "eval_steps": 2,
    "save_steps": 2,
    "processes": 1,
    "trainable": "all",
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    folder = tmp_path_factory.mktemp("tokenizer")
    roberta_tokenizer(folder)
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    return loaded


def config(tokenizer: PreTrainedTokenizerBase, **more: Any) -> RobertaConfig:
    return RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        type_vocab_size=1,
        initializer_range=0.3,
        **more,
    )


def saved(model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


HEADS: dict[str, Callable[[PreTrainedTokenizerBase], Any]] = {
    "masked": lambda tokenizer: RobertaForMaskedLM(config(tokenizer)),
    "three classes": lambda tokenizer: RobertaForSequenceClassification(config(tokenizer, num_labels=3)),
    "a number": lambda tokenizer: RobertaForSequenceClassification(config(tokenizer, num_labels=1)),
    "a pooler": lambda tokenizer: RobertaModel(config(tokenizer)),
}


@pytest.mark.parametrize("head", HEADS)
def test_an_encoder_is_imported_without_its_head(
    head: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    model = HEADS[head](tokenizer)
    source = saved(model, tokenizer, tmp_path / "source")
    import_model(str(source), None, "encoder", tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    body = model if head == "a pooler" else model.roberta
    expected = {name: value for name, value in body.state_dict().items() if not name.startswith("pooler.")}
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in weights)
    if head != "a pooler":
        assert "have no place in an encoder" in capsys.readouterr().err


def test_bodies_of_imported_encoders_are_compared_whole(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    models = {}
    for number, head in enumerate(HEADS):
        source = saved(HEADS[head](tokenizer), tokenizer, tmp_path / f"source {number}")
        models[head] = tmp_path / f"model {number}"
        import_model(str(source), None, "encoder", models[head])
    assert common_body(models).left_out == []


def test_weights_of_the_body_may_not_lack(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    model = RobertaModel(config(tokenizer))
    source = saved(model, tokenizer, tmp_path / "source")
    settings = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 3}))
    with pytest.raises(UserError, match=r"source lacks weights of an encoder: \['encoder\.layer\.2\."):
        import_model(str(source), None, "encoder", tmp_path / "model")


def test_an_encoder_with_a_decoder_is_refused(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    model = T5Model(
        T5Config(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, pad_token_id=1)
    )
    source = saved(model, tokenizer, tmp_path / "source")
    with pytest.raises(UserError, match="T5Model has an encoder and a decoder; choose a model of one of them"):
        import_model(str(source), None, "encoder", tmp_path / "model")


def test_states_that_depend_on_other_texts_are_refused(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_mask(texts: Any, token: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
        ids, mask = pad(texts, token, device)
        return ids, torch.ones_like(mask)

    pad = probing.pad_right
    monkeypatch.setattr(probing, "pad_right", without_mask)
    source = saved(RobertaModel(config(tokenizer)), tokenizer, tmp_path / "source")
    with pytest.raises(UserError, match="RobertaModel gives a text other hidden states beside a longer text"):
        import_model(str(source), None, "encoder", tmp_path / "model")


def test_a_classifier_is_trained_from_an_encoder(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    torch.manual_seed(0)
    source = saved(RobertaForMaskedLM(config(tokenizer)), tokenizer, tmp_path / "source")
    import_model(str(source), None, "encoder", tmp_path / "base")
    texts = (["the film was good", "the plot was bad"] * 2, ["good", "bad"] * 2)
    train_classifier(
        "judge",
        dict.fromkeys(("train", "dev", "test"), texts),
        tmp_path / "judge",
        tmp_path / "loss.csv",
        tmp_path / "metrics.json",
        tmp_path / "scratch",
        {**SHORT, "learning_rate": 1e-9},
        start=tmp_path / "base",
    )
    base, judge = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "judge"))
    assert "classifier.out_proj.weight" in judge
    assert all(torch.allclose(judge[f"roberta.{name}"], base[name], atol=1e-6) for name in base)
    assert common_body({"base": tmp_path / "base", "judge": tmp_path / "judge"}).left_out == [
        "classifier.dense.bias",
        "classifier.dense.weight",
        "classifier.out_proj.bias",
        "classifier.out_proj.weight",
    ]


@pytest.mark.parametrize("mask", ["old", "absent", "plain"])
def test_the_mask_of_old_files_is_no_other_tokenizer(
    mask: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    """transformers 5 reads another flag of the token than its files had before; no text holds the token."""
    folders = {}
    for name, kind in (("base", "old"), ("tuned", mask)):
        source = tmp_path / f"{name} source"
        RobertaModel(config(tokenizer)).save_pretrained(source)
        roberta_tokenizer(source, mask=kind)
        folders[name] = tmp_path / name
        import_model(str(source), None, "encoder", folders[name])
    assert common_body(folders).left_out == []
