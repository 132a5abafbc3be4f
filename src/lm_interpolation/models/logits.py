"""Losses of tokens without all their logits at once.

The logits of a batch take batch x length x vocabulary numbers: 32 texts of 64 tokens with the vocabulary of Gemma 3
(262,144) take 2.1 GB, and several times that if a loss is differentiated, beside 1.1 GB of weights. So the body of a
model reads the whole batch, and its head computes the logits of some positions at a time. Up to ``LIMIT`` numbers
there is one part, and everything is computed as in the model itself.
"""

import weakref
from typing import Any, NamedTuple

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

LIMIT = 1 << 26
"""Logits that are in memory at once: 256 MB in float32."""


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

    Computed and differentiated as in transformers, but the logits of a part are recomputed for the gradient
    instead of kept. None if all logits fit into memory, or if the model's body cannot be separated: then use the
    model's own loss.
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
    # Differentiation takes about four times the logits.
    width = rows_at_once(4 * len(ids) * _vocabulary(model))
    for begin in range(0, ids.shape[1], width):
        span = slice(begin, begin + width)
        # A head has no randomness.
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
