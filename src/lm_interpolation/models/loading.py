"""Loads models of transformers from local folders, in the same way everywhere."""

import inspect
import os
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.checksums import check_model
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.dtypes import torch_dtype
from lm_interpolation.models.model_folders import CONTEXT, is_count


def load_model(
    auto_class: Any, model_dir: str | os.PathLike[str], device: str, precision: str = "fp32", checked: bool = False
) -> tuple[Any, Any]:
    """Model in evaluation mode, its weights cast to ``precision``, and its tokenizer.

    Nothing is downloaded, and no code of the folder runs. ``checked`` says that ``check_model`` has been called.

    Raises ``UserError`` if the folder is damaged (see ``check_model``) or a weight is missing.
    """
    from transformers import AutoTokenizer

    directory = Path(model_dir)
    if not checked:
        check_model(directory)
    if not (directory / "config.json").is_file():
        raise UserError(f"{directory}: no config.json; expected a Hugging Face model directory")
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        # Let transformers cast, so that tables of positions (rotary embeddings) stay in float32.
        model, report = auto_class.from_pretrained(
            directory, dtype=torch_dtype(precision), weights_only=True, output_loading_info=True, **local
        )
        tokenizer = AutoTokenizer.from_pretrained(directory, **local)
    except (OSError, ValueError) as error:
        raise UserError(f"{directory}: cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    absent = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if absent:
        # transformers would draw them at random and continue.
        raise UserError(
            f"{directory}: not a whole {type(model).__name__}, weights are missing: {', '.join(absent[:5])}"
        )
    without_router_losses(model)
    return model.to(device).eval(), tokenizer


def without_router_losses(model: Any) -> None:
    """Keep a mixture of experts from computing the loss of its router, which is for training.

    With ``output_router_logits: true`` it would compute it for each batch, and fail when it continues from a cache.
    """
    if getattr(model.config, "output_router_logits", False):
        model.config.output_router_logits = False


def context_length(model: Any, tokenizer: Any) -> int | None:
    """The longest text, in tokens, that the model can read; None if neither config nor tokenizer sets a limit.

    Raises ``UserError`` if the config gives anything but a positive number.
    """
    positions = getattr(model.config, CONTEXT, None)
    if positions is not None:
        if not is_count(positions):
            raise UserError(
                f"{CONTEXT} in config.json is {positions!r}, which is not a number of tokens; "
                "give a positive whole number"
            )
        for name, module in model.named_modules():
            # RoBERTa counts positions from padding_idx + 1.
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
                positions -= module.padding_idx + 1
    # If a tokenizer knows no limit, transformers says 1e30.
    limits = [limit for limit in (positions, int(tokenizer.model_max_length)) if limit is not None and limit < 10**18]
    return min(limits, default=None)


def takes_cache(model: Any) -> bool:
    """Whether the model continues from a cache of keys and values; Mamba and similar models keep a state instead."""
    return "past_key_values" in inspect.signature(model.forward).parameters
