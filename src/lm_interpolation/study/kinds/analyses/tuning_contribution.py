"""The analysis tuning_contribution."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.models.decoder_parts import unknown
from lm_interpolation.pages.wording import number
from lm_interpolation.study.kinds.analyses.base import Analysis, HeldOut, model_folders
from lm_interpolation.study.kinds.base import (
    CorpusName,
    Count,
    Declaration,
    LanguageModel,
    Maybe,
    Name,
    Problem,
    TooLong,
    undeclared,
)
from lm_interpolation.study.kinds.checks import check_class
from lm_interpolation.study.kinds.tables import HIGH, LOW, N_TEXTS, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study

_GROUP = "name of the group of texts"


class TextGroup(Declaration):
    """Texts of a corpus, or of one of its classes."""

    corpus: CorpusName = Field(description="Name of the corpus.")
    class_: Maybe[Name] = Field(default=None, alias="class", description="Only the texts of this class.")


class TuningContribution(Analysis):
    """What fine-tuning contributes to the hidden states of texts (TuCo), and how well it tells texts apart."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="The tuning contribution to one text.",
            columns={
                "group": _GROUP,
                "text": "number of the text in its group, from 0",
                "tokens": "its tokens",
                "tuco": "tuning / (pretraining + tuning)",
                "pretraining": (
                    "size of what the blocks of the base add to the hidden state of the last token: sum of absolute "
                    "values"
                ),
                "tuning": "size of what the blocks of the fine-tuned model add beyond that",
            },
        ),
        "_groups": Table(
            row="The tuning contribution to a group of texts.",
            columns={
                "group": _GROUP,
                "estimate": "mean tuning contribution of the texts",
                "low": LOW,
                "high": HIGH,
                "auc": (
                    "probability that it is larger for a text of the group than for one of those compared with; empty "
                    "for the latter"
                ),
                "auc_low": LOW,
                "auc_high": HIGH,
                "n_texts": N_TEXTS,
            },
        ),
        "_blocks": Table(
            row="The tuning contribution of one block to a group of texts.",
            columns={
                "group": _GROUP,
                "layer": "number of the block",
                "estimate": "mean over texts of tuning / (pretraining + tuning), of this block alone",
                "low": LOW,
                "high": HIGH,
                "n_texts": N_TEXTS,
            },
        ),
    }

    kind: Literal["tuning_contribution"] = Field(
        description=(
            "What fine-tuning contributes to the hidden states of texts (TuCo), and how well it tells texts apart."
        )
    )
    model: LanguageModel = Field(description="Name of the fine-tuned model.")
    base: LanguageModel = Field(description="Name of the model that it was fine-tuned from.")
    groups: Annotated[dict[Name, TextGroup], MinLen(2)] = Field(description="Name to a group of texts.")
    against: Name = Field(description="The group that all others are told apart from, such as general text.")
    split: Literal["dev", "test"] = Field(default="test", description="Split of the corpora.")
    limit: Maybe[Count] = Field(
        default=None, description="Number of texts of each group, taken from the beginning; by default all."
    )
    too_long: TooLong = Field(
        default="error", description="What happens to texts beyond the models' context: error, cut (their end) or drop."
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        if self.model == self.base:
            yield "base", f"is {self.base!r}, like model; name the model that it was fine-tuned from"
        for name in (self.model, self.base):
            architecture = config.root_of(name)[1].architecture_declared()
            if architecture and (reason := unknown(architecture["model_type"])) is not None:
                yield "model" if name == self.model else "base", f"its architecture {reason}"
        if self.against not in self.groups:
            yield "against", undeclared("group", self.against, self.groups)
        for name, group in self.groups.items():
            if self.split == "test" and config.corpora[group.corpus].is_stream():
                yield "split", f"the stream {group.corpus!r} has no test split; use dev"
            yield from check_class(config, group.corpus, group.class_, f"groups.{name}.class")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return []

    def held_out(self, config: "StudyConfig") -> list[HeldOut]:
        return [
            HeldOut(group.corpus, self.split, None if group.class_ is None else [group.class_], self.limit)
            for group in self.groups.values()
        ]

    def measured_models(self, study: "Study") -> list[str]:
        return [self.model, self.base]

    def texts_inputs(self, study: "Study") -> dict[str, Any]:
        """Inputs of the job that takes the texts from their corpora."""
        return {
            "corpora": [study.path("corpora", group.corpus, f"{self.split}.parquet") for group in self.groups.values()],
            "tokenizers": [entry["tokenizer"] for entry in self._readers(study)],
        }

    def texts_settings(self, study: "Study") -> dict[str, Any]:
        """Settings of that job: groups are in the order of the corpora, readers in that of tokenizers."""
        return {
            "sets": [{"name": name, "class": group.class_} for name, group in self.groups.items()],
            "splits": [[self.split, self.limit]],
            "labelled": False,
            "too_long": self.too_long,
            "readers": self._readers(study),
        }

    def _readers(self, study: "Study") -> list[dict[str, Any]]:
        return study.models.readers([(model, 0) for model in self.measured_models(study)])

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": model_folders(study, self.measured_models(study)),
            "texts": study.path("losses", "texts", f"{name}.parquet"),
        }

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "model": self.model,
            "base": self.base,
            "split": self.split,
            "against": self.against,
            "bootstrap": study.config["tables"],
        }

    def describe(self, name: str) -> str:
        groups = ", ".join(f"{group} ({_words(one)})" for group, one in self.groups.items())
        limit = f", the first {number(self.limit)} of each" if self.limit else ""
        return (
            f"{name}: what the fine-tuning of {self.model} from {self.base} contributes to the hidden state of the "
            f"last token (TuCo), on the {self.split} texts of {groups}{limit}; each told apart from {self.against}"
        )


def _words(group: TextGroup) -> str:
    return group.corpus if group.class_ is None else f"{group.class_} of {group.corpus}"
