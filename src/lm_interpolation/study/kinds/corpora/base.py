"""What every corpus declares, and the keys that sources share."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from annotated_types import MinLen
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.data.raw_values import Key, as_string, cell_keys, value_key
from lm_interpolation.study.kinds.base import (
    Cell,
    Count,
    Declaration,
    Fraction,
    Maybe,
    Name,
    NonNegativeInt,
    Problem,
    Scalar,
    Text,
)

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Corpus(Declaration):
    """Labelled or unlabelled texts, split into train, dev and test."""

    SCRIPT: ClassVar[str]
    """The script that makes it, below workflow/scripts."""
    EXECUTION: ClassVar[tuple[str, ...]] = ()
    """Keys of the study that say how the script runs, on which no result depends."""

    def class_names(self, config: "StudyConfig") -> list[str]:
        """Names of its classes, sorted; empty if it is unlabelled."""
        raise NotImplementedError

    def is_stream(self) -> bool:
        """Whether its training texts are read while a model trains instead of being stored."""
        return False

    def is_share(self) -> bool:
        """Whether it is a part of another corpus; its job then reads that corpus' stored splits."""
        return False

    def joined_corpora(self) -> list[str]:
        """The corpora that are its classes, in the order of the classes' names; its job reads their stored splits."""
        return []

    def input_files(self) -> list[str]:
        """Files outside the study that its job depends on (the newest of many documents); none if it is on the hub."""
        return []

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        """(key path, path) of files that must exist before anything runs (some of many documents).

        ``key`` is the key path of the corpus. Raises ``UserError`` for a folder or glob without files.
        """
        yield from ()

    def downloads(self) -> "Downloads":
        """What its job and trainings on it download from the hub."""
        return Downloads()

    def settings(self, name: str, config: "StudyConfig") -> dict[str, Any]:
        """Settings of its job: exactly the arguments of its script; ``name`` is its name in the study."""
        raise NotImplementedError

    def resolved(self, name: str, config: "StudyConfig") -> dict[str, Any]:
        """What the resolved configuration says of it beside its keys; ``name`` is its name in the study."""
        return {}


Corpora = Mapping[str, Corpus]
"""All corpora of a study by their names, in the order of their declaration."""


class Downloads(NamedTuple):
    """Downloads from the hub, each entry in JSON form."""

    files: tuple[Mapping[str, Any], ...] = ()
    """``id`` and ``revision`` of a dataset's repository, ``patterns`` of names in it, and the ``key`` that says so.

    Where ``text`` (a column) is given, trainings read these files as a stream.
    """
    datasets: tuple[Mapping[str, Any], ...] = ()
    """``id``, ``revision``, ``config`` (None: the only one) and ``splits`` of what ``load_dataset`` reads."""


class Limit(Declaration):
    """Random subsets."""

    train: Maybe[Count] = Field(default=None, description="Number of training texts.")
    dev: Maybe[Count] = Field(default=None, description="Number of development texts, used to watch and select.")
    test: Maybe[Count] = Field(default=None, description="Number of test texts, used to report.")


class Fractions(Declaration):
    """Shares of train that become other splits."""

    dev: Maybe[Fraction] = Field(default=None, description="Share of the development split.")
    test: Maybe[Fraction] = Field(default=None, description="Share of the test split.")


Classes = Annotated[dict[Name, Annotated[list[Scalar], MinLen(1)]], MinLen(1)]


def _known_encoding(encoding: str) -> str:
    try:
        b"a".decode(encoding, "ignore")
    except (LookupError, ValueError):
        words = f": Python has no text encoding {encoding!r}; give one as utf-8, cp1252 or utf-16"
        raise PydanticCustomError("words", words.replace("{", "{{").replace("}", "}}")) from None
    return encoding


Encoding = Annotated[str, AfterValidator(_known_encoding)]
"""A codec for text, as Python calls it."""
ENCODING = "Encoding of the text, as Python calls it; by default utf-8."


