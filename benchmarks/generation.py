"""Generation: 25 continuations of every prompt, 30 new tokens, top-p 0.9, for one point of a sweep.

Each action does all that a point costs: it loads the model, tokenises the prompts, samples, and decodes the texts.
Peers are two ways to call ``generate`` of transformers, which samples from the same distribution (top_k=0 turns off
its default of 50): (a) one prompt at a time, as the closest peers' scripts do, DExperts' among them; (b) the best plain
batched call that we could write: prompts sorted by their length in tokens, left padding, the batch size that was best
of several. The peers run in our process and so profit from our settings of the memory allocator, which they do not
make. As the random numbers differ, the texts do; their mean length is checked to be the same.

The limit is what has to be computed at the rate of a large matrix product, measured in every turn: each prompt once,
each new token once, logits only where a token is sampled. A random GPT-2 is nearly indifferent between all its tokens;
here its last layer norm is scaled so that nuclei have some hundred tokens, as a trained one's do. That makes no
difference to the peers, who sort the whole vocabulary in any case.
"""

import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.harness import Goal, Growth, Row, alternate, gemm_rate
from benchmarks.models import decided_gpt2, dexperts_prompts, embedded
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.compute import prepare_torch
from lm_interpolation.texts.generation import Sampling, generate, sample_texts
from lm_interpolation.texts.language_models import Mixture, load_language_model

SAMPLING = Sampling(top_p=0.9, max_new_tokens=30, samples=25, seed=0)


