"""What every origin of a model declares."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from lm_interpolation.study.kinds.base import Declaration, Text

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

SPECIAL_TOKENS = (
    "Of a language model: what stands before each of its texts, and is not scored. By default what its tokenizer adds "
    "(tokenizer), or a BOS (bos), or nothing (none). Models that are trained from it inherit the choice."
)
SpecialTokens = Literal["tokenizer", "bos", "none"]


def _plain(name: str) -> str:
    if {"/", "\\"} & set(name):
        raise PydanticCustomError("words", f": {name!r} is a path; give the name of a file in the folder or repository")
    return name


GgufFile = Annotated[Text, AfterValidator(_plain)]
GGUF_FILE = (
    "Name of the GGUF file there that holds a language model; its weights are dequantised to float32, and nothing else "
    "there is read."
)
TOKENIZER_DIRECTORY = (
    "Local folder of the tokenizer for the model in gguf_file; by default it is made from what the file says."
)


class Origin(Declaration):
    """Where the weights of a model come from: the key ``start`` of a model."""

    KEY: ClassVar[str]
    """The key that says which origin it is."""
    IMPORTED: ClassVar[bool] = False
    """Whether weights and tokenizer come from outside; they are imported as they are, and not trained."""

    DERIVED: ClassVar[bool] = False
    """Whether other models make up its weights, without training."""

    def needs(self) -> list[tuple[str, str]]:
        """(section, name) of models and sets whose architecture and tokenizer it inherits; none if it has its own."""
        return []

    def parents(self, config: "StudyConfig") -> list[str]:
        """Names of the models whose architecture and tokenizer it inherits, each once; none if it has its own."""
        found = [config.members_of(name) if section == "sets" else [name] for section, name in self.needs()]
        return list(dict.fromkeys(model for models in found for model in models))

    def resolved(self, config: "StudyConfig") -> dict[str, Any]:
        """Keys with the values that the rest of the study gives them."""
        return {}

    def own_tokenizer(self) -> str | None:
        """Name of the study's tokenizer that it uses; None if it comes with its own."""
        return None

    def architecture_declared(self) -> Mapping[str, Any]:
        """Its own transformers configuration as far as the study declares it."""
        return {}
