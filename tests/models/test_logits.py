"""Losses in parts equal those of whole logits, on models whose heads do more than multiply."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from lm_interpolation.models import logits
from lm_interpolation.models.logits import token_nll, training_loss
from lm_interpolation.texts.sampler import top_p_sample

COMMON = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "vocab_size": 300}
SIZES = COMMON | {"intermediate_size": 64}
KINDS = {
    "gpt2": COMMON | {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "llama": SIZES,
    # Caps its logits.
    "gemma2": SIZES | {"num_key_value_heads": 1, "head_dim": 16, "query_pre_attn_scalar": 16},
    # Scales them.
    "granite": SIZES | {"logits_scaling": 8.0},
    # Projects hidden states back, and goes past its base model.
    "opt": COMMON | {"ffn_dim": 64, "word_embed_proj_dim": 16, "dropout": 0.0},
}
COUNT = (3, 12)


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(request.param, **KINDS[request.param], **ids)).eval()


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 300, COUNT, generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}


def heads(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the logits that the model makes."""
    made = []
    head = model.get_output_embeddings()
    forward = head.forward

    def counted(hidden: torch.Tensor) -> torch.Tensor:
        made.append(hidden.shape[0] * hidden.shape[1] * 300)
        return forward(hidden)

    monkeypatch.setattr(head, "forward", counted)
    return made


def test_losses_in_parts_equal_whole_ones(model: Any, batch: dict[str, torch.Tensor], monkeypatch: Any) -> None:
    targets = batch["labels"]
    made = heads(model, monkeypatch)
    expected, _ = token_nll(model, batch["input_ids"], batch["attention_mask"], targets)
    assert made == [3 * 12 * 300] and (expected[1, 9:] == 0).all()
    monkeypatch.setattr(logits, "LIMIT", 2000)
    made.clear()
    losses, cache = token_nll(model, batch["input_ids"], batch["attention_mask"], targets)
    torch.testing.assert_close(losses, expected)
    assert cache is None
    # Two positions of three texts at a time, after the trial that shows how.
    assert made[-6:] == [2 * 3 * 300] * 6
    # Reading on from a cache.
    first, cache = token_nll(
        model, batch["input_ids"][:, :5], batch["attention_mask"][:, :5], targets[:, :5], keep=True
    )
    rest, _ = token_nll(model, batch["input_ids"][:, 5:], batch["attention_mask"], targets[:, 5:], cache)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), expected, atol=1e-5, rtol=1e-5)


def test_gradients_in_parts_equal_whole_ones(model: Any, batch: dict[str, torch.Tensor], monkeypatch: Any) -> None:
    model.train()
    items = (batch["labels"][:, 1:] != -100).sum()
    assert training_loss(model, batch, items) is None  # few enough to be held
    expected = model(**batch).loss
    expected.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    monkeypatch.setattr(logits, "LIMIT", 4000)
    loss = training_loss(model, batch, items)
    loss.backward()
    torch.testing.assert_close(loss, expected)
    assert model.training
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-6, rtol=1e-4)


def test_a_model_without_such_a_body_is_read_whole(batch: dict[str, torch.Tensor], monkeypatch: Any) -> None:
    class Odd(torch.nn.Module):
        """Its logits depend on where a text begins, not only on hidden states position by position."""

        device = torch.device("cpu")

        def __init__(self) -> None:
            super().__init__()
            self.inner = inner
            self.base_model, self.config = inner.model, inner.config

        def forward(self, input_ids: torch.Tensor, **options: Any) -> Any:
            output = self.inner(input_ids=input_ids, **options)
            output.logits = output.logits * torch.arange(1, input_ids.shape[1] + 1)[:, None]
            return output

    inner = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **SIZES)).eval()
    model = Odd()
    expected, _ = token_nll(model, batch["input_ids"], batch["attention_mask"], batch["labels"])
    monkeypatch.setattr(logits, "LIMIT", 2000)
    losses, _ = token_nll(model, batch["input_ids"], batch["attention_mask"], batch["labels"])
    assert torch.equal(losses, expected)
    assert training_loss(model, batch, 30) is None


def test_sampling_in_parts_chooses_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    values, u = torch.randn(40, 300, generator=generator), torch.rand(40, dtype=torch.float64, generator=generator)
    expected = top_p_sample(values, u, 0.9)
    assert len(expected.unique()) > 10
    monkeypatch.setattr(logits, "LIMIT", 300 * 7)
    assert torch.equal(top_p_sample(values, u, 0.9), expected)
    assert torch.equal(
        top_p_sample(values, u, 0.9, nucleus_logits=values * 2), top_p_sample(values, u, 0.9, values * 2)
    )
