"""The tensors that fine-tuned models of one architecture have in common, whatever their heads are."""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.headers import Tensor
from lm_interpolation.models.tensor_names import block_number


class Body(NamedTuple):
    """What models have in common.

    ``checkpoints`` are those of the models, by name, with the common tensors alone, under the names of the first.
    ``left_out`` has the names of all other tensors that hold weights, sorted.
    """

    checkpoints: dict[str, Checkpoint]
    left_out: list[str]


def _to_log(line: str) -> None:
    print(line, file=sys.stderr)


def common_body(models: Mapping[str, str | Path], tell: Callable[[str], object] = _to_log) -> Body:
    """The body that ``models`` (name -> directory) share: tensors of equal names and shapes. Reads headers only.

    A model that was saved without a head may lack the first part of all names (``roberta.``). ``tell`` is called with a
    line if tensors are left out. Raises ``UserError`` if the models are of different types, if a tensor of a block is
    not common, or if nothing is.
    """
    checkpoints = {name: Checkpoint.open(directory) for name, directory in models.items()}
    (first, reference), *others = checkpoints.items()
    for name, checkpoint in others:
        types = [str(one.config.get("model_type")) for one in (reference, checkpoint)]
        if types[0] != types[1]:
            raise UserError(
                f"models {first} and {name} are of different types, {types[0]} and {types[1]}; compare models that "
                "were fine-tuned from one base"
            )
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