class Source(Corpus):
    """A corpus that is read from a source. Its script reads the texts; shared steps make the splits."""

    LABELS: ClassVar[str] = "its `label` column"
    """What to name so that texts have labels, for messages."""

    source: str = Field(description="The kind of data that the corpus is read from.")
    classes: Maybe[Classes] = Field(
        default=None,
        description=(
            "Class name to its raw labels. A raw label that belongs to no class is an error, unless its rows are "
            "dropped. For sst the default is negative [0, 1], neutral [2], positive [3, 4]."
        ),
    )
    drop: Maybe[dict[str, Annotated[list[Cell], MinLen(1)]]] = Field(
        default=None,
        description=(
            "Column name to values; rows with one of these values are left out. A value that no row has is an error."
        ),
    )
    replace: Maybe[dict[str, str]] = Field(default=None, description="Literal replacements in every text.")
    max_words: Maybe[Count] = Field(
        default=None, description="Split each text at sentence ends into pieces of at most this many words."
    )
    min_words: Maybe[Count] = Field(
        default=None, description="Leave out texts, or pieces, of fewer words, such as headings."
    )
    fractions: Maybe[Fractions] = Field(
        default=None, description="Shares of train that become the splits without files of their own."
    )
    limit: Maybe[Limit] = Field(default=None, description="Take a random subset of this many texts of a split.")
    seed: NonNegativeInt = Field(default=0, description="Seed of the split, the subset and the synthetic generator.")

    # The contents of its files.

    def text_column(self) -> str:
        """The column of the texts."""
        return "text"

    def label_column(self) -> str | None:
        """The column of the labels; None if there are none."""
        return None

    def raw_classes(self) -> Mapping[str, Sequence[Any]]:
        """Class name to its raw labels; empty if it is unlabelled."""
        return self.classes or {}

    def own_splits(self) -> Collection[str]:
        """The splits that have data of their own."""
        raise NotImplementedError

    # For the plan.

    def class_names(self, config: "StudyConfig") -> list[str]:
        return sorted(self.raw_classes())

    def settings(self, name: str, config: "StudyConfig") -> dict[str, Any]:
        """``corpus``: its keys in the study, and the resulting columns and classes (see ``steps.make_corpus``)."""
        corpus = {key: value for key, value in self.plain().items() if key != "source"}
        corpus["text"] = self.text_column()
        if (label := self.label_column()) is not None:
            corpus |= {"label": label, "classes": dict(self.raw_classes())}
        if self.replace is not None:
            corpus["replace"] = list(self.replace.items())
        return {"corpus": corpus}

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from self.label_problems()
        yield from self.fraction_problems()
        if self.min_words is not None and self.max_words is not None and self.min_words > self.max_words:
            yield "min_words", f"is more than max_words, {self.max_words}, so no text would be left; lower it"

    def label_problems(self) -> Iterator[Problem]:
        """Labels and classes that contradict each other."""
        classes, column = self.raw_classes(), self.label_column()
        if classes and column is None:
            yield "classes", f"the source has no labels; name {self.LABELS} or remove this key"
        if not classes and column is not None:
            yield "classes", f"missing; map the values of {column!r} to classes or take no labels"
        class_of_label: dict[Key, str] = {}
        # Two labels are the same if one cell could match both.
        class_of_cell: dict[Key, str] = {}
        for name, labels in classes.items():
            for label in labels:
                cells = cell_keys(label, untyped=True)
                known = [class_of_cell.get(value_key(label)), *map(class_of_label.get, cells)]
                other = next((found for found in known if found not in (None, name)), None)
                if other is not None:
                    yield f"classes.{name}", f"label {as_string(label)} is also in {other}; keep it in one class"
                class_of_label[value_key(label)] = name
                class_of_cell |= dict.fromkeys(cells, name)

    def fraction_problems(self) -> Iterator[Problem]:
        """Splits that do not have exactly one of data of their own and a fraction of train."""
        own = self.own_splits()
        fractions = {} if self.fractions is None else self.fractions.plain()
        for split in fractions:
            if split in own:
                yield f"fractions.{split}", "the split has data of its own; remove one of the two"
        if sum(fractions.values()) >= 1:
            yield "fractions", f"they sum to {sum(fractions.values()):g}; leave some of train to train"
        for split in SPLITS:
            if split not in own and (split == "train" or split not in fractions):
                remedy = "give it data" if split == "train" else f"give it data, or add fractions.{split}"
                yield "", f"no source for the {split} split; {remedy}"


class Pair(Declaration):
    """A second text, which is put behind the first."""

    column: str = Field(description="Column of the second text.")
    between: Text = Field(
        description="What stands between both texts, such as </s></s>, which RoBERTa's tokenizer puts there."
    )


class Columns(Source):
    """A source of tables; the study names their columns."""

    text: str = Field(description="Column of the text.")
    pair: Maybe[Pair] = Field(
        default=None, description="A second text, for corpora of pairs: it is put behind the first."
    )
    label: Maybe[str] = Field(default=None, description="Column of the label; leave it out for an unlabelled corpus.")

    def text_column(self) -> str:
        return self.text

    def label_column(self) -> str | None:
        return self.label

    def needed_columns(self) -> list[str]:
        """All columns that are read."""
        label, pair = self.label_column(), [self.pair.column] if self.pair else []
        return list(dict.fromkeys([self.text_column(), *pair, *([label] if label else []), *(self.drop or {})]))

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if self.pair is not None and self.max_words is not None:
            yield "max_words", "would cut pairs of texts apart; remove it"
