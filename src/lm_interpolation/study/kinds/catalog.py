"""All kinds, one line each. A kind that is not here does not exist."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Tag
from pydantic_core import PydanticCustomError

from lm_interpolation.study.kinds.analyses.barrier import Barrier
from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.analyses.cost import Cost
from lm_interpolation.study.kinds.analyses.gram import Gram
from lm_interpolation.study.kinds.analyses.intruders import Intruders
from lm_interpolation.study.kinds.analyses.layers import Layers
from lm_interpolation.study.kinds.analyses.linearity import Linearity
from lm_interpolation.study.kinds.analyses.loss import Loss
from lm_interpolation.study.kinds.analyses.model_loss import ModelLoss
from lm_interpolation.study.kinds.analyses.next_token import NextToken
from lm_interpolation.study.kinds.analyses.norms import Norms
from lm_interpolation.study.kinds.analyses.precision import PrecisionAnalysis
from lm_interpolation.study.kinds.analyses.region import Region
from lm_interpolation.study.kinds.analyses.regions import Regions
from lm_interpolation.study.kinds.analyses.texts import Texts
from lm_interpolation.study.kinds.analyses.traverse import Traverse
from lm_interpolation.study.kinds.analyses.tuning_contribution import TuningContribution
from lm_interpolation.study.kinds.base import Declaration, Either, keys_of, tag
from lm_interpolation.study.kinds.claims.auc import AucClaim
from lm_interpolation.study.kinds.claims.barrier import BarrierClaim
from lm_interpolation.study.kinds.claims.barrier_ratio import BarrierRatioClaim
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.kinds.claims.better import BetterClaim
from lm_interpolation.study.kinds.claims.clusters import ClustersClaim
from lm_interpolation.study.kinds.claims.difference import DifferenceClaim
from lm_interpolation.study.kinds.claims.intruders import IntrudersClaim
from lm_interpolation.study.kinds.claims.linear import LinearClaim
from lm_interpolation.study.kinds.claims.loss_barrier import LossBarrierClaim
from lm_interpolation.study.kinds.claims.lower_loss import LowerLossClaim
from lm_interpolation.study.kinds.claims.matched_loss import MatchedLossClaim
from lm_interpolation.study.kinds.claims.middle import MiddleClaim
from lm_interpolation.study.kinds.claims.monotone import MonotoneClaim
from lm_interpolation.study.kinds.claims.norms import NormsClaim
from lm_interpolation.study.kinds.claims.reach import ReachClaim
from lm_interpolation.study.kinds.claims.region import RegionClaim
from lm_interpolation.study.kinds.claims.selected import SelectedClaim
from lm_interpolation.study.kinds.claims.share import ShareClaim
from lm_interpolation.study.kinds.claims.stable import StableClaim
from lm_interpolation.study.kinds.claims.start_gain import StartGainClaim
from lm_interpolation.study.kinds.claims.unmoved import UnmovedClaim
from lm_interpolation.study.kinds.claims.valley import ValleyClaim
from lm_interpolation.study.kinds.claims.words import WordsClaim
from lm_interpolation.study.kinds.corpora.archive import Archive
from lm_interpolation.study.kinds.corpora.base import Corpus, Source
from lm_interpolation.study.kinds.corpora.csv import Csv
from lm_interpolation.study.kinds.corpora.datasets import Datasets
from lm_interpolation.study.kinds.corpora.documents import Documents
from lm_interpolation.study.kinds.corpora.hub import Hub
from lm_interpolation.study.kinds.corpora.joined import JoinedCorpus
from lm_interpolation.study.kinds.corpora.jsonl import Jsonl
from lm_interpolation.study.kinds.corpora.lines import Lines
from lm_interpolation.study.kinds.corpora.parquet import Parquet
from lm_interpolation.study.kinds.corpora.share import ShareOfCorpus
from lm_interpolation.study.kinds.corpora.sst import Sst
from lm_interpolation.study.kinds.corpora.synthetic import Synthetic
from lm_interpolation.study.kinds.corpora.topics import Topics
from lm_interpolation.study.kinds.experts.base import Expert
from lm_interpolation.study.kinds.experts.extremes import Intersection, Union
from lm_interpolation.study.kinds.experts.uniform import Uniform
from lm_interpolation.study.kinds.experts.words import WordList
from lm_interpolation.study.kinds.figures.barrier import BarrierFigure
from lm_interpolation.study.kinds.figures.base import Figure
from lm_interpolation.study.kinds.figures.calibration import CalibrationFigure
from lm_interpolation.study.kinds.figures.curves import Curves
from lm_interpolation.study.kinds.figures.intruders import IntrudersFigure
from lm_interpolation.study.kinds.figures.layers import LayersFigure
from lm_interpolation.study.kinds.figures.linearity import LinearityFigure
from lm_interpolation.study.kinds.figures.methods import MethodsFigure
from lm_interpolation.study.kinds.figures.norms import NormsFigure
from lm_interpolation.study.kinds.figures.plane import Plane
from lm_interpolation.study.kinds.figures.region import RegionFigure
from lm_interpolation.study.kinds.figures.search import SearchFigure
from lm_interpolation.study.kinds.figures.similarity import SimilarityFigure
from lm_interpolation.study.kinds.figures.slices import Slices
from lm_interpolation.study.kinds.figures.start import StartFigure
from lm_interpolation.study.kinds.figures.training import TrainingFigure
from lm_interpolation.study.kinds.figures.traverse import TraverseFigure
from lm_interpolation.study.kinds.figures.tsne import TsneFigure
from lm_interpolation.study.kinds.figures.tuning_contribution import TuningContributionFigure
from lm_interpolation.study.kinds.figures.words import WordsFigure
from lm_interpolation.study.kinds.methods.combine import Combine, Fisher, Karcher, Mean, Regmean, Sce, Slerp, Stock
from lm_interpolation.study.kinds.methods.keep import (
    Band,
    ByMask,
    Chance,
    Keep,
    Magnitude,
    Rank,
    ScaledIntruders,
    Tensors,
    Variance,
)
from lm_interpolation.study.kinds.models.adapter import FromAdapter
from lm_interpolation.study.kinds.models.aligned import FromAligned
from lm_interpolation.study.kinds.models.base import Origin
from lm_interpolation.study.kinds.models.directory import FromDirectory
from lm_interpolation.study.kinds.models.hub import FromHub
from lm_interpolation.study.kinds.models.like import LikeModel
from lm_interpolation.study.kinds.models.scratch import FromScratch
from lm_interpolation.study.kinds.models.soups import FromGreedy, FromMean
from lm_interpolation.study.kinds.models.tuned import FromModel
from lm_interpolation.study.kinds.prompts.base import Prompts
from lm_interpolation.study.kinds.prompts.jsonl import JsonlPrompts
from lm_interpolation.study.kinds.prompts.list import ListedPrompts
from lm_interpolation.study.kinds.prompts.text import TextPrompts
from lm_interpolation.study.kinds.scorers.base import Scorer
from lm_interpolation.study.kinds.scorers.classifier import Classifier
from lm_interpolation.study.kinds.scorers.command import Command
from lm_interpolation.study.kinds.scorers.distinct import Distinct
from lm_interpolation.study.kinds.scorers.length import Length
from lm_interpolation.study.kinds.scorers.perplexity import Perplexity
from lm_interpolation.study.kinds.scorers.python import Python
from lm_interpolation.study.kinds.statistics.base import ModelStatistic
from lm_interpolation.study.kinds.statistics.fisher import FisherStatistic
from lm_interpolation.study.kinds.statistics.gram import GramStatistic

SOURCES: tuple[type[Source], ...] = (
    Sst,
    Csv,
    Jsonl,
    Parquet,
    Lines,
    Documents,
    Archive,
    Hub,
    Datasets,
    Synthetic,
    Topics,
)
PROMPTS: tuple[type[Prompts], ...] = (
    JsonlPrompts,
    TextPrompts,
    ListedPrompts,
)
ORIGINS: tuple[type[Origin], ...] = (
    FromHub,
    FromDirectory,
    FromModel,
    FromScratch,
    LikeModel,
    FromMean,
    FromGreedy,
    FromAligned,
    FromAdapter,
)
SCORERS: tuple[type[Scorer], ...] = (
    Classifier,
    Perplexity,
    Distinct,
    Length,
    Python,
    Command,
)
ANALYSES: tuple[type[Analysis], ...] = (
    Loss,
    NextToken,
    Linearity,
    Norms,
    Cost,
    Texts,
    Barrier,
    PrecisionAnalysis,
    Layers,
    ModelLoss,
    Gram,
    Regions,
    Region,
    Traverse,
    Intruders,
    TuningContribution,
)
FIGURES: tuple[type[Figure], ...] = (
    Curves,
    Plane,
    WordsFigure,
    NormsFigure,
    TrainingFigure,
    SearchFigure,
    BarrierFigure,
    LinearityFigure,
    CalibrationFigure,
    Slices,
    MethodsFigure,
    LayersFigure,
    TsneFigure,
    SimilarityFigure,
    RegionFigure,
    TraverseFigure,
    StartFigure,
    IntrudersFigure,
    TuningContributionFigure,
)
CLAIMS: tuple[type[Claim], ...] = (
    BarrierClaim,
    MonotoneClaim,
    StableClaim,
    WordsClaim,
    BetterClaim,
    ReachClaim,
    ValleyClaim,
    DifferenceClaim,
    NormsClaim,
    MiddleClaim,
    LinearClaim,
    LossBarrierClaim,
    UnmovedClaim,
    ShareClaim,
    LowerLossClaim,
    SelectedClaim,
    MatchedLossClaim,
    ClustersClaim,
    RegionClaim,
    StartGainClaim,
    BarrierRatioClaim,
    IntrudersClaim,
    AucClaim,
)


KEEPS: tuple[type[Keep], ...] = (
    Magnitude,
    Chance,
    Rank,
    Band,
    Variance,
    ByMask,
    Tensors,
    ScaledIntruders,
)
COMBINES: tuple[type[Combine], ...] = (
    Mean,
    Slerp,
    Karcher,
    Stock,
    Sce,
    Fisher,
    Regmean,
)
STATISTICS: tuple[type[ModelStatistic], ...] = (
    FisherStatistic,
    GramStatistic,
)

EXPERTS: tuple[type[Expert], ...] = (
    Union,
    Intersection,
    WordList,
    Uniform,
)

SUM = "sum"
"""The combination without a stage."""

START = "from "
"""Put before the key of an origin, it is the origin's tag, which is no key itself."""


