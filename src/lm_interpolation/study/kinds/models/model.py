"""A model: its task, its origin, and how it is trained."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.models.biases import lacks_biases
from lm_interpolation.study.kinds.base import (
    CorpusName,
    Count,
    Decay,
    Declaration,
    Maybe,
    Name,
    Names,
    NonNegative,
    NonNegativeInt,
    Positive,
    Problem,
    undeclared,
)
from lm_interpolation.study.kinds.catalog import AnyOrigin
from lm_interpolation.study.kinds.fitting import batch_fits
from lm_interpolation.study.kinds.models.exam import Exam
from lm_interpolation.study.kinds.models.lora import Lora
from lm_interpolation.study.settings import AddedLater

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

EXAM = (
    "Of a classifier: labelled texts that it has not learnt from, which say how good it is wherever its scores are "
    "shown. Without an exam, what its training measured on the test split of its corpus says so."
)


class Data(Declaration):
    """What a model is trained on."""

    corpus: CorpusName = Field(description="Name of the corpus.")
    class_: Maybe[Name] = Field(
        default=None,
        alias="class",
        description="Train only on the texts of this class (language models); by default on all texts.",
    )
    limit: Maybe[Count] = Field(
        default=None,
        description="Number of training texts, taken from the beginning of the split, of the class if there is one; by "
        "default all.",
    )


class Training(Declaration):
    """How a model is trained (AdamW)."""

    steps: Count = Field(description="Number of optimizer steps.")
    batch_size: Count = Field(description="Blocks (language model) or texts (classifier) per step, over all processes.")
    processes: Count = Field(
        default=1, description="Processes that train together (torchrun); on cuda each takes one GPU."
    )
    block_length: Count = Field(description="Tokens per block (language model), or maximum per text (classifier).")
    learning_rate: Positive = Field(description="Peak learning rate.")
    schedule: Literal["constant_with_warmup", "linear", "cosine"] = Field(
        default="linear", description="Learning rate after the warm-up."
    )
    warmup_steps: NonNegativeInt = Field(default=0, description="Steps of linear warm-up.")
    weight_decay: NonNegative = Field(default=0.0, description="AdamW's weight decay.")
    adam_beta1: Decay = Field(default=0.9, description="AdamW's first moment decay.")
    adam_beta2: Decay = Field(default=0.999, description="AdamW's second moment decay.")
    adam_epsilon: NonNegative = Field(default=1e-08, description="AdamW's epsilon.")
    max_grad_norm: NonNegative = Field(
        default=1.0, description="Gradients are clipped to this norm; 0 turns clipping off."
    )
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32",
        description=("Arithmetic of the forward and backward pass (bf16 by autocast); weights stay in fp32."),
    )
    seed: NonNegativeInt = Field(default=0, description="Seed of initial weights, dropout and the order of the data.")
    log_steps: Count = Field(default=10, description="Steps between two points of the training loss curve.")
    eval_steps: Count = Field(default=100, description="Steps between two evaluations on dev.")
    save_steps: Count = Field(default=100, description="Steps between two resumable checkpoints.")
    trainable: Annotated[Literal["all", "biases"], AddedLater(as_before="all")] = Field(
        default="all",
        description="Parameters that training changes: all, or the biases (BitFit), and the head of a classifier.",
    )
    lora: Maybe[Lora] = Field(
        default=None, description="Train a LoRA adapter of the model that training starts from, and merge it."
    )


class Model(Declaration):
    """A language model, a classifier or an encoder, imported or trained."""

    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (
        ("data", "training"),
        ("training", "data"),
        ("replicates", "training"),
    )

    task: Literal["language-model", "classifier", "encoder"] = Field(
        description="language-model (causal), classifier (of sequences), or encoder (imported without its head)."
    )
    start: AnyOrigin = Field(
        description=(
            "Source of the weights: a hub id with revision, a local Hugging Face directory, another model of this "
            "file, random weights of an architecture with a tokenizer, a mean of models of this file, or one of them "
            "aligned with another, or with an adapter."
        )
    )
    data: Maybe[Data] = Field(
        default=None,
        description="The training data; without data and training the model is imported, or made of others.",
    )
    training: Maybe[Training] = Field(default=None, description="How it is trained (AdamW).")
    replicates: Maybe[Names[NonNegativeInt]] = Field(
        default=None,
        description=("Seeds of a family: it is trained once with each, in one job, as the models <family>.s<seed>."),
    )
    exam: Maybe[Exam] = Field(default=None, description=EXAM)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        if self.exam is not None:
            yield from self._exam_problems(self.exam, config)
        if self.task != "language-model" and getattr(self.start, "special_tokens", None):
            yield "start.special_tokens", "is for language models; remove it"
        if self.task != "language-model" and getattr(self.start, "gguf_file", None):
            remedy = "train the classifier from it, or give its folder" if self.task == "classifier" else "remove it"
            yield "start.gguf_file", f"a GGUF file holds a language model; {remedy}"
        if self.task == "encoder" and (self.data is not None or not self.start.IMPORTED):
            yield "task", "an encoder is imported as it is, from hub or directory; train a classifier from it"
            return
        if self.data is None or self.training is None:
            if not self.start.IMPORTED and not self.start.DERIVED:
                yield "", "has no data and training, so start must be hub, directory, mean, greedy, align or adapter"
            if self.start.DERIVED and self.task != "language-model":
                yield "task", f"start.{self.start.KEY} is for language models; train the classifier from one"
            return
        if self.start.IMPORTED or self.start.DERIVED:
            yield "", "declare the model that training starts from as a model of its own"
        for parent in self.start.parents(config):
            if self.task == "language-model" and config.models[parent].task == "encoder":
                yield f"start.{self.start.KEY}", f"{parent!r} is an encoder; a language model starts from another one"
        classes = config.corpora[self.data.corpus].class_names(config)
        if self.task == "classifier":
            if self.data.class_:
                yield "data.class", "a classifier needs all classes; remove it"
            elif len(classes) < 2:
                yield "data.corpus", f"{self.data.corpus!r} has no classes to tell apart; declare them"
            if self.training.processes > 1:
                yield "training.processes", "a classifier trains in one process; remove it"
        elif self.data.class_ and self.data.class_ not in classes:
            yield "data.class", undeclared("class", self.data.class_, classes)
        yield from self._few_problems(self.data, config)
        yield from self._bias_problems(self.training, config)
        yield from self._lora_problems(self.training)
        yield from batch_fits(config, self.training.processes, self.training.batch_size, "training.batch_size")

    def _few_problems(self, data: Data, config: "StudyConfig") -> Iterator[Problem]:
        if data.limit is None:
            return
        if config.corpora[data.corpus].is_stream():
            yield "data.limit", f"the stream {data.corpus!r} is read until the last step; remove it, or lower steps"
        if self.exam is not None and self.exam.baseline_of(self) != "none":
            yield "exam.baseline", "would learn from more texts than the judge, which has a data.limit; set it to none"

    def _bias_problems(self, training: Training, config: "StudyConfig") -> Iterator[Problem]:
        if training.trainable != "biases":
            return
        parents = self.start.parents(config)
        origin = config.root_of(parents[0])[1] if parents else self.start
        architecture = origin.architecture_declared()
        if lacks_biases(architecture):
            yield (
                "training.trainable",
                f"biases, but the architecture {architecture['model_type']} has none; train all, or set its options "
                "for biases",
            )

    def _lora_problems(self, training: Training) -> Iterator[Problem]:
        if training.lora is None:
            return
        if self.task != "language-model":
            yield "training.lora", "is for language models; remove it"
        elif self.start.KEY != "model":
            yield "training.lora", f"adapts a model of the study, but this one starts from {self.start.KEY}; remove it"
        if training.trainable != "all":
            yield "training.trainable", f"{training.trainable}, but lora trains an adapter; remove one of the two"

    def _exam_problems(self, exam: Exam, config: "StudyConfig") -> Iterator[Problem]:
        if self.task != "classifier":
            yield "exam", "is for classifiers; remove it"
            return
        yield from ((f"exam.{place}", words) for place, words in exam.problems(self, config))
