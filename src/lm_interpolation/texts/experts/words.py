"""A rule as an expert: words with weights, each in nats for a text that contains the word.

A word may have several tokens, so the rule looks at the last tokens of the text. A text that has written m of the n
tokens of a word with a positive weight has m/n of its weight, and loses it if it goes on in another way (a potential,
as in reward shaping: Ng, Harada and Russell 1999). A negative weight counts at the last token of the word only, since
its first ones may begin other words. Longer words that start with the same tokens count as the word (our reading).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lm_interpolation.jobs.runtime import UserError

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class WordRule:
    """Weights of beginnings of words: ``following`` maps a beginning to the next tokens and the weights they lead to.

    The beginning ``()`` is the start of any word.
    """

    following: Mapping[Tokens, Mapping[int, float]]
    longest: int
    """Tokens in the longest beginning."""
    members: Sequence[int] = ()

    def log_odds(self, logits: Sequence[torch.Tensor], texts: Sequence[Sequence[int]]) -> torch.Tensor:
        start = self.following[()]
        values = torch.zeros(logits[0].shape, dtype=torch.float64, device=logits[0].device)
        values[:, list(start)] = torch.tensor(list(start.values()), dtype=torch.float64, device=values.device)
        for row, text in enumerate(texts):
            for begun in self._begun(text):
                for token, weight in self.following[begun].items():
                    values[row, token] = weight
        return values

    def _begun(self, text: Sequence[int]) -> Iterable[Tokens]:
        """The beginnings of words that ``text`` ends with, the longest last: what it continues counts."""
        last = tuple(text[len(text) - min(self.longest, len(text)) :])
        endings = (last[len(last) - length :] for length in range(1, len(last) + 1))
        return [ending for ending in endings if ending in self.following]


def expert(names: Sequence[str], tokenizer: Any, words: Mapping[str, float]) -> WordRule:
    """The rule of ``words``, each taken with a space before it, with weights in nats.

    Raises ``UserError`` naming a word that the tokenizer does not take apart from what stands before it.
    """
    weights: dict[Tokens, float] = {}
    for word, weight in words.items():
        pieces = _pieces(tokenizer, word)
        for length in range(1, len(pieces)):
            if weight > 0:
                part = weight * length / len(pieces)
                weights[pieces[:length]] = max(part, weights.get(pieces[:length], part))
    for word, weight in words.items():
        weights[_pieces(tokenizer, word)] = weight
    following: dict[Tokens, dict[int, float]] = {(): {}}
    for pieces, weight in weights.items():
        following.setdefault(pieces[:-1], {})[pieces[-1]] = weight
    return WordRule(following, max(map(len, following)))


def _pieces(tokenizer: Any, word: str) -> Tokens:
    # Some tokenizers put a space before the first word of a text by themselves.
    before, whole = (tokenizer.encode(text, add_special_tokens=False) for text in ("x", f"x {word}"))
    if whole[: len(before)] != before or len(whole) == len(before):
        raise UserError(f"word {word!r}: the tokenizer joins it to what stands before it; choose another word")
    return tuple(whole[len(before) :])
