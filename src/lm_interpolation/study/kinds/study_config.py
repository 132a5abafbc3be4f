"""A whole study as declared."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import Field, PrivateAttr, Tag

from lm_interpolation.points.algebra import Method, Point, Sweep, build_sweep
from lm_interpolation.study.kinds.base import (
    MEMBER,
    AllRepeated,
    Declaration,
    Either,
    FigureName,
    Files,
    Maybe,
    Name,
    Parts,
    Repeated,
)
from lm_interpolation.study.kinds.catalog import (
    AnyAnalysis,
    AnyClaim,
    AnyCorpus,
    AnyExpert,
    AnyFigure,
    AnyPrompts,
    AnyScorer,
    AnyStatistic,
)
from lm_interpolation.study.kinds.methods.base import AnyMethod
from lm_interpolation.study.kinds.methods.method import MethodSpec
from lm_interpolation.study.kinds.methods.nucleus import NucleusSpec
from lm_interpolation.study.kinds.models.base import Origin
from lm_interpolation.study.kinds.models.model import Model
from lm_interpolation.study.kinds.sections import Compute, Generation, Search, Tables, Tokenizer
from lm_interpolation.study.kinds.sets import ModelSet
from lm_interpolation.study.kinds.sweeps import SweepSpec


def _space(method: Any) -> str:
    return "of ensembles" if isinstance(method, Mapping) and "space" in method else "of weights"


DeclaredMethod = Annotated[
    AnyMethod, Either([Annotated[MethodSpec, Tag("of weights")], Annotated[NucleusSpec, Tag("of ensembles")]], _space)
]


class StudyConfig(Declaration):
    """One file describes one study; its results are in results/<study>/."""

    study: Name = Field(description="Name of the study; its results are in results/<study>/.")
    device: Literal["cpu", "cuda"] = Field(
        default="cpu",
        description="Where models train, generate and score. On cpu no rule asks for a GPU. A change reruns nothing.",
    )
    extends: Maybe[Files] = Field(
        default=None,
        description=(
            "Configuration file that this one extends, or a list of files, each laid over those before it. Mappings "
            "are merged key by key, lists are replaced, and null removes a key."
        ),
    )
    hub_lock: Maybe[str] = Field(
        default=None,
        description=(
            "File that records the commits to which hub revisions were resolved; a revision that has moved since "
            "is refused. Without this file a moved tag or branch goes unnoticed."
        ),
    )
    manifest: Maybe[str] = Field(
        default=None,
        description=(
            "Manifest of another rebuild for the target verify to compare with, by default the study's own. "
            "Nothing else reads it."
        ),
    )
    corpora: dict[Name, AnyCorpus] = Field(
        default_factory=dict, description="Labelled or unlabelled texts, each split into train, dev and test."
    )
    prompts: dict[Name, AnyPrompts] = Field(default_factory=dict, description="Sets of prompts to generate texts from.")
    tokenizers: dict[Name, Tokenizer] = Field(
        default_factory=dict, description="Byte-level BPE tokenizers that the workflow trains."
    )
    models: Annotated[dict[Name, Model], MinLen(1)] = Field(description="Named models, imported or trained.")
    sets: dict[Name, ModelSet] = Field(default_factory=dict, description="Named groups of models.")
    statistics: dict[Name, AnyStatistic] = Field(
        default_factory=dict,
        description="What the data say about the weights or layers of models, for methods that need it.",
    )
    experts: dict[Name, AnyExpert] = Field(
        default_factory=dict, description="Members of ensembles that are no models: extremes of models, and rules."
    )
    methods: dict[Name, DeclaredMethod] = Field(
        default_factory=dict,
        description=(
            "For the points of sweeps: what happens to displacements from a base before they are added, or how texts "
            "are sampled from ensembles."
        ),
    )
    generation: Maybe[Generation] = Field(
        default=None,
        description="How texts are sampled at each point. The same seed gives the same uniform random numbers at every "
        "point.",
    )
    scorers: dict[Name, AnyScorer] = Field(default_factory=dict, description="Measurements of the generated texts.")
    sweeps: dict[Name, SweepSpec] = Field(
        default_factory=dict, description="Grids of points; point = origin + sum of coordinate times direction."
    )
    analyses: dict[Name, AnyAnalysis] = Field(
        default_factory=dict,
        description="Computations at points or on weights, beyond generating and scoring texts.",
    )
    searches: dict[Name, Search] = Field(
        default_factory=dict, description="Searches over training settings, judged by the loss on dev."
    )
    tables: Tables = Field(default_factory=Tables, description="How the tables are computed.")
    figures: dict[Name, AnyFigure] = Field(default_factory=dict, description="Figures; the name of each is a target.")
    quick: Annotated[list[FigureName], Parts(may_be_empty=True)] = Field(
        default_factory=list, description="Figures that the target quick builds, for a first look."
    )
    claims: dict[Name, AnyClaim] = Field(
        default_factory=dict,
        description="Claims, each tested by one statistic against a threshold.",
    )
    compute: Compute = Field(
        default_factory=Compute,
        description=("How the work is done. These settings change results only by rounding, so they cause no rerun."),
    )

    _sweeps: dict[str, Sweep] = PrivateAttr(default_factory=dict)
    _methods: dict[str, Method] = PrivateAttr(default_factory=dict)
    _repeated: AllRepeated = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        # What ``families.expand`` found: the names that files may use are not those of the entries.
        self._repeated = context or {}

    def section(self, name: str) -> Any:
        """The entries of a section."""
        return getattr(self, name)

    def sweep(self, name: str) -> Sweep:
        """The points of a declared sweep. Raises ``UserError`` if it is not affine."""
        if name not in self._sweeps:
            spec = self.sweeps[name]
            self._sweeps[name] = build_sweep(name, spec.plain(), self.method(spec.method) if spec.method else None)
        return self._sweeps[name]

    def method(self, name: str) -> Method:
        """A declared method, for points and jobs."""
        if name not in self._methods:
            self._methods[name] = self.methods[name].built(name)
        return self._methods[name]

    def built_sweeps(self) -> dict[str, Sweep]:
        """The points of all sweeps, as ``sweep`` builds them."""
        return {name: self.sweep(name) for name in self.sweeps}

    def scorers_of(self, sweep: str) -> list[str]:
        """Names of the scorers of the texts of a sweep, in the order of the section."""
        chosen = self.sweeps[sweep].scorers
        return [name for name in self.scorers if chosen is None or name in chosen]

    def samples_of(self, prompts: str) -> int:
        """Continuations of each prompt of a set, in a study that generates texts."""
        assert self.generation is not None
        return self.prompts[prompts].samples or self.generation.samples

    def judges_of(self, sweep: str) -> list[str]:
        """Names of the scorers of a sweep that use a model."""
        return [name for name in self.scorers_of(sweep) if self.scorers[name].judge()]

    def members_of(self, name: str) -> list[str]:
        """The models of a set, each once: its own, then those of its sets."""
        found: dict[str, None] = {}
        entry = self.sets[name]
        for model in entry.models or []:
            found[model] = None
        for other in entry.sets or []:
            found |= dict.fromkeys(self.members_of(other))
        return list(found)

    def models_behind(self, names: Iterable[str]) -> list[str]:
        """The models among ``names``, each once, and those that the experts among them read."""
        found: dict[str, None] = {}
        for name in names:
            found |= dict.fromkeys(self.experts[name].models_read() if name in self.experts else [name])
        return list(found)

    def experts_of(self, point: Point) -> dict[str, dict[str, Any]]:
        """What a job needs to know about each expert of an ensemble, by its name."""
        return {name: self.experts[name].settings() for name in point.models if name in self.experts}

    def nucleus_of(self, point: Point) -> str | None:
        """The model whose logits determine which tokens an ensemble may sample; None if its own do."""
        # The costs of points under a method of weights are compared with those of plain ensembles.
        if point.method and self.methods[point.method].SPACE == "logits":
            nucleus: str | None = self.method(point.method).recipe["nucleus"]
            return nucleus
        return None if self.generation is None else self.generation.nucleus

    def ensemble_models(self, point: Point) -> list[str]:
        """Names of the models that an ensemble runs: those behind its point, and that of its nucleus."""
        nucleus = self.nucleus_of(point)
        return list(dict.fromkeys([*self.models_behind(point.models), *([] if nucleus is None else [nucleus])]))

    def families(self) -> dict[str, list[str]]:
        """Family to its members, the models that are its replicates."""
        found: dict[str, list[str]] = {}
        for name in self.models:
            if (one := MEMBER.fullmatch(name)) is not None:
                found.setdefault(one[1], []).append(name)
        return found

    def repeated(self, section: str) -> Mapping[str, Repeated]:
        """The entries of a section that became one for each training seed, by the names that were written."""
        return self._repeated.get(section, {})

    def along(self, sweeps: Iterable[str]) -> list[str]:
        """Names of sweeps, each once, with their members in place of those that are repeated."""
        repeated = self.repeated("sweeps")
        found = [list(repeated[name].members.values()) if name in repeated else [name] for name in sweeps]
        return list(dict.fromkeys(name for names in found for name in names))

    def root_of(self, model: str) -> tuple[str, Origin]:
        """The model that determines the architecture and the tokenizer of ``model``, and its origin."""
        while parents := self.models[model].start.parents(self):
            model = parents[0]
        return model, self.models[model].start
