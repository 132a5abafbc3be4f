"""A classifier that reads prompts once gives texts the probabilities that it gives whole texts."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.models.class_probabilities import class_probabilities
from lm_interpolation.scores.shared_prompts import _is_causal, probabilities_after_prompts

COMMON = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "vocab_size": 60, "pad_token_id": 0}
KINDS = {
    "gpt2": (COMMON, True),
    "llama": (COMMON | {"intermediate_size": 64, "num_key_value_heads": 1}, True),
    "opt": (COMMON | {"ffn_dim": 64, "word_embed_proj_dim": 32}, True),
    "roberta": (COMMON | {"intermediate_size": 64, "pad_token_id": 1}, False),
}
A, B, C = [3, 4, 5, 6], [7, 8, 9], [10, 11, 12, 13]
# Of A: two go on, one is the prompt alone, which leaves two tokens in common; of B: an empty (dropped) one, one alone;
# of C: one goes on with nothing but padding's token, so all of C is read whole.
TEXTS = [[*A, 20, 21, 22], [*A, 23], A, [], [*B, 24, 25], [*C, 0, 0], [*C, 26, 27], [*B, 28], [*A, 29, 30, 31, 32, 33]]
PROMPTS = ["a", "a", "a", "b", "b", "c", "c", "b", "a"]


def collect(pairs: Any) -> np.ndarray:
    values = np.full((len(TEXTS), 3), np.nan)
    for batch, some in pairs:
        assert np.isnan(values[batch]).all()
        values[batch] = some
    return values


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 32])
def test_probabilities_equal_those_of_whole_texts(kind: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    options, goes_on = KINDS[kind]
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **options, num_labels=3, bos_token_id=0, eos_token_id=0, initializer_range=0.5)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    expected = collect(class_probabilities(model, TEXTS, AdaptiveBatches(32)))
    assert np.ptp(expected[[0, 1, 8]], axis=0).max() > 0.01
    read = []
    forward = type(model).forward

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        read.append(kwargs["attention_mask"].shape[1] > kwargs["input_ids"].shape[1])
        return forward(self, *args, **kwargs)

    counted.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(type(model), "forward", counted)
    found = collect(probabilities_after_prompts(model, TEXTS, PROMPTS, AdaptiveBatches(size)))
    assert np.isnan(found[3]).all()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert any(read) == goes_on
    assert _is_causal(model) == goes_on
