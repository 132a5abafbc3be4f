"""What the names of tensors say: the kind of a tensor, and its transformer block."""

import re

_BLOCK = re.compile(r"(?:^|\.)(?:h|layers|layer)\.(\d+)(?:\.|$)")

# Kinds of tensors by one whole part of their lower-case name, for GPT-2, LLaMA, OPT and GPT-NeoX. The first match
# counts, because a norm may be named after what it normalises (self_attn_layer_norm, word_embeddings_layernorm).
_KINDS = [
    ("norm", re.compile(r"(.*_)?(ln|norm|layer_?norm|rmsnorm)(_.*)?")),
    ("head", re.compile(r"lm_head|embed_out")),
    ("embedding", re.compile(r"wte|wpe|embed_.*|(.*_)?embeddings?")),
    ("attention", re.compile(r"(.*_)?(attn|attention)")),
    ("mlp", re.compile(r"mlp|ffn|fc\d")),
]


def tensor_kind(name: str) -> str:
    """The kind of the tensor with this name: embedding, attention, mlp, norm, head or other."""
    parts = name.lower().split(".")
    return next((kind for kind, pattern in _KINDS if any(map(pattern.fullmatch, parts))), "other")


def block_number(name: str) -> int | None:
    """Number of the transformer block of the tensor with this name; None outside the blocks."""
    found = _BLOCK.search(name)
    return int(found[1]) if found else None
