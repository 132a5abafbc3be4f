"""The tensors of a model that methods change."""

from collections.abc import Mapping

from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.points.methods.spaces import Place

# They keep matrices as (inputs, outputs): transformers' Conv1D.
_TRANSPOSED = frozenset({"gpt2", "openai-gpt", "imagegpt"})
_CONV1D = ("c_attn.weight", "c_proj.weight", "c_fc.weight", "q_attn.weight")


def places_of(checkpoint: Checkpoint) -> dict[str, Place]:
    """The tensors of ``checkpoint`` that hold weights, by name and sorted by it; tied ones once."""
    shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items() if tensor.is_float}
    return places(shapes, str(checkpoint.config.get("model_type", "")))


def places(shapes: Mapping[str, tuple[int, ...]], model_type: str) -> dict[str, Place]:
    """Tensor name -> place, for tensors of these shapes in a model of this type."""
    transposed = _CONV1D if model_type in _TRANSPOSED else ()
    return {
        name: Place(name, shapes[name], 1 if transposed and name.endswith(transposed) and len(shapes[name]) == 2 else 0)
        for name in sorted(shapes)
    }
