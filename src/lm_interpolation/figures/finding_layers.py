"""What a figure of layers shows: which blocks and kinds keep or lose most of the gain."""

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from lm_interpolation.figures.layers_data import read_layers, select_layers
from lm_interpolation.figures.phrases import Value, apart
from lm_interpolation.scores.judges import Judge

_WORDS = {
    "graft": "Grafted alone onto the base, these keep most of the gain",
    "reset": "Reset alone in the model, these lose most of it",
}


def find_layers(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    statistic: str,
    class_name: str | None,
) -> list[str]:
    """The gain, then a sentence per mode: the block, the kind and the cell with the largest share."""
    table = read_layers(paths[0])
    rows = select_layers(table, statistic, class_name)
    chosen = table[(table["statistic"] == statistic) & (table["class"] == (class_name or ""))]
    whole = chosen[chosen["group"] == "whole"]
    model, base = (Value.of(whole[whole["mode"] == mode].iloc[0]) for mode in _WORDS)
    found = [f"{statistic} of the model {model}, of the base {base}."]
    for mode, words in _WORDS.items():
        told = []
        for group, name in (("block", "block {layer}"), ("kind", "{kind}"), ("cell", "{kind} {where}")):
            part = rows[(rows["mode"] == mode) & (rows["group"] == group)]
            if len(part):
                told.append(_largest(part, name))
        if told:
            found.append(f"{words}: {'; '.join(told)}.")
    marked = "Numbers in brackets, or cells with a dot where there are many blocks, have an interval that includes 0."
    return [*found, marked]


def _largest(part: pd.DataFrame, name: str) -> str:
    ordered = part.sort_values("estimate", ascending=False, kind="stable")
    first = ordered.iloc[0]
    where = "outside blocks" if pd.isna(first["layer"]) else f"of block {first['layer']}"
    told = f"{name.format(layer=first['layer'], kind=first['kind'], where=where)} {Value.of(first)}"
    if len(ordered) == 1:
        return told
    clear = apart(Value.of(first), Value.of(ordered.iloc[1]), among=len(ordered))
    return told if clear else f"{told}, not apart from the next beyond chance"
