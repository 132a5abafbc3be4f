"""Points in the space of layers: the outputs of each layer of several models are added, at one shared input.

A model is a chain of layers: the embedding E, blocks B_1 ... B_L, and the final norm with the head, U. At a point with
the coefficients c_m the chain is

    x_0 = sum_m c_m E_m(tokens),    x_l = sum_m c_m B_ml(x_(l-1)),    logits = sum_m c_m U_m(x_L).

All models read the same residual stream x; each keeps keys and values of its own. The blocks are residual, B_ml(x) =
x + f_ml(x), and coefficients sum to 1, so the second equation is x_l = x_(l-1) + sum_m c_m f_ml(x_(l-1)). With base = 1
- alpha and tuned = alpha this is the FTC-alpha-scaling of Nuti, Franzmeyer and Henriques 2025 (arXiv 2506.23423,
Definition 5.1): x + PTC(x) + alpha FTC(x), where PTC is f of the pretrained model and FTC what fine-tuning adds to it.
Their definition covers blocks. That embedding and head follow the same rule is our reading: so alpha = 0 is exactly the
base model, and alpha = 1 the tuned one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, DynamicCache

from lm_interpolation.jobs.checksums import check_model
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.compatibility import check_compatible
from lm_interpolation.models.decoder_parts import PARTS, DecoderParts, unknown
from lm_interpolation.models.loading import load_model
from lm_interpolation.points.algebra import Point


class LayerSpace:
    """Models of one architecture held in memory, and one live model whose layers are those of any point between them.

    Memory: the models. The live model is made of their layers and costs as much as those of its point together.

    Attributes:
        model: the live model, a causal language model of transformers in evaluation mode, with a cache of keys and
            values for each model of the point. It serves generation and losses as any other.
        members: name -> (model, tokenizer), in the order given; of ``model`` only the configuration serves others.
    """

    model: Any
    members: dict[str, tuple[Any, Any]]

    def __init__(self, models: Mapping[str, str | Path], device: str = "cpu", precision: str = "fp32") -> None:
        """Load ``models`` (name -> directory of a causal language model), their weights cast to ``precision``.

        Raises ``UserError`` if a model is damaged (see ``check_model``) or incomplete, if models do not fit together
        (see ``check_compatible``), or if the layers of the architecture are not known (see ``decoder_parts``).
        """
        # Before the comparison: a damaged file would look like that of another model.
        for directory in models.values():
            check_model(directory)
        for name, checkpoint in check_compatible(models).items():
            if (reason := unknown(checkpoint.config.get("model_type"))) is not None:
                raise UserError(f"model {name} ({checkpoint.directory}): model_type {reason}")
        self.members = {
            name: load_model(AutoModelForCausalLM, directory, device, precision, checked=True)
            for name, directory in models.items()
        }
        self._coefficients = dict.fromkeys(models, 0.0)
        self._parts = PARTS[next(iter(self.members.values()))[0].config.model_type]
        self._blocks = {
            name: list(model.get_submodule(self._parts.blocks)) for name, (model, _) in self.members.items()
        }
        self.model = self._joined()
        self.set_point(Point.of({next(iter(models)): 1}))

    def set_point(self, point: Point) -> None:
        """Set the live model to ``point``. ``{m: 1}`` computes exactly what ``m`` does.

        Raises ``ValueError`` if the point is under a method, or needs a model that is not held.
        """
        if point.method or (missing := set(point.models) - set(self.members)):
            raise ValueError(f"point {point.id} is under a method" if point.method else f"{missing} are not held")
        self._coefficients.update(dict.fromkeys(self._coefficients, 0.0))
        self._coefficients.update({name: float(value) for name, value in point.coefficients})
        # In the cache the layers of the models follow each other. The length of a text is read from the first.
        for place, name in enumerate(point.models):
            for number, block in enumerate(self._blocks[name]):
                block.get_submodule(self._parts.attention).layer_idx = place * len(self._blocks[name]) + number

    def blocks(self, name: str) -> Sequence[nn.Module]:
        """The blocks of model ``name``, from the first to the last."""
        return tuple(self._blocks[name])

    def _joined(self) -> Any:
        """The first model with layers that call those of all models, and add what they return."""
        models = [model for model, _ in self.members.values()]
        parts: DecoderParts = self._parts
        ends = [nn.Sequential(model.get_submodule(parts.norm), model.get_submodule(parts.head)) for model in models]
        joined = {name: self._added([model.get_submodule(name) for model in models]) for name in parts.embeddings}
        joined |= {
            f"{parts.blocks}.{number}": self._added(blocks)
            for number, blocks in enumerate(zip(*self._blocks.values(), strict=True))
        }
        live = models[0]
        for name, module in joined.items():
            live.set_submodule(name, module)
        live.set_submodule(parts.norm, nn.Identity())
        live.set_submodule(parts.head, self._added(ends))
        live.eval()
        # By default transformers makes a cache, which would have room for one model: see `_give_cache`.
        live.config.use_cache = False
        live.base_model.register_forward_pre_hook(self._give_cache, with_kwargs=True)
        return live

    def _added(self, layers: Sequence[nn.Module]) -> "_Added":
        return _Added(dict(zip(self.members, layers, strict=True)), self._coefficients)

    def _give_cache(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """If a cache is wanted and there is none, one with room for the layers of all models of the point."""
        if kwargs.get("use_cache") and kwargs.get("past_key_values") is None:
            count = sum(map(bool, self._coefficients.values()))
            cache, *others = (DynamicCache(config=self.model.config) for _ in range(count))
            for other in others:
                cache.layers += other.layers
            kwargs = kwargs | {"past_key_values": cache}
        return args, kwargs


class _Added(nn.Module):
    """The outputs of one layer of several models, times their coefficients, added.

    ``coefficients`` may change between calls. A layer with the coefficient 0 is not called.
    """

    def __init__(self, layers: Mapping[str, nn.Module], coefficients: Mapping[str, float]) -> None:
        super().__init__()
        # Not a ModuleDict: names may hold dots.
        self._layers, self._names = nn.ModuleList(layers.values()), tuple(layers)
        self._coefficients = coefficients

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        terms = [
            (weight, layer(*args, **kwargs))
            for name, layer in zip(self._names, self._layers, strict=True)
            if (weight := self._coefficients[name])
        ]
        (weight, first), *others = terms
        if not others:
            # Coefficients sum to 1, so this is the output of one model, bit by bit.
            return first
        # In 16 bits each addition would round.
        total = first.to(torch.promote_types(first.dtype, torch.float32)) * weight
        for weight, output in others:
            total.add_(output, alpha=weight)
        return total.to(first.dtype)
