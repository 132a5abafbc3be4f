"""The analysis next_token."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Len
from pydantic import Field

from lm_interpolation.pages.wording import groups, number
from lm_interpolation.study.kinds.analyses.base import Analysis, check_on_grid, model_folders
from lm_interpolation.study.kinds.base import WORDS, Count, Name, Number, Problem, Ref, Text, Words
from lm_interpolation.study.kinds.tables import COORDINATE, COORDINATES, POINT, SWEEP, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class NextToken(Analysis):
    """Probabilities of words after a prompt along a sweep of one direction."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="Probability of one word or token right after the prompt at one point.",
            columns={
                "sweep": SWEEP,
                COORDINATES: COORDINATE,
                "point": POINT,
                "kind": "word (chosen in the study) or token (of the vocabulary, among those that move most)",
                "group": "group of the word; of a token whether it rises or falls",
                "text": "the word or token",
                "tokens": "number of tokens of it",
                "pieces": "their names in the vocabulary, joined by |",
                "probability": "probability of the whole word, the product over its tokens",
                "first_token_probability": "probability of its first token",
            },
        )
    }

    kind: Literal["next_token"] = Field(
        description="Probabilities of words after a prompt along a sweep of one direction."
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, space="weights")] = Field(description="Name of the sweep.")
    prompt: Text = Field(description="The text before the words.")
    words: Words = Field(description=WORDS)
    top: Count = Field(default=8, description="Number of tokens to list that rise most, and that fall most.")
    ends: Annotated[list[Number], Len(2, 2)] = Field(
        default=[0, 1],
        description="The two values of the coordinate between which the rise and fall of tokens is measured.",
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from check_on_grid(config, self.sweep, self.ends, "ends")
        if self.ends[0] == self.ends[1]:
            yield "ends", f"both are {self.ends[0]}; choose two values"

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return [self.sweep]

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": model_folders(study, study.sweeps[self.sweep].models), **study.sweep_files(self.sweep)}

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": list(study.sweeps[self.sweep].models),
            "sweep": study.points_settings(self.sweep),
            "prompt": self.prompt,
            "words": list(self.words.items()),
            "top": self.top,
            "ends": self.ends,
        }

    def describe(self, name: str) -> str:
        start, end = map(number, self.ends)
        return (
            f"{name}: probability of each word right after “{self.prompt}” along {self.sweep}, for the groups "
            f"{groups(self.words)}; and of the {self.top} tokens of the vocabulary that rise, and that fall, most "
            f"from coordinate {start} to {end}"
        )
