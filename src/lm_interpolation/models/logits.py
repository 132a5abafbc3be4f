"""Losses of tokens without all their logits at once.

The logits of a batch take batch x length x vocabulary numbers: 32 texts of 64 tokens with the vocabulary of Gemma 3
(262,144) take 2.1 GB, and several times that if a loss is differentiated, beside 1.1 GB of weights. So the body of a
model reads the whole batch, and its head computes the logits of some positions at a time. Up to ``LIMIT`` numbers
there is one part, and everything is computed as in the model itself.
"""

import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

LIMIT = 1 << 26
"""Logits that are in memory at once: 256 MB in float32."""
CACHED = 1 << 20
"""Logits whose softmax is computed at once: the passes over them find 4 MB in the cache of a CPU."""


class _Body(NamedTuple):
    """The part of a model that computes hidden states, and the class of its outputs."""

    read: Any
    output: Any


# Model -> its body, as `_body` found it.
_bodies: "weakref.WeakKeyDictionary[Any, _Body | None]" = weakref.WeakKeyDictionary()


def rows_at_once(vocabulary: int) -> int:
    """How many rows with this many logits are processed at once."""
    return max(1, LIMIT // vocabulary)


def token_nll(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, targets: torch.Tensor, cache: Any = None, keep: bool = False
) -> tuple[torch.Tensor, Any]:
    """NLL of ``targets`` (n, length) int64 under a causal LM that reads ``ids`` (n, length): (n, length) float32, nats.

    A target of -100 has the NLL 0. ``mask`` (n, before + length) also covers what ``cache`` holds. With ``keep`` the
    second value is the cache after ``ids``, otherwise None. Nothing is differentiated.
    """
    inputs = {"input_ids": ids, "attention_mask": mask, "use_cache": keep or cache is not None}
    if cache is not None:
        inputs["past_key_values"] = cache
    with torch.inference_mode():
        body = _body(model) if _exceeds(model, ids) else None
        output = model(**inputs) if body is None else body.read(**inputs)
        if body is None:
            losses = _losses(output.logits, targets)
        else:
            width = rows_at_once(len(ids) * _vocabulary(model))
            hidden = output.last_hidden_state
            losses = torch.cat(
                [
                    _losses(_head(model, body, ids[:, span], hidden[:, span]), targets[:, span])
                    for span in (slice(begin, begin + width) for begin in range(0, ids.shape[1], width))
                ],
                dim=1,
            )
        return losses, output.past_key_values if keep else None


def training_loss(model: Any, inputs: dict[str, torch.Tensor], items: torch.Tensor | int) -> torch.Tensor | None:
    """Cross-entropy of the labels of a batch, each predicted from the preceding tokens, divided by ``items``.

    As in transformers, up to rounding, but the gradient of a part's logits is computed at once, so that the logits of
    one part are in memory. None if all logits fit into memory, or if the model's body cannot be separated: then use
    the model's own loss.
    """
    ids, labels = inputs["input_ids"], inputs["labels"]
    body = _body(model) if _exceeds(model, ids) else None
    if body is None:
        return None
    hidden = body.read(input_ids=ids, attention_mask=inputs["attention_mask"], use_cache=False).last_hidden_state

    def logits_of(span: slice, part: torch.Tensor) -> torch.Tensor:
        return _head(model, body, ids[:, span], part)

    weights = [weight for weight in model.parameters() if weight.requires_grad]
    # The last token predicts nothing.
    return _CrossEntropy.apply(hidden[:, :-1], logits_of, labels[:, 1:], _vocabulary(model), items, *weights)


class _CrossEntropy(torch.autograd.Function):
    """Cross-entropy (sum / items) of ``targets`` under the logits that ``logits_of`` computes from hidden states."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        logits_of: Callable[[slice, torch.Tensor], torch.Tensor],
        targets: torch.Tensor,
        vocabulary: int,
        items: torch.Tensor | int,
        *weights: torch.Tensor,
    ) -> torch.Tensor:
        """``hidden`` (n, length, width), ``targets`` (n, length); ``weights`` are all that the logits may depend on."""
        total = torch.zeros((), device=hidden.device)
        by_hidden = torch.empty_like(hidden)
        by_weights: list[torch.Tensor | None] = [None] * len(weights)
        # The gradient is as large as the logits, and that of the weights has to fit in beside them.
        width = rows_at_once(4 * len(hidden) * vocabulary)
        for begin in range(0, hidden.shape[1], width):
            span = slice(begin, begin + width)
            part = hidden[:, span].detach().requires_grad_()
            with torch.enable_grad():
                logits = logits_of(span, part)
            loss, gradient = _differentiate(logits, targets[:, span], items)
            total += loss
            by_hidden[:, span], *more = torch.autograd.grad(logits, [part, *weights], gradient, allow_unused=True)
            by_weights = [_sum(known, new) for known, new in zip(by_weights, more, strict=True)]
        ctx.gradients = by_hidden, by_weights
        return total / items

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: torch.Tensor) -> Any:
        by_hidden, by_weights = ctx.gradients
        del ctx.gradients
        scaled = [None if gradient is None else gradient.mul_(factor) for gradient in by_weights]
        return by_hidden.mul_(factor), None, None, None, None, *scaled


def _sum(known: torch.Tensor | None, new: torch.Tensor | None) -> torch.Tensor | None:
    return new if known is None or new is None else known.add_(new)


def _differentiate(
    logits: torch.Tensor, targets: torch.Tensor, items: torch.Tensor | int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of the cross-entropies of ``targets`` (n, length) in float32, and the gradient of sum / items.

    ``logits`` (n, length, V) have the dtype of the gradient. Computed in float32.
    """
    total = torch.zeros((), device=logits.device)
    gradient = torch.empty_like(logits, memory_format=torch.contiguous_format)
    rows, wanted = logits.detach().flatten(0, 1), targets.flatten()
    counts = (wanted != -100).float()
    for span in _cached_rows(rows):
        some, place = rows[span].float(), wanted[span].clamp(min=0).unsqueeze(1)
        probabilities = torch.softmax(some, dim=-1)
        # log-sum-exp = largest logit - log(largest probability): no other pass computes exponentials.
        normaliser = some.amax(-1) - probabilities.amax(-1).log()
        total += ((normaliser - some.gather(1, place).squeeze(1)) * counts[span]).sum()
        probabilities.scatter_add_(1, place, -torch.ones_like(place, dtype=probabilities.dtype))
        gradient.flatten(0, 1)[span] = probabilities.mul_((counts[span] / items).unsqueeze(1))
    return total, gradient


def _cached_rows(rows: torch.Tensor) -> Iterator[slice]:
    """Parts of the rows of a matrix, for several passes over it."""
    # A GPU has no such cache, and computes best what is large.
    height = max(1, CACHED // rows.shape[1]) if rows.device.type == "cpu" else rows_at_once(2 * rows.shape[1])
    return (slice(begin, begin + height) for begin in range(0, len(rows), height))


def _vocabulary(model: Any) -> int:
    return model.config.vocab_size


def _exceeds(model: Any, ids: torch.Tensor) -> bool:
    return ids.numel() * _vocabulary(model) > LIMIT


def _losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    rows, wanted = logits.flatten(0, 1), targets.flatten()
    parts = [
        functional.cross_entropy(rows[span].float(), wanted[span], reduction="none") for span in _cached_rows(rows)
    ]
    return torch.cat(parts).view(targets.shape)


def _head(model: Any, body: _Body, ids: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """The logits (n, length, V) that ``model`` computes from ``hidden`` (n, length, width), scaled, capped etc."""
    part = body.read
    own = part.__dict__.get("forward")
    # A slice that is not contiguous is multiplied text by text, which reads all weights of the head each time.
    hidden = hidden.contiguous()
    # An attribute of the object takes precedence over the method of its class.
    part.forward = lambda *_, **__: body.output(last_hidden_state=hidden)
    try:
        return model(input_ids=ids, use_cache=False).logits
    finally:
        if own is None:
            del part.forward
        else:
            part.forward = own


def _body(model: Any) -> _Body | None:
    """The part of ``model`` whose hidden states give the logits position by position, or None.

    A trial decides, not a list: a few tokens must get the same logits as from the whole model.
    """
    if model not in _bodies:
        # OPT's model bypasses its base model and uses the decoder within.
        parts = [model.base_model, getattr(model.base_model, "decoder", None)]
        found = (_trial(model, part) for part in parts if part is not None and part is not model)
        _bodies[model] = next(filter(None, found), None)
    return _bodies[model]


def _trial(model: Any, part: Any) -> _Body | None:
    """``part`` as the body of ``model``, if it is one."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            ids = torch.arange(8, device=model.device).remainder(_vocabulary(model)).view(2, 4)
            inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}
            whole = model(**inputs).logits.float()
            output = part(**inputs)
            hidden = getattr(output, "last_hidden_state", None)
            if hidden is None:
                return None
            body = _Body(part, type(output))
            spans = (slice(0, 3), slice(3, 4))
            made = torch.cat([_head(model, body, ids[:, span], hidden[:, span]) for span in spans], dim=1).float()
            fits = made.shape == whole.shape and (made - whole).abs().max() <= 1e-3 * whole.std()
            return body if fits else None
    finally:
        model.train(training)
