"""Scores of the kind ``perplexity``: the negative log-likelihood of each text under a causal language model.

It depends on the batch size only by rounding: texts are padded on the right and masked.
"""

import math
import os
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import UserError, note
from lm_interpolation.models.loading import context_length, load_model
from lm_interpolation.models.special_tokens import encode_with_offsets, of_model
from lm_interpolation.scores.readable import find_too_long, remedy, show_text
from lm_interpolation.scores.token_losses import can_go_on, shared_starts, token_losses

PathLike = str | os.PathLike[str]
OnDone = Callable[[int], object]
"""Called with the number of texts done so far, e.g. ``Progress(...).update``."""


def score_perplexity(
    model_dir: PathLike,
    prompts: Sequence[str],
    continuations: Sequence[str],
    batch_size: int,
    device: str = "cpu",
    progress: OnDone | None = None,
    precision: str = "fp32",
    too_long: str = "error",
) -> pd.DataFrame:
    """Negative log-likelihood of each text under a causal LM, for the perplexities in use (see ``tables.summarise``).

    Prompt and continuation are tokenised as one string, after the special tokens that texts of the model start with
    (see ``special_tokens``). The tokens that all texts of a prompt share at the beginning are read once. Columns, in
    the order of the texts:

    - ``nll_text`` (float64, nats, sum) and ``tokens_text`` (int32): all tokens of the text; if no special token
      precedes it, all but the first, which nothing predicts;
    - ``nll_continuation`` and ``tokens_continuation``: those tokens that belong to the continuation, given everything
      before them. A token belongs to it if its last character does, so that a token across the boundary is part of the
      continuation.

    ``tokens_*`` count the predicted tokens; where the count is 0 (one-token text, empty continuation) the NLL is 0 and
    the text has no perplexity. Texts longer than the model can read are an ``error``, lose their end (``cut``), or have
    no perplexity (``drop``). Raises ``UserError`` if the directory is not a complete causal LM with a fast tokenizer,
    if texts are too long, or if an NLL is not finite.
    """
    from transformers import AutoModelForCausalLM

    model, tokenizer = load_model(AutoModelForCausalLM, model_dir, device, precision)
    if not tokenizer.is_fast:
        raise UserError(f"{model_dir}: its tokenizer gives no character offsets; save a fast one (tokenizer.json)")
    special = of_model(model, tokenizer)
    note(special.describe(tokenizer))
    texts = [prompt + continuation for prompt, continuation in zip(prompts, continuations, strict=True)]
    encoded, offsets = encode_with_offsets(tokenizer, texts, special.start)
    # Only end offsets are used: ByteLevel's trim_offsets moves the start of " film" past its space, but never the end.
    belongs = [
        np.array([end > len(prompt) for _, end in spans[special.context - len(special.start) :]], dtype=bool)
        for prompt, spans in zip(prompts, offsets, strict=True)
    ]
    limit = context_length(model, tokenizer)
    for index in find_too_long(encoded, texts, limit, model_dir, too_long):
        encoded[index] = encoded[index][:limit] if too_long == "cut" else []
        belongs[index] = belongs[index][: max(0, len(encoded[index]) - special.context)]

    predictable = [index for index, ids in enumerate(encoded) if len(ids) > special.context]
    starts = shared_starts(encoded, prompts, predictable) if can_go_on(model) else {0: [predictable]}
    nll = np.zeros((len(texts), 2))
    done = len(texts) - len(predictable)
    for batch, losses in token_losses(model, encoded, starts, AdaptiveBatches(batch_size)):
        for index, whole in zip(batch, losses, strict=True):
            loss = whole[special.context - 1 :]
            nll[index] = loss[belongs[index]].sum(), loss.sum()
            if not math.isfinite(nll[index, 1]):
                raise UserError(
                    f"{model_dir}: the NLL of {show_text(index, texts[index])} is not finite; {remedy(model)}"
                )
        done += len(batch)
        if progress:
            progress(done)
    return pd.DataFrame(
        {
            "nll_continuation": nll[:, 0],
            "tokens_continuation": np.array([b.sum() for b in belongs], dtype=np.int32),
            "nll_text": nll[:, 1],
            "tokens_text": np.array([len(b) for b in belongs], dtype=np.int32),
        }
    )
