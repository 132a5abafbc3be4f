"""The claim intruders."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.analyses.intruders import Intruders
from lm_interpolation.study.kinds.base import LanguageModel, Name, Problem, Ref
from lm_interpolation.study.kinds.claims.base import Claim, alike

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class IntrudersClaim(Claim):
    """One model has more intruder dimensions than another."""

    SECTION: ClassVar[str] = "Adapters"
    STATEMENT: ClassVar[str] = "{model} has more intruder dimensions than {against}"
    STATISTIC: ClassVar[str] = "intruder dimensions per matrix, {model} minus {against}"
    UNIT: ClassVar[str] = "per matrix"
    SIDE: ClassVar[str] = AT_LEAST

    test: Literal["intruders"] = Field(
        description="Mean number of intruder dimensions per matrix of one model minus that of another."
    )
    analysis: Annotated[Name, Ref("analyses", kind="intruders")] = Field(description="Name of the analysis.")
    model: LanguageModel = Field(description="Name of the model that is claimed to have more, one of the analysis.")
    against: LanguageModel = Field(description="Name of the model that it is compared with, another one of these.")

    def analysis_read(self) -> str:
        return self.analysis

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        analysis = config.analyses[self.analysis]
        assert isinstance(analysis, Intruders)
        known = analysis.names(config)
        for key in ("model", "against"):
            if (name := getattr(self, key)) not in known:
                yield key, f"{self.analysis!r} does not look at model {name!r}; choose one of {', '.join(known)}"
        if self.against == self.model:
            yield alike("against", "model", self.model)
