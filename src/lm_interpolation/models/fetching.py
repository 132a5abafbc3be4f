"""Downloads all that a study needs from the Hugging Face hub to its cache, for machines without network."""

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from lm_interpolation.data.gated import naming_gates
from lm_interpolation.data.hub import fetch, locked_commit, matching_files, reading_order
from lm_interpolation.data.json_lines import field_of
from lm_interpolation.jobs.runtime import UserError, announce, brief, error_prefix
from lm_interpolation.models.adapter_files import Adapter
from lm_interpolation.models.adapter_hub import fetch_adapter
from lm_interpolation.models.gguf_files import check_gguf, read_gguf
from lm_interpolation.models.gguf_hub import fetch_gguf
from lm_interpolation.models.hub_models import model_folder

BYTES_PER_TOKEN = 5
"""UTF-8 bytes of text for a token of a stream: more than the 4.5 or so of GPT-2's tokenizer on English, to be safe."""


@naming_gates()
def fetch_all(
    models: Sequence[Mapping[str, Any]],
    files: Sequence[Mapping[str, Any]],
    datasets: Sequence[Mapping[str, Any]],
    hub_lock: str | None,
) -> None:
    """Download every model and data set of the hub that a study names, as far as it is not there.

    Args:
        models: repositories, each with ``id``, ``revision`` and ``key``, the config key that names it. Of one with
            ``gguf_file`` only that file comes; ``tokenizer_directory`` says that its tokenizer is elsewhere.
            Of one with ``adapter`` only the adapter comes.
        files: of datasets, each with ``id``, ``revision``, ``key`` and ``patterns`` of names. A stream has besides
            ``text``, the column of the texts, and ``readings``, the (seed, tokens in all, processes) of the trainings
            that read it: as many of its files come as they read.
        datasets: for ``load_dataset``, each with ``id``, ``revision``, ``config``, ``splits`` and ``key``.
        hub_lock: file in which commits are kept (see ``hub.locked_commit``).

    Each repository's licence is named before it is downloaded. Revisions are resolved, locked and refused in the same
    way as by jobs. Raises ``UserError`` if something is unavailable, or must be accepted first.
    """
    for model in models:
        _announce_licence("model", model["id"])
        commit = locked_commit(model["id"], "model", model["revision"], hub_lock)
        if "adapter" in model:
            announce(f"[fetch] adapter {model['id']} at {commit}")
            with error_prefix(model["key"]):
                Adapter.open(fetch_adapter(model["id"], commit))
        elif "gguf_file" in model:
            announce(f"[fetch] model {model['id']} at {commit}: {model['gguf_file']}")
            with error_prefix(model["key"]):
                header = read_gguf(fetch_gguf(model["id"], commit, model["gguf_file"]))
                check_gguf(header, "tokenizer_directory" not in model)
        else:
            fetch_model(model["id"], commit, model["key"])
    told: set[str] = set()
    for entry in files:
        repository = entry["id"]
        if repository not in told:
            _announce_licence("dataset", repository)
            told.add(repository)
        commit = locked_commit(repository, "dataset", entry["revision"], hub_lock)
        names = matching_files(repository, commit, entry["patterns"], entry["key"])
        if "readings" in entry:
            _fetch_stream(names, commit, entry)
            continue
        for name in names:
            announce(f"[fetch] dataset {repository}: {name}")
            fetch(repository, commit, name)
    for dataset in datasets:
        _announce_licence("dataset", dataset["id"])
        _fetch_dataset(dataset)


def _announce_licence(kind: str, repository: str) -> None:
    """Print the licence that the card of a repository names, and its page."""
    from huggingface_hub import HfApi

    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repository}"
    try:
        info = HfApi().model_info(repository) if kind == "model" else HfApi().dataset_info(repository)
    except Exception as error:  # of httpx, of the hub and of the operating system; the cache may have the files
        licence = f"unknown, for the hub does not tell ({brief(error, 100)})"
    else:
        licence = ", ".join(tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:"))
    announce(f"[fetch] {kind} {repository}: licence {licence or 'not named'}, see {page}")


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


def _fetch_stream(files: list[str], commit: str, entry: Mapping[str, Any]) -> None:
    """The files that trainings on a stream read, in their order, until there is text enough for all of their steps."""
    for seed, tokens, processes in entry["readings"]:
        needed, order = tokens * BYTES_PER_TOKEN, reading_order(len(files), seed)
        ratio, text, count = 0.0, 0.0, 0
        # Each process reads files of its own, so that all need their last one.
        while count < len(order) and (text < needed or count % processes):
            path = fetch(entry["id"], commit, files[order[count]])
            # Files of a data set are alike, and there may be hundreds.
            ratio = ratio or _text_bytes(path, entry["text"]) / max(1, path.stat().st_size)
            text, count = text + ratio * path.stat().st_size, count + 1
            announce(
                f"[fetch] dataset {entry['id']}: {files[order[count - 1]]}, {min(1, text / needed):.0%} of the text"
            )


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


def _fetch_dataset(dataset: Mapping[str, Any]) -> None:
    import datasets

    repository, revision = dataset["id"], dataset["revision"]
    for split in dataset["splits"]:
        announce(f"[fetch] dataset {repository}, split {split}")
        try:
            datasets.load_dataset(repository, dataset["config"], split=split, revision=revision)
        except Exception as error:  # see fetch_model
            raise UserError(
                f"{dataset['key']}: cannot fetch split {split!r} of dataset {repository}: {brief(error)}; check the "
                "network, id, config, revision and splits"
            ) from error
