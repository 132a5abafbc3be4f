"""Fisher merging and RegMean against fusion_bench 0.2.33: what its own code made of small models.

``make_statistics.py`` wrote it. Where definitions agree, results are equal to float32 rounding; where they differ on
purpose, a test says how.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.points.methods.arrays import Arrays, staged, tensor_of
from tests.points.methods.statistics import write_fisher, write_grams

VECTORS = load_file(Path(__file__).parent / "fusion_bench.safetensors")
Tensors = dict[str, np.ndarray]
EQUAL = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}
LAYERS = ("one.weight", "two.weight")


def group(name: str) -> dict[str, Tensors]:
    """Model -> tensors of a group of inputs."""
    found: dict[str, Tensors] = {}
    for key, values in VECTORS.items():
        kind, *rest = key.split("/")
        # Results have no model.
        if kind == name and len(rest) == 2:
            found.setdefault(rest[0], {})[rest[1]] = values
    return found


def theirs(case: str) -> Tensors:
    return {key.split("/")[1]: values for key, values in VECTORS.items() if key.rpartition("/")[0] == case}


def by_fisher(folder: Path, information: Mapping[str, Tensors], weights: Mapping[str, float]) -> Tensors:
    """Our weights; without a base displacements are the weights themselves."""
    space = Arrays(group("inputs"), weights, None, chunk=64)
    after = staged(space, ("fisher", {"statistic": write_fisher(folder, information)}))
    return {tensor: tensor_of(after, tensor) for tensor in space.places}


def by_regmean(folder: Path, grams: Mapping[str, Tensors], off_diagonal: float, conv1d: bool = False) -> Tensors:
    models = group("inputs")
    if conv1d:
        models = {
            model: {
                f"h.0.{name.removesuffix('.weight')}.c_fc.weight" if array.ndim == 2 else name: array.T.copy()
                for name, array in tensors.items()
            }
            for model, tensors in models.items()
        }
        grams = {
            model: {f"h.0.{name.removesuffix('.weight')}.c_fc.weight": gram for name, gram in tensors.items()}
            for model, tensors in grams.items()
        }
    space = Arrays(models, EQUAL, None, chunk=64, model_type="gpt2" if conv1d else "llama")
    statistic = write_grams(folder, {model: {k: v.astype(float) for k, v in of.items()} for model, of in grams.items()})
    after = staged(space, ("regmean", {"statistic": statistic, "off_diagonal": off_diagonal}))
    return {tensor: tensor_of(after, tensor) for tensor in space.places}


def apart(found: Tensors, expected: Tensors) -> float:
    """The largest difference, relative to the largest displacement of the models from each other (1e-3 or so)."""
    assert found.keys() == expected.keys()
    models = group("inputs")
    moved = max(np.abs(models["a"][name] - models["b"][name]).max() for name in models["a"])
    return max(float(np.abs(found[name] - expected[name]).max() / moved) for name in found)


def test_fisher_merging_is_the_same(tmp_path: Path) -> None:
    """Largest difference 1e-6 of a displacement, which is the float32 rounding of weights of 0.02."""
    found = by_fisher(tmp_path, group("fisher"), {"a": 0.5, "b": 0.3, "c": 0.2})
    assert apart(found, theirs("fisher")) < 1e-5


def test_their_normalization_is_a_choice_of_coefficients(tmp_path: Path) -> None:
    """They divide F by its norm over the whole model by default; so do these coefficients."""
    information = group("fisher")
    norms = {
        model: np.sqrt(sum((values.astype(float) ** 2).sum() for values in tensors.values()))
        for model, tensors in information.items()
    }
    total = sum(1 / norm for norm in norms.values())
    found = by_fisher(tmp_path, information, {model: 1 / norm / total for model, norm in norms.items()})
    assert apart(found, theirs("fisher-normalized")) < 1e-5


def test_their_floor_makes_small_information_equal(tmp_path: Path) -> None:
    """With F of 1e-9 their absolute floor of 1e-6 gives the mean of models; ours is what F says at any size."""
    small = {
        model: {name: 1e-9 * values for name, values in tensors.items()} for model, tensors in group("fisher").items()
    }
    models = group("inputs")
    mean = {name: sum(models[model][name].astype(float) for model in "abc") / 3 for name in models["a"]}
    assert apart(mean, theirs("fisher-small")) < 0.01
    whole, little = (by_fisher(tmp_path / size, some, EQUAL) for size, some in (("1", group("fisher")), ("2", small)))
    assert apart(little, whole) < 1e-6
    assert apart(little, mean) > 0.3


@pytest.mark.parametrize("off_diagonal", [1.0, 0.6])
def test_regmean_is_the_same(tmp_path: Path, off_diagonal: float) -> None:
    """Also of tensors that are no layers. Our ridge is a millionth of the mean diagonal."""
    found = by_regmean(tmp_path, group("gram-many"), off_diagonal)
    assert apart(found, theirs(f"regmean-many-{off_diagonal}")) < 1e-3


def test_regmean_of_conv1d_is_the_same(tmp_path: Path) -> None:
    found = by_regmean(tmp_path, group("gram-many"), 0.6, conv1d=True)
    named = {name.removeprefix("h.0.").replace(".c_fc", ""): values for name, values in found.items()}
    assert apart(named, theirs("regmean-conv1d")) < 1e-3


def test_grams_of_few_tokens(tmp_path: Path) -> None:
    """Where Gram matrices cannot be inverted, theirs is rounding; with the factor 0.6 both are the same again."""
    expected = theirs("regmean-few-1.0")
    found = by_regmean(tmp_path / "1", group("gram-few"), 1.0)
    models = group("inputs")
    largest = max(np.abs(models[model][name]).max() for model in "abc" for name in LAYERS)
    assert all(np.abs(found[name]).max() < 2 * largest for name in LAYERS)
    assert apart(found, expected) > 1
    same = by_regmean(tmp_path / "2", group("gram-few"), 0.6)
    assert apart(same, theirs("regmean-few-0.6")) < 1e-3
