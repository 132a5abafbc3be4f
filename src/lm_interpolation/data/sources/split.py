"""A part of another corpus: the shares of one corpus have no text in common."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.data.shares import bounds, places
from lm_interpolation.data.steps import SPLITS, Document, Remedies, frames

if TYPE_CHECKING:
    import pandas as pd


def load_share(corpus: Mapping[str, Any], name: str, parent: Mapping[str, str | Path]) -> dict[str, "pd.DataFrame"]:
    """The part of another corpus that a resolved ``split_from`` entry takes; ``parent`` has the file of each split.

    The result has the columns of ``make_corpus``; ``row`` is the row in the parent. Which texts come to which share
    depends on the parent alone (``shares.places``). Raises ``UserError`` for a class or split without texts.
    """
    rows: dict[str, list[tuple[int, str, str | None]]] = {}
    for split in SPLITS:
        columns = read_parquet(parent[split], ["row", "text", "label"]).to_pydict()
        rows[split] = list(zip(columns["row"], columns["text"], columns["label"], strict=True))
    found = places(rows)
    begin, end = bounds(corpus)
    texts, sources = {}, {}
    for split in SPLITS:
        placed = zip(found[split], rows[split], strict=True)
        texts[split] = [Document(*row) for place, row in placed if begin <= place < end]
        part = len(texts[split]) / len(rows[split])
        sources[split] = f" ({part:.1%} of the {len(rows[split])} of {corpus['split_from']})"
    return frames(texts, corpus, name, sources, _remedies(corpus["split_from"]))


def _remedies(parent: str) -> Remedies:
    return Remedies(
        "{key}: no text in the {split} split; give it a larger share",
        "{key}: no text of class {name} in the {split} split; give it a larger share or limit, or add texts to "
        + parent,
    )
