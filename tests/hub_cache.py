"""A hand-made Hugging Face hub cache: what config/paper.yaml needs from the hub, in miniature, under the same ids.

The models have random weights and a few thousand parameters; the files of each repository are of the kinds that the
real one has, so that reading them is tested as well. Nothing is downloaded.
"""

import gzip
import hashlib
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT = "<|endoftext|>"
POSITIONS = 64
"""Context of the language models in tokens."""

SPREAD = 0.3
"""Standard deviation of the weights: large enough for texts and scores to differ."""

# id -> layers and width
LANGUAGE_MODELS = {
    "openai-community/gpt2-large": (2, 16),
    "openai-community/gpt2-xl": (2, 24),
    "distilbert/distilgpt2": (1, 16),
}
# id -> number of classes
CLASSIFIERS = {"cardiffnlp/twitter-roberta-base-sentiment": 3, "textattack/roberta-base-CoLA": 2}

ROBERTA_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]

NOUNS = ["movie", "film", "plot", "cast", "ending", "script", "music", "director"]
ADJECTIVES = [
    ["terrible", "awful", "dreadful"],
    ["bad", "poor", "boring", "disappointing"],
    ["long", "short", "slow", "ordinary"],
    ["good", "superb", "delightful", "heartwarming"],
    ["great", "wonderful", "excellent"],
]
"""By the labels 0 to 4 of SST."""


def commit_of(kind: str, repository: str) -> str:
    """The commit that ``main`` of a repository names in the cache."""
    return hashlib.sha1(f"{kind} {repository}".encode()).hexdigest()


def repository_folder(hub: Path, kind: str, repository: str) -> Path:
    """Folder of a repository in the cache ``hub``; ``kind`` is ``model`` or ``dataset``."""
    return hub / f"{kind}s--{repository.replace('/', '--')}"


def add_repository(hub: Path, kind: str, repository: str) -> Path:
    """A new repository, whose ``main`` is its only commit; returns the folder for the files of this commit."""
    commit = commit_of(kind, repository)
    point_main_at(hub, kind, repository, commit)
    snapshot = repository_folder(hub, kind, repository) / "snapshots" / commit
    snapshot.mkdir(parents=True)
    return snapshot


def point_main_at(hub: Path, kind: str, repository: str, commit: str) -> None:
    """Let ``main`` of a repository name ``commit``."""
    reference = repository_folder(hub, kind, repository) / "refs" / "main"
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(commit)


def make_cache(home: Path) -> None:
    """Fill ``home``, which serves as ``HF_HOME``, with all repositories of config/paper.yaml."""
    import torch

    hub = home / "hub"
    torch.manual_seed(0)
    byte_pairs = _byte_pairs([END_OF_TEXT])
    for repository, (layers, width) in LANGUAGE_MODELS.items():
        _add_gpt2(add_repository(hub, "model", repository), byte_pairs, layers, width)
    byte_pairs = _byte_pairs(ROBERTA_TOKENS)
    for repository, classes in CLASSIFIERS.items():
        _add_roberta(add_repository(hub, "model", repository), byte_pairs, classes)
    _add_sst(add_repository(hub, "dataset", "SetFit/sst5"))
    _add_c4(add_repository(hub, "dataset", "allenai/c4"))


def write_prompts(folder: Path) -> None:
    """Miniatures of the three files of DExperts' prompts, 6 prompts each, in ``folder``."""
    folder.mkdir()
    for index, name in enumerate(("negative", "neutral", "positive")):
        words = ADJECTIVES[2 * index]
        texts = [f"The {noun} was {words[k % len(words)]} and the" for k, noun in enumerate(NOUNS[:6])]
        _write_lines(folder / f"{name}_prompts.jsonl", [{"prompt": {"text": text}} for text in texts])


def sentences(seed: int, count: int) -> list[tuple[str, int]]:
    """``count`` sentences with their labels 0 to 4, each label as often as the others."""
    generator = random.Random(seed)
    found = []
    for k in range(count):
        nouns, words = generator.sample(NOUNS, 2), [generator.choice(ADJECTIVES[k % 5]) for _ in range(2)]
        found.append((f"the {nouns[0]} was {words[0]} , and the {nouns[1]} was {words[1]} .", k % 5))
    return found


