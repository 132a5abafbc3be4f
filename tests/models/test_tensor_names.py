"""Kinds and blocks of tensors, for every architecture that is named there."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from lm_interpolation.models.tensor_names import block_number, tensor_kind

SMALL = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 11}
ARCHITECTURES = {
    "gpt2": {"n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 11},
    "llama": SMALL | {"intermediate_size": 8},
    "opt": SMALL | {"ffn_dim": 8, "word_embed_proj_dim": 8},
    "gpt_neox": SMALL | {"intermediate_size": 8},
}


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_every_tensor_of_an_architecture_has_its_place(model_type: str) -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **ARCHITECTURES[model_type]))
    kinds: dict[str, list[str]] = {}
    for name in model.state_dict():
        kinds.setdefault(tensor_kind(name), []).append(name)
    assert set(kinds) == {"embedding", "attention", "mlp", "norm", "head"}
    for kind in ("attention", "mlp"):
        assert {block_number(name) for name in kinds[kind]} == {0, 1}
        assert all(parameter.dim() <= 2 for parameter in map(model.get_parameter, kinds[kind]))
    for kind in ("embedding", "head"):
        assert {block_number(name) for name in kinds[kind]} == {None}
    # By the modules themselves: what normalises is a norm, and nothing else is.
    norms = {name for name, module in model.named_modules() if "Norm" in type(module).__name__}
    assert {name.rpartition(".")[0] for name in kinds["norm"]} == norms
    assert len(kinds["head"]) == 1


def test_whole_name_parts() -> None:
    assert block_number("transformer.h.10.attn.c_attn.weight") == 10
    assert block_number("model.layers.3.mlp.up_proj.weight") == 3
    assert block_number("roberta.encoder.layer.7.output.dense.weight") == 7
    assert block_number("branch.1.weight") is None
    assert tensor_kind("transformer.word_embeddings_layernorm.weight") == "norm"
    assert tensor_kind("model.layers.0.self_attn.q_norm.weight") == "norm"
    assert tensor_kind("model.decoder.project_in.weight") == "other"
