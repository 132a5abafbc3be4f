"""Many points without checkpoints: the weights of one live model are set, in memory, to any point of a study.

For analyses that read the same texts at hundreds of points (the planes of Rofin, Balagansky and Gavrilov 2022,
arXiv 2211.12092, section 4.3), where ``merging.merge`` would write and load a checkpoint for each. The values are those
of ``merge`` up to rounding in float32.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from array_api_compat import array_namespace
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from lm_interpolation.jobs.checksums import check_model
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_compatible, shortest_context
from lm_interpolation.models.loading import load_model
from lm_interpolation.points.algebra import Method, Point, Sweep, SweepPoint
from lm_interpolation.points.methods.places import places
from lm_interpolation.points.methods.recipes import sums, under
from lm_interpolation.points.methods.spaces import Array, Chunk, Place, Space
from lm_interpolation.points.reading import CHUNK as CACHED
from lm_interpolation.points.writing import check_tied

CHUNK = 1 << 22
"""Elements that are in float64 at once."""

_Tensors = dict[str, torch.Tensor]


class WeightSpace:
    """Models of one architecture held in memory, and one live model whose weights are set to any point between them.

    Memory, all in float32 on ``device``: the models and the live one, and two more while ``visit`` runs.

    Attributes:
        model: the live model, in evaluation mode; no parameter requires a gradient. Before the first point is set, it
            equals the first of ``models``. Its weights are written in place: they are the same tensors at all points.
        tokenizer: that of the first model (all tokenize alike, see ``check_compatible``).
        names: the models, in the order given.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    names: tuple[str, ...]

    def __init__(
        self,
        models: Mapping[str, str | Path],
        device: str = "cpu",
        attention: str | None = None,
        methods: Iterable[Method] = (),
    ) -> None:
        """Load ``models`` (name -> directory of a causal language model; any float type, converted to float32).

        ``attention`` is transformers' ``attn_implementation`` of the live model; None leaves its default. Forward-mode
        differentiation needs ``"eager"``. ``methods`` are those that points may be under (``visit`` adds that of its
        sweep).

        Raises ``UserError`` if a model is damaged (see ``check_model``) or incomplete, if models do not fit together
        (see ``check_compatible``), if a weight is NaN or infinite, or if buffers (masks, say: tensors that are not
        weights) differ.
        """
        # Before the comparison: a damaged file would look like that of another model.
        for directory in models.values():
            check_model(directory)
        checkpoints = self._checkpoints(models)
        self.names = tuple(models)
        self._methods = {method.name: method for method in methods}
        # What stages have computed serves all points.
        self._memory: dict[Any, Any] = {}
        self._parents: dict[str, _Tensors] = {}
        for name, directory in models.items():
            model, tokenizer = self._load(directory, device)
            # Tied tensors occur once, under the name of the first.
            parameters = {key: tensor.detach() for key, tensor in model.named_parameters()}
            broken = _not_finite(parameters)
            if broken:
                raise UserError(
                    f"model {name} ({directory}): tensor {broken} holds NaN or inf; its training diverged or the file "
                    "is damaged"
                )
            if not self._parents:
                self.model, self.tokenizer, self._live = model.requires_grad_(False), tokenizer, parameters
                parameters = {key: tensor.clone() for key, tensor in parameters.items()}
            self._check_buffers(name, model)
            self._parents[name] = parameters
        shapes = {key: tuple(tensor.shape) for key, tensor in self._live.items()}
        self._places = places(shapes, self.model.config.model_type)
        self._arrays = {name: _arrays(parent) for name, parent in self._parents.items()}
        if (context := shortest_context(checkpoints)) is not None:
            self.model.config.max_position_embeddings = context
        if attention is not None:
            self.model.set_attn_implementation(attention)
            # transformers only warns if an architecture has no choice.
            if self.model.config._attn_implementation != attention:
                raise UserError(f"{models[self.names[0]]}: its architecture has no attention {attention!r}")

    def _checkpoints(self, models: Mapping[str, str | Path]) -> list[Checkpoint]:
        """What the folders hold, if it can be combined; ``models`` are whole files."""
        checkpoints = list(check_compatible(models).values())
        for checkpoint in checkpoints:
            check_tied(checkpoint)
        return checkpoints

    def _load(self, directory: str | Path, device: str) -> tuple[Any, PreTrainedTokenizerBase]:
        """The model in this folder, which has been checked, and its tokenizer."""
        return load_model(AutoModelForCausalLM, directory, device, checked=True)

    def hold(self, name: str, weights: Mapping[str, torch.Tensor]) -> None:
        """Hold ``weights`` as a further model ``name``, in place of one that was held under that name before.

        They have the names and shapes of ``parameters``; float32 on any device. Points may combine it with the others:
        so they reach weights that are no model's, such as a random direction. Memory: one model more.
        """
        if name not in self._parents:
            self.names = (*self.names, name)
        held = {key: weights[key].to(tensor.device, tensor.dtype).contiguous() for key, tensor in self._live.items()}
        self._parents[name], self._arrays[name] = held, _arrays(held)
        self._memory.clear()

    def current(self) -> dict[str, torch.Tensor]:
        """A copy of the live model's weights, by the names of ``parameters``."""
        return {key: tensor.clone() for key, tensor in self._live.items()}

    def parameters(self, name: str) -> dict[str, torch.Tensor]:
        """The parameters of model ``name`` by the live model's names (tied ones once): float32, read only."""
        return dict(self._parents[name])

    def add_method(self, method: Method) -> None:
        """Hold ``method``, in place of one of the same name, for points under it."""
        self._methods[method.name] = method

    def set_point(self, point: Point) -> None:
        """Set the live model's weights to sum_m c_m theta_m, accumulated in float64 and stored as float32.

        ``{m: 1}`` gives exactly the weights of ``m``. Under a method weights are those of ``merge_by_method``: on a CPU
        bit by bit. Raises ``UserError`` naming point and tensor if a weight exceeds the range of float32, and what the
        stages of a method raise, ``ValueError`` if the point needs a model or a method that is not held.
        """
        self._check_models(point)
        if point.method:
            self._combine_under(self._methods[point.method], point)
        else:
            self._combine(dict(point.coefficients), self._live)
        self._check(point)

    def visit(self, sweep: Sweep) -> Iterator[SweepPoint]:
        """Yield all points of the sweep in order; while the caller uses a point, the live model is set to it.

        Along a line (points that differ in their first coordinate) weights are a + t d: ``a`` and ``d`` are computed
        once; then each point costs one pass over the weights and no memory. Single models are exact. Raises what
        ``set_point`` raises, and ``UserError`` if the sweep's space is not that of weights.
        """
        if sweep.space != "weights":
            raise UserError(f"sweeps.{sweep.name}.space: {sweep.space}; only points in the space of weights are models")
        if sweep.method:
            self.add_method(sweep.method)
        for entry in sweep.points:
            self._check_models(entry.point)
        if sweep.method:
            for entry in sweep.points:
                self.set_point(entry.point)
                yield entry
            return
        origin = {key: torch.empty_like(tensor) for key, tensor in self._live.items()}
        direction = {key: torch.empty_like(tensor) for key, tensor in self._live.items()}
        for _, group in itertools.groupby(sweep.points, key=lambda entry: entry.coordinates[1:]):
            line = list(group)
            # At the point with the smallest coefficients rounding `a` costs least.
            start = min(line, key=lambda entry: sum(abs(value) for _, value in entry.point.coefficients))
            slopes = _slopes(line)
            # For one or two points `a` and `d` would not pay.
            if len(line) > 2:
                self._combine(dict(start.point.coefficients), origin)
                self._combine(slopes, direction)
            for entry in line:
                step = entry.coordinates[0][1] - start.coordinates[0][1]
                # Points have a fixed number of digits, so rounding may move one off the line.
                on_line = _move(start.point, slopes, step) == dict(entry.point.coefficients)
                if len(line) > 2 and len(entry.point.coefficients) > 1 and on_line:
                    for key, tensor in self._live.items():
                        torch.add(origin[key], direction[key], alpha=float(step), out=tensor)
                    self._check(entry.point)
                else:
                    self.set_point(entry.point)
                yield entry

    def _check_models(self, point: Point) -> None:
        if point.method and point.method not in self._methods:
            raise ValueError(f"point {point.id} is under a method that is not held: {sorted(self._methods)}")
        needed = self._methods[point.method].models(point) if point.method else point.models
        unknown = set(needed) - set(self.names)
        if unknown:
            raise ValueError(f"point {point.id} needs {sorted(unknown)}, but the models held are {list(self.names)}")

    def _check_buffers(self, name: str, model: Any) -> None:
        own = dict(model.named_buffers())
        for key, buffer in self.model.named_buffers():
            if not torch.equal(buffer, own[key]):
                raise UserError(
                    f"models {self.names[0]} and {name}: buffer {key} differs; such a tensor cannot be averaged, use "
                    "models fine-tuned from the same one"
                )

    def _combine(self, coefficients: Mapping[str, Decimal | Fraction], target: _Tensors) -> None:
        """Write sum_m c_m theta_m into ``target``; a sum without terms is 0."""
        terms = [(self._parents[model], float(value)) for model, value in coefficients.items() if value]
        for key, tensor in target.items():
            parts = [(parent[key].view(-1), weight) for parent, weight in terms]
            flat = tensor.view(-1)
            for begin in range(0, len(flat), CHUNK):
                span = slice(begin, begin + CHUNK)
                # The signs of zeros stay as they are, as in `merge`: -0.0 + -0.0 is -0.0.
                total = torch.full_like(flat[span], -0.0, dtype=torch.float64)
                for values, weight in parts:
                    total.add_(values[span].double(), alpha=weight)
                flat[span] = total

    def _combine_under(self, method: Method, point: Point) -> None:
        held = _InMemory(self._arrays, point, method.base, self._places, self._memory)
        space = under(method, point, held)
        for key, tensor in self._live.items():
            flat = as_array(tensor)
            for start, total in sums(space, self._places[key]):
                with np.errstate(over="ignore"):
                    flat[start : start + len(total)] = total

    def _check(self, point: Point) -> None:
        broken = _not_finite(self._live)
        if broken:
            raise UserError(f"point {point.id}: tensor {broken} exceeds the range of float32; use smaller coefficients")


