"""Sections of a study without kinds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge
from pydantic import Field

from lm_interpolation.study.kinds.base import (
    PRECISION,
    Count,
    Declaration,
    LanguageModel,
    Maybe,
    Name,
    Names,
    NonNegativeInt,
    Positive,
    Precision,
    Problem,
    Ref,
    Share,
    TrainedLanguageModel,
    Whole,
)
from lm_interpolation.study.kinds.fitting import batch_fits

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Tokenizer(Declaration):
    """A byte-level BPE tokenizer that the workflow trains."""

    corpus: Annotated[Name, Ref("corpora", stored=True)] = Field(
        description="Corpus whose training texts the tokenizer is trained on."
    )
    vocab_size: Annotated[Whole, Ge(257)] = Field(
        description="Number of tokens; at least 257 (all bytes and the end-of-text token)."
    )


class Generation(Declaration):
    """How texts are sampled at each point. The same seed gives the same uniform random numbers at every point."""

    top_p: Share = Field(
        description=("Nucleus sampling keeps the most likely tokens with this total probability (paper, Table 3: 0.9).")
    )
    max_new_tokens: Count = Field(description="Maximum number of tokens per continuation (paper, Table 3: 30).")
    samples: Count = Field(description="Continuations per prompt (paper, Table 3: 25).")
    seed: NonNegativeInt = Field(default=0, description="Seed of the sampling.")
    nucleus: Maybe[LanguageModel] = Field(
        default=None,
        description=(
            "For ensembles (space logits): the source of the logits that determine which tokens may be sampled. "
            "By default it is the ensemble; the name of a model selects that model's own logits, as DExperts does "
            "with its base model."
        ),
    )
    precision: Precision = Field(default="fp32", description=PRECISION)


class SearchGrid(Declaration):
    """Values of training settings; the search tries all combinations."""

    learning_rate: Names[Positive] = Field(description="Peak learning rates.")
    batch_size: Names[Count] = Field(description="Batch sizes.")
    steps: Names[Count] = Field(description="Numbers of steps.")


class Search(Declaration):
    """A search over training settings, judged by the loss on dev."""

    model: TrainedLanguageModel = Field(
        description=("Language model whose training is varied; settings that the grid does not name are taken from it.")
    )
    grid: SearchGrid = Field(description="The values to combine.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        training = config.models[self.model].training
        for batch_size in self.grid.batch_size:
            yield from batch_fits(config, training.processes if training else 1, batch_size, "grid.batch_size")


class Tables(Declaration):
    """How the tables are computed."""

    resamples: Annotated[Whole, Ge(100)] = Field(
        default=2000, description="Bootstrap resamples (of prompts) behind each 95 % interval of a table."
    )
    seed: NonNegativeInt = Field(
        default=0, description="Seed of the bootstrap and of the random draws for barriers and verdicts."
    )


class Threads(Declaration):
    """CPU threads per job."""

    train: Count = Field(default=1, description="Threads of a training job.")
    generate: Count = Field(default=1, description="Threads of a generation job.")
    score: Count = Field(default=1, description="Threads of a scoring job.")


class BatchSize(Declaration):
    """Sequences at once."""

    generate: Count = Field(default=256, description="Continuations sampled at once.")
    score: Count = Field(default=64, description="Texts scored at once.")
    train: Maybe[Count] = Field(
        default=None,
        description=("Sequences that a training process computes at once, by default its whole share of the batch."),
    )


class Compute(Declaration):
    """How the work is done. These settings change results only by rounding, so they cause no rerun."""

    threads: Threads = Field(default_factory=Threads, description="CPU threads per job.")
    batch_size: BatchSize = Field(default_factory=BatchSize, description="Sequences at once.")
