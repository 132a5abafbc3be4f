"""The uniform mean of models, on disk and in memory."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.means import Mean
from lm_interpolation.points.merging import merge
from tests.edited_models import variants


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> dict[str, Path]:
    """Six models around one."""
    return variants(tiny_gpt2, "abcdef", 0.1, tmp_path_factory.mktemp("six"))


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "model.safetensors")


def test_the_mean_on_disk_is_the_mean_of_the_weights(tmp_path: Path, six: dict[str, Path]) -> None:
    merge(Mean.of_models(reversed("abcdef")), six, tmp_path / "mean")
    parts = [weights(folder) for folder in six.values()]
    for name, tensor in weights(tmp_path / "mean").items():
        exact = np.mean([part[name].astype(np.float64) for part in parts], axis=0)
        assert tensor.dtype == np.float32
        # Rounded to float32 once: half a unit in the last place, and what is lost in float64.
        assert (np.abs(tensor - exact) <= np.spacing(np.abs(exact).astype(np.float32)) * 0.5001).all()


def test_in_memory_the_mean_is_the_same_to_float32_rounding(tmp_path: Path, six: dict[str, Path]) -> None:
    mean = Mean.of_models("abcdef")
    merge(mean, six, tmp_path / "mean")
    space = WeightSpace(six)
    space.set_point(mean)
    found = weights(tmp_path / "mean")
    for name, parameter in space.model.named_parameters():
        # torch may fuse a product with a sum, which moves float64 by its last digit, and float32 very rarely.
        np.testing.assert_array_max_ulp(parameter.numpy(), found[name], maxulp=1)


def test_the_mean_of_one_model_is_that_model(tmp_path: Path, six: dict[str, Path]) -> None:
    merge(Mean.of_models("c"), six, tmp_path / "one")
    for name, tensor in weights(six["c"]).items():
        np.testing.assert_array_equal(weights(tmp_path / "one")[name], tensor)


def test_coefficients_are_exact() -> None:
    mean = Mean.of_models(["b", "c", "a"])
    assert mean.coefficients == (("a", Fraction(1, 3)), ("b", Fraction(1, 3)), ("c", Fraction(1, 3)))
    assert (mean.models, mean.id) == (("a", "b", "c"), "mean of a, b, c")


@pytest.mark.parametrize("models", [[], ["a", "a"]])
def test_a_mean_needs_different_models(models: list[str]) -> None:
    with pytest.raises(ValueError, match="a mean of"):
        Mean.of_models(models)
