"""How coarsely an imported model was rounded, compared with its distance from a model that it is combined with.

16-bit weights are exact in float32, where their last bits are all zero. So the weights reveal, even after the import,
the format in which the model was stored. Tensors are streamed, without torch.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_interpolation.jobs.checksums import check_model
from lm_interpolation.models.compatibility import check_compatible
from lm_interpolation.points.reading import float_chunks

# Format -> trailing bits of a float32 that it lacks, significant bits, exponent (as in frexp) of its smallest normal
# number. The coarser format comes first: fp16 can hold most numbers that bf16 can hold.
_FORMATS = {"bf16": (16, 8, -125), "fp16": (13, 11, -13)}


def measure_rounding(model: str, model_dir: Path, reference: str, reference_dir: Path) -> dict[str, Any]:
    """The effect of rounding on the weights of ``model``, and their distance from the weights of ``reference``.

    Directories are imported or trained models. Returns ``model``, ``reference`` and

    - ``stored``: bf16 or fp16 if more than half of the weights lie in tensors with only such numbers, else fp32;
    - ``rounding``: estimated Euclidean norm of the rounding errors of these tensors (an error is spread evenly over the
      spacing of the numbers around the weight: its root mean square is the spacing / sqrt(12));
    - ``distance``: Euclidean norm of the difference of all weights of the two models;
    - ``ratio``: rounding / distance, None if the models are equal.

    Raises ``UserError`` if a model is damaged, or if the two are incompatible (see ``check_compatible``).
    """
    for directory in (model_dir, reference_dir):
        check_model(directory)
    checkpoints = check_compatible({model: model_dir, reference: reference_dir})
    ours, theirs = checkpoints[model].tensors, checkpoints[reference].tensors
    elements = dict.fromkeys([*_FORMATS, "fp32"], 0)
    rounding = distance = 0.0
    for name, tensor in ours.items():
        if not tensor.is_float:
            continue
        errors = dict.fromkeys(_FORMATS, 0.0)
        for one, two in zip(float_chunks(tensor), float_chunks(theirs[name]), strict=True):
            distance += float(np.square(one - two).sum())
            for kind in list(errors):
                if _fits(one, kind):
                    errors[kind] += _squared_error(one, kind)
                else:
                    del errors[kind]
        stored = next(iter(errors), "fp32")
        elements[stored] += tensor.size
        rounding += errors.get(stored, 0.0)
    stored = next((kind for kind, count in elements.items() if 2 * count > sum(elements.values())), "fp32")
    return {
        "model": model,
        "reference": reference,
        "stored": stored,
        "rounding": math.sqrt(rounding) if stored != "fp32" else 0.0,
        "distance": math.sqrt(distance),
        "ratio": (math.sqrt(rounding / distance) if stored != "fp32" else 0.0) if distance else None,
    }


def describe_rounding(result: dict[str, Any]) -> str | None:
    """One line on the result of ``measure_rounding``; None for a model that was stored in fp32."""
    if result["stored"] == "fp32":
        return None
    beside = (
        f"which equals {result['reference']}"
        if result["ratio"] is None
        else f"{100 * result['ratio']:.2g} % of its distance from {result['reference']} ({result['distance']:.3g})"
    )
    return (
        f"{result['model']}: stored in {result['stored']}; its rounding has a norm of about {result['rounding']:.3g}, "
        f"{beside}"
    )


def _fits(values: npt.NDArray[np.float64], kind: str) -> bool:
    """Whether all of these float32 numbers fit the 16-bit format."""
    lacking, _, _ = _FORMATS[kind]
    return not (values.astype(np.float32).view(np.uint32) & np.uint32((1 << lacking) - 1)).any()


def _squared_error(values: npt.NDArray[np.float64], kind: str) -> float:
    """Expected sum of squared rounding errors; zeros count as exact."""
    _, significant, smallest = _FORMATS[kind]
    _, exponents = np.frexp(values[values != 0])
    spacing = np.ldexp(1.0, np.maximum(exponents, smallest) - significant)
    return float(np.square(spacing).sum() / 12)
