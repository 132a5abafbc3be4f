"""Steer language models by arithmetic on their weights: what a notebook needs, without Snakemake and without a study.

A point is an affine combination of models, theta = sum_m c_m theta_m with sum_m c_m = 1. Source: Rofin, Balagansky and
Gavrilov 2022 (arXiv 2211.12092), Eqs. 1-4. ``Point`` and ``Sweep`` say where, ``method`` makes a merge method (TIES,
DARE, ...) for them, ``merge`` writes the model there, ``steer`` samples texts there, ``perplexity`` reads texts. Names
that are not in ``__all__`` may change in any version.

Importing this package imports none of its heavy dependencies (torch, transformers, pandas, numpy).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lm_interpolation.api import merge, method, perplexity, steer
    from lm_interpolation.jobs.runtime import UserError
    from lm_interpolation.points.algebra import Method, Point, Sweep

__version__ = "0.1.0"

__all__ = ["Method", "Point", "Sweep", "UserError", "merge", "method", "perplexity", "steer"]

# Name to its module, which is imported when the name is first used.
_LAZY = {
    "Method": "lm_interpolation.points.algebra",
    "Point": "lm_interpolation.points.algebra",
    "Sweep": "lm_interpolation.points.algebra",
    "UserError": "lm_interpolation.jobs.runtime",
    "merge": "lm_interpolation.api",
    "method": "lm_interpolation.api",
    "perplexity": "lm_interpolation.api",
    "steer": "lm_interpolation.api",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
