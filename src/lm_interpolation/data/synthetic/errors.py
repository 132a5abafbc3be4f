"""Corruption: synthetic texts with the errors of a learner or a careless writer."""

import random
import re
from collections.abc import Callable, Mapping, Sequence

from lm_interpolation.data.synthetic.domains import DOMAINS
from lm_interpolation.data.synthetic.words import SLOTS

_TOKEN = re.compile(r"[\w'-]+|[^\w\s]")
_ENDS = frozenset(".!?")
_PROPER = frozenset(
    word for slot in ("city", "month", "day", "language", "name") for words in SLOTS[slot] for word in words.split()
) | {"I"}
_COUNTABLE = frozenset(
    noun for domain in DOMAINS for noun in domain.things + domain.people + domain.parts if " " not in noun
)
# Without "will" or "had" a clause would change its tense only.
_FINITE = frozenset({"was", "were", "is", "are", "has"})
# After these a clause may do without its verb: "I thought the plot dull".
_SMALL_CLAUSE = frozenset({"thought", "felt", "how"})
_AGREEMENT = {
    "was": "were", "were": "was", "is": "are", "are": "is", "has": "have", "have": "has", "this": "these",
    "a": "an", "an": "a", "does": "do", "follows": "follow", "lies": "lie", "opens": "open",
}  # fmt: skip
_FORMS = {
    "thought": "thinking", "felt": "feeling", "found": "finding", "considered": "considering",
    "recommend": "recommends", "enjoy": "enjoyed", "recorded": "record", "written": "wrote", "shot": "shoot",
    "born": "bear", "had": "having",
    "worth": "worths", "made": "making", "watched": "watching", "read": "reading", "stayed": "staying",
    "better": "gooder", "worse": "badder", "expected": "expect", "hoped": "hope", "known": "knew",
    "loved": "loving", "liked": "liking",
}  # fmt: skip
# "The plot of this film" and "a friend of mine" show why "of" can stand for few of them.
_PREPOSITIONS = {
    "of": "at", "for": "of", "to": "of", "than": "of", "as": "of",
    "in": "than", "at": "than", "with": "than", "from": "than", "by": "than", "on": "than",
}  # fmt: skip
_INSERTED = ("the", "a", "of", "to")
_BEFORE_INSERTION = frozenset(
    {"is", "was", "are", "were", "and", "of", "in", "to", "but", "than", "with", "because", "at", "by", "for", "will"}
)
# Words that make sense when they are said twice, and adverbs, which may stand on either side of a verb.
_REPEATABLE = frozenset({"very", "really", "quite", "rather", "had", "that", "more", "far", "much", "never"})
_MOVABLE = _REPEATABLE | frozenset(
    {"simply", "truly", "absolutely", "utterly", "mostly", "somewhat", "fairly", "often", "sometimes", "soon", "first"}
)


def corrupt(text: str, rng: random.Random) -> str:
    """``text`` with one to three errors of a learner or a careless writer; never the same string.

    Errors: two neighbouring words exchanged, a determiner or a finite verb dropped, wrong agreement, verb form or
    preposition, a word doubled or put in.
    """
    tokens = _tokens(text)
    while True:
        corrupted = list(tokens)
        for _ in range(_count(rng)):
            _corrupt_once(corrupted, rng)
        result = _join(corrupted)
        if result != text:
            return result


def corrupt_by(error: str, text: str, rng: random.Random) -> str | None:
    """``text`` with one to three errors of the kind ``error``, one of ``ERRORS``; None if they leave it as it is.

    Some texts have no place for an error of some kinds, and two errors may undo each other.
    """
    tokens = _tokens(text)
    for _ in range(_count(rng)):
        _make(ERRORS[error], tokens, rng)
    result = _join(tokens)
    return None if result == text else result


