"""Rounding of imported models, against weights whose rounding is known."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lm_interpolation.analyses.rounding import describe_rounding, measure_rounding
from tests.by_hand import make_job
from workflow.scripts.points.measure_rounding import main


def vary(source: Path, target: Path, spread: float, seed: int = 0) -> Path:
    """``source`` with noise of this standard deviation added to all weights."""
    shutil.copytree(source, target)
    torch.manual_seed(seed)
    weights = load_file(source / "model.safetensors")
    weights = {name: tensor + spread * torch.randn_like(tensor) for name, tensor in weights.items()}
    save_file(weights, target / "model.safetensors", {"format": "pt"})
    return target


def rounded(source: Path, target: Path, dtype: torch.dtype, names: str = "") -> Path:
    """``source`` as it is imported if its weights (those with ``names`` in their names) were stored in ``dtype``."""
    shutil.copytree(source, target)
    weights = load_file(source / "model.safetensors")
    weights |= {name: tensor.to(dtype).float() for name, tensor in weights.items() if names in name}
    save_file(weights, target / "model.safetensors", {"format": "pt"})
    return target


def distance(one: Path, two: Path) -> float:
    ours, theirs = (load_file(path / "model.safetensors") for path in (one, two))
    return float(np.sqrt(sum(((ours[name].double() - theirs[name].double()) ** 2).sum().item() for name in ours)))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> tuple[Path, Path]:
    """A model with weights of all sizes, and one near it."""
    folder = tmp_path_factory.mktemp("rounding")
    base = vary(tiny_gpt2, folder / "base", 0.2)
    return base, vary(base, folder / "tuned", 0.01, seed=1)


@pytest.mark.parametrize(("dtype", "name"), [(torch.bfloat16, "bf16"), (torch.float16, "fp16")])
def test_rounding_is_seen_and_estimated(dtype: torch.dtype, name: str, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    base, tuned = pair
    coarse = rounded(tuned, tmp_path / "coarse", dtype)
    result = measure_rounding("tuned", coarse, "base", base)
    assert (result["model"], result["reference"], result["stored"]) == ("tuned", "base", name)
    assert result["rounding"] == pytest.approx(distance(coarse, tuned), rel=0.03)
    assert result["distance"] == pytest.approx(distance(coarse, base), rel=1e-6)
    assert result["ratio"] == pytest.approx(result["rounding"] / result["distance"])
    line = describe_rounding(result)
    assert line is not None and line.startswith(f"tuned: stored in {name}; its rounding has a norm of about ")
    assert f", {100 * result['ratio']:.2g} % of its distance from base ({result['distance']:.3g})" in line


def test_a_model_in_fp32_has_no_rounding_to_tell(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    base, tuned = pair
    # A few tensors of round numbers (norms that are all 1, say) do not make a model of 16 bits.
    for path in (tuned, rounded(tuned, tmp_path / "norms", torch.bfloat16, names="ln_")):
        result = measure_rounding("tuned", path, "base", base)
        assert (result["stored"], result["rounding"], result["ratio"]) == ("fp32", 0.0, 0.0)
        assert describe_rounding(result) is None


def test_norms_in_fp32_do_not_hide_the_rounding_of_the_rest(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    base, tuned = pair
    coarse = rounded(tuned, tmp_path / "coarse", torch.bfloat16, names=".weight")
    result = measure_rounding("tuned", coarse, "base", base)
    assert result["stored"] == "bf16"
    assert result["rounding"] == pytest.approx(distance(coarse, tuned), rel=0.03)


def test_equal_models(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    coarse = rounded(pair[0], tmp_path / "coarse", torch.bfloat16)
    result = measure_rounding("one", coarse, "two", coarse)
    assert (result["distance"], result["ratio"]) == (0.0, None)
    assert str(describe_rounding(result)).endswith(", which equals two")


def test_the_job_tells_and_writes_it(tmp_path: Path, pair: tuple[Path, Path], capfd: Any) -> None:
    coarse = rounded(pair[1], tmp_path / "coarse", torch.bfloat16)
    job = make_job({"models": [str(coarse), str(pair[0])]}, [str(tmp_path / "rounding.json")])
    main(job, model="tuned", reference="base")
    assert json.loads((tmp_path / "rounding.json").read_text())["stored"] == "bf16"
    assert "[rounding] tuned: stored in bf16" in capfd.readouterr().err
