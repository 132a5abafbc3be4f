"""Training and resuming, on models of one layer; sources of truth are plain torch and plain transformers."""

import csv
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.finished import FINISHED
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.jobs.settings import to_text
from lm_interpolation.jobs.training_job import training_arguments
from lm_interpolation.models import classifier_training, language_training, training_data, training_state
from lm_interpolation.models.blocks import pack
from lm_interpolation.models.classifier_training import train_classifier
from lm_interpolation.models.importing import import_model
from lm_interpolation.models.language_training import train_language_model
from lm_interpolation.models.saving import save_model
from lm_interpolation.models.tokenizer_training import train_tokenizer
from lm_interpolation.models.training_state import Reporter
from tests.by_hand import make_job
from tests.edited_models import edit_config, edited, flipped

ROOT = Path(__file__).parents[2]
WORDS = ["the", "film", "was", "good", "and", "plot", "bad", "but", "end", "of", "not", "fine"]
# Dropout, so that a resumed run must also restore the random state.
ARCHITECTURE = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 32}
SETTINGS = {
    "steps": 22,
    "batch_size": 4,
    "block_length": 16,
    "learning_rate": 0.003,
    "schedule": "constant_with_warmup",
    "warmup_steps": 2,
    "weight_decay": 0.01,
    "adam_beta1": 0.9,
    "adam_beta2": 0.99,
    "adam_epsilon": 1e-8,
    "max_grad_norm": 1.0,
    "precision": "fp32",
    "seed": 1,
    "log_steps": 3,
    "eval_steps": 4,
    "save_steps": 5,
}


def sentences(count: int, words: Sequence[str] = WORDS, length: int = 12, seed: int = 0) -> list[str]:
    generator = random.Random(seed)
    return [" ".join(generator.choice(words) for _ in range(length)) for _ in range(count)]


# 30 and 9 blocks of 16 tokens: 8 steps of 4 make an epoch, and last batches are smaller.
TRAIN, DEV = sentences(28), sentences(8, seed=1)


def train(folder: Path, **changes: Any) -> Path:
    """Train a language model in ``folder``; keys of ``changes`` that are settings change those."""
    settings = SETTINGS | {
        key: changes.pop(key) for key in list(changes) if key in {*SETTINGS, "processes", "trainable", "lora"}
    }
    options = {"train": TRAIN, "dev": DEV} | changes
    if "start" not in options:
        options = {"architecture": ARCHITECTURE} | options
    train_language_model(
        name="tiny",
        output=folder / "model",
        loss_curve=folder / "loss.csv",
        metrics=folder / "metrics.json",
        scratch=folder / "scratch",
        settings=settings,
        **options,
    )
    return folder


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("model/model.safetensors", "loss.csv", "metrics.json")}


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def curve(folder: Path) -> list[dict[str, str]]:
    with open(folder / "loss.csv") as handle:
        return list(csv.DictReader(handle))


def report_with(
    monkeypatch: pytest.MonkeyPatch, reporter: type[Reporter], instead_of: type[Reporter] = Reporter
) -> None:
    """Let the next trainings report to ``reporter``."""
    for module in (language_training, classifier_training):
        if hasattr(module, instead_of.__name__):
            monkeypatch.setattr(module, instead_of.__name__, reporter)


