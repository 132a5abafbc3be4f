"""The diagonal of the empirical Fisher information of a language model.

F = E[(d NLL / d theta)^2] over sequences, where the NLL (nats) of a sequence is the sum over its tokens, with the
tokens that the sequence has. Source: Matena and Raffel 2022 (arXiv 2111.09832, section 2), who take the expectation
over labels that the model gives; for texts that would need samples.

The gradient of each sequence is squared by itself. (Squaring that of a batch, as fusion_bench does, gives the square of
a sum, in which gradients cancel.)
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.models.blocks import IGNORED
from lm_interpolation.models.logits import training_loss

_PART = 1 << 20
"""Elements that are squared at once."""


def fisher_information(
    model: Any, sequences: Sequence[Sequence[int]], context: int, done: Callable[[int], object] | None = None
) -> dict[str, torch.Tensor]:
    """Name of each parameter -> F in its shape, float32. Tied parameters occur once, with the gradient of all uses.

    ``sequences`` are token ids, whose first ``context`` tokens are not predicted. ``model`` is a causal language model
    in evaluation mode. ``done`` is called with the number of sequences done. Sums are float64.

    Memory: the model, F in float64, and the gradient of one sequence, of which each tensor is freed when it is squared.
    Raises ``UserError`` if memory does not suffice for one sequence.
    """
    parameters = dict(model.named_parameters())
    squares = {name: torch.zeros(one.shape, dtype=torch.float64, device=one.device) for name, one in parameters.items()}

    def squaring(total: torch.Tensor) -> Callable[[torch.Tensor], None]:
        def square(parameter: torch.Tensor) -> None:
            gradient, parameter.grad = parameter.grad, None
            assert gradient is not None
            # In parts: of what has another dtype, torch makes a copy.
            for part, own in zip(total.view(-1).split(_PART), gradient.reshape(-1).split(_PART), strict=True):
                part.add_(own.square_())

        return square

    def differentiate(some: Sequence[Sequence[int]]) -> None:
        (sequence,) = some
        _loss(model, sequence, context).backward()

    hooks = [one.register_post_accumulate_grad_hook(squaring(squares[name])) for name, one in parameters.items()]
    try:
        # Of batches of one nothing is computed twice. It says in words if memory is exhausted.
        for number, _ in enumerate(AdaptiveBatches(1).over(sequences, differentiate), start=1):
            if done:
                done(number)
    finally:
        for hook in hooks:
            hook.remove()
    # One after the other, so that no two copies of all are in memory.
    return {name: squares.pop(name).div_(len(sequences)).float() for name in list(squares)}


def _loss(model: Any, sequence: Sequence[int], context: int) -> torch.Tensor:
    """The NLL (nats) of a sequence, summed over the tokens behind the first ``context``."""
    ids = torch.tensor([sequence], device=model.device)
    labels = ids.clone()
    labels[:, :context] = IGNORED
    inputs = {"input_ids": ids, "labels": labels, "attention_mask": torch.ones_like(ids)}
    loss = training_loss(model, inputs, 1)
    if loss is None:
        logits = model(input_ids=ids, attention_mask=inputs["attention_mask"], use_cache=False).logits
        loss = functional.cross_entropy(logits[0, :-1].float(), labels[0, 1:], reduction="sum", ignore_index=IGNORED)
    return loss
