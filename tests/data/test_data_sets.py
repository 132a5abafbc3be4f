"""Data sets of the built-in generator: texts by the kind of their errors, and by the word that says their topic."""

import itertools
import random
from collections import Counter

import pandas as pd
import pytest

from lm_interpolation.data.synthetic.errors import _TOKEN, ERRORS, corrupt_by
from lm_interpolation.data.synthetic.texts import generate
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.kinds.corpora.synthetic import _CLASSES
from tests.reading import class_names, load_corpus

COUNTS = {"train": 240, "dev": 16, "test": 40}
ERRORS_CORPUS = {"source": "synthetic", "kind": "errors", "counts": COUNTS, "seed": 3}
TOPICS_CORPUS = {"source": "topics", "counts": {"train": 100, "dev": 25, "test": 25}, "seed": 3}
WORDS = {"film": "arts", "book": "arts", "album": "arts", "restaurant": "places", "hotel": "places"}


def corrupted(error: str, text: str, tries: int = 60) -> set[str | None]:
    """What becomes of a text."""
    rng = random.Random(0)
    return {corrupt_by(error, text, rng) for _ in range(tries)}


@pytest.mark.parametrize(
    ("error", "text", "wrong"),
    [
        ("verb", "The plot was dull.", "The plot dull."),
        ("determiner", "The plot fell flat.", "Plot fell flat."),
        ("agreement", "The plot was dull.", "The plot were dull."),
        ("preposition", "The heart of it fell.", "The heart at it fell."),
        ("form", "They made it.", "They making it."),
    ],
)
def test_only_errors_of_the_kind_are_made(error: str, text: str, wrong: str) -> None:
    assert wrong in corrupted(error, text)
    # Whatever is drawn, once or more often, is an error of this kind.
    if error in ("verb", "determiner", "form"):
        assert corrupted(error, text) == {wrong}


def test_doubled_and_exchanged_words() -> None:
    assert "Good good films." in corrupted("double", "Good films.")
    assert all(
        set(_TOKEN.findall(text.lower())) == {"good", "films", "."}
        for text in corrupted("double", "Good films.")
        if text
    )
    # Exchanged twice, the words are as they were.
    assert corrupted("exchange", "Good films.") == {"Films good.", None}


def test_a_text_without_a_place_for_the_error_stays() -> None:
    assert corrupted("verb", "Good films.") == {None}


def test_texts_by_the_kind_of_their_errors() -> None:
    corpus = generate("errors", COUNTS, 3, (1, 4))
    assert Counter(label for _, label in corpus["train"]) == dict.fromkeys(ERRORS, 30)
    assert Counter(label for _, label in corpus["test"]) == dict.fromkeys(ERRORS, 5)
    for text in (text for text, label in corpus["train"] if label == "double"):
        assert any(one == next_one for one, next_one in itertools.pairwise(_TOKEN.findall(text.lower())))
    # No text is one of another shard's, nor what one of them was before.
    general = {text for rows in generate("general", COUNTS, 3, (2, 4)).values() for text, _ in rows}
    assert not general & {text for rows in corpus.values() for text, _ in rows}


def test_classes_are_the_kinds_of_errors() -> None:
    assert list(_CLASSES["errors"]) == list(ERRORS)
    assert class_names(ERRORS_CORPUS) == sorted(ERRORS)
    frames = load_corpus(ERRORS_CORPUS, "wrong")
    assert Counter(frames["dev"]["label"]) == dict.fromkeys(ERRORS, 2)
    few = load_corpus(
        {**ERRORS_CORPUS, "classes": {"order": ["exchange"], "rest": [e for e in ERRORS if e != "exchange"]}}, "w"
    )
    assert Counter(few["dev"]["label"]) == {"order": 2, "rest": 14}


def test_a_word_says_the_topic_and_everything_else_stays() -> None:
    plain = load_corpus(TOPICS_CORPUS, "mine")
    named = load_corpus({**TOPICS_CORPUS, "label_words": WORDS, "classes": {topic: [topic] for topic in WORDS}}, "mine")
    for split, frame in plain.items():
        # Labels are arts and places in the one, and topics in the other.
        assert isinstance(frame, pd.DataFrame)
        words = [f"{text} Topic: {label}." for text, label in zip(frame["text"], frame["label"], strict=True)]
        assert named[split]["text"].tolist() == words
    assert set(named["train"]["label"]) == set(WORDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({**WORDS, "flim": "arts"}, "topic 'flim' is not declared; did you mean 'film'"),
        ({"film": "arts", "hotel": "places"}, "no word for book, album, restaurant; give each topic one"),
        ({**WORDS, "film": ""}, "label_words"),
    ],
)
def test_each_topic_has_a_word(words: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        class_names({**TOPICS_CORPUS, "label_words": words})
