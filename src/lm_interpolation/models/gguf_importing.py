"""Imports a language model from a GGUF file: dequantises it to a folder as transformers saves it, and imports that."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedConfig
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from lm_interpolation.jobs.runtime import UserError, announce, brief
from lm_interpolation.models.gguf_files import GgufHeader, check_gguf, gguf_path, read_gguf, tokenizer_files
from lm_interpolation.models.gguf_hub import fetch_gguf
from lm_interpolation.models.importing import import_model
from lm_interpolation.models.model_folders import CONTEXT
from lm_interpolation.models.saving import writing


def import_gguf(
    source: str,
    revision: str | None,
    gguf_file: str,
    tokenizer_directory: str | None,
    output: Path,
    special_tokens: str = "tokenizer",
) -> None:
    """Write the model in the file ``gguf_file`` of ``source`` to ``output``, in fp32 and with its tokenizer.

    ``source`` is a local directory, or with a ``revision`` (a commit) a model on the hub, of which only the file is
    fetched. The tokenizer comes from the file, or from ``tokenizer_directory``. All the rest, ``special_tokens`` too,
    is as for ``import_model``, which gets the dequantised weights. They lie beside ``output`` while it works.

    Raises ``UserError`` as ``import_model`` does, and if the file is not one that can be used (see ``check_gguf``).
    """
    try:
        import gguf  # noqa: F401  (transformers imports it late, with another error)
    except ImportError:
        raise UserError(
            "reading GGUF needs the package gguf, which is not there; install it (pip install gguf)"
        ) from None
    file = gguf_path(source, gguf_file) if revision is None else fetch_gguf(source, revision, gguf_file)
    # Errors use the study's name of the file, wherever the hub's cache is.
    name = str(file) if revision is None else f"{source}/{gguf_file}"
    with _beside(output) as scratch:
        # Its name is in the lines of the import.
        folder = scratch / gguf_file
        with _renamed({str(file): name, str(folder): name}):
            header = read_gguf(file)
            check_gguf(header, tokenizer_directory is None)
            announce(f"[import {name}] {header.precision()}")
            _convert(header, name, tokenizer_directory, folder)
            import_model(str(folder), None, "language-model", output, special_tokens)


@contextlib.contextmanager
def _beside(output: Path) -> Iterator[Path]:
    """A folder on the disk of ``output``, while the block runs; the next run removes what a killed job left."""
    scratch = output.with_name(f".gguf-{output.name}")
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)


@contextlib.contextmanager
def _renamed(names: dict[str, str]) -> Iterator[None]:
    """Replace paths by names in the ``UserError`` of a block."""
    try:
        yield
    except UserError as error:
        text = str(error)
        for path, name in names.items():
            text = text.replace(path, name)
        raise UserError(text) from error


def _convert(header: GgufHeader, name: str, tokenizer_directory: str | None, folder: Path) -> None:
    """Save model and tokenizer, as float32, to ``folder``. Raises ``UserError``, which calls the model ``name``."""
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    # Nothing beside the file is read: transformers would prefer a tokenizer.json there.
    with _alone({"model.gguf": header.path}) as place:
        inside = {**local, "gguf_file": "model.gguf"}
        try:
            if tokenizer_directory is None:
                tokenizer = AutoTokenizer.from_pretrained(place, **inside)
            else:
                with _alone({path.name: path for path in tokenizer_files(tokenizer_directory)}) as beside:
                    tokenizer = AutoTokenizer.from_pretrained(beside, **local)
            settings, _ = PreTrainedConfig.get_config_dict(place, **inside)
            # Where the file does not say it, the defaults are those of some other model.
            settings = {"eos_token_id": tokenizer.eos_token_id, **settings, "vocab_size": header.vocabulary}
            config = AutoConfig.for_model(**settings)
            if header.context is not None:
                # transformers takes it for n_ctx of GPT-2, which has no effect.
                setattr(config, CONTEXT, header.context)
            model, found = AutoModelForCausalLM.from_pretrained(
                place,
                config=config,
                dtype=torch.float32,
                # Without it the model counts as quantised, and cannot be saved.
                quantization_config=GgufConfig(dequantize=True),
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **inside,
            )
        except UserError:
            raise
        except Exception as error:  # of every package that reads a part of it
            raise UserError(f"cannot load model {name}: {brief(error)}; choose another file") from error
    missing = sorted([*found["missing_keys"], *(str(entry[0]) for entry in found["mismatched_keys"])])
    if missing:
        raise UserError(f"{name} lacks weights of {type(model).__name__}: {missing[:3]}; choose another file")
    _tell_losses(header, name, model, tokenizer_directory is None)
    folder.mkdir()
    with writing(folder.parent):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextlib.contextmanager
def _alone(files: dict[str, Path]) -> Iterator[Path]:
    """A folder that contains only links to ``files``, under their new names, while the block runs."""
    with tempfile.TemporaryDirectory(prefix="import-") as scratch:
        for name, path in files.items():
            Path(scratch, name).symlink_to(os.path.realpath(path))
        yield Path(scratch)


def _tell_losses(header: GgufHeader, name: str, model: Any, own_tokenizer: bool) -> None:
    """Announce what the file says and the model that transformers makes of it lacks."""
    unused = header.size - sum(parameter.numel() for parameter in model.parameters())
    if unused > 0:
        announce(f"[import {name}] {unused} numbers in the file have no place in {type(model).__name__}")
    split = header.metadata.get("tokenizer.ggml.pre")
    is_byte_level = header.metadata.get("tokenizer.ggml.model") == "gpt2"
    if own_tokenizer and is_byte_level and split not in (None, "gpt-2", *GGUF_PRE_TOKENIZER_SPLITS):
        announce(
            f"[import {name}] the tokenizer splits texts as GPT-2's does, for transformers does not know the rule "
            f"{split!r} of the file: some texts, such as numbers, become other tokens than for the original "
            "(tokenizer_directory takes the original tokenizer)"
        )
