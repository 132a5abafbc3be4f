"""A model with its units permuted to match another one, written to disk: the same function at another place.

Source: Ainsworth, Hayase and Srinivasa 2022 (arXiv 2209.04836); see ``models.rebasin`` and ``models.symmetries``.
"""

import contextlib
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lm_interpolation.jobs.checksums import Reader, checked_reader
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_compatible
from lm_interpolation.models.headers import Tensor
from lm_interpolation.models.rebasin import Matching, Tensors, match
from lm_interpolation.models.symmetries import symmetries
from lm_interpolation.points.reading import float_chunks
from lm_interpolation.points.writing import check_tied, write_checkpoint


def align(
    models: Mapping[str, str | Path],
    output: str | Path,
    kinds: Collection[str],
    seed: int,
    done: Callable[[int], object] | None = None,
) -> Matching:
    """Write the first of two ``models`` (name -> Hugging Face directory), permuted to match the second, to ``output``.

    Only permutations of these ``kinds`` (``symmetries.KINDS``) are used. Each weight that is written is one of the
    model's, as float32; config and tokenizer are the model's. Both models are in memory, as float32, and products of
    units in float64. ``seed`` and ``done`` are those of ``rebasin.match``.

    Raises ``UserError`` if a model is damaged (see ``check_model``), if models do not fit together (see
    ``check_compatible``), if the permutations of the architecture are not known (see ``symmetries``), or if a weight is
    NaN or infinite.
    """
    name, target = models
    with contextlib.ExitStack() as stack:
        readers = {one: stack.enter_context(checked_reader(directory)) for one, directory in models.items()}
        checkpoints = check_compatible(models)
        checkpoint = checkpoints[name]
        with error_prefix(f"model {name} ({checkpoint.directory})"):
            shapes = {key: tensor.shape for key, tensor in checkpoint.tensors.items()}
            found = symmetries(checkpoint.config, shapes)
        for one, opened in checkpoints.items():
            check_tied(opened, readers[one])
        weights, goal = (_read(one, checkpoints[one], readers[one]) for one in (name, target))
    matching = match(goal, weights, [symmetry for symmetry in found if symmetry.kind in kinds], seed, done)

    def parts(
        _: Mapping[str, Checkpoint], __: Mapping[str, Reader], names: Sequence[str]
    ) -> Generator[tuple[int, memoryview]]:
        for number, key in enumerate(names):
            yield number, np.ascontiguousarray(weights[key]).reshape(-1).data.cast("B")

    write_checkpoint({name: models[name]}, output, parts)
    return matching


def _read(name: str, checkpoint: Checkpoint, reader: Reader) -> Tensors:
    """All weights of a model, float32."""
    # In the order of the file, so that what is digested on the way is read once.
    tensors = sorted(checkpoint.tensors.items(), key=lambda item: (item[1].file, item[1].start))
    return {key: _values(name, tensor, reader) for key, tensor in tensors}


def _values(name: str, tensor: Tensor, reader: Reader) -> npt.NDArray[np.float32]:
    values, start = np.empty(tensor.size, "<f4"), 0
    for chunk in float_chunks(tensor, reader):
        # Exact: it is stored in 32 bits or fewer.
        values[start : start + len(chunk)] = chunk
        start += len(chunk)
    if not np.isfinite(values).all():
        raise UserError(
            f"model {name} ({tensor.file}): tensor {tensor.name} holds NaN or inf; its training diverged or the file "
            "is damaged"
        )
    return values.reshape(tensor.shape)
