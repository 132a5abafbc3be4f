"""Scoring real sentences: perplexity under a judge of GPT-2 small's shape, classes under one of RoBERTa-base's.

Ours are ``score_perplexity`` and ``score_classifier`` as a job calls them. The peers are what people write with
transformers: (a) one text at a time, as DExperts' ``evaluate_generations.py``; (b) padded batches in the order of the
file, with as many texts at once as ours. Everyone loads the model and tokenizes within the time, and all scores must be
equal to 1e-5 relative. The limit is the time of the matrix products that no way can do without (those of real tokens,
but for the last of a text under a language model, which predicts nothing), at the rate of a large product of matrices
measured in the same turn.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from benchmarks.harness import ROOT, Goal, Growth, Row, alternate, forward_flops, gemm_rate
from benchmarks.models import embedded, gpt2, roberta_classifier, sentences
from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.compute import prepare_torch
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge
from lm_interpolation.scores.classifier import score_classifier
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.texts.generation import Sampling, generate

SENTENCES = int(os.environ.get("BENCH_SENTENCES", "2000"))
"""How many sentences are scored."""

THREADS = int(os.environ.get("BENCH_THREADS", os.cpu_count() or 1))

BATCH_SIZE = 32
"""Texts at once: what config/README.md recommends on a CPU."""

DEVICE = os.environ.get("BENCH_DEVICE", "cpu")

Score = Callable[[Path, Sequence[str]], np.ndarray]
"""(directory of a model, n texts) -> (n, ...) float64."""


@dataclass(frozen=True)
class _Judge:
    """A model, its three ways to score, and what they have to compute."""

    work: str
    model: Path
    ours: Score
    one_by_one: Score
    file_order: Score
    flops: Callable[[Path, Sequence[str]], float]


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    prepare_torch(THREADS)
    judges = [
        _Judge(
            "perplexity (GPT-2 small shape)",
            gpt2(folder / "judge"),
            _our_perplexity,
            _perplexity_one_by_one,
            _perplexity_in_file_order,
            _judge_flops,
        ),
        _Judge(
            "classes (RoBERTa-base shape)",
            roberta_classifier(folder / "classifier"),
            _our_classes,
            _classes_one_by_one,
            _classes_in_file_order,
            _classifier_flops,
        ),
    ]
    texts = sentences(SENTENCES)
    rows = [row for judge in judges for row in _compare(runs, judge, texts)]
    return [*rows, _line(runs, judges[0].model, folder)], [_grow(runs, judge, texts) for judge in judges]


def _compare(runs: int, judge: _Judge, texts: Sequence[str]) -> list[Row]:
    ways = {"ours": judge.ours, "a": judge.one_by_one, "b": judge.file_order}
    scores: dict[str, np.ndarray] = {}
    rates: list[float] = []

    def score(name: str) -> None:
        scores[name] = ways[name](judge.model, texts)

    actions: dict[str, Callable[[], object]] = {name: partial(score, name) for name in ways}
    actions["rate"] = lambda: rates.append(gemm_rate(THREADS, 8192 if DEVICE == "cuda" else 2048, device=DEVICE))
    for way in ways.values():
        # What is set up at first use; whole turns as a warm-up would take minutes.
        way(judge.model, texts[:8])
    seconds = alternate(runs, actions, warmups=0)
    for name in ("a", "b"):
        np.testing.assert_allclose(scores[name], scores["ours"], rtol=1e-5, err_msg=f"{judge.work}, {name}")
    flops = judge.flops(judge.model, texts)
    peers = {
        "a": ("(a) one text at a time, as DExperts", 8.0 if DEVICE == "cuda" else 2.0),
        "b": (f"(b) padded batches of {BATCH_SIZE} in the order of the file", 1.3),
    }
    return [
        Row(
            benchmark="scoring",
            work=f"{judge.work}, {len(texts)} sentences",
            ours=seconds["ours"],
            peer=peer,
            peers=seconds[name],
            limit=f"{flops / 1e12:.3g} TFLOP at the rate of GEMM",
            limits=[flops / rate for rate in rates],
            goals=(Goal("peer", "at least", bound), Goal("limit", "at most", 2.0)),
            note=f"{THREADS} threads; GEMM {np.median(rates) / 1e9:.0f} GFLOP/s; scores equal to 1e-5 relative.",
        )
        for name, (peer, bound) in peers.items()
    ]


def _grow(runs: int, judge: _Judge, texts: Sequence[str]) -> Growth:
    sizes = [len(texts) // 8, len(texts) // 4, len(texts) // 2]
    seconds = alternate(runs, {str(size): partial(judge.ours, judge.model, texts[:size]) for size in sizes}, warmups=0)
    return Growth(f"scoring: {judge.work}", "texts", list(map(float, sizes)), list(seconds.values()))


def _line(runs: int, model: Path, folder: Path) -> Row:
    """What a study scores: continuations of prompts, of which those of one prompt begin alike."""
    ends = {name: embedded(name) for name in ("positive", "negative")}
    merge(Point.of({"positive": 0.5, "negative": 0.5}), ends, folder / "middle")
    prompts = read_parquet(ROOT / "results" / "demo" / "prompts" / "neutral.parquet").to_pandas().head(20)
    sampling = Sampling(top_p=0.9, max_new_tokens=24, samples=25, seed=0)
    points = [generate(point, prompts, sampling, 128) for point in (*ends.values(), folder / "middle")]
    texts = pd.concat(points, ignore_index=True)
    starts = texts["row"].map(prompts.set_index("row")["text"]).tolist()
    continuations = texts["continuation"].tolist()
    whole = [start + continuation for start, continuation in zip(starts, continuations, strict=True)]
    lengths = [len(ids) for ids in AutoTokenizer.from_pretrained(model)(whole).input_ids]
    order = sorted(range(len(whole)), key=lambda index: -lengths[index])
    scores: dict[str, np.ndarray] = {}

    def ours() -> None:
        scores["ours"] = score_perplexity(model, starts, continuations, BATCH_SIZE, DEVICE)["nll_text"].to_numpy()

    def peer() -> None:
        scores["peer"] = _perplexity_in_file_order(model, [whole[index] for index in order])

    seconds = alternate(runs, {"ours": ours, "peer": peer}, warmups=0)
    np.testing.assert_allclose(scores["peer"], scores["ours"][order], rtol=1e-5)
    return Row(
        benchmark="scoring",
        work=f"perplexity (GPT-2 small shape), {len(texts)} texts: {len(prompts)} prompts x 25 samples x 3 points",
        ours=seconds["ours"],
        peer=f"padded batches of {BATCH_SIZE}, sorted by length",
        peers=seconds["peer"],
        note="Texts of the embedded study. Ours reads what the texts of a prompt share once.",
    )


def _our_perplexity(model_dir: Path, texts: Sequence[str]) -> np.ndarray:
    scores = score_perplexity(model_dir, [""] * len(texts), texts, BATCH_SIZE, DEVICE)
    return scores["nll_text"].to_numpy()


@torch.no_grad()
def _perplexity_one_by_one(model_dir: Path, texts: Sequence[str]) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(model_dir).eval().to(DEVICE)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    nll = []
    for text in texts:
        ids = tokenizer.encode(text, return_tensors="pt").to(DEVICE)
        nll.append((model(ids, labels=ids).loss * (ids.shape[1] - 1)).item())
    return np.array(nll)


@torch.no_grad()
def _perplexity_in_file_order(model_dir: Path, texts: Sequence[str]) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(model_dir).eval().to(DEVICE)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    tokenizer.pad_token = tokenizer.eos_token
    nll = []
    for start in range(0, len(texts), BATCH_SIZE):
        batch = tokenizer(texts[start : start + BATCH_SIZE], padding=True, return_tensors="pt").to(DEVICE)
        logits = model(**batch, use_cache=False).logits
        targets = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)[:, 1:]
        losses = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="none"
        )
        nll.append(losses.view(targets.shape).sum(-1).cpu())
    return torch.cat(nll).double().numpy()


def _judge_flops(model_dir: Path, texts: Sequence[str]) -> float:
    """Of the matrix products for all tokens that predict one: not the last of a text."""
    ids = AutoTokenizer.from_pretrained(model_dir)(list(texts)).input_ids
    return forward_flops(AutoConfig.from_pretrained(model_dir), [len(text) - 1 for text in ids])


def _our_classes(model_dir: Path, texts: Sequence[str]) -> np.ndarray:
    return score_classifier(model_dir, texts, BATCH_SIZE, DEVICE).to_numpy(np.float64)


@torch.no_grad()
def _classes_one_by_one(model_dir: Path, texts: Sequence[str]) -> np.ndarray:
    model = AutoModelForSequenceClassification.from_pretrained(model_dir).eval().to(DEVICE)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    batches = [tokenizer(text, return_tensors="pt").to(DEVICE) for text in texts]
    return torch.cat([model(**batch).logits.softmax(-1).cpu() for batch in batches]).double().numpy()


@torch.no_grad()
def _classes_in_file_order(model_dir: Path, texts: Sequence[str]) -> np.ndarray:
    model = AutoModelForSequenceClassification.from_pretrained(model_dir).eval().to(DEVICE)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    probabilities = []
    for start in range(0, len(texts), BATCH_SIZE):
        batch = tokenizer(texts[start : start + BATCH_SIZE], padding=True, return_tensors="pt").to(DEVICE)
        probabilities.append(model(**batch).logits.softmax(-1).cpu())
    return torch.cat(probabilities).double().numpy()


def _classifier_flops(model_dir: Path, texts: Sequence[str]) -> float:
    """Of the matrix products for all tokens, those at both ends included; the head reads one token of each text."""
    width, layers, classes = 768, 12, 3
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    tokens = np.array([len(ids) for ids in tokenizer(list(texts)).input_ids], dtype=float)
    body = 2 * 12 * layers * width**2 * tokens.sum() + 4 * layers * width * (tokens**2).sum()
    return float(body + 2 * (width**2 + width * classes) * len(texts))
