"""A seeded grammar of short English reviews: the corpora of the embedded study, without a download.

Three kinds of text come out of one grammar over five domains (films, books, restaurants, hotels, records):

- ``reviews``: one or two sentences in five graded levels, 0 (very negative) .. 4 (very positive), as in SST;
- ``general``: half factual sentences, half reviews of every level, without a label;
- ``acceptability``: texts of both kinds, half of them corrupted, as in CoLA.

What a review begins with does not depend on its level ("The plot was", "I thought the acting"), so that a language
model that is prompted with such an opening can go on either way. Neighbouring levels share words ("decent" is 2 and 3),
and concessions speak both ways ("although the plot was weak, the acting was superb"), so that no classifier is perfect.
"""

import functools
import itertools
import random
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lm_interpolation.jobs.runtime import UserError

KINDS = ("reviews", "general", "acceptability")
LEVELS = 5
_SPLITS = ("train", "dev", "test")

# A length, in words, in which a text has something to say and fits a short training block.
_MIN_WORDS, _MAX_WORDS = 8, 22

# So many draws in a row without a new text of the shard, and the shard counts as exhausted (500 shards are safe).
_PATIENCE = 20_000

Label = str | int | None
_Bank = tuple[str, ...]
_Graded = tuple[_Bank, _Bank, _Bank, _Bank, _Bank]


