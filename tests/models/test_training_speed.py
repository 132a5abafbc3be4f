"""What makes trainings faster on a CPU changes their steps by rounding only."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from lm_interpolation.models import trainer
from lm_interpolation.models.text_parts import PART_COST, parts_of
from lm_interpolation.models.trainer import _Trainer
from lm_interpolation.models.training_attention import NAME, AttentionInFloat32

SIZES = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "vocab_size": 60, "pad_token_id": 0}


def cost(parts: list[list[int]], lengths: list[int]) -> int:
    return sum(len(part) * max(lengths[index] for index in part) + PART_COST for part in parts)


def test_parts_are_the_cheapest_spans() -> None:
    generator = torch.Generator().manual_seed(0)
    for count in range(1, 9):
        lengths = torch.randint(1, 100, (count,), generator=generator).tolist()
        parts = parts_of(lengths)
        order = [index for part in parts for index in part]
        assert sorted(order) == list(range(count))
        assert [lengths[index] for index in order] == sorted(lengths, reverse=True)
        cuts = itertools.chain.from_iterable(itertools.combinations(range(1, count), number) for number in range(count))
        spans = ([order[a:b] for a, b in itertools.pairwise((0, *cut, count))] for cut in cuts)
        assert cost(parts, lengths) == min(cost(some, lengths) for some in spans)
    # Ten texts of 60 tokens beside ten of 6: padding would cost 540 tokens.
    assert [len(part) for part in parts_of([60, 6] * 10)] == [10, 10]
    assert parts_of([8, 9]) == [[1, 0]]
    assert parts_of([]) == []


@pytest.mark.parametrize("kind", ["gpt2", "llama", "roberta"])
@pytest.mark.parametrize("own", [True, False])
def test_a_batch_in_parts_has_the_gradients_of_the_padded_batch(kind: str, own: bool, tmp_path: Path) -> None:
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    options = SIZES | (dropout if kind == "gpt2" else {"intermediate_size": 64})
    if kind == "roberta":
        options |= {"pad_token_id": 1, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, **options, num_labels=3))
    # An empty text is padding only. (An encoder reads what it is padded with, however much that is.)
    lengths = [3, 40, 5, 38, 4] + [0] * (kind != "roberta")
    ids = torch.full((len(lengths), 40), options["pad_token_id"])
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(2, 60, (length,))
    mask = (torch.arange(40) < torch.tensor(lengths)[:, None]).long()
    labels = torch.tensor([0, 1, 2, 0, 1, 2][: len(lengths)])
    expected = torch.nn.functional.cross_entropy(model(ids, attention_mask=mask).logits, labels)
    expected.backward()
    gradients = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    arguments = trainer.TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none")
    loss_function = trainer._classifier_loss if own else None
    made = _Trainer(loader=None, model=model, args=arguments, compute_loss_func=loss_function)
    shapes = []
    model.register_forward_pre_hook(
        lambda _, args, kwargs: shapes.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    loss = made.compute_loss(model, batch, num_items_in_batch=torch.tensor(len(labels)))
    loss.backward()
    assert shapes == [40, 5]
    torch.testing.assert_close(loss, expected)
    for name, gradient in gradients.items():
        torch.testing.assert_close(model.get_parameter(name).grad, gradient, atol=1e-6, rtol=1e-4)


def test_attention_in_float32_is_nearer_to_float32(tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = SIZES | {"intermediate_size": 64, "num_key_value_heads": 1, "initializer_range": 0.3}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **options), dtype=torch.float32)
    ids = torch.randint(1, 60, (4, 24))
    mask = torch.ones_like(ids)
    mask[1, 15:] = 0

    def gradient(autocast: bool) -> tuple[torch.Tensor, set[tuple[torch.dtype, bool]]]:
        model.zero_grad()
        seen = set()
        real = torch.nn.functional.scaled_dot_product_attention

        def watched(query: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
            seen.add((query.dtype, torch.is_autocast_enabled("cpu")))
            return real(query, *args, **kwargs)  # type: ignore[arg-type]

        torch.nn.functional.scaled_dot_product_attention = watched  # type: ignore[assignment]
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                model(ids, attention_mask=mask, labels=ids).loss.backward()
        finally:
            torch.nn.functional.scaled_dot_product_attention = real
        return model.model.layers[0].self_attn.q_proj.weight.grad.clone(), seen

    exact, _ = gradient(False)
    low, _ = gradient(True)
    with AttentionInFloat32(model):
        assert model.config._attn_implementation == NAME
        high, seen = gradient(True)
        model.save_pretrained(tmp_path)
    assert seen == {(torch.float32, False)}
    assert model.config._attn_implementation == "sdpa"
    # A checkpoint of the training does not know of it.
    assert NAME not in json.dumps(json.loads((tmp_path / "config.json").read_text()))
    error = {name: ((some - exact).norm() / exact.norm()).item() for name, some in (("low", low), ("high", high))}
    assert error["high"] < 0.05 and error["high"] <= error["low"] * 1.1
    # Models that do not use sdpa stay as they are.
    model.set_attn_implementation("eager")
    with AttentionInFloat32(model):
        assert model.config._attn_implementation == "eager"
