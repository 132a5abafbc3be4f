"""Blocks of tokens from a corpus that is too large to store: its files are read one by one while a model trains.

Four integers give a place in the stream, so an interrupted training continues at exactly the next token. It only skips
earlier lines of the same file.
"""

import atexit
import gzip
import json
import signal
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerBase

from lm_interpolation.data.hub import reading_order
from lm_interpolation.data.json_lines import field_of
from lm_interpolation.data.raw_values import checked_text
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.blocks import check_special, cut_blocks
from lm_interpolation.models.special_tokens import SpecialTokens, special_tokens

_CHUNK = 256
"""Documents that are tokenized together: enough to be fast, few enough to wait for."""


class Shards(Protocol):
    """The files of a corpus, by their index. One on the hub is fetched when its path is asked for."""

    def __len__(self) -> int: ...

    def path(self, index: int) -> Path: ...


@dataclass(frozen=True)
class Stream:
    """A corpus of JSON lines (``.gz`` or plain), one document each, whose text is the field ``text``.

    A dotted name (``prompt.text``) is a field of a nested object.
    """

    shards: Shards
    text: str = "text"


@dataclass(frozen=True)
class Position:
    """Where a block starts: after ``offset`` tokens of line ``line`` of a process's file number ``shard`` (from 0),
    which it reads for the time ``epoch`` + 1."""

    epoch: int = 0
    shard: int = 0
    line: int = 0
    offset: int = 0

    def as_list(self) -> list[int]:
        return [self.epoch, self.shard, self.line, self.offset]


class TokenStream(IterableDataset):
    """An endless stream of blocks for causal language modelling, for one of several processes.

    The documents are concatenated and cut into blocks of ``block_length`` tokens (see ``blocks.cut_blocks``), across
    files. The order of the files is drawn once from ``seed``; process ``rank`` of
    ``processes`` reads the files number ``rank``, ``rank + processes``, ... in this order, then starts over. If
    there are fewer files than processes, every process reads all files, but only every ``processes``-th line.

    ``special`` defaults to the special tokens that the tokenizer names. Each item holds ``input_ids``, ``labels``
    and ``attention_mask``, int64 of shape (block_length,), and ``end``, int64 of shape (4,): the ``Position`` at which
    the next block starts.

    Raises ``UserError`` for a line that is not JSON or lacks the text, a broken file, or files without any text.
    """

    def __init__(
        self,
        stream: Stream,
        tokenizer: PreTrainedTokenizerBase,
        block_length: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
        special: SpecialTokens | None = None,
    ) -> None:
        special = special or special_tokens(tokenizer)
        check_special(special, block_length)
        if len(stream.shards) == 0:
            raise UserError("the stream of training texts has no files")
        self.stream, self.tokenizer, self.block_length, self.special = stream, tokenizer, block_length, special
        self.start = Position()
        order = reading_order(len(stream.shards), seed)
        whole_files = len(order) >= processes
        self._shards = order[rank::processes] if whole_files else order
        self._every, self._first = (1, 0) if whole_files else (processes, rank)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        if worker is not None and worker.num_workers > 1:
            raise RuntimeError("a stream has one reader; several would each give all of its blocks")
        for block in cut_blocks(self._documents(), self.block_length, self.special, self.start.offset):
            ids = torch.from_numpy(block.ids)
            # Give the mask, because tokens that end a text also serve as padding, but not here.
            yield {
                "input_ids": ids,
                "labels": torch.from_numpy(block.labels),
                "attention_mask": torch.ones_like(ids),
                "end": torch.tensor([*cast(tuple[int, int, int], block.place), block.used]),
            }

    def _documents(self) -> Iterator[tuple[tuple[int, int, int], Sequence[int]]]:
        """Endlessly yield each document from ``start`` on: its epoch, file and line, and its token ids."""
        at = self.start
        while True:
            found = False
            for shard in range(at.shard, len(self._shards)):
                path = self.stream.shards.path(self._shards[shard])
                for lines, texts in _chunks(self._texts(path, at.line)):
                    found = True
                    encoded = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
                    for line, ids in zip(lines, encoded, strict=True):
                        yield (at.epoch, shard, line), ids
                at = Position(at.epoch, shard + 1)
            if not found and at.epoch > self.start.epoch:
                raise UserError(
                    f"the stream of training texts has no texts for one of its processes ({path} was the last file "
                    "read); give more files, or train with fewer processes"
                )
            at = Position(at.epoch + 1)

    def _texts(self, path: Path, first: int) -> Iterator[tuple[int, str]]:
        """Line number (from 0) and text of the documents of this process in a file, from line ``first`` on."""
        try:
            with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
                for number, line in enumerate(cast(BinaryIO, file)):
                    if number >= first and number % self._every == self._first and not line.isspace():
                        yield number, _text(line, self.stream.text, f"{path}:{number + 1}")
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UserError(f"{path}: not a whole gzip file ({error}); fetch it again") from None
        except FileNotFoundError:
            raise UserError(f"{path}: no such file, which the stream of training texts names") from None


