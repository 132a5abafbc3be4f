"""A space over arrays, for tests of stages: what files and models hold, without either."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from array_api_compat import array_namespace

from lm_interpolation.points.algebra import Method, Point
from lm_interpolation.points.methods.places import places
from lm_interpolation.points.methods.recipes import sums, under
from lm_interpolation.points.methods.spaces import Chunk, Place, Space

Tensors = Mapping[str, np.ndarray]


class Arrays(Space):
    """Displacements of ``models`` (model -> tensor name -> float32 array) from the one called ``base``."""

    def __init__(
        self,
        models: Mapping[str, Tensors],
        weights: Mapping[str, float],
        base: str | None = None,
        chunk: int = 7,
        torch_arrays: bool = False,
        model_type: str = "llama",
    ) -> None:
        first = next(iter(models.values()))
        found = places({name: array.shape for name, array in first.items()}, model_type)
        super().__init__(found, dict(sorted(weights.items())), ("displacements", base))
        self._models, self._base, self._chunk, self._torch = models, base, chunk, torch_arrays

    def chunks(self, place: Place) -> Iterator[Chunk]:
        def read(model: str, part: slice) -> Any:
            array = self._models[model][place.name].reshape(-1)[part].astype(np.float64)
            return torch.from_numpy(array) if self._torch else array

        for start in range(0, place.size, self._chunk):
            part = slice(start, start + self._chunk)
            base = None if self._base is None else read(self._base, part)
            values = {model: read(model, part) for model in self.weights}
            if base is not None:
                values = {model: array - base for model, array in values.items()}
            yield Chunk(start, base, values)


def method(*stages: tuple[str, dict[str, Any]], base: str | None = "base", coordinates: tuple[str, ...] = ()) -> Method:
    """A method of these (module, settings)."""
    recipe = {"stages": [{"module": module, "settings": settings} for module, settings in stages]}
    return Method("m", base, coordinates, recipe=recipe)


def tensor_of(space: Space, name: str) -> np.ndarray:
    """The weights of a tensor in float64, with its shape: the base plus the weighted sum of displacements."""
    place = space.places[name]
    parts = [np.asarray(total) for _, total in sums(space, place)]
    return np.concatenate(parts).reshape(place.shape)


def displacements_of(space: Space, name: str) -> dict[str, np.ndarray]:
    """Model -> its displacement of a tensor, float64, with its shape."""
    place = space.places[name]
    found: dict[str, list[np.ndarray]] = {}
    for chunk in space.chunks(place):
        for model, values in chunk.values.items():
            assert array_namespace(values)
            found.setdefault(model, []).append(np.asarray(values))
    return {model: np.concatenate(parts).reshape(place.shape) for model, parts in found.items()}


def staged(space: Space, *stages: tuple[str, dict[str, Any]]) -> Space:
    """``space`` after these (module, settings), whatever its weights are."""
    return under(method(*stages), Point(()), space)


def at(how: Method, weights: Mapping[str, float | int], space: Space, **values: float) -> Space:
    """``space`` under ``how``, with the rest of the coefficients on the base."""
    coefficients = dict(weights)
    if how.base is not None:
        coefficients[how.base] = 1 - sum(coefficients.values())
    return under(how, Point.of(coefficients) if not values else how.point(coefficients, values), space)


def random_models(
    seed: int, shapes: Mapping[str, tuple[int, ...]], names: str = "abc"
) -> dict[str, dict[str, np.ndarray]]:
    """``base`` and fine-tuned models: small float32 displacements, some of them 0 and some equal in size."""
    rng = np.random.default_rng(seed)
    base = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    models = {"base": base}
    for model in names:
        models[model] = {}
        for name, shape in shapes.items():
            moved = rng.normal(size=shape) * 1e-2
            moved = np.where(
                rng.random(shape) < 0.2, 0.0, np.where(rng.random(shape) < 0.2, np.sign(moved) * 0.0078125, moved)
            )
            models[model][name] = (base[name] + moved).astype(np.float32)
    return models
