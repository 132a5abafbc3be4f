"""A seeded grammar of short English reviews: the corpora of the embedded study, without a download.

Four kinds of text come out of one grammar over five domains (films, books, restaurants, hotels, records):

- ``reviews``: one or two sentences in five graded levels, 0 (very negative) .. 4 (very positive), as in SST;
- ``general``: half factual sentences, half reviews of every level, without a label;
- ``acceptability``: texts of both kinds, half of them corrupted, as in CoLA;
- ``errors``: texts of both kinds, all corrupted, each by errors of one kind, which is its label.

What a review begins with does not depend on its level ("The plot was", "I thought the acting"), so that a language
model that is prompted with such an opening can go on either way. Neighbouring levels share words ("decent" is 2 and 3),
and concessions speak both ways ("although the plot was weak, the acting was superb"), so that no classifier is perfect.
"""

import itertools
import random
import zlib
from collections.abc import Callable, Mapping, Sequence

from lm_interpolation.data.synthetic.errors import ERRORS, corrupt, corrupt_by
from lm_interpolation.data.synthetic.grammar import LEVELS, MAX_WORDS, MIN_WORDS, Writer
from lm_interpolation.jobs.runtime import UserError

KINDS = ("reviews", "general", "acceptability", "errors")
_SPLITS = ("train", "dev", "test")

# So many draws in a row without a new text of the shard, and the shard counts as exhausted (500 shards are safe).
_PATIENCE = 20_000

Label = str | int | None


def generate(
    kind: str, counts: Mapping[str, int], seed: int, shard: tuple[int, int]
) -> dict[str, list[tuple[str, Label]]]:
    """Texts of one corpus with their raw labels, for each of the splits ``train``, ``dev`` and ``test``.

    ``kind`` is one of ``KINDS``; the label is a level 0..4 (``reviews``, equally many of each), ``None`` (``general``),
    ``"acceptable"`` / ``"unacceptable"`` (``acceptability``, half and half) or one of ``ERRORS`` (``errors``, equally
    many of each). ``counts`` gives the number of texts of each split. All texts of a corpus are
    distinct. ``shard = (index, count)`` keeps the texts whose source (the text
    itself, or what it was before its corruption) falls into that part of a hash: corpora with different indices of one
    count have no source in common, whatever their kinds and seeds. Dev and test do not depend on the number of training
    texts.

    The same arguments give the same texts in every process. Raises ``UserError`` for an unknown kind or split, a shard
    index outside 0..count-1, or a shard that does not have enough distinct texts.
    """
    if kind not in KINDS:
        raise UserError(f"synthetic corpus: unknown kind {kind!r}; use one of {', '.join(KINDS)}")
    if sorted(counts) != sorted(_SPLITS) or min(counts.values()) < 0:
        raise UserError(f"synthetic corpus: counts are {dict(counts)}; give a number for each of {', '.join(_SPLITS)}")
    index, shards = shard
    if not 0 <= index < shards:
        raise UserError(f"synthetic corpus: shard index {index} of {shards} shards; use 0 to {shards - 1}")
    draw = {
        "reviews": _draw_review,
        "general": _draw_general,
        "acceptability": _draw_acceptability,
        "errors": _draw_errors,
    }[kind]
    labels: Sequence[Label] = {
        "reviews": tuple(range(LEVELS)),
        "general": (None,),
        "acceptability": ("acceptable", "unacceptable"),
        "errors": tuple(ERRORS),
    }[kind]
    seen: set[str] = set()
    splits: dict[str, list[tuple[str, Label]]] = {}
    # The held-out splits come first: then they do not depend on how many training texts are asked for.
    for split in ("test", "dev", "train"):
        rng = random.Random(f"{kind}/{split}/{seed}")
        wanted = list(itertools.islice(itertools.cycle(labels), counts[split]))
        rng.shuffle(wanted)
        splits[split] = []
        for label in wanted:
            for _ in range(_PATIENCE):
                source, text = draw(rng, label)
                if zlib.crc32(source.encode()) % shards == index and source not in seen and text not in seen:
                    break
            else:
                raise UserError(
                    f"synthetic corpus: shard {index} of {shards} has too few distinct texts of kind {kind!r} "
                    f"for {sum(counts.values())}; ask for fewer texts or use fewer shards"
                )
            seen.update((source, text))
            splits[split].append((text, label))
    return {split: splits[split] for split in _SPLITS}


def _draw_review(rng: random.Random, label: Label) -> tuple[str, str]:
    assert isinstance(label, int)
    text = _fitting(lambda: Writer(rng).review(label))
    return text, text


def _draw_general(rng: random.Random, label: Label) -> tuple[str, str]:
    if rng.random() < 0.5:
        return _draw_review(rng, rng.randrange(LEVELS))
    text = _fitting(lambda: Writer(rng).report())
    return text, text


def _draw_acceptability(rng: random.Random, label: Label) -> tuple[str, str]:
    source, text = _draw_general(rng, None)
    return source, text if label == "acceptable" else corrupt(text, rng)


def _draw_errors(rng: random.Random, label: Label) -> tuple[str, str]:
    assert isinstance(label, str)
    while True:
        source, _ = _draw_general(rng, None)
        text = corrupt_by(label, source, rng)
        if text is not None:
            return source, text


def _fitting(write: Callable[[], str]) -> str:
    while True:
        text = write()
        if MIN_WORDS <= text.count(" ") + 1 <= MAX_WORDS:
            return text
