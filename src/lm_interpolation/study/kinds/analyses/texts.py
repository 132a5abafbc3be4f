"""The analysis texts."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.figures.naming import prompts_label
from lm_interpolation.pages.wording import number, numbers
from lm_interpolation.points.algebra import decimal
from lm_interpolation.study.kinds.analyses.base import Analysis, check_on_grid, prompts_file
from lm_interpolation.study.kinds.base import Count, Name, Names, Problem, PromptsName, Ref, Values
from lm_interpolation.study.kinds.checks import check_prompted
from lm_interpolation.study.kinds.tables import COORDINATE, SWEEPS, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Texts(Analysis):
    """Generated texts of several sweeps at the same coordinates, side by side."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="First continuations of one prompt at one coordinate, sweep beside sweep.",
            columns={
                "row": "number of the prompt in its source, from 0",
                "prompt": "beginning of the text",
                "coordinate": COORDINATE,
                SWEEPS: "first continuation at the sweep's point",
            },
        )
    }
    ABOUT_TEXTS: ClassVar[bool] = True

    kind: Literal["texts"] = Field(
        description="Generated texts of several sweeps at the same coordinates, side by side."
    )
    sweeps: Names[Annotated[Name, Ref("sweeps", directions=1, texts=True)]] = Field(
        description="Names of sweeps of one direction with these prompts."
    )
    prompts: PromptsName = Field(description="Name of the prompt set.")
    prefixes: Count = Field(
        default=20, description="Number of prompts, taken from the beginning, each with its first continuation."
    )
    at: Values = Field(description="Values of their coordinate.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        for sweep in self.sweeps:
            if sweep in self.TABLES[""].columns:
                yield "sweeps", f"{sweep!r} is a column of the table; rename that sweep"
            yield from check_prompted(config, sweep, self.prompts, "prompts")
            yield from check_on_grid(config, sweep, self.at, "at")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return self.sweeps

    def prompts_behind(self, config: "StudyConfig") -> list[str]:
        return [self.prompts]

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        files = []
        for sweep in (study.sweeps[name] for name in self.sweeps):
            points = {entry.coordinates[0][1]: entry.point for entry in sweep.points}
            for value in map(decimal, self.at):
                files.append(study.path("texts", sweep.space, self.prompts, f"{points[value].id}.parquet"))
        return {"texts": files, "prompts": prompts_file(study, self.prompts)}

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {"sweeps": self.sweeps, "at": [f"{decimal(value):f}" for value in self.at], "prefixes": self.prefixes}

    def describe(self, name: str) -> str:
        return (
            f"{name}: first continuations after the first {number(self.prefixes)} {prompts_label(self.prompts)} at "
            f"coordinate {numbers(self.at)} along {', '.join(self.sweeps)}, side by side"
        )