def generate(
    kind: str, counts: Mapping[str, int], seed: int, shard: tuple[int, int]
) -> dict[str, list[tuple[str, Label]]]:
    """Texts of one corpus with their raw labels, for each of the splits ``train``, ``dev`` and ``test``.

    ``kind`` is one of ``KINDS``; the label is a level 0..4 (``reviews``, equally many of each), ``None`` (``general``)
    or ``"acceptable"`` / ``"unacceptable"`` (``acceptability``, half and half). ``counts`` gives the number of texts of
    each split. All texts of a corpus are distinct. ``shard = (index, count)`` keeps the texts whose source (the text
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
    draw = {"reviews": _draw_review, "general": _draw_general, "acceptability": _draw_acceptability}[kind]
    labels: Sequence[Label] = {
        "reviews": tuple(range(LEVELS)),
        "general": (None,),
        "acceptability": ("acceptable", "unacceptable"),
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
    text = _fitting(lambda: _Writer(rng).review(label))
    return text, text


def _draw_general(rng: random.Random, label: Label) -> tuple[str, str]:
    if rng.random() < 0.5:
        return _draw_review(rng, rng.randrange(LEVELS))
    text = _fitting(lambda: _Writer(rng).report())
    return text, text


def _draw_acceptability(rng: random.Random, label: Label) -> tuple[str, str]:
    source, text = _draw_general(rng, None)
    return source, text if label == "acceptable" else corrupt(text, rng)


def _fitting(write: Callable[[], str]) -> str:
    while True:
        text = write()
        if _MIN_WORDS <= text.count(" ") + 1 <= _MAX_WORDS:
            return text


# Words that several domains share -----------------------------------------------------------------------------------

_SLOTS: dict[str, _Bank] = {
    "city": ("Lisbon", "Oslo", "Prague", "Dublin", "Vienna", "Boston", "Naples", "Geneva"),
    "season": ("spring", "summer", "autumn", "winter"),
    "month": ("January", "March", "April", "June", "August", "October"),
    "year": tuple(str(year) for year in range(1990, 2010, 2)),
    "day": ("Monday", "Tuesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "time": ("morning", "afternoon", "evening"),
    "few": ("two", "three", "four", "five", "six"),
    "number": ("eight", "nine", "ten", "twelve", "twenty", "thirty", "forty"),
    "hour": ("six", "seven", "eight", "nine", "ten"),
    "language": ("French", "German", "Spanish", "Polish", "Italian"),
    "name": ("Anna Berg", "Peter Lang", "Maria Costa", "Tom Hill", "Clara Weber", "David Stone"),
    "family": (
        "a family",
        "a young teacher",
        "a retired sailor",
        "two brothers",
        "three students",
    ),
    "companion": ("a friend", "my sister", "my brother", "my parents", "a colleague", "our neighbours", "my wife"),
    "place": ("near the harbour", "on the main square", "by the river", "behind the station", "in the old town"),
}

# Five banks, very negative to very positive. Neighbours share words on purpose.
_ADJECTIVES: _Graded = (
    ("terrible", "awful", "dreadful", "horrible", "appalling", "atrocious", "unbearable", "abysmal", "pathetic", "dire",
     "hopeless", "miserable", "lousy", "pointless", "poor", "irritating", "lifeless"),
    ("weak", "dull", "disappointing", "forgettable", "bland", "uneven", "tired", "tiresome", "poor", "flat",
     "mediocre", "irritating", "tedious", "unremarkable", "lifeless", "unconvincing"),
    ("average", "ordinary", "acceptable", "passable", "adequate", "decent", "conventional", "unremarkable", "fine",
     "reasonable", "standard", "forgettable", "simple", "familiar", "modest", "mediocre", "solid"),
    ("good", "enjoyable", "pleasant", "agreeable", "charming", "solid", "decent", "satisfying", "engaging", "appealing",
     "nice", "fine", "lively", "impressive", "delightful", "likeable", "memorable"),
    ("superb", "excellent", "brilliant", "wonderful", "outstanding", "magnificent", "marvellous", "flawless",
     "stunning", "exceptional", "terrific", "delightful", "impressive", "splendid", "perfect", "memorable",
     "unforgettable"),
)  # fmt: skip

_INTENSIFIERS: _Graded = (
    ("utterly", "absolutely", "simply", "truly", "quite", "really"),
    ("rather", "quite", "fairly", "very", "really", "somewhat"),
    ("rather", "quite", "fairly", "somewhat", "mostly"),
    ("rather", "quite", "fairly", "very", "really", "mostly"),
    ("utterly", "absolutely", "simply", "truly", "quite", "really"),
)

# Complements of "to be", for any subject. {0}..{4}: an adjective of that level.
_COMPLEMENTS: _Graded = (
    ("nothing short of {0}", "anything but {4}", "far worse than {standard}", "much worse than {standard}",
     "as {0} as I have ever known", "impossible to enjoy", "not even {2}", "first {1} and then {0}",
     "{0} from beginning to end", "more {0} than I can say", "without any charm"),
    ("not very {3}", "hardly {3}", "not exactly {4}", "far from {4}", "worse than {standard}", "anything but {3}",
     "a little worse than {standard}", "less {3} than I had hoped", "not really worth the money", "without much charm",
     "{2} at best", "never more than {2}", "too {1} for me", "not as {3} as it should have been", "{2} but {1}"),
    ("neither {3} nor {1}", "no better than {standard}", "no worse than {standard}", "about as {3} as {standard}",
     "not bad but not {4} either", "{3} in parts and {1} in others", "much the same as {standard}", "{2} and no more",
     "at times {3} and at times {1}", "not {4} but not {0} either", "{3} enough", "half {3} and half {1}"),
    ("not bad at all", "not without charm", "far from {1}", "better than {standard}", "a little better than {standard}",
     "more {3} than I had hoped", "well worth the money", "{3}, if not {4}", "never {1}", "anything but {1}",
     "hardly ever {1}", "{3} enough to come back for", "not {4} but certainly {3}", "{2} at worst"),
    ("nothing short of {4}", "anything but {1}", "far better than {standard}", "much better than {standard}",
     "as {4} as I have ever known", "impossible to fault", "not only {3} but {4}", "never less than {4}",
     "{4} from beginning to end", "more {4} than I can say", "full of charm", "first {3} and then {4}"),
)  # fmt: skip

_STANDARD = ("I had expected", "the last time", "the reviews suggest", "anyone would expect", "what we were promised")

# Predicates: a verb with what precedes and follows it.
_PREDICATES: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (("", "fail", "on every level"), ("", "insult", "good taste"), ("", "ruin", "everything"),
     ("", "collapse", "completely"), ("never", "work", "for a single minute"), ("", "deserve", "no praise at all"),
     ("", "offer", "nothing to enjoy"), ("", "waste", "everyone's time"), ("", "leave", "me angry")),
    (("", "fall", "flat"), ("", "fail", "to convince"), ("never quite", "work", ""), ("", "lack", "energy"),
     ("", "deserve", "little praise"), ("", "offer", "little to enjoy"), ("", "leave", "me cold"),
     ("rarely", "rise", "above the average"), ("", "miss", "the mark"), ("", "disappoint", "in the end")),
    (("", "do", "the job"), ("", "break", "no new ground"), ("", "offer", "few surprises"), ("sometimes", "work", ""),
     ("", "leave", "me with mixed feelings"), ("", "work", "in some places only"), ("", "deserve", "some praise"),
     ("", "offer", "something to enjoy"), ("rarely", "rise", "above the average"),
     ("", "fall", "somewhere in between")),
    (("", "work", "well"), ("mostly", "work", ""), ("", "offer", "much to enjoy"), ("", "deserve", "praise"),
     ("", "leave", "me content"), ("", "hold", "together nicely"), ("often", "rise", "above the average"),
     ("", "offer", "something to enjoy"), ("", "please", "nearly everyone"), ("", "deserve", "a second look")),
    (("", "succeed", "on every level"), ("", "delight", "the senses"), ("", "shine", "from the start"),
     ("never", "disappoint", ""), ("", "work", "perfectly"), ("", "deserve", "the highest praise"),
     ("", "offer", "everything to enjoy"), ("", "exceed", "every expectation"),
     ("", "leave", "me speechless with joy")),
)  # fmt: skip

# "I <feeling> the plot"; the subject may also be "we", so no form of "to be".
_FEELINGS: _Graded = (
    ("hated", "despised", "could not stand", "truly disliked", "detested", "regretted", "felt insulted by"),
    ("disliked", "did not like", "soon lost interest in", "had hoped for more from", "felt bored by", "regretted",
     "did not care for", "could have done without"),
    ("did not mind", "had no strong feelings about", "could live with", "neither liked nor disliked", "half enjoyed",
     "had mixed feelings about", "did not dislike"),
    ("enjoyed", "liked", "appreciated", "did not dislike", "felt pleased with", "admired", "had no trouble with",
     "quite enjoyed"),
    ("loved", "adored", "greatly admired", "truly enjoyed", "could not get enough of", "could not fault", "treasured"),
)  # fmt: skip

_MANNERS: _Graded = (
    ("without any skill", "with no talent at all", "terribly", "as badly as possible", "with open contempt"),
    ("with little skill", "without much care", "rather badly", "with no great talent", "clumsily"),
    ("with some skill", "in the usual way", "well enough", "with more care than talent", "neither well nor badly"),
    ("with real skill", "with some skill", "with care", "rather well", "with a light touch"),
    ("with great skill", "with rare talent", "beautifully", "as well as possible", "with perfect control"),
)

_AMOUNTS: _Graded = (
    ("nothing to like", "nothing at all to praise", "not a single reason to smile", "no sign of care"),
    ("little to like", "not much to praise", "less to enjoy than I had hoped", "hardly any sign of care"),
    ("something to like and something to regret", "as much to like as to dislike", "not much to praise or to regret",
     "a little to enjoy"),
    ("much to like", "quite a lot to enjoy", "more to like than to regret", "some sign of care", "a little to enjoy"),
    ("everything to like", "so much to praise", "every reason to smile", "every sign of care"),
)  # fmt: skip

_RANKS: _Graded = (
    ("one of the worst", "easily the worst", "among the very worst"),
    ("one of the weaker", "not one of the better", "among the weakest"),
    ("neither one of the best nor one of the worst", "not one of the great", "somewhere among the average"),
    ("one of the better", "not one of the weaker", "among the more pleasant"),
    ("one of the best", "easily one of the finest", "among the very best"),
)

_ADVICE: _Graded = (
    ("I would recommend it to nobody", "It is not worth a single penny", "I want my money back", "Stay away from it",
     "I will never do this again", "We left as early as we could", "I cannot think of one good thing to say",
     "It made me angry"),
    ("I would recommend it to few people", "It is hardly worth the trouble", "I had hoped for more",
     "I was rather bored", "I will not do this again soon", "We left a little early",
     "There are better ways to spend an evening",
     "It made me yawn"),
    ("I would recommend it to some people", "It is worth the trouble on a slow day", "I had expected no more",
     "I may or may not do this again", "Some will like it and others will not", "We did not stay long",
     "There are better ones and there are worse ones", "It made no great difference to me"),
    ("I would recommend it to most people", "It is worth the trouble", "I had expected less", "I was glad to be there",
     "I will gladly do this again", "We stayed a little longer", "There are worse ways to spend an evening",
     "It made me smile"),
    ("I would recommend it to everyone", "It is worth every single penny", "I could not ask for more", "Do not miss it",
     "I will do this again as soon as I can", "We stayed as long as we could", "I cannot think of one bad thing to say",
     "It made me happy"),
)  # fmt: skip

_REACTIONS: _Graded = (
    ("hate", "despise", "complain about"),
    ("dislike", "forget", "complain about", "see little in"),
    ("accept", "forget", "shrug at", "argue about"),
    ("like", "enjoy", "accept", "see much in"),
    ("love", "adore", "rave about"),
)

# Levels of (concession, main clause); the main clause decides mostly, but not always.
_CONTRASTS: tuple[tuple[tuple[int, int], ...], ...] = (
    ((2, 0), (3, 0), (3, 0), (4, 0)),
    ((2, 1), (3, 1), (4, 1), (3, 0)),
    ((1, 3), (3, 1), (3, 2), (1, 2), (4, 1), (0, 3)),
    ((1, 3), (2, 3), (0, 3), (1, 4)),
    ((2, 4), (1, 4), (1, 4), (0, 4)),
)

_OPENERS = (
    "overall", "to be honest", "in the end", "all in all", "on the whole", "in my opinion", "for me", "this time",
    "looking back", "as far as I can tell", "in short", "if you ask me",
)  # fmt: skip
_TAILS = ("in my opinion", "as far as I can tell", "at least for me", "on the whole", "this time", "if you ask me")


@dataclass(frozen=True)
class _Domain:
    """What one domain of reviews talks about. Templates may use ``_SLOTS`` and {thing}."""

    things: _Bank  # what is reviewed: singular, countable
    parts: _Bank  # its aspects: singular, countable
    masses: _Bank  # aspects without a plural or an indefinite article
    plurals: _Bank
    people: _Bank
    works: _Bank  # what the people do with an aspect, plural present
    audience: _Bank
    where: str  # "the plot <where> this film"
    adjectives: _Graded  # besides the general ones; true of the thing and of all aspects
    moments: _Bank  # adverbials
    asides: _Bank  # relative clauses about the thing, in the present
    visits: _Bank  # how the reviewer came by the thing, in the past
    facts: _Bank

    @functools.cached_property
    def graded(self) -> _Graded:
        low, poor, middle, fair, high = (a + b for a, b in zip(_ADJECTIVES, self.adjectives, strict=True))
        return low, poor, middle, fair, high


_FILM = _Domain(
    things=("film", "movie", "comedy", "drama", "thriller", "sequel", "documentary"),
    parts=("plot", "script", "soundtrack", "ending", "cast", "opening scene", "story"),
    masses=("acting", "pacing", "dialogue", "camera work", "humour"),
    plurals=("characters", "performances", "jokes", "special effects", "costumes", "action scenes"),
    people=("director", "writer", "lead actor"),
    works=("handle", "treat", "approach"),
    audience=("viewers", "critics", "people"),
    where="in",
    adjectives=(
        ("incoherent", "laughable"),
        ("predictable", "clumsy", "shallow"),
        ("predictable", "harmless"),
        ("funny", "moving"),
        ("gripping", "moving"),
    ),
    moments=(
        "in the first half",
        "in the second half",
        "in the final scene",
        "after the first hour",
        "on a big screen",
    ),
    asides=(
        "which is set in {city}",
        "which runs for {few} hours",
        "which was shot in {city}",
        "which follows {family}",
        "which opens in {month}",
    ),
    visits=(
        "I watched the {thing} with {companion} on a {day} {time}",
        "we saw the {thing} at a small cinema in {city}",
        "I saw the {thing} in {month} after a long day at work",
        "we watched the {thing} at home with {companion}",
    ),
    facts=(
        "the {thing} was shot in {city} in the {season} of {year}",
        "the {thing} runs for {few} hours and opens in {month}",
        "the {thing} is set in {city} and follows {family}",
        "the plot follows {family} on a journey to {city}",
        "the story begins in {city} in the {season} of {year}",
        "the soundtrack was recorded in {city} by a small orchestra",
        "the script is based on a novel by {name}",
        "the script was written by {name} in {year}",
        "the acting was praised and criticised by the papers in {city}",
        "the cast includes {number} students from {city}",
        "the ending was shot in {month} at a small studio {place}",
        "the costumes were made in {city} by {name}",
        "the director was born in {city} and studied in {language}",
        "the dialogue is in {language} for the first {number} minutes",
        "the characters are {few} students who live {place}",
    ),
)

_BOOK = _Domain(
    things=("book", "novel", "memoir", "biography", "collection"),
    parts=("plot", "story", "ending", "premise", "first chapter", "translation", "style"),
    masses=("prose", "dialogue", "pacing", "writing"),
    plurals=("characters", "chapters", "descriptions", "ideas", "illustrations"),
    people=("author", "narrator", "editor"),
    works=("handle", "treat", "approach"),
    audience=("readers", "critics", "people"),
    where="in",
    adjectives=(
        ("incoherent", "unreadable"),
        ("predictable", "clumsy", "shallow"),
        ("predictable", "harmless"),
        ("thoughtful", "moving"),
        ("gripping", "moving"),
    ),
    moments=(
        "in the first part",
        "in the second half",
        "after the first chapter",
        "by the last page",
        "on a second reading",
    ),
    asides=(
        "which is set in {city}",
        "which has {number} chapters",
        "which was written in {language}",
        "which follows {family}",
        "which came out in {month}",
    ),
    visits=(
        "I read the {thing} on the train to {city}",
        "we read the {thing} in our book club in {month}",
        "I borrowed the {thing} from {companion} last {season}",
        "I bought the {thing} on a {day} {time} in {city}",
    ),
    facts=(
        "the {thing} was published in {city} in the {season} of {year}",
        "the {thing} has {number} chapters and was written in {language}",
        "the {thing} is set in {city} and follows {family}",
        "the plot follows {family} through the {season} of {year}",
        "the story takes place in a house {place}",
        "the translation from {language} is by {name}",
        "the illustrations were drawn by {name} in {year}",
        "the first chapter was printed in a paper in {city} in {month}",
        "the author was born in {city} and wrote the {thing} in {few} months",
        "the characters are {few} sisters from {city}",
        "the ending was changed by {name} in {year}",
        "the prose was translated from {language} in {year}",
        "the chapters are named after the days of the week",
    ),
)

_RESTAURANT = _Domain(
    things=("restaurant", "bistro", "bakery", "tavern"),
    parts=("menu", "wine list", "main course", "soup", "buffet", "atmosphere", "kitchen"),
    masses=("service", "food", "bread", "coffee"),
    plurals=("starters", "vegetables", "portions", "prices", "desserts", "salads"),
    people=("chef", "waiter", "owner"),
    works=("present", "handle", "plan"),
    audience=("guests", "locals", "people"),
    where="at",
    adjectives=(
        ("shocking", "disgusting"),
        ("overpriced", "shabby"),
        ("basic", "plain"),
        ("inviting", "cosy"),
        ("inviting", "divine"),
    ),
    moments=("at lunch", "at dinner", "on a busy night", "on our first visit", "on our second visit"),
    asides=(
        "which opened in {month}",
        "which lies {place}",
        "which belongs to {name}",
        "which has {number} tables",
        "which opens at {hour}",
    ),
    visits=(
        "we had dinner at the {thing} with {companion} on a {day}",
        "I went to the {thing} on a {day} {time} in {month}",
        "we booked a table at the {thing} for {few} people",
        "I came to the {thing} with {companion} after work",
    ),
    facts=(
        "the {thing} opened in {month} and has {number} tables",
        "the {thing} lies {place} and opens at {hour} in the {time}",
        "the {thing} was founded by {name} in the {season} of {year}",
        "the menu changes in {month} and lists {number} dishes",
        "the wine list has {number} bottles from the hills near {city}",
        "the bread is baked at {hour} in the {time} {place}",
        "the coffee is roasted in {city} by {name}",
        "the vegetables are grown on a farm near {city}",
        "the food was served at {hour} by {few} students from {city}",
        "the service was included in the prices until {year}",
        "the chef was trained in {city} and came here in {year}",
        "the prices were printed in {language} on the first page",
        "the kitchen was closed for {few} weeks in {month}",
    ),
)

_HOTEL = _Domain(
    things=("hotel", "inn", "hostel", "resort", "guest house"),
    parts=("breakfast", "lobby", "view", "garden", "pool", "location", "bar"),
    masses=("service", "furniture", "food", "lighting"),
    plurals=("rooms", "beds", "bathrooms", "prices", "corridors", "meals"),
    people=("manager", "receptionist", "owner"),
    works=("manage", "present", "handle"),
    audience=("guests", "travellers", "people"),
    where="at",
    adjectives=(
        ("shocking", "disgusting"),
        ("overpriced", "shabby"),
        ("basic", "plain"),
        ("inviting", "cosy"),
        ("inviting", "luxurious"),
    ),
    moments=("in the morning", "at night", "on the first day", "on the last day", "by the end of the week"),
    asides=(
        "which opened in {month}",
        "which lies {place}",
        "which belongs to {name}",
        "which has {number} rooms",
        "which was built in {year}",
    ),
    visits=(
        "we stayed at the {thing} for {few} nights in {month}",
        "I spent {few} days at the {thing} with {companion}",
        "we came to the {thing} by train from {city}",
        "I booked the {thing} for a trip to {city} last {season}",
    ),
    facts=(
        "the {thing} was built in {year} and has {number} rooms",
        "the {thing} lies {place} and is {few} miles from the airport",
        "the {thing} was sold to {name} in the {season} of {year}",
        "the bar was on the second floor and had {few} windows",
        "the breakfast was served from {hour} in the {time} until noon",
        "the rooms are named after towns near {city}",
        "the lobby was painted by {name} in {year}",
        "the garden is closed from {month} until the {season}",
        "the service desk is open from {hour} in the {time}",
        "the beds were made in {city} in {year}",
        "the location is {few} miles from {city}",
        "the manager was born in {city} and speaks {language}",
        "the prices are the same in {month} and in the {season}",
    ),
)

_RECORD = _Domain(
    things=("album", "record", "recording", "debut"),
    parts=("sound", "opening song", "rhythm", "melody", "second half", "voice", "production"),
    masses=("singing", "music", "guitar work"),
    plurals=("lyrics", "songs", "arrangements", "solos", "vocals"),
    people=("singer", "drummer", "producer"),
    works=("handle", "treat", "approach"),
    audience=("listeners", "fans", "people"),
    where="on",
    adjectives=(
        ("deafening", "laughable"),
        ("predictable", "clumsy", "shallow"),
        ("predictable", "harmless"),
        ("catchy", "moving"),
        ("hypnotic", "moving"),
    ),
    moments=("in the first half", "towards the end", "after the first song", "at full volume", "on a good stereo"),
    asides=(
        "which was recorded in {city}",
        "which has {number} songs",
        "which was produced by {name}",
        "which came out in {month}",
        "which lasts {few} hours",
    ),
    visits=(
        "I heard the {thing} with {companion} on a {day} {time}",
        "we listened to the {thing} on the way to {city}",
        "I got the {thing} from {companion} in {month}",
        "we heard the {thing} in {city} last {season}",
    ),
    facts=(
        "the {thing} was recorded in {city} in the {season} of {year}",
        "the {thing} has {number} songs and was produced by {name}",
        "the {thing} came out in {month} and was played on the radio in {city}",
        "the songs were written by {name} in {year}",
        "the lyrics are in {language} and were printed in {city}",
        "the opening song was first heard in {city} in {year}",
        "the singer was born in {city} and plays {few} instruments",
        "the singing was recorded at {hour} in the {time}",
        "the music was played by {few} students from {city}",
        "the second half was recorded in {month} at a small studio {place}",
        "the sound was mixed by {name} in {city}",
        "the drummer joined the band in the {season} of {year}",
    ),
)

_DOMAINS = (_FILM, _FILM, _BOOK, _RESTAURANT, _HOTEL, _RECORD)  # films twice as often, as in a film review corpus

_TOWN_FACTS = (
    "the train to {city} leaves at {hour} on {day} {time}s",
    "the museum {place} opens at {hour} and closes in {month}",
    "the town has {number} schools and {few} bridges",
    "the weather in {city} was cold and dry in {month}",
    "{name} moved from {city} to the coast in the {season} of {year}",
    "the shop {place} sells maps and stamps on {day} {time}s",
    "the bus stops {place} at {hour} in the {time}",
)


class _Writer:
    """One text: its domain and tense are drawn once and kept throughout."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.domain = rng.choice(_DOMAINS)
        self.past = rng.random() < 0.6
        self.thing = rng.choice(self.domain.things)
        self.named = False  # whether the text has mentioned the thing, so that "it" can stand for it
        self.used: set[str] = set()

    def review(self, level: int) -> str:
        """A review of level 0..4."""
        roll = self.rng.random()
        if level == 2 and roll < 0.15:
            # Like SST, the middle level also has texts that do not judge at all.
            return _sentence(self.visit()) + " " + _sentence(self.fact())
        if roll < 0.12:
            return _sentence(self.visit()) + " " + self.judgement(level)
        if roll < 0.22:
            return _sentence(self.fact()) + " " + self.judgement(level)
        text = self.judgement(level)
        follow = self.rng.random()
        if follow < 0.22:
            return text + " " + _sentence(self.pick(_ADVICE[level]))
        if follow < 0.45 or text.count(" ") < _MIN_WORDS - 1:
            # The second sentence may be a little milder or stronger than the first one.
            near = min(max(level + self.rng.choice((-1, 1)), 0), LEVELS - 1) if self.rng.random() < 0.08 else level
            return text + " " + self.judgement(near)
        return text

    def report(self) -> str:
        """Factual sentences that judge nothing."""
        roll = self.rng.random()
        follow = self.rng.random()
        if roll < 0.2:
            return _sentence(self.visit()) + (" " + _sentence(self.fact()) if follow < 0.6 else "")
        facts = _TOWN_FACTS if roll < 0.32 else self.domain.facts
        first, second = self.fill(self.pick(facts)), self.fill(self.pick(facts))
        if follow < 0.35:
            return _sentence(first) + " " + _sentence(second)
        if follow < 0.7:
            return _sentence(f"{first}, {self.pick(('and', 'and', 'while'))} {second}")
        return _sentence(first)

    def judgement(self, level: int) -> str:
        """One sentence, with its full stop."""
        roll = self.rng.random()
        if roll < 0.12:
            body = self.contrast(level)
        elif roll < 0.38:
            body = f"{self.clause(level)}, and {self.statement(level)}"
        elif roll < 0.5:
            body = f"{self.clause(level)}, because {self.statement(level)}"
        else:
            body = self.clause(level)
            if self.rng.random() < 0.22:
                body += f", {self.pick(_TAILS)}"
        return _sentence(body)

    def contrast(self, level: int) -> str:
        low, high = self.rng.choice(_CONTRASTS[level])
        roll = self.rng.random()
        if roll < 0.45:
            return f"{self.clause(low)}, but {self.statement(high)}"
        if roll < 0.6:
            return f"although {self.statement(low)}, {self.statement(high)}"
        if roll < 0.75:
            return f"{self.clause(high)}, although {self.statement(low)}"
        if roll < 0.9:
            return f"{self.clause(high)} despite the {self.adjective(low)} {self.noun()[0]}"
        return f"{self.clause(low)}; still, {self.statement(high)}"

    def clause(self, level: int) -> str:
        """A main clause, perhaps after an adverbial that says nothing about the level."""
        roll = self.rng.random()
        if roll < 0.2:
            return f"{self.pick(_OPENERS)}, {self.core(level)}"
        if roll < 0.3:
            return f"{self.pick(self.domain.moments)}, {self.statement(level)}"
        return self.core(level)

    def core(self, level: int) -> str:
        form = self.rng.choices(
            (
                self.statement,
                self.opinion,
                self.feeling,
                self.verdict,
                self.person,
                self.amount,
                self.rank,
                self.surprise,
                self.reaction,
            ),
            (46, 14, 9, 8, 7, 4, 4, 4, 4),
        )[0]
        return form(level)

    def statement(self, level: int) -> str:
        """Subject and predicate, in the third person."""
        roll = self.rng.random()
        if roll < 0.1:
            adjective, (noun, plural) = self.graded_adjective(level), self.noun(countable=True)
            has = _conjugate("have", False, self.past)
            return f"{self.whole()} {has} {_indefinite(adjective, noun, plural)}"
        subject, plural = self.subject()
        if roll < 0.3:
            before, verb, after = self.rng.choice(_PREDICATES[level])
            return " ".join(part for part in (subject, before, _conjugate(verb, plural, self.past), after) if part)
        if roll < 0.36:
            return f"{subject} {_conjugate('seem', plural, self.past)} to be {self.complement(level)}"
        return f"{subject} {_be(plural, self.past)} {self.complement(level)}"

    def opinion(self, level: int) -> str:
        who, (subject, plural) = self.pick(("I", "I", "we")), self.subject()
        if self.rng.random() < 0.4:
            return f"{who} {self.pick(('found', 'considered'))} {subject} {self.complement(level)}"
        thought = self.pick(("thought", "felt", "thought that"))
        return f"{who} {thought} {subject} {_be(plural, True)} {self.complement(level)}"

    def feeling(self, level: int) -> str:
        return f"{self.pick(('I', 'I', 'we'))} {self.pick(_FEELINGS[level])} {self.subject()[0]}"

    def verdict(self, level: int) -> str:
        self.named = True
        it = f"{self.pick(('it', 'this'))} {_be(False, self.past)}"
        return f"{it} {_indefinite(self.graded_adjective(level), self.thing)}"

    def person(self, level: int) -> str:
        """What someone behind the thing does with one of its aspects."""
        person = self.pick(self.domain.people)
        if self.rng.random() < 0.4:
            adjective, (noun, plural) = self.adjective(level), self.noun(countable=True)
            return f"the {person} {_conjugate('offer', False, self.past)} us {_indefinite(adjective, noun, plural)}"
        work = _conjugate(self.pick(self.domain.works), False, self.past)
        return f"the {person} {work} the {self.noun()[0]} {self.pick(_MANNERS[level])}"

    def amount(self, level: int) -> str:
        return f"there {_be(False, self.past)} {self.pick(_AMOUNTS[level])} {self.domain.where} this {self.thing}"

    def rank(self, level: int) -> str:
        self.named = True
        rank = f"{self.pick(_RANKS[level])} {_plural(self.thing)} {self.pick(('of the year', 'of recent years'))}"
        return f"this {_be(False, self.past)} {rank}"

    def surprise(self, level: int) -> str:
        subject, plural = self.subject()
        struck = self.pick(("struck", "surprised"))
        return f"what {struck} me most was how {self.adjective(level)} {subject} {_be(plural, self.past)}"

    def reaction(self, level: int) -> str:
        who = f"{self.pick(('most', 'many', 'some'))} {self.pick(self.domain.audience)}"
        return f"{who} will {self.pick(_REACTIONS[level])} {self.subject()[0]}"

    def subject(self) -> tuple[str, bool]:
        """What the judgement is about, and whether it is plural."""
        roll = self.rng.random()
        if roll < 0.24:
            return self.whole(), False
        if roll < 0.31 and not self.named:
            return f"{self.whole()}, {self.fill(self.pick(self.domain.asides))},", False
        noun, plural = self.noun()
        if roll < 0.41:
            return f"the {noun} {self.domain.where} this {self.thing}", plural
        if roll < 0.48:
            return f"the {noun} and the {self.noun()[0]}", True
        return f"the {noun}", plural

    def whole(self) -> str:
        """The thing under review: by name first, "it" thereafter."""
        if self.named:
            return "it"
        self.named = True
        return f"{self.rng.choice(('the', 'the', 'this'))} {self.thing}"

    def noun(self, countable: bool = False) -> tuple[str, bool]:
        """An aspect that this text has not named yet, and whether it is plural."""
        domain = self.domain
        noun = self.pick(domain.parts + domain.plurals + (() if countable else domain.masses))
        return noun, noun in domain.plurals

    def complement(self, level: int) -> str:
        """What follows "to be": adjectives mostly, else negations, comparisons and the like."""
        if self.rng.random() < 0.8:
            if self.rng.random() < 0.2:
                return f"{self.adjective(level)} and {self.adjective(level)}"
            return self.graded_adjective(level)
        template = self.pick(_COMPLEMENTS[level])
        return re.sub(r"\{(\w+)\}", self._complement_slot, template)

    def _complement_slot(self, match: re.Match[str]) -> str:
        slot = match[1]
        return self.pick(_STANDARD) if slot == "standard" else self.adjective(int(slot))

    def graded_adjective(self, level: int) -> str:
        adjective = self.adjective(level)
        return f"{self.pick(_INTENSIFIERS[level])} {adjective}" if self.rng.random() < 0.35 else adjective

    def adjective(self, level: int) -> str:
        return self.pick(self.domain.graded[level])

    def visit(self) -> str:
        return self.fill(self.pick(self.domain.visits))

    def fact(self) -> str:
        return self.fill(self.pick(self.domain.facts))

    def fill(self, template: str) -> str:
        if self.named and template.startswith("the {thing}"):
            template = "it" + template.removeprefix("the {thing}")
        return re.sub(r"\{(\w+)\}", self._fact_slot, template)

    def _fact_slot(self, match: re.Match[str]) -> str:
        if match[1] == "thing":
            self.named = True
            return self.thing
        return self.pick(_SLOTS[match[1]])

    def pick(self, bank: _Bank) -> str:
        """One of the bank that the text has not used yet, if there is one."""
        for _ in range(4):
            word = self.rng.choice(bank)
            if word not in self.used:
                break
        self.used.add(word)
        return word


