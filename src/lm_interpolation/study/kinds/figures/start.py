"""The figure start."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import Declaration, Problem
from lm_interpolation.study.kinds.figures.base import Figure
from lm_interpolation.study.kinds.starts import Targets, analyses_of, check_targets

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class StartPanel(Declaration):
    """Targets that are trained in one way."""

    label: str = Field(description="Title of the panel: how the models are trained.")
    targets: Targets = Field(description="Targets by their names, two or more.")


class StartFigure(Figure):
    """Losses of fine-tuning from a centroid and from the base, target by target."""

    SCRIPT: ClassVar[str] = "figures/plot_start.py"
    CAPTION: ClassVar[str] = "figures/caption_start.py"

    kind: Literal["start"] = Field(description="Losses of fine-tuning from a centroid and from the base, by target.")
    panels: Annotated[list[StartPanel], MinLen(1)] = Field(description="Panels from left to right.")
    statistic: Literal["nll_text", "nll_token"] = Field(
        default="nll_token", description="Statistic of the loss: mean per text, or per token."
    )

    def analyses_behind(self) -> list[str]:
        return list(dict.fromkeys(name for panel in self.panels for name in analyses_of(panel.targets)))

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(name) for name in self.analyses_behind()]

    def inputs(self, study: "Study") -> dict[str, Any]:
        return {"tables": self.tables_behind(study)}

    def drawn(self, study: "Study") -> dict[str, Any]:
        places = {name: place for place, name in enumerate(self.analyses_behind())}
        return {
            "panels": [
                {
                    "label": panel.label,
                    # In the order of the file.
                    "targets": [
                        {
                            "name": name,
                            "table": places[target.analysis],
                            "class": target.class_,
                            "centroid": target.centroid,
                            "base": target.base,
                        }
                        for name, target in panel.targets.items()
                    ],
                }
                for panel in self.panels
            ],
            "statistic": self.statistic,
            "seed": study.config["tables"]["seed"],
        }

    def settings(self, study: "Study") -> dict[str, Any]:
        return self.drawn(study)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        for place, panel in enumerate(self.panels):
            yield from check_targets(config, panel.targets, f"panels.{place}.targets")
