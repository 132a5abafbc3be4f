"""The body that fine-tuned models of one architecture have in common, whatever their heads are.

Classifiers can have heads of different sizes, and a language model has yet another. Gueta et al. 2023 (arXiv
2302.04863) compare models of many tasks by what lies below the heads.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_alike, to_log
from lm_interpolation.models.headers import Tensor
from lm_interpolation.models.tensor_names import block_number

_OF_HEADS = ("finetuning_task", "tie_word_embeddings")
"""Keys of config.json that are about heads."""


class Body(NamedTuple):
    """What models have in common.

    ``checkpoints`` are those of the models, by name, with the common tensors alone, under the names of the first.
    ``left_out`` has the names of all other tensors that hold weights, sorted.
    """

    checkpoints: dict[str, Checkpoint]
    left_out: list[str]


def common_body(models: Mapping[str, str | Path], tell: Callable[[str], object] = to_log) -> Body:
    """The body that ``models`` (name -> directory) share: tensors of equal names and shapes. Reads headers only.

    A model that was saved without a head may lack the first part of all names (``roberta.``). ``tell`` is called with a
    line if tensors are left out. Raises ``UserError`` if architectures or tokenizers differ (see ``check_alike``), if a
    tensor of a block is not common, or if nothing is.
    """
    checkpoints = {name: Checkpoint.open(directory) for name, directory in models.items()}
    check_alike({name: _apart_from_tensors(checkpoint) for name, checkpoint in checkpoints.items()}, tell)
    (first, reference), *others = checkpoints.items()
    for name, checkpoint in others:
        checkpoints[name] = _named_as(checkpoint, reference)
    weights = {name: _weights(checkpoint) for name, checkpoint in checkpoints.items()}
    common = {
        tensor: found
        for tensor, found in weights[first].items()
        if all(tensor in other and other[tensor].shape == found.shape for other in weights.values())
    }
    left_out = sorted({tensor for found in weights.values() for tensor in found} - common.keys())
    for tensor in left_out:
        if block_number(tensor) is not None:
            shapes = {name: found[tensor].shape if tensor in found else None for name, found in weights.items()}
            one, other = next((name, more) for name in shapes for more in shapes if shapes[name] != shapes[more])
            raise UserError(
                f"models {one} and {other} differ in the tensor {tensor} of a block, so they are of different "
                "architectures; only their heads may differ"
            )
    if not common:
        raise UserError(f"models {', '.join(models)} have no tensor in common; compare models of one architecture")
    if left_out:
        tell(f"left out, since not all models have them in one shape: {', '.join(left_out)}")
    kept = {
        name: dataclasses.replace(checkpoints[name], tensors={tensor: found[tensor] for tensor in sorted(common)})
        for name, found in weights.items()
    }
    return Body(kept, left_out)


def _apart_from_tensors(checkpoint: Checkpoint) -> Checkpoint:
    config = {key: value for key, value in checkpoint.config.items() if key not in _OF_HEADS}
    return dataclasses.replace(checkpoint, config=config, tensors={}, tied=None)


def _weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in checkpoint.tensors.items() if tensor.is_float}


def _named_as(checkpoint: Checkpoint, reference: Checkpoint) -> Checkpoint:
    """``checkpoint`` with the first part of ``reference``'s names put before its own, or its own taken away.

    That happens only if the two have no name in common otherwise.
    """
    if checkpoint.tensors.keys() & reference.tensors.keys():
        return checkpoint
    for names, change in (
        (reference.tensors, lambda prefix, name: prefix + name),
        (checkpoint.tensors, lambda prefix, name: name.removeprefix(prefix)),
    ):
        for prefix in sorted({name.partition(".")[0] + "." for name in names}):
            tensors = {change(prefix, name): tensor for name, tensor in checkpoint.tensors.items()}
            if tensors.keys() & reference.tensors.keys():
                return dataclasses.replace(checkpoint, tensors=tensors)
    return checkpoint
