"""How a sequence classifier reads texts, both when its training evaluates it and when it scores.

torch is imported in the function that runs a model.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lm_interpolation.jobs.batches import AdaptiveBatches, longest_first, pad_right


def encode_for_classifier(tokenizer: Any, texts: Sequence[str], limit: int | None = None) -> list[list[int]]:
    """Token ids of each text as a classifier reads it: with all special tokens that its tokenizer adds.

    The tokenizer cuts texts with more than ``limit`` tokens to that length and keeps its special tokens.
    """
    if not len(texts):
        return []
    options = {"return_attention_mask": False, "verbose": False}
    if limit is None:
        return tokenizer(list(texts), **options)["input_ids"]
    ids = tokenizer(list(texts), truncation=True, max_length=limit, **options)["input_ids"]
    # A fast tokenizer is saved with the truncation that it was last used with.
    tokenizer("", **options)
    return ids


def class_probabilities(
    model: Any, encoded: Sequence[Sequence[int]], batches: AdaptiveBatches
) -> Iterator[tuple[Sequence[int], np.ndarray]]:
    """Yield texts (indices) and their class probabilities, float32 of shape (n, classes), computed in fp32.

    They sum to 1 (softmax), but for a model with ``problem_type: multi_label_classification``, where each class is a
    yes or no of its own (sigmoid). Probabilities of logits that are not finite are NaN. Texts without tokens are left
    out; padding is on the right, whatever the tokenizer says.
    """
    import torch

    @torch.inference_mode()
    def probabilities_of(batch: Sequence[int]) -> np.ndarray:
        ids, mask = pad_right([encoded[index] for index in batch], model.config.pad_token_id, model.device)
        return probabilities_from(model, model(input_ids=ids, attention_mask=mask).logits)

    readable = longest_first(encoded, [index for index, tokens in enumerate(encoded) if tokens])
    yield from batches.over(readable, probabilities_of)


def probabilities_from(model: Any, logits: Any) -> np.ndarray:
    """Class probabilities, float32, from the logits (n, classes) of ``model``, as in ``class_probabilities``."""
    import torch

    logits = logits.float()
    multi_label = model.config.problem_type == "multi_label_classification"
    values = torch.sigmoid(logits) if multi_label else torch.softmax(logits, dim=-1)
    # The sigmoid of infinity is 1.
    return values.masked_fill(~torch.isfinite(logits), torch.nan).cpu().numpy()
