"""Blocks of tokens for causal language modelling: texts laid end to end and cut into pieces of one length."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.special_tokens import SpecialTokens, special_tokens

Place = TypeVar("Place")

IGNORED = -100
"""The label of a position whose token is context, not learnt (as torch's cross-entropy has it)."""


class Block(NamedTuple):
    """Token ids and labels, int64 of shape (block_length,), and how far they reach: ``used`` tokens into ``place``."""

    ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    place: object
    used: int


def check_special(special: SpecialTokens, block_length: int) -> None:
    """Raise ``UserError`` unless blocks can separate texts and a block has room for more than its start."""
    if special.end is None:
        raise UserError("the tokenizer has no end-of-text (eos) token, which separates the texts of a corpus")
    if block_length <= len(special.start):
        raise UserError(
            f"training.block_length: {block_length} leaves no room for a token after the {len(special.start)} special "
            "one(s) that each block starts with; raise it"
        )


def cut_blocks(
    texts: Iterable[tuple[Place, Sequence[int]]], block_length: int, special: SpecialTokens, used: int = 0
) -> Iterator[Block]:
    """Cut texts, pairs of a place (what it is called) and token ids without special tokens, into whole blocks.

    The end-of-text token closes each text. Each block, and each text within a block (also the rest of a cut text),
    begins with the tokens that start texts of the model, if there are any. They are context
    (``IGNORED``). ``used`` is the number of tokens of the first text, its end included, in earlier blocks.
    """
    start, end = np.asarray(special.start, dtype=np.int64), np.asarray([special.end], dtype=np.int64)
    ids, labels, filled = np.empty(block_length, np.int64), np.empty(block_length, np.int64), 0
    for place, text in texts:
        closed = np.append(np.asarray(text, dtype=np.int64), end)
        begins = used == 0
        while used < len(closed):
            # If the start is also the end of text (OPT), the end of the previous text serves as the start.
            if len(start) and (begins or filled == 0) and not np.array_equal(ids[:filled][-len(start) :], start):
                count = min(len(start), block_length - filled)
                ids[filled : filled + count], labels[filled : filled + count] = start[:count], IGNORED
                filled += count
            begins = False
            count = min(len(closed) - used, block_length - filled)
            ids[filled : filled + count] = labels[filled : filled + count] = closed[used : used + count]
            used, filled = used + count, filled + count
            if filled == block_length:
                yield Block(ids, labels, place, used)
                ids, labels, filled = np.empty(block_length, np.int64), np.empty(block_length, np.int64), 0
        used = 0


def pack(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, block_length: int, special: SpecialTokens | None = None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Token ids and labels of ``texts`` in blocks (see ``cut_blocks``), int32 of shape (blocks, block_length).

    ``special`` defaults to those that the tokenizer names. A remainder that does not fill a block is dropped.
    Raises ``UserError`` if the texts do not fill one block, and what ``check_special`` raises.
    """
    special = special or special_tokens(tokenizer)
    check_special(special, block_length)
    tokens = 0

    def encoded() -> Iterator[tuple[int, list[int]]]:
        nonlocal tokens
        for begin in range(0, len(texts), 10_000):
            batch = list(texts[begin : begin + 10_000])
            for ids in tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"]:
                tokens += len(ids) + 1
                yield begin, ids

    blocks = [
        (block.ids.astype(np.int32), block.labels.astype(np.int32))
        for block in cut_blocks(encoded(), block_length, special)
    ]
    if not blocks:
        raise UserError(
            f"{len(texts)} texts make {tokens} tokens, less than one block of {block_length}; "
            "lower training.block_length or give more text"
        )
    ids, labels = zip(*blocks, strict=True)
    return np.stack(ids), np.stack(labels)
