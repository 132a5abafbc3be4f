"""A hand-made Hugging Face hub cache: what config/paper.yaml, or config/regions.yaml, needs from it, in miniature.

Ids are those of the studies. The models have random weights and a few thousand parameters; the files of each repository
are of the kinds that the real one has, so that reading them is tested as well. Nothing is downloaded.
"""

import gzip
import hashlib
import json
import random
from collections.abc import Iterable, Mapping
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


def make_regions_cache(home: Path, study: Mapping[str, Any]) -> None:
    """Fill ``home``, which serves as ``HF_HOME``, with all repositories of the resolved ``study`` of regions.

    All bodies are that of the base, moved in the direction of their task, in that of their data set, and by a little of
    their own: clusters are planted. Heads have two to four classes or, for STS-B, one number; that of the base predicts
    masked tokens. Some tokenizers are as old as those of textattack, others have a tokenizer.json.
    """
    import torch

    hub = home / "hub"
    byte_pairs = _byte_pairs(ROBERTA_TOKENS)
    models = {name: spec["start"]["hub"] for name, spec in study["models"].items() if "hub" in spec["start"]}
    base = _roberta_config(byte_pairs, 2)
    torch.manual_seed(0)
    body = _base_model(base)
    _add_fine_tuning(add_repository(hub, "model", models.pop("base")), byte_pairs, body, "tokenizer.json")
    for number, (name, repository) in enumerate(models.items()):
        moved = dict(body.state_dict())
        data, task = _labels_of(name, study)
        for size, seed in ((0.1, task), (0.1, data), (0.02, name)):
            for key, direction in _direction(seed, body.state_dict()).items():
                moved[key] = moved[key] + size * direction
        classes = 1 if data == "stsb" else 2 + number % 3
        model = _fine_tuned(_roberta_config(byte_pairs, classes), moved)
        files = "old" if "textattack" in repository else "tokenizer.json"
        _add_fine_tuning(add_repository(hub, "model", repository), byte_pairs, model, files)
    for corpus in study["corpora"].values():
        if corpus["source"] == "hub":
            _add_texts(hub, corpus)


def _labels_of(model: str, study: Mapping[str, Any]) -> tuple[str, str]:
    """The data set of a model, and the name of the set of data sets around it."""
    sets = study["sets"]
    (own,) = (name for name, spec in sets.items() if model in spec.get("models", []))
    (around,) = (name for name, spec in sets.items() if own in spec.get("sets", []))
    return sets[own]["labels"]["data"], around


def _direction(seed: str, shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Normal numbers, scaled by ``SPREAD``, for each tensor of a body; they depend on ``seed``."""
    import torch

    generator = torch.Generator().manual_seed(int(hashlib.sha1(seed.encode()).hexdigest()[:8], 16))
    return {
        name: SPREAD * torch.randn(tensor.shape, generator=generator)
        for name, tensor in shapes.items()
        if name.startswith("roberta.") and tensor.is_floating_point()
    }


def _base_model(config: Any) -> Any:
    from transformers import RobertaForMaskedLM

    config.architectures = ["RobertaForMaskedLM"]
    return RobertaForMaskedLM(config)


def _fine_tuned(config: Any, weights: Mapping[str, Any]) -> Any:
    """A classifier with a head of its own and these ``weights`` below it."""
    from transformers import RobertaForSequenceClassification

    model = RobertaForSequenceClassification(config)
    body = {name: value for name, value in weights.items() if name.startswith("roberta.")}
    absent, unexpected = model.load_state_dict(body, strict=False)
    assert not unexpected and all(name.startswith("classifier.") for name in absent)
    return model


def _add_fine_tuning(snapshot: Path, byte_pairs: Tokenizer, model: Any, files: str) -> None:
    """``files`` says of which age: pickled with old tokenizer files, or safetensors with a tokenizer.json."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoTokenizer

    model.config.to_json_file(snapshot / "config.json")
    weights = {name: value.clone() for name, value in model.state_dict().items() if "lm_head.decoder" not in name}
    if files == "old":
        torch.save(weights, snapshot / "pytorch_model.bin")
        _save_roberta_tokenizer(snapshot, byte_pairs, "plain")
        _write_json(snapshot / "tokenizer_config.json", {"model_max_length": POSITIONS})
    else:
        save_file(weights, snapshot / "model.safetensors", metadata={"format": "pt"})
        _save_roberta_tokenizer(snapshot, byte_pairs)
        AutoTokenizer.from_pretrained(snapshot, model_max_length=POSITIONS).save_pretrained(snapshot)


def _add_texts(hub: Path, corpus: Mapping[str, Any]) -> None:
    """The files of a corpus: Parquet or JSON lines, with its columns and raw labels, and what it drops."""
    import pandas as pd

    snapshot = repository_folder(hub, "dataset", corpus["id"]) / "snapshots" / commit_of("dataset", corpus["id"])
    if not snapshot.exists():
        add_repository(hub, "dataset", corpus["id"])
    labels = [label for raw in corpus["classes"].values() for label in raw]
    labels += corpus.get("drop", {}).get(corpus["label"], [])
    for seed, (split, pattern) in enumerate(corpus["files"].items()):
        count = {"train": 400, "dev": 150, "test": 200}[split]
        first, second = (sentences(f"{pattern} {place}", count) for place in ("first", "second"))
        rows = [
            {corpus["text"]: f"{words} {number + seed}", "other": number, corpus["label"]: labels[number % len(labels)]}
            for number, (words, _) in enumerate(first)
        ]
        if "pair" in corpus:
            rows = [row | {corpus["pair"]["column"]: words} for row, (words, _) in zip(rows, second, strict=True)]
        path = snapshot / pattern.replace("*", "00000-of-00001")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            pd.DataFrame(rows).to_parquet(path, index=False)
        else:
            _write_lines(path, rows)


def write_prompts(folder: Path) -> None:
    """Miniatures of the three files of DExperts' prompts, 6 prompts each, in ``folder``."""
    folder.mkdir()
    for index, name in enumerate(("negative", "neutral", "positive")):
        words = ADJECTIVES[2 * index]
        texts = [f"The {noun} was {words[k % len(words)]} and the" for k, noun in enumerate(NOUNS[:6])]
        _write_lines(folder / f"{name}_prompts.jsonl", [{"prompt": {"text": text}} for text in texts])


def sentences(seed: int | str, count: int) -> list[tuple[str, int]]:
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
    from transformers import RobertaForSequenceClassification

    config = _roberta_config(byte_pairs, classes)
    # Pickled weights only, and a tokenizer without a tokenizer.json.
    torch.save(RobertaForSequenceClassification(config).state_dict(), snapshot / "pytorch_model.bin")
    config.to_json_file(snapshot / "config.json")
    _save_roberta_tokenizer(snapshot, byte_pairs)


def _roberta_config(byte_pairs: Tokenizer, classes: int) -> Any:
    from transformers import RobertaConfig

    return RobertaConfig(
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
