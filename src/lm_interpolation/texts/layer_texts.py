"""Texts from points in the space of layers. Separate from ``generation``, so that an edit reruns no other texts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import Progress, error_prefix
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.layer_space import LayerSpace
from lm_interpolation.texts.generation import Sampling, sample_texts
from lm_interpolation.texts.language_models import Mixture, language_model


def generate_in_layers(
    point: Point,
    models: Mapping[str, str | Path],
    prompts: pd.DataFrame,
    sampling: Sampling,
    batch_size: int,
    device: str = "cpu",
    progress: Progress | None = None,
    precision: str = "fp32",
) -> pd.DataFrame:
    """Sample continuations of every prompt from the model whose layers are those of ``models`` at ``point``.

    Random numbers are the same as in ``generation.generate``, so ``{m: 1}`` gives exactly the texts that it samples
    from m.

    Args:
        point, models, device, precision: see ``LayerSpace``.
        prompts, sampling, batch_size, progress: see ``generation.generate``, also for what is returned.

    Raises ``UserError`` as ``LayerSpace`` does, or naming the point and the prompt row (see
    ``generation.sample_texts``).
    """
    mixture = mixture_in_layers(point, LayerSpace(models, device, precision))
    with error_prefix(f"point {point.id}"):
        return sample_texts(mixture, prompts, sampling, AdaptiveBatches(batch_size), progress)


def mixture_in_layers(point: Point, space: LayerSpace) -> Mixture:
    """Set the live model of ``space`` to ``point`` and return it; it is valid until the next point is set.

    A text ends with any token that ends texts of one of the models, and is as long as all of them can read.
    """
    space.set_point(point)
    first, *others = (language_model(*space.members[name], f"model {name}") for name in point.models)
    contexts = [member.context for member in (first, *others) if member.context is not None]
    special = replace(first.special, stops=first.special.stops.union(*(member.special.stops for member in others)))
    live = replace(first, name="the model", model=space.model, special=special, context=min(contexts, default=None))
    return Mixture(((1.0, live),))
