"""What a study takes from the Hugging Face hub, brought into its cache before machines without network need it."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from lm_interpolation.data.corpora import field_of
from lm_interpolation.data.hub import fetch, locked_commit, matching_files, reading_order
from lm_interpolation.jobs.runtime import UserError, announce, brief, error_prefix
from lm_interpolation.models.hub_models import model_folder

BYTES_PER_TOKEN = 5
"""UTF-8 bytes of text for a token of a stream: more than the 4.5 or so of GPT-2's tokenizer on English, to be safe."""


def fetch_study(config: Mapping[str, Any]) -> None:
    """Download every model and data set of the hub that the resolved ``config`` names, as far as it is not there.

    Revisions are resolved, locked in ``hub_lock`` and refused as by the jobs themselves. Of a streamed corpus come the
    files that the longest training on it reads. Raises ``UserError`` for what cannot be had.
    """
    lock = config.get("hub_lock")
    fetched: set[tuple[str, str]] = set()
    for name, model in config["models"].items():
        source = (model["start"].get("hub", ""), model["start"].get("revision", ""))
        if source[0] and source not in fetched:
            fetched.add(source)
            fetch_model(source[0], locked_commit(source[0], "model", source[1], lock), f"models.{name}.start")
    for name, corpus in config["corpora"].items():
        if corpus["source"] == "hub":
            _fetch_corpus(name, corpus, config)
        elif corpus["source"] == "datasets" and not Path(corpus["id"]).is_dir():
            _fetch_dataset(name, corpus)


def fetch_model(repository: str, commit: str, key: str) -> Path:
    """Folder, in the cache, of the files that loading a model with its tokenizer needs; ``key`` is for messages."""
    from transformers import AutoConfig, AutoTokenizer

    announce(f"[fetch] model {repository} at {commit}")
    with error_prefix(key):
        folder = model_folder(repository, commit)
        try:
            for part in (AutoConfig, AutoTokenizer):
                part.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # of whatever reads the files
            raise UserError(
                f"cannot load the configuration and the tokenizer of model {repository} at {commit}: {brief(error)}; "
                "choose another"
            ) from error
    return folder


def _fetch_corpus(name: str, corpus: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    repository = corpus["id"]
    commit = locked_commit(repository, "dataset", corpus["revision"], config.get("hub_lock"))
    for split, patterns in corpus["files"].items():
        listed = [patterns] if isinstance(patterns, str) else list(patterns)
        files = matching_files(repository, commit, listed, f"corpora.{name}.files.{split}")
        if corpus.get("stream", False) and split == "train":
            _fetch_stream(name, files, commit, corpus, config)
            continue
        for file in files:
            announce(f"[fetch] dataset {repository}: {file}")
            fetch(repository, commit, file)


def _fetch_stream(
    name: str, files: list[str], commit: str, corpus: Mapping[str, Any], config: Mapping[str, Any]
) -> None:
    """The files that trainings on a stream read, in their order, until there is text enough for all of their steps."""
    for seed, tokens, processes in sorted(set(_streamed(name, config))):
        needed, order = tokens * BYTES_PER_TOKEN, reading_order(len(files), seed)
        ratio, text, count = 0.0, 0.0, 0
        # Each process reads files of its own, so that all need their last one.
        while count < len(order) and (text < needed or count % processes):
            path = fetch(corpus["id"], commit, files[order[count]])
            # Files of a data set are alike, and there may be hundreds.
            ratio = ratio or _text_bytes(path, corpus["text"]) / max(1, path.stat().st_size)
            text, count = text + ratio * path.stat().st_size, count + 1
            announce(
                f"[fetch] dataset {corpus['id']}: {files[order[count - 1]]}, {min(1, text / needed):.0%} of the text"
            )


def _streamed(name: str, config: Mapping[str, Any]) -> Iterator[tuple[int, int, int]]:
    """Seed, tokens in all and processes of the trainings on a corpus, the models' and those of searches."""
    for key, model in config["models"].items():
        if model.get("data", {}).get("corpus") != name:
            continue
        training = model["training"]
        grids = [search["grid"] for search in config["searches"].values() if search["model"] == key]
        tokens = [training["steps"] * training["batch_size"]]
        tokens += [max(grid["steps"]) * max(grid["batch_size"]) for grid in grids]
        yield training["seed"], max(tokens) * training["block_length"], training["processes"]


def _text_bytes(path: Path, field: str) -> int:
    """UTF-8 bytes of the texts of a file of JSON lines. Raises ``UserError`` if it is something else, or damaged."""
    total = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            for number, line in enumerate(cast(BinaryIO, file), start=1):
                if not line.isspace():
                    total += len(str(field_of(json.loads(line), field, f"{path}:{number}")).encode())
    except (gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
        raise UserError(f"{path}: not a whole file of JSON lines ({error}); delete it and fetch it again") from None
    return total


def _fetch_dataset(name: str, corpus: Mapping[str, Any]) -> None:
    import datasets

    for split in corpus["splits"].values():
        announce(f"[fetch] dataset {corpus['id']}, split {split}")
        try:
            datasets.load_dataset(corpus["id"], corpus.get("config"), split=split, revision=corpus["revision"])
        except Exception as error:  # see fetch_model
            raise UserError(
                f"corpora.{name}.id: cannot fetch split {split!r} of dataset {corpus['id']}: {brief(error)}; check "
                "the network, id, config, revision and splits"
            ) from error
