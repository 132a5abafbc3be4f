"""The analysis precision."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.figures.naming import prompts_label
from lm_interpolation.pages.wording import number, numbers
from lm_interpolation.study.kinds.analyses.base import GeneratingAnalysis
from lm_interpolation.study.kinds.base import Name, NonNegative, Problem, Ref
from lm_interpolation.study.kinds.checks import check_prompted
from lm_interpolation.study.kinds.tables import HIGH, LOW, POINT, SCORER, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class PrecisionAnalysis(GeneratingAnalysis):
    """Texts and scores of a sample in fp32 and in the precision of the study. Too large a difference is an error."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="One comparison of the lower precision with fp32 at one point.",
            columns={
                "stage": "what runs in the lower precision: generation, or a scorer",
                "precision": "the lower precision",
                "point": POINT,
                "scorer": SCORER,
                "statistic": "what is compared",
                "n_texts": "texts that have a score in both",
                "fp32": "value in fp32",
                "value": "value in the lower precision",
                "difference": "value − fp32; of perplexities relative",
                "low": LOW,
                "high": HIGH,
                "mean_absolute": "mean absolute difference text by text; of perplexities nats per token",
                "max_absolute": "largest such difference",
                "equal_texts": "share of texts that are equal in both",
            },
        )
    }
    COMPARES_PRECISIONS: ClassVar[bool] = True

    kind: Literal["precision"] = Field(
        description=(
            "Texts and scores of a sample in fp32 and in the precision of the study. Too large a difference is an "
            "error."
        )
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, texts=True, space="weights")] = Field(
        description="Name of a sweep of one direction in the space of weights, with these prompts."
    )
    threshold: NonNegative = Field(
        description=("Largest difference of a mean score, and largest relative difference of a perplexity.")
    )
    reason: str = Field(description="The reason for this threshold.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from check_prompted(config, self.sweep, self.prompts, "prompts")
        yield from super().check(config)
        judged = self.compared_scorers(config)
        if not judged:
            yield "sweep", f"no model scores the texts of {self.sweep!r}; choose another"
            return
        used = [config.scorers[name].judge_precision() for name in judged]
        if config.generation is not None:
            used.append(config.generation.precision)
        if set(used) == {"fp32"}:
            words = f"generation and scorers of {self.sweep!r} are all in fp32"
            yield "", f"{words}; remove it, or choose another precision there"

    def scorers_behind(self, config: "StudyConfig") -> list[str]:
        return self.compared_scorers(config)

    def compared_scorers(self, config: "StudyConfig") -> list[str]:
        # Scorers without a model have no precision.
        return config.judges_of(self.sweep)

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        scorers = self.compared_scorers(study.declared)
        return {
            **super().settings(study, name),
            "generation": study.config["generation"]["precision"],
            "scorers": [
                (name, {**study.config["scorers"][name], "statistic": study.scorers[name].main_statistic().settings()})
                for name in scorers
            ],
            "prefixes": self.prefixes,
            "threshold": self.threshold,
        }

    def models_beside(self, study: "Study") -> list[str]:
        # The judges.
        scorers = self.compared_scorers(study.declared)
        return [model for model in dict.fromkeys(study.scorers[name].judge() for name in scorers) if model is not None]

    def describe(self, name: str) -> str:
        return (
            f"{name}: texts after the first {number(self.prefixes)} {prompts_label(self.prompts)} and their scores "
            f"at coordinate {numbers(self.at)} of {self.sweep}, in fp32 and in the precision of the study; they may "
            f"differ by {number(self.threshold)}: {self.reason}"
        )