class _InMemory(Space):
    """Displacements of models in memory."""

    def __init__(
        self,
        parents: Mapping[str, Mapping[str, Array]],
        point: Point,
        base: str | None,
        places: Mapping[str, Place],
        memory: dict[Any, Any],
    ) -> None:
        weights = {model: float(value) for model, value in point.coefficients if model != base}
        super().__init__(places, weights, ("displacements", base), memory)
        self._parents, self._base = parents, base

    def chunks(self, place: Place) -> Iterator[Chunk]:
        models = {model: self._parents[model][place.name] for model in self.weights}
        base = None if self._base is None else self._parents[self._base][place.name]
        any_array = next(iter(models.values()))
        xp = array_namespace(any_array)
        # On a GPU small chunks would leave it idle.
        size = CACHED if isinstance(any_array, np.ndarray) else place.size
        for start in range(0, place.size, size):
            part = slice(start, start + size)
            own = None if base is None else xp.astype(base[part], xp.float64)
            values = {model: xp.astype(array[part], xp.float64) for model, array in models.items()}
            if own is not None:
                values = {model: array - own for model, array in values.items()}
            yield Chunk(start, own, values)


def as_array(tensor: torch.Tensor) -> Array:
    """The elements of a tensor, flat, sharing its memory: NumPy's on a CPU, torch's on a GPU."""
    flat = tensor.detach().view(-1)
    return flat.numpy() if flat.device.type == "cpu" else flat


