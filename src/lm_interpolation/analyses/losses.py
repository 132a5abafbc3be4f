"""Losses of the models at all points of a sweep on texts of a corpus: the heat maps of Fig. 8.

Fig. 8 of Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092, section 4.3) shows the mean NLL of the SST test
sentences over the plane theta3(alpha, beta), separately for positive and negative sentences. We tabulate the mean over
texts and the mean over tokens. The NLL of a text is defined as in ``perplexity.score_perplexity``: over all its tokens
after the special tokens that texts of the model start with, or over all but the first if there are none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import UserError, note
from lm_interpolation.models.loading import context_length
from lm_interpolation.models.special_tokens import encode, of_model
from lm_interpolation.points.algebra import Sweep
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.scores.readable import show_text
from lm_interpolation.scores.token_losses import token_losses

OnDone = Callable[[int], object]


class NotFinite(UserError):
    """A model gives NaN or infinite logits."""


@dataclass(frozen=True)
class EncodedTexts:
    """Texts as tokens that models with one tokenizer can read: ``ids`` of each text, and its name in errors.

    In each text the first ``context`` tokens are not scored; ``scored`` (n,) int64 counts those that are. ``batches``
    determines how the texts are read.
    """

    ids: Sequence[Sequence[int]]
    context: int
    scored: np.ndarray
    names: Sequence[str]
    batches: AdaptiveBatches


def encode_texts(model: Any, tokenizer: Any, texts: Mapping[str, Sequence[str]], batch_size: int) -> EncodedTexts:
    """Tokenise ``texts`` (class -> texts) once for all points; texts of similar length share a batch, padded right.

    Texts are ordered by class, then as given. ``batch_size`` texts are read at once, fewer if GPU memory does not
    suffice. Raises ``UserError`` naming the text if the model cannot read all of it or if it has no token that could be
    predicted.
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
            raise UserError(f"{name}: {own} token(s), so there is nothing to predict; remove it from the corpus")
        if limit is not None and len(ids) > limit:
            raise UserError(
                f"{name}: {len(ids)} tokens, but the model reads at most {limit}; shorten it or take it out"
            )
    scored = np.array([len(ids) - special.context for ids in encoded])
    return EncodedTexts(encoded, special.context, scored, names, AdaptiveBatches(batch_size))


def text_losses(model: Any, texts: EncodedTexts) -> np.ndarray:
    """NLL of each text under a causal LM, summed over the tokens that are scored: (n,) float64, nats.

    Raises ``NotFinite`` naming the text if its NLL is NaN or infinite, and ``UserError`` if GPU memory does not suffice
    for one text.
    """
    nll = np.empty(len(texts.ids))
    for batch, losses in token_losses(model, texts.ids, {0: [range(len(texts.ids))]}, texts.batches):
        nll[batch] = [loss[texts.context - 1 :].sum() for loss in losses]
    finite = np.isfinite(nll)
    if not finite.all():
        name = texts.names[int(np.argmin(finite))]
        raise NotFinite(
            f"{name}: the model gives NaN or infinite logits; it lies too far from its parents (use smaller "
            "coefficients) or is damaged"
        )
    return nll


def evaluate_losses(
    space: WeightSpace,
    sweep: Sweep,
    texts: Mapping[str, Sequence[str]],
    batch_size: int,
    progress: OnDone | None = None,
) -> pd.DataFrame:
    """Losses of ``texts`` (class -> texts) at every point of ``sweep``: the columns of ``LOSSES_SCHEMA``.

    One row per text and (distinct) point, in the order of the sweep, then of the classes, then of the texts; ``point``
    is categorical. ``progress`` is called with the number of points done. Values depend on ``batch_size`` only by
    rounding.

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
