"""Class probabilities of texts whose prompts a causal classifier reads once."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from lm_interpolation.jobs.batches import AdaptiveBatches, longest_first, pad_right
from lm_interpolation.models.class_probabilities import class_probabilities, probabilities_from
from lm_interpolation.scores.token_losses import can_go_on, copy_starts, shared_starts


def probabilities_after_prompts(
    model: Any, encoded: Sequence[Sequence[int]], prompts: Sequence[str], batches: AdaptiveBatches
) -> Iterator[tuple[Sequence[int], np.ndarray]]:
    """As ``class_probabilities``, up to rounding: tokens that texts of a prompt share at the beginning are read once.

    An encoder, whose first tokens see the last ones, and a model without a cache read whole texts.
    """
    if model.config.is_encoder_decoder or not can_go_on(model) or not _is_causal(model):
        yield from class_probabilities(model, encoded, batches)
        return
    readable = [index for index, tokens in enumerate(encoded) if tokens]
    alone: list[int] = []
    for shared, groups in shared_starts(encoded, prompts, readable).items():
        # Models find the last token of a text by the padding after it, and need one that is not padding.
        pad = model.config.pad_token_id
        fit = [shared and all(set(encoded[index][shared:]) - {pad} for index in group) for group in groups]
        alone += [index for group, fits in zip(groups, fit, strict=True) if not fits for index in group]
        begun = [group for group, fits in zip(groups, fit, strict=True) if fits]
        for some, cache in batches.over(begun, partial(_read_starts, model, encoded, shared)):
            place = {index: row for row, group in enumerate(some) for index in group}
            read = partial(_read_rest, model, encoded, shared, cache, place)
            yield from batches.over(longest_first(encoded, place), read)
    for batch, values in class_probabilities(model, [encoded[index] for index in alone], batches):
        yield [alone[place] for place in batch], values


def _read_starts(model: Any, encoded: Sequence[Sequence[int]], shared: int, groups: Sequence[Sequence[int]]) -> Any:
    """The cache after the first ``shared`` tokens of each group."""
    import torch

    ids, mask = pad_right([encoded[group[0]][:shared] for group in groups], 0, model.device)
    with torch.inference_mode():
        return model.base_model(input_ids=ids, attention_mask=mask, use_cache=True).past_key_values


def _read_rest(
    model: Any,
    encoded: Sequence[Sequence[int]],
    shared: int,
    cache: Any,
    place: Mapping[int, int],
    batch: Sequence[int],
) -> np.ndarray:
    """Probabilities (texts, classes); ``place`` is the row of each text in ``cache``."""
    import torch

    ids, mask = pad_right([encoded[index][shared:] for index in batch], model.config.pad_token_id, model.device)
    with torch.inference_mode():
        own = copy_starts(cache, [place[index] for index in batch], model.device)
        mask = torch.nn.functional.pad(mask, (shared, 0), value=1)
        output = model(input_ids=ids, attention_mask=mask, past_key_values=own, use_cache=True)
        return probabilities_from(model, output.logits)


def _is_causal(model: Any) -> bool:
    """Whether what the model computes for a token ignores the tokens after it.

    A trial decides, not a list: two texts differ in their last token only.
    """
    import torch

    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 5]], device=model.device).remainder(model.config.vocab_size)
    with torch.inference_mode():
        first, second = model.base_model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[:, :3]
    return bool((first - second).abs().max() <= 1e-3 * first.std())
