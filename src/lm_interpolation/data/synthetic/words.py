"""Words of the synthetic reviews that all domains share: places and people, judgements in five levels."""

import functools
from dataclasses import dataclass

Bank = tuple[str, ...]
Graded = tuple[Bank, Bank, Bank, Bank, Bank]

SLOTS: dict[str, Bank] = {
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
ADJECTIVES: Graded = (
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

INTENSIFIERS: Graded = (
    ("utterly", "absolutely", "simply", "truly", "quite", "really"),
    ("rather", "quite", "fairly", "very", "really", "somewhat"),
    ("rather", "quite", "fairly", "somewhat", "mostly"),
    ("rather", "quite", "fairly", "very", "really", "mostly"),
    ("utterly", "absolutely", "simply", "truly", "quite", "really"),
)

# Complements of "to be", for any subject. {0}..{4}: an adjective of that level.
COMPLEMENTS: Graded = (
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

STANDARD = ("I had expected", "the last time", "the reviews suggest", "anyone would expect", "what we were promised")

# Predicates: a verb with what precedes and follows it.
PREDICATES: tuple[tuple[tuple[str, str, str], ...], ...] = (
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
FEELINGS: Graded = (
    ("hated", "despised", "could not stand", "truly disliked", "detested", "regretted", "felt insulted by"),
    ("disliked", "did not like", "soon lost interest in", "had hoped for more from", "felt bored by", "regretted",
     "did not care for", "could have done without"),
    ("did not mind", "had no strong feelings about", "could live with", "neither liked nor disliked", "half enjoyed",
     "had mixed feelings about", "did not dislike"),
    ("enjoyed", "liked", "appreciated", "did not dislike", "felt pleased with", "admired", "had no trouble with",
     "quite enjoyed"),
    ("loved", "adored", "greatly admired", "truly enjoyed", "could not get enough of", "could not fault", "treasured"),
)  # fmt: skip

MANNERS: Graded = (
    ("without any skill", "with no talent at all", "terribly", "as badly as possible", "with open contempt"),
    ("with little skill", "without much care", "rather badly", "with no great talent", "clumsily"),
    ("with some skill", "in the usual way", "well enough", "with more care than talent", "neither well nor badly"),
    ("with real skill", "with some skill", "with care", "rather well", "with a light touch"),
    ("with great skill", "with rare talent", "beautifully", "as well as possible", "with perfect control"),
)

AMOUNTS: Graded = (
    ("nothing to like", "nothing at all to praise", "not a single reason to smile", "no sign of care"),
    ("little to like", "not much to praise", "less to enjoy than I had hoped", "hardly any sign of care"),
    ("something to like and something to regret", "as much to like as to dislike", "not much to praise or to regret",
     "a little to enjoy"),
    ("much to like", "quite a lot to enjoy", "more to like than to regret", "some sign of care", "a little to enjoy"),
    ("everything to like", "so much to praise", "every reason to smile", "every sign of care"),
)  # fmt: skip

RANKS: Graded = (
    ("one of the worst", "easily the worst", "among the very worst"),
    ("one of the weaker", "not one of the better", "among the weakest"),
    ("neither one of the best nor one of the worst", "not one of the great", "somewhere among the average"),
    ("one of the better", "not one of the weaker", "among the more pleasant"),
    ("one of the best", "easily one of the finest", "among the very best"),
)

ADVICE: Graded = (
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

REACTIONS: Graded = (
    ("hate", "despise", "complain about"),
    ("dislike", "forget", "complain about", "see little in"),
    ("accept", "forget", "shrug at", "argue about"),
    ("like", "enjoy", "accept", "see much in"),
    ("love", "adore", "rave about"),
)

# Levels of (concession, main clause); the main clause decides mostly, but not always.
CONTRASTS: tuple[tuple[tuple[int, int], ...], ...] = (
    ((2, 0), (3, 0), (3, 0), (4, 0)),
    ((2, 1), (3, 1), (4, 1), (3, 0)),
    ((1, 3), (3, 1), (3, 2), (1, 2), (4, 1), (0, 3)),
    ((1, 3), (2, 3), (0, 3), (1, 4)),
    ((2, 4), (1, 4), (1, 4), (0, 4)),
)

OPENERS = (
    "overall", "to be honest", "in the end", "all in all", "on the whole", "in my opinion", "for me", "this time",
    "looking back", "as far as I can tell", "in short", "if you ask me",
)  # fmt: skip
TAILS = ("in my opinion", "as far as I can tell", "at least for me", "on the whole", "this time", "if you ask me")


@dataclass(frozen=True)
class Domain:
    """What one domain of reviews talks about. Templates may use ``SLOTS`` and {thing}."""

    things: Bank  # what is reviewed: singular, countable
    parts: Bank  # its aspects: singular, countable
    masses: Bank  # aspects without a plural or an indefinite article
    plurals: Bank
    people: Bank
    works: Bank  # what the people do with an aspect, plural present
    audience: Bank
    where: str  # "the plot <where> this film"
    adjectives: Graded  # besides the general ones; true of the thing and of all aspects
    moments: Bank  # adverbials
    asides: Bank  # relative clauses about the thing, in the present
    visits: Bank  # how the reviewer came by the thing, in the past
    facts: Bank

    @functools.cached_property
    def graded(self) -> Graded:
        low, poor, middle, fair, high = (a + b for a, b in zip(ADJECTIVES, self.adjectives, strict=True))
        return low, poor, middle, fair, high
