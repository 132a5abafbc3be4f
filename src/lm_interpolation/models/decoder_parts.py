"""Where the layers of a causal language model lie within its module in transformers.

Such a model is a chain of layers with one input and one output each: embeddings, blocks, and the final norm with the
head. Imports no heavy package, since plans ask which architectures are known.
"""

from collections.abc import Mapping
from typing import NamedTuple


class DecoderParts(NamedTuple):
    """Names of modules within a causal language model.

    The outputs of ``embeddings`` add up to the input of the first of ``blocks``, a list. ``attention`` is the name of
    the attention within a block. ``norm`` and then ``head`` make logits of what the last block returns.
    """

    embeddings: tuple[str, ...]
    blocks: str
    attention: str
    norm: str
    head: str


_GPT2 = DecoderParts(("transformer.wte", "transformer.wpe"), "transformer.h", "attn", "transformer.ln_f", "lm_head")
_LLAMA = DecoderParts(("model.embed_tokens",), "model.layers", "self_attn", "model.norm", "lm_head")

PARTS: Mapping[str, DecoderParts] = {"gpt2": _GPT2, "llama": _LLAMA, "mistral": _LLAMA, "qwen2": _LLAMA}
"""Architecture (``model_type``) to the names of its parts."""


def unknown(model_type: object) -> str | None:
    """Why layers of models of this type cannot be combined, and what to do; None if they can."""
    if model_type in PARTS:
        return None
    return f"{model_type!r} has no layers that are known here; choose models of {', '.join(PARTS)}"
