"""Sections of a study that have no kinds."""

from typing import Annotated

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
    Ref,
    Share,
    TrainedLanguageModel,
    Whole,
)


class Tokenizer(Declaration):
    """A byte-level BPE tokenizer that the workflow trains."""

    corpus: Annotated[Name, Ref("corpora", stored=True)] = Field(
        description="Corpus whose training texts it is trained on."
    )
    vocab_size: Annotated[Whole, Ge(257)] = Field(
        description="Number of tokens; at least 257 (all bytes and the end-of-text token)."
    )


class Generation(Declaration):
    """How texts are sampled at each point. Same seed, same uniform random numbers at every point."""

    top_p: Share = Field(
        description=("Nucleus sampling keeps the most likely tokens with this total probability (paper, Table 3, 0.9).")
    )
    max_new_tokens: Count = Field(description="Tokens per continuation at most (paper, Table 3, 30).")
    samples: Count = Field(description="Continuations per prompt (paper, Table 3, 25).")
    seed: NonNegativeInt = Field(default=0, description="Seed of the sampling.")
    nucleus: Maybe[LanguageModel] = Field(
        default=None,
        description=(
            "Ensembles (space logits): whose logits decide which tokens may be sampled. By default those of the "
            "ensemble; with the name of a model, its own, before the others are added, as DExperts does with "
            "its base model."
        ),
    )
    precision: Precision = Field(default="fp32", description=PRECISION)


class SearchGrid(Declaration):
    """Values of the settings of a training, all of which are combined."""

    learning_rate: Names[Positive] = Field(description="Peak learning rates.")
    batch_size: Names[Count] = Field(description="Batch sizes.")
    steps: Names[Count] = Field(description="Numbers of steps.")


class Search(Declaration):
    """A search of the settings of a training, judged on dev."""

    model: TrainedLanguageModel = Field(
        description=("Language model whose training is varied; what the grid does not name is taken from there.")
    )
    grid: SearchGrid = Field(description="The values that are combined.")


class Tables(Declaration):
    """How the tables are computed."""

    resamples: Annotated[Whole, Ge(100)] = Field(
        default=2000, description="Bootstrap resamples (of prompts) behind each 95 % interval of a table."
    )
    seed: NonNegativeInt = Field(
        default=0, description="Seed of the bootstrap, and of the draws behind barriers and verdicts."
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
        description=("Sequences of a process at once in training, by default its whole share of the batch."),
    )


class Compute(Declaration):
    """How the work is done; nothing here changes a result beyond rounding, so nothing here causes a rerun."""

    threads: Threads = Field(default_factory=Threads, description="CPU threads per job.")
    batch_size: BatchSize = Field(default_factory=BatchSize, description="Sequences at once.")
