"""Gram matrices of the inputs of linear layers, against X^T X of texts that are read one at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.input_grams import input_grams, linear_layers
from lm_interpolation.models.loading import load_model

SEQUENCES = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8, 9, 7, 9], [3, 2]]


def by_hand(model: Any, sequences: list[list[int]]) -> dict[str, np.ndarray]:
    """X^T X / n in float64, texts one at a time, so without padding."""
    rows: dict[str, list[np.ndarray]] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | Conv1D):

            def take(_: Any, arguments: Any, key: str = f"{name}.weight") -> None:
                rows.setdefault(key, []).append(arguments[0][0].double().numpy())

            hooks.append(module.register_forward_pre_hook(take))
    with torch.inference_mode():
        for sequence in sequences:
            model(input_ids=torch.tensor([sequence]))
    for hook in hooks:
        hook.remove()
    whole = {name: np.concatenate(parts) for name, parts in rows.items()}
    return {name: inputs.T @ inputs / len(inputs) for name, inputs in whole.items()}


def unpacked(packed: torch.Tensor, size: int) -> np.ndarray:
    full = np.zeros((size, size))
    full[np.triu_indices(size)] = packed.numpy()
    return full + np.triu(full, 1).T


def furthest(found: dict[str, torch.Tensor], expected: dict[str, np.ndarray]) -> float:
    """The largest difference, relative to the largest element."""
    assert all(packed.dtype == torch.float64 for packed in found.values())
    return max(
        np.abs(unpacked(found[name], len(gram)) - gram).max() / np.abs(gram).max() for name, gram in expected.items()
    )


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_of_gpt2_against_texts_one_at_a_time(tiny_gpt2: Path, batch_size: int) -> None:
    """Padding does not count; the head is tied to the embeddings and left out. Largest difference 3e-7."""
    model, _ = load_model(AutoModelForCausalLM, tiny_gpt2, "cpu")
    done: list[int] = []
    found = input_grams(model, SEQUENCES, batch_size, done.append)
    expected = by_hand(model, SEQUENCES)
    del expected["lm_head.weight"]
    block = "transformer.h.0."
    names = [f"{block}{name}.weight" for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")]
    assert sorted(found) == sorted(expected) == sorted(names)
    assert furthest(found, expected) < 1e-5
    assert done[-1] == len(SEQUENCES)


def test_of_llama_with_a_head_of_its_own() -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"num_key_value_heads": 2, "vocab_size": 20, "tie_word_embeddings": False}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **sizes)).eval()
    found, expected = input_grams(model, SEQUENCES, 4), by_hand(model, SEQUENCES)
    assert found.keys() == expected.keys() and "lm_head.weight" in found and len(found) == 15
    assert furthest(found, expected) < 1e-5


def test_more_texts_weigh_no_more(tiny_gpt2: Path) -> None:
    model, _ = load_model(AutoModelForCausalLM, tiny_gpt2, "cpu")
    once, twice = (input_grams(model, SEQUENCES * times, 4) for times in (1, 2))
    for name, packed in once.items():
        torch.testing.assert_close(packed, twice[name], rtol=1e-5, atol=1e-7)


def test_a_layer_that_reads_something_else_is_refused(tiny_gpt2: Path) -> None:
    """A pooled text is no vector for each token, and a layer that is not used has no inputs."""
    model, _ = load_model(AutoModelForCausalLM, tiny_gpt2, "cpu")
    idle = torch.nn.Linear(16, 2)
    model.transformer.add_module("idle", idle)
    assert "transformer.idle.weight" in linear_layers(model)
    with pytest.raises(UserError, match=r"transformer.idle.weight: this layer reads no text"):
        input_grams(model, SEQUENCES, 4)
    body = model.transformer.forward

    def pooled(**inputs: Any) -> Any:
        output = body(**inputs)
        idle(output.last_hidden_state.mean(dim=1))
        return output

    model.transformer.forward = pooled
    with pytest.raises(UserError, match=r"transformer.idle.weight: this layer does not read one vector for each token"):
        input_grams(model, SEQUENCES, 4)
