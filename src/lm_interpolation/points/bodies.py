"""The common body of models whose heads differ, moved in memory as whole models are.

Gueta et al. 2023 (arXiv 2302.04863) compare the losses of such bodies: they drop the heads and fit a new one on each.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.body_loading import BodyLoader
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.common_body import common_body
from lm_interpolation.models.loading import load_model
from lm_interpolation.points.interpolation import WeightSpace


class BodySpace(WeightSpace):
    """A ``WeightSpace`` of the body that models have in common (``common_body``).

    ``model`` gives ``last_hidden_state``. Models may have any task, or no head. A pooler, on which no hidden state
    depends, is left out, too.
    """

    def _checkpoints(self, models: Mapping[str, str | Path]) -> list[Checkpoint]:
        return list(common_body(models).checkpoints.values())

    def _load(self, directory: str | Path, device: str) -> tuple[Any, PreTrainedTokenizerBase]:
        model, tokenizer = load_model(BodyLoader, directory, device, checked=True)
        if model.config.is_encoder_decoder:
            raise UserError(f"{directory}: has an encoder and a decoder; only models with one body can be probed")
        return model, tokenizer
