"""Where special tokens go: one policy for training, prompts, losses and scores of language models.

- **Start.** What the tokenizer itself puts before a text (usually a BOS; nothing for GPT-2) precedes each prompt,
  each scored text, each training text and each training block. It is context: no loss and no perplexity counts it.
- **End.** Nothing follows a prompt or a scored text, whatever the tokenizer adds there. A training text ends with the
  end-of-text token, which the model learns.
- **Stops.** Any end-of-text token that config, generation config or tokenizer names ends a continuation.

The start matters because models trained with a BOS need it. Gemma 3 270M gives a fluent sentence a perplexity of
22 with it, and of 1,484 without (see also lm-evaluation-harness#1465). Classifiers differ: they read texts
as their tokenizer encodes them, with all special tokens. torch is not needed here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lm_interpolation.jobs.checksums import check_present
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.model_folders import read_json

# Tried in this order: any tokenizer of text makes tokens of one of them.
_SAMPLES = ("a", "0", ".", "的", "text")


@dataclass(frozen=True)
class SpecialTokens:
    """The special tokens of a language model, as ids; see the module.

    ``end`` closes a training text; None where no file names an end of text.
    """

    start: tuple[int, ...]
    end: int | None
    stops: frozenset[int]

    @property
    def context(self) -> int:
        """How many first tokens are not scored: the start, or else the first token, which nothing predicts."""
        return max(1, len(self.start))

    def describe(self, tokenizer: Any) -> str:
        """One line for logs and captions that names the tokens."""

        def named(ids: Iterable[int]) -> str:
            return " ".join(map(str, tokenizer.convert_ids_to_tokens(list(ids))))

        start = f"{named(self.start)} before each text, not scored" if self.start else "none before a text"
        end = "none" if self.end is None else named([self.end])
        stops = named(sorted(self.stops)) or "none"
        return f"special tokens: {start}; training texts end with {end}; a continuation stops at {stops}"


def special_tokens(tokenizer: Any, *configs: Any) -> SpecialTokens:
    """The special tokens of a model with this ``tokenizer``; ``configs`` are its config and generation config.

    Raises ``UserError`` if the tokenizer gives no tokens for plain text.
    """
    start, _ = added_tokens(tokenizer)
    named = [*(config.eos_token_id for config in configs), tokenizer.eos_token_id]
    sizes = [size for config in configs if (size := getattr(config, "vocab_size", None)) is not None]
    stops = _known(reversed(named), min([len(tokenizer), *sizes]))
    # The tokenizer's own, if it has one.
    return SpecialTokens(start, stops[0] if stops else None, frozenset(stops))


def of_model(model: Any, tokenizer: Any) -> SpecialTokens:
    """``special_tokens`` of a loaded model of transformers."""
    return special_tokens(tokenizer, model.config, model.generation_config)


def added_tokens(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tokenizer puts before and after a text: ids. Raises ``UserError`` as ``special_tokens`` does."""
    for sample in _SAMPLES:
        plain = tokenizer(sample, add_special_tokens=False).input_ids
        whole = tokenizer(sample).input_ids
        for before in range(len(whole) - len(plain) + 1):
            if plain and whole[before : before + len(plain)] == plain:
                return tuple(whole[:before]), tuple(whole[before + len(plain) :])
    raise UserError("the tokenizer gives no tokens for plain text; save the model with its own tokenizer")


def describe_for_classifier(tokenizer: Any) -> str:
    """One line, for logs, on how a classifier's tokenizer encodes a text."""
    before, behind = (" ".join(tokenizer.convert_ids_to_tokens(list(ids))) or "none" for ids in added_tokens(tokenizer))
    return f"special tokens: {before} before each text, {behind} behind it, as the classifier's tokenizer adds them"


def encode(tokenizer: Any, texts: Sequence[str], start: Sequence[int]) -> list[list[int]]:
    """Token ids of each text, with ``start`` before and nothing after them."""
    return [[*start, *ids] for ids in tokenizer(list(texts), **_PLAIN)["input_ids"]] if len(texts) else []


def encode_with_offsets(
    tokenizer: Any, texts: Sequence[str], start: Sequence[int]
) -> tuple[list[list[int]], list[list[tuple[int, int]]]]:
    """As ``encode``, and where each token after ``start`` begins and ends in its text. Needs a fast tokenizer."""
    if not len(texts):
        return [], []
    tokens = tokenizer(list(texts), return_offsets_mapping=True, **_PLAIN)
    return [[*start, *ids] for ids in tokens["input_ids"]], tokens["offset_mapping"]


