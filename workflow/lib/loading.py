"""Loading models of transformers from local folders, in one way for all who compute with them."""

import inspect
import os
from pathlib import Path
from typing import Any

from workflow.lib.checksums import check_model
from workflow.lib.dtypes import torch_dtype
from workflow.lib.runtime import UserError


def load_model(
    auto_class: Any, model_dir: str | os.PathLike[str], device: str, precision: str = "fp32", checked: bool = False
) -> tuple[Any, Any]:
    """Model in evaluation mode, its weights cast to ``precision``, and its tokenizer.

    Nothing is downloaded, and no code of the folder runs. ``checked`` says that ``check_model`` has been called.

    Raises ``UserError`` if the folder is damaged (see ``check_model``) or a weight is missing.
    """
    from transformers import AutoTokenizer

    directory = Path(model_dir)
    if not (directory / "config.json").is_file():
        raise UserError(f"{directory}: no config.json; expected a Hugging Face model directory")
    if not checked:
        check_model(directory)
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        # Cast by transformers, not afterwards: tables of positions (rotary embeddings) stay in float32.
        model, report = auto_class.from_pretrained(
            directory, dtype=torch_dtype(precision), weights_only=True, output_loading_info=True, **local
        )
        tokenizer = AutoTokenizer.from_pretrained(directory, **local)
    except (OSError, ValueError) as error:
        raise UserError(f"{directory}: cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    absent = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if absent:
        # transformers would draw them at random and go on.
        raise UserError(
            f"{directory}: not a whole {type(model).__name__}, weights are missing: {', '.join(absent[:5])}"
        )
    return model.to(device).eval(), tokenizer


def takes_cache(model: Any) -> bool:
    """Whether the model reads on from a cache of keys and values; Mamba and its like keep a state instead."""
    return "past_key_values" in inspect.signature(model.forward).parameters
