"""Losses of the models at all points of a sweep on texts of a corpus: the heat maps of Fig. 8, raw and as a table.

Fig. 8 of Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092, section 4.3) shows the mean NLL of the SST test
sentences over the plane theta3(alpha, beta), positive and negative sentences apart. We tabulate the mean over texts and
the mean over tokens. The NLL of a text is that of ``perplexity.score_perplexity``: all its tokens behind the special
tokens that texts of the model start with, or all but the first where there are none.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lm_interpolation.data.parquet import read_parquet, write_parquet
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import UserError, note
from lm_interpolation.models.loading import context_length
from lm_interpolation.models.special_tokens import encode, of_model
from lm_interpolation.points.algebra import Sweep
from lm_interpolation.scores.readable import show_text
from lm_interpolation.scores.token_losses import token_losses
from lm_interpolation.statistics.inference import bootstrap_ratio

# Tables and figures read losses too: they need no torch.
if TYPE_CHECKING:
    from lm_interpolation.points.interpolation import WeightSpace

PathLike = str | os.PathLike[str]
OnDone = Callable[[int], object]

LOSSES_SCHEMA = pa.schema(
    [
        ("point", pa.dictionary(pa.int32(), pa.string())),
        ("class", pa.string()),
        ("text", pa.int32()),
        ("nll", pa.float64()),
        ("tokens", pa.int32()),
    ]
)
"""Columns of a file of losses: index of the text within its class; sum of the NLL in nats over so many tokens."""

STATISTICS = ("nll_text", "nll_token")


def write_loss_texts(texts: Mapping[str, Sequence[str]], path: PathLike) -> None:
    """Write ``texts`` (class -> texts) as Parquet, columns ``class`` and ``text``, whole or not at all."""
    pairs = [(name, text) for name, members in texts.items() for text in members]
    names, members = zip(*pairs, strict=True)
    write_parquet(pa.table({"class": pa.array(names, pa.string()), "text": pa.array(members, pa.string())}), path)


def read_loss_texts(path: PathLike) -> dict[str, list[str]]:
    """The texts that ``write_loss_texts`` wrote."""
    table = read_parquet(path)
    texts: dict[str, list[str]] = {}
    for name, text in zip(table["class"].to_pylist(), table["text"].to_pylist(), strict=True):
        texts.setdefault(name, []).append(text)
    return texts


@dataclass(frozen=True)
class EncodedTexts:
    """Texts as tokens that models with one tokenizer can read: ``ids`` of each text, and how errors call it.

    Of each, the first ``context`` tokens are not scored, and ``scored`` (n,) int64 tokens are; ``batches`` is how the
    texts are read.
    """

    ids: Sequence[Sequence[int]]
    context: int
    scored: np.ndarray
    names: Sequence[str]
    batches: AdaptiveBatches


def encode_texts(model: Any, tokenizer: Any, texts: Mapping[str, Sequence[str]], batch_size: int) -> EncodedTexts:
    """Tokenise ``texts`` (class -> texts) once for all points; texts of similar length share a batch, padded right.

    The order is that of the classes, then of the texts. ``batch_size`` texts are read at once, fewer where GPU memory
    does not suffice. Raises ``UserError`` naming the text if the model cannot read all of it or if it has no token that
    could be predicted.
    """
    names: list[str] = []
    flat: list[str] = []
    for class_name, members in texts.items():
        prefix = f"class {class_name!r}, " if class_name else ""
        names += [f"{prefix}{show_text(index, text)}" for index, text in enumerate(members)]
        flat += members
    special = of_model(model, tokenizer)
    note(special.describe(tokenizer))
    encoded = encode(tokenizer, flat, special.start)
    limit = context_length(model, tokenizer)
    for name, ids in zip(names, encoded, strict=True):
        if len(ids) <= special.context:
            own = len(ids) - len(special.start)
            raise UserError(f"{name}: {own} token(s), so that none is predicted; take it out of the corpus")
        if limit is not None and len(ids) > limit:
            raise UserError(
                f"{name}: {len(ids)} tokens, but the model reads at most {limit}; shorten it or take it out"
            )
    scored = np.array([len(ids) - special.context for ids in encoded])
    return EncodedTexts(encoded, special.context, scored, names, AdaptiveBatches(batch_size))


def text_losses(model: Any, texts: EncodedTexts) -> np.ndarray:
    """NLL of each text under a causal LM, summed over the tokens that are scored: (n,) float64, nats.

    Raises ``UserError`` naming the text if it is NaN or infinite, and if GPU memory does not suffice for one text.
    """
    nll = np.empty(len(texts.ids))
    for batch, losses in token_losses(model, texts.ids, {0: [range(len(texts.ids))]}, texts.batches):
        nll[batch] = [loss[texts.context - 1 :].sum() for loss in losses]
    finite = np.isfinite(nll)
    if not finite.all():
        name = texts.names[int(np.argmin(finite))]
        raise UserError(
            f"{name}: the model gives NaN or infinite logits; it lies too far from its parents (use smaller "
            "coefficients) or is damaged"
        )
    return nll


def evaluate_losses(
    space: "WeightSpace",
    sweep: Sweep,
    texts: Mapping[str, Sequence[str]],
    batch_size: int,
    progress: OnDone | None = None,
) -> pd.DataFrame:
    """Losses of ``texts`` (class -> texts) at every point of ``sweep``: the columns of ``LOSSES_SCHEMA``.

    One row per text and (distinct) point, in the order of the sweep, then of the classes, then of the texts;
    ``point`` is categorical. ``progress`` is called with the number of points done. Values depend on ``batch_size`` by
    rounding only.

    Raises ``UserError`` naming the text if it is too long or has no predicted token (before anything is computed), and
    naming the point too if a loss is NaN or infinite; besides, what ``WeightSpace.visit`` raises.
    """
    encoded = encode_texts(space.model, space.tokenizer, texts, batch_size)
    nll: dict[str, np.ndarray] = {}
    for done, entry in enumerate(space.visit(sweep), start=1):
        # Where directions depend on each other, two coordinates may name one point.
        if entry.point.id not in nll:
            try:
                nll[entry.point.id] = text_losses(space.model, encoded)
            except UserError as error:
                raise UserError(f"point {entry.point.id}, {error}") from None
        if progress:
            progress(done)
    counts = [len(members) for members in texts.values()]
    return pd.DataFrame(
        {
            "point": pd.Categorical(np.repeat(np.array(list(nll), dtype=object), sum(counts)), categories=list(nll)),
            "class": np.tile(np.repeat(np.array(list(texts), dtype=object), counts), len(nll)),
            "text": np.tile(np.concatenate([np.arange(count, dtype=np.int32) for count in counts]), len(nll)),
            "nll": np.concatenate(list(nll.values())),
            "tokens": np.tile(encoded.scored, len(nll)).astype(np.int32),
        }
    )


def write_losses(losses: pd.DataFrame, path: PathLike) -> None:
    """Write the frame of ``evaluate_losses`` as Parquet with ``LOSSES_SCHEMA``, whole or not at all.

    Raises ``ValueError`` if a (point, class, text) occurs twice or a loss is not finite.
    """
    if losses.duplicated(["point", "class", "text"]).any():
        raise ValueError(f"{path}: a (point, class, text) occurs twice")
    if not np.isfinite(losses["nll"]).all():
        raise ValueError(f"{path}: a loss is not finite")
    table = pa.table({field.name: pa.array(losses[field.name]).cast(field.type) for field in LOSSES_SCHEMA})
    write_parquet(table, path, compression="zstd")


def read_losses(path: PathLike) -> pd.DataFrame:
    """The losses that ``write_losses`` wrote; ``point`` is categorical."""
    return read_parquet(path).to_pandas()


def loss_matrix(losses: pd.DataFrame, points: Sequence[str], class_name: str) -> tuple[np.ndarray, np.ndarray]:
    """(nll, tokens) of one class, both (n_texts, len(points)) float64: rows are what a bootstrap resamples.

    ``losses`` may hold other points (ids) and classes too. Raises ``UserError`` if a point lacks a text that another
    one has, ``ValueError`` if one occurs twice.
    """
    rows = losses[(losses["class"] == class_name) & losses["point"].isin(list(points))]
    place = pd.Index(points).get_indexer(pd.Index(rows["point"].astype(str)))
    codes, found = pd.factorize(rows["text"], sort=True)
    counts = np.zeros((len(found), len(points)), dtype=np.int64)
    np.add.at(counts, (codes, place), 1)
    if counts.max(initial=0) > 1:
        raise ValueError(f"class {class_name!r}: a (point, text) occurs twice")
    lacking = [point for point, complete in zip(points, (counts == 1).all(axis=0), strict=True) if not complete]
    if lacking or not len(found):
        raise UserError(
            f"point {(lacking or points)[0]}: a loss of class {class_name!r} is missing; delete the file of losses"
        )
    nll, tokens = np.empty(counts.shape), np.empty(counts.shape)
    nll[codes, place], tokens[codes, place] = rows["nll"], rows["tokens"]
    return nll, tokens


def loss_table(losses: pd.DataFrame, sweep: Sweep, resamples: int, seed: int) -> pd.DataFrame:
    """The tidy table of the losses over a sweep, with 95 % bootstrap intervals over the texts of each class.

    Columns: ``sweep``, one float64 column per coordinate, ``point, class, statistic, estimate, low, high, n_texts,
    n_tokens``. Statistics: ``nll_text``, the mean over texts of their NLL (nats per text), and ``nll_token``, the sum
    of the NLL over the sum of predicted tokens (nats per token). Sorted as the sweep, then by class in order of
    appearance. All points share the resamples. To be written by ``tables.write_table``.

    Raises ``UserError`` if a point of the sweep lacks a loss.
    """
    points = list(dict.fromkeys(entry.point.id for entry in sweep.points))
    by_point: dict[str, list[dict[str, Any]]] = {point: [] for point in points}
    for class_name in losses["class"].unique():
        nll, tokens = loss_matrix(losses, points, class_name)
        denominators = np.hstack([np.ones_like(tokens), tokens])
        estimate, low, high = bootstrap_ratio(np.hstack([nll, nll]), denominators, resamples, seed)
        # Of few texts an interval may reach below the least loss.
        low = np.maximum(low, 0)
        for index, point in enumerate(points):
            for offset, statistic in enumerate(STATISTICS):
                column = offset * len(points) + index
                by_point[point].append(
                    {
                        "class": class_name,
                        "statistic": statistic,
                        "estimate": estimate[column],
                        "low": low[column],
                        "high": high[column],
                        "n_texts": len(nll),
                        "n_tokens": int(tokens[:, index].sum()),
                    }
                )
    return pd.DataFrame(
        [
            {"sweep": sweep.name}
            | {name: float(value) for name, value in entry.coordinates}
            | {"point": entry.point.id}
            | row
            for entry in sweep.points
            for row in by_point[entry.point.id]
        ]
    )
