"""Similarities in weight space against values computed by hand and directly."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lm_interpolation.analyses.similarities import from_products, similarities
from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points import reading
from tests.analyses.test_geometry import changed, make_model, weights
from tests.edited_models import flipped, variants


def test_cosines_and_distances_by_hand(tmp_path: Path) -> None:
    moved = {name: tensor - 2.0 for name, tensor in weights().items()}
    models = {
        "b": make_model(tmp_path / "b", moved),
        "a": make_model(tmp_path / "a", changed()),
        "base": make_model(tmp_path / "base", weights()),
    }
    found = similarities(models, "base")
    assert (found.models, found.tensors, found.left_out) == (["b", "a"], 4, [])
    # a moves wte by (1, -2, 2, 4), the MLP by -0.5 six times, ln_1 by (3, -4); b moves all 16 elements by -2.
    product = -2 * 5 + 6 * 1.0 - 2 * (3 - 4)
    squares = 25 + 6 * 0.25 + 25, 16 * 4
    assert found.measures["cosine"][0, 1] == pytest.approx(product / np.sqrt(squares[0] * squares[1]), rel=1e-14)
    assert found.measures["distance"][0, 1] == pytest.approx(np.sqrt(squares[0] + squares[1] - 2 * product), rel=1e-14)
    # Weights of a: those movements, with 1 added in ln_1 (twice) and in ln_f (four times); of b: -2, and -1 there.
    of_weights = -10 + 6 - (4 - 3) - 4 * 1
    sizes = 25 + 1.5 + 16 + 9 + 4, 10 * 4 + 6
    assert found.measures["weights"][0, 1] == pytest.approx(of_weights / np.sqrt(sizes[0] * sizes[1]), rel=1e-14)
    for matrix in found.measures.values():
        np.testing.assert_array_equal(matrix, matrix.T)
    assert found.measures["cosine"].diagonal().tolist() == [1, 1]
    assert found.measures["distance"].diagonal().tolist() == [0, 0]


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> dict[str, Path]:
    return variants(tiny_gpt2, "abcd", 0.01, tmp_path_factory.mktemp("four")) | {"base": tiny_gpt2}


def flat(folder: Path) -> np.ndarray:
    tensors = load_file(folder / "model.safetensors")
    return np.concatenate([tensors[name].double().numpy().ravel() for name in sorted(tensors)])


@pytest.mark.parametrize("chunk", [1 << 15, 100])
def test_by_products_equals_the_direct_way(four: dict[str, Path], monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(reading, "CHUNK", chunk)
    found = similarities(four, "base")
    base, vectors = flat(four["base"]), {name: flat(path) for name, path in four.items()}
    for (one, first), (two, second) in itertools.combinations(enumerate(found.models), 2):
        moved, other = vectors[first] - base, vectors[second] - base
        direct = {
            "cosine": moved @ other / np.linalg.norm(moved) / np.linalg.norm(other),
            "weights": vectors[first] @ vectors[second] / np.linalg.norm(vectors[first])
            / np.linalg.norm(vectors[second]),
            "distance": np.linalg.norm(moved - other),
        }  # fmt: skip
        for measure, value in direct.items():
            assert found.measures[measure][one, two] == pytest.approx(value, rel=1e-9, abs=1e-12), measure


def test_the_head_of_a_classifier_is_left_out(tmp_path: Path) -> None:
    head = {"score.weight": torch.ones(3, 2)}
    models = {
        "base": make_model(tmp_path / "base", weights()),
        "a": make_model(tmp_path / "a", changed() | head),
        "b": make_model(tmp_path / "b", changed() | {"score.weight": torch.ones(5, 2)}),
    }
    found = similarities(models, "base")
    assert found.left_out == ["score.weight"] and found.measures["cosine"][0, 1] == 1
    assert found.measures["distance"][0, 1] == 0


def test_mistakes_are_one_line(tmp_path: Path, four: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="model copy equals the base, so it has no direction"):
        similarities(four | {"copy": four["base"]}, "base")
    broken = weights()
    broken["transformer.wte.weight"][0, 0] = np.nan
    models = {"m": make_model(tmp_path / "m", broken), "base": make_model(tmp_path / "base", weights())}
    with pytest.raises(UserError, match=r"model m .*tensor transformer\.wte\.weight holds NaN or inf"):
        similarities(models, "base")


def test_damage_in_a_tensor_that_is_left_out_is_found(tmp_path: Path) -> None:
    models = {
        "base": make_model(tmp_path / "base", weights()),
        "a": make_model(tmp_path / "a", changed() | {"score.weight": torch.ones(3, 2)}),
    }
    write_checksums(models["a"])
    file = models["a"] / "model.safetensors"
    file.write_bytes(flipped(file.read_bytes(), file.stat().st_size - 1))
    with pytest.raises(UserError, match=r"model\.safetensors"):
        similarities(models, "base")


def test_rounding_leaves_no_cosine_above_one() -> None:
    tau = np.full(3, 0.1)
    products = np.outer([1, 3, 7], [1, 3, 7]) * (tau @ tau)
    found = from_products(["a", "b"], products, 1, [])
    assert found.measures["cosine"].max() == 1
