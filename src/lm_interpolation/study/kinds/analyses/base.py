"""What every kind of analysis declares."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from lm_interpolation.points.algebra import Point, decimal, grid_values
from lm_interpolation.study.kinds.base import Count, Declaration, Name, Problem, PromptsName, Ref, Values, plain
from lm_interpolation.study.kinds.tables import Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class HeldOut(NamedTuple):
    """Texts of a corpus: the first ``limit`` (None: all) of each of ``classes`` (None: all texts together)."""

    corpus: str
    split: str
    classes: list[str] | None
    limit: int | None


class Analysis(Declaration):
    """A computation at points or on weights.

    Its rules, in ``workflow/rules/analyses/<kind>.smk``, write ``tables/<name>.csv``.
    """

    TABLES: ClassVar[Mapping[str, Table]]
    """Suffix of the name of each of its tables (empty: the first) to the words on it."""
    MEASURES_TIME: ClassVar[bool] = False
    """Whether its tables differ from rebuild to rebuild, since they show times or memory."""
    COMPARES_PRECISIONS: ClassVar[bool] = False
    """Whether it compares texts and scores in fp32 and in the study's precisions."""
    ABOUT_TEXTS: ClassVar[bool] = False
    """Whether it rests on generated texts, so that its caption says how they are sampled."""

    kind: str = Field(description="Kind of analysis.")

    def table_suffixes(self) -> list[str]:
        """Suffixes that the names of its tables add to its own name."""
        return list(self.TABLES)

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        """Names of its sweeps, directly or through other analyses, each once."""
        raise NotImplementedError

    def scorers_behind(self, config: "StudyConfig") -> list[str]:
        """Names of the scorers whose statistics are in its tables."""
        return []

    def analyses_behind(self) -> list[str]:
        """Names of the analyses that it reads."""
        return []

    def held_out(self, config: "StudyConfig") -> list[HeldOut]:
        """The texts that it measures models on, and that ``measured_models`` must not be trained on."""
        return []

    def measured_models(self, study: "Study") -> list[str]:
        """Names of the models that it measures on these texts, or that are combined in the points where it does."""
        raise NotImplementedError

    def prompts_behind(self, config: "StudyConfig") -> list[str]:
        """Names of the prompt sets whose texts it rests on, if it is ``ABOUT_TEXTS``."""
        sweeps = [config.sweeps[name] for name in self.sweeps_behind(config)]
        return list(dict.fromkeys(name for sweep in sweeps for name in sweep.prompts))

    def continued_prompts(self) -> str | None:
        """The prompt set that its own job continues with the models of its sweep; None if it generates nothing."""
        return None

    def merged_points(self, study: "Study") -> list[Point]:
        """Points to merge to disk for it."""
        return []

    def compared_scorers(self, config: "StudyConfig") -> list[str]:
        """Names of the scorers that it runs in fp32 and in their own precision."""
        return []

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        """Named inputs of its job: paths, or lists of paths."""
        raise NotImplementedError

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        """Settings of its job: exactly the keyword-only arguments of its script."""
        raise NotImplementedError

    def describe(self, name: str) -> str:
        """One line for captions: what the analysis called ``name`` does."""
        raise NotImplementedError


class GeneratingAnalysis(Analysis):
    """An analysis whose job itself continues the first prompts of a set, at points that are merged for it."""

    ABOUT_TEXTS: ClassVar[bool] = True

    sweep: Annotated[Name, Ref("sweeps", directions=1, space="weights")] = Field(
        description="Name of a sweep of one direction in the space of weights."
    )
    at: Values = Field(description="Values of its coordinate.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    prefixes: Count = Field(default=20, description="Number of prompts, taken from the beginning.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from check_on_grid(config, self.sweep, self.at, "at")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return [self.sweep]

    def prompts_behind(self, config: "StudyConfig") -> list[str]:
        return [self.prompts]

    def continued_prompts(self) -> str:
        return self.prompts

    def merged_points(self, study: "Study") -> list[Point]:
        """The points of its sweep where the coordinate is one of ``at``, in the order of the sweep."""
        at = {decimal(value) for value in self.at}
        return [entry.point for entry in study.sweeps[self.sweep].points if entry.coordinates[0][1] in at]

    def models_beside(self, study: "Study") -> list[str]:
        """Names of the models that its job reads beside the merged points, each once."""
        raise NotImplementedError

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        points = self.merged_points(study)
        return {
            "models": model_folders(study, self.models_beside(study)),
            "prompts": prompts_file(study, self.prompts),
            "checkpoints": [study.path("checkpoints", name, point.id) for point in points],
        }

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": self.models_beside(study),
            "points": [point.id for point in self.merged_points(study)],
            "sampling": study.sampling(self.prompts),
        }


def check_on_grid(config: "StudyConfig", sweep: str, values: Iterable[float], key: str) -> Iterator[Problem]:
    """A sweep of one direction must have points at all ``values`` of its coordinate."""
    spec = config.sweeps[sweep]
    (coordinate,) = spec.grid
    known = set(grid_values(plain(spec.grid.get(coordinate, []))))
    known |= {decimal(anchor[coordinate]) for anchor in spec.anchors if coordinate in anchor}
    for value in values:
        if decimal(value) not in known:
            yield key, f"{value} is not on the grid of sweep {sweep!r}; add it there"


def model_folders(study: "Study", models: Iterable[str]) -> list[str]:
    """Folders of models."""
    return [study.path("models", name) for name in models]


def prompts_file(study: "Study", prompts: str) -> str:
    """The file of a prompt set."""
    return study.path("prompts", f"{prompts}.parquet")
