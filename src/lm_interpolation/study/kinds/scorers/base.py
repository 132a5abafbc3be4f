"""What every kind of scorer declares."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.study.kinds.base import Count, Declaration, Maybe, Problem
from lm_interpolation.study.settings import AddedLater

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Colour(NamedTuple):
    """How the explorer colours single texts: a statistic without exponential, and values that its scale includes.

    The scale extends beyond these values if the scores do.
    """

    statistic: Statistic
    scale: list[float]


class Scorer(Declaration):
    """A measurement of the texts of a point. Its script scores the texts of a line of points.

    The script gets the text files of the line and writes one row per text or prompt (``score_files``). Of each prompt
    it reads the first ``samples`` continuations, if it gets this argument. ``statistics`` describe as data how the rows
    are used, so code that reads scores knows no kinds.
    """

    SCRIPT: ClassVar[str]
    """The script that scores, below workflow/scripts."""
    READS_PROMPTS: ClassVar[bool] = True
    """Whether it reads the prompts of the texts, too."""
    COMPUTES: ClassVar[bool] = False
    """Whether its script takes ``device``, ``threads`` and ``gpus``: it has the threads of the study's scoring jobs."""
    IN_BATCHES: ClassVar[bool] = False
    """Whether its script takes the ``batch_size`` of scoring, too."""
    MEMORY: ClassVar[int]
    """MB that its job needs; a retry gets a multiple."""
    MINUTES: ClassVar[int]
    """How long its job may run."""
    STATISTIC_WORDS: ClassVar[str]
    """For the text beside a table: what its statistics are, as ``name: what it is; name: what it is``."""
    NO_SCORE: ClassVar[str | None] = None
    """Why a text may have no score, as ``no token``; None if every text has one."""

    kind: str = Field(description="Kind of scorer.")
    samples: Annotated[Maybe[Count], AddedLater(as_before=None)] = Field(
        default=None,
        description="It scores only the first continuations of each prompt, this many; by default all.",
    )

    def settings(self) -> dict[str, Any]:
        """Settings of its job apart from ``points`` and ``samples``: arguments of the function that its script calls.

        Settings that affect only statistics are left out, so weights may change without new scores.
        """
        raise NotImplementedError

    def minutes(self, attempt: int) -> int:
        """How long the job may run at this attempt; the first attempt is 1."""
        return self.MINUTES * attempt

    def uses_gpu(self) -> bool:
        """Whether its job has a GPU in a study on cuda."""
        return self.judge() is not None

    def execution(self) -> dict[str, Any]:
        """Further positional arguments of its script: how it runs. No score depends on them."""
        return {}

    def judge(self) -> str | None:
        """Name of the model that scores; None if it uses no model of the study."""
        return None

    def judge_reads_prompts(self) -> bool:
        """Whether the judge reads prompts with continuations, so prompts must leave room in its context."""
        return self.judge() is not None

    def judge_precision(self) -> str:
        """Arithmetic of the judge."""
        return "fp32"

    def judged_classes(self) -> dict[str, Any] | None:
        """``model``, ``weights`` and ``labels`` of a judge whose training measures how well it tells classes apart."""
        return None

    def class_problems(self, classes: Sequence[str], noun: str) -> Iterator[Problem]:
        """Mistakes in the classes that it names, if its judge has ``classes``, each called ``noun``."""
        yield from ()

    def file_problems(self) -> Iterator[Problem]:
        """Mistakes in the files that it names, apart from models."""
        yield from ()

    def describe(self, name: str) -> str:
        """One line for captions: what the scorer called ``name`` measures."""
        raise NotImplementedError

    def statistics(self) -> list[Statistic]:
        """Its statistics, in the order of tables."""
        raise NotImplementedError

    def statistic_names(self, config: "StudyConfig") -> list[str]:
        """Names of its statistics, for checks; parts in brackets, as in ``p_<class>``, become known later."""
        return [statistic.name for statistic in self.statistics()]

    def main_statistic(self) -> Statistic:
        """The statistic that represents it: in the explorer if no figure shows the scorer, and between precisions."""
        return self.statistics()[0]

    def main_scale(self) -> Literal["linear", "log"]:
        """Scale of ``main_statistic``."""
        return "log" if self.main_statistic().exponentiate else "linear"

    def card_statistics(self) -> list[str]:
        """Names of the statistics on the card of an exported model."""
        return [self.main_statistic().name]

    def summary_statistics(self) -> list[str]:
        """Names of the statistics in the summary of a run."""
        return [self.main_statistic().name]

    def barrier_statistic(self) -> Statistic | None:
        """The statistic whose logarithm is a loss, so that it can have a barrier; None if there is none."""
        return None

    def colour(self) -> Colour | None:
        """How the explorer colours texts; None if a text has no score of its own."""
        return None
