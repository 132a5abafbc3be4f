"""Reading the tensors of checkpoints as float64, flat and in chunks."""

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from lm_interpolation.jobs.checksums import Reader, read_file
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.headers import ITEM_SIZES, Tensor

CHUNK = 1 << 17
"""Elements that are processed at once: few enough that those of all models stay in the processor's cache, and enough
that two threads seldom wait for each other."""


def _widen_bfloat16(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """bfloat16 is the upper half of a float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


_FLOATS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "F32": ("<f4", lambda values: values),
    "F16": ("<f2", lambda values: values),
    "BF16": ("<u2", _widen_bfloat16),
}
"""dtype in safetensors -> numpy's dtype to read it with, and the conversion to numbers."""


def float_chunks(tensor: Tensor, read: Reader = read_file) -> Iterator[npt.NDArray[np.float64]]:
    """The values of a float32, float16 or bfloat16 tensor, flat, at most ``CHUNK`` at a time.

    Each chunk reuses the buffer of the previous one; the caller may overwrite it.
    """
    buffer = memoryview(bytearray(ITEM_SIZES[tensor.dtype] * min(CHUNK, tensor.size)))
    return doubles(tensor, blocks(tensor, read, CHUNK, itertools.repeat(buffer)))


def doubles(tensor: Tensor, blocks: Iterable[memoryview]) -> Iterator[npt.NDArray[np.float64]]:
    """Like ``float_chunks``, for bytes already read."""
    if tensor.dtype not in _FLOATS:
        raise UserError(f"{tensor.file}: tensor {tensor.name} has dtype {tensor.dtype}; save the model in float32")
    dtype, widen = _FLOATS[tensor.dtype]
    values = np.empty(min(CHUNK, tensor.size))
    for block in blocks:
        numbers = np.frombuffer(block, dtype)
        for begin in range(0, len(numbers), CHUNK):
            chunk = widen(numbers[begin : begin + CHUNK])
            np.copyto(values[: len(chunk)], chunk)
            yield values[: len(chunk)]


def blocks(tensor: Tensor, read: Reader, elements: int, buffers: Iterator[memoryview]) -> Iterator[memoryview]:
    """The bytes of a tensor, some elements at a time, each block in the next of the buffers.

    Read rather than memory-mapped: mapped pages count as resident memory, and a file that shrinks would end the process
    with a signal instead of an error.
    """
    size = ITEM_SIZES[tensor.dtype]
    for begin in range(0, tensor.size, elements):
        block = next(buffers)[: size * min(elements, tensor.size - begin)]
        read(tensor.file, tensor.start + size * begin, block)
        yield block
