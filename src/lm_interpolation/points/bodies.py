"""The common body of models whose heads differ, moved in memory as whole models are.

Classifiers of one architecture can have heads of different sizes, and a masked language model has yet another. What
they share is the encoder (or decoder) below. Gueta et al. 2023 (arXiv 2302.04863) compare such bodies: they drop the
heads and fit a new one on each.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, PreTrainedTokenizerBase

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_compatible
from lm_interpolation.models.loading import load_model
from lm_interpolation.points.interpolation import WeightSpace

_OF_HEADS = ("finetuning_task", "tie_word_embeddings")
"""Keys of config.json that are about heads."""


class BodySpace(WeightSpace):
    """A ``WeightSpace`` of bodies: ``model`` gives ``last_hidden_state``, and the heads of the models are left out.

    Models may have any task, or no head. A pooler counts as part of the head: some have none.
    """

    def _checkpoints(self, models: Mapping[str, str | Path]) -> list[Checkpoint]:
        # Files name tensors with and without the prefix of the body: they are compared once they are loaded.
        return list(check_compatible(models, opened=_without_tensors).values())

    def _load(self, directory: str | Path, device: str) -> tuple[Any, PreTrainedTokenizerBase]:
        model, tokenizer = load_model(_Body, directory, device, checked=True)
        if model.config.is_encoder_decoder:
            raise UserError(f"{directory}: has an encoder and a decoder; only models with one body can be probed")
        if self._parents:
            own = _shapes(model)
            for name, shape in _shapes(self.model).items():
                if own.get(name) != shape:
                    raise UserError(
                        f"{directory} and model {self.names[0]} cannot be combined: {name} is {own.get(name)} and "
                        f"{shape}; use models fine-tuned from the same one"
                    )
        return model, tokenizer


class _Body:
    """Loads bodies as ``AutoModel`` does, without a pooler."""

    @staticmethod
    def from_pretrained(directory: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
        model, report = AutoModel.from_pretrained(directory, **options)
        if getattr(model, "pooler", None) is not None:
            model.pooler = None
            report["missing_keys"] = {key for key in report["missing_keys"] if not key.startswith("pooler.")}
        return model, report


def _without_tensors(directory: str | Path) -> Checkpoint:
    found = Checkpoint.open(directory)
    config = {key: value for key, value in found.config.items() if key not in _OF_HEADS}
    return dataclasses.replace(found, config=config, tensors={}, tied=None)


def _shapes(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}
