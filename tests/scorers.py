"""Scorers as a study declares them, for tests of code that reads scores."""

from typing import Any

from pydantic import TypeAdapter

from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.study.kinds.catalog import AnyScorer
from lm_interpolation.study.kinds.scorers.base import Scorer

_SCORER: TypeAdapter[Scorer] = TypeAdapter(AnyScorer)


def scorer(kind: str, **keys: Any) -> Scorer:
    """The scorer with these keys; its model is called judge."""
    model = {} if kind == "distinct" else {"model": "judge"}
    return _SCORER.validate_python({"kind": kind, **model, **keys})


def statistics(kind: str, **keys: Any) -> list[Statistic]:
    """The statistics of the scorer with these keys."""
    return scorer(kind, **keys).statistics()
