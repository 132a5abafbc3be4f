"""Trainings that change the biases alone, and models without any."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.jobs.training_job import first_texts
from lm_interpolation.models.biases import WITHOUT_BIASES, lacks_biases
from lm_interpolation.models.distributed import run_training
from lm_interpolation.models.trainable import leave_trainable
from tests.by_hand import make_job
from tests.models.test_training import (
    SETTINGS,
    TRAIN,
    classify,
    interrupt,
    judge_start,  # noqa: F401
    labelled,
    metrics,
    outputs,
    train,
    weights,
)

BIASES = {"trainable": "biases"}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Names of the tensors of ``before`` that are no longer the same bytes."""
    return {name for name, value in before.items() if value.numpy().tobytes() != after[name].numpy().tobytes()}


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> Path:
    return train(tmp_path_factory.mktemp("biased"), start=tiny_gpt2, **BIASES)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_biases_move_and_everything_else_keeps_its_bytes(precision: str, tmp_path: Path, tiny_gpt2: Path) -> None:
    found = train(tmp_path, start=tiny_gpt2, precision=precision, steps=6, **BIASES)
    before, after = load_file(tiny_gpt2 / "model.safetensors"), weights(found)
    biases = {name for name in before if name.endswith(".bias")}
    assert changed(before, after) == biases
    # Of each block those of two layer norms, attention and MLP (two each), and one of the last norm.
    assert len(biases) == 7
    assert {name for name in before if name.endswith("ln_f.bias")} <= biases


def test_all_is_what_is_trained_without_the_key(tmp_path: Path, tiny_gpt2: Path) -> None:
    one, other = (
        train(tmp_path / str(n), start=tiny_gpt2, steps=4, **keys) for n, keys in enumerate(({}, {"trainable": "all"}))
    )
    assert outputs(one) == outputs(other)
    before = load_file(tiny_gpt2 / "model.safetensors")
    assert changed(before, weights(one)) == set(before)


@pytest.mark.parametrize("step", [4, 7, 13])
def test_biases_go_on_where_they_stopped(
    step: int, biased: Path, tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, step)
        train(tmp_path, start=tiny_gpt2, **BIASES)
    assert outputs(train(tmp_path, start=tiny_gpt2, **BIASES)) == outputs(biased)


def test_the_optimizer_holds_a_state_of_the_biases_alone(tmp_path: Path, tiny_gpt2: Path, monkeypatch: Any) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 7)
        train(tmp_path, start=tiny_gpt2, **BIASES)
    state = torch.load(tmp_path / "scratch/checkpoint-5/optimizer.pt", weights_only=True)["state"]
    before = load_file(tiny_gpt2 / "model.safetensors")
    shapes = sorted(tuple(value.shape) for name, value in before.items() if name.endswith(".bias"))
    assert sorted(tuple(entry["exp_avg"].shape) for entry in state.values()) == shapes


def test_a_classifier_trains_its_head_and_the_biases(tmp_path: Path, judge_start: Path) -> None:  # noqa: F811
    counts = {"positive": 8, "neutral": 8, "negative": 8}
    splits = {split: labelled(counts, seed) for seed, split in enumerate(("train", "dev", "test"))}
    after = weights(classify(tmp_path, judge_start, splits, steps=8, eval_steps=8, **BIASES))
    before = load_file(judge_start / "model.safetensors")
    before = {name: value for name, value in before.items() if name in after}
    assert changed(before, after) == {name for name in before if name.endswith(".bias")}
    # The head did not stay as it was drawn, and it is no bias.
    still = weights(classify(tmp_path / "still", judge_start, splits, steps=1, eval_steps=1, learning_rate=1e-30))
    assert (after["score.weight"] - still["score.weight"]).abs().max() > 1e-3


def test_a_model_without_biases_is_told_before_training(tmp_path: Path, tiny_tokenizer: Path) -> None:
    llama = {
        "model_type": "llama", "num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 32,
    }  # fmt: skip
    wrong = r"models\.tiny\.training\.trainable: biases, but a model of type llama has none; train all, or start from"
    with pytest.raises(UserError, match=wrong):
        train(tmp_path, tokenizer=tiny_tokenizer, architecture=llama, **BIASES)
    assert not (tmp_path / "scratch").exists()
    train(tmp_path, tokenizer=tiny_tokenizer, architecture=llama | {"attention_bias": True}, steps=1, **BIASES)


