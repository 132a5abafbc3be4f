"""The empirical Fisher information: by hand for a model of bigrams, and against gradients of one text at a time."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models import logits
from lm_interpolation.models.fisher import fisher_information
from lm_interpolation.models.loading import load_model
from lm_interpolation.models.model_statistics import training_sequences, write_statistic

SEQUENCES = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8, 9, 7, 9], [3, 2]]


class Bigrams(torch.nn.Module):
    """Logits of the next token are the row of a table."""

    def __init__(self, table: np.ndarray) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.from_numpy(table))
        self.unused = torch.nn.Parameter(torch.ones(2))
        self.config = SimpleNamespace(vocab_size=len(table))
        self.device = torch.device("cpu")

    def forward(self, input_ids: torch.Tensor, **_: object) -> SimpleNamespace:
        return SimpleNamespace(logits=self.table[input_ids])


@pytest.mark.parametrize("context", [1, 2])
def test_of_bigrams_by_hand(context: int) -> None:
    """The gradient of a token's NLL is softmax - one-hot in the row of the token before it."""
    table = np.random.default_rng(0).normal(size=(10, 10)).astype(np.float32)
    share = np.exp(table.astype(np.float64)) / np.exp(table.astype(np.float64)).sum(axis=1, keepdims=True)
    sequences = [sequence for sequence in SEQUENCES if len(sequence) > context]
    expected = np.zeros((10, 10))
    for sequence in sequences:
        gradient = np.zeros((10, 10))
        for before, token in list(itertools.pairwise(sequence))[context - 1 :]:
            gradient[before] += share[before]
            gradient[before, token] -= 1
        expected += gradient**2 / len(sequences)
    done: list[int] = []
    found = fisher_information(Bigrams(table), sequences, context, done.append)
    assert found["table"].dtype == torch.float32 and done == list(range(1, len(sequences) + 1))
    np.testing.assert_allclose(found["table"], expected, rtol=1e-5, atol=1e-12)
    assert not found["unused"].any()


def by_hand(model: torch.nn.Module, sequences: list[list[int]]) -> dict[str, torch.Tensor]:
    """The mean of squared gradients, in float64, one text after the other."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    total = {name: torch.zeros_like(one, dtype=torch.float64) for name, one in model.named_parameters()}
    for sequence in sequences:
        ids = torch.tensor([sequence])
        # The mean over the tokens that are predicted, times their number.
        loss = model(input_ids=ids, labels=ids).loss * (len(sequence) - 1)
        for name, gradient in zip(names, torch.autograd.grad(loss, parameters), strict=True):
            total[name] += gradient.double() ** 2 / len(sequences)
    return total


def furthest(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """The largest difference, relative to the largest value of the tensor."""
    assert found.keys() == expected.keys()
    return max(float((found[name] - expected[name]).abs().max() / expected[name].max()) for name in found)


def test_of_gpt2_against_gradients_of_one_text_at_a_time(tiny_gpt2: Path) -> None:
    """Tied embeddings occur once, with the gradient of both uses; largest difference 6e-7."""
    model, _ = load_model(AutoModelForCausalLM, tiny_gpt2, "cpu")
    found = fisher_information(model, SEQUENCES, 1)
    assert "lm_head.weight" not in found and "transformer.wte.weight" in found
    assert furthest(found, by_hand(model, SEQUENCES)) < 1e-5
    assert all(parameter.grad is None for parameter in model.parameters())


def test_logits_in_parts_give_the_same(tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the logits of a text do not fit into memory at once."""
    model, _ = load_model(AutoModelForCausalLM, tiny_gpt2, "cpu")
    whole = fisher_information(model, SEQUENCES, 1)
    monkeypatch.setattr(logits, "LIMIT", 900)
    assert furthest(fisher_information(model, SEQUENCES, 1), whole) < 1e-5


def test_of_llama_with_grouped_queries_and_a_head_of_its_own() -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"num_key_value_heads": 2, "vocab_size": 20, "tie_word_embeddings": False}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **sizes)).eval()
    found = fisher_information(model, SEQUENCES, 1)
    assert {"lm_head.weight", "model.embed_tokens.weight"} <= found.keys()
    assert furthest(found, by_hand(model, SEQUENCES)) < 1e-5


def test_gradients_that_cancel_between_texts_count(tiny_gpt2: Path) -> None:
    """The square of the gradient of a batch, which fusion_bench takes, is another number."""
    model, _ = load_model(AutoModelForCausalLM, tiny_gpt2, "cpu")
    sequences = [[1, 2, 3, 4], [1, 2, 4, 3], [5, 6, 7, 8], [5, 6, 8, 7]]
    found = fisher_information(model, sequences, 1)
    ids = torch.tensor(sequences)
    (model(input_ids=ids, labels=ids).loss * ids.numel() * 3 / 4).backward()
    batch = {name: parameter.grad**2 / len(sequences) for name, parameter in model.named_parameters()}
    assert furthest(batch, found) > 0.1
    assert furthest(found, by_hand(model, sequences)) < 1e-5


def test_sequences_are_those_of_a_training(tiny_gpt2: Path) -> None:
    """With the end of text, which training texts have, cut to the context; what cannot be predicted is left out."""
    model, tokenizer = load_model(AutoModelForCausalLM, tiny_gpt2, "cpu")
    sequences, special = training_sequences(model, tokenizer, ["the film", "", "good " * 60])
    assert special.start == () and sequences[0] == [*tokenizer("the film").input_ids, 0]
    assert len(sequences) == 2 and len(sequences[1]) == 32 and sequences[1][-1] != 0
    with pytest.raises(UserError, match="none of 1 texts has a token to predict; name another corpus"):
        training_sequences(model, tokenizer, [""])


def test_a_file_of_a_statistic(tmp_path: Path) -> None:
    write_statistic({"b": torch.ones(2, 3).T, "a": torch.zeros(1)}, tmp_path / "deep" / "x.safetensors")
    found = load_file(tmp_path / "deep" / "x.safetensors")
    assert {name: values.shape for name, values in found.items()} == {"a": (1,), "b": (3, 2)}
    with pytest.raises(UserError, match="the statistic of tensor a is NaN or infinite"):
        write_statistic({"a": torch.tensor([1.0, float("nan")])}, tmp_path / "y.safetensors")
    assert not (tmp_path / "y.safetensors").exists()
