"""A live model in weight space as a source of texts."""

import copy

from lm_interpolation.models.dtypes import torch_dtype
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.texts.language_models import Mixture, language_model


def mixture_at(point: Point, space: WeightSpace, precision: str = "fp32") -> Mixture:
    """Set the live model of ``space`` to ``point`` and return it with its weights cast to ``precision``.

    It gives the same texts as the merged checkpoint. With ``fp32`` it is the live model itself, which is valid until
    the next point is set. Raises what ``WeightSpace.set_point`` and ``language_model`` raise.
    """
    space.set_point(point)
    model = space.model
    if precision != "fp32":
        # As when a merged checkpoint is loaded, only weights are cast; position tables stay in float32.
        model = copy.deepcopy(model)
        for parameter in model.parameters():
            parameter.data = parameter.data.to(torch_dtype(precision))
    return Mixture(((1.0, language_model(model, space.tokenizer)),))
