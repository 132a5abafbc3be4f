import hashlib
import itertools
import math
import os
import random
import re
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import pytest

from lm_interpolation.data.synthetic import errors
from lm_interpolation.data.synthetic import texts as made
from lm_interpolation.data.synthetic import topics as topics_made
from lm_interpolation.data.synthetic.domains import DOMAINS
from lm_interpolation.data.synthetic.errors import corrupt
from lm_interpolation.data.synthetic.texts import KINDS, generate
from lm_interpolation.data.synthetic.topics import TOPICS, generate_topics
from lm_interpolation.jobs.runtime import UserError

COUNTS = {"train": 1000, "dev": 100, "test": 200}
ROOT = Path(__file__).parents[2]


def texts(corpus: dict[str, list]) -> list[str]:
    return [text for split in corpus.values() for text, _ in split]


@pytest.fixture(scope="module")
def reviews() -> dict[str, list]:
    return generate("reviews", COUNTS, 3, (0, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_counts_and_distinct_texts_over_all_splits(kind):
    corpus = generate(kind, COUNTS, 3, (1, 4))
    assert {split: len(rows) for split, rows in corpus.items()} == COUNTS
    assert list(corpus) == ["train", "dev", "test"]
    assert len(set(texts(corpus))) == sum(COUNTS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_another_process_with_other_hashes_writes_the_same(kind):
    code = (
        "import hashlib; from lm_interpolation.data.synthetic.texts import generate;"
        f"print(hashlib.sha256(repr(generate({kind!r}, {COUNTS!r}, 7, (0, 2))).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_seed_matters():
    first, second = (set(texts(generate("reviews", COUNTS, seed, (0, 1)))) for seed in (1, 2))
    assert len(first & second) < 0.1 * len(first)


def test_more_training_texts_leave_the_held_out_splits_alone(reviews):
    more = generate("reviews", COUNTS | {"train": 1500}, 3, (0, 1))
    assert more["dev"] == reviews["dev"] and more["test"] == reviews["test"]


def test_shards_are_disjoint_across_kinds():
    # Corrupted texts belong to the shard of their source, so that none of them is a near copy of another shard's text.
    shards = [set(texts(generate(kind, COUNTS, 3, (i, 3)))) for i, kind in enumerate(("reviews", "general", "reviews"))]
    for one, other in itertools.combinations(shards, 2):
        assert not one & other


def test_a_corrupted_text_lies_in_the_shard_of_its_source(monkeypatch):
    sources = []
    monkeypatch.setattr(made, "corrupt", lambda text, rng: sources.append(text) or corrupt(text, rng))
    corpus = generate("acceptability", {"train": 50, "dev": 10, "test": 10}, 5, (0, 2))
    used = {source for source in sources if zlib.crc32(source.encode()) % 2 == 0}
    assert len(used) >= 35
    acceptable = {text for rows in corpus.values() for text, label in rows if label == "acceptable"}
    assert all(zlib.crc32(text.encode()) % 2 == 0 for text in acceptable)
    # A sentence is never in the corpus twice, once whole and once corrupted.
    corrupted = {text for rows in corpus.values() for text, label in rows if label == "unacceptable"}
    assert not corrupted & acceptable


def test_labels_are_balanced(reviews):
    assert Counter(label for _, label in reviews["train"]) == dict.fromkeys(range(5), 200)
    assert Counter(label for _, label in reviews["test"]) == dict.fromkeys(range(5), 40)
    general = generate("general", COUNTS, 3, (0, 1))
    assert {label for _, label in general["train"]} == {None}
    acceptability = generate("acceptability", COUNTS, 3, (0, 1))
    assert Counter(label for _, label in acceptability["train"]) == {"acceptable": 500, "unacceptable": 500}


def test_reviews_look_like_english_sentences(reviews):
    for text in texts(reviews):
        assert 8 <= len(text.split()) <= 22, text
        assert re.fullmatch(r"[A-Z][\w' ,;-]*\.( [A-Z][\w' ,;-]*\.)*", text), text
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]|  | [,;.]|[{}]|,[,;.]", text), text
        assert not re.search(r"\b(\w+) \1\b", text), text


def test_verbs_agree_with_their_subjects(reviews):
    plurals = "|".join(sorted({noun for domain in DOMAINS for noun in domain.plurals}))
    checked = 0
    for text in texts(reviews):
        match = re.search(rf"^(?:Overall, t|T)he ({plurals}) (was|were|is|are) ", text)
        if match:
            checked += 1
            assert match[2] in ("were", "are"), text
        assert not re.search(r"(?:\b[Ii]t|^This \w+) (?:were|are|have)\b", text), text
    assert checked > 20


def test_levels_share_openings_and_neighbours_share_words(reviews):
    openings = [Counter() for _ in range(5)]
    for text, level in reviews["train"]:
        openings[level][" ".join(text.split()[:1])] += 1
    for level in range(5):
        assert openings[level]["The"] > 40 and openings[level]["I"] > 10
    for domain in DOMAINS:
        assert all(set(low) & set(high) for low, high in itertools.pairwise(domain.graded))
        assert not set(domain.graded[0] + domain.graded[1]) & set(domain.graded[3] + domain.graded[4])


def test_words_tell_the_sentiment_mostly(reviews):
    """Naive Bayes on words, negative against positive: much better than chance, and never perfect."""

    def words(text: str) -> set[str]:
        return set(re.findall(r"\w+", text.lower()))

    negative, positive = (
        Counter(word for text, level in reviews["train"] if level in levels for word in words(text))
        for levels in ((0, 1), (3, 4))
    )
    right = [
        (sum(math.log((positive[word] + 0.5) / (negative[word] + 0.5)) for word in words(text)) > 0) == (level > 2)
        for text, level in reviews["test"]
        if level != 2
    ]
    assert 0.75 < sum(right) / len(right) < 1


def test_corruption_changes_every_text(reviews):
    rng = random.Random(0)
    for text in texts(reviews):
        corrupted = corrupt(text, rng)
        assert corrupted != text
        assert corrupted[0].isupper() and corrupted.endswith(".")
        assert abs(len(corrupted.split()) - len(text.split())) <= 3


def test_splitting_and_joining_tokens_is_lossless(reviews):
    for text in [*texts(reviews), "The waiter's so-called menu, in short, was on fire; still, I left. It was 1994."]:
        assert errors._join(errors._TOKEN.findall(text)) == text


@pytest.mark.parametrize(
    ("tokens", "fits", "make", "expected"),
    [
        (["the", "plot", "was"], errors._can_exchange, errors._exchange, [["plot", "the"], ["was", "plot"]]),
        (["a", "little", "an", "inn"], errors._can_drop_determiner, errors._drop, [["inn"]]),
        (["it", "was", "dull"], errors._can_drop_verb, errors._drop, [["dull"]]),
        (["thought", "it", "was", "dull"], errors._can_drop_verb, errors._drop, []),
        (["very", "dull", "."], errors._can_double, errors._double, [["dull", "dull", "."]]),
    ],
)
def test_each_error_is_made_where_it_is_an_error(tokens, fits, make, expected):
    places = [i for i in range(len(tokens) - 1) if fits(tokens, i)]
    assert [make(tokens[i], tokens[i + 1], random.Random(0)) for i in places] == expected


@pytest.mark.parametrize(
    ("kind", "counts", "shard", "message"),
    [
        ("poems", COUNTS, (0, 1), "unknown kind 'poems'"),
        ("reviews", {"train": 10}, (0, 1), "train, dev, test"),
        ("reviews", COUNTS | {"dev": -1}, (0, 1), "train, dev, test"),
        ("reviews", COUNTS, (2, 2), "shard index 2 of 2"),
        ("reviews", COUNTS, (-1, 2), "shard index -1 of 2"),
    ],
)
def test_wrong_arguments(kind, counts, shard, message):
    with pytest.raises(UserError, match=message):
        generate(kind, counts, 1, shard)


def test_an_exhausted_shard_is_an_error(monkeypatch):
    monkeypatch.setattr(made, "_PATIENCE", 100)
    with pytest.raises(UserError, match="shard 0 of 1000000 has too few distinct texts"):
        generate("reviews", COUNTS, 1, (0, 1_000_000))


# --- topics


@pytest.fixture(scope="module")
def topics() -> dict[str, list]:
    return generate_topics(COUNTS, 3, (0, 1))


def test_each_topic_has_all_levels_equally_often(topics):
    assert TOPICS == ("film", "book", "restaurant", "hotel", "album")
    assert {split: len(rows) for split, rows in topics.items()} == COUNTS
    assert Counter(row[1:] for row in topics["train"]) == dict.fromkeys(itertools.product(TOPICS, range(5)), 40)
    assert len({text for rows in topics.values() for text, *_ in rows}) == sum(COUNTS.values())


def test_reviews_keep_to_their_topic(topics):
    own = {
        domain.things[0]: set(domain.things)
        - {name for other in DOMAINS if other is not domain for name in other.things}
        for domain in DOMAINS
    }
    said = Counter()
    for text, topic, _ in topics["train"]:
        for other, things in own.items():
            if any(re.search(rf"\b(?:this|the) {thing}\b", text, re.IGNORECASE) for thing in things):
                said[topic == other] += 1
    # "based on a novel by ..." is a fact about films.
    assert said[True] > 400 and said[False] == 0


def test_topics_share_no_text_with_other_shards(topics):
    one = {text for rows in generate_topics(COUNTS, 3, (1, 3)).values() for text, *_ in rows}
    assert not one & set(texts(generate("reviews", COUNTS, 3, (0, 3))))
    assert not one & set(texts(generate("general", COUNTS, 3, (2, 3))))
    assert all(zlib.crc32(text.encode()) % 3 == 1 for text in one)
    more = generate_topics(COUNTS | {"train": 1500}, 3, (0, 1))
    assert more["dev"] == topics["dev"] and more["test"] == topics["test"]
    other = {text for text, *_ in generate_topics(COUNTS, 4, (0, 1))["train"]}
    assert len(other & {text for text, *_ in topics["train"]}) < 100


def test_topics_of_a_shard_that_is_not_there(monkeypatch):
    with pytest.raises(UserError, match="shard index 2 of 2"):
        generate_topics(COUNTS, 1, (2, 2))
    monkeypatch.setattr(topics_made, "_PATIENCE", 50)
    with pytest.raises(UserError, match="shard 0 of 1000000 has too few distinct reviews about each topic for 1300"):
        generate_topics(COUNTS, 1, (0, 1_000_000))


@pytest.mark.parametrize(
    ("kind", "digest"),
    [
        ("reviews", "5de94f42623c20be"),
        ("general", "3b4111f754f2f59c"),
        ("acceptability", "63ff947c08f03af4"),
    ],
)
def test_existing_corpora_stay_as_they_are(kind, digest):
    # Studies that are finished, and the documents, rest on these texts.
    corpus = generate(kind, {"train": 200, "dev": 20, "test": 20}, 5, (2, 6))
    assert hashlib.sha256(repr(corpus).encode()).hexdigest()[:16] == digest
