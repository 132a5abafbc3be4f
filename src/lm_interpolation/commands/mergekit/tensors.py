"""Tensors of common architectures, and rules that give each its factor.

mergekit asks of a filter whether it is in the name of a tensor; a study's patterns consist of whole parts of names. To
translate without guessing, values are computed tensor by tensor, and patterns are checked on the same names.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.patterns import matches

Rule = tuple[str, Fraction]
"""Pattern and factor."""


class Tensor(NamedTuple):
    """A tensor of the result: its ``piece`` of the configuration, how far into it (0 to 1), and its block."""

    name: str
    piece: int
    share: Fraction
    block: int | None


class _Architecture(NamedTuple):
    before: Sequence[str]
    block: Sequence[str]
    after: Sequence[str]


_LLAMA = [
    "input_layernorm",
    *(f"self_attn.{part}" for part in ("q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj", "q_norm", "k_norm")),
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    *(f"mlp.{part}" for part in ("gate_proj", "up_proj", "down_proj", "gate_up_proj")),
    "post_feedforward_layernorm",
]
_GPT2 = ["ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"]
_NEOX = [
    "input_layernorm",
    "attention.query_key_value",
    "attention.dense",
    "post_attention_layernorm",
    "mlp.dense_h_to_4h",
    "mlp.dense_4h_to_h",
]
ARCHITECTURES = {
    "model.layers": _Architecture(["model.embed_tokens"], _LLAMA, ["model.norm", "lm_head"]),
    "transformer.h": _Architecture(["transformer.wte", "transformer.wpe"], _GPT2, ["transformer.ln_f", "lm_head"]),
    "gpt_neox.layers": _Architecture(["gpt_neox.embed_in"], _NEOX, ["gpt_neox.final_layer_norm", "embed_out"]),
}
"""Where the blocks are -> modules. The first is that of Llama, Mistral, Qwen, Gemma and Phi-3."""


def tensors(blocks: str, pieces: Sequence[int], filters: Sequence[str]) -> list[Tensor]:
    """The tensors of a model whose ``pieces`` have so many blocks, and one for each filter that takes none of these.

    What comes before the blocks belongs to the first piece, what comes after them to the last; mergekit gives both the
    first value of a gradient (plan.py, ``plan_module``).
    """
    architecture = ARCHITECTURES[blocks]
    modules = [*architecture.block, *_further(architecture, filters)]
    found = [Tensor(f"{name}.weight", 0, Fraction(0), None) for name in architecture.before]
    block = 0
    for piece, size in enumerate(pieces):
        for index in range(size):
            share = Fraction(index, size - 1) if size > 1 else Fraction(1)
            found += [Tensor(f"{blocks}.{block}.{module}.weight", piece, share, block) for module in modules]
            block += 1
    return found + [Tensor(f"{name}.weight", len(pieces) - 1, Fraction(0), None) for name in architecture.after]


def _further(architecture: _Architecture, filters: Sequence[str]) -> list[str]:
    """Modules of blocks that filters name and that are not in the list above, such as those of a mixture of experts."""
    known = [f"{name}.weight" for part in architecture for name in part]
    return [
        text.strip(".")
        for text in filters
        if re.fullmatch(r"[A-Za-z_.]+", text) and text.strip(".") and not any(text in name for name in known)
    ]


def pattern_of(text: str, found: Sequence[Tensor]) -> str:
    """The pattern for a filter: of whole parts, if these are the tensors that the filter takes, or if it ends in a
    number; else what takes the same parts."""
    whole = f"**.{text.strip('.')}.**"
    taken = [tensor for tensor in found if text in tensor.name]
    if re.search(r"\d$", text) or taken == [tensor for tensor in found if matches(whole, tensor.name)]:
        return whole
    return f"**.*{text}*.**"


def rules(
    factor: Callable[[Tensor], Fraction], found: Sequence[Tensor], filters: Sequence[str], blocks: str, counted: bool
) -> list[Rule]:
    """Rules of which the first that matches gives each tensor its ``factor``; empty if all factors are 1.

    ``counted`` says whether ``found`` has as many blocks as the model. Raises ``UserError`` if patterns of filters and
    of blocks cannot tell the tensors apart.
    """
    if all(factor(tensor) == 1 for tensor in found):
        return []
    made: list[Rule] = []
    rest = {tensor: factor(tensor) for tensor in found}
    patterns = [pattern_of(text, found) for text in filters]
    # Narrow ones first: a filter may name a part of what another names.
    patterns.sort(key=lambda pattern: sum(matches(pattern, tensor.name) for tensor in found))
    for pattern in [*patterns, "**"]:
        taken = {tensor: value for tensor, value in rest.items() if matches(pattern, tensor.name)}
        rest = {tensor: value for tensor, value in rest.items() if tensor not in taken}
        if len(values := set(taken.values())) > 1:
            if not counted:
                raise UserError("filters overlap, so that rules need the number of blocks; give it: --layers 32")
            made += _by_block(pattern, taken, blocks)
        else:
            made += [(pattern, value) for value in values]
    return made


def _by_block(pattern: str, factors: Mapping[Tensor, Fraction], blocks: str) -> list[Rule]:
    """Rules for the tensors that a pattern takes, block by block, and then for those of no block."""
    made: dict[str, Fraction] = {}
    outside: dict[str, Fraction] = {}
    for tensor, value in factors.items():
        name = tensor.name.removesuffix("weight") + "**"
        part, key = (outside, name) if tensor.block is None else (made, f"{blocks}.{tensor.block}.{pattern}")
        if part.setdefault(key, value) != value:
            raise UserError(
                f"the values of {tensor.name} and of others in its block cannot be told apart by filters and blocks; "
                "use fewer filters"
            )
    if outside:
        # The pattern itself takes what is left.
        last = next(reversed(outside.values()))
        made |= {name: value for name, value in outside.items() if value != last} | {pattern: last}
    return list(made.items())
