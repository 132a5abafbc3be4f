"""Stages that treat tensors, or positions of all models, alike: variance, masks from files, half reset, LiNeS."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.tensor_names import block_number, tensor_kind
from lm_interpolation.points.methods.selection import kept_count
from lm_interpolation.points.methods.spaces import Space
from lm_interpolation.points.methods.tensors import chosen_tensors
from tests.points.methods.arrays import Arrays, displacements_of, random_models, staged

BLOCK = {
    "attn.c_attn.weight": (4, 12),
    "attn.c_attn.bias": (12,),
    "attn.c_proj.weight": (4, 4),
    "attn.c_proj.bias": (4,),
    "mlp.c_fc.weight": (4, 9),
    "mlp.c_proj.weight": (9, 4),
    "ln_1.weight": (4,),
    "ln_1.bias": (4,),
    "ln_2.weight": (4,),
}
SHAPES = {
    "transformer.wte.weight": (13, 4),
    **{f"transformer.h.{block}.{name}": shape for block in range(3) for name, shape in BLOCK.items()},
    "transformer.ln_f.weight": (4,),
    "scalar": (),
}
WEIGHTS = {"a": 0.5, "b": 0.25}
MODELS = random_models(8, SHAPES)


def moved(tensor: str, model: str) -> np.ndarray:
    return MODELS[model][tensor].astype(np.float64) - MODELS["base"][tensor]


def space(weights: dict[str, float] = WEIGHTS, chunk: int = 7) -> Arrays:
    return Arrays(MODELS, weights, "base", chunk)


def assert_complements(one: Space, two: Space) -> None:
    for tensor in SHAPES:
        first, second = displacements_of(one, tensor), displacements_of(two, tensor)
        for model in WEIGHTS:
            assert not (first[model] * second[model]).any()
            np.testing.assert_array_equal(first[model] + second[model], moved(tensor, model))


@given(st.floats(0, 1).map(lambda value: round(value, 3)), st.integers(1, 60))
def test_positions_of_largest_variance_are_kept(density: float, chunk: int) -> None:
    weights = {"a": 0.25, "b": 0.25, "c": 0.5}
    after = staged(space(weights, chunk), ("variance", {"density": density}))
    for tensor in ("transformer.wte.weight", "transformer.h.1.ln_1.bias", "scalar"):
        vectors = np.stack([moved(tensor, model).reshape(-1) for model in weights])
        order = np.argsort(-vectors.std(axis=0).astype(np.float32), kind="stable")
        chosen = order[: kept_count(density, vectors.shape[1])]
        for model, values in zip(weights, vectors, strict=True):
            expected = np.zeros_like(values)
            expected[chosen] = values[chosen]
            np.testing.assert_array_equal(displacements_of(after, tensor)[model].reshape(-1), expected)


def test_one_model_does_not_vary() -> None:
    after = staged(space({"a": 0.5}), ("variance", {"density": 0.1}))
    np.testing.assert_array_equal(
        displacements_of(after, "transformer.wte.weight")["a"], moved("transformer.wte.weight", "a")
    )


@pytest.mark.parametrize("dtype", [bool, np.uint8])
@pytest.mark.parametrize("chunk", [3, 1000])
def test_masks_graft(tmp_path: Path, dtype: type, chunk: int) -> None:
    rng = np.random.default_rng(0)
    masks = {tensor: np.asarray(rng.random(shape) < 0.4) for tensor, shape in SHAPES.items() if "wte" not in tensor}
    save_file({tensor: np.asarray(mask, dtype) for tensor, mask in masks.items()}, tmp_path / "skill.safetensors")
    file = str(tmp_path / "skill.safetensors")
    held = space(chunk=chunk)
    inside, outside = (staged(held, ("mask", {"mask": file, "inverse": inverse})) for inverse in (False, True))
    for tensor in SHAPES:
        for model in WEIGHTS:
            expected = np.where(masks.get(tensor, False), moved(tensor, model), 0)
            np.testing.assert_array_equal(displacements_of(inside, tensor)[model], expected)
    assert_complements(inside, outside)


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        ({"x": np.ones(3, bool)}, "has a mask for x, which is no tensor of the models"),
        ({"scalar": np.ones(1, bool)}, r"the mask of scalar has shape \(1,\), the tensor \(\)"),
        ({"scalar": np.ones((), np.float32)}, "the mask of scalar has dtype F32; save it as bool or uint8"),
        ({"scalar": np.full((), 2, np.uint8)}, "the mask of scalar holds values other than 0 and 1"),
        (None, "is no mask"),
    ],
)
def test_what_is_no_mask(tmp_path: Path, masks: dict[str, np.ndarray] | None, words: str) -> None:
    path = tmp_path / "m.safetensors"
    if masks is None:
        path.write_text("mask")
    else:
        save_file(masks, path)
    with pytest.raises(UserError, match=rf"{path}: {words}"):
        displacements_of(staged(space(), ("mask", {"mask": str(path)})), "scalar")


@pytest.mark.parametrize("share", [0, 0.5, 0.7, 1])
def test_half_reset_and_its_complement(share: float) -> None:
    settings = {"share": share, "seed": 3}
    kept, reset = (staged(space(), ("tensors", settings | {"inverse": inverse})) for inverse in (False, True))
    assert_complements(kept, reset)
    chosen = chosen_tensors(list(SHAPES), share, 3)
    for tensor in SHAPES:
        assert displacements_of(kept, tensor)["a"].any() == (tensor in chosen and moved(tensor, "a").any())
    if share in (0, 1):
        assert len(chosen) == share * len(SHAPES)


def test_half_of_each_kind_in_each_block() -> None:
    drawn = []
    for seed in range(20):
        chosen = chosen_tensors(list(SHAPES), 0.5, seed)
        groups: dict[tuple, list[str]] = {}
        for tensor in SHAPES:
            module = tensor.rpartition(".")[0]
            assert (tensor in chosen) == any(name.rpartition(".")[0] == module for name in chosen)
            group = groups.setdefault((block_number(tensor), tensor_kind(tensor)), [])
            group.append(module)
        for (block, _), modules in groups.items():
            if block is not None:
                assert len({name.rpartition(".")[0] for name in chosen} & set(modules)) == len(set(modules)) / 2
        drawn.append(chosen)
        assert chosen < chosen_tensors(list(SHAPES), 0.9, seed)
    assert len(set(drawn)) > 15
    # Groups of one module: kept in half of the draws.
    assert 3 <= sum("transformer.ln_f.weight" in chosen for chosen in drawn) <= 17


def scaled(weights: dict[str, float], *stages: tuple[str, dict], tensor: str) -> float:
    (found,) = displacements_of(staged(space(weights), *stages), tensor).values()
    total = sum(weight * moved(tensor, model) for model, weight in weights.items())
    nonzero = total != 0
    ratio = found[nonzero] / total[nonzero]
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-9)
    return float(ratio.mean())


def test_layers_are_scaled_linearly() -> None:
    lines = ("rescale", {"layers": [0.25, 1], "other": 0.5})
    factors = {"transformer.wte.weight": 0.5, "transformer.h.0.ln_1.weight": 0.25, "transformer.h.1.ln_1.bias": 0.625}
    factors |= {"transformer.h.2.mlp.c_fc.weight": 1, "transformer.ln_f.weight": 0.5}
    for tensor, factor in factors.items():
        assert scaled(WEIGHTS, lines, tensor=tensor) == pytest.approx(factor, rel=1e-9)
        # Of the merged displacement, too.
        assert scaled({"a": 0.5}, ("slerp", {}), lines, tensor=tensor) == pytest.approx(factor, rel=1e-9)


def test_a_scale_of_one_changes_nothing() -> None:
    after = staged(space(), ("rescale", {"layers": [1, 1], "other": 1}))
    for tensor in SHAPES:
        (found,) = displacements_of(after, tensor).values()
        np.testing.assert_array_equal(found, 0.5 * moved(tensor, "a") + 0.25 * moved(tensor, "b"))


def test_many_tasks_are_balanced() -> None:
    lines = ("rescale", {"balanced": 0.5})
    weights = {"a": 1.0, "b": 1.0, "c": 1.0}
    # The sum itself: 1 / N.
    factors = {"transformer.wte.weight": 1 / 3, "transformer.h.1.ln_1.bias": 1 / 3 + 0.25, "scalar": 1 / 3}
    for tensor, factor in factors.items():
        assert scaled(weights, lines, tensor=tensor) == pytest.approx(factor, rel=1e-9)
    # What is trimmed has a smaller norm.
    trim = ("magnitude", {"density": 0.3, "over": "model"})
    trimmed = staged(space(weights), trim)
    total = sum(abs(sum(moved(tensor, model) for model in weights)).sum() for tensor in SHAPES)
    merged = sum(abs(sum(displacements_of(trimmed, tensor).values())).sum() for tensor in SHAPES)
    after = staged(space(weights), trim, lines)
    (found,) = displacements_of(after, "transformer.wte.weight").values()
    expected = total / merged / 3 * sum(displacements_of(trimmed, "transformer.wte.weight").values())
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    nothing = staged(space(weights), ("magnitude", {"density": 0, "over": "model"}), lines)
    assert not displacements_of(nothing, "transformer.wte.weight")[""].any()


def test_one_block_has_no_first_and_last() -> None:
    for names in (["transformer.h.0.ln_1.weight", "scalar"], ["scalar"]):
        models = random_models(0, dict.fromkeys(names, (3,)))
        with pytest.raises(UserError, match="these models have no two"):
            staged(Arrays(models, WEIGHTS, "base"), ("rescale", {"layers": [0, 1], "other": 0}))
    with pytest.raises(ValueError, match="either layers and other, or balanced"):
        staged(space(), ("rescale", {"layers": [0, 1]}))


def test_grafting_the_largest_or_at_random() -> None:
    """Top-k masks and their random controls are the stages of TIES and DARE."""
    for name, settings in (("magnitude", {"over": "model"}), ("chance", {"rescale": "none", "seed": 1})):
        for density in (0, 1):
            after = staged(space(), (name, settings | {"density": density}))
            for tensor in SHAPES:
                for model, values in displacements_of(after, tensor).items():
                    np.testing.assert_array_equal(values, density * moved(tensor, model))
