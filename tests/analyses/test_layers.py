"""Layers: each group grafted or reset, against models that are put together by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.analyses.layers import groups_of, layer_effects
from lm_interpolation.models.tensor_names import block_number, tensor_kind
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.study.kinds.analyses.layers import Layers

TEXTS = {
    "positive": ["the film was good", "fine", "the end of the film was good, as expected"],
    "negative": ["the plot was bad", "not fine"],
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory, tiny_gpt2) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pair")
    models = {"base": tiny_gpt2, "tuned": folder / "tuned"}
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(models["tuned"])
    AutoTokenizer.from_pretrained(tiny_gpt2).save_pretrained(models["tuned"])
    return models


def test_groups_of_gpt2():
    names = ["transformer.wte.weight", "transformer.wpe.weight"]
    names += [
        f"transformer.h.{n}.{part}" for n in (0, 1) for part in ("ln_1.weight", "attn.c_attn.weight", "mlp.c_fc.bias")
    ]
    names.append("transformer.ln_f.weight")
    found = {(one.group, one.layer, one.kind): one.tensors for one in groups_of(names)}
    assert found["whole", None, "all"] == tuple(names)
    assert found["block", 1, "all"] == tuple(names[5:8])
    assert found["kind", None, "norm"] == (names[2], names[5], names[8])
    assert found["cell", 0, "mlp"] == (names[4],)
    assert found["cell", None, "norm"] == (names[8],)
    assert len(found) == 1 + 2 + 4 + (2 * 3 + 2)


def test_equals_models_put_together_by_hand(tmp_path, pair):
    space = WeightSpace(pair)
    table = layer_effects(space, "tuned", "base", TEXTS, batch_size=2, resamples=50, seed=0)
    assert list(table.columns) == list(Layers.TABLES[""].columns)
    flat = [text for members in TEXTS.values() for text in members]
    tokenizer = AutoTokenizer.from_pretrained(pair["base"])
    losses = {}
    for mode, into, source in (("graft", "base", "tuned"), ("reset", "tuned", "base")):
        model = AutoModelForCausalLM.from_pretrained(pair[into])
        other = dict(AutoModelForCausalLM.from_pretrained(pair[source]).named_parameters())
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if block_number(name) == 0 and tensor_kind(name) == "mlp":
                    parameter.copy_(other[name])
        model.save_pretrained(tmp_path / mode)
        tokenizer.save_pretrained(tmp_path / mode)
        losses[mode] = score_perplexity(tmp_path / mode, [""] * len(flat), flat, batch_size=3)["nll_text"].to_numpy()
    for name in ("base", "tuned"):
        losses[name] = score_perplexity(pair[name], [""] * len(flat), flat, batch_size=3)["nll_text"].to_numpy()
    mean = {key: values[:3].mean() for key, values in losses.items()}
    rows = table[(table["class"] == "positive") & (table["statistic"] == "nll_text")].set_index(
        ["group", "kind", "layer", "mode"]
    )
    for mode, start, end in (("graft", "base", "tuned"), ("reset", "tuned", "base")):
        row = rows.loc[("cell", "mlp", 0, mode)]
        assert row["estimate"] == pytest.approx(mean[mode], rel=1e-5)
        assert row["share"] == pytest.approx((mean[mode] - mean[start]) / (mean[end] - mean[start]), rel=1e-3)
    whole = table[(table["group"] == "whole") & (table["statistic"] == "nll_text") & (table["class"] == "positive")]
    np.testing.assert_allclose(whole["estimate"], [mean["tuned"], mean["base"]], rtol=1e-5)
    assert whole["share"].tolist() == [1, 1]
    assert (whole["n_texts"] == 3).all()


def test_equal_models_have_no_gain(pair):
    table = layer_effects(
        WeightSpace({"base": pair["base"], "same": pair["base"]}), "same", "base", TEXTS, 2, resamples=20, seed=0
    )
    assert table["share"].isna().all() and table["share_low"].isna().all()
    assert table.groupby(["class", "statistic"])["estimate"].nunique().eq(1).all()
