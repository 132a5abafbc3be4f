"""Keeping by chance, with equal or ranked probabilities: expectations, nesting, and draws that belong to elements."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.random_bits import random_words
from tests.points.methods.arrays import Arrays, displacements_of, random_models, staged

SHAPES = {"c_fc.weight": (6, 10), "other.weight": (8, 5), "bias": (12,), "kernel": (4, 3, 2), "one": (1,)}
WEIGHTS = {"a": 0.5, "b": 0.25}


def kept(name: str, settings: dict, chunk: int = 7, seed: int = 3, model_type: str = "gpt2") -> dict[str, dict]:
    space = Arrays(random_models(seed, SHAPES), WEIGHTS, "base", chunk, model_type=model_type)
    after = staged(space, (name, settings))
    return {tensor: displacements_of(after, tensor) for tensor in SHAPES}


def dare(density: float, seed: int = 0, rescale: str = "inverse") -> tuple[str, dict]:
    return "chance", {"density": density, "rescale": rescale, "seed": seed}


def della(density: float, epsilon: float, seed: int = 0) -> tuple[str, dict]:
    return "rank", {"density": density, "epsilon": epsilon, "seed": seed}


STAGES = {"dare": dare(0.4), "della": della(0.4, 0.2)}


@given(st.sampled_from(sorted(STAGES)), st.integers(1, 70))
def test_draws_do_not_depend_on_chunks(stage: str, chunk: int) -> None:
    np.testing.assert_equal(kept(*STAGES[stage], chunk), kept(*STAGES[stage], 1000))


def test_draws_do_not_depend_on_threads() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: random_words(1, "m", "t", 5, 3000), range(8)))
    assert all((words == found[0]).all() for words in found)
    assert (random_words(1, "m", "t", 0, 3005)[5:] == found[0]).all()


def test_draws_belong_to_seed_model_and_tensor() -> None:
    keys = [(0, "m", "t"), (1, "m", "t"), (0, "n", "t"), (0, "m", "u")]
    words = [random_words(*key, 0, 4096) / 2**32 for key in keys]
    assert np.abs(np.corrcoef(words) - np.eye(4)).max() < 0.06
    assert all(abs(row.mean() - 0.5) < 0.02 for row in words)
    # The first words ever drawn: results that exist depend on them.
    assert random_words(0, "model", "tensor", 0, 2).tolist() == [2806429775, 2638537618]


def test_masks_are_nested_in_density() -> None:
    before = kept(*dare(0.0))
    for density in (0.1, 0.5, 0.9, 1.0):
        now = kept(*dare(density))
        for tensor in SHAPES:
            for model in WEIGHTS:
                assert (now[tensor][model] != 0)[before[tensor][model] != 0].all()
        before = now
    models = random_models(3, SHAPES)
    for tensor in SHAPES:
        moved = models["a"][tensor].astype(float) - models["base"][tensor]
        np.testing.assert_array_equal(before[tensor]["a"], moved)


@pytest.mark.parametrize("stage", [dare, lambda density, seed: della(density, 0.2, seed)], ids=["dare", "della"])
def test_the_expectation_is_the_displacement(stage: Callable[[float, int], tuple[str, dict]]) -> None:
    shapes = {"c_fc.weight": (4, 6)}
    models = random_models(0, shapes)
    moved = models["a"]["c_fc.weight"].astype(float) - models["base"]["c_fc.weight"]
    draws = 600
    total = np.zeros_like(moved)
    for seed in range(draws):
        space = Arrays(models, {"a": 1.0}, "base", 100, model_type="gpt2")
        total += displacements_of(staged(space, stage(0.4, seed)), "c_fc.weight")["a"]
    # 4.5 standard errors at the smallest probability, 0.2.
    assert (abs(total / draws - moved) <= 4.5 * abs(moved) * np.sqrt(0.8 / 0.2 / draws)).all()


def test_without_rescaling_what_is_kept_stays() -> None:
    whole, scaled = kept(*dare(0.25, rescale="none")), kept(*dare(0.25))
    for tensor in SHAPES:
        np.testing.assert_allclose(whole[tensor]["a"] * 4, scaled[tensor]["a"], rtol=1e-15)
    assert not any(values["b"].any() for values in kept(*dare(0)).values())


def test_no_spread_of_ranks_is_dare() -> None:
    ranked, equal = kept(*della(0.3, 0)), kept(*dare(0.3))
    for tensor in SHAPES:
        for model in WEIGHTS:
            assert ((ranked[tensor][model] != 0) == (equal[tensor][model] != 0)).all()
            np.testing.assert_allclose(ranked[tensor][model], equal[tensor][model], rtol=1e-15)


def rows_of(tensor: str, array: np.ndarray, model_type: str) -> np.ndarray:
    if array.ndim == 1:
        return array[None]
    return array.T if tensor == "c_fc.weight" and model_type == "gpt2" else array.reshape(len(array), -1)


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
@pytest.mark.parametrize("chunk", [3, 1000])
def test_probabilities_follow_ranks_in_rows_of_outputs(model_type: str, chunk: int) -> None:
    density, epsilon = 0.5, 0.3
    found = kept(*della(density, epsilon, 7), chunk, model_type=model_type)
    models = random_models(3, SHAPES)
    for tensor, shape in SHAPES.items():
        for model in WEIGHTS:
            moved = models[model][tensor].astype(float) - models["base"][tensor]
            rows = rows_of(tensor, moved, model_type)
            words = random_words(7, model, tensor, 0, moved.size).reshape(shape)
            chosen = rows_of(tensor, words, model_type) / 2**32
            length = rows.shape[1]
            rank = np.argsort(np.argsort(abs(rows.astype(np.float32)), axis=1, kind="stable"), axis=1)
            p = density - epsilon + 2 * epsilon * rank / (length - 1) if length > 1 else np.full(rows.shape, density)
            expected = np.where(chosen < p, rows / p, 0)
            np.testing.assert_allclose(rows_of(tensor, found[tensor][model], model_type), expected, rtol=1e-12)


def test_della_needs_probabilities() -> None:
    np.testing.assert_equal(kept(*della(1, 0.15)), kept(*dare(1)))
    for density, epsilon in ((0.15, 0.15), (0.9, 0.1), (0, 0), (0.5, -0.5)):
        with pytest.raises(UserError, match="lower epsilon"):
            kept(*della(density, epsilon))
