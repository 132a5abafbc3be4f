"""A configuration of mergekit with the values of its parameters for each tensor, and what cannot be said of them."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from lm_interpolation.commands.mergekit.files import Merge, Reference
from lm_interpolation.commands.mergekit.fragments import number
from lm_interpolation.commands.mergekit.methods import METHODS, Value
from lm_interpolation.commands.mergekit.parameters import filters, needs_blocks, resolve
from lm_interpolation.commands.mergekit.tensors import Rule, Tensor, pattern_of, rules, tensors
from lm_interpolation.jobs.runtime import UserError

Weights = Mapping[Reference, Mapping[Tensor, Fraction]]
"""Model -> tensor -> weight."""
GAMMA = (Fraction(0), Fraction(1, 2), Fraction(1), Fraction(3, 2))
DENSITY = (Fraction(1, 5), Fraction(1, 2), Fraction(1))
SHARES = (Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(1))
ONE = Fraction(1)


class Translation:
    """A configuration with its tensors; ``problems`` and ``notes`` are lines for the user."""

    def __init__(self, merge: Merge, layers: int | None, blocks: str) -> None:
        self.merge = merge
        self.blocks = blocks
        self.problems: list[str] = []
        self.notes: list[str] = []
        ends = [piece.blocks for piece in merge.pieces if piece.blocks]
        whole = ends[-1][1] if ends else layers
        if layers is not None and whole != layers:
            raise UserError(
                f"slices end with block {whole - 1 if whole else 0} of {layers}: a model is merged here with "
                "all its blocks; add the rest"
            )
        reason = needs_blocks(merge)
        if whole is None and reason:
            raise UserError(f"{reason} depends on the number of blocks, which the file does not say; give --layers 32")
        self.counted = whole is not None
        sizes = [end - start for start, end in ends] or [whole or 1]
        if ends and layers is None:
            self.notes.append(f"The slices end with block {ends[-1][1] - 1}, taken for the last one of the models.")
        self.filters = filters(merge)
        self.tensors = tensors(blocks, sizes, self.filters)

    def value(self, name: str) -> Value:
        """The value of a parameter that must be the same for all models and tensors."""
        parameter = METHODS[self.merge.method].parameter(name)
        found = {resolve(self.merge, parameter, tensor) for tensor in self.tensors}
        if len(found) > 1:
            self.problems.append(
                f"{name}: has several values ({several(found)}), and a method has one for all tensors; give one"
            )
        return next(iter(found))

    def weights(self, models: Sequence[Reference]) -> dict[Reference, dict[Tensor, Fraction]]:
        """Model -> tensor -> weight, 0 where a slice lacks the model."""
        parameter = METHODS[self.merge.method].parameter("weight")
        return {
            model: {
                tensor: Fraction(resolve(self.merge, parameter, tensor, model) if self.takes(model, tensor) else 0)
                for tensor in self.tensors
            }
            for model in models
        }

    def takes(self, model: Reference, tensor: Tensor) -> bool:
        return self.merge.pieces[tensor.piece].source(model) is not None

    def shared(self, name: str, weights: Weights) -> Fraction:
        """The value of a parameter of models, which must be the same wherever a model has a weight."""
        parameter = METHODS[self.merge.method].parameter(name)
        found = {
            model: {Fraction(resolve(self.merge, parameter, tensor, model)) for tensor in of if of[tensor]}
            for model, of in weights.items()
        }
        values = set().union(*found.values())
        if varying := next((model for model, of in found.items() if len(of) > 1), None):
            self.problems.append(
                f"{name}: that of {varying} varies over tensors ({several(found[varying])}), and a method has one for "
                "all; give one"
            )
        elif len(values) > 1:
            each = ", ".join(f"{model} {number(value)}" for model, of in found.items() for value in of)
            self.problems.append(f"{name}: differs between models ({each}), and a method has one for all; give one")
        return min(values, default=Fraction(METHODS[self.merge.method].parameter(name).default or 0))

    def all_models_everywhere(self) -> None:
        for index, piece in enumerate(self.merge.pieces):
            for model in self.merge.models:
                if piece.source(model) is None:
                    self.problems.append(f"slices.{index}: lacks {model}; {self.merge.method} needs all models in each")

    def split(self, weights: Weights) -> tuple[dict[Reference, Fraction], list[Rule]] | None:
        """Coefficients and rules whose products are ``weights``; None, with a problem, if there are none."""
        leading = max(weights, key=lambda model: sum(value != 0 for value in weights[model].values()))
        peak = max(weights[leading].values(), key=abs)
        if peak == 0:
            self.problems.append("weight: all coefficients are 0, so the result is the base; give others")
            return None
        factors = {tensor: value / peak for tensor, value in weights[leading].items()}
        coefficients: dict[Reference, Fraction] = {}
        for model, of in weights.items():
            coefficient = next(of[tensor] / factor for tensor, factor in factors.items() if factor)
            if any(of[tensor] != coefficient * factor for tensor, factor in factors.items()):
                self.problems.append(
                    "weight: the weights of models vary differently over tensors, and a method scales the "
                    "displacements of all models alike; let them vary alike"
                )
                return None
            coefficients[model] = coefficient
        try:
            made = rules(factors.__getitem__, self.tensors, self.filters, self.blocks, self.counted)
        except UserError as error:
            self.problems += error.lines()
            return None
        if made:
            self._explain_rules()
        return coefficients, made

    def _explain_rules(self) -> None:
        like = {"model.layers": "Llama, Mistral, Qwen, Gemma", "transformer.h": "GPT-2", "gpt_neox.layers": "Pythia"}
        self.notes.append(
            f"Values by filter or block became rules of scale, for blocks in {self.blocks} ({like[self.blocks]}; "
            "--blocks gives others)."
        )
        for text in self.filters:
            taken = [tensor.name for tensor in self.tensors if text in tensor.name]
            pattern = pattern_of(text, self.tensors)
            if not taken:
                self.notes.append(f"No tensor that we know has {text!r} in its name.")
            elif text[-1].isdigit():
                named = [tensor.block for tensor in self.tensors if text in tensor.name]
                blocks = sorted({block for block in named if block is not None})
                if len(blocks) > 1:
                    shown = ", ".join(map(str, blocks))
                    self.notes.append(
                        f"mergekit looks for {text!r} anywhere in a name, and so takes blocks {shown}, each with a "
                        "rule of its own here; remove those that you did not mean."
                    )
            elif pattern != f"**.{text.strip('.')}.**":
                parts = sorted({part for name in taken for part in name.split(".") if text in part})
                more = f": {', '.join(parts)}" if parts else ""
                self.notes.append(
                    f"mergekit looks for {text!r} anywhere in a name, and so does {pattern}{more}; here **.{text}.** "
                    "would be that part of a name alone."
                )


def several(values: set[Any]) -> str:
    """The values, or the first and the last of many, as the file would have them."""
    shown = [number(value) if isinstance(value, Fraction) else str(value).lower() for value in sorted(values)]
    return ", ".join(shown if len(shown) < 6 else [*shown[:2], "...", shown[-1]])
