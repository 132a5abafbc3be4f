"""Merging under a method: the checkpoint of a point whose displacements a method changes, streamed over tensors."""

import contextlib
import functools
import itertools
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lm_interpolation.jobs.checksums import Reader
from lm_interpolation.jobs.runtime import Progress, UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.points.algebra import Method, Point
from lm_interpolation.points.displacements import OnDisk
from lm_interpolation.points.methods.recipes import sums, under
from lm_interpolation.points.methods.spaces import Place, Space
from lm_interpolation.points.reading import CHUNK, blocks
from lm_interpolation.points.writing import check_equal, write_checkpoint

_AHEAD = 16
"""Tensors that may be prepared ahead: large matrices and small vectors take turns in a model."""


def merge_by_method(
    point: Point,
    method: Method,
    models: Mapping[str, str | Path],
    output: str | Path,
    progress: Progress | None = None,
) -> None:
    """Write the model at ``point``, which is under ``method``, into the directory ``output``.

    Args:
        point: its coefficients are used as they are, never normalised.
        method: what happens to the displacements before they are added.
        models: model name -> Hugging Face directory (float32, float16 or bfloat16 safetensors), the base included; more
            than the point needs is allowed.
        output: a directory that ``from_pretrained`` loads (see ``write_checkpoint``).
        progress: counts tensors.

    Sums are accumulated in float64 and stored as float32. Integer and boolean tensors must be equal in all models and
    are copied. Memory does not grow with the models unless a stage needs whole tensors.

    Raises ``UserError`` if a model is damaged or if models do not fit together (see ``write_checkpoint``), if a value
    is NaN or infinite, and what the stages raise.
    """
    chosen = {model: models[model] for model in method.models(point)}
    write_checkpoint(chosen, output, functools.partial(_sums, point, method), progress)


def _sums(
    point: Point,
    method: Method,
    checkpoints: Mapping[str, Checkpoint],
    readers: Mapping[str, Reader],
    names: Sequence[str],
) -> Generator[tuple[int, memoryview]]:
    weights = {model: float(value) for model, value in point.coefficients if model != method.base}
    space = under(method, point, OnDisk(weights, method.base, checkpoints, readers))
    buffer = np.empty(CHUNK, "<f4")
    places = _prepared_ahead(space, [space.places[name] for name in names if name in space.places])
    with contextlib.closing(places):
        for done, name in enumerate(names):
            if name not in space.places:
                for parts in _others(name, checkpoints, readers):
                    check_equal(name, checkpoints, parts)
                    yield done, parts[0]
                continue
            for _, total in sums(space, next(places)):
                result = buffer[: len(total)]
                with np.errstate(over="ignore"):
                    np.copyto(result, total, casting="same_kind")
                if not np.isfinite(result).all():
                    raise UserError(
                        f"point {point.id}: tensor {name} exceeds the range of float32; use smaller coefficients"
                    )
                yield done, result.data.cast("B")


def _prepared_ahead(space: Space, places: Iterable[Place]) -> Generator[Place]:
    """The tensors in order, each prepared; a thread prepares the next ones while the caller works on this one."""
    with ThreadPoolExecutor(1) as thread:
        jobs = ((place, thread.submit(space.prepare, place)) for place in places)
        waiting = deque(itertools.islice(jobs, _AHEAD))
        try:
            while waiting:
                place, job = waiting.popleft()
                job.result()
                waiting.extend(itertools.islice(jobs, 1))
                yield place
        finally:
            for _, job in waiting:
                job.cancel()


def _others(
    name: str, checkpoints: Mapping[str, Checkpoint], readers: Mapping[str, Reader]
) -> Iterator[tuple[memoryview, ...]]:
    """The bytes of a tensor that holds no weights, a block of each model at a time."""
    streams = []
    for model, checkpoint in checkpoints.items():
        tensor = checkpoint.tensors[name]
        size = (tensor.end - tensor.start) // max(tensor.size, 1)
        buffer = memoryview(bytearray(size * min(CHUNK, tensor.size)))
        streams.append(blocks(tensor, readers[model], CHUNK, itertools.repeat(buffer)))
    yield from zip(*streams, strict=True)