def _arrays(tensors: _Tensors) -> dict[str, Array]:
    return {key: as_array(tensor) for key, tensor in tensors.items()}


def _not_finite(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """Name of the first tensor with NaN or inf. Copies no tensor, and waits for the device only once."""
    extremes = torch.stack([torch.stack(torch.aminmax(tensor)) for tensor in tensors.values()])
    finite = torch.isfinite(extremes).all(dim=-1).tolist()
    return next((name for name, good in zip(tensors, finite, strict=True) if not good), None)


def _slopes(line: Sequence[SweepPoint]) -> dict[str, Fraction]:
    """Change of each model's coefficient per unit of the first coordinate, exact; none for a single point."""
    first, last = line[0], line[-1]
    length = Fraction(last.coordinates[0][1] - first.coordinates[0][1])
    if not length:
        return {}
    begin, end = dict(first.point.coefficients), dict(last.point.coefficients)
    return {
        model: Fraction(end.get(model, Decimal(0)) - begin.get(model, Decimal(0))) / length
        for model in sorted(begin.keys() | end.keys())
    }


def _move(start: Point, slopes: Mapping[str, Fraction], step: Decimal) -> dict[str, Fraction]:
    """The coefficients start + step * slopes, exact and without zeros."""
    moved = {model: Fraction(value) for model, value in start.coefficients}
    for model, slope in slopes.items():
        moved[model] = moved.get(model, Fraction(0)) + Fraction(step) * slope
    return {model: value for model, value in moved.items() if value}
