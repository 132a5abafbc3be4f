"""Losses that compare models of different data sets, at points that are moved in memory.

A causal language model has a loss on any text: the mean NLL per token. The loss of a classifier depends on its head,
which belongs to one data set. Gueta et al. 2023 (arXiv 2302.04863, "generalized loss") therefore drop the head and fit
a new one on the frozen body for each data set: a linear probe. Ours is scikit-learn's logistic regression on the mean
of the body's last hidden states over the tokens of a text; the mean is our reading, and serves encoders and decoders.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lm_interpolation.analyses.losses import EncodedTexts, NotFinite, encode_texts, text_losses
from lm_interpolation.analyses.set_texts import Texts
from lm_interpolation.jobs.batches import AdaptiveBatches, longest_first, pad_right
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.models.class_probabilities import encode_for_classifier
from lm_interpolation.models.loading import context_length
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.bodies import BodySpace
from lm_interpolation.points.interpolation import WeightSpace

NLL, PROBE = "nll", "probe"
ITERATIONS = 1000
"""Most iterations of the optimiser of a probe. On standardised features far fewer do."""

SetTexts = Mapping[str, Mapping[str, Texts]]
"""Set to split to its texts."""
OnDone = Callable[[int], object]


@dataclass(frozen=True)
class DataSet:
    """A data set, the ``models`` that learnt it, and the ``group`` that it belongs to."""

    name: str
    group: str
    models: tuple[str, ...]


def data_sets(settings: Iterable[Mapping[str, Any]]) -> list[DataSet]:
    """The data sets in a job's settings: ``name``, ``group`` and ``models`` of each."""
    return [DataSet(one["name"], one["group"], tuple(one["models"])) for one in settings]


class Measure(Protocol):
    """What measures the live model of a space."""

    def __call__(self, data: str) -> float:
        """Its loss on the data set ``data``, in nats: inf if the model overflows."""

    def count(self, data: str) -> int:
        """Number of texts that the loss is the mean over."""


class NllLoss:
    """Mean NLL per token of the test texts of each set, as ``losses.text_losses`` counts them."""

    def __init__(self, space: WeightSpace, texts: SetTexts, batch_size: int) -> None:
        """Raises ``UserError`` naming set and text if a text is too long or has no predicted token."""
        self._model = space.model
        self._encoded: dict[str, EncodedTexts] = {}
        for name, splits in texts.items():
            with error_prefix(f"set {name}"):
                plain = {"": splits["test"].texts}
                self._encoded[name] = encode_texts(space.model, space.tokenizer, plain, batch_size)

    def __call__(self, data: str) -> float:
        encoded = self._encoded[data]
        try:
            return float(text_losses(self._model, encoded).sum() / encoded.scored.sum())
        except NotFinite:
            return math.inf

    def count(self, data: str) -> int:
        return len(self._encoded[data].ids)


