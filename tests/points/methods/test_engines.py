"""Every stage gives the same on disk and in memory, and for NumPy's and torch's arrays."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.fisher import fisher_information
from lm_interpolation.models.input_grams import input_grams
from lm_interpolation.models.loading import load_model
from lm_interpolation.models.model_statistics import write_statistic
from lm_interpolation.points.algebra import Method, Point
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.merging import merge
from lm_interpolation.points.method_merging import merge_by_method
from tests.points.methods.arrays import Arrays, displacements_of, method, random_models, staged
from tests.points.methods.statistics import write_fisher, write_grams

LAYERS = {"layers": [0.25, 1], "other": 0.5}
METHODS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "ties": [("magnitude", {"density": 0.2, "over": "model"}), ("elect", {}), ("mean", {})],
    "ties by tensor": [("magnitude", {"density": 0.2, "over": "tensor"}), ("elect", {})],
    "dare": [("chance", {"density": 0.3, "rescale": "inverse", "seed": 4})],
    "della": [("rank", {"density": 0.3, "epsilon": 0.15, "seed": 4})],
    "breadcrumbs": [("band", {"density": 0.5, "drop_top": 0.1})],
    "sce": [("variance", {"density": 0.4}), ("sce", {})],
    "graft": [("mask", {"inverse": False})],
    "half": [("tensors", {"share": 0.5, "seed": 0, "inverse": False})],
    # Every leading vector counts as an intruder.
    "intruders": [("intruders", {"factor": 0.25, "k": 3, "epsilon": 1.0})],
    "slerp": [("slerp", {})],
    "karcher": [("karcher", {"iterations": 10, "tolerance": 1e-5})],
    "stock": [("stock", {})],
    "lines": [("rescale", LAYERS)],
    "lines of ties": [("magnitude", {"density": 0.2, "over": "model"}), ("mean", {}), ("rescale", {"balanced": 0.5})],
    "scale": [("scale", {"rules": [{"tensors": "**.mlp.**", "factor": 0.5}]})],
    "fisher": [("fisher", {})],
    "regmean": [("regmean", {"off_diagonal": 0.6})],
    "regmean of ties": [("magnitude", {"density": 0.5, "over": "tensor"}), ("regmean", {"off_diagonal": 1.0})],
}
SHAPES = {
    "transformer.h.0.attn.c_attn.weight": (5, 12),
    "transformer.h.0.attn.c_attn.bias": (12,),
    "transformer.h.1.mlp.c_fc.weight": (6, 11),
    "transformer.wte.weight": (9, 5),
}


def stages_of(name: str, files: Path) -> list[tuple[str, dict[str, Any]]]:
    """The stages of a method, with the file of masks, or the folder of statistics, that one needs in a folder."""
    needed = {
        "mask": {"mask": str(files / "skill.safetensors")},
        "fisher": {"statistic": str(files / "fisher")},
        "regmean": {"statistic": str(files / "inputs")},
    }
    return [(module, {**needed.get(module, {}), **keys}) for module, keys in METHODS[name]]


SELECTIONS = ("magnitude", "chance", "rank", "band", "variance", "mask", "tensors", "elect")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(1)
    save_numpy({name: rng.random(shape) < 0.5 for name, shape in SHAPES.items()}, folder / "skill.safetensors")
    fisher, grams = {}, {}
    for model in "abc":
        fisher[model] = {name: rng.normal(size=shape) ** 2 for name, shape in SHAPES.items()}
        rows = {name: rng.normal(size=(20, shape[0])) for name, shape in SHAPES.items() if ".h." in name and shape[1:]}
        grams[model] = {name: own.T @ own for name, own in rows.items()}
    write_fisher(folder / "fisher", fisher)
    write_grams(folder / "inputs", grams)
    return folder


@pytest.mark.parametrize("name", METHODS)
def test_arrays_of_torch_select_the_same(name: str, files: Path) -> None:
    @settings(max_examples=6)
    @given(st.integers(0, 10**6), st.integers(8, 80))
    def same(seed: int, chunk: int) -> None:
        models = random_models(seed, SHAPES)
        weights = {"a": 0.75, "b": 0.5}
        after = [
            staged(Arrays(models, weights, "base", chunk, own, "gpt2"), *stages_of(name, files))
            for own in (False, True)
        ]
        for tensor in SHAPES:
            numpy, other = (displacements_of(space, tensor) for space in after)
            for model, values in numpy.items():
                if METHODS[name][-1][0] in SELECTIONS:
                    np.testing.assert_array_equal(values, other[model])
                np.testing.assert_allclose(values, other[model], rtol=1e-9, atol=1e-15)

    same()


def variant(source: Path, target: Path, change: Callable[[str, torch.Tensor], torch.Tensor]) -> Path:
    shutil.copytree(source, target)
    tensors = load_file(source / "model.safetensors")
    changed = {name: change(name, tensor).contiguous() for name, tensor in tensors.items()}
    save_file(changed, target / "model.safetensors", metadata={"format": "pt"})
    return target


@pytest.fixture(scope="module")
def two_blocks(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> Path:
    from transformers import AutoConfig

    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("two") / "base"
    shutil.copytree(tiny_gpt2, folder)
    config = AutoConfig.from_pretrained(tiny_gpt2)
    config.n_layer = 2
    # 3 * 200 * 150 elements and more: tensors of several chunks.
    config.n_inner = 2200
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory, two_blocks: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("trio")
    models = {"base": two_blocks}
    for seed, (name, dtype) in enumerate({"a": torch.float32, "b": torch.bfloat16, "c": torch.float16}.items()):
        generator = torch.Generator().manual_seed(seed)

        def tune(_: str, tensor: torch.Tensor, dtype: torch.dtype = dtype, generator: Any = generator) -> torch.Tensor:
            return (tensor + torch.randn(tensor.shape, generator=generator) * 1e-3).to(dtype)

        models[name] = variant(two_blocks, folder / name, tune)
    return models


@pytest.fixture(scope="module")
def files_of_trio(tmp_path_factory: pytest.TempPathFactory, trio: dict[str, Path]) -> Path:
    tensors = load_file(trio["a"] / "model.safetensors")
    folder = tmp_path_factory.mktemp("files")
    masks = {name: torch.rand(tensor.shape) < 0.5 for name, tensor in tensors.items() if "h.1" not in name}
    save_file(masks, folder / "skill.safetensors")
    for name in "abc":
        model, _ = load_model(AutoModelForCausalLM, trio[name], "cpu")
        generator = torch.Generator().manual_seed(ord(name))
        texts = torch.randint(1, 300, (6, 12), generator=generator).tolist()
        write_statistic(fisher_information(model, texts, 1), folder / "fisher" / f"{name}.safetensors")
        write_statistic(input_grams(model, texts, 4), folder / "inputs" / f"{name}.safetensors")
    return folder


def point_of(how: Method, **weights: str) -> Point:
    rest = {"base": str(1 - sum(map(float, weights.values())))}
    return how.point(weights | rest, {})


@pytest.fixture(scope="module")
def held(trio: dict[str, Path]) -> WeightSpace:
    return WeightSpace(trio)


@pytest.mark.parametrize("name", METHODS)
def test_disk_and_memory_agree_bit_by_bit(
    name: str, held: WeightSpace, trio: dict[str, Path], files_of_trio: Path, tmp_path: Path
) -> None:
    how = method(*stages_of(name, files_of_trio))
    held.add_method(how)
    held._memory.clear()
    weights = {"a": "0.5", "b": "0.25"} if name == "slerp" else {"a": "0.5", "b": "0.25", "c": "0.125"}
    point = point_of(how, **weights)
    merge_by_method(point, how, trio, tmp_path / "merged")
    on_disk = load_file(tmp_path / "merged/model.safetensors")
    # The second time, what stages remember is used.
    for _ in range(2):
        held.set_point(Point.of({"base": 1}))
        held.set_point(point)
        in_memory = dict(held.model.named_parameters())
        assert on_disk.keys() == in_memory.keys()
        for tensor, values in on_disk.items():
            assert torch.equal(values, in_memory[tensor]), tensor
    merge(Point.of({"base": 1}), trio, tmp_path / "base")
    base = load_file(tmp_path / "base/model.safetensors")
    assert any(not torch.equal(base[tensor], values) for tensor, values in on_disk.items())


@pytest.mark.parametrize("broken", [[float("nan"), 0], [float("inf"), -float("inf")]])
@pytest.mark.parametrize("name", ["ties", "della", "slerp", "fisher", "regmean"])
def test_what_is_not_finite_is_refused(
    broken: list[float], name: str, trio: dict[str, Path], files_of_trio: Path, tmp_path: Path
) -> None:
    def damage(tensor: str, values: torch.Tensor) -> torch.Tensor:
        if tensor == "transformer.h.1.ln_1.bias":
            values[2:4] = torch.tensor(broken)
        return values

    models = trio | {"a": variant(trio["a"], tmp_path / "a", damage)}
    how = method(*stages_of(name, files_of_trio))
    with pytest.raises(UserError, match=r"model a \(.*\): tensor transformer.h.1.ln_1.bias holds NaN or inf"):
        merge_by_method(point_of(how, a="0.5", b="0.25"), how, models, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