def _byte_pairs(special: list[str]) -> Tokenizer:
    """A byte-level BPE tokenizer; the words of the sentences are one token each."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text for text, _ in sentences(0, 400)], trainer)
    return tokenizer


def _add_gpt2(snapshot: Path, byte_pairs: Tokenizer, layers: int, width: int) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=byte_pairs.get_vocab_size(),
        n_positions=POSITIONS,
        n_embd=width,
        n_layer=layers,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=SPREAD,
        architectures=["GPT2LMHeadModel"],
    )
    model = GPT2LMHeadModel(config)
    # As on the hub: without a prefix, without the tied output embedding, and with the masks of old versions.
    weights = {name: value.contiguous() for name, value in model.transformer.state_dict().items()}
    mask = torch.ones(POSITIONS, POSITIONS).tril().view(1, 1, POSITIONS, POSITIONS)
    weights |= {f"h.{layer}.attn.bias": mask.clone() for layer in range(layers)}
    save_file(weights, snapshot / "model.safetensors", metadata={"format": "pt"})
    config.to_json_file(snapshot / "config.json")
    byte_pairs.save(str(snapshot / "tokenizer.json"))
    byte_pairs.model.save(str(snapshot))
    _write_json(snapshot / "tokenizer_config.json", {"model_max_length": POSITIONS})


def _add_roberta(snapshot: Path, byte_pairs: Tokenizer, classes: int) -> None:
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification

    config = RobertaConfig(
        vocab_size=byte_pairs.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        # RoBERTa's first position is the one after that of padding.
        max_position_embeddings=POSITIONS + 2,
        type_vocab_size=1,
        num_labels=classes,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        initializer_range=SPREAD,
        architectures=["RobertaForSequenceClassification"],
    )
    # Pickled weights only, and a tokenizer without a tokenizer.json.
    torch.save(RobertaForSequenceClassification(config).state_dict(), snapshot / "pytorch_model.bin")
    config.to_json_file(snapshot / "config.json")
    _save_roberta_tokenizer(snapshot, byte_pairs)


def roberta_tokenizer(folder: Path, mask: str = "old") -> None:
    """Save the tokenizer of the small RoBERTas in ``folder``, without a tokenizer.json.

    ``mask`` says how its files describe ``<mask>``: with its flags (old), as plain text, or absent.
    """
    _save_roberta_tokenizer(folder, _byte_pairs(ROBERTA_TOKENS), mask)


def _save_roberta_tokenizer(folder: Path, byte_pairs: Tokenizer, mask: str = "old") -> None:
    byte_pairs.model.save(str(folder))
    special: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>"}
    special |= {"pad_token": "<pad>", "cls_token": "<s>"}
    flags = {"content": "<mask>", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False}
    found = {"old": {"mask_token": flags}, "plain": {"mask_token": "<mask>"}, "absent": {}}[mask]
    _write_json(folder / "special_tokens_map.json", special | found)
    if not (folder / "config.json").exists():
        _write_json(folder / "config.json", {"model_type": "roberta"})


def _add_sst(snapshot: Path) -> None:
    names = ["very negative", "negative", "neutral", "positive", "very positive"]
    for seed, (split, count) in enumerate((("train", 60), ("dev", 30), ("test", 30)), start=1):
        rows = [{"text": text, "label": label, "label_text": names[label]} for text, label in sentences(seed, count)]
        _write_lines(snapshot / f"{split}.jsonl", rows)


def _add_c4(snapshot: Path) -> None:
    # Other variants of C4 lie beside the English one.
    files = {"en/c4-train": 3, "en/c4-validation": 2, "realnewslike/c4-train": 1}
    for seed, (name, count) in enumerate(files.items()):
        for shard in range(count):
            path = snapshot / f"{name}.{shard:05}-of-{count:05}.json.gz"
            path.parent.mkdir(exist_ok=True)
            texts = [text for text, _ in sentences(100 * seed + shard, 20)]
            rows = [{"text": text, "timestamp": "2019-04-25T12:57:54Z", "url": "http://example.com"} for text in texts]
            with gzip.open(path, "wt", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