def _tokens(text: str) -> list[str]:
    """Its words and marks; the first word of a sentence is written as within one."""
    tokens = _TOKEN.findall(text)
    for i in range(len(tokens)):
        if (i == 0 or tokens[i - 1] in _ENDS) and tokens[i] not in _PROPER:
            tokens[i] = tokens[i][0].lower() + tokens[i][1:]
    return tokens


def _count(rng: random.Random) -> int:
    """Number of errors in a text."""
    return rng.choices((1, 2, 3), (0.2, 0.4, 0.4))[0]


def _corrupt_once(tokens: list[str], rng: random.Random) -> None:
    """Make one error in ``tokens``, in place: first the kind of error is drawn, then one of the places it can go to."""
    kinds = list(ERRORS.values())
    while not _make(rng.choice(kinds), tokens, rng):
        pass


def _make(error: "_Error", tokens: list[str], rng: random.Random) -> bool:
    """Make an error in ``tokens``, in place, at a place that is drawn; False if there is none where it can be made."""
    fits, make = error
    places = [i for i in range(len(tokens) - 1) if fits(tokens, i)]
    if places:
        i = rng.choice(places)
        tokens[i : i + 2] = make(tokens[i], tokens[i + 1], rng)
    return bool(places)


def _can_exchange(tokens: Sequence[str], i: int) -> bool:
    pair = set(tokens[i : i + 2])
    return len(pair) == 2 and all(map(_is_word, pair)) and not pair & (_PROPER | _MOVABLE)


def _can_drop_determiner(tokens: Sequence[str], i: int) -> bool:
    if tokens[i] in ("a", "an"):
        return tokens[i + 1] != "little" and tokens[i + 1] not in _PROPER
    return tokens[i] in ("the", "this") and tokens[i + 1] in _COUNTABLE


def _can_drop_verb(tokens: Sequence[str], i: int) -> bool:
    return tokens[i] in _FINITE and _SMALL_CLAUSE.isdisjoint(tokens[max(i - 8, 0) : i])


def _can_double(tokens: Sequence[str], i: int) -> bool:
    return _is_word(tokens[i]) and tokens[i] not in _REPEATABLE


def _can_insert(tokens: Sequence[str], i: int) -> bool:
    return tokens[i + 1] in _BEFORE_INSERTION


def _exchange(word: str, following: str, rng: random.Random) -> list[str]:
    return [following, word]


def _drop(word: str, following: str, rng: random.Random) -> list[str]:
    return [following]


def _double(word: str, following: str, rng: random.Random) -> list[str]:
    return [word, word, following]


def _insert(word: str, following: str, rng: random.Random) -> list[str]:
    return [word, rng.choice(_INSERTED), following]


def _is_word(token: str) -> bool:
    return token[0].isalnum()


# Where an error can be made (tokens, position), and what becomes of the two tokens at that position.
_Error = tuple[Callable[[Sequence[str], int], bool], Callable[[str, str, random.Random], list[str]]]


def _replacement(table: Mapping[str, str]) -> _Error:
    return lambda tokens, i: tokens[i] in table, lambda word, following, rng: [table[word], following]


# In this order `corrupt` draws from them.
ERRORS: dict[str, _Error] = {
    "exchange": (_can_exchange, _exchange),
    "determiner": (_can_drop_determiner, _drop),
    "verb": (_can_drop_verb, _drop),
    "double": (_can_double, _double),
    "insert": (_can_insert, _insert),
    "agreement": _replacement(_AGREEMENT),
    "form": _replacement(_FORMS),
    "preposition": _replacement(_PREPOSITIONS),
}
"""Kind of error to where and how it is made."""


def _join(tokens: Sequence[str]) -> str:
    """The text of these tokens: sentences start with a capital, and no space precedes a punctuation mark."""
    text = ""
    for i, token in enumerate(tokens):
        starts = i == 0 or tokens[i - 1] in _ENDS
        text += " " if i > 0 and _is_word(token) else ""
        text += token[0].upper() + token[1:] if starts else token
    return text
