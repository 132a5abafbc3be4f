"""Sums of adapters against PEFT's ``add_weighted_adapter``, and scaled intruders against its mitigation."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from peft.tuners.lora.intruders import reduce_intruder_dimension
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from lm_interpolation.models.adapter_files import Adapter
from lm_interpolation.points.adapters import matrix, merge_adapter
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge
from lm_interpolation.points.method_merging import merge_by_method
from tests.adapters import save_adapter, save_llama
from tests.points.methods.arrays import method

Weights = dict[str, np.ndarray]
TARGETS = {"target_modules": ["q_proj", "v_proj", "gate_proj"]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    return save_llama(tmp_path_factory.mktemp("llama") / "base", tiny_tokenizer)


def two_adapters(base: Path, folder: Path, **options: Any) -> dict[str, Path]:
    return {name: save_adapter(base, folder / f"{name}-adapter", seed, **options) for seed, name in enumerate("ab")}


def doubles(weights: Weights) -> Weights:
    return {name: values.astype(np.float64) for name, values in weights.items()}


def changes(weights: Weights, base: Path) -> Weights:
    """The change of each weight from the base that moved."""
    before = doubles(load_file(base / "model.safetensors"))
    found = {name: values - before[name] for name, values in doubles(weights).items() if name in before}
    return {name: values for name, values in found.items() if values.any()}


def size(parts: Weights) -> float:
    return math.sqrt(sum(float((values**2).sum()) for values in parts.values()))


def apart(one: Weights, two: Weights) -> float:
    """|one - two| / |two| over all tensors."""
    assert one.keys() == two.keys()
    return size({name: one[name] - values for name, values in two.items()}) / size(two)


def by_peft(base: Path, adapters: dict[str, Path], weights: list[float], how: str) -> Weights:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    (first, folder), *others = adapters.items()
    tuned = PeftModel.from_pretrained(model, folder, adapter_name=first)
    for name, other in others:
        tuned.load_adapter(other, adapter_name=name)
    tuned.add_weighted_adapter(list(adapters), weights, "mixed", combination_type=how)
    tuned.set_adapter("mixed")
    merged = tuned.merge_and_unload().state_dict()
    return changes({name: values.numpy() for name, values in merged.items()}, base)


def by_points(base: Path, adapters: dict[str, Path], weights: list[float], folder: Path) -> Weights:
    """The change at base + sum_m c_m (theta_m - base), with each adapter as a model."""
    models = {"base": base}
    for name, adapter in adapters.items():
        merge_adapter("base", base, adapter, folder / name)
        models[name] = folder / name
    coefficients = dict(zip(adapters, map(str, weights), strict=True)) | {"base": str(1 - sum(weights))}
    merge(Point.of(coefficients), models, folder / "point")
    return changes(load_file(folder / "point" / "model.safetensors"), base)


def cross_terms(adapters: dict[str, Path], weights: list[float]) -> Weights:
    """sum over i != j of sqrt(|c_i s_i c_j s_j|) sign(c_j) B_i A_j: what mixing A and B apart adds."""
    opened = [Adapter.open(folder) for folder in adapters.values()]
    found: Weights = {}
    for i, one in enumerate(opened):
        for j, two in enumerate(opened):
            for name, product in one.products.items():
                if i == j:
                    continue
                other = two.products[name]
                scale = math.sqrt(abs(weights[i] * product.scale * weights[j] * other.scale))
                term = math.copysign(scale, weights[j]) * (matrix(product.b) @ matrix(other.a))
                found[name] = found.get(name, 0) + term
    return found


@pytest.mark.parametrize("weights", [[0.5, 0.5], [1, -1], [1, 0.25]])
def test_peft_adds_cross_terms_where_it_mixes_a_and_b_apart(weights: list[float], base: Path, tmp_path: Path) -> None:
    adapters = two_adapters(base, tmp_path, **TARGETS)
    ours = by_points(base, adapters, weights, tmp_path)
    # Side by side PEFT has the same sum.
    assert apart(by_peft(base, adapters, weights, "cat"), ours) < 1e-5
    linear = by_peft(base, adapters, weights, "linear")
    cross = cross_terms(adapters, weights)
    assert apart(linear, {name: values + cross[name] for name, values in ours.items()}) < 1e-5
    assert apart(linear, ours) > 0.3


def test_peft_scales_sums_of_rank_stabilised_adapters_once_more(base: Path, tmp_path: Path) -> None:
    adapters = two_adapters(base, tmp_path, **TARGETS, r=4, use_rslora=True)
    ours = by_points(base, adapters, [1, 0.5], tmp_path)
    cross = cross_terms(adapters, [1, 0.5])
    mixed = {name: values + cross[name] for name, values in ours.items()}
    # Of rank 8, whose alpha is 8, the scale is 8 / sqrt(8) in place of 1; of rank 4, where nothing is side by side, 2.
    for how, rank, found in (("cat", 8, ours), ("linear", 4, mixed)):
        larger = {name: math.sqrt(rank) * values for name, values in found.items()}
        assert apart(by_peft(base, adapters, [1, 0.5], how), larger) < 1e-5


@pytest.mark.parametrize("factor", [0.0, 0.75])
def test_scaled_intruders_are_those_of_peft_cut_to_the_rank_of_the_adapter(
    factor: float, base: Path, tmp_path: Path
) -> None:
    rank = 3
    adapter = save_adapter(base, tmp_path / "adapter", r=rank, **TARGETS)
    merge_adapter("base", base, adapter, tmp_path / "tuned")
    how = method(("intruders", {"factor": factor, "k": 10, "epsilon": 0.5}))
    merge_by_method(
        how.point({"tuned": "1"}, {}), how, {"base": base, "tuned": tmp_path / "tuned"}, tmp_path / "scaled"
    )
    ours = changes(load_file(tmp_path / "scaled" / "model.safetensors"), base)
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    reduce_intruder_dimension(tuned, mitigation_lambda=factor, logging_sink=None)
    merged = tuned.merge_and_unload().state_dict()
    theirs = changes({name: values.numpy() for name, values in merged.items()}, base)
    cut: Weights = {}
    for name, values in ours.items():
        u, s, vt = np.linalg.svd(values)
        cut[name] = (u[:, :rank] * s[:rank]) @ vt[:rank]
    assert apart(theirs, cut) < 1e-4
    # Something was scaled, and the change is of a higher rank than the adapter's.
    before = changes(load_file(tmp_path / "tuned" / "model.safetensors"), base)
    assert apart(ours, before) > 0.1 and apart(cut, ours) > 1e-3
