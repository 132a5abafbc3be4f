"""The claim that one point has a lower loss than another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.data import ClaimData, Measured, compact
from lm_interpolation.claims.mean_losses import mean_losses, model_losses
from lm_interpolation.statistics.inference import Estimate, beside
from lm_interpolation.statistics.shares import Contrast


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean loss at a point minus that at another one, on the same texts, in nats per text or per token.

    Instead of a point there may be models: their mean, or the one that is best on other texts.
    """
    (one, note), (other, other_note) = (_value(spec, spec[key], data) for key in ("point", "baseline"))
    pair = beside([one, other])
    return Measured(Contrast(pair, [1, -1], data.seed), f"{note} against {other_note}", pair.units, "texts")


def _value(spec: Mapping[str, Any], point: Mapping[str, Any], data: ClaimData) -> tuple[Estimate, str]:
    """(one value, that value in words)."""
    class_name = spec.get("class")
    if "at" in point:
        losses = mean_losses(data, [point["analysis"]], spec["statistic"], class_name)
        found = losses.estimate.take(np.array([losses.place(point["at"])]))
        return found, compact(float(found.values[0]))
    models = point["models"]
    losses_of_models = model_losses(data, point["analysis"], models, spec["statistic"], class_name)
    if "best_on" in point:
        # Other texts may have other classes: all of them count.
        best = int(model_losses(data, point["best_on"], models, spec["statistic"]).values.argmin())
        found = losses_of_models.take(np.array([best]))
        return found, f"{compact(float(found.values[0]))} of {models[best]}"
    found = losses_of_models.contrasts(np.full((len(models), 1), 1 / len(models)))
    return found, compact(float(found.values[0]))
