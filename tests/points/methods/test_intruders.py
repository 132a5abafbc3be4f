"""The stage intruders against the singular value decomposition, planted intruders, and PEFT."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods import intruders
from lm_interpolation.points.methods.spaces import Space
from tests.points.methods.arrays import Arrays, displacements_of, staged, tensor_of

LINEAR = "model.layers.0.mlp.up_proj.weight"
CONV1D = "transformer.h.0.mlp.c_fc.weight"

Matrix = np.ndarray


def space_of(base: Matrix, tuned: Matrix, chunk: int = 50, conv1d: bool = False, **more: Matrix) -> Arrays:
    """A model ``m`` with one matrix, of shape (outputs, inputs), stored as Llama or GPT-2 does."""
    name, kind = (CONV1D, "gpt2") if conv1d else (LINEAR, "llama")
    turned = {"base": base, "m": tuned, **more}
    models = {model: {name: np.ascontiguousarray(values.T if conv1d else values)} for model, values in turned.items()}
    return Arrays(models, {model: 1.0 for model in models if model != "base"}, "base", chunk, model_type=kind)


def scaled(space: Space, factor: float = 0.75, k: int = 10, epsilon: float = 0.5) -> Matrix:
    """The matrix of ``m`` after the stage, of shape (outputs, inputs)."""
    after = staged(space, ("intruders", {"factor": factor, "k": k, "epsilon": epsilon}))
    (name,) = space.places
    stored = tensor_of(after, name)
    return stored.T if space.places[name].outputs else stored


def by_definition(base: Matrix, tuned: Matrix, factor: float, k: int, epsilon: float) -> Matrix:
    """The formula, with the singular value decomposition."""
    known = np.linalg.svd(base.astype(np.float64), full_matrices=False)[0]
    u, s, vt = np.linalg.svd(tuned.astype(np.float64), full_matrices=False)
    result = tuned.astype(np.float64)
    for rank in range(min(k, len(s))):
        if np.abs(known.T @ u[:, rank]).max() < epsilon:
            result += (factor - 1) * s[rank] * np.outer(u[:, rank], vt[rank])
    return result


def matrices(seed: int, shape: tuple[int, int], moved: float) -> tuple[Matrix, Matrix]:
    rng = np.random.default_rng(seed)
    base = rng.normal(size=shape)
    low = rng.normal(size=(shape[0], 2)) @ rng.normal(size=(2, shape[1]))
    return base.astype(np.float32), (base + moved * low).astype(np.float32)


def mixed(vectors: Matrix) -> Matrix:
    """A unit vector that has the same cosine to each of n orthonormal ones, 1/sqrt(n)."""
    return vectors.sum(axis=1) / np.sqrt(vectors.shape[1])


@settings(max_examples=40)
@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(8, 24), st.integers(8, 24)),
    st.sampled_from([0.1, 1.0, 3.0]),
    st.sampled_from([0.0, 0.75, -1.0, 2.0]),
    st.sampled_from([1, 3, 10, 30]),
    st.sampled_from([0.3, 0.5, 0.7]),
    st.booleans(),
)
def test_it_is_the_formula(
    seed: int, shape: tuple[int, int], moved: float, factor: float, k: int, epsilon: float, conv1d: bool
) -> None:
    base, tuned = matrices(seed, shape, moved)
    found = scaled(space_of(base, tuned, conv1d=conv1d), factor, k, epsilon)
    expected = by_definition(base, tuned, factor, k, epsilon)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("conv1d", [False, True])
def test_a_new_direction_of_the_outputs_is_an_intruder_and_one_of_the_inputs_is_none(conv1d: bool) -> None:
    base, _ = matrices(0, (32, 32), 0)
    u, s, vt = np.linalg.svd(base)
    outputs = (base + 5 * s[0] * np.outer(mixed(u), vt[3])).astype(np.float32)
    inputs = (base + 5 * s[0] * np.outer(u[:, 3], mixed(vt.T))).astype(np.float32)
    changed, same = (scaled(space_of(base, tuned, conv1d=conv1d), factor=0) for tuned in (outputs, inputs))
    np.testing.assert_array_equal(same, inputs.astype(np.float64))
    top = np.linalg.svd(changed)[1][0]
    assert top < 1.1 * s[0] and np.linalg.svd(outputs)[1][0] > 5 * s[0]


def test_equal_models_have_no_intruders_even_where_singular_values_are_equal() -> None:
    base = np.eye(12, 20, dtype=np.float32)
    for conv1d in (False, True):
        np.testing.assert_array_equal(scaled(space_of(base, base, conv1d=conv1d), 0, epsilon=1), base)


def test_a_factor_of_1_is_the_space_itself_and_epsilon_0_changes_nothing() -> None:
    base, tuned = matrices(1, (20, 12), 3.0)
    space = space_of(base, tuned)
    assert staged(space, ("intruders", {"factor": 1, "k": 10, "epsilon": 1})) is space
    before = displacements_of(space, LINEAR)["m"]
    after = staged(space, ("intruders", {"factor": 0, "k": 10, "epsilon": 0}))
    np.testing.assert_array_equal(displacements_of(after, LINEAR)["m"], before)


@pytest.mark.parametrize("conv1d", [False, True])
def test_chunks_do_not_matter_bit_by_bit(conv1d: bool) -> None:
    base, tuned = matrices(2, (17, 23), 3.0)
    found = [scaled(space_of(base, tuned, chunk, conv1d)) for chunk in (1, 7, 23, 50, 1000)]
    assert not np.array_equal(found[0], tuned)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_a_base_of_low_rank_has_fewer_vectors_and_one_of_zeros_none() -> None:
    rng = np.random.default_rng(4)
    base = (rng.normal(size=(24, 3)) @ rng.normal(size=(3, 12))).astype(np.float32)
    tuned = base + 100 * np.outer(rng.normal(size=24), rng.normal(size=12)).astype(np.float32)
    values = np.linalg.svd(scaled(space_of(base, tuned), 0, k=1))[1]
    assert values[0] < np.linalg.svd(base)[1][0] * 1.5
    np.testing.assert_allclose(scaled(space_of(0 * base, base), 0), 0, atol=1e-4)


def test_vectors_are_computed_once_for_all_factors_and_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    base, tuned = matrices(3, (12, 16), 3.0)
    _, other = matrices(5, (12, 16), 3.0)
    asked: list[Any] = []

    def counted(space: Space, place: Any, count: int, models: Any) -> Any:
        asked.append((count, list(models)))
        return original(space, place, count, models)

    original = intruders.leading
    monkeypatch.setattr(intruders, "leading", counted)
    space = space_of(base, tuned, other=other)
    one = Arrays(space._models, {"m": 1.0}, "base")
    one.memory = space.memory
    for held in (one, space, one):
        for factor, epsilon in ((0, 0.5), (0.75, 0.5), (0, 0.3)):
            staged_space = staged(held, ("intruders", {"factor": factor, "k": 10, "epsilon": epsilon}))
            for _ in range(2):
                displacements_of(staged_space, LINEAR)
    assert asked == [(10, ["m"]), (10, ["other"])]


def test_embeddings_and_vectors_stay_and_models_without_matrices_are_refused() -> None:
    rng = np.random.default_rng(6)
    shapes = {"transformer.wte.weight": (30, 8), "transformer.h.0.ln_1.weight": (8,), "lm_head.weight": (30, 8)}
    models = {
        model: {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        for model in ("base", "m")
    }
    stage = ("intruders", {"factor": 0, "k": 10, "epsilon": 1})
    with pytest.raises(UserError, match="no matrix of attention or MLP in a numbered block"):
        staged(Arrays(models, {"m": 1.0}, "base"), stage)
    for own in models.values():
        own["transformer.h.0.attn.c_proj.weight"] = rng.normal(size=(8, 8)).astype(np.float32)
    space = Arrays(models, {"m": 1.0}, "base", model_type="gpt2")
    after = staged(space, stage)
    for name in shapes:
        np.testing.assert_array_equal(displacements_of(after, name)["m"], displacements_of(space, name)["m"])
    changed = tensor_of(after, "transformer.h.0.attn.c_proj.weight")
    assert np.abs(changed).max() < 1e-6 * np.abs(models["m"]["transformer.h.0.attn.c_proj.weight"]).max()
