"""The loss of each token of texts under a causal language model.

Texts are padded on the right and masked. Tokens that several texts share at the beginning are read once.
"""

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from lm_interpolation.jobs.batches import AdaptiveBatches, longest_first, pad_right
from lm_interpolation.models.loading import takes_cache


def token_losses(
    model: Any,
    encoded: Sequence[Sequence[int]],
    starts: Mapping[int, Sequence[Sequence[int]]],
    batches: AdaptiveBatches,
) -> Iterator[tuple[Sequence[int], list[np.ndarray]]]:
    """Yield texts (indices) and the NLL of each text's tokens except the first under a causal LM: float64, nats.

    ``starts`` maps n to groups of texts. For n > 0 the texts of a group have at least n + 2 tokens and share the first
    n + 1; the first n are read once for the whole group. For n = 0 texts are read whole. The last token of a text
    predicts nothing and is not read.
    """
    for shared, groups in starts.items():
        for some, (first, cache) in batches.over(groups, partial(_read_starts, model, encoded, shared)):
            place = {index: row for row, group in enumerate(some) for index in group}
            read = partial(_read_rest, model, encoded, shared, cache, place)
            for batch, rest in batches.over(longest_first(encoded, place), read):
                losses = [
                    np.concatenate([first[place[index]], behind[: len(encoded[index]) - 1 - shared]])
                    for index, behind in zip(batch, rest, strict=True)
                ]
                yield batch, losses


def _read_starts(
    model: Any, encoded: Sequence[Sequence[int]], shared: int, groups: Sequence[Sequence[int]]
) -> tuple[np.ndarray, Any]:
    """Losses (groups, shared) of the tokens that the texts of each group share, and the cache after these tokens."""
    if not shared:
        return np.empty((len(groups), 0)), None
    return _read(model, [encoded[group[0]][: shared + 1] for group in groups], None, keep=True)


def _read_rest(
    model: Any,
    encoded: Sequence[Sequence[int]],
    shared: int,
    cache: Any,
    place: Mapping[int, int],
    batch: Sequence[int],
) -> np.ndarray:
    """Losses (texts, longest - 1 - shared) of the other tokens; ``place`` is the row of each text in ``cache``."""
    if shared:
        cache = copy_starts(cache, [place[index] for index in batch], model.device)
    return _read(model, [encoded[index][shared:] for index in batch], cache, keep=False)[0]


def _read(model: Any, sequences: Sequence[Sequence[int]], cache: Any, keep: bool) -> tuple[np.ndarray, Any]:
    """NLL (n, longest - 1) of all tokens but the first, given ``cache``; with ``keep`` also the new cache.

    Values past the end of a sequence are meaningless.
    """
    import torch

    from lm_interpolation.models.logits import token_nll

    ids, mask = pad_right(sequences, 0, model.device)
    before = cache.get_seq_length() if cache is not None else 0
    mask = torch.nn.functional.pad(mask[:, 1:], (before, 0), value=1)
    losses, cache = token_nll(model, ids[:, :-1], mask, ids[:, 1:], cache, keep)
    return losses.double().cpu().numpy(), cache


def copy_starts(cache: Any, rows: Sequence[int], device: Any) -> Any:
    """A cache with these rows of ``cache``: reading appends to it, and other batches start from the same cache."""
    import torch

    own = copy.deepcopy(cache)
    own.batch_select_indices(torch.tensor(rows, device=device))
    return own


def can_go_on(model: Any) -> bool:
    """Whether the model can continue from an attention cache, several tokens at once; recurrent models cannot."""
    return not model._is_stateful and takes_cache(model)


def shared_starts(
    encoded: Sequence[Sequence[int]], prompts: Sequence[str], indices: Iterable[int]
) -> dict[int, list[list[int]]]:
    """The groups for ``token_losses``: texts of one prompt, which begin with the same tokens."""
    by_prompt: dict[str, list[int]] = {}
    for index in indices:
        by_prompt.setdefault(prompts[index], []).append(index)
    starts: dict[int, list[list[int]]] = {}
    alone: list[int] = []
    for group in by_prompt.values():
        texts = [list(encoded[index]) for index in group]
        # All texts share what the first and the last in alphabetical order share at the beginning.
        pairs = zip(min(texts), max(texts), strict=False)
        common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        shared = min(common - 1, min(map(len, texts)) - 2)
        if len(group) > 1 and shared > 0:
            starts.setdefault(shared, []).append(group)
        else:
            alone += group
    return {**starts, 0: [alone]} if alone else starts
