"""Permutations of a model's units that change no output: which axes of which tensors follow each of them.

The units of a layer may change places if all tensors that write them and all that read them change with them. Imports
no heavy package, since plans ask which architectures are known.

Source: Ainsworth, Hayase and Srinivasa 2022 (arXiv 2209.04836, section 3) for layers of a perceptron. For attention:
scores q k are sums over the units of one head, so these may change places in queries and keys together, and those of
values with the rows of the output matrix; whole heads may change places. Rotary positions turn fixed pairs of units of
queries and keys, which therefore stay. With grouped queries all query heads of a group read one head of values, so they
share the order of its units.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lm_interpolation.jobs.runtime import UserError

KINDS = ("residual", "heads", "mlp")
"""What can be permuted: the residual stream, attention heads and their units, the hidden units of each MLP."""

SUPPORTED = ("gpt2", "llama", "mistral", "qwen2")
"""Architectures (``model_type``) whose permutations are known here."""

Shapes = Mapping[str, tuple[int, ...]]
"""Name of a tensor to its shape."""


class Axis(NamedTuple):
    """Consecutive units along one ``axis`` of a tensor, the first of them at ``start``."""

    tensor: str
    axis: int
    start: int = 0


class Side(NamedTuple):
    """``size`` units that take one order on all of these axes."""

    size: int
    axes: tuple[Axis, ...]


@dataclass(frozen=True)
class Units:
    """Units that may take any order, of the ``kind`` residual or mlp."""

    kind: str
    units: Side

    @property
    def sides(self) -> tuple[Side, ...]:
        """What is permuted: its only side."""
        return (self.units,)


@dataclass(frozen=True)
class Heads:
    """The heads of one attention: ``groups`` heads of keys and values, each read by ``queries`` query heads.

    A head has ``width`` units. Groups may take any order, and so may the query heads of a group and the units of a head
    of values. Those of queries and keys may, with one order for both, unless positions are ``rotary``.
    """

    groups: int
    queries: int
    width: int
    rotary: bool
    query: tuple[Axis, ...]
    key: tuple[Axis, ...]
    value: tuple[Axis, ...]
    output: tuple[Axis, ...]

    kind = "heads"

    @property
    def sides(self) -> tuple[Side, ...]:
        """What is permuted: queries, keys, values, and what the output matrix reads, head by head."""
        shared, each = self.groups * self.width, self.groups * self.queries * self.width
        return (Side(each, self.query), Side(shared, self.key), Side(shared, self.value), Side(each, self.output))


Symmetry = Units | Heads


def unknown(model_type: object) -> str | None:
    """Why a model of this type cannot be permuted, and what to do; None if it can."""
    if model_type in SUPPORTED:
        return None
    return f"{model_type!r} has no permutations that are known here; choose a model of {', '.join(SUPPORTED)}"


def symmetries(config: Mapping[str, Any], shapes: Shapes) -> list[Symmetry]:
    """The permutations of the model with this ``config.json`` and with tensors of these ``shapes``.

    Names are those that ``save_pretrained`` writes; tied embeddings are one tensor. The residual stream comes first,
    then heads and MLP of each block.

    Raises ``UserError`` if the architecture is not known, or if tensors are not those that it has.
    """
    if (reason := unknown(config.get("model_type"))) is not None:
        raise UserError(f"model_type {reason}")
    found = _gpt2(config, shapes) if config["model_type"] == "gpt2" else _llama(config, shapes)
    _check(found, shapes)
    return found


def _gpt2(config: Mapping[str, Any], shapes: Shapes) -> list[Symmetry]:
    """GPT-2 keeps matrices as (inputs, outputs), and those of queries, keys and values in one tensor."""
    width, heads = _shape(shapes, "transformer.wte.weight")[1], _count(config, "n_head")
    residual = [Axis("transformer.wte.weight", 1), Axis("transformer.wpe.weight", 1), *_norm("transformer.ln_f")]
    inner: list[Symmetry] = []
    for block in _blocks(shapes, "transformer.h", "attn.c_attn.weight"):
        attention, mlp = f"{block}.attn", f"{block}.mlp"
        residual += [*_norm(f"{block}.ln_1"), *_norm(f"{block}.ln_2")]
        residual += [Axis(f"{attention}.c_attn.weight", 0), Axis(f"{mlp}.c_fc.weight", 0)]
        for writer in (f"{attention}.c_proj", f"{mlp}.c_proj"):
            residual += [Axis(f"{writer}.weight", 1), Axis(f"{writer}.bias", 0)]
        query, key, value = (
            (Axis(f"{attention}.c_attn.weight", 1, start), Axis(f"{attention}.c_attn.bias", 0, start))
            for start in (0, width, 2 * width)
        )
        output = (Axis(f"{attention}.c_proj.weight", 0),)
        inner.append(Heads(heads, 1, width // heads, False, query, key, value, output))
        units = (Axis(f"{mlp}.c_fc.weight", 1), Axis(f"{mlp}.c_fc.bias", 0), Axis(f"{mlp}.c_proj.weight", 0))
        inner.append(Units("mlp", Side(_shape(shapes, f"{mlp}.c_fc.weight")[1], units)))
    return [Units("residual", Side(width, (*residual, *_head(shapes)))), *inner]


def _llama(config: Mapping[str, Any], shapes: Shapes) -> list[Symmetry]:
    """Llama and its kin keep matrices as (outputs, inputs); which of them have biases differs."""
    heads = _count(config, "num_attention_heads")
    groups = _count(config, "num_key_value_heads") if config.get("num_key_value_heads") is not None else heads
    residual = [Axis("model.embed_tokens.weight", 1), Axis("model.norm.weight", 0)]
    inner: list[Symmetry] = []
    for block in _blocks(shapes, "model.layers", "self_attn.q_proj.weight"):
        attention, mlp = f"{block}.self_attn", f"{block}.mlp"
        residual += [Axis(f"{block}.input_layernorm.weight", 0), Axis(f"{block}.post_attention_layernorm.weight", 0)]
        readers = [f"{attention}.{name}_proj" for name in "qkv"] + [f"{mlp}.{name}_proj" for name in ("gate", "up")]
        residual += [Axis(f"{reader}.weight", 1) for reader in readers]
        residual += [*_outputs(shapes, f"{attention}.o_proj"), *_outputs(shapes, f"{mlp}.down_proj")]
        query, key, value = (tuple(_outputs(shapes, f"{attention}.{name}_proj")) for name in "qkv")
        output = (Axis(f"{attention}.o_proj.weight", 1),)
        width = _shape(shapes, f"{attention}.q_proj.weight")[0] // heads
        inner.append(Heads(groups, heads // groups, width, True, query, key, value, output))
        units = [*_outputs(shapes, f"{mlp}.gate_proj"), *_outputs(shapes, f"{mlp}.up_proj")]
        units.append(Axis(f"{mlp}.down_proj.weight", 1))
        inner.append(Units("mlp", Side(_shape(shapes, f"{mlp}.gate_proj.weight")[0], tuple(units))))
    size = _shape(shapes, "model.embed_tokens.weight")[1]
    return [Units("residual", Side(size, (*residual, *_head(shapes)))), *inner]


def _norm(name: str) -> list[Axis]:
    return [Axis(f"{name}.weight", 0), Axis(f"{name}.bias", 0)]


def _outputs(shapes: Shapes, name: str) -> list[Axis]:
    """What a matrix (outputs, inputs) writes, with its bias if it has one."""
    bias = [Axis(f"{name}.bias", 0)] if f"{name}.bias" in shapes else []
    return [Axis(f"{name}.weight", 0), *bias]


def _head(shapes: Shapes) -> list[Axis]:
    """The output embedding, if it is not tied."""
    return [Axis("lm_head.weight", 1)] if "lm_head.weight" in shapes else []


def _blocks(shapes: Shapes, above: str, within: str) -> Iterable[str]:
    """Names of the blocks, those that have the tensor ``within``."""
    number = 0
    while f"{above}.{number}.{within}" in shapes:
        yield f"{above}.{number}"
        number += 1


def _shape(shapes: Shapes, name: str) -> tuple[int, ...]:
    """The shape of a matrix that the architecture has."""
    if len(shapes.get(name, ())) != 2:
        raise UserError(f"has no matrix {name}; save the model again with save_pretrained")
    return shapes[name]


def _count(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise UserError(f"config.json: {key} is {value!r}; give a positive whole number, or download it again")
    return value


def _check(found: Iterable[Symmetry], shapes: Shapes) -> None:
    """Raise ``UserError`` unless each tensor has a permutation, and each of these axes is covered from end to end.

    A tensor that is not known would stay as it is while others move, and the model would change without a word.
    """
    covered: dict[tuple[str, int], int] = {}
    for side in (side for symmetry in found for side in symmetry.sides):
        for name, axis, _ in side.axes:
            covered[name, axis] = covered.get((name, axis), 0) + side.size
    lacking = sorted({name for name, _ in covered} - shapes.keys())
    if lacking:
        raise UserError(f"has no tensor {lacking[0]}; save the model again with save_pretrained")
    strange = sorted(shapes.keys() - {name for name, _ in covered})
    strange += [name for (name, axis), size in covered.items() if shapes[name][axis : axis + 1] != (size,)]
    if strange:
        raise UserError(
            f"tensor {strange[0]} (shape {list(shapes[strange[0]])}) is not what the architecture has, so how it "
            "follows the others is not known; choose a model as transformers makes it"
        )