@dataclass(frozen=True)
class Setting:
    """A model and its prompts; batch sizes in sequences (prompt, sample), ``peer_batch`` in prompts; CPU threads."""

    name: str
    model_dir: Path
    prompts: pd.DataFrame
    batch_size: int
    peer_batch: int
    threads: int


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """Rows against both peers, for the embedded model (one thread, as a job has) and a GPT-2 (all cores)."""
    small = setting_of_gpt2(folder / "gpt2", 60)
    # Minutes a turn: fewer turns, and the first counts.
    rows = compare(setting_of_embedded(1000), runs, Goal("peer", "at least", 5), Goal("peer", "at least", 1.5))
    rows += compare(small, max(1, runs // 2), Goal("peer", "at least", 1.8), Goal("peer", "at least", 1.2), warmups=0)
    return rows, [growth_with_prompts(runs), growth_with_model(runs, folder)]


def setting_of_embedded(count: int) -> Setting:
    """The embedded study's base model and batch size, DExperts prompts that leave room for 30 of its 64 positions."""
    model_dir = embedded("base")
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    prompts = dexperts_prompts(2 * count)
    short = [len(tokenizer(text).input_ids) <= 64 - SAMPLING.max_new_tokens for text in prompts["text"]]
    prompts = prompts[short][:count].reset_index(drop=True)
    assert len(prompts) == count
    return Setting("embedded model", model_dir, prompts, batch_size=400, peer_batch=10, threads=1)


def setting_of_gpt2(folder: Path, count: int) -> Setting:
    """A GPT-2 small of ``decided_gpt2`` in the new directory ``folder``, and the first ``count`` DExperts prompts."""
    decided_gpt2(folder, "gpt2")
    threads = os.cpu_count() or 1
    return Setting("GPT-2 small shape", folder, dexperts_prompts(count), 500, peer_batch=4, threads=threads)


def compare(setting: Setting, runs: int, one_goal: Goal, batch_goal: Goal, warmups: int = 1) -> list[Row]:
    """Ours in turns with both peers and a matrix product: one row for each peer."""
    prepare_torch(setting.threads)
    lengths: dict[str, list[float]] = {"ours": [], "one": [], "batch": []}
    rates: list[float] = []
    texts: list[pd.DataFrame] = []

    def ours() -> None:
        texts.append(generate(setting.model_dir, setting.prompts, SAMPLING, setting.batch_size))
        lengths["ours"].append(texts[-1]["tokens"].mean())

    seconds = alternate(
        runs,
        {
            "ours": ours,
            "one": lambda: lengths["one"].append(with_transformers(setting, 1)),
            "batch": lambda: lengths["batch"].append(with_transformers(setting, setting.peer_batch)),
            "gemm": lambda: rates.append(gemm_rate(setting.threads)),
        },
        warmups,
    )
    means = {name: statistics.mean(values) for name, values in lengths.items()}
    for name in ("one", "batch"):
        assert abs(means[name] / means["ours"] - 1) < 0.05, means
    other = generate(setting.model_dir, setting.prompts, SAMPLING, setting.batch_size // 4)
    different = int((other["continuation"] != texts[-1]["continuation"]).sum())
    flops = needed_flops(setting, texts[-1])
    limits = [flops / rate for rate in rates[warmups:]]
    fraction = statistics.median(limit / value for limit, value in zip(limits, seconds["ours"], strict=True))
    work = f"{setting.name}, {len(setting.prompts)} prompts, {setting.threads} thread(s)"
    note = (
        f"{len(other)} texts of {means['ours']:.1f} tokens in the mean; {flops / 1e9:.0f} GFLOP, {fraction:.0%} of the "
        f"limit; with batches of {setting.batch_size // 4} instead of {setting.batch_size} {different} texts differ"
    )
    common: dict[str, Any] = {"limit": "FLOPs at the GEMM rate", "limits": limits}
    return [
        Row(
            "generation",
            f"{work}, one by one",
            seconds["ours"],
            peer="(a) generate, one prompt at a time",
            peers=seconds["one"],
            goals=[one_goal],
            **common,
        ),
        Row(
            "generation",
            f"{work}, batched",
            seconds["ours"],
            peer=f"(b) generate, {setting.peer_batch} sorted prompts at a time",
            peers=seconds["batch"],
            goals=[batch_goal],
            note=note,
            **common,
        ),
    ]


def with_transformers(setting: Setting, prompts_at_once: int) -> float:
    """Peers (a), for 1 prompt at once, and (b): the mean number of new tokens of the texts."""
    model: Any = AutoModelForCausalLM.from_pretrained(setting.model_dir, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(setting.model_dir, local_files_only=True, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    ends = model.generation_config.eos_token_id
    texts: list[str] = []
    tokens = 0
    for new in plain_generate(model, tokenizer, setting.prompts["text"], prompts_at_once):
        tokens += int((new == ends).cumsum(-1).eq(0).sum())
        texts += tokenizer.batch_decode(new, skip_special_tokens=True)
    return tokens / len(texts)


def plain_generate(model: Any, tokenizer: Any, prompts: Sequence[str], prompts_at_once: int) -> Iterator[torch.Tensor]:
    """New tokens of each call of transformers' ``generate``, for prompts sorted by their length in tokens.

    ``tokenizer`` pads on the left.
    """
    ordered = sorted(prompts, key=lambda text: len(tokenizer(text).input_ids))
    for start in range(0, len(ordered), prompts_at_once):
        batch = tokenizer(ordered[start : start + prompts_at_once], return_tensors="pt", padding=True).to(model.device)
        output = model.generate(
            **batch,
            do_sample=True,
            top_p=SAMPLING.top_p,
            top_k=0,
            max_new_tokens=SAMPLING.max_new_tokens,
            num_return_sequences=SAMPLING.samples,
            pad_token_id=tokenizer.pad_token_id,
        )
        yield output[:, batch["input_ids"].shape[1] :]


def needed_flops(setting: Setting, texts: pd.DataFrame) -> float:
    """FLOPs of products of matrices that ``texts``, of a GPT-2, take at least; see the top for what is counted."""
    model = load_language_model(setting.model_dir, "cpu")
    config = model.model.config
    ids = model.tokenizer(setting.prompts["text"].tolist()).input_ids
    prompt = texts["row"].map(dict(zip(setting.prompts["row"], map(len, ids), strict=True)))
    # Passes beyond the prompt: the last token, or the end, is sampled but not read.
    passes = (texts["tokens"] + (texts["stop"] == "eos") - 1).clip(lower=0)
    lengths = pd.Series(map(len, ids))
    width, layers = config.n_embd, config.n_layer
    inner = 2 * 12 * width**2 * layers * (lengths.sum() + passes.sum())
    logits = 2 * config.vocab_size * width * (len(lengths) + passes.sum())
    pairs = (lengths * (lengths + 1) / 2).sum() + (passes * prompt + passes * (passes + 1) / 2).sum()
    return float(inner + logits + 4 * width * layers * pairs)


def growth_with_prompts(runs: int) -> Growth:
    """Seconds of the embedded model, loaded, for 100, 300 and 900 prompts."""
    setting = setting_of_embedded(900)
    prepare_torch(setting.threads)
    mixture = Mixture(((1.0, load_language_model(setting.model_dir, "cpu")),))
    growth = Growth("generation, embedded model", "prompts")
    for count in (100, 300, 900):
        growth.sizes.append(count)
        growth.seconds.append(_seconds(mixture, setting.prompts[:count], SAMPLING, setting.batch_size, runs))
    return growth


def growth_with_model(runs: int, folder: Path) -> Growth:
    """Seconds of GPT-2 small, Medium and Large shapes, loaded, for 4 prompts and 10 new tokens, on all cores."""
    prepare_torch(os.cpu_count() or 1)
    growth = Growth("generation, 100 texts of 10 tokens", "parameters")
    sampling = replace(SAMPLING, max_new_tokens=10)
    for shape in ("gpt2", "gpt2-medium", "gpt2-large"):
        model = load_language_model(decided_gpt2(folder / f"growth-{shape}", shape), "cpu")
        growth.sizes.append(model.model.num_parameters())
        mixture = Mixture(((1.0, model),))
        growth.seconds.append(_seconds(mixture, dexperts_prompts(4), sampling, 100, runs))
    return growth


def _seconds(mixture: Mixture, prompts: pd.DataFrame, sampling: Sampling, size: int, runs: int) -> Sequence[float]:
    action = {"ours": lambda: sample_texts(mixture, prompts, sampling, AdaptiveBatches(size))}
    return alternate(runs, action)["ours"]
