"""What a training starts from: a tokenizer, and a model with random weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from lm_interpolation.jobs.checksums import check_model
from lm_interpolation.jobs.runtime import UserError, brief
from lm_interpolation.models.loading import context_length


def load_tokenizer(*directories: Path | None) -> PreTrainedTokenizerBase:
    """The tokenizer from the first of the directories that is given; a model may be loaded from there, too."""
    directory = next(filter(None, directories))
    check_model(directory)
    return AutoTokenizer.from_pretrained(directory)


def new_model(
    name: str, factory: Any, architecture: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, **labels: Any
) -> Any:
    """A model with random weights. Raises ``UserError`` for an architecture that transformers cannot build."""
    key, kind = f"models.{name}.start.architecture", architecture["model_type"]
    options = {option: value for option, value in architecture.items() if option != "model_type"}
    if kind not in CONFIG_MAPPING:
        raise UserError(f"{key}.model_type: transformers has no {kind!r}; choose one that it has, as gpt2")
    try:
        default = CONFIG_MAPPING[kind]()
        for option in options:
            # A configuration takes any name and keeps it, without effect.
            if not hasattr(default, option):
                raise UserError(f"{key}.{option}: {kind} has no such option; correct its name or remove it")
        config = AutoConfig.for_model(
            kind,
            vocab_size=len(tokenizer),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **options,
            **labels,
        )
        return factory.from_config(config)
    except (ValueError, TypeError, KeyError, StrictDataclassError) as error:
        raise UserError(f"{key}: {brief(error)}") from error


def check_context(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, block_length: int) -> None:
    limit = context_length(model, tokenizer)
    if limit is not None and block_length > limit:
        raise UserError(
            f"models.{name}.training.block_length: {block_length} exceeds the model's context of {limit} tokens; "
            "lower it"
        )