class StreamLoader(DataLoader):
    """Batches of a ``TokenStream``. Remembers where the batch after the last returned one starts.

    With ``workers`` 1 another process reads and tokenizes ahead; the batches are the same. A SIGTERM does not end it,
    because a training with a SIGTERM finishes its step first. Only ``close``, or the end of this process, ends it.
    """

    def __init__(self, stream: TokenStream, batch_size: int, workers: int = 0) -> None:
        # A separate generator: the default one decides on dropout and must continue unchanged from a checkpoint.
        super().__init__(
            stream,
            batch_size=batch_size,
            num_workers=workers,
            worker_init_fn=_ignore_termination,
            generator=torch.Generator(),
        )
        self.stream = stream
        self.position = stream.start
        self.batches = 0
        """Batches handed out."""
        self._reader: Any = None
        if workers:
            # Python's own end sends them a SIGTERM and waits.
            atexit.register(self.close)

    def __iter__(self) -> Iterator[Any]:
        self.close()
        try:
            self._reader = super().__iter__()
            for batch in self._reader:
                self.position = Position(*batch.pop("end")[-1].tolist())
                self.batches += 1
                yield batch
        except UserError as error:
            # An error raised in a worker arrives inside the worker's traceback.
            raise UserError(error.args[0].rstrip().rsplit("UserError: ", 1)[-1]) from None

    def close(self) -> None:
        """End the process that reads ahead, if there is one. Call it when no more batches are needed."""
        if self.num_workers and self._reader is not None:
            self._reader._shutdown_workers()

    def save(self, path: Path) -> None:
        """Write the position to ``path`` (JSON)."""
        path.write_text(json.dumps(self.position.as_list()) + "\n")

    def load(self, path: Path) -> None:
        """Continue from the position in ``path``."""
        self.position = self.stream.start = Position(*json.loads(path.read_text()))


def _ignore_termination(worker: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _chunks(texts: Iterator[tuple[int, str]]) -> Iterator[tuple[list[int], list[str]]]:
    numbers: list[int] = []
    chunk: list[str] = []
    for number, text in texts:
        numbers.append(number)
        chunk.append(text)
        if len(chunk) == _CHUNK:
            yield numbers, chunk
            numbers, chunk = [], []
    if chunk:
        yield numbers, chunk


def _text(line: bytes, name: str, place: str) -> str:
    try:
        record = json.loads(line)
    except ValueError as error:  # not JSON, or not UTF-8
        raise UserError(f"{place}: malformed JSON, {error}; fix the line") from None
    if not isinstance(record, dict):
        raise UserError(f"{place}: not a JSON object but {type(record).__name__}; expected one per line")
    return checked_text(field_of(record, name, place), place)
