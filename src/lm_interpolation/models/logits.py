"""Losses of tokens without all their logits at once.

The logits of a batch take batch x length x vocabulary numbers: 32 texts of 64 tokens with the vocabulary of Gemma 3
(262,144) make 2.1 GB, and several times that where a loss is differentiated, beside 1.1 GB of weights. So the body of a
model reads a batch as a whole, and its head makes logits of a part of the positions at a time. Up to ``LIMIT`` numbers
there is one part, and everything is computed as the model itself does.
"""

import weakref
from typing import Any, NamedTuple

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

LIMIT = 1 << 26
"""Logits that are held at once: 256 MB in float32."""


class _Body(NamedTuple):
    """The part of a model that makes hidden states, and the class of its outputs."""

    read: Any
    output: Any


# Model -> its body, as `_body` found it.
_bodies: "weakref.WeakKeyDictionary[Any, _Body | None]" = weakref.WeakKeyDictionary()


def rows_at_once(vocabulary: int) -> int:
    """How many rows of so many logits are worked on at once."""
    return max(1, LIMIT // vocabulary)


def token_nll(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, targets: torch.Tensor, cache: Any = None, keep: bool = False
) -> tuple[torch.Tensor, Any]:
    """NLL of ``targets`` (n, length) int64 under a causal LM that reads ``ids`` (n, length): (n, length) float32, nats.

    A target of -100 has the NLL 0. ``mask`` (n, before + length) covers what ``cache`` holds, too. With ``keep`` the
    cache behind ``ids`` comes second, else None. Nothing is differentiated.
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
    """Cross-entropy of the labels of a batch, each predicted from what precedes it, divided by ``items``.

    As transformers computes it, and differentiated likewise, but the logits of a part are made again for the gradient
    instead of kept. None where the logits are few enough to be held, or where the model has no body that can be read
    apart: then its own loss will do.
    """
    ids, labels = inputs["input_ids"], inputs["labels"]
    body = _body(model) if _exceeds(model, ids) else None
    if body is None:
        return None
    hidden = body.read(input_ids=ids, attention_mask=inputs["attention_mask"], use_cache=False).last_hidden_state
    targets = functional.pad(labels[:, 1:], (0, 1), value=-100)

    def part_loss(part: torch.Tensor, span: slice) -> torch.Tensor:
        logits = _head(model, body, ids[:, span], part).float()
        return functional.cross_entropy(logits.flatten(0, 1), targets[:, span].flatten(), reduction="sum")

    total = torch.zeros((), device=ids.device)
    # What is differentiated takes about four times the logits.
    width = rows_at_once(4 * len(ids) * _vocabulary(model))
    for begin in range(0, ids.shape[1], width):
        span = slice(begin, begin + width)
        # Nothing random happens in a head.
        total = total + checkpoint(part_loss, hidden[:, span], span, use_reentrant=False, preserve_rng_state=False)
    return total / items


def _vocabulary(model: Any) -> int:
    return model.config.vocab_size


def _exceeds(model: Any, ids: torch.Tensor) -> bool:
    return ids.numel() * _vocabulary(model) > LIMIT


def _losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    # One text at a time: the log-softmax of a whole batch would double the memory of the logits.
    return torch.stack(
        [
            functional.cross_entropy(row.float(), wanted, reduction="none")
            for row, wanted in zip(logits, targets, strict=True)
        ]
    )


def _head(model: Any, body: _Body, ids: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """The logits (n, length, V) that ``model`` makes of ``hidden`` (n, length, width): scaled, capped and so on."""
    part = body.read
    own = part.__dict__.get("forward")
    # A slice that is not would be multiplied text by text, reading all weights of the head for each.
    hidden = hidden.contiguous()
    # An attribute of the object goes before the method of its class.
    part.forward = lambda *_, **__: body.output(last_hidden_state=hidden)
    try:
        return model(input_ids=ids, use_cache=False).logits
    finally:
        if own is None:
            del part.forward
        else:
            part.forward = own


def _body(model: Any) -> _Body | None:
    """The part of ``model`` that makes hidden states, of which its logits are made position by position, or None.

    Whether it is such a part is tried, not looked up: a few tokens must have the logits that the whole model gives.
    """
    if model not in _bodies:
        # OPT's model goes past its base model, straight to the decoder within.
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
