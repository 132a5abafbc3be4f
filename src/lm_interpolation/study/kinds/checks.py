"""Checks that several families of declarations share; each yields mistakes in a key, beyond references."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lm_interpolation.study.kinds.base import Problem, undeclared

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

LOSS_STATISTICS = ("nll_text", "nll_token")
"""Statistics of a loss: per text, and per predicted token."""


def check_class(config: "StudyConfig", corpus: str, class_name: str | None, key: str) -> Iterator[Problem]:
    """The corpus must have this class; None stands for all of its texts."""
    known = config.corpora[corpus].class_names(config)
    if class_name is not None and class_name not in known:
        yield key, undeclared("class", class_name, known)


def check_scored(config: "StudyConfig", sweep: str, scorer: str, key: str) -> Iterator[Problem]:
    """The texts of the sweep must have scores from this scorer."""
    chosen = config.sweeps[sweep].scorers
    if chosen is not None and scorer not in chosen:
        yield key, f"scorer {scorer!r} does not score sweep {sweep!r}; add it to sweeps.{sweep}.scorers"


def check_prompted(config: "StudyConfig", sweep: str, prompts: str, key: str) -> Iterator[Problem]:
    """The sweep must have texts that continue these prompts."""
    if prompts not in config.sweeps[sweep].prompts:
        yield key, f"sweep {sweep!r} has no prompts {prompts!r}; add them to sweeps.{sweep}.prompts"


def check_statistic(config: "StudyConfig", scorer: str, statistic: str, key: str) -> Iterator[Problem]:
    """The scorer must have this statistic, as far as its statistics are known before it has scored."""
    known = config.scorers[scorer].statistic_names(config)
    # The classes of an imported model are known only when it is read.
    open_ended = tuple(name.partition("<")[0] for name in known if "<" in name)
    if statistic not in known and not statistic.startswith(open_ended):
        yield key, f"{statistic!r} is not a statistic of {scorer}; choose one of {', '.join(known)}"


def check_loss_statistic(statistic: str, key: str) -> Iterator[Problem]:
    """The loss must have this statistic."""
    if statistic not in LOSS_STATISTICS:
        yield key, f"{statistic!r} is not a statistic of a loss; choose one of {', '.join(LOSS_STATISTICS)}"
