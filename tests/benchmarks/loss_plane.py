"""Time a plane of losses (Fig. 8) in memory against the naive way: per point merge to disk, load, evaluate, delete.

    .venv/bin/python -m tests.benchmarks.loss_plane --points 7
    .venv/bin/python -m tests.benchmarks.loss_plane --models base=results/demo/models/base ... --texts test.parquet

Both ways evaluate with the same code and the same encoded texts, by turns in one process, and end with the same losses
up to rounding. The naive way is told at its best: in a workflow each of its points is also a process of its own, which
imports torch and transformers and tokenises again. Without ``--models`` three GPT-2 of the embedded study's size
(config/config.yaml) with random weights are made, without ``--texts`` its reviews.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from workflow.lib.compute import prepare_torch
from workflow.lib.corpora import load_corpus, read_corpus_split
from workflow.lib.interpolation import WeightSpace
from workflow.lib.losses import EncodedTexts, encode_texts, text_losses
from workflow.lib.merging import merge
from workflow.lib.points import Sweep, build_sweep
from workflow.lib.training import train_tokenizer

NAMES = ("base", "positive", "negative")
REVIEWS = {
    "source": "synthetic",
    "kind": "reviews",
    "counts": {"train": 4000, "dev": 400, "test": 600},
    "seed": 3,
    "classes": {"negative": [0, 1], "neutral": [2], "positive": [3, 4]},
}


def plane(points: int) -> Sweep:
    """theta3 over [-4, 4]^2, Eq. 4 of the paper."""
    values = {"start": -4, "stop": 4, "count": points}
    spec = {
        "origin": {"base": 1},
        "directions": {"alpha": {"positive": 1, "base": -1}, "beta": {"negative": 1, "base": -1}},
        "grid": {"alpha": values, "beta": values},
        "space": "weights",
        "prompts": [],
    }
    return build_sweep("plane", spec)


def make_models(folder: Path) -> dict[str, Path]:
    """A random GPT-2 and two that lie near it, with a tokenizer."""
    train_tokenizer(load_corpus(REVIEWS, "reviews")["train"]["text"].tolist(), 1536, folder / "tokenizer")
    torch.manual_seed(0)
    sizes = {"n_layer": 3, "n_embd": 128, "n_head": 4, "n_positions": 64, "vocab_size": 1536}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt2", **sizes, bos_token_id=0, eos_token_id=0))
    start = {key: tensor.clone() for key, tensor in model.named_parameters()}
    for name in NAMES:
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.copy_(start[key] + (torch.randn_like(parameter) * 1e-3 if name != "base" else 0))
        model.save_pretrained(folder / name)
        shutil.copytree(folder / "tokenizer", folder / name, dirs_exist_ok=True)
    return {name: folder / name for name in NAMES}


class Stopwatch:
    """Evaluates, and knows how long that took: what both ways have in common."""

    def __init__(self, texts: EncodedTexts) -> None:
        self.texts, self.seconds = texts, 0.0

    def evaluate(self, model: Any) -> np.ndarray:
        started = time.perf_counter()
        losses = text_losses(model, self.texts)
        self.seconds += time.perf_counter() - started
        return losses


def in_memory(sweep: Sweep, models: Mapping[str, Path], watch: Stopwatch) -> np.ndarray:
    """Losses (points, texts), loading the models included."""
    space = WeightSpace(models)
    return np.stack([watch.evaluate(space.model) for _ in space.visit(sweep)])


def naive(sweep: Sweep, models: Mapping[str, Path], watch: Stopwatch) -> np.ndarray:
    """The same losses by a checkpoint per point."""
    losses = []
    for entry in sweep.points:
        with tempfile.TemporaryDirectory() as folder:
            merge(entry.point, models, Path(folder) / "merged")
            model = AutoModelForCausalLM.from_pretrained(Path(folder) / "merged", dtype=torch.float32).eval()
            losses.append(watch.evaluate(model))
    return np.stack(losses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", metavar="NAME=DIR", help=f"directories of {', '.join(NAMES)}")
    parser.add_argument("--texts", type=Path, help="Parquet file of a corpus split")
    parser.add_argument("--limit", type=int, help="take the first so many texts")
    parser.add_argument("--points", type=int, default=7, help="points per axis")
    parser.add_argument("--repeats", type=int, default=2, help="turns of each way")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    prepare_torch(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.models:
            models = {name: Path(path) for name, path in (pair.split("=", 1) for pair in arguments.models)}
        else:
            models = make_models(Path(folder))
        if arguments.texts:
            texts = read_corpus_split(arguments.texts)
        else:
            texts = load_corpus(REVIEWS, "reviews")["test"]["text"].tolist()
        sweep = plane(arguments.points)
        space = WeightSpace(models)
        encoded = encode_texts(space.model, space.tokenizer, {"": texts[: arguments.limit]}, arguments.batch_size)
        size = sum(parameter.numel() for parameter in space.model.parameters())
        print(
            f"{size / 1e6:.2f}M parameters, {len(sweep.points)} points, {len(encoded.lengths)} texts of "
            f"{encoded.lengths.sum()} tokens, {arguments.threads} thread(s)"
        )
        text_losses(space.model, encoded)  # warm up
        results = {}
        totals: dict[str, list[float]] = {"in memory": [], "merge + load + evaluate": []}
        for turn in range(1, arguments.repeats + 1):
            for name, way in zip(totals, (in_memory, naive), strict=True):
                watch = Stopwatch(encoded)
                started = time.perf_counter()
                results[name] = way(sweep, models, watch)
                seconds = time.perf_counter() - started
                totals[name].append(seconds)
                print(
                    f"turn {turn}: {name}: {seconds:.2f} s, of which {watch.seconds:.2f} s evaluate and "
                    f"{(seconds - watch.seconds) / len(sweep.points) * 1000:.1f} ms per point do not"
                )
        fast, slow = (min(seconds) for seconds in totals.values())
        print(
            f"best turns: in memory {fast:.2f} s, merge + load + evaluate {slow:.2f} s, {slow / fast:.2f} times as long"
        )
        losses, reference = results.values()
        difference = (np.abs(losses - reference) / reference).max()
        print(f"largest relative difference of a text's loss: {difference:.2g}")


if __name__ == "__main__":
    main()
