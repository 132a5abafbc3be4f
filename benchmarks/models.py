"""Models to measure with: the embedded study's own, and random ones in the shapes of real ones.

Speed does not depend on what weights say, but for one thing: when texts end. Random models of 50,257 tokens never end
one before its limit, as GPT-2 rarely does; the embedded study's models do, so they are the trained ones.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.harness import ROOT
from lm_interpolation.jobs.runtime import UserError

DATA = Path(os.environ.get("BENCH_DATA", ROOT.parent / "shared" / "data"))
"""Holds ``gpt2_tokenizer/`` (GPT-2's tokenizer files), ``sst/`` and ``prompts/`` (the DExperts prompts)."""

GPT2_SHAPES: Mapping[str, Mapping[str, int]] = {
    "gpt2": {"n_layer": 12, "n_embd": 768, "n_head": 12},
    "gpt2-medium": {"n_layer": 24, "n_embd": 1024, "n_head": 16},
    "gpt2-large": {"n_layer": 36, "n_embd": 1280, "n_head": 20},
    "gpt2-xl": {"n_layer": 48, "n_embd": 1600, "n_head": 25},
}


def embedded(name: str) -> Path:
    """The folder of a model of the embedded study. Raises ``UserError`` where that was not run."""
    folder = ROOT / "results" / "demo" / "models" / name
    if not (folder / "config.json").exists():
        raise UserError(f"{folder}: missing; run make all first, which trains the models of the embedded study")
    return folder


def data(name: str) -> Path:
    """A file or folder below ``DATA``. Raises ``UserError`` where it is missing."""
    if not (DATA / name).exists():
        raise UserError(f"{DATA / name}: missing; set BENCH_DATA to the folder that holds {name}")
    return DATA / name


def gpt2(folder: Path, shape: str = "gpt2", seed: int = 0, **changes: Any) -> Path:
    """A random float32 model in one of ``GPT2_SHAPES``, with GPT-2's tokenizer, in the new directory ``folder``.

    ``changes`` override the configuration (``n_layer=6``, say).
    """
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    model = GPT2LMHeadModel(GPT2Config(**{**GPT2_SHAPES[shape], **changes}))
    model.save_pretrained(folder)
    for file in data("gpt2_tokenizer").iterdir():
        if file.name != "config.json":
            shutil.copy(file, folder)
    return folder


def decided_gpt2(folder: Path, shape: str = "gpt2", seed: int = 0, **changes: Any) -> Path:
    """``gpt2`` with its last layer norm scaled, so that nuclei have some hundred tokens, as a trained model's do.

    An untouched one is nearly indifferent between all tokens.
    """
    from safetensors.torch import load_file, save_file

    gpt2(folder, shape, seed, **changes)
    weights = load_file(folder / "model.safetensors")
    norm = weights["transformer.ln_f.weight"]
    # Logits with a standard deviation of about 3.9.
    norm *= 7 * (768 / len(norm)) ** 0.5
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def roberta_classifier(folder: Path, seed: int = 0) -> Path:
    """A random classifier of three classes in RoBERTa-base's shape, its tokenizer made from GPT-2's, in ``folder``."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForSequenceClassification

    # RoBERTa's special tokens come first.
    special = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    words = json.loads((data("gpt2_tokenizer") / "vocab.json").read_text(encoding="utf-8"))
    lines = (data("gpt2_tokenizer") / "merges.txt").read_text(encoding="utf-8").splitlines()
    merges = [(line.split(" ")[0], line.split(" ")[1]) for line in lines if line and not line.startswith("#version")]
    backend = Tokenizer(models.BPE(special | {word: 4 + index for word, index in words.items()}, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", pad_token="<pad>", eos_token="</s>", model_max_length=512
    )
    torch.manual_seed(seed)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=514,
        type_vocab_size=1,
        num_labels=3,
    )
    RobertaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def sentences(count: int) -> list[str]:
    """The first ``count`` sentences of SST's train file in its tree format (real text, 2 to 50 words)."""
    lines = data("sst/train.txt").read_text(encoding="utf-8").splitlines()[:count]
    if len(lines) < count:
        raise UserError(f"{DATA / 'sst' / 'train.txt'}: only {len(lines)} sentences, {count} are needed")
    return [" ".join(re.findall(r"\(\d ([^()]+)\)", line)) for line in lines]


def dexperts_prompts(count: int) -> pd.DataFrame:
    """The first ``count`` neutral DExperts prompts: columns ``row`` and ``text``, as generation takes them."""
    lines = data("prompts/neutral_prompts.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    return pd.DataFrame({"row": range(len(lines)), "text": [json.loads(line)["prompt"]["text"] for line in lines]})
