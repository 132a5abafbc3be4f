"""A whole study as it is declared."""

from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import Field, PrivateAttr

from lm_interpolation.points.algebra import Sweep, build_sweep
from lm_interpolation.study.kinds.base import Declaration, FigureName, Maybe, Name, Parts
from lm_interpolation.study.kinds.catalog import (
    AnyAnalysis,
    AnyClaim,
    AnyCorpus,
    AnyFigure,
    AnyPrompts,
    AnyScorer,
)
from lm_interpolation.study.kinds.models.base import Origin
from lm_interpolation.study.kinds.models.model import Model
from lm_interpolation.study.kinds.sections import Compute, Generation, Search, Tables, Tokenizer
from lm_interpolation.study.kinds.sweeps import SweepSpec


class StudyConfig(Declaration):
    """One file describes one study; its results lie in results/<study>/."""

    study: Name = Field(description="Name of the study; its results lie in results/<study>/.")
    device: Literal["cpu", "cuda"] = Field(
        default="cpu",
        description="Where models train, generate and score. On cpu no rule asks for a GPU. A change reruns nothing.",
    )
    extends: Maybe[str] = Field(
        default=None,
        description=(
            "Configuration file whose keys this one adds to or overrides, mappings key by key, lists as a whole; null "
            "removes."
        ),
    )
    hub_lock: Maybe[str] = Field(
        default=None,
        description=(
            "File in which the commits are kept that revisions on the hub were resolved to; one that has moved since "
            "is refused. Without it a revision that moves goes unnoticed, unless it is a commit."
        ),
    )
    manifest: Maybe[str] = Field(
        default=None,
        description=(
            "Manifest of another rebuild that the target verify compares this one with, by default the study's own. "
            "Nothing else reads it."
        ),
    )
    corpora: dict[Name, AnyCorpus] = Field(
        default_factory=dict, description="Labelled or unlabelled texts, each split into train, dev and test."
    )
    prompts: dict[Name, AnyPrompts] = Field(
        default_factory=dict, description="Sets of prompts that texts are generated from."
    )
    tokenizers: dict[Name, Tokenizer] = Field(
        default_factory=dict, description="Byte-level BPE tokenizers that the workflow trains."
    )
    models: Annotated[dict[Name, Model], MinLen(1)] = Field(description="Named models, imported or trained.")
    generation: Maybe[Generation] = Field(
        default=None,
        description="How texts are sampled at each point. Same seed, same uniform random numbers at every point.",
    )
    scorers: dict[Name, AnyScorer] = Field(default_factory=dict, description="What is measured on the generated texts.")
    sweeps: dict[Name, SweepSpec] = Field(
        default_factory=dict, description="Grids of points; point = origin + sum of coordinate times direction."
    )
    analyses: dict[Name, AnyAnalysis] = Field(
        default_factory=dict,
        description="What is computed at points or from weights without generating texts.",
    )
    searches: dict[Name, Search] = Field(
        default_factory=dict, description="Searches of the settings of a training, judged on dev."
    )
    tables: Tables = Field(default_factory=Tables, description="How the tables are computed.")
    figures: dict[Name, AnyFigure] = Field(
        default_factory=dict, description="Figures, each a target of its own by its name."
    )
    quick: Annotated[list[FigureName], Parts(may_be_empty=True)] = Field(
        default_factory=list, description="Figures that the target quick builds, for a first look."
    )
    claims: dict[Name, AnyClaim] = Field(
        default_factory=dict,
        description="Claims of the paper, each tested by one statistic against a threshold.",
    )
    compute: Compute = Field(
        default_factory=Compute,
        description=(
            "How the work is done; nothing here changes a result beyond rounding, so nothing here causes a rerun."
        ),
    )

    _sweeps: dict[str, Sweep] = PrivateAttr(default_factory=dict)

    def section(self, name: str) -> Any:
        """The entries of a section."""
        return getattr(self, name)

    def sweep(self, name: str) -> Sweep:
        """The points of a declared sweep. Raises ``UserError`` if it is not affine."""
        if name not in self._sweeps:
            self._sweeps[name] = build_sweep(name, self.sweeps[name].plain())
        return self._sweeps[name]

    def built_sweeps(self) -> dict[str, Sweep]:
        """The points of all sweeps, as ``sweep`` builds them."""
        return {name: self.sweep(name) for name in self.sweeps}

    def scorers_of(self, sweep: str) -> list[str]:
        """Names of the scorers of the texts of a sweep, in the order of the section."""
        chosen = self.sweeps[sweep].scorers
        return [name for name in self.scorers if chosen is None or name in chosen]

    def judges_of(self, sweep: str) -> list[str]:
        """Names of the scorers of a sweep that are models."""
        return [name for name in self.scorers_of(sweep) if self.scorers[name].judge()]

    def root_of(self, model: str) -> tuple[str, Origin]:
        """The model, and its origin, that decides on the architecture and the tokenizer of ``model``."""
        while (parent := self.models[model].start.parent()) is not None:
            model = parent
        return model, self.models[model].start
