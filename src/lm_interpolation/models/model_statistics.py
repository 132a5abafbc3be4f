"""What statistics of language models have in common: the sequences they are taken on, and their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from lm_interpolation.data.corpora import read_corpus_split
from lm_interpolation.jobs.runtime import UserError, atomic_path, note
from lm_interpolation.models.loading import context_length
from lm_interpolation.models.special_tokens import SpecialTokens, encode, of_model


def first_texts(corpus: str | Path, classes: Sequence[str], limit: int) -> list[str]:
    """The first ``limit`` texts of each of these classes of a stored split; without classes, of all texts together.

    Raises ``UserError`` if a class has none.
    """
    # None stands for all texts.
    names: Sequence[str | None] = classes or [None]
    return [text for name in names for text in read_corpus_split(corpus, name)[:limit]]


def training_sequences(model: Any, tokenizer: Any, texts: Sequence[str]) -> tuple[list[list[int]], SpecialTokens]:
    """Token ids of each text as a training has it, and the special tokens.

    A text begins with the tokens that start texts of the model and ends with the end of text. It is cut where the
    context of the model ends. Texts without a token that could be predicted are left out. The log says how many there
    are of both. Raises ``UserError`` if no text is left.
    """
    special = of_model(model, tokenizer)
    note(special.describe(tokenizer))
    end = [] if special.end is None else [special.end]
    whole = [[*ids, *end] for ids in encode(tokenizer, texts, special.start)]
    limit = context_length(model, tokenizer)
    cut = [ids[:limit] for ids in whole]
    sequences = [ids for ids in cut if len(ids) > special.context]
    if not sequences:
        raise UserError(f"none of {len(texts)} texts has a token to predict; name another corpus")
    longer = sum(len(one) < len(other) for one, other in zip(cut, whole, strict=True))
    note(
        f"{len(sequences)} texts, {sum(map(len, sequences))} tokens; {longer} texts cut to {limit} tokens, "
        f"{len(cut) - len(sequences)} without a token to predict left out"
    )
    return sequences, special


def write_statistic(tensors: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """Write a statistic (name of a tensor of the model -> numbers) atomically as safetensors.

    Raises ``UserError`` naming a tensor with NaN or infinite numbers.
    """
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise UserError(
                f"the statistic of tensor {name} is NaN or infinite; the model's training diverged, or a text is too "
                "far from what it learnt"
            )
    with atomic_path(path) as scratch:
        save_file({name: tensor.contiguous().cpu() for name, tensor in sorted(tensors.items())}, scratch)
