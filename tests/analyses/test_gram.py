"""Inner products of displacements against values computed by hand and directly."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lm_interpolation.analyses.gram import GRAM_COLUMNS, gram_table
from lm_interpolation.jobs.runtime import UserError
from tests.analyses.test_geometry import changed, make_model, weights


def moved(by: float) -> dict[str, torch.Tensor]:
    return {name: tensor + by for name, tensor in weights().items()}


def test_products_and_cosines_by_hand(tmp_path: Path) -> None:
    models = {
        "b": make_model(tmp_path / "b", moved(-2.0)),
        "a": make_model(tmp_path / "a", changed()),
        "base": make_model(tmp_path / "base", weights()),
    }
    table = gram_table(models, "base")
    assert list(table) == GRAM_COLUMNS
    rows = table.set_index(["tensor", "model", "other"])
    # wte moves by (1, -2, 2, 4) and by -2 everywhere: -10, over 5 and 4.
    assert rows.loc[("transformer.wte.weight", "a", "b"), "product"] == -10.0
    assert rows.loc[("transformer.wte.weight", "a", "b"), "cosine"] == -0.5
    # ln_f of the first does not move.
    assert rows.loc[("transformer.ln_f.weight", "a", "a"), "product"] == 0
    assert math.isnan(rows.loc[("transformer.ln_f.weight", "a", "b"), "cosine"])
    whole = table[table["tensor"] == ""]
    assert whole[["model", "other"]].to_numpy().tolist() == [["a", "a"], ["a", "b"], ["b", "b"]]
    assert whole["kind"].unique().tolist() == ["all"] and whole["layer"].isna().all()
    assert whole["elements"].unique().tolist() == [4 + 2 + 6 + 4]
    parts = table[table["tensor"] != ""].groupby(["model", "other"])["product"].sum()
    assert parts.tolist() == whole["product"].tolist()
    layers = table.drop_duplicates("tensor").set_index("tensor")["layer"]
    assert layers["transformer.h.10.ln_1.bias"] == 10


def test_without_a_base_products_are_those_of_weights(tmp_path: Path, tiny_gpt2: Path) -> None:
    tensors = load_file(tiny_gpt2 / "model.safetensors")
    table = gram_table({"m": tiny_gpt2}, None).set_index("tensor")
    for name, tensor in tensors.items():
        direct = float((tensor.double() ** 2).sum())
        assert table.loc[name, "product"] == pytest.approx(direct, rel=1e-12)
        assert np.isnan(table.loc[name, "cosine"]) if direct == 0 else table.loc[name, "cosine"] == 1


def test_a_weight_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    broken = weights()
    broken["transformer.wte.weight"][0, 0] = math.nan
    models = {"m": make_model(tmp_path / "m", broken), "base": make_model(tmp_path / "base", weights())}
    with pytest.raises(UserError, match=r"model m .*tensor transformer\.wte\.weight holds NaN or inf"):
        gram_table(models, "base")
