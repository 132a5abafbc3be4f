"""A model that a LoRA adapter makes of another."""

from typing import ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import Declaration, LanguageModel, Maybe, Text
from lm_interpolation.study.kinds.models.base import Origin


class AdapterFolder(Declaration):
    """Where an adapter lies, as PEFT saves it."""

    ONE_OF: ClassVar[tuple[str, ...]] = ("directory", "hub")
    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (("hub", "revision"), ("revision", "hub"))

    directory: Maybe[Text] = Field(
        default=None, description="Local folder with adapter_config.json and adapter_model.safetensors."
    )
    hub: Maybe[Text] = Field(default=None, description="Id on the Hugging Face hub; needs revision.")
    revision: Maybe[Text] = Field(
        default=None, description="Commit, tag or branch on the hub; only a commit can never change."
    )


class FromAdapter(Origin):
    """A model of the study with a LoRA adapter merged into it."""

    KEY: ClassVar[str] = "adapter"
    DERIVED: ClassVar[bool] = True

    model: LanguageModel = Field(description="Name of the model of this file that the adapter belongs to.")
    adapter: AdapterFolder = Field(description="The adapter, from a local folder or the hub.")

    def needs(self) -> list[tuple[str, str]]:
        return [("models", self.model)]
