"""A corpus whose classes are other corpora."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.data.steps import Document, Remedies, frames, subset

if TYPE_CHECKING:
    import pandas as pd


def load_joined(
    corpus: Mapping[str, Any], name: str, parents: Mapping[str, Sequence[str | Path]]
) -> dict[str, "pd.DataFrame"]:
    """The corpora of a resolved ``classes_from`` entry as classes of one, whatever labels they have themselves.

    ``parents`` has the files of each split, one for each class in the order of their names. The result has the columns
    of ``make_corpus``: the classes follow one another in that order, the texts of each in the order of its corpus;
    ``row`` is the row there, plus a number that keeps the rows of the corpora apart.
    Of a split with a limit, ``shares_of_classes`` are taken at random; a smaller subset is part of a larger one. Raises
    ``UserError`` for a class or split without texts.
    """
    classes, limits, seed = sorted(corpus["classes_from"]), corpus.get("limit", {}), corpus["seed"]
    texts: dict[str, list[Document]] = {}
    sources = {}
    for split in SPLITS:
        found = _classes_of(parents[split], classes)
        counts = list(map(len, found))
        sizes = shares_of_classes(counts, limits.get(split, sum(counts)))
        texts[split] = [
            documents[i]
            for class_name, documents, size in zip(classes, found, sizes, strict=True)
            for i in subset(len(documents), size, f"{seed} limit {split} {class_name}")
        ]
        sources[split] = f" of {sum(counts)}"
    settings = {"classes": {class_name: [class_name] for class_name in classes}}
    return frames(texts, settings, name, sources, _REMEDIES)


def shares_of_classes(counts: Sequence[int], limit: int) -> list[int]:
    """How many texts of each class to take, at most ``limit`` together, of ``counts`` that there are.

    As many of each class as far as it has them; what does not divide evenly goes to the first ones. With a higher limit
    no class gets fewer.
    """

    def taken(level: int) -> int:
        return sum(min(count, level) for count in counts)

    levels = range(max(counts) + 1)
    level = bisect_right(levels, limit, key=taken) - 1
    sizes = [min(count, level) for count in counts]
    for index, count in enumerate(counts):
        if count > level and sum(sizes) < limit:
            sizes[index] += 1
    return sizes


def _classes_of(paths: Sequence[str | Path], classes: Sequence[str]) -> list[list[Document]]:
    """The texts of each class, from the file of its corpus; no two corpora have a row in common."""
    found: list[list[Document]] = []
    first = 0
    for class_name, path in zip(classes, paths, strict=True):
        columns = read_parquet(path, ["row", "text"]).to_pydict()
        rows = columns["row"]
        found.append([Document(first + row, text, class_name) for row, text in zip(rows, columns["text"], strict=True)])
        first += max(rows, default=-1) + 1
    return found


_REMEDIES = Remedies(
    "{key}: no text in the {split} split; add texts to its corpora",
    "{key}: no text of class {name} in the {split} split; give it a larger limit, or add texts to its corpus",
)
