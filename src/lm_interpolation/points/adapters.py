"""Adapters as models: the checkpoint W + s B A of a base and a LoRA adapter, streamed over tensors.

Source: Hu et al. 2021 (arXiv 2106.09685, section 4.1); for the scale s see ``models.adapter_files``. Memory holds the
matrices of one tensor at a time, and torch is not needed.
"""

import functools
import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lm_interpolation.jobs.checksums import CHECKSUMS, Reader, check_files, read_file
from lm_interpolation.jobs.runtime import Progress, UserError
from lm_interpolation.models.adapter_files import Adapter, Product
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.headers import ITEM_SIZES, Tensor
from lm_interpolation.points.adapter_fits import check_fit
from lm_interpolation.points.reading import CHUNK, blocks, doubles, float_chunks
from lm_interpolation.points.writing import write_checkpoint

Doubles = npt.NDArray[np.float64]


def merge_adapter(
    name: str, base: str | Path, adapter: str | Path, output: str | Path, progress: Progress | None = None
) -> None:
    """Write the model that an adapter makes of its base into the directory ``output``.

    Args:
        name: what messages call the base.
        base: its Hugging Face directory (float32, float16 or bfloat16 safetensors).
        adapter: a directory as PEFT saves it (see ``Adapter``).
        output: a directory that ``from_pretrained`` loads (see ``write_checkpoint``), with config and tokenizer of the
            base.
        progress: counts tensors.

    Each weight is computed in float64 and rounded to float32 once. What the adapter does not change has exactly the
    values of the base.

    Raises ``UserError``, before anything is written, for an adapter that is damaged or cannot be read (see
    ``Adapter.open``) or does not fit the base (see ``check_fit``); then if the base is damaged (see ``check_model``),
    or if a value is NaN or infinite.
    """
    adapter = Path(adapter)
    if (adapter / CHECKSUMS).is_file():  # of ours
        try:
            check_files(adapter)
        except UserError as error:
            raise UserError(f"{error}; copy the adapter again") from None
    found = Adapter.open(adapter)
    transposed = check_fit(found, Checkpoint.open(base))
    write_checkpoint({name: base}, output, functools.partial(_sums, found, transposed), progress)


def _sums(
    adapter: Adapter,
    transposed: frozenset[str],
    checkpoints: Mapping[str, Checkpoint],
    readers: Mapping[str, Reader],
    names: Sequence[str],
) -> Generator[tuple[int, memoryview]]:
    ((base, checkpoint),) = checkpoints.items()
    read, rounded = readers[base], np.empty(CHUNK, np.float32)
    for done, name in enumerate(names):
        tensor, product = checkpoint.tensors[name], adapter.products.get(name)
        if not tensor.is_float:
            buffer = memoryview(bytearray(min(CHUNK, tensor.size) * ITEM_SIZES[tensor.dtype]))
            for block in blocks(tensor, read, CHUNK, itertools.repeat(buffer)):
                yield done, block
            continue
        source = adapter.replaced.get(name)
        stream = (tensor, read) if source is None else (source, read_file)
        chunks = float_chunks(*stream) if product is None else _adapted(*stream, product, name in transposed)
        for chunk in chunks:
            result = rounded[: len(chunk)]
            with np.errstate(over="ignore"):
                np.copyto(result, chunk, casting="same_kind")
            if not np.isfinite(result).all():
                _refuse(adapter, base, tensor)
            yield done, result.data.cast("B")


def _adapted(tensor: Tensor, read: Reader, product: Product, transposed: bool) -> Iterator[Doubles]:
    """The values of a matrix plus those of a product, flat, at most ``CHUNK`` at a time, in one buffer."""
    a, b = (matrix(part) for part in (product.a, product.b))
    left, right = (a.T, b.T) if transposed else (b, a)
    left = left * product.scale
    width = tensor.shape[1]
    # Whole rows, for each of which the product is computed once.
    rows = max(1, CHUNK // width)
    buffer = memoryview(bytearray(ITEM_SIZES[tensor.dtype] * min(rows * width, tensor.size)))
    row, change, used = 0, np.empty(0), 0
    for chunk in doubles(tensor, blocks(tensor, read, rows * width, itertools.repeat(buffer))):
        if used == len(change):
            change, used = (left[row : row + rows] @ right).ravel(), 0
            row += rows
        np.add(chunk, change[used : used + len(chunk)], out=chunk)
        used += len(chunk)
        yield chunk


def matrix(tensor: Tensor) -> Doubles:
    """The values of a tensor in its shape."""
    return np.concatenate([chunk.copy() for chunk in float_chunks(tensor)]).reshape(tensor.shape)


def _refuse(adapter: Adapter, base: str, tensor: Tensor) -> None:
    """Say where the numbers come from that are not finite."""
    product, replaced = adapter.products.get(tensor.name), adapter.replaced.get(tensor.name)
    parts = [*([product.a, product.b] if product else []), *([replaced] if replaced else [])]
    for part in (tensor, *parts):
        if not all(np.isfinite(chunk).all() for chunk in float_chunks(part)):
            raise UserError(
                f"{part.file}: tensor {part.name} holds NaN or inf; its training diverged or the file is damaged"
            )
    raise UserError(f"{adapter.directory}: with it, tensor {tensor.name} of {base} exceeds the range of float32")
