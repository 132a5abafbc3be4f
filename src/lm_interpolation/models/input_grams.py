"""Gram matrices of what the linear layers of a language model read: the statistic of RegMean.

G = E[x x^T] over all tokens of all sequences, padding left out, with the input x of the layer. Source: Jin et al. 2023
(arXiv 2212.09849, section 3), whose X^T X is divided by the number of rows, as their code does, so that a model with
more texts weighs no more.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from lm_interpolation.jobs.batches import AdaptiveBatches, longest_first, pad_right
from lm_interpolation.jobs.runtime import UserError

Inputs = dict[str, torch.Tensor]
"""Name of a layer's weight -> its inputs (tokens, inputs)."""


def input_grams(
    model: Any,
    sequences: Sequence[Sequence[int]],
    batch_size: int,
    done: Callable[[int], object] | None = None,
) -> dict[str, torch.Tensor]:
    """Name of the weight of each linear layer -> the upper triangle of its G, row by row: float64, flat.

    Layers are ``Linear`` and ``Conv1D`` of transformers; one whose weight is tied to embeddings is left out.
    ``sequences`` are token ids; ``batch_size`` of them are read at once, fewer if memory does not suffice. ``done`` is
    called with the number of sequences done. Sums are float64, and values depend on ``batch_size`` by the rounding of
    the model. Memory: the model, all G in float64, and the inputs of all layers for one batch.

    Raises ``UserError`` if a layer does not read one vector for each token, or if memory does not suffice for one
    sequence.
    """
    layers = linear_layers(model)
    sums = {
        name: torch.zeros(size, size, dtype=torch.float64, device=model.device)
        for name, size in ((name, _inputs_of(layer)) for name, layer in layers.items())
    }
    tokens = number = 0

    def read(batch: Sequence[int]) -> Inputs:
        return _inputs(model, layers, [sequences[index] for index in batch])

    batches = AdaptiveBatches(batch_size).over(longest_first(sequences, range(len(sequences))), read)
    for batch, inputs in batches:
        for name, rows in inputs.items():
            exact = rows.double()
            sums[name].addmm_(exact.T, exact)
        tokens += sum(len(sequences[index]) for index in batch)
        number += len(batch)
        if done:
            done(number)
    # One after the other, so that no two copies of all are in memory.
    return {name: _upper(sums.pop(name)) / tokens for name in list(sums)}


def linear_layers(model: Any) -> dict[str, Any]:
    """Name of the weight -> layer, for all linear layers whose weight is no other parameter's."""
    own = dict(model.named_parameters())
    return {
        f"{name}.weight": module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and f"{name}.weight" in own
    }


def _inputs_of(layer: Any) -> int:
    """Number of inputs of a layer; Conv1D keeps its weight as (inputs, outputs)."""
    return int(layer.weight.shape[0 if isinstance(layer, Conv1D) else 1])


@torch.inference_mode()
def _inputs(model: Any, layers: dict[str, Any], batch: Sequence[Sequence[int]]) -> Inputs:
    """What each layer reads of a batch, without padding."""
    ids, mask = pad_right(batch, 0, model.device)
    there = mask.flatten().bool()
    found: Inputs = {}

    def taking(name: str) -> Callable[[Any, tuple[torch.Tensor, ...]], None]:
        def take(layer: Any, arguments: tuple[torch.Tensor, ...]) -> None:
            rows = arguments[0].flatten(0, -2)
            if name in found or len(rows) != len(there):
                raise UserError(
                    f"{name}: this layer does not read one vector for each token, so it has no Gram matrix here; "
                    "choose another method for this architecture"
                )
            found[name] = rows[there]

        return take

    hooks = [layer.register_forward_pre_hook(taking(name)) for name, layer in layers.items()]
    # Without the output layer there are no logits.
    in_body = all(name.startswith(f"{model.base_model_prefix}.") for name in layers)
    try:
        (model.base_model if in_body else model)(input_ids=ids, attention_mask=mask, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    if lacking := layers.keys() - found.keys():
        raise UserError(
            f"{min(lacking)}: this layer reads no text, so it has no Gram matrix; choose another method for this "
            "architecture"
        )
    return found


def _upper(matrix: torch.Tensor) -> torch.Tensor:
    """The upper triangle with the diagonal, row by row, flat, on the CPU."""
    whole = matrix.cpu()
    return whole[torch.ones_like(whole, dtype=torch.bool).triu()]
