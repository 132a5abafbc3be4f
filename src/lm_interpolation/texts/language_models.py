"""Loaded language models to sample texts from, singly or with combined logits."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import AutoModelForCausalLM

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.loading import context_length, load_model, takes_cache
from lm_interpolation.models.special_tokens import SpecialTokens, of_model

if TYPE_CHECKING:
    # Texts of single models do not depend on it.
    from lm_interpolation.texts.experts.base import Expert


@dataclass(frozen=True)
class LanguageModel:
    """A loaded causal language model; errors call it ``name``.

    ``special`` are its special tokens, ``context`` is the largest number of positions (None: no limit is known),
    ``vocabulary`` the number of logits.
    """

    name: str
    model: Any
    tokenizer: Any
    special: SpecialTokens
    context: int | None
    vocabulary: int


@dataclass(frozen=True)
class Mixture:
    """A source of texts: next-token logits sum_m c_m z_m over ``members``, pairs (c_m, model m), and ``experts``.

    The members share device and tokenizer. What one gives logits for and another does not is padding of its vocabulary,
    and is left out. ``nucleus`` is the index of the member whose logits determine the top-p nucleus; if it is None, the
    sum does. A member may have the coefficient 0: then it is there for the nucleus or for an expert.
    """

    members: tuple[tuple[float, LanguageModel], ...]
    nucleus: int | None = None
    experts: "tuple[tuple[float, Expert], ...]" = ()

    @property
    def stops(self) -> frozenset[int]:
        """The tokens that end a continuation: the end tokens of all members that the sum needs."""
        needed = {place for _, expert in self.experts for place in expert.members}
        return frozenset().union(
            *(
                model.special.stops
                for place, (coefficient, model) in enumerate(self.members)
                if coefficient or place in needed
            )
        )


def load_language_model(
    model_dir: str | Path, device: str, name: str = "the model", precision: str = "fp32"
) -> LanguageModel:
    """Load a Hugging Face directory with its tokenizer: weights cast to ``precision``, model in evaluation mode.

    Raises ``UserError`` if the folder is damaged or incomplete (see ``load_model``), or as ``language_model`` does.
    """
    model, tokenizer = load_model(AutoModelForCausalLM, model_dir, device, precision)
    return language_model(model, tokenizer, name)


def language_model(model: Any, tokenizer: Any, name: str = "the model") -> LanguageModel:
    """A causal language model of transformers, in evaluation mode, as texts are sampled from it.

    Raises ``UserError`` if its architecture keeps no key-value cache to continue texts from (Mamba, for example).
    """
    if not takes_cache(model):
        raise UserError(
            f"{name}: {type(model).__name__} keeps no cache of keys and values, without which texts cannot be sampled "
            "here; choose another architecture"
        )
    return LanguageModel(
        name=name,
        model=model,
        tokenizer=tokenizer,
        special=of_model(model, tokenizer),
        context=context_length(model, tokenizer),
        vocabulary=model.config.vocab_size,
    )