def _sentence(body: str) -> str:
    # A relative clause ends with a comma of its own, also before another mark.
    return body[0].upper() + re.sub(r",(?=[,;]|$)", "", body[1:]) + "."


def _be(plural: bool, past: bool) -> str:
    return ("were" if plural else "was") if past else ("are" if plural else "is")


def _plural(noun: str) -> str:
    return noun[:-1] + "ies" if noun.endswith("y") else noun + "s"


def _indefinite(adjective: str, noun: str, plural: bool = False) -> str:
    # By spelling: no word of the banks starts with a silent h or with a "you" sound.
    article = "" if plural else "an " if adjective[0] in "aeiou" else "a "
    return f"{article}{adjective} {noun}"


_IRREGULAR_PAST = {
    "break": "broke", "do": "did", "fall": "fell", "give": "gave", "have": "had", "hold": "held", "leave": "left",
    "rise": "rose", "shine": "shone",
}  # fmt: skip


@functools.cache
def _conjugate(verb: str, plural: bool, past: bool) -> str:
    """The third person of a verb."""
    if past:
        return _IRREGULAR_PAST.get(verb) or verb + ("d" if verb.endswith("e") else "ed")
    if plural:
        return verb
    if verb == "have":
        return "has"
    return verb + ("es" if verb.endswith(("o", "s", "sh", "ch", "x")) else "s")