def _source(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return None
    return next((key for key in ("split_from", "classes_from") if key in value), value.get("source"))


def origins_named(keys: Collection[Any]) -> list[type[Origin]]:
    """The origins that a start with these keys names.

    One whose key belongs to another of them, as ``model`` does to ``adapter``, is not named.
    """
    found = [kind for kind in ORIGINS if kind.KEY in keys]
    return [kind for kind in found if not any(kind.KEY in keys_of(other) for other in found if other is not kind)]


def _origin(value: Any) -> Any:
    found = origins_named(value) if isinstance(value, Mapping) else []
    return START + found[0].KEY if len(found) == 1 else None


def _needs(kind: type[Combine]) -> list[str]:
    """The settings without which the name of a combination is not enough."""
    return [name for name, field in kind.model_fields.items() if field.is_required() and name != "by"]


def _enough(name: Any) -> Any:
    for kind in COMBINES:
        if name == tag(kind, "by") and (needed := _needs(kind)):
            settings = ", ".join(f"{key}: ..." for key in needed)
            raise PydanticCustomError("words", f": {name} needs more than its name; write {{by: {name}, {settings}}}")
    return name


AnyCorpus = Annotated[
    Corpus,
    Either(
        [
            Annotated[ShareOfCorpus, Tag("split_from")],
            Annotated[JoinedCorpus, Tag("classes_from")],
            *(Annotated[kind, Tag(tag(kind, "source"))] for kind in SOURCES),
        ],
        _source,
    ),
]
AnyPrompts = Annotated[Prompts, Either(PROMPTS, "source")]
AnyOrigin = Annotated[Origin, Either([Annotated[kind, Tag(START + kind.KEY)] for kind in ORIGINS], _origin)]
AnyKeep = Annotated[Keep, Either(KEEPS, "by")]
# The name of a combination is enough if it is set by nothing.
AnyCombine = Annotated[
    str | Combine,
    Either(
        [
            Annotated[
                Literal[(SUM, *(tag(kind, "by") for kind in COMBINES if not _needs(kind)))],
                BeforeValidator(_enough),
                Tag("a string"),
            ],
            Annotated[Combine, Either(COMBINES, "by"), Tag("a mapping")],
        ]
    ),
]
AnyExpert = Annotated[Expert, Either(EXPERTS, "kind")]
AnyStatistic = Annotated[ModelStatistic, Either(STATISTICS, "kind")]
AnyScorer = Annotated[Scorer, Either(SCORERS, "kind")]
AnyAnalysis = Annotated[Analysis, Either(ANALYSES, "kind")]
AnyFigure = Annotated[Figure, Either(FIGURES, "kind")]
AnyClaim = Annotated[Claim, Either(CLAIMS, "test")]

FAMILIES: dict[str, tuple[str, tuple[type[Declaration], ...]]] = {
    "corpora": ("source", SOURCES),
    "prompts": ("source", PROMPTS),
    "experts": ("kind", EXPERTS),
    "statistics": ("kind", STATISTICS),
    "scorers": ("kind", SCORERS),
    "analyses": ("kind", ANALYSES),
    "figures": ("kind", FIGURES),
    "claims": ("test", CLAIMS),
}
"""Section to the key that says of which kind an entry is, and the kinds."""
