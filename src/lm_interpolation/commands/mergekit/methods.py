"""The merge methods of mergekit 0.1.5 that have a counterpart here, with their parameters and defaults.

Source: mergekit/merge_methods/ (registry.py, generalized_task_arithmetic.py and one file per method).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Value = Fraction | bool


@dataclass(frozen=True)
class Parameter:
    """A parameter; without a default it must be given. ``of`` says whether models have values of their own."""

    name: str
    default: Value | None = None
    of: Literal["merge", "others", "all"] = "merge"


@dataclass(frozen=True)
class MethodOfMergekit:
    """``needs_base``: it refuses to work without. ``keeps`` and ``elects``: task arithmetic with these stages."""

    parameters: tuple[Parameter, ...]
    needs_base: bool = True
    keeps: Literal["magnitude", "chance", "band", "rank"] | None = None
    elects: bool = False

    def parameter(self, name: str) -> Parameter:
        return next(parameter for parameter in self.parameters if parameter.name == name)


def _arithmetic(
    keeps: Literal["magnitude", "chance", "band", "rank"] | None,
    elects: bool,
    normalize: bool,
    rescale: bool,
    *more: Parameter,
) -> MethodOfMergekit:
    parameters = (
        Parameter("int8_mask", False),
        Parameter("normalize", normalize),
        Parameter("rescale", rescale),
        Parameter("lambda", Fraction(1)),
        Parameter("weight", of="others"),
        Parameter("density", Fraction(1), of="others"),
        *more,
    )
    return MethodOfMergekit(parameters, keeps=keeps, elects=elects)


_GAMMA = Parameter("gamma", Fraction(1, 100), of="others")
_EPSILON = Parameter("epsilon", Fraction(15, 100), of="others")

METHODS: dict[str, MethodOfMergekit] = {
    "linear": MethodOfMergekit((Parameter("weight", of="all"), Parameter("normalize", True)), needs_base=False),
    "task_arithmetic": _arithmetic(None, False, False, False),
    "ties": _arithmetic("magnitude", True, True, False),
    "dare_linear": _arithmetic("chance", False, False, True),
    "dare_ties": _arithmetic("chance", True, False, True),
    "breadcrumbs": _arithmetic("band", False, False, False, _GAMMA),
    "breadcrumbs_ties": _arithmetic("band", True, False, False, _GAMMA),
    "della": _arithmetic("rank", True, True, True, _EPSILON),
    "della_linear": _arithmetic("rank", False, False, True, _EPSILON),
    "slerp": MethodOfMergekit((Parameter("t"),)),
    "nuslerp": MethodOfMergekit(
        (
            Parameter("weight", of="others"),
            Parameter("nuslerp_row_wise", False),
            Parameter("nuslerp_flatten", True),
        ),
        needs_base=False,
    ),
    "model_stock": MethodOfMergekit((Parameter("filter_wise", False),)),
    "sce": MethodOfMergekit((Parameter("int8_mask", False), Parameter("select_topk", Fraction(1)))),
    "karcher": MethodOfMergekit(
        (Parameter("max_iter", Fraction(10)), Parameter("tol", Fraction(1, 100_000))), needs_base=False
    ),
    "passthrough": MethodOfMergekit((Parameter("scale", Fraction(1), of="all"),), needs_base=False),
}
