"""Displacements of models in files from a base, streamed over tensors."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lm_interpolation.jobs.checksums import Reader, checked_reader
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_compatible
from lm_interpolation.points.methods.places import places_of
from lm_interpolation.points.methods.spaces import Chunk, Place, Space
from lm_interpolation.points.reading import float_chunks
from lm_interpolation.points.writing import check_tied


class OnDisk(Space):
    """Displacements of models in files."""

    def __init__(
        self,
        weights: Mapping[str, float],
        base: str | None,
        checkpoints: Mapping[str, Checkpoint],
        readers: Mapping[str, Reader],
    ) -> None:
        """``weights`` has the coefficient of each model but the base, sorted by name; ``base`` None stands for zeros.

        ``checkpoints`` and ``readers`` are of all models by name.
        """
        first = next(iter(checkpoints.values()))
        super().__init__(places_of(first), weights, ("displacements", base))
        self._base, self._checkpoints, self._readers = base, checkpoints, readers

    def chunks(self, place: Place) -> Iterator[Chunk]:
        names = [*self.weights, *([self._base] if self._base is not None else [])]
        streams = [float_chunks(self._checkpoints[name].tensors[place.name], self._readers[name]) for name in names]
        start = 0
        for parts in zip(*streams, strict=True):
            base = parts[-1] if self._base is not None else None
            values = {}
            for model, part in zip(self.weights, parts, strict=False):
                values[model] = part if base is None else np.subtract(part, base, out=part)
                # A sum in float64 of so few float32 numbers is finite exactly if all are. (Not of squares: for that
                # NumPy asks BLAS, whose threads wait for each other.)
                with np.errstate(invalid="ignore"):
                    finite = np.isfinite(part.sum())
                if not finite:
                    self._refuse(place, names)
            yield Chunk(start, base, values)
            start += len(parts[0])

    def _refuse(self, place: Place, names: Sequence[str]) -> None:
        for name in names:
            tensor = self._checkpoints[name].tensors[place.name]
            if not all(np.isfinite(chunk).all() for chunk in float_chunks(tensor)):
                raise UserError(
                    f"model {name} ({tensor.file}): tensor {place.name} holds NaN or inf; its training diverged or the "
                    "file is damaged"
                )


@contextlib.contextmanager
def displacements(models: Mapping[str, str | Path], base: str | None) -> Iterator[Space]:
    """The displacements of ``models`` (name -> Hugging Face directory) from the one called ``base``, None for zeros.

    All have the coefficient 1. Raises ``UserError`` if a model is damaged (at the end, when all has been read), if
    models do not fit together (see ``check_compatible``), or if a weight is NaN or infinite.
    """
    with contextlib.ExitStack() as stack:
        readers = {model: stack.enter_context(checked_reader(directory)) for model, directory in models.items()}
        checkpoints = check_compatible(models)
        for model, checkpoint in checkpoints.items():
            check_tied(checkpoint, readers[model])
        weights = {model: 1.0 for model in sorted(models) if model != base}
        yield OnDisk(weights, base, checkpoints, readers)
