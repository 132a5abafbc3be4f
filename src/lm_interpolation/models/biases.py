"""Models without biases, by what their configuration says; imports no heavy package, since plans ask."""

from collections.abc import Mapping
from typing import Any

WITHOUT_BIASES = frozenset(
    {
        "cohere",
        "gemma",
        "gemma2",
        "gemma3_text",
        "granite",
        "llama",
        "mistral",
        "mixtral",
        "olmo",
        "olmo2",
        "qwen3",
    }
)
"""Architectures (``model_type``) of language models whose layers have no biases unless an option ``*_bias`` is true."""


def lacks_biases(config: Mapping[str, Any]) -> bool:
    """Whether a transformers configuration is known to have no biases; not all architectures are known here."""
    return config.get("model_type") in WITHOUT_BIASES and not any(
        value for option, value in config.items() if option.endswith("_bias")
    )