class ProbeLoss:
    """Cross-entropy on the test texts of each set of a linear probe that is fitted on its training texts.

    Texts are read as classifiers read them, cut to the model's context. See ``features`` and ``probe``.
    """

    def __init__(self, space: WeightSpace, texts: SetTexts, batch_size: int) -> None:
        """Raises ``UserError`` naming the set if a text has no token or the classes of its splits do not fit."""
        self._model, self._batches = space.model, AdaptiveBatches(batch_size)
        limit = context_length(space.model, space.tokenizer)
        self._encoded: dict[str, dict[str, list[list[int]]]] = {}
        self._labels: dict[str, dict[str, list[str]]] = {}
        for name, splits in texts.items():
            with error_prefix(f"set {name}"):
                ids = {
                    split: encode_for_classifier(space.tokenizer, part.texts, limit) for split, part in splits.items()
                }
                labels = {split: [str(label) for label in part.labels] for split, part in splits.items()}
                for split, members in ids.items():
                    if empty := sum(not tokens for tokens in members):
                        raise UserError(f"{empty} {split} text(s) have no token; remove them from the corpus")
                if len(set(labels["train"])) < 2:
                    raise UserError(
                        f"all {len(labels['train'])} training texts have one class; raise train_limit or shuffle them"
                    )
                if lacking := sorted(set(labels["test"]) - set(labels["train"])):
                    raise UserError(f"no training text of class {', '.join(lacking)}; raise train_limit")
            self._encoded[name], self._labels[name] = ids, labels

    def __call__(self, data: str) -> float:
        found = {split: self.features(data, split) for split in ("train", "test")}
        if not all(np.isfinite(values).all() for values in found.values()):
            return math.inf
        return probe(found["train"], self._labels[data]["train"], found["test"], self._labels[data]["test"])

    def count(self, data: str) -> int:
        return len(self._labels[data]["test"])

    def features(self, data: str, split: str) -> np.ndarray:
        """Mean of the last hidden states over the tokens of each text, special ones included: (n, width) float64."""
        encoded = self._encoded[data][split]
        model, found = self._model, None

        @torch.inference_mode()
        def means(batch: Any) -> np.ndarray:
            # What pads is masked, so any token will do.
            ids, mask = pad_right([encoded[index] for index in batch], model.config.pad_token_id or 0, model.device)
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state.double()
            weights = mask[:, :, None].double()
            # A state that overflows at a pad is no state of the text.
            total = torch.where(weights > 0, states, 0.0).sum(dim=1)
            return (total / weights.sum(dim=1)).cpu().numpy()

        for batch, values in self._batches.over(longest_first(encoded, range(len(encoded))), means):
            found = np.empty((len(encoded), values.shape[1])) if found is None else found
            found[list(batch)] = values
        assert found is not None
        return found


def probe(train: np.ndarray, train_labels: Iterable[str], test: np.ndarray, test_labels: Iterable[str]) -> float:
    """Mean cross-entropy on ``test``, in nats, of a logistic regression fitted on ``train``: both (n, width) float64.

    Features are standardised by their mean and deviation on ``train``; the penalty is L2 with C = 1; the optimiser is
    L-BFGS with at most ``ITERATIONS`` iterations. The classes are those of ``train_labels``.
    """
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, solver="lbfgs", max_iter=ITERATIONS))
    fitted.fit(train, list(train_labels))
    return float(log_loss(list(test_labels), fitted.predict_proba(test), labels=fitted.classes_))


class Losses:
    """The losses of points on data sets: each is measured once."""

    def __init__(self, space: WeightSpace, measure: Measure, progress: OnDone | None = None) -> None:
        """``progress`` is called with the number of losses that have been measured."""
        self.space, self._measure, self._progress = space, measure, progress
        self._known: dict[tuple[str, str], float] = {}

    def at(self, name: str, point: Point, data: Iterable[str]) -> dict[str, float]:
        """Data set to the loss at ``point``, which is called ``name``: no two points may have one name."""
        wanted = list(data)
        lacking = [one for one in wanted if (name, one) not in self._known]
        if lacking:
            self.space.set_point(point)
        for one in lacking:
            self._known[name, one] = self._measure(one)
            if self._progress:
                self._progress(len(self._known))
        return {one: self._known[name, one] for one in wanted}

    def count(self, data: str) -> int:
        """Number of texts of a data set."""
        return self._measure.count(data)


def open_losses(
    loss: str,
    models: Mapping[str, Path],
    texts: SetTexts,
    batch_size: int,
    device: str,
    progress: OnDone | None = None,
) -> Losses:
    """What measures ``loss`` (nll or probe) at points of ``models`` (name -> folder), all of which are in memory.

    Raises what ``WeightSpace`` (nll) or ``BodySpace`` (probe) raises, and ``UserError`` if texts cannot be read.
    """
    if loss == NLL:
        space = WeightSpace(models, device)
        return Losses(space, NllLoss(space, texts, batch_size), progress)
    if loss == PROBE:
        space = BodySpace(models, device)
        return Losses(space, ProbeLoss(space, texts, batch_size), progress)
    raise ValueError(f"a loss {loss!r}")
