"""Texts longer than a model can read: all of them are found at once, before anything is trained.

A tokenizer exists before the weights, so the jobs that read prompts and the texts of a loss can count tokens. That
needs neither torch nor transformers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.checksums import check_present
from lm_interpolation.jobs.runtime import UserError, announce
from lm_interpolation.models.model_folders import context_of, read_json
from lm_interpolation.models.special_tokens import FileTokenizer, added_tokens, encode


@dataclass(frozen=True)
class Reader:
    """The readers of texts: models with one tokenizer and room for ``room`` tokens (None: no known limit).

    Errors call it ``name``. ``tokenizer`` is None if the models have no tokenizer.json.
    """

    name: str
    tokenizer: FileTokenizer | None
    room: int | None

    @classmethod
    def open(cls, name: str, directory: str | Path, context: int | None, reserve: int) -> "Reader":
        """The reader for the tokenizer or model in ``directory``; ``reserve`` tokens of its context are set aside.

        ``context`` is the model's number of positions, for a ``directory`` without a config.json that says it.
        """
        directory = Path(directory)
        if (directory / "config.json").is_file():
            context = context_of(read_json(directory / "config.json", "")) or context
        file = directory / "tokenizer.json"
        room = None if context is None else context - reserve
        return cls(name, FileTokenizer(file) if file.is_file() else None, room)

    @cached_property
    def _start(self) -> tuple[int, ...]:
        return added_tokens(self.tokenizer)[0]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, including the tokens that texts of the model start with."""
        return [len(ids) for ids in encode(self.tokenizer, texts, self._start)]

    def check_predicted(self, texts: Sequence[str], key: str, names: Sequence[str]) -> None:
        """Raise one ``UserError`` that counts the texts without a token that a model could predict.

        The tokens that texts of the model start with, or else the first token, are not predicted.
        """
        if self.tokenizer is None:
            return
        least = max(1, len(self._start)) + 1
        short = [place for place, length in enumerate(self.lengths(texts)) if length < least]
        if short:
            first = short[0]
            raise UserError(
                f"{key}: {self.name} has nothing to predict in {len(short)} of {len(texts)} texts, since they have one "
                f"token; set min_words at the corpus (the first is {texts[first]!r}, {names[first]})"
            )

    def cut(self, text: str, keep_end: bool) -> str:
        """As much of ``text`` as there is room for, from its beginning or its end."""
        assert self.tokenizer is not None and self.room is not None
        (ids,) = encode(self.tokenizer, [text], ())
        # A piece of a text may have more tokens by itself than within the text.
        for count in range(self.room - len(self._start), 0, -1):
            piece = self.tokenizer.decode(ids[-count:] if keep_end else ids[:count])
            if piece.strip() and self.lengths([piece])[0] <= self.room:
                return piece
        raise UserError(f"{self.name}: no room for any token of {text[:60]!r}; choose too_long: drop")


def fit(
    texts: Sequence[str],
    readers: Sequence[Reader],
    too_long: str,
    key: str,
    names: Sequence[str],
    keep_end: bool = False,
) -> tuple[list[int], list[str]]:
    """The ``texts`` that each of ``readers`` can read, after cutting: the indices of those kept, and the texts.

    A text that is too long is an ``error``, is ``cut`` (at its end, or with ``keep_end`` at its beginning), or is
    ``drop``ped. The log gives their number and the longest. ``key`` is the config key, ``names`` say where the texts
    stand. Raises one ``UserError`` that counts all texts that are too long, or if no text is left.
    """
    kept, current = list(range(len(texts))), list(texts)
    for reader in readers:
        if reader.room is None:
            continue
        if reader.tokenizer is None:
            if too_long != "error":
                raise UserError(f"{key}.too_long: {too_long} needs a tokenizer.json, but {reader.name} has none")
            continue
        lengths = reader.lengths(current)
        over = [place for place, length in enumerate(lengths) if length > reader.room]
        if not over:
            continue
        longest = max(over, key=lengths.__getitem__)
        found = (
            f"{len(over)} of {len(current)} texts have more than the {reader.room} tokens that {reader.name} has room "
            f"for, the longest {lengths[longest]} ({names[kept[longest]]})"
        )
        if too_long == "error":
            raise UserError(f"{key}: {found}; shorten or drop them, or set too_long: cut or drop there")
        if too_long == "cut":
            for place in over:
                current[place] = reader.cut(current[place], keep_end)
            announce(f"[{key}] cut: {found}")
        else:
            gone = set(over)
            kept = [index for place, index in enumerate(kept) if place not in gone]
            current = [text for place, text in enumerate(current) if place not in gone]
            announce(f"[{key}] dropped: {found}")
            if not kept:
                raise UserError(f"{key}: no text is left, {found}; give shorter texts")
    return kept, current


def fit_for_loss(
    texts: Sequence[str], readers: Sequence[Reader], too_long: str, key: str, names: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Like ``fit``, for texts whose loss is measured: each of ``readers`` must have a token to predict in them."""
    kept, current = fit(texts, readers, too_long, key, names)
    for reader in readers:
        reader.check_predicted(current, key, [names[index] for index in kept])
    return kept, current


def open_readers(settings: Sequence[Mapping[str, Any]], directories: Sequence[str | Path]) -> list[Reader]:
    """The readers in a job's settings (``Models.readers``), opened from the folders among its inputs.

    Raises ``UserError`` if a file that the workflow wrote there is missing.
    """
    for directory in directories:
        check_present(directory)
    return [
        Reader.open(entry["name"], directory, entry["context"], entry["reserve"])
        for entry, directory in zip(settings, directories, strict=True)
    ]
