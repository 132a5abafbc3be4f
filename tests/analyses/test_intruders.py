"""Intruder dimensions against the definition, computed with torch on loaded models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from lm_interpolation.analyses.intruder_tables import (
    MATRIX_COLUMNS,
    MATRIX_VALUES,
    RANK_COLUMNS,
    THRESHOLD_COLUMNS,
    THRESHOLD_VALUES,
    read_matrices,
    read_thresholds,
)
from lm_interpolation.analyses.intruders import IntruderTables, intruder_tables
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.adapters import merge_adapter
from lm_interpolation.tables.tables import write_table
from tests.adapters import save_adapter, save_llama
from tests.analyses.test_geometry import make_model, weights
from tests.edited_models import variants

BOOTSTRAP = {"resamples": 200, "seed": 0}


def weight_of(layer: torch.nn.Module) -> torch.Tensor:
    """The weight of a linear layer, (outputs, inputs)."""
    return layer.weight.T if isinstance(layer, Conv1D) else layer.weight


def by_definition(base: Path, model: Path, k: int, epsilon: float) -> dict[str, tuple[int, list[float]]]:
    """Name of a tensor -> number of intruders and the largest cosines, of all linear layers but the head."""
    ours, theirs = (
        {
            f"{name}.weight": weight_of(layer).detach().double()
            for name, layer in AutoModelForCausalLM.from_pretrained(folder).named_modules()
            if isinstance(layer, torch.nn.Linear | Conv1D) and name != "lm_head"
        }
        for folder in (model, base)
    )
    found = {}
    for name, weight in ours.items():
        known = torch.linalg.svd(theirs[name], full_matrices=False)[0]
        u = torch.linalg.svd(weight, full_matrices=False)[0][:, :k]
        cosines = (known.T @ u).abs().amax(0)
        found[name] = int((cosines < epsilon).sum()), cosines.tolist()
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path, tiny_gpt2: Path) -> dict[str, Path]:
    """Of each architecture a base, a model with a random adapter, and one with noise in all weights."""
    folder = tmp_path_factory.mktemp("models")
    found = {"llama": save_llama(folder / "llama", tiny_tokenizer), "gpt2": tiny_gpt2}
    targets = {"llama": ["q_proj", "down_proj", "gate_proj"], "gpt2": ["c_attn", "mlp.c_proj"]}
    for base in list(found):
        adapter = save_adapter(
            found[base], folder / f"{base}-adapter", target_modules=targets[base], fan_in_fan_out=base == "gpt2"
        )
        merge_adapter(base, found[base], adapter, folder / f"{base}-lora")
        found[f"{base}-lora"] = folder / f"{base}-lora"
        found[f"{base}-full"] = variants(found[base], "n", 1e-4, folder / f"{base}-noise")["n"]
    return found


def tables(models: dict[str, Path], base: str, k: int = 10, epsilon: float = 0.5) -> IntruderTables:
    own = {"full": models[f"{base}-full"], "lora": models[f"{base}-lora"], "base": models[base]}
    return intruder_tables(own, "base", k, epsilon, **BOOTSTRAP)


@pytest.mark.parametrize("base", ["llama", "gpt2"])
@pytest.mark.parametrize(("k", "epsilon"), [(10, 0.5), (2, 0.9), (100, 0.6)])
def test_intruders_are_those_of_the_definition(models: dict[str, Path], base: str, k: int, epsilon: float) -> None:
    found = tables(models, base, k, epsilon)
    assert list(found.matrices) == MATRIX_COLUMNS and list(found.ranks) == RANK_COLUMNS
    for model in ("full", "lora"):
        expected = by_definition(models[base], models[f"{base}-{model}"], k, epsilon)
        rows = found.matrices[found.matrices["model"] == model].set_index("tensor")
        assert set(rows.index) == set(expected)
        ranks = found.ranks[found.ranks["model"] == model]
        for tensor, (count, cosines) in expected.items():
            own = ranks[ranks["tensor"] == tensor]
            assert own["rank"].tolist() == list(range(1, len(cosines) + 1))
            assert own["value"].is_monotonic_decreasing
            np.testing.assert_allclose(own["cosine"], cosines, rtol=1e-6)
            assert rows.loc[tensor, "intruders"] == count and rows.loc[tensor, "vectors"] == len(cosines)
    total = found.matrices.groupby("model")["intruders"].sum()
    assert total["lora"] > 3 and (epsilon > 0.6 or total["full"] == 0)


def test_matrices_that_an_adapter_leaves_alone_have_none(models: dict[str, Path]) -> None:
    rows = tables(models, "gpt2").matrices.query("model == 'lora'").set_index("tensor")
    same = rows.loc["transformer.h.0.mlp.c_fc.weight"]
    assert same[["kind", "layer", "outputs", "inputs", "moved", "intruders"]].tolist() == ["mlp", 0, 64, 16, 0.0, 0]
    changed = rows.loc["transformer.h.0.attn.c_attn.weight"]
    assert (changed["outputs"], changed["inputs"]) == (48, 16)
    assert changed["intruders"] > 0 and changed["moved"] > 1


def test_thresholds_are_means_over_matrices(models: dict[str, Path]) -> None:
    found = tables(models, "llama", epsilon=0.42)
    table = found.thresholds
    assert list(table) == THRESHOLD_COLUMNS
    for model, rows in table.groupby("model"):
        cosines = found.ranks[found.ranks["model"] == model]
        matrices = cosines["tensor"].nunique()
        assert rows["epsilon"].is_monotonic_increasing and 0.42 in rows["epsilon"].tolist() and len(rows) == 20
        assert rows["intruders"].is_monotonic_increasing and set(rows["matrices"]) == {matrices}
        for _, row in rows.iterrows():
            below = cosines["cosine"] < row["epsilon"]
            assert row["intruders"] == pytest.approx(below.sum() / matrices, rel=1e-12)
            assert row["share"] == cosines.loc[below, "tensor"].nunique() / matrices
            assert 0 <= row["low"] <= row["intruders"] <= row["high"] <= 10
    own = table[(table["model"] == "lora") & (table["epsilon"] == 0.42)].iloc[0]
    counted = found.matrices.query("model == 'lora'")["intruders"]
    assert own["intruders"] == counted.mean() and own["low"] < own["intruders"] < own["high"]


def test_models_without_matrices_of_blocks_are_refused(tmp_path: Path) -> None:
    one = {name: tensor for name, tensor in weights().items() if "mlp" not in name}
    models = {"m": make_model(tmp_path / "m", one), "base": make_model(tmp_path / "base", one)}
    with pytest.raises(UserError, match="models m: no tensor is a matrix of attention or MLP in a numbered block"):
        intruder_tables(models, "base", 10, 0.5, **BOOTSTRAP)


def test_a_base_of_zeros_has_no_vectors(tmp_path: Path) -> None:
    moved = weights() | {"transformer.h.9.mlp.c_fc.weight": torch.tensor([[1.0, 0, 0], [0, 2.0, 0]])}
    models = {"m": make_model(tmp_path / "m", moved), "base": make_model(tmp_path / "base", weights())}
    found = intruder_tables(models, "base", 10, 0.5, **BOOTSTRAP)
    assert found.ranks["cosine"].tolist() == [0, 0] and found.ranks["value"].tolist() == [2, 1]
    assert found.matrices["moved"].tolist() == [np.inf]
    # Of one matrix there is no interval.
    assert found.thresholds["low"].isna().all()


def test_tables_are_read_as_they_were_written(models: dict[str, Path], tmp_path: Path) -> None:
    found = tables(models, "gpt2")
    for name, table, values, read in (
        ("matrices", found.matrices, MATRIX_VALUES, read_matrices),
        ("thresholds", found.thresholds, THRESHOLD_VALUES, read_thresholds),
    ):
        written = table.replace("full", "null")
        write_table(written, tmp_path / name, values)
        pd.testing.assert_frame_equal(read(tmp_path / name), written, rtol=1e-5)
