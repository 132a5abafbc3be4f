"""``make bench-gpu``: GPT-2 Large and XL shapes with random weights on one GPU.

Generation (tokens/s by batch size, fp32 and bf16) beside transformers' own ``generate`` and, where it is installed,
vLLM; scoring beside the GPU's GEMM rate; merging and the loss plane in GPU memory. BENCH_DEVICE=cpu BENCH_SHAPES=tiny
tries the script out where there is no GPU; its figures then mean nothing.
"""

import importlib.util
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.generation import SAMPLING, plain_generate
from benchmarks.harness import Growth, Row, alternate, forward_flops, gemm_rate
from benchmarks.models import decided_gpt2, dexperts_prompts, sentences
from benchmarks.plane import plane
from lm_interpolation.analyses.losses import encode_texts, text_losses
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.dtypes import torch_dtype
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.texts.generation import sample_texts
from lm_interpolation.texts.language_models import Mixture, load_language_model

DEVICE = os.environ.get("BENCH_DEVICE", "cuda")
SHAPES = os.environ.get("BENCH_SHAPES", "gpt2-large gpt2-xl").split()
BATCH_SIZES = (25, 100, 400, 1600)
PROMPTS = 64
SENTENCES = 2000
GEMM_SIZE = 8192 if DEVICE == "cuda" else 512
TOKENS = PROMPTS * SAMPLING.samples * SAMPLING.max_new_tokens
"""New tokens of a generation."""


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """Rows for each of ``SHAPES``; batch sizes are rows, too, so there is no growth beside them."""
    if DEVICE == "cuda" and not torch.cuda.is_available():
        raise UserError("no GPU is available: make bench-gpu needs one (nvidia-smi says which there are)")
    rows: list[Row] = []
    for shape in SHAPES:
        parents = {
            name: decided_gpt2(folder / shape / name, **_shape(shape), seed=seed)
            for seed, name in enumerate(("base", "positive", "negative"))
        }
        for precision in ("fp32", "bf16"):
            rows += _generation(shape, parents["base"], precision, runs)
            if importlib.util.find_spec("vllm"):
                rows.append(_vllm(shape, parents["base"], precision, runs, rows[-1]))
            rows.append(_scoring(shape, parents["base"], precision, runs))
        rows += _weights(shape, parents, runs)
    return rows, []


def _shape(name: str) -> dict[str, Any]:
    return {"n_layer": 1, "n_embd": 64, "n_head": 2} if name == "tiny" else {"shape": name}


def _synchronised(action: Callable[[], object]) -> Callable[[], None]:
    """``action``, and then the wait for a GPU that works on after the call has returned."""

    def wrapped() -> None:
        action()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return wrapped


def _generation(shape: str, model_dir: Path, precision: str, runs: int) -> list[Row]:
    """Ours at several batch sizes, each beside ``generate`` with the same rows in a batch."""
    prompts = dexperts_prompts(PROMPTS)
    model = load_language_model(model_dir, DEVICE, precision=precision)
    plain = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch_dtype(precision)).to(DEVICE).eval()
    tokenizer = AutoTokenizer.from_pretrained(model_dir, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token

    def with_transformers(batch_size: int) -> None:
        for new in plain_generate(plain, tokenizer, prompts["text"], max(1, batch_size // SAMPLING.samples)):
            tokenizer.batch_decode(new, skip_special_tokens=True)

    actions: dict[str, Callable[[], object]] = {}
    for size in BATCH_SIZES:
        actions[f"ours {size}"] = _synchronised(
            lambda size=size: sample_texts(Mixture(((1.0, model),)), prompts, SAMPLING, AdaptiveBatches(size))
        )
        actions[f"generate {size}"] = _synchronised(lambda size=size: with_transformers(size))
    seconds = alternate(runs, actions)
    return [
        Row(
            "gpu",
            f"generation, {shape}, {precision}, batches of {size}",
            seconds[f"ours {size}"],
            peer="transformers generate, same rows in a batch",
            peers=seconds[f"generate {size}"],
            note=f"ours {TOKENS / statistics.median(seconds[f'ours {size}']):.0f} tokens/s",
        )
        for size in BATCH_SIZES
    ]


def _vllm(shape: str, model_dir: Path, precision: str, runs: int, ours: Row) -> Row:
    """vLLM on the same prompts; after ours, not in turns with it, since it takes the memory of the GPU for itself."""
    from vllm import LLM, SamplingParams

    if DEVICE == "cuda":
        torch.cuda.empty_cache()
    engine = LLM(str(model_dir), dtype={"fp32": "float32", "bf16": "bfloat16"}[precision], seed=0)
    settings = SamplingParams(
        n=SAMPLING.samples, top_p=SAMPLING.top_p, max_tokens=SAMPLING.max_new_tokens, ignore_eos=True
    )
    texts = dexperts_prompts(PROMPTS)["text"].tolist()
    seconds = alternate(runs, {"vllm": lambda: engine.generate(texts, settings, use_tqdm=False)})["vllm"]
    return Row(
        "gpu",
        f"generation, {shape}, {precision}, batches of {BATCH_SIZES[-1]}",
        ours.ours,
        peer="vLLM",
        peers=seconds,
        note=f"not in turns: vLLM ran after ours; {TOKENS / statistics.median(seconds):.0f} tokens/s",
    )


def _scoring(shape: str, model_dir: Path, precision: str, runs: int) -> Row:
    """NLL of real sentences beside the time that their FLOPs take at the GEMM rate of the same precision."""
    model = load_language_model(model_dir, DEVICE, precision=precision)
    texts = encode_texts(model.model, model.tokenizer, {"": sentences(SENTENCES)}, batch_size=64)
    rates: list[float] = []
    seconds = alternate(
        runs,
        {
            "ours": _synchronised(lambda: text_losses(model.model, texts)),
            "rate": lambda: rates.append(gemm_rate(1, GEMM_SIZE, repeats=10, precision=precision, device=DEVICE)),
        },
    )
    # The last token of a text predicts nothing, and is not read.
    flops = forward_flops(model.model.config, (texts.lengths - 1).tolist())
    return Row(
        "gpu",
        f"scoring, {shape}, {precision}, {SENTENCES} real sentences",
        seconds["ours"],
        limit="FLOPs at the GEMM rate",
        limits=[flops / rate for rate in rates[-runs:]],
        note="the model FLOPs utilisation is limit / ours",
    )


def _weights(shape: str, parents: dict[str, Path], runs: int) -> list[Row]:
    """A point set in GPU memory; and along a line of the loss plane, beside its evaluation."""
    space = WeightSpace(parents, DEVICE)
    sweep = plane(20, lines=1)
    texts = encode_texts(space.model, space.tokenizer, {"": sentences(SENTENCES)}, batch_size=64)
    points = len(sweep.points)
    seconds = alternate(
        runs,
        {
            "one": _synchronised(lambda: space.set_point(sweep.points[0].point)),
            "line": _synchronised(lambda: [None for _ in space.visit(sweep)]),
            "evaluate": _synchronised(lambda: text_losses(space.model, texts)),
        },
    )
    return [
        Row("gpu", f"merge of three models in GPU memory, {shape}", seconds["one"]),
        Row(
            "gpu",
            f"loss plane, {shape}: from one point to the next",
            [value / points for value in seconds["line"]],
            limit="evaluation of a point",
            limits=seconds["evaluate"],
        ),
    ]
