"""Whether an adapter fits a base: names, shapes and tied weights, by headers alone."""

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.adapter_files import Adapter
from lm_interpolation.models.checkpoints import Checkpoint, is_tied
from lm_interpolation.models.tensor_names import tensor_kind
from lm_interpolation.points.methods.places import places_of


def check_fit(adapter: Adapter, base: Checkpoint) -> frozenset[str]:
    """The names of the tensors whose products the base stores transposed: as (inputs, outputs), or rows of tokens.

    Raises ``UserError`` naming adapter, base and tensor if the base has no such tensor, or one of another shape, or if
    the tensor is tied to another one, which the adapter would change as well.
    """
    places = places_of(base)
    transposed = set()
    for name in sorted({*adapter.products, *adapter.replaced}):
        if is_tied(base.config) and _is_one_of_tied(name, base):
            raise UserError(
                f"{adapter.directory}: changes {name}, and in {base.directory} input and output embeddings are one "
                "tensor; save the base with an output layer of its own (tie_word_embeddings false in config.json) if "
                "the adapter changes but one of them"
            )
        if name not in places:
            raise UserError(
                f"{adapter.directory}: changes {name}, which {base.directory} does not have; {_remedy(adapter)}"
            )
        shape = places[name].shape
        if name in adapter.replaced and adapter.replaced[name].shape != shape:
            _refuse(adapter, base, name, shape, adapter.replaced[name].shape)
        if (product := adapter.products.get(name)) is not None:
            turned = product.embedding or places[name].outputs == 1
            if (wanted := product.shape[::-1] if turned else product.shape) != shape:
                _refuse(adapter, base, name, shape, wanted)
            if turned:
                transposed.add(name)
    return frozenset(transposed)


def _is_one_of_tied(name: str, base: Checkpoint) -> bool:
    """Whether a tensor is the input or the output embedding: not that of positions."""
    kind = tensor_kind(name)
    if kind == "head":
        return True
    tensor = base.tensors.get(name)
    return kind == "embedding" and tensor is not None and tensor.shape[:1] == (base.config.get("vocab_size"),)


def _refuse(adapter: Adapter, base: Checkpoint, name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    raise UserError(
        f"{adapter.directory}: is for a tensor {name} of shape {list(wanted)}, but that of {base.directory} has "
        f"{list(shape)}; {_remedy(adapter)}"
    )


def _remedy(adapter: Adapter) -> str:
    return f"give it the model that it belongs to ({adapter.trained_on})"
