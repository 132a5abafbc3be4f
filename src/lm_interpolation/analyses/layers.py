"""What single layers and kinds of tensors contribute to a fine-tuned model.

Either the displacement of one group of tensors alone is added to the base (graft), or that of one group is taken out of
the fine-tuned model (reset). The loss on held-out texts says how much of the gain of fine-tuning the group brings by
itself, and how much is lost without it. The two differ where groups depend on each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.analyses.loss_tables import STATISTICS
from lm_interpolation.analyses.losses import encode_texts, text_losses
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.tensor_names import block_number, tensor_kind
from lm_interpolation.points.algebra import Method
from lm_interpolation.points.interpolation import WeightSpace

# Methods load their stages by name. Imported here, the stage's code is among what the table is set by.
from lm_interpolation.points.methods import scale
from lm_interpolation.statistics.inference import TAIL, bootstrap_ratio, ratios
from lm_interpolation.statistics.shares import Share

MODES = ("graft", "reset")
WHOLE, BLOCK, KIND, CELL = "whole", "block", "kind", "cell"
ALL = "all"
"""What ``kind`` is for all tensors of a block, or of the model."""
LAYER_COLUMNS = [
    *("group", "layer", "kind", "mode", "class", "statistic", "estimate", "low", "high"),
    *("share", "share_low", "share_high", "n_texts", "n_tokens"),
]
LAYER_VALUES = ["estimate", "low", "high", "share", "share_low", "share_high"]
"""The columns that ``tables.write_table`` rounds."""

OnDone = Callable[[int], object]


@dataclass(frozen=True)
class Group:
    """Some tensors: all of them (``whole``), a block, a kind, or a kind in a block or outside all blocks (``cell``)."""

    group: str
    layer: int | None
    kind: str
    tensors: tuple[str, ...]


def groups_of(names: Sequence[str]) -> list[Group]:
    """The groups of these tensors: the whole model, each block, each kind, each kind in each block and outside blocks.

    Blocks ascend; kinds are in the order of ``names``. Groups may have the same tensors.
    """
    cells: dict[tuple[int | None, str], list[str]] = {}
    for name in names:
        cells.setdefault((block_number(name), tensor_kind(name)), []).append(name)
    blocks = sorted({block for block, _ in cells if block is not None})
    kinds = list(dict.fromkeys(kind for _, kind in cells))
    found = [Group(WHOLE, None, ALL, tuple(names))]
    for block in blocks:
        found.append(Group(BLOCK, block, ALL, tuple(name for name in names if block_number(name) == block)))
    for kind in kinds:
        found.append(Group(KIND, None, kind, tuple(name for name in names if tensor_kind(name) == kind)))
    for (layer, kind), members in cells.items():
        found.append(Group(CELL, layer, kind, tuple(members)))
    return found


def layer_effects(
    space: WeightSpace,
    model: str,
    base: str,
    texts: Mapping[str, Sequence[str]],
    batch_size: int,
    resamples: int,
    seed: int,
    progress: OnDone | None = None,
) -> pd.DataFrame:
    """Losses of ``texts`` (class -> texts), in nats, with one group of tensors grafted or reset at a time.

    ``space`` holds ``model`` and ``base``. Columns: ``group``, ``layer`` (Int64, missing outside blocks), ``kind``,
    ``mode`` (graft: the base with the model's tensors of the group; reset: the model with the base's), ``class``,
    ``statistic`` (``nll_text`` or ``nll_token``), ``estimate``, ``low``, ``high``, ``share``, ``share_low``,
    ``share_high``, ``n_texts``, ``n_tokens``. The whole model grafted is ``model``, reset it is ``base``.

    ``share`` is that of the gain loss(base) - loss(model): kept by a graft, lost by a reset, so both are 1 for the
    whole model. Its 95 % interval is Fieller's over texts, missing where the gain does not differ from 0. Intervals of
    losses are those of tables. ``progress`` is called with the number of points done.

    Raises ``UserError`` if a text is too long or has no predicted token, or if a loss is NaN or infinite.
    """
    encoded = encode_texts(space.model, space.tokenizer, texts, batch_size)
    groups = groups_of(list(space.parameters(base)))
    points = [(group, mode) for group in groups for mode in MODES]
    nll = np.empty((len(encoded.ids), len(points)))
    seen: dict[tuple[str, tuple[str, ...]], int] = {}
    for index, (group, mode) in enumerate(points):
        known = seen.setdefault((mode, group.tensors), index)
        # A kind that is only in one place, such as the embedding, is a cell too.
        nll[:, index] = nll[:, known] if known != index else _losses(space, model, base, group, mode, encoded)
        if progress:
            progress(index + 1)
    rows = []
    begin = 0
    for class_name, members in texts.items():
        part = slice(begin, begin + len(members))
        begin += len(members)
        tokens = np.repeat(encoded.scored[part, None].astype(np.float64), len(points), axis=1)
        for statistic, counts in zip(STATISTICS, (np.ones_like(tokens), tokens), strict=True):
            rows += _rows(points, class_name, statistic, nll[part], counts, int(tokens[:, 0].sum()), resamples, seed)
    order = {point: index for index, point in enumerate(points)}
    rows.sort(key=lambda row: order[row["point"]])
    return pd.DataFrame(rows, columns=LAYER_COLUMNS).astype({"layer": "Int64"})


def _losses(space: WeightSpace, model: str, base: str, group: Group, mode: str, texts: Any) -> np.ndarray:
    inside, outside = (1, 0) if mode == "graft" else (0, 1)
    rules = [{"tensors": name, "factor": inside} for name in group.tensors]
    if group.group != WHOLE:
        rules.append({"tensors": "**", "factor": outside})
    stage = {"module": scale.__name__.rpartition(".")[2], "settings": {"rules": rules}}
    method = Method(mode, base, recipe={"stages": [stage]})
    space.add_method(method)
    space.set_point(method.point({model: 1}, {}))
    try:
        return text_losses(space.model, texts)
    except UserError as error:
        where = group.kind if group.layer is None else f"{group.kind} of block {group.layer}"
        raise UserError(f"{mode} of {where}: {error}") from None


def _rows(
    points: Sequence[tuple[Group, str]],
    class_name: str,
    statistic: str,
    nll: np.ndarray,
    counts: np.ndarray,
    tokens: int,
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    estimate, low, high = bootstrap_ratio(nll, counts, resamples, seed)
    values = ratios(nll, counts) if len(nll) > 1 else None
    whole = {mode: index for index, (group, mode) in enumerate(points) if group.group == WHOLE}
    model, base = whole["graft"], whole["reset"]
    rows = []
    for index, (group, mode) in enumerate(points):
        # From 0 to 1: for a graft from the base to the model, for a reset back.
        start, end = (base, model) if mode == "graft" else (model, base)
        share = share_low = share_high = np.nan
        if estimate[start] != estimate[end]:
            share = (estimate[index] - estimate[start]) / (estimate[end] - estimate[start])
            if values is not None:
                found = Share(values.take(np.array([start, index, end])))
                if found.clear():
                    share_low, share_high = found.limits(TAIL)
        rows.append(
            {
                "point": (group, mode),
                "group": group.group,
                "layer": group.layer,
                "kind": group.kind,
                "mode": mode,
                "class": class_name,
                "statistic": statistic,
                "estimate": estimate[index],
                # With few texts an interval may reach below the smallest possible loss.
                "low": max(low[index], 0.0) if np.isfinite(low[index]) else low[index],
                "high": high[index],
                "share": share,
                "share_low": share_low,
                "share_high": share_high,
                "n_texts": len(nll),
                "n_tokens": tokens,
            }
        )
    return rows
