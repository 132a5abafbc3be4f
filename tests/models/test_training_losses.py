"""What trainings report: cross-entropy of the logits, and judges as scorers read them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.models import logits
from lm_interpolation.models.blocks import pack
from lm_interpolation.models.classifier_training import expected_calibration_error, train_classifier
from lm_interpolation.models.importing import import_model
from lm_interpolation.models.language_training import train_language_model
from lm_interpolation.scores.classifier import score_classifier
from lm_interpolation.texts.generation import Sampling, generate

SETTINGS = {
    "steps": 2,
    "batch_size": 4,
    "block_length": 16,
    "learning_rate": 1e-12,
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
    "eval_steps": 1,
    "save_steps": 100,
}
TEXTS = [f"the film {i} was good but the plot was {'bad' if i % 2 else 'fine'}" for i in range(60)]
EXPERTS = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
EXPERTS |= {"intermediate_size": 64, "num_experts_per_tok": 2, "router_aux_loss_coef": 0.5, "vocab_size": 300}
EXPERTS |= {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
KINDS = {
    "qwen3_moe": {"num_experts": 4, "moe_intermediate_size": 32, "head_dim": 16},
    "mixtral": {"num_local_experts": 4},
}


def train(folder: Path, start: Path, **changes: Any) -> dict[str, Any]:
    """Metrics, the points of the loss curve, and where the model lies."""
    train_language_model(
        name="x",
        train=TEXTS[:50],
        dev=TEXTS[50:],
        output=folder / "model",
        loss_curve=folder / "loss.csv",
        metrics=folder / "metrics.json",
        scratch=folder / "scratch",
        settings=SETTINGS | changes,
        start=start,
    )
    with open(folder / "loss.csv") as handle:
        points = [(row["split"], float(row["loss"])) for row in csv.DictReader(handle)]
    return json.loads((folder / "metrics.json").read_text()) | {"curve": points}


def save(directory: Path, tokenizer: Path, kind: str, **options: Any) -> Path:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **options))
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(directory)
    return directory


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_a_router_is_learnt_by_and_not_reported(kind: str, tmp_path: Path, tiny_tokenizer: Path) -> None:
    found = {}
    for flag in (False, True):
        options = EXPERTS | KINDS[kind] | {"output_router_logits": flag}
        start = save(tmp_path / f"start {flag}", tiny_tokenizer, kind, **options)
        found[flag] = train(tmp_path / f"still {flag}", start)
        found[flag, "moved"] = train(tmp_path / f"moved {flag}", start, learning_rate=0.01)
    assert found[True]["dev_loss"] == pytest.approx(found[False]["dev_loss"], rel=1e-6)
    assert [loss for _, loss in found[True]["curve"]] == pytest.approx(
        [loss for _, loss in found[False]["curve"]], rel=1e-5
    )
    # What is trained so is imported, and generates, all the same.
    config = json.loads((tmp_path / "moved True" / "model" / "config.json").read_text())
    assert config["output_router_logits"] is True
    import_model(str(tmp_path / "moved True" / "model"), None, "language-model", tmp_path / "imported")
    prompts = pd.DataFrame({"row": [0, 1], "text": ["the film", "the plot was bad, but the film"]})
    assert len(generate(tmp_path / "imported", prompts, Sampling(0.9, 3, 2, 0), 4)) == 4
    # It still moves the weights.
    assert found[True, "moved"]["dev_loss"] != pytest.approx(found[False, "moved"]["dev_loss"], rel=1e-6)


def test_the_loss_on_dev_is_that_of_transformers(tmp_path: Path, tiny_gpt2: Path) -> None:
    result = train(tmp_path, tiny_gpt2)
    tokenizer = AutoTokenizer.from_pretrained(tiny_gpt2)
    ids = torch.from_numpy(pack(TEXTS[50:], tokenizer, 16)[0]).long()
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    with torch.inference_mode():
        assert result["dev_loss"] == pytest.approx(model(ids, labels=ids).loss.item(), rel=1e-6)


def test_a_training_in_parts_is_the_same(tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(tmp_path / "whole", tiny_gpt2, learning_rate=0.01)
    # 4 blocks of 16 tokens with 300 logits each: 5 of 16 positions at a time.
    monkeypatch.setattr(logits, "LIMIT", 4 * 4 * 300 * 5)
    parts = train(tmp_path / "parts", tiny_gpt2, learning_rate=0.01)
    assert [loss for _, loss in parts["curve"]] == pytest.approx([loss for _, loss in whole["curve"]], rel=1e-5)
    assert parts["dev_loss"] == pytest.approx(whole["dev_loss"], rel=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_judge_is_measured_as_scorers_read_it(precision: str, tmp_path: Path, tiny_gpt2: Path) -> None:
    """GPT-2 counts positions from the first token: padded on the left, as this tokenizer says, it reads other texts."""
    start = tmp_path / "start"
    AutoModelForCausalLM.from_pretrained(tiny_gpt2).save_pretrained(start)
    AutoTokenizer.from_pretrained(tiny_gpt2, padding_side="left").save_pretrained(start)
    generator = np.random.default_rng(0)
    words = ["the", "film", "plot", "was"]

    def texts(count: int) -> tuple[list[str], list[str]]:
        ends = [generator.choice(words, generator.integers(0, 5)).tolist() for _ in range(2 * count)]
        core = [["good", "bad"][i % 2] for i in range(count)]
        return [" ".join([*ends[2 * i], core[i], *ends[2 * i + 1]]) for i in range(count)], core

    splits = {"train": texts(200), "dev": texts(50), "test": texts(150)}
    train_classifier(
        name="judge",
        splits=splits,
        output=tmp_path / "judge",
        loss_curve=tmp_path / "loss.csv",
        metrics=tmp_path / "metrics.json",
        scratch=tmp_path / "scratch",
        settings=SETTINGS
        | {"steps": 25, "batch_size": 16, "learning_rate": 0.01, "block_length": 32, "precision": precision},
        start=start,
    )
    told = json.loads((tmp_path / "metrics.json").read_text())["test"]
    scores = score_classifier(tmp_path / "judge", splits["test"][0], 32)
    guess = np.where(scores["p_good"] > scores["p_bad"], "good", "bad")
    right = guess == np.array(splits["test"][1])
    assert 0.6 < right.mean() < 1
    assert told["accuracy"] == right.mean()
    probabilities = scores[["p_bad", "p_good"]].to_numpy(np.float64)
    truth = (np.array(splits["test"][1]) == "good").astype(int)
    expected = expected_calibration_error(probabilities, truth)
    assert told["expected_calibration_error"] == pytest.approx(expected, abs=1e-6)


def test_calibration_by_hand() -> None:
    # Two texts at 0.9, one of them right: a gap of 0.4; two at 0.6, both right: another of 0.4.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    assert expected_calibration_error(probabilities, np.array([0, 1, 1, 1])) == pytest.approx(0.4)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0