_PLAIN = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}


def choose_start(tokenizer: Any, choice: str) -> None:
    """Make ``tokenizer`` put a BOS first (``bos``), or nothing (``none``), or leave it as it is (``tokenizer``).

    The choice is in the tokenizer, and so in its files: models trained from it, merged from it or
    exported have it too. Raises ``UserError`` if the tokenizer has no BOS, or cannot be changed (a slow one).
    """
    if choice == "tokenizer":
        return
    if choice == "bos" and tokenizer.bos_token_id is None:
        raise UserError("special_tokens: bos, but the tokenizer names no bos_token; name it in tokenizer_config.json")
    if not tokenizer.is_fast:
        raise UserError(f"special_tokens: {choice} needs a fast tokenizer (tokenizer.json); save one")
    tokenizer.add_bos_token = choice == "bos"


def state_ends(model: Any, tokenizer: Any, config: Mapping[str, Any]) -> None:
    """If config.json, which holds ``config``, names no end of text, use that of the tokenizer, not a default.

    The default of Llama is 2, which may be an ordinary token.
    """
    text = config.get("text_config")
    if "eos_token_id" not in config and not (isinstance(text, Mapping) and "eos_token_id" in text):
        model.config.eos_token_id = tokenizer.eos_token_id


class _Encoding(dict):
    """What tokenizers of transformers return, as far as we use it."""

    @property
    def input_ids(self) -> Any:
        return self["input_ids"]


class FileTokenizer:
    """A tokenizer.json and its companion files, with the interface of transformers but without torch."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(path))
        # A file may contain the truncation of its last use.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        end = _read(path.with_name("tokenizer_config.json")).get("eos_token")
        self.eos_token_id = (
            self._tokenizer.token_to_id(end["content"] if isinstance(end, dict) else end) if end else None
        )

    def __call__(self, texts: str | list[str], add_special_tokens: bool = True, **_: bool) -> _Encoding:
        several = [texts] if isinstance(texts, str) else texts
        ids = [
            encoding.ids for encoding in self._tokenizer.encode_batch(several, add_special_tokens=add_special_tokens)
        ]
        return _Encoding(input_ids=ids[0] if isinstance(texts, str) else ids)

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return [str(self._tokenizer.id_to_token(token)) for token in ids]


def describe_folder(directory: Path) -> str:
    """``SpecialTokens.describe`` of the models whose tokenizer, or files, lie in ``directory``.

    Raises ``UserError`` if a file that the workflow wrote there is missing.
    """
    check_present(directory)
    file = directory / "tokenizer.json"
    if not file.is_file():
        return "special tokens: as the logs say (without a fast tokenizer they are not known here)"
    tokenizer = FileTokenizer(file)
    return special_tokens(tokenizer, *_configs(directory)).describe(tokenizer)


def merged_stops(directories: Sequence[Path]) -> list[int] | None:
    """The tokens that end texts of any of several models, ascending; None if the files of all name the same."""
    ends = [_read(directory / "tokenizer_config.json").get("eos_token") for directory in directories]
    named = [[end, *_configs(directory)] for end, directory in zip(ends, directories, strict=True)]
    if all(one == named[0] for one in named):
        return None
    found: set[int] = set()
    for directory in directories:
        file, configs = directory / "tokenizer.json", _configs(directory)
        own = FileTokenizer(file).eos_token_id if file.is_file() else None
        size = math.inf if configs[0].vocab_size is None else configs[0].vocab_size
        found.update(_known((own, *(config.eos_token_id for config in configs)), size))
    return sorted(found)


def _configs(directory: Path) -> list[SimpleNamespace]:
    """What config and generation config in a folder say about ends of texts."""
    size = _read(directory / "config.json").get("vocab_size")
    files = (directory / "config.json", directory / "generation_config.json")
    return [SimpleNamespace(eos_token_id=_read(file).get("eos_token_id"), vocab_size=size) for file in files]


def _read(path: Path) -> dict[str, Any]:
    """The contents of a JSON file; empty if there is none."""
    return read_json(path, "") if path.is_file() else {}


def _known(named: Iterable[int | Sequence[int] | None], size: float) -> list[int]:
    """The ids among ``named`` (one, several or none each) that a vocabulary of ``size`` tokens has.

    A config's default (GPT-2's is 50256) need not be in a small vocabulary.
    """
    lists = ([] if ids is None else [ids] if isinstance(ids, int) else ids for ids in named)
    return [token for ids in lists for token in ids if 0 <= token < size]
