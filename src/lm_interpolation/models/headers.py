"""Tensors of safetensors files, read from the headers: no weight is loaded, no torch needed.

Format of a safetensors file (https://huggingface.co/docs/safetensors): 8 bytes with the length of the header (little
endian), the header (JSON: name -> dtype, shape, data_offsets), then the data, to which the offsets refer.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.model_folders import read_index

ITEM_SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
"""Bytes per element of the dtypes that we know, by their names in safetensors."""

# safetensors' own limit.
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file: element type (safetensors' name), shape, and its bytes ``[start, end)`` in ``file``."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    end: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether it holds weights, which can be averaged, and not indices or flags."""
        return self.dtype in ("F64", "F32", "F16", "BF16")


def read_tensors(directory: Path) -> dict[str, Tensor]:
    """All tensors under the names in the files, from one file or from the shards of an index."""
    single, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    if single.exists():
        return read_header(single)
    if index.exists():
        weight_map = read_index(index)
        shards = {file: read_header(directory / file) for file in sorted(set(weight_map.values()))}
        for name, file in weight_map.items():
            if name not in shards[file]:
                raise UserError(f"{index}: promises {name} in {file}, which lacks it; download the shards again")
        return {name: shards[file][name] for name, file in weight_map.items()}
    if any(directory.glob("pytorch_model*.bin")):
        raise UserError(
            f"{directory}: has weights as pytorch_model.bin only; convert them: "
            "transformers' from_pretrained(directory) with the class of the model, then save_pretrained(directory)"
        )
    raise UserError(f"{directory}: no weights (model.safetensors); save the model with save_pretrained")


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises ``UserError`` if its header is damaged or does not fit its length."""
    if not path.exists():
        raise UserError(f"{path}: missing; download all shards that the index names")
    total = path.stat().st_size
    with open(path, "rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if total < 8 or 8 + length > total:
            raise UserError(f"{path}: truncated or not a safetensors file ({total} bytes); copy or download it again")
        if length > _LONGEST_HEADER:
            raise UserError(
                f"{path}: has a header of {length} bytes, where safetensors allows {_LONGEST_HEADER}; copy or download "
                "it again"
            )
        try:
            header = json.loads(handle.read(length))
            tensors = {
                name: _tensor(name, entry, path, 8 + length) for name, entry in header.items() if name != "__metadata__"
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path}: damaged header ({error!r}); copy or download it again") from None
    for tensor in tensors.values():
        if tensor.end > total:
            raise UserError(
                f"{path}: truncated: tensor {tensor.name} ends at byte {tensor.end}, the file at {total}; "
                "copy or download it again"
            )
        if tensor.dtype not in ITEM_SIZES:
            raise UserError(f"{path}: tensor {tensor.name} has dtype {tensor.dtype}; save the model in float32")
        if tensor.end - tensor.start != tensor.size * ITEM_SIZES[tensor.dtype]:
            raise UserError(f"{path}: tensor {tensor.name}: byte range and shape disagree; download the file again")
    # As safetensors itself requires: one tensor right after the other.
    place = 8 + length
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != place:
            raise UserError(
                f"{path}: tensor {tensor.name} begins at byte {tensor.start}, what lies before it ends at {place}; "
                "download the file again"
            )
        place = tensor.end
    return tensors


def _tensor(name: str, entry: Mapping[str, Any], path: Path, data: int) -> Tensor:
    """A tensor by its entry in a header; data begin at byte ``data``. Raises ``ValueError`` for an invalid entry."""
    dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    numbers = [*shape, start, end]
    if not isinstance(dtype, str) or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"tensor {name}: dtype {dtype}, shape {shape}, data_offsets {[start, end]}")
    return Tensor(name, dtype, tuple(shape), path, data + start, data + end)
