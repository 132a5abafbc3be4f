"""Keep displacements by a mask from a file, or those outside it: grafting.

Source: Panigrahi et al. 2023 (arXiv 2302.06600, section 2): b + m * v with a binary mask m that is made beforehand.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.selection import where_chosen
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space


def apply(space: Space, mask: str, inverse: bool = False) -> Space:
    """``space`` with the displacements of all models set to 0 where a mask is 0, or, ``inverse``, where it is 1.

    ``mask`` is the path of a file: safetensors with arrays of bool or uint8 (0 or 1), by the names and in
    the shapes of tensors. The mask of a tensor that is not in it is 0. Raises ``UserError`` if it is no such file.
    """
    path = Path(mask)
    masked = _checked_names(path, space)

    def change(place: Place) -> Change:
        file = _open(path) if place.name in masked else None

        def keep(chunk: Chunk) -> dict[str, Array]:
            count = len(next(iter(chunk.values.values())))
            if file is None:
                chosen = np.zeros(count, bool)
            else:
                chosen = _between(file, path, place, chunk.start, chunk.start + count)
            chosen = ~chosen if inverse else chosen
            return {model: where_chosen(chosen, values) for model, values in chunk.values.items()}

        return keep

    return Changed(space, ("mask", str(path), inverse), change)


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: is no mask ({error}); a mask is a safetensors file") from None


def _checked_names(path: Path, space: Space) -> frozenset[str]:
    """The tensors that the file has masks for, once all of these fit."""
    file = _open(path)
    for name in file.keys():  # noqa: SIM118 (safe_open is no mapping)
        if name not in space.places:
            raise UserError(f"{path}: has a mask for {name}, which is no tensor of the models; name their tensors")
        part = file.get_slice(name)
        if part.get_dtype() not in ("BOOL", "U8"):
            raise UserError(f"{path}: the mask of {name} has dtype {part.get_dtype()}; save it as bool or uint8")
        if tuple(part.get_shape()) != space.places[name].shape:
            raise UserError(
                f"{path}: the mask of {name} has shape {tuple(part.get_shape())}, the tensor "
                f"{space.places[name].shape}; give them the same"
            )
    return frozenset(file.keys())


def _between(file: Any, path: Path, place: Place, start: int, stop: int) -> npt.NDArray[np.bool_]:
    """Elements ``start`` to ``stop`` of a mask, flat; of the file only the rows are read in which they lie."""
    if place.shape:
        width = place.size // place.shape[0]
        first = start // width
        rows = file.get_slice(place.name)[first : -(-stop // width)]
    else:
        first = width = 0
        rows = file.get_tensor(place.name)
    found: npt.NDArray[Any] = rows.reshape(-1)[start - first * width : stop - first * width]
    if found.dtype != bool and found.max() > 1:
        raise UserError(f"{path}: the mask of {place.name} holds values other than 0 and 1; save it as bool")
    return found.astype(bool)