def test_an_unknown_choice_is_a_mistake_of_ours(tiny_gpt2: Path) -> None:
    with pytest.raises(ValueError, match="'some'"):
        leave_trainable("x", AutoModelForCausalLM.from_pretrained(tiny_gpt2), "some", head=False)


SMALL = {
    "num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 32, "pad_token_id": 0,
}  # fmt: skip


def has_biases(kind: str, **options: Any) -> bool:
    config = CONFIG_MAPPING[kind](**SMALL, **options)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return any(name.endswith(".bias") for name, _ in model.named_parameters())


@pytest.mark.parametrize("kind", sorted(WITHOUT_BIASES))
def test_architectures_that_are_known_to_have_none(kind: str) -> None:
    assert lacks_biases({"model_type": kind}) and not has_biases(kind)
    if hasattr(CONFIG_MAPPING[kind](), "attention_bias"):
        assert not lacks_biases({"model_type": kind, "attention_bias": True})
        assert has_biases(kind, attention_bias=True)
    assert lacks_biases({"model_type": kind, "attention_bias": False})


def test_other_architectures_are_not_judged_by_their_name() -> None:
    assert not lacks_biases({"model_type": "gpt2"}) and not lacks_biases({})
    assert has_biases("gpt2")


# --- few texts


def test_the_first_texts() -> None:
    assert first_texts(["a", "b", "c"], 2, "x") == ["a", "b"] == first_texts(["a", "b"], None, "x")
    assert first_texts(["a"], 1, "x") == ["a"]
    with pytest.raises(UserError, match=r"models\.few\.data\.limit: 4, but there are 3 training texts; lower it"):
        first_texts(["a", "b", "c"], 4, "few")


@pytest.fixture
def trained_job(tmp_path: Path, tiny_gpt2: Path, write_split: Callable[..., Path]) -> Callable[..., Path]:
    """Run the training job of a model with this ``data``; gives its folder."""

    def run(name: str, data: dict[str, Any], texts: list[str], labels: list[str] | None = None) -> Path:
        folder = tmp_path / name
        inputs = {
            "train": str(write_split(folder / "train.parquet", texts, labels)),
            "dev": str(write_split(folder / "dev.parquet", TRAIN[:4], None if labels is None else ["good"] * 4)),
        }
        job = make_job(inputs, {"model": folder / "model"})
        arguments = {
            "name": name,
            "output": folder / "model",
            "loss_curve": folder / "loss.csv",
            "metrics": folder / "metrics.json",
            "scratch": folder / "scratch",
            "settings": SETTINGS | {"steps": 3},
            "start": tiny_gpt2,
        }
        run_training(job, {"data": data}, 1, **arguments)
        return folder

    return run


@pytest.fixture
def write_split() -> Callable[..., Path]:
    import pandas as pd

    from lm_interpolation.data.corpora import write_corpus

    def write(path: Path, texts: list[str], labels: list[str] | None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame({"row": np.arange(len(texts)), "text": texts, "label": labels or [None] * len(texts)})
        write_corpus({"train": frame}, {"train": path})
        return path

    return write


def test_a_job_trains_on_the_first_texts_of_the_class(trained_job: Callable[..., Path]) -> None:
    few, other = TRAIN[:12], TRAIN[12:24]
    mixed = [text for pair in zip(other, few, strict=True) for text in pair]
    labels = ["bad", "good"] * 12
    by_hand = trained_job("hand", {"corpus": "c"}, few[:8])
    limited = trained_job("limited", {"corpus": "c", "class": "good", "limit": 8}, mixed, labels)
    assert metrics(limited)["train_texts"] == 8
    assert outputs(limited) == outputs(by_hand)
    whole = trained_job("whole", {"corpus": "c", "class": "good"}, mixed, labels)
    assert metrics(whole)["train_texts"] == 12 and outputs(whole) != outputs(limited)
    with pytest.raises(UserError, match=r"models\.many\.data\.limit: 13, but there are 12"):
        trained_job("many", {"corpus": "c", "class": "good", "limit": 13}, mixed, labels)