# Corruption -----------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[\w'-]+|[^\w\s]")
_ENDS = frozenset(".!?")
_PROPER = frozenset(
    word for slot in ("city", "month", "day", "language", "name") for words in _SLOTS[slot] for word in words.split()
) | {"I"}
_COUNTABLE = frozenset(
    noun for domain in _DOMAINS for noun in domain.things + domain.people + domain.parts if " " not in noun
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
    tokens = _TOKEN.findall(text)
    for i in range(len(tokens)):
        if (i == 0 or tokens[i - 1] in _ENDS) and tokens[i] not in _PROPER:
            tokens[i] = tokens[i][0].lower() + tokens[i][1:]
    while True:
        corrupted = list(tokens)
        for _ in range(rng.choices((1, 2, 3), (0.2, 0.4, 0.4))[0]):
            _corrupt_once(corrupted, rng)
        result = _join(corrupted)
        if result != text:
            return result


def _corrupt_once(tokens: list[str], rng: random.Random) -> None:
    """Make one error in ``tokens``, in place: first the kind of error is drawn, then one of the places it can go to."""
    while True:
        fits, make = rng.choice(_ERRORS)
        places = [i for i in range(len(tokens) - 1) if fits(tokens, i)]
        if places:
            i = rng.choice(places)
            tokens[i : i + 2] = make(tokens[i], tokens[i + 1], rng)
            return


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


_ERRORS: tuple[_Error, ...] = (
    (_can_exchange, _exchange),
    (_can_drop_determiner, _drop),
    (_can_drop_verb, _drop),
    (_can_double, _double),
    (_can_insert, _insert),
    _replacement(_AGREEMENT),
    _replacement(_FORMS),
    _replacement(_PREPOSITIONS),
)


def _join(tokens: Sequence[str]) -> str:
    """The text of these tokens: sentences start with a capital, and no space precedes a punctuation mark."""
    text = ""
    for i, token in enumerate(tokens):
        starts = i == 0 or tokens[i - 1] in _ENDS
        text += " " if i > 0 and _is_word(token) else ""
        text += token[0].upper() + token[1:] if starts else token
    return text
