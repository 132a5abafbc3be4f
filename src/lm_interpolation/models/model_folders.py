"""The contents of a model's folder: the names of the files that loading reads, and what ``config.json`` says.

No other file is opened, in the folder or outside it. Folders come from anywhere, so everything in them is
checked before use; errors are one line.
"""

import fnmatch
import json
import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.checksums import CHECKSUMS, check_present
from lm_interpolation.jobs.runtime import UserError

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spm.model",
    "spm_char.model",
    "source.spm",
    "target.spm",
    "bpe.codes",
    "byte_maps.json",
    "dict.txt",
    "emoji.json",
    "entity_vocab.json",
    "normalizer.json",
    "prophetnet.tokenizer",
    "target_vocab.json",
    "tekken.json",
    "vocab-src.json",
    "vocab-tgt.json",
    "word_pronunciation.json",
    "word_shape.json",
)
"""Files that make up a tokenizer; a folder has some of them."""

_TIKTOKEN = "*.tiktoken"

ADAPTER = "adapter_config.json"

# In the order of transformers: a single file, or an index with its shards.
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def names_in(directory: Path) -> list[str]:
    """Names of everything in a folder."""
    return [path.name for path in directory.iterdir()]


def settings_files(names: Collection[str]) -> list[str]:
    """The files among ``names`` that belong to a model's configuration and tokenizer."""
    wanted = {"config.json", "generation_config.json", CHECKSUMS, *TOKENIZER_FILES}
    return [name for name in names if name in wanted or fnmatch.fnmatchcase(name, _TIKTOKEN)]


def guides(names: Collection[str]) -> list[str]:
    """The files among ``names`` that describe the weights: of an adapter, or the index of shards."""
    return [name for name in names if name == ADAPTER or (name in _WEIGHTS and name.endswith(".json"))]


def weight_files(directory: Path, names: Collection[str]) -> list[str]:
    """The weights that transformers reads among the files ``names`` of a folder, with the index of shards.

    An index is read from ``directory``. Raises ``UserError`` if it names files outside its folder.
    """
    for file in _WEIGHTS:
        if file in names:
            return [file, *dict.fromkeys(read_index(directory / file).values())] if file.endswith(".json") else [file]
    return []


def read_index(path: Path) -> dict[str, str]:
    """Tensor to file, from an index of weights. Raises ``UserError`` if it is damaged or leads out of its folder."""
    weight_map = read_json(path, "download it again").get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise UserError(f"{path}: has no weight_map; download it again")
    for tensor, file in weight_map.items():
        if not isinstance(file, str) or not _is_plain(file):
            raise UserError(
                f"{path}: says that {tensor!r} lies in {file!r}, which is not the name of a file beside it; download "
                "it again, or save the model with save_pretrained"
            )
    return weight_map


def _is_plain(name: str) -> bool:
    """Whether ``name`` is the name of something directly in a folder."""
    return name not in ("", ".", "..") and not {"/", "\\", "\0"} & set(name)