def interrupt(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the next trainings stop with an error before step number ``step`` (from 0)."""

    class Interrupting(Reporter):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == step:
                raise KeyboardInterrupt

    report_with(monkeypatch, Interrupting)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    return train(tmp_path_factory.mktemp("uninterrupted"), tokenizer=tiny_tokenizer)


# --- tokenizer


def test_tokenizer_has_its_size_and_keeps_any_text(tmp_path: Path) -> None:
    train_tokenizer(sentences(50), 290, tmp_path / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert len(tokenizer) == 290
    assert tokenizer.convert_tokens_to_ids("Ġfilm") == tokenizer.encode(" film")[0]
    for text in ("the film was good", " two  spaces\nand a line", "naïve café, 映画 🎬", "a ,b . n't"):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.eos_token_id not in ids
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text
    assert tokenizer.eos_token == tokenizer.bos_token == tokenizer.pad_token == "<|endoftext|>"
    assert tokenizer.eos_token_id == 0
    assert tokenizer.encode("good<|endoftext|>")[-1] == 0


def test_too_little_text_for_the_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"only \d+ tokens, not vocab_size 5000; lower vocab_size"):
        train_tokenizer(sentences(5), 5000, tmp_path / "tokenizer")
    assert not (tmp_path / "tokenizer").exists()


# --- blocks


@pytest.fixture
def tokenizer(tiny_tokenizer: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_tokenizer)


def test_blocks_by_hand(tokenizer: Any) -> None:
    letter = {text: tokenizer.encode(text)[0] for text in "xyz"}
    x, y, z = (letter[text] for text in "xyz")
    # Nine tokens with the ends; the last one does not fill a block of four.
    blocks = pack(["xyx", "y", "zz"], tokenizer, 4)[0]
    assert blocks.dtype == np.int32
    assert blocks.tolist() == [[x, y, x, 0], [y, 0, z, z]]
    assert pack(["xyx", "y", "zz"], tokenizer, 9)[0].tolist() == [[x, y, x, 0, y, 0, z, z, 0]]


def test_blocks_do_not_depend_on_how_texts_are_tokenized_together(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["the film"] * 10_001 + ["x"]
    blocks = pack(texts, tokenizer, 3)[0]
    ids = tokenizer.encode("the film")
    stream = ([*ids, 0] * 10_001) + [*tokenizer.encode("x"), 0]
    assert blocks.ravel().tolist() == stream[: len(stream) // 3 * 3]


def test_too_little_text_for_a_block(tokenizer: Any) -> None:
    with pytest.raises(UserError, match=r"1 texts make 4 tokens, less than one block of 5; lower"):
        pack(["xyx"], tokenizer, 5)[0]
    with pytest.raises(UserError, match=r"0 texts make 0 tokens"):
        pack([], tokenizer, 5)[0]


def test_a_tokenizer_without_end_of_text_is_refused(tokenizer: Any) -> None:
    tokenizer.eos_token = None
    with pytest.raises(UserError, match=r"no end-of-text"):
        pack(["x"], tokenizer, 1)[0]


# --- language models: what is written


def nll(directory: Path, texts: Sequence[str], block_length: int = 16) -> float:
    """Mean over predicted tokens, by plain transformers and torch, one block at a time."""
    model = AutoModelForCausalLM.from_pretrained(directory).eval()
    blocks = torch.from_numpy(pack(texts, AutoTokenizer.from_pretrained(directory), block_length)[0].astype(np.int64))
    with torch.no_grad():
        losses = [cross_entropy(model(block[None]).logits[0, :-1], block[1:], reduction="none") for block in blocks]
    return torch.cat(losses).mean().item()


def test_a_model_from_scratch(uninterrupted: Path, tiny_tokenizer: Path) -> None:
    files = {path.name for path in (uninterrupted / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= files
    assert {tensor.dtype for tensor in load_file(uninterrupted / "model" / "model.safetensors").values()} == {
        torch.float32
    }
    model = AutoModelForCausalLM.from_pretrained(uninterrupted / "model")
    assert model.dtype == torch.float32
    assert model.config.vocab_size == 300 and model.config.pad_token_id == model.config.eos_token_id == 0
    tokenizer = AutoTokenizer.from_pretrained(uninterrupted / "model")
    assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(tiny_tokenizer).get_vocab()
    ids = tokenizer("the film", return_tensors="pt")
    assert model.generate(**ids, min_new_tokens=3, max_new_tokens=3).shape[1] == ids["input_ids"].shape[1] + 3
    assert [path.name for path in (uninterrupted / "scratch").iterdir()] == [FINISHED]


def test_the_saved_configuration_keeps_the_cache_on(uninterrupted: Path) -> None:
    assert AutoConfig.from_pretrained(uninterrupted / "model").use_cache is True


def test_loss_curve_and_metrics(uninterrupted: Path, tokenizer: Any) -> None:
    rows = curve(uninterrupted)
    assert list(rows[0]) == ["step", "split", "loss", "learning_rate"]
    # Every 3 steps; dev every 4 steps and once at the end.
    assert [int(row["step"]) for row in rows if row["split"] == "train"] == [3, 6, 9, 12, 15, 18, 21]
    assert [int(row["step"]) for row in rows if row["split"] == "dev"] == [4, 8, 12, 16, 20, 22]
    assert {row["learning_rate"] for row in rows if row["split"] == "dev"} == {""}
    assert {row["learning_rate"] for row in rows if row["split"] == "train"} == {"0.003"}
    for split in ("train", "dev"):
        losses = [float(row["loss"]) for row in rows if row["split"] == split]
        assert losses[-1] < losses[0] - 0.5
    assert (len(pack(TRAIN, tokenizer, 16)[0]), len(pack(DEV, tokenizer, 16)[0])) == (30, 9)
    result = metrics(uninterrupted)
    assert (result["train_texts"], result["train_tokens"], result["dev_tokens"]) == (28, 30 * 16, 9 * 16)
    assert result["parameters"] == sum(
        parameter.numel() for parameter in AutoModelForCausalLM.from_pretrained(uninterrupted / "model").parameters()
    )
    # The last of 9 blocks is alone in its batch, so that a mean over batches would be another number.
    assert result["dev_loss"] == pytest.approx(nll(uninterrupted / "model", DEV), rel=1e-6)
    assert result["dev_perplexity"] == pytest.approx(math.exp(result["dev_loss"]))
    assert float(rows[-1]["loss"]) == pytest.approx(result["dev_loss"], rel=1e-5)


def test_seen_tokens_count_the_smaller_last_batches(uninterrupted: Path) -> None:
    # 22 steps are two epochs of 30 blocks and six batches of 4.
    assert metrics(uninterrupted)["seen_tokens"] == (2 * 30 + 6 * 4) * 16


def test_a_rerun_gives_the_same_files(uninterrupted: Path, tmp_path: Path, tiny_tokenizer: Path) -> None:
    assert outputs(train(tmp_path, tokenizer=tiny_tokenizer)) == outputs(uninterrupted)


@pytest.mark.parametrize("what", ["initial weights", "order of the data"])
def test_the_seed_decides(what: str, tmp_path: Path, tiny_tokenizer: Path, tiny_gpt2: Path) -> None:
    if what == "initial weights":
        values = {"tokenizer": tiny_tokenizer, "learning_rate": 1e-30, "steps": 1}
    else:  # the start has no dropout
        values = {"start": tiny_gpt2, "steps": 2, "warmup_steps": 0}
    one, two = (
        load_file(train(tmp_path / str(seed), seed=seed, **values) / "model/model.safetensors") for seed in (1, 2)
    )
    assert not torch.equal(one["transformer.wte.weight"], two["transformer.wte.weight"])


# --- language models: what is computed


@pytest.mark.parametrize(("max_grad_norm", "schedule"), [(0.0, "linear"), (0.3, "cosine")])
def test_fine_tuning_is_adamw_on_the_mean_token_loss(
    max_grad_norm: float, schedule: str, tmp_path: Path, tiny_gpt2: Path, tokenizer: Any
) -> None:
    blocks = torch.from_numpy(pack(TRAIN, tokenizer, 16)[0].astype(np.int64))
    values = {
        "steps": 6, "warmup_steps": 2, "learning_rate": 0.02, "weight_decay": 0.3, "adam_beta1": 0.8,
        "adam_beta2": 0.9, "adam_epsilon": 1e-3, "max_grad_norm": max_grad_norm, "schedule": schedule,
        "batch_size": len(blocks), "log_steps": 1, "eval_steps": 6,
    }  # fmt: skip
    train(tmp_path, start=tiny_gpt2, **values)

    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
    # Matrices and embeddings decay, biases and norms do not.
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.3},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.02, betas=(0.8, 0.9), eps=1e-3)
    after = [1.0, 0.75, 0.5, 0.25] if schedule == "linear" else [(1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]
    rates = [0.02 * factor for factor in (0, 0.5, *after)]
    losses = []
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = model(blocks).logits[:, :-1]
        loss = cross_entropy(logits.reshape(-1, 300), blocks[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        if max_grad_norm:
            assert torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm) > max_grad_norm
        optimizer.step()
        losses.append(loss.item())

    rows = [row for row in curve(tmp_path) if row["split"] == "train"]
    np.testing.assert_allclose([float(row["loss"]) for row in rows], losses, rtol=2e-5)
    np.testing.assert_allclose([float(row["learning_rate"]) for row in rows], rates, rtol=1e-12)
    trained = dict(AutoModelForCausalLM.from_pretrained(tmp_path / "model").named_parameters())
    start = dict(AutoModelForCausalLM.from_pretrained(tiny_gpt2).named_parameters())
    for name, parameter in model.named_parameters():
        assert (parameter - start[name]).abs().max() > 0.003, name
        np.testing.assert_allclose(trained[name].detach(), parameter.detach(), atol=2e-5, err_msg=name)


def test_bf16_computes_in_bf16_and_keeps_weights_in_fp32(tmp_path: Path, tiny_gpt2: Path) -> None:
    # At this learning rate all steps together are below the resolution of bf16 for most weights.
    values = {"start": tiny_gpt2, "steps": 4, "learning_rate": 1e-6, "warmup_steps": 0}
    half, full = (train(tmp_path / name, precision=name, **values) for name in ("bf16", "fp32"))
    start = load_file(tiny_gpt2 / "model.safetensors")["transformer.h.0.attn.c_attn.weight"]
    weights = {
        name: load_file(tmp_path / name / "model" / "model.safetensors")["transformer.h.0.attn.c_attn.weight"]
        for name in ("bf16", "fp32")
    }
    assert weights["bf16"].dtype == torch.float32
    assert not torch.equal(weights["bf16"], weights["fp32"])
    assert (weights["bf16"] != start).float().mean() > 0.99
    assert metrics(half)["dev_loss"] == pytest.approx(metrics(full)["dev_loss"], abs=0.01)


def test_a_diverged_loss_is_an_error_naming_the_step(tmp_path: Path, tiny_gpt2: Path) -> None:
    with pytest.raises(UserError, match=r"models\.tiny\.training: loss is (nan|inf) at step \d+; lower learning_rate"):
        train(tmp_path, start=tiny_gpt2, learning_rate=1e30, max_grad_norm=0.0)
    assert not (tmp_path / "model").exists() and not (tmp_path / "metrics.json").exists()


def test_nan_weights_are_not_saved(tmp_path: Path, tiny_gpt2: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
    with torch.no_grad():
        model.transformer.ln_f.bias[3] = math.nan
    with pytest.raises(UserError, match=r"weight transformer\.ln_f\.bias is not finite"):
        save_model(model, AutoTokenizer.from_pretrained(tiny_gpt2), tmp_path / "model")
    assert not list(tmp_path.iterdir())


# --- parts of a batch


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def test_parts_of_a_batch_sum_up_to_the_batch(tmp_path: Path, tiny_gpt2: Path) -> None:
    # 30 blocks: every fourth batch has 6, which are two parts, the other ones four; the start has no dropout.
    values = {"start": tiny_gpt2, "batch_size": 8, "steps": 9, "log_steps": 1, "eval_steps": 3, "learning_rate": 0.01}
    values["adam_epsilon"] = 1e-6  # so that Adam does not make much of rounding
    whole = train(tmp_path / "whole", **values)
    parts = train(tmp_path / "parts", micro_batch=2, **values)
    start = load_file(tiny_gpt2 / "model.safetensors")
    for name, tensor in weights(whole).items():
        assert (tensor - start[name]).abs().max() > 0.01, name
        np.testing.assert_allclose(weights(parts)[name], tensor, atol=1e-5, err_msg=name)
    for one, two in zip(curve(whole), curve(parts), strict=True):
        assert (one["step"], one["split"], one["learning_rate"]) == (two["step"], two["split"], two["learning_rate"])
        assert float(one["loss"]) == pytest.approx(float(two["loss"]), rel=1e-5)
    expected = metrics(whole)
    assert metrics(parts) == expected | {
        key: pytest.approx(expected[key], rel=1e-6) for key in ("dev_loss", "dev_perplexity")
    }


def test_a_part_larger_than_the_batch_is_the_batch(uninterrupted: Path, tmp_path: Path, tiny_tokenizer: Path) -> None:
    assert outputs(train(tmp_path, tokenizer=tiny_tokenizer, micro_batch=64)) == outputs(uninterrupted)


def test_an_interrupted_training_in_parts(
    tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"tokenizer": tiny_tokenizer, "micro_batch": 1}
    whole = train(tmp_path / "whole", **values)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 13)
        train(tmp_path / "stopped", **values)
    assert outputs(train(tmp_path / "stopped", **values)) == outputs(whole)


def test_parts_must_fill_the_batch(tmp_path: Path, tiny_gpt2: Path) -> None:
    message = (
        r"models\.tiny\.training\.batch_size: of 4 every process takes 4, .* not a multiple of compute\.batch_size"
    )
    with pytest.raises(UserError, match=message):
        train(tmp_path, start=tiny_gpt2, micro_batch=3)


def test_the_batch_must_be_dealt_out_evenly(tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UserError, match=r"models\.tiny\.training\.batch_size: 4 cannot be divided among 3 processes"):
        train(tmp_path, start=tiny_gpt2, processes=3)


@pytest.mark.parametrize("items", [24, 25, 29, 31])
@pytest.mark.parametrize("part", [1, 3, 4])
def test_shares_of_processes_make_up_the_batches(items: int, part: int) -> None:
    shares = [training_data.Shares(items, 8, part, rank, 2, seed=5) for rank in (0, 1)]
    for epoch in (0, 1):
        for share in shares:
            share.set_epoch(epoch)
        first, second = (list(share) for share in shares)
        # Both take as many parts of as many items: each waits for the other.
        assert [len(part) for part in first] == [len(part) for part in second]
        assert len(first) == len(shares[0]) and max(map(len, first)) <= part
        order = torch.randperm(items, generator=torch.Generator().manual_seed(5 + epoch)).tolist()
        per_step = math.ceil(4 / part)
        for step in range(math.ceil(items / 8)):
            parts = first[step * per_step : (step + 1) * per_step] + second[step * per_step : (step + 1) * per_step]
            found = [item for part in parts for item in part]
            batch = order[step * 8 : step * 8 + 8]
            # Where the last batch is odd, the second process has a blank.
            assert sorted(found) == sorted(batch + [items] * (len(batch) % 2))


def test_a_blank_adds_nothing(tokenizer: Any, tiny_gpt2: Path) -> None:
    blocks = training_data.Blocks(*pack(TRAIN, tokenizer, 16))
    blank = blocks[len(blocks)]
    assert (blank["labels"] == -100).all() and (blank["input_ids"] == blocks[0]["input_ids"]).all()
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
    loss = model(**{key: value[None] for key, value in blank.items()}, num_items_in_batch=torch.tensor(15)).loss
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or p.grad.abs().max() == 0 for p in model.parameters())


# --- random weights in another model's shape


def test_a_model_with_the_architecture_of_another(tmp_path: Path, tiny_gpt2: Path) -> None:
    values = {"like": tiny_gpt2, "architecture": None, "steps": 2, "learning_rate": 1e-30}
    one, same, other = (train(tmp_path / key, seed=int(key[0]), **values) for key in ("1", "1 again", "2"))
    config, expected = (json.loads((path / "config.json").read_text()) for path in (one / "model", tiny_gpt2))
    assert config == expected
    assert (one / "model" / "tokenizer.json").read_bytes() == (tiny_gpt2 / "tokenizer.json").read_bytes()
    start = load_file(tiny_gpt2 / "model.safetensors")
    assert weights(one).keys() == start.keys()
    name = "transformer.h.0.attn.c_attn.weight"
    assert weights(one)[name].dtype == torch.float32 and weights(one)[name].shape == start[name].shape
    assert torch.equal(weights(one)[name], weights(same)[name])
    assert not torch.equal(weights(one)[name], weights(other)[name])
    correlation = np.corrcoef(weights(one)[name].ravel(), start[name].ravel())[0, 1]
    assert abs(correlation) < 0.2


# --- trials of a search


def trial(folder: Path, checkpoints: Sequence[int], **changes: Any) -> Path:
    settings = SETTINGS | {
        key: changes.pop(key) for key in list(changes) if key in {*SETTINGS, "processes", "trainable", "lora"}
    }
    language_training.run_trial(
        name="tiny",
        label="table2 lr1",
        loss_curve=folder / "loss.csv",
        metrics=folder / "metrics.json",
        scratch=folder / "scratch",
        settings=settings,
        checkpoints=checkpoints,
        **{"train": TRAIN, "dev": DEV} | changes,
    )
    return folder


def test_a_trial_is_judged_after_given_steps(tmp_path: Path, tiny_gpt2: Path) -> None:
    trial(tmp_path / "trial", [5, 7, 10], start=tiny_gpt2)
    # Without dropout and with a schedule that does not know the end, shorter runs are the same.
    for steps, entry in zip((5, 7, 10), metrics(tmp_path / "trial")["evaluations"], strict=True):
        expected = metrics(train(tmp_path / str(steps), start=tiny_gpt2, steps=steps))
        assert entry == {"steps": steps} | {key: expected[key] for key in ("dev_loss", "dev_perplexity")}
    assert {path.name for path in (tmp_path / "trial").iterdir()} == {"loss.csv", "metrics.json", "scratch"}
    rows = curve(tmp_path / "trial")
    assert [int(row["step"]) for row in rows if row["split"] == "dev"] == [5, 7, 10]
    assert [int(row["step"]) for row in rows if row["split"] == "train"] == [3, 6, 9]


def test_an_interrupted_trial(tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"architecture": ARCHITECTURE, "tokenizer": tiny_tokenizer}
    whole = trial(tmp_path / "whole", [5, 12, 16], **values)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):

        class Interrupting(language_training.TrialReporter):
            def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                if state.global_step == 14:
                    raise KeyboardInterrupt

        patch.setattr(language_training, "TrialReporter", Interrupting)
        trial(tmp_path / "stopped", [5, 12, 16], **values)
    assert {path.name for path in tmp_path.glob("stopped/scratch/*")} == {"checkpoint-5", "checkpoint-10"}
    stopped = trial(tmp_path / "stopped", [5, 12, 16], **values)
    for name in ("loss.csv", "metrics.json"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()


def test_a_diverging_trial_is_a_result(tmp_path: Path, tiny_gpt2: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # The first step has the learning rate 0, so that the first checkpoint still is that of the start.
    trial(tmp_path, [1, 6, 9], start=tiny_gpt2, learning_rate=1e30, max_grad_norm=0.0, log_steps=1)
    first, *rest = metrics(tmp_path)["evaluations"]
    assert first["dev_loss"] == pytest.approx(math.log(300), abs=0.1)
    assert rest == [{"steps": steps, "dev_loss": None, "dev_perplexity": None} for steps in (6, 9)]
    assert "[train table2 lr1] diverged by step" in capfd.readouterr().err
    rows = curve(tmp_path)
    assert rows[-1]["loss"] == "" and all(row["loss"] for row in rows[:-1])
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == [FINISHED]


def test_a_perplexity_beyond_all_numbers() -> None:
    assert language_training._perplexity(700.0) == math.exp(700)
    assert language_training._perplexity(710.0) is None


# --- language models: mistakes


def test_block_length_beyond_the_context(tmp_path: Path, tiny_gpt2: Path, tiny_tokenizer: Path) -> None:
    message = r"models\.tiny\.training\.block_length: 33 exceeds the model's context of 32 tokens; lower it"
    with pytest.raises(UserError, match=message):
        train(tmp_path, start=tiny_gpt2, block_length=33)
    with pytest.raises(UserError, match=message):
        train(tmp_path, tokenizer=tiny_tokenizer, block_length=33)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt22"}, r"architecture\.model_type: transformers has no 'gpt22'"),
        ({"n_layers": 2}, r"architecture\.n_layers: gpt2 has no such option"),
        ({"n_head": 3}, r"architecture: .*divisible"),
        ({"n_layer": "three"}, r"architecture: .*expected int, got str"),
        ({"activation_function": "foo"}, r"architecture: .*foo"),
        ({"vocab_size": 3}, r"architecture: .*vocab_size"),
    ],
)
def test_bad_architectures(change: dict[str, Any], message: str, tmp_path: Path, tiny_tokenizer: Path) -> None:
    with pytest.raises(UserError, match=rf"^models\.tiny\.start\.{message}") as caught:
        train(tmp_path, architecture=ARCHITECTURE | change, tokenizer=tiny_tokenizer)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_an_option_may_have_its_common_name(tmp_path: Path, tiny_tokenizer: Path) -> None:
    architecture = {"model_type": "gpt2", "num_hidden_layers": 2, "hidden_size": 8, "n_head": 2, "n_positions": 16}
    train(tmp_path, architecture=architecture, tokenizer=tiny_tokenizer, steps=1)
    assert AutoConfig.from_pretrained(tmp_path / "model").n_layer == 2


def test_cuda_without_a_gpu(tmp_path: Path, tiny_gpt2: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match=r"device: cuda, but torch finds no GPU"):
        train(tmp_path, start=tiny_gpt2, device="cuda")


# --- resuming


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        (4, []),  # nothing to continue from
        (7, [5]),  # saved between two logs, which are written every 3 steps
        (13, [5, 10]),  # in the second epoch
        (20, [15, 20]),  # in the third one; the first checkpoints are gone
    ],
)
def test_an_interrupted_training_ends_like_an_uninterrupted_one(
    step: int,
    kept: list[int],
    uninterrupted: Path,
    tmp_path: Path,
    tiny_tokenizer: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, step)
        train(tmp_path, tokenizer=tiny_tokenizer)
    assert {path.parent.name for path in tmp_path.glob("scratch/*/complete")} == {f"checkpoint-{k}" for k in kept}
    assert not (tmp_path / "model").exists()
    steps = count_steps(monkeypatch)
    train(tmp_path, tokenizer=tiny_tokenizer)
    assert steps == list(range(max(kept, default=0), SETTINGS["steps"]))
    assert outputs(tmp_path) == outputs(uninterrupted)


def test_when_to_save_changes_nothing(uninterrupted: Path, tmp_path: Path, tiny_tokenizer: Path) -> None:
    """So that other ``save_steps`` may continue from the same folder of checkpoints."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 10)
        train(tmp_path / "stopped", tokenizer=tiny_tokenizer, save_steps=7)
    assert [path.name for path in tmp_path.glob("stopped/scratch/*")] == ["checkpoint-7"]
    for folder, save_steps in (("stopped", 2), ("rare", 1000)):
        assert outputs(train(tmp_path / folder, tokenizer=tiny_tokenizer, save_steps=save_steps)) == outputs(
            uninterrupted
        )


def count_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list to which the next trainings append the number of each step, from 0."""
    steps: list[int] = []

    class Counting(Reporter):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            steps.append(state.global_step)

    report_with(monkeypatch, Counting)
    return steps


def test_resuming_at_the_end_of_an_epoch(tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"tokenizer": tiny_tokenizer, "save_steps": 8, "log_steps": 4}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 9)
        train(tmp_path / "stopped", **values)
    assert [path.name for path in tmp_path.glob("stopped/scratch/*")] == ["checkpoint-8"]
    stopped, whole = train(tmp_path / "stopped", **values), train(tmp_path / "whole", **values)
    assert outputs(stopped) == outputs(whole)


# Ten steps of 4 blocks end in the middle of an epoch, those of 6 at the end of one.
@pytest.mark.parametrize("batch_size", [4, 6])
def test_a_training_that_is_interrupted_after_its_last_step(
    batch_size: int, tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"tokenizer": tiny_tokenizer, "batch_size": batch_size, "steps": 10, "save_steps": 10, "log_steps": 5}
    whole = train(tmp_path / "whole", **values)

    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(language_training, "finish", stop)
        train(tmp_path / "stopped", **values)
    assert outputs(train(tmp_path / "stopped", **values)) == outputs(whole)


def test_kill_9_while_a_checkpoint_is_written(uninterrupted: Path, tmp_path: Path, tiny_tokenizer: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
import tests.models.test_training as tests
from transformers import Trainer

write = Trainer._save_optimizer_and_scheduler

def killed(self, folder):
    if self.state.global_step == 10:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, folder)

Trainer._save_optimizer_and_scheduler = killed
tests.train(Path({str(tmp_path)!r}), tokenizer=Path({str(tiny_tokenizer)!r}))
"""
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr[-2000:]
    assert (tmp_path / "scratch" / "checkpoint-10" / "model.safetensors").exists()
    assert [path.parent.name for path in tmp_path.glob("scratch/*/complete")] == ["checkpoint-5"]
    train(tmp_path, tokenizer=tiny_tokenizer)
    assert outputs(tmp_path) == outputs(uninterrupted)


def test_a_whole_checkpoint_is_left_until_the_next_one_is_marked(
    uninterrupted: Path, tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(Reporter):
        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 15:
                raise KeyboardInterrupt
            super().on_save(args, state, control, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        report_with(patch, Interrupting)
        train(tmp_path, tokenizer=tiny_tokenizer)
    assert {path.name for path in tmp_path.glob("scratch/*")} == {"checkpoint-10", "checkpoint-15"}
    steps = count_steps(monkeypatch)
    train(tmp_path, tokenizer=tiny_tokenizer)
    assert steps[0] == 10
    assert outputs(tmp_path) == outputs(uninterrupted)


def test_the_latest_whole_checkpoint_is_taken_and_others_are_removed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for step, whole in ((20, True), (100, True), (120, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "optimizer.pt").write_text("moments")
        if whole:
            write_checksums(tmp_path / f"checkpoint-{step}", "complete")
    assert training_state.last_checkpoint(tmp_path, "base") == tmp_path / "checkpoint-100"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-100", "checkpoint-20"]
    assert capfd.readouterr().err == ""
    (tmp_path / "checkpoint-100" / "optimizer.pt").write_text("momentz")
    assert training_state.last_checkpoint(tmp_path, "base") == tmp_path / "checkpoint-20"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-20"]
    assert capfd.readouterr().err == (
        f"[train base] {tmp_path}/checkpoint-100/optimizer.pt: damaged (its bytes do not match the digest in complete)"
        "; this checkpoint is removed, the training goes on from an earlier state\n"
    )
    # A power cut can leave a file of the right name and length that holds nothing.
    (tmp_path / "checkpoint-20" / "complete").write_bytes(bytes(50))
    assert training_state.last_checkpoint(tmp_path, "base") is None


def test_a_damaged_checkpoint_costs_time_only(
    uninterrupted: Path,
    tmp_path: Path,
    tiny_tokenizer: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 13)
        train(tmp_path, tokenizer=tiny_tokenizer)
    weights = tmp_path / "scratch" / "checkpoint-10" / "model.safetensors"
    weights.write_bytes(flipped(weights.read_bytes(), -3))
    steps = count_steps(monkeypatch)
    train(tmp_path, tokenizer=tiny_tokenizer)
    assert steps[0] == 5
    assert "checkpoint-10/model.safetensors: damaged" in capfd.readouterr().err
    assert outputs(tmp_path) == outputs(uninterrupted)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_model_is_not_trained_further(file: str, tmp_path: Path, tiny_gpt2: Path) -> None:
    import_model(str(tiny_gpt2), None, "language-model", tmp_path / "base")
    path = tmp_path / "base" / file
    path.write_bytes(flipped(path.read_bytes(), -5))
    message = rf"^{path}: damaged \(its bytes do not match .*\); delete {tmp_path}/base and run again$"
    with pytest.raises(UserError, match=message):
        train(tmp_path / "positive", start=tmp_path / "base")
    with pytest.raises(UserError, match=message):
        train(tmp_path / "fresh", like=tmp_path / "base")


@pytest.mark.parametrize(
    ("where", "save_steps", "error"),
    [
        # So torch.save puts a full disk.
        ("torch.save", 5, RuntimeError("[enforce fail] . unexpected pos 64 vs 0")),
        ("transformers.modeling_utils.safe_save_file", 5, SafetensorError("No space left on device")),
        # Without a checkpoint: in the end.
        ("transformers.modeling_utils.safe_save_file", 1000, SafetensorError("No space left on device")),
    ],
)
def test_a_full_disk_is_told_and_costs_nothing(
    where: str,
    save_steps: int,
    error: Exception,
    uninterrupted: Path,
    tmp_path: Path,
    tiny_tokenizer: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    folder = tmp_path / "scratch" if save_steps < SETTINGS["steps"] else tmp_path
    with monkeypatch.context() as patch, pytest.raises(OSError) as caught:
        patch.setattr(where, fail)
        train(tmp_path, tokenizer=tiny_tokenizer, save_steps=save_steps)
    place = rf"^cannot save a model in {folder}, where [\d.]+ GB are free: {type(error).__name__}: "
    assert re.match(place + re.escape(str(error)), str(caught.value))
    assert not (tmp_path / "model").exists()
    assert outputs(train(tmp_path, tokenizer=tiny_tokenizer)) == outputs(uninterrupted)


# --- SIGTERM


def terminate(monkeypatch: pytest.MonkeyPatch, step: int, reporter: type[Reporter] = Reporter) -> None:
    """Let the next trainings get a SIGTERM in step number ``step`` (from 0)."""

    class Terminating(reporter):  # type: ignore[misc, valid-type]
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == step:
                os.kill(os.getpid(), signal.SIGTERM)

    report_with(monkeypatch, Terminating, reporter)


def interrupted_at(step: int) -> Any:
    message = rf"^models\.tiny\.training: interrupted at step {step} by SIGTERM; the next run goes on from there$"
    return pytest.raises(UserError, match=message)


# The first and the last but one; a step after which nothing is due, an evaluation (8), a log (9), a checkpoint (10),
# the end of an epoch and an evaluation (16).
@pytest.mark.parametrize("step", [1, 7, 8, 9, 10, 16, 21])
def test_a_sigterm_saves_the_step_and_nothing_is_lost(
    step: int, uninterrupted: Path, tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch, interrupted_at(step):
        terminate(patch, step - 1)
        train(tmp_path, tokenizer=tiny_tokenizer)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not (tmp_path / "model").exists()
    steps = count_steps(monkeypatch)
    train(tmp_path, tokenizer=tiny_tokenizer)
    assert steps == list(range(step, SETTINGS["steps"]))
    assert outputs(tmp_path) == outputs(uninterrupted)


def test_a_training_that_is_terminated_again_and_again(
    tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, with two gradients to sum up in a step."""
    values = {"tokenizer": tiny_tokenizer, "micro_batch": 2}
    whole = train(tmp_path / "whole", **values)
    for step in (2, 4, 5, 14):
        with monkeypatch.context() as patch, interrupted_at(step):
            terminate(patch, step - 1)
            train(tmp_path / "stopped", **values)
    assert outputs(train(tmp_path / "stopped", **values)) == outputs(whole)


def test_a_sigterm_in_the_last_step_comes_too_late(
    uninterrupted: Path, tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminate(monkeypatch, SETTINGS["steps"] - 1)
    assert outputs(train(tmp_path, tokenizer=tiny_tokenizer)) == outputs(uninterrupted)


def test_a_terminated_trial(tmp_path: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"architecture": ARCHITECTURE, "tokenizer": tiny_tokenizer}
    whole = trial(tmp_path / "whole", [5, 12, 16], **values)
    for step in (4, 5, 13):
        with monkeypatch.context() as patch, interrupted_at(step):
            terminate(patch, step - 1, language_training.TrialReporter)
            trial(tmp_path / "stopped", [5, 12, 16], **values)
    stopped = trial(tmp_path / "stopped", [5, 12, 16], **values)
    for name in ("loss.csv", "metrics.json"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()


def test_a_trial_that_diverges_as_it_is_terminated(
    tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminate(monkeypatch, 2, language_training.TrialReporter)
    trial(tmp_path, [1, 6], learning_rate=1e30, max_grad_norm=0.0, start=tiny_gpt2)
    assert metrics(tmp_path)["evaluations"][1] == {"steps": 6, "dev_loss": None, "dev_perplexity": None}


# --- where checkpoints lie


def given(folder: Path, **changes: Any) -> dict[str, Any]:
    """What ``training_arguments`` is given for a job with its files; ``changes`` replace arguments, or its settings."""
    folder.mkdir(exist_ok=True)
    for name in ("train.parquet", "dev.parquet", "script.py"):
        if not (folder / name).exists():
            (folder / name).write_text(name)
    (folder / "base").mkdir(exist_ok=True)
    if not (folder / "base" / "model.safetensors").exists():
        (folder / "base" / "model.safetensors").write_text("weights")
    parameters = {key: value for key, value in SETTINGS.items() if key != "save_steps"}
    model = {"task": "language-model", "start": {"model": "base"}, "training": parameters | changes.pop("training", {})}
    model |= changes.pop("model", {})
    told = {"settings": {"model": model}, "packages": {"torch": "1"}} | changes.pop("code", {})
    inputs = {
        "train": str(folder / "train.parquet"),
        "dev": str(folder / "dev.parquet"),
        "start": str(folder / "base"),
        "source": [str(folder / "script.py")],
    }
    outputs = {
        "model": "results/s/models/positive",
        "loss_curve": "results/s/training/positive/loss.csv",
        "metrics": "results/s/training/positive/metrics.json",
    }
    job = make_job(inputs, outputs, to_text(told), **changes.pop("wildcards", {"model": "positive"}))
    execution = {"device": "cpu", "name": "positive", "save_steps": SETTINGS["save_steps"], "micro_batch": 2}
    return {"job": job, "model": model} | execution | changes


def scratch(folder: Path, **changes: Any) -> Path:
    found: Path = training_arguments(**given(folder, **changes))["scratch"]
    return found


def test_arguments_of_a_training_job(tmp_path: Path) -> None:
    arguments = training_arguments(**given(tmp_path))
    scratch = arguments.pop("scratch")
    assert scratch.parent == Path("results/s/scratch")
    assert scratch.name.startswith("positive-") and len(scratch.name) == len("positive-") + 16
    assert arguments == {
        "name": "positive",
        "loss_curve": Path("results/s/training/positive/loss.csv"),
        "metrics": Path("results/s/training/positive/metrics.json"),
        "settings": SETTINGS,
        "device": "cpu",
        "start": tmp_path / "base",
        "architecture": None,
        "tokenizer": None,
        "like": None,
        "micro_batch": 2,
    }


def test_arguments_of_a_trial(tmp_path: Path) -> None:
    wildcards = {"search": "table2", "trial": "lr1"}
    arguments = training_arguments(**given(tmp_path, wildcards=wildcards, training={"batch_size": 12}))
    assert arguments["name"] == "positive"
    assert arguments["scratch"].name.startswith("table2-lr1-")
    assert arguments["settings"] == SETTINGS | {"batch_size": 12}


CHANGES: Mapping[str, Mapping[str, Any] | str] = {
    "learning rate": {"training": {"learning_rate": 0.1}},
    "seed": {"training": {"seed": 2}},
    "two settings swapped": {"training": {"log_steps": 4, "eval_steps": 3}},
    "class": {"model": {"data": {"class": "positive"}}},
    "package": {"code": {"packages": {"torch": "2"}}},
    "training data": "train.parquet",
    "dev data": "dev.parquet",
    "parent model": "base/model.safetensors",
    "source": "script.py",
    "device": {"device": "cuda"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_result_changes_the_folder_of_checkpoints(change: str, tmp_path: Path) -> None:
    before = scratch(tmp_path)
    assert scratch(tmp_path) == before
    changed = CHANGES[change]
    if isinstance(changed, str):
        (tmp_path / changed).write_text("changed")
        assert scratch(tmp_path) != before
    else:
        assert scratch(tmp_path, **changed) != before


def test_a_model_of_ours_counts_by_its_checksums(tmp_path: Path) -> None:
    """They are compared with its files later on: so the files are read once."""
    scratch(tmp_path)
    weights = tmp_path / "base" / "model.safetensors"
    write_checksums(weights.parent)
    before = scratch(tmp_path)
    weights.write_text("changed")
    assert scratch(tmp_path) == before
    write_checksums(weights.parent)
    assert scratch(tmp_path) != before


def test_what_does_not_change_the_result_keeps_the_folder_of_checkpoints(tmp_path: Path) -> None:
    elsewhere = scratch(tmp_path / "elsewhere", save_steps=1, micro_batch=1)
    assert elsewhere.name == scratch(tmp_path / "here").name


# --- classifiers

CLASS_WORDS = {"positive": ["good", "fine"], "neutral": ["film", "plot"], "negative": ["bad", "not"]}


def labelled(counts: Mapping[str, int], seed: int) -> tuple[list[str], list[str]]:
    texts, labels = [], []
    for label, count in counts.items():
        texts += sentences(count, CLASS_WORDS[label], length=5, seed=seed)
        labels += [label] * count
    return texts, labels


def classify(
    folder: Path,
    start: Path,
    splits: Mapping[str, tuple[list[str], list[str]]],
    micro_batch: int | None = None,
    **changes: Any,
) -> Path:
    values = {"steps": 30, "learning_rate": 0.02, "block_length": 8, "batch_size": 16, "log_steps": 10}
    train_classifier(
        name="judge",
        splits=splits,
        output=folder / "model",
        loss_curve=folder / "loss.csv",
        metrics=folder / "metrics.json",
        scratch=folder / "scratch",
        settings=SETTINGS | values | {"save_steps": 15, "eval_steps": 30} | changes,
        start=start,
        micro_batch=micro_batch,
    )
    return folder


@pytest.fixture(scope="module")
def splits() -> dict[str, tuple[list[str], list[str]]]:
    test = labelled({"positive": 5, "neutral": 2, "negative": 4}, seed=3)
    # A positive text that is labelled negative: wrong in any case.
    return {
        "train": labelled({"positive": 20, "neutral": 20, "negative": 20}, seed=1),
        "dev": labelled({"positive": 3, "neutral": 1, "negative": 1}, seed=2),
        "test": (["good fine good", *test[0]], ["negative", *test[1]]),
    }


@pytest.fixture(scope="module")
def judge_start(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> Path:
    """A language model whose configuration names no padding, as GPT-2's on the hub."""
    return edited(tiny_gpt2, tmp_path_factory.mktemp("judge") / "start", edit_config(pad_token_id=None))


@pytest.fixture(scope="module")
def judge(judge_start: Path, splits: dict[str, Any]) -> Path:
    return classify(judge_start.parent, judge_start, splits)


def test_a_classifier_is_a_model_of_plain_transformers(judge: Path, splits: dict[str, Any]) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(judge / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(judge / "model")
    assert model.dtype == torch.float32
    assert model.config.id2label == {0: "negative", 1: "neutral", 2: "positive"}
    assert model.config.label2id == {"negative": 0, "neutral": 1, "positive": 2}
    assert model.config.pad_token_id == tokenizer.pad_token_id == 0
    texts, labels = splits["test"]
    with torch.no_grad():
        found = [
            model.config.id2label[int(model(**tokenizer(text, return_tensors="pt")).logits.argmax())] for text in texts
        ]
    assert found == ["positive", *labels[1:]]


def test_metrics_of_a_classifier_by_hand(judge: Path) -> None:
    result = metrics(judge)
    assert result["classes"] == ["negative", "neutral", "positive"]
    weights = load_file(judge / "model" / "model.safetensors")
    assert result["parameters"] == sum(tensor.numel() for tensor in weights.values())
    errors = {split: result[split].pop("expected_calibration_error") for split in ("dev", "test")}
    assert result["dev"] == {
        "texts": 5,
        "accuracy": 1.0,
        "majority_share": 3 / 5,
        "recall": {"negative": 1.0, "neutral": 1.0, "positive": 1.0},
    }
    # 12 texts, five of them labelled positive, five negative.
    assert result["test"] == {
        "texts": 12,
        "accuracy": pytest.approx(11 / 12),
        "majority_share": pytest.approx(5 / 12),
        "recall": {"negative": pytest.approx(4 / 5), "neutral": 1.0, "positive": 1.0},
    }
    # As sure as it is right on dev, and on test where it is wrong.
    assert errors["dev"] < 0.01 and errors["test"] == pytest.approx(1 / 12, abs=0.01)
    rows = curve(judge)
    assert [(row["step"], row["split"]) for row in rows] == [
        ("10", "train"), ("20", "train"), ("30", "train"), ("30", "dev"),
    ]  # fmt: skip


def test_long_texts_are_cut_and_counted(
    tmp_path: Path, tiny_gpt2: Path, splits: dict[str, Any], tokenizer: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = {}

    class Stop(Exception):
        pass

    def keep(name: str, model: Any, train: Any, dev: Any, *arguments: Any) -> None:
        seen.update(train=train, dev=dev)
        raise Stop

    long = "good " * 9 + "bad"
    texts = {"train": (["fine", long, long], ["a", "b", "a"]), "dev": (["fine"], ["a"]), "test": ([long], ["a"])}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(classifier_training, "run_trainer", keep)
        classify(tmp_path, tiny_gpt2, texts)
    whole = tokenizer.encode(long)
    assert [seen["train"][i]["input_ids"] for i in range(3)] == [tokenizer.encode("fine"), whole[:8], whole[:8]]
    assert [seen["train"][i]["labels"] for i in range(3)] == [0, 1, 0]
    shown = capfd.readouterr().err
    assert "[train judge] 2 of 3 train texts cut to 8 tokens" in shown
    assert "[train judge] 1 of 1 test texts cut to 8 tokens" in shown
    assert "dev texts" not in shown


def test_a_cut_text_keeps_its_special_tokens(tmp_path: Path, tiny_tokenizer: Path) -> None:
    """A classifier of BERT's kind reads its first token and saw a last one in all its training."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = AutoTokenizer.from_pretrained(tiny_tokenizer)
    tokenizer.add_special_tokens({"cls_token": "[CLS]", "sep_token": "[SEP]"})
    ids = [("[CLS]", tokenizer.cls_token_id), ("[SEP]", tokenizer.sep_token_id)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="[CLS] $0 [SEP]", special_tokens=ids)
    tokenizer.save_pretrained(tmp_path / "start")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = AutoConfig.for_model("bert", vocab_size=len(tokenizer), pad_token_id=0, **sizes)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path / "start")
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            classifier_training, "run_trainer", lambda name, model, train, *rest: seen.extend(train.ids) or 1 / 0
        )
        with pytest.raises(ZeroDivisionError):
            texts = (["good " * 20, "x"], ["a", "b"])
            classify(tmp_path, tmp_path / "start", {"train": texts, "dev": texts, "test": texts})
    assert [(len(sequence), sequence[0], sequence[-1]) for sequence in seen] == [
        (8, tokenizer.cls_token_id, tokenizer.sep_token_id),
        (3, tokenizer.cls_token_id, tokenizer.sep_token_id),
    ]


def test_the_saved_tokenizer_does_not_truncate(tmp_path: Path, tiny_gpt2: Path) -> None:
    texts = (["good " * 20, "bad"], ["a", "b"])
    classify(tmp_path, tiny_gpt2, {"train": texts, "dev": texts, "test": texts}, steps=1)
    saved, start = (json.loads((folder / "tokenizer.json").read_text()) for folder in (tmp_path / "model", tiny_gpt2))
    assert saved["truncation"] is None and saved["padding"] is None
    assert saved == start


def test_block_length_of_a_classifier_beyond_the_context(
    tmp_path: Path, tiny_gpt2: Path, splits: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"models\.judge\.training\.block_length: 33 exceeds .* 32 tokens"):
        classify(tmp_path, tiny_gpt2, splits, block_length=33)


def test_an_interrupted_classifier_ends_like_an_uninterrupted_one(
    judge: Path, judge_start: Path, tmp_path: Path, splits: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 22)
        classify(tmp_path, judge_start, splits)
    assert [path.name for path in tmp_path.glob("scratch/*")] == ["checkpoint-15"]
    assert outputs(classify(tmp_path, judge_start, splits)) == outputs(judge)


def test_a_terminated_classifier(
    judge: Path, judge_start: Path, tmp_path: Path, splits: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"interrupted at step 11 by SIGTERM"):
        terminate(patch, 10)
        classify(tmp_path, judge_start, splits)
    assert outputs(classify(tmp_path, judge_start, splits)) == outputs(judge)


def test_parts_of_a_classifiers_batch_sum_up_to_the_batch(
    tmp_path: Path, judge_start: Path, splits: dict[str, Any]
) -> None:
    # 60 texts: the last of eight batches has four, which are two parts, the others four.
    # Biases of keys have no gradient but rounding, of which Adam must not make much.
    values = {"batch_size": 8, "steps": 9, "learning_rate": 0.005, "adam_epsilon": 1e-6, "log_steps": 3}
    whole = classify(tmp_path / "whole", judge_start, splits, **values)
    parts = classify(tmp_path / "parts", judge_start, splits, micro_batch=2, **values)
    for name, tensor in weights(whole).items():
        np.testing.assert_allclose(weights(parts)[name], tensor, atol=1e-5, err_msg=name)
    for one, two in zip(curve(whole), curve(parts), strict=True):
        assert float(one["loss"]) == pytest.approx(float(two["loss"]), rel=1e-4)


def test_a_classifier_trains_in_one_process(tmp_path: Path, tiny_gpt2: Path, splits: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"models\.judge\.training\.processes: a classifier trains in one process"):
        classify(tmp_path, tiny_gpt2, splits, processes=2)
