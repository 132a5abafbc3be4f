"""Norms of weight differences against values computed by hand, and the places of tensors in real architectures."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from lm_interpolation.analyses.geometry import NORM_COLUMNS, NORM_VALUES, weight_norms
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points import merging
from lm_interpolation.tables.tables import read_table, write_table

VOCABULARY = {"a": 0, "b": 1}


def make_model(directory: Path, tensors: dict[str, torch.Tensor], vocabulary: dict[str, int] = VOCABULARY) -> Path:
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_embd": 2}))
    (directory / "vocab.json").write_text(json.dumps(vocabulary))
    (directory / "merges.txt").write_text("")
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def weights() -> dict[str, torch.Tensor]:
    return {
        "transformer.wte.weight": torch.zeros(2, 2),
        "transformer.h.10.ln_1.bias": torch.ones(2),
        "transformer.h.9.mlp.c_fc.weight": torch.zeros(2, 3),
        "transformer.ln_f.weight": torch.ones(4),
    }


def changed() -> dict[str, torch.Tensor]:
    return {
        "transformer.wte.weight": torch.tensor([[1.0, -2.0], [2.0, 4.0]]),
        "transformer.h.10.ln_1.bias": torch.tensor([4.0, -3.0]),
        "transformer.h.9.mlp.c_fc.weight": torch.full((2, 3), -0.5),
        "transformer.ln_f.weight": torch.ones(4),
    }


def test_norms_by_hand(tmp_path):
    model, reference = make_model(tmp_path / "m", changed()), make_model(tmp_path / "r", weights())
    table = weight_norms([("one", "m", model, "r", reference), ("two", "r", reference, "m", model)])
    assert list(table) == NORM_COLUMNS
    assert table["pair"].tolist() == ["one"] * 4 + ["two"] * 4
    one = table[:4]
    # Block 9 before block 10, ln_f at the end.
    assert one["tensor"].tolist() == [
        "transformer.wte.weight",
        "transformer.h.9.mlp.c_fc.weight",
        "transformer.h.10.ln_1.bias",
        "transformer.ln_f.weight",
    ]
    assert one["kind"].tolist() == ["embedding", "mlp", "norm", "norm"]
    assert one["layer"].tolist() == [pd.NA, 9, 10, pd.NA]
    assert one["elements"].tolist() == [4, 6, 2, 4]
    # sqrt(1 + 4 + 4 + 16), sqrt(6 / 4), |(3, -4)|; divided by sqrt(elements).
    assert one["norm"].tolist() == pytest.approx([5, math.sqrt(1.5), 5, 0])
    assert one["scaled_norm"].tolist() == pytest.approx([2.5, 0.5, 5 / math.sqrt(2), 0])
    # A difference has the same norm the other way round.
    np.testing.assert_array_equal(table[4:][["norm", "scaled_norm"]], one[["norm", "scaled_norm"]])
    assert table.loc[4, ["model", "reference"]].tolist() == ["r", "m"]

    write_table(table, tmp_path / "n.csv", NORM_VALUES)
    lines = (tmp_path / "n.csv").read_text().splitlines()
    assert lines[1] == "one,m,r,transformer.wte.weight,embedding,,4,5,2.5"
    assert lines[2] == "one,m,r,transformer.h.9.mlp.c_fc.weight,mlp,9,6,1.22474,0.5"
    back = read_table(tmp_path / "n.csv", [*NORM_VALUES, "layer"])
    assert back["layer"].tolist()[1:3] == [9, 10] and back["layer"].isna().sum() == 4


@pytest.mark.parametrize("chunk", [3, 1 << 18])
def test_streams_any_precision(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(merging, "CHUNK", chunk)
    generator = torch.Generator().manual_seed(1)
    one = {"w.weight": torch.randn(7, 5, generator=generator)}
    two = {"w.weight": torch.randn(7, 5, generator=generator).bfloat16()}
    table = weight_norms([("p", "a", make_model(tmp_path / "a", one), "b", make_model(tmp_path / "b", two))])
    expected = torch.linalg.norm(one["w.weight"].double() - two["w.weight"].double()).item()
    assert table["norm"].tolist() == pytest.approx([expected], rel=1e-12)
    assert table["kind"].tolist() == ["other"]


def test_tiny_differences_are_not_lost(tmp_path):
    # 1e-4 in each of a million entries, on top of ones: float32 sums of squares would be off by far more.
    one = {"w.weight": torch.ones(1000, 1000)}
    two = {"w.weight": one["w.weight"] + 1e-4}
    table = weight_norms([("p", "a", make_model(tmp_path / "a", one), "b", make_model(tmp_path / "b", two))])
    step = float(np.float32(1) + np.float32(1e-4)) - 1
    assert table["scaled_norm"][0] == pytest.approx(step, rel=1e-9)


def test_tied_tensors_once_and_no_integers(tmp_path):
    def tied(value: float) -> dict[str, torch.Tensor]:
        embedding = torch.full((2, 2), value)
        extra = {"lm_head.weight": embedding.clone(), "transformer.steps": torch.tensor([3])}
        return {"transformer.wte.weight": embedding, **extra}

    model, reference = make_model(tmp_path / "m", tied(1.0)), make_model(tmp_path / "r", tied(0.0))
    table = weight_norms([("p", "m", model, "r", reference)])
    assert table[["tensor", "norm"]].to_numpy().tolist() == [["transformer.wte.weight", 2.0]]
    untied = tied(1.0) | {"lm_head.weight": torch.zeros(2, 2)}
    with pytest.raises(UserError, match=r"tied in config.json but differ"):
        weight_norms([("p", "u", make_model(tmp_path / "u", untied), "r", reference)])


def test_errors(tmp_path):
    reference = make_model(tmp_path / "r", weights())
    broken = changed()
    broken["transformer.h.10.ln_1.bias"][1] = float("nan")
    model = make_model(tmp_path / "m", broken)
    with pytest.raises(UserError, match=r"model m \(.*m/model.safetensors\): tensor transformer.h.10.ln_1.bias holds"):
        weight_norms([("p", "m", model, "r", reference)])
    with pytest.raises(UserError, match="pair p: compares r with itself"):
        weight_norms([("p", "r", reference, "r", reference)])
    other = make_model(tmp_path / "o", weights(), {"b": 0, "a": 1})
    with pytest.raises(UserError, match=r"models o .* and r .* cannot be combined: tokenizers differ"):
        weight_norms([("p", "o", other, "r", reference)])


def test_needs_no_torch():
    program = (
        "import sys, lm_interpolation.analyses.geometry, lm_interpolation.analyses.barriers;"
        "import lm_interpolation.models.searches;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers')))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=True)