def model_files(directory: str | os.PathLike[str]) -> list[Path]:
    """The files of a local folder that importing its model reads, sorted; all are regular files or links to them.

    Other files there have no effect. Raises ``UserError`` if the folder does not exist, or if one of these names
    belongs to something that cannot be read to its end (a named pipe, a broken link).
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f"{directory}: no such directory; give a model directory (config.json, *.safetensors)")
    names = names_in(directory)
    settings = settings_files(names)
    _check_regular(directory, [*settings, *guides(names)])
    weights = [name for name in weight_files(directory, names) if name in names]
    _check_regular(directory, weights)
    return sorted(directory / name for name in [*settings, *weights])


def _check_regular(directory: Path, names: Collection[str]) -> None:
    for name in names:
        path = directory / name
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read ({error.strerror}); a link that leads nowhere? Remove it, or copy the model "
                "again"
            ) from None
        if not stat.S_ISREG(mode):
            kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a directory"}
            kind = kinds.get(stat.S_IFMT(mode), "a device")
            raise UserError(f"{path}: is {kind}, not a file; remove it, or copy the model again")


def check_folder(directory: str | os.PathLike[str], task: str) -> dict[str, Any]:
    """The ``config.json`` of a folder that holds a whole model for ``task``: language-model, classifier, encoder.

    Reads only small files. Raises ``UserError`` if the folder holds something else (an adapter, GGUF), or if
    the configuration is not that of a model that the task can use.
    """
    directory = Path(directory)
    files = model_files(directory)
    # If the model is ours, from another study for example.
    check_present(directory, "copy the model again", {"config.json", "generation_config.json", *TOKENIZER_FILES})
    check_contents(str(directory), names_in(directory), directory)
    config = read_json(directory / "config.json", "not a model directory: save one with save_pretrained")
    check_config(config, directory / "config.json", task)
    if not any(file.suffix in (".safetensors", ".bin") for file in files):
        raise UserError(f"{directory}: no weights (model.safetensors); save the model with save_pretrained")
    return config


def check_contents(source: str, names: Collection[str], directory: Path) -> None:
    """Raise ``UserError`` if the files ``names`` are not one whole model, with the way to make them one.

    ``source`` is a folder, or a repository on the hub whose small files are in ``directory``.
    """
    has_weights = any(name in names for name in _WEIGHTS)
    if ADAPTER in names:
        if has_weights:
            raise UserError(
                f"{source}: has both the weights of a model and an adapter ({ADAPTER}), and which of them is meant "
                "is not clear; take the adapter's files out, or merge it (peft: "
                'PeftModel.from_pretrained(model, folder).merge_and_unload().save_pretrained("merged"))'
            )
        base = read_json(directory / ADAPTER, "").get("base_model_name_or_path")
        known = isinstance(base, str) and base
        of, base = (base, base) if known else (f"a model that {ADAPTER} does not name", "BASE")
        raise UserError(
            f"{source}: holds an adapter only, of {of}; merge the two (pip install peft): "
            f"base = AutoModelForCausalLM.from_pretrained({base!r}); model = PeftModel.from_pretrained(base, "
            f"{source!r}); model.merge_and_unload().save_pretrained('merged'), and the tokenizer there"
        )
    gguf = sorted(name for name in names if name.endswith(".gguf") and "/" not in name)
    if gguf and not has_weights:
        shown = ", ".join(gguf[:5]) + (f" and {len(gguf) - 5} more" if len(gguf) > 5 else "")
        one = "it" if len(gguf) == 1 else "one of them"
        raise UserError(f"{source}: holds weights as GGUF only ({shown}); name {one} as gguf_file, beside this source")


def check_config(config: Mapping[str, Any], path: Path, task: str) -> None:
    """Raise ``UserError`` for values of a ``config.json`` (from ``path``) that no model for ``task`` can have."""
    for part in filter(None, (config, text_config(config, path))):
        _check_types(part, path)
    if task == "classifier":
        _check_head(config, path)


def text_config(config: Mapping[str, Any], path: Path) -> Mapping[str, Any] | None:
    """The configuration of the language part of a model of several parts (texts and images, say), if it is one."""
    text = config.get("text_config")
    if text is not None and not isinstance(text, Mapping):
        raise UserError(f"{path}: text_config is {_show(text)}; give a mapping, or download it again")
    return text


CONTEXT = "max_position_embeddings"
_CONTEXTS = (CONTEXT, "n_positions", "n_ctx", "max_seq_len")


def context_of(config: Mapping[str, Any]) -> int | None:
    """The context, in tokens, that a config.json or a declared architecture names; None if it names none."""
    return next((value for key in ("n_positions", CONTEXT) if is_count(value := config.get(key))), None)


def _check_types(config: Mapping[str, Any], path: Path) -> None:
    wanted = {
        "model_type": (str, "the name of an architecture"),
        "dtype": (str, "the name of a number format"),
        "torch_dtype": (str, "the name of a number format"),
        "tie_word_embeddings": (bool, "true or false"),
        "problem_type": (str, "the name of a kind of problem"),
        "id2label": (Mapping, "a mapping from indices to names"),
    }
    for key, (kind, words) in wanted.items():
        if config.get(key) is not None and not isinstance(config[key], kind):
            raise UserError(f"{path}: {key} is {_show(config[key])}; give {words}, or download it again")
    for key in ("vocab_size", "num_labels", *_CONTEXTS):
        if config.get(key) is not None and not is_count(config[key]):
            raise UserError(
                f"{path}: {key} is {_show(config[key])}; give a positive whole number, or download it again"
            )


def is_count(value: Any) -> bool:
    """Whether ``value`` is a positive whole number."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _check_head(config: Mapping[str, Any], path: Path) -> None:
    """Raise ``UserError`` if the head gives a number instead of the probabilities of classes."""
    # transformers' default is two.
    labels = config.get("num_labels") or len(config.get("id2label") or (0, 1))
    reason = "problem_type is regression" if config.get("problem_type") == "regression" else ""
    if labels == 1:
        reason = reason or "the head has one output"
    if reason:
        raise UserError(
            f"{path}: {reason}: this model gives each text a number, not the probabilities of classes; choose a "
            "classifier of two or more classes"
        )


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """The object in a JSON file. Raises ``UserError`` if there is none, with ``remedy`` if the file is missing."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); copy or download it again") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a JSON object; copy or download it again")
    return content


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
