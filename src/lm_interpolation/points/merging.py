"""Merging: the checkpoint theta = sum_m c_m theta_m of a point, streamed over tensors.

Source: Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092). Eqs. 1-4 are all affine combinations of
models (see ``points``). Memory does not depend on the size of the model, and torch is not needed.

Every byte is read once, digested while it is read, and written once: one thread reads ahead, one sums, and one writes
earlier sums (for the gain see benchmarks/notes.md).
"""

import contextlib
import functools
import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lm_interpolation.jobs.checksums import Reader
from lm_interpolation.jobs.runtime import Progress, UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.headers import ITEM_SIZES
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.reading import CHUNK, blocks, doubles, float_chunks
from lm_interpolation.points.writing import check_equal, write_checkpoint

_AHEAD = 1 << 22
"""Bytes of each model that are read ahead while others are summed."""


def merge(point: Point, models: Mapping[str, str | Path], output: str | Path, progress: Progress | None = None) -> None:
    """Write the model at ``point``, which is under no method, into the directory ``output``.

    Args:
        point: coefficients; used as they are, never normalised.
        models: model name -> Hugging Face directory (float32, float16 or bfloat16 safetensors); more than the point
            needs is allowed.
        output: a directory that ``from_pretrained`` loads (see ``write_checkpoint``).
        progress: counts tensors.

    Sums are accumulated in float64 and stored as float32, so the point ``{m: 1}`` has exactly the values of ``m``.
    Integer and boolean tensors must be equal in all models and are copied.

    Raises ``UserError`` if a model is damaged (see ``check_model``), if models do not fit together (see
    ``check_compatible``), or if a value is NaN or infinite.
    """
    needed = {model: models[model] for model in point.models}
    write_checkpoint(needed, output, functools.partial(_sums, point), progress)


def _sums(
    point: Point, checkpoints: Mapping[str, Checkpoint], readers: Mapping[str, Reader], names: Sequence[str]
) -> Generator[tuple[int, memoryview]]:
    first = next(iter(checkpoints.values()))
    with contextlib.closing(_read_ahead(names, checkpoints, readers)) as blocks_of_tensors:
        for done, name, parts in blocks_of_tensors:
            if first.tensors[name].is_float:
                for part in _merge_floats(point, name, checkpoints, parts):
                    yield done, part
            else:
                check_equal(name, checkpoints, parts)
                yield done, parts[0]


def _read_ahead(
    names: Sequence[str], checkpoints: Mapping[str, Checkpoint], readers: Mapping[str, Reader]
) -> Generator[tuple[int, str, tuple[memoryview, ...]]]:
    """Yields (index, name, one block per model) for each tensor, with at most ``_AHEAD`` bytes per block.

    Blocks live in two alternating buffers: asking for the next block overwrites the one before the current.
    """
    buffers = {
        model: itertools.cycle([memoryview(bytearray(_AHEAD)), memoryview(bytearray(_AHEAD))]) for model in checkpoints
    }

    def read() -> Iterator[tuple[int, str, tuple[memoryview, ...]]]:
        for done, name in enumerate(names):
            tensors = {model: checkpoint.tensors[name] for model, checkpoint in checkpoints.items()}
            elements = _AHEAD // max(ITEM_SIZES[tensor.dtype] for tensor in tensors.values())
            streams = [blocks(tensor, readers[model], elements, buffers[model]) for model, tensor in tensors.items()]
            for parts in zip(*streams, strict=True):
                yield done, name, parts

    items = read()
    with ThreadPoolExecutor(1) as thread:
        job = thread.submit(next, items, None)
        while (item := job.result()) is not None:
            job = thread.submit(next, items, None)
            yield item


def _merge_floats(
    point: Point, name: str, checkpoints: Mapping[str, Checkpoint], parts: Sequence[memoryview]
) -> Iterator[memoryview]:
    weights = {model: float(coefficient) for model, coefficient in point.coefficients}
    tensors = [checkpoint.tensors[name] for checkpoint in checkpoints.values()]
    streams = [doubles(tensor, [part]) for tensor, part in zip(tensors, parts, strict=True)]
    sums = np.empty(CHUNK, "<f4")
    for chunks in zip(*streams, strict=True):
        # Start from the first product, not from zeros, to keep the sign of -0.0.
        for model, chunk in zip(checkpoints, chunks, strict=True):
            np.multiply(chunk, weights[model], out=chunk)
        total, *others = chunks
        for other in others:
            np.add(total, other, out=total)
        result = sums[: len(total)]
        with np.errstate(over="ignore"):
            np.copyto(result, total, casting="same_kind")
        if not np.isfinite(result).all():
            for model, checkpoint in checkpoints.items():
                if not all(np.isfinite(chunk).all() for chunk in float_chunks(checkpoint.tensors[name])):
                    raise UserError(
                        f"model {model} ({checkpoint.tensors[name].file}): tensor {name} holds NaN or inf; its "
                        "training diverged or the file is damaged"
                    )
            raise UserError(f"point {point.id}: tensor {name} exceeds the range of float32; use smaller coefficients")
        yield result.data.cast("B")
