"""Reviews of the seeded grammar with two labels at once: what they are about, and how they judge it.

They are drawn as those of the kind ``reviews`` in ``texts``, but with every topic as often as any other, whatever the
level. The module is separate because corpora of ``texts`` must not be made again for it.
"""

import itertools
import random
import zlib
from collections.abc import Mapping

from lm_interpolation.data.synthetic.domains import DOMAINS
from lm_interpolation.data.synthetic.grammar import LEVELS, MAX_WORDS, MIN_WORDS, Writer
from lm_interpolation.jobs.runtime import UserError

_DOMAINS = {domain.things[0]: domain for domain in DOMAINS}

TOPICS = tuple(_DOMAINS)
"""Names of the topics: film, book, restaurant, hotel, album."""

# So many draws in a row without a new text of the shard, and the shard counts as exhausted.
_PATIENCE = 20_000


def generate_topics(
    counts: Mapping[str, int], seed: int, shard: tuple[int, int]
) -> dict[str, list[tuple[str, str, int]]]:
    """(text, topic, level) of one corpus, for each of the splits ``train``, ``dev`` and ``test``.

    ``counts`` gives the number of texts of each split. All pairs of a topic and a level 0..4 are equally frequent, to
    one text. All texts of a corpus are distinct. ``shard = (index, count)`` is that of ``texts.generate``: corpora of
    both with different indices of one count share no text. The same arguments give the same texts in every process, and
    dev and test do not depend on the number of training texts.

    Raises ``UserError`` for a shard index outside 0..count-1, or a shard that does not have enough distinct texts.
    """
    index, shards = shard
    if not 0 <= index < shards:
        raise UserError(f"synthetic corpus: shard index {index} of {shards} shards; use 0 to {shards - 1}")
    seen: set[str] = set()
    splits: dict[str, list[tuple[str, str, int]]] = {}
    # The held-out splits come first: then they do not depend on how many training texts are asked for.
    for split in ("test", "dev", "train"):
        rng = random.Random(f"topics/{split}/{seed}")
        pairs = itertools.cycle(itertools.product(TOPICS, range(LEVELS)))
        wanted = list(itertools.islice(pairs, counts[split]))
        rng.shuffle(wanted)
        splits[split] = []
        for topic, level in wanted:
            for _ in range(_PATIENCE):
                text = _draw(rng, topic, level)
                if zlib.crc32(text.encode()) % shards == index and text not in seen:
                    break
            else:
                raise UserError(
                    f"synthetic corpus: shard {index} of {shards} has too few distinct reviews about each topic for "
                    f"{sum(counts.values())}; ask for fewer texts or use fewer shards"
                )
            seen.add(text)
            splits[split].append((text, topic, level))
    return {split: splits[split] for split in ("train", "dev", "test")}


def _draw(rng: random.Random, topic: str, level: int) -> str:
    while True:
        writer = Writer(rng)
        # The writer has drawn a topic of its own, films twice as often as others.
        writer.domain = _DOMAINS[topic]
        writer.thing = rng.choice(writer.domain.things)
        text = writer.review(level)
        if MIN_WORDS <= text.count(" ") + 1 <= MAX_WORDS:
            return text
