"""The grammar of the synthetic reviews: how a text of one domain, tense and level is put together."""

import functools
import random
import re

from lm_interpolation.data.synthetic.domains import DOMAINS, TOWN_FACTS
from lm_interpolation.data.synthetic.words import (
    ADVICE,
    AMOUNTS,
    COMPLEMENTS,
    CONTRASTS,
    FEELINGS,
    INTENSIFIERS,
    MANNERS,
    OPENERS,
    PREDICATES,
    RANKS,
    REACTIONS,
    SLOTS,
    STANDARD,
    TAILS,
    Bank,
)

LEVELS = 5

# A length, in words, in which a text has something to say and fits a short training block.
MIN_WORDS, MAX_WORDS = 8, 22


class Writer:
    """One text: its domain and tense are drawn once and kept throughout."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.domain = rng.choice(DOMAINS)
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
            return text + " " + _sentence(self.pick(ADVICE[level]))
        if follow < 0.45 or text.count(" ") < MIN_WORDS - 1:
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
        facts = TOWN_FACTS if roll < 0.32 else self.domain.facts
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
                body += f", {self.pick(TAILS)}"
        return _sentence(body)

    def contrast(self, level: int) -> str:
        low, high = self.rng.choice(CONTRASTS[level])
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
            return f"{self.pick(OPENERS)}, {self.core(level)}"
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
            before, verb, after = self.rng.choice(PREDICATES[level])
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
        return f"{self.pick(('I', 'I', 'we'))} {self.pick(FEELINGS[level])} {self.subject()[0]}"

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
        return f"the {person} {work} the {self.noun()[0]} {self.pick(MANNERS[level])}"

    def amount(self, level: int) -> str:
        return f"there {_be(False, self.past)} {self.pick(AMOUNTS[level])} {self.domain.where} this {self.thing}"

    def rank(self, level: int) -> str:
        self.named = True
        rank = f"{self.pick(RANKS[level])} {_plural(self.thing)} {self.pick(('of the year', 'of recent years'))}"
        return f"this {_be(False, self.past)} {rank}"

    def surprise(self, level: int) -> str:
        subject, plural = self.subject()
        struck = self.pick(("struck", "surprised"))
        return f"what {struck} me most was how {self.adjective(level)} {subject} {_be(plural, self.past)}"

    def reaction(self, level: int) -> str:
        who = f"{self.pick(('most', 'many', 'some'))} {self.pick(self.domain.audience)}"
        return f"{who} will {self.pick(REACTIONS[level])} {self.subject()[0]}"

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
        template = self.pick(COMPLEMENTS[level])
        return re.sub(r"\{(\w+)\}", self._complement_slot, template)

    def _complement_slot(self, match: re.Match[str]) -> str:
        slot = match[1]
        return self.pick(STANDARD) if slot == "standard" else self.adjective(int(slot))

    def graded_adjective(self, level: int) -> str:
        adjective = self.adjective(level)
        return f"{self.pick(INTENSIFIERS[level])} {adjective}" if self.rng.random() < 0.35 else adjective

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
        return self.pick(SLOTS[match[1]])

    def pick(self, bank: Bank) -> str:
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
