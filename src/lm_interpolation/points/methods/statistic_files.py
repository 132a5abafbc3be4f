"""Statistics of models, as stages read them: one safetensors file for each model, by the names of its tensors.

``models.model_statistics`` writes them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lm_interpolation.jobs.checksums import read_file
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.headers import ITEM_SIZES, Tensor, read_header
from lm_interpolation.points.statistic_folders import file_of

_DTYPES = {"F32": "<f4", "F64": "<f8"}

Doubles = npt.NDArray[np.float64]


def open_statistics(folder: str, models: Iterable[str]) -> dict[str, dict[str, Tensor]]:
    """Model -> tensor name -> its statistic, from the headers of the files in ``folder``.

    Raises ``UserError`` if a file is missing or damaged, holds other numbers than float32 and float64, or if two files
    are not about the same tensors.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for model in models:
        path = file_of(folder, model)
        if not path.is_file():
            raise UserError(f"{path}: no statistic of model {model}; build this file")
        found[model] = read_header(path)
        for name, tensor in found[model].items():
            if tensor.dtype not in _DTYPES:
                raise UserError(f"{path}: the statistic of {name} has dtype {tensor.dtype}; build the file again")
    first = next(iter(found))
    for model, tensors in found.items():
        if other := sorted(tensors.keys() ^ found[first].keys()):
            raise UserError(
                f"{folder}: the statistics of {first} and {model} are not about the same tensors ({other[0]}); build "
                "both again"
            )
    return found


def require_shapes(statistics: Mapping[str, Mapping[str, Tensor]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ``UserError`` unless each statistic belongs to a tensor in ``shapes``, and has the shape given there."""
    for tensors in statistics.values():
        for name, tensor in tensors.items():
            if tensor.shape != shapes.get(name):
                raise UserError(
                    f"{tensor.file}: has a statistic of shape {tensor.shape} for {name}, where the models need "
                    f"{shapes.get(name, 'none')}; it is of another model, build it again"
                )


def elements(tensor: Tensor, start: int, count: int) -> Doubles:
    """``count`` elements of a statistic, flat (row-major), from index ``start`` on. float64."""
    size = ITEM_SIZES[tensor.dtype]
    buffer = bytearray(size * count)
    read_file(tensor.file, tensor.start + size * start, memoryview(buffer))
    found: npt.NDArray[Any] = np.frombuffer(buffer, _DTYPES[tensor.dtype])
    return found.astype(np.float64, copy=False)
