import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file as load_numpy
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points import interpolation
from lm_interpolation.points.algebra import Point, Sweep, build_sweep
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.merging import merge

HEAD = "lm_head.weight"


def variant(source: Path, target: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """A copy of a model directory with its tensors changed in place by ``change``."""
    shutil.copytree(source, target)
    tensors = load_file(source / "model.safetensors")
    change(tensors)
    save_file(tensors, target / "model.safetensors")
    return target


def noise(seed: int, size: float) -> Callable[[dict[str, torch.Tensor]], object]:
    def add(tensors: dict[str, torch.Tensor]) -> None:
        generator = torch.Generator().manual_seed(seed)
        for name in sorted(tensors):
            tensors[name] += torch.randn(tensors[name].shape, generator=generator) * size

    return add


@pytest.fixture(scope="module")
def trio(tmp_path_factory, tiny_gpt2) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("trio")
    base = variant(tiny_gpt2, folder / "base", noise(0, 0.1))
    # Fine-tuning moves little, and cancellation shows where it is lost.
    return {
        "base": base,
        "negative": variant(base, folder / "negative", noise(1, 1e-3)),
        "positive": variant(base, folder / "positive", noise(2, 1e-3)),
    }


def plane(name: str = "plane", origin: dict | None = None, **grid: list) -> Sweep:
    directions = {"alpha": {"positive": 1, "base": -1}, "beta": {"negative": 1, "base": -1}}
    spec = {"origin": origin or {"base": 1}, "directions": directions, "grid": grid, "space": "weights", "prompts": []}
    return build_sweep(name, spec)


def line(direction: dict, values: list, origin: dict) -> Sweep:
    spec = {"origin": origin, "directions": {"t": direction}, "grid": {"t": values}, "space": "weights", "prompts": []}
    return build_sweep("line", spec)


def live(space: WeightSpace) -> dict[str, np.ndarray]:
    state = space.model.state_dict()
    assert torch.equal(state[HEAD], state["transformer.wte.weight"])
    return {name: tensor.numpy().copy() for name, tensor in state.items() if name != HEAD}


def merged(point: Point, models: dict[str, Path], folder: Path) -> dict[str, np.ndarray]:
    merge(point, models, folder / "merged")
    return load_numpy(folder / "merged/model.safetensors")


def assert_close(point: Point, found: dict, wanted: dict, space: WeightSpace, tolerance: float) -> None:
    """Per element: within ``tolerance`` times max |c_m| times max |theta_m|."""
    assert found.keys() == wanted.keys()
    largest = max(abs(float(coefficient)) for _, coefficient in point.coefficients)
    for name, values in wanted.items():
        scale = largest * np.maximum.reduce([np.abs(space.parameters(model)[name].numpy()) for model in space.names])
        assert (np.abs(found[name] - values) <= tolerance * scale).all(), (point.id, name)
    if len(point.coefficients) == 1:
        for name, values in space.parameters(point.models[0]).items():
            np.testing.assert_array_equal(found[name], values.numpy())


@pytest.mark.parametrize(
    "coefficients",
    [
        {"base": 1},
        {"negative": 1},
        {"positive": 1},
        {"positive": 0.5, "negative": 0.5},
        {"base": 1, "positive": 1, "negative": -1},
        {"base": -7, "positive": 4, "negative": 4},
        {"base": 1, "positive": 1000, "negative": -1000},
        {"base": "0.157896", "positive": "0.421053", "negative": "0.421051"},
    ],
)
def test_set_point_equals_merge(tmp_path, trio, coefficients):
    point = Point.of(coefficients)
    space = WeightSpace(trio)
    space.set_point(Point.of({"base": -3, "negative": 4}))  # leaves no trace
    space.set_point(point)
    wanted = merged(point, trio, tmp_path)
    # One rounding to float32, of sums in float64 that may differ in their last bits.
    assert_close(point, live(space), wanted, space, 2**-24)


def test_set_point_by_hand(tmp_path, tiny_gpt2):
    def fill(value: float) -> Callable[[dict[str, torch.Tensor]], object]:
        return lambda tensors: [tensor.fill_(value) for tensor in tensors.values()]

    models = {name: variant(tiny_gpt2, tmp_path / name, fill(value)) for name, value in (("a", 1.5), ("b", -2.0))}
    space = WeightSpace(models)
    assert space.names == ("a", "b")
    assert (live(space)["transformer.wpe.weight"] == 1.5).all()  # the first model, before any point is set
    space.set_point(Point.of({"a": 3, "b": -2}))
    assert all((values == 3 * 1.5 + 2 * 2.0).all() for values in live(space).values())
    assert (space.parameters("b")["transformer.wpe.weight"] == -2.0).all()


def test_chunks_make_no_difference(trio, monkeypatch):
    space = WeightSpace(trio)
    point = Point.of({"base": 1, "positive": 2.5, "negative": -2.5})
    space.set_point(point)
    whole = live(space)
    monkeypatch.setattr(interpolation, "CHUNK", 7)
    space.set_point(Point.of({"base": 1}))
    space.set_point(point)
    for name, values in live(space).items():
        np.testing.assert_array_equal(values, whole[name])


@pytest.mark.parametrize(
    "sweep",
    [
        plane(alpha=[-4, -1, 0, "0.421053", 1, 4], beta=[-4, 0, 4]),
        plane(alpha=[-4, 0, 1], beta=[0], origin={"positive": 2, "negative": -1}),
        line({"positive": 1, "negative": -1}, [-8, -1, 0, 0.5, 1, 9], {"negative": 1}),
        # Far from the origin, where the base's coefficient goes through 0.
        line({"positive": 1, "base": -1}, [98, 99, 100, 101], {"base": 100, "negative": -99}),
        # Short lines.
        plane(alpha=[0, 1], beta=[-1, 2]),
    ],
    ids=["plane", "other origin", "line", "far", "short"],
)
def test_visit_equals_merge_at_every_point(tmp_path, trio, sweep):
    space = WeightSpace(trio)
    seen = []
    for entry in space.visit(sweep):
        # a, d and a + t d are each rounded to float32.
        assert_close(entry.point, live(space), merged(entry.point, trio, tmp_path), space, 1e-6)
        seen.append(entry)
    assert tuple(seen) == sweep.points


def test_points_beside_the_line_are_exact(tmp_path, trio):
    # 1/3 of a coordinate has no finite number of digits: rounded points lie up to 1e-6 beside the line, which shows
    # where models are far apart.
    models = {"base": trio["base"], "other": variant(trio["base"], tmp_path / "other", noise(3, 1.0))}
    sweep = line({"other": "0.333333", "base": "-0.333333"}, ["0.1", "0.2", "0.3", "0.4", "0.5"], {"base": 1})
    space = WeightSpace(models)
    for entry in space.visit(sweep):
        assert_close(entry.point, live(space), merged(entry.point, models, tmp_path), space, 2**-22)


def test_a_line_reads_parents_once(trio, monkeypatch):
    space = WeightSpace(trio)
    calls = []
    combine = space._combine
    monkeypatch.setattr(space, "_combine", lambda *arguments: (calls.append(1), combine(*arguments)))
    addresses = {tensor.data_ptr() for tensor in space.model.parameters()}
    sweep = plane(alpha=[-1, "0.5", 2, 3, 4], beta=[-1, 0, 2])
    assert len(list(space.visit(sweep))) == 15
    # a and d for each of the three lines; no point is a single model.
    assert len(calls) == 2 * 3
    assert {tensor.data_ptr() for tensor in space.model.parameters()} == addresses


def test_live_model_computes_what_the_merged_one_does(tmp_path, trio):
    space = WeightSpace(trio)
    assert not space.model.training
    assert not any(parameter.requires_grad for parameter in space.model.parameters())
    point = Point.of({"base": 1, "positive": 3, "negative": -3})
    space.set_point(point)
    merge(point, trio, tmp_path / "merged")
    ids = torch.tensor([space.tokenizer("the film was good").input_ids])
    with torch.inference_mode():
        found = space.model(ids).logits
        wanted = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()(ids).logits
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_attention(trio):
    assert WeightSpace({"base": trio["base"]}).model.config._attn_implementation == "sdpa"
    model = WeightSpace({"base": trio["base"]}, attention="eager").model
    assert model.config._attn_implementation == "eager"
    ids = torch.tensor([[1, 2, 3]])
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, WeightSpace(trio).model(ids).logits, rtol=1e-5, atol=1e-5)


def test_models_that_do_not_fit_are_refused(tmp_path, trio):
    taller = variant(
        trio["base"],
        tmp_path / "taller",
        lambda tensors: tensors.update({"transformer.wpe.weight": torch.zeros(33, 16)}),
    )
    with pytest.raises(UserError, match=r"models base .* and taller .* cannot be combined: tensor transformer.wpe"):
        WeightSpace({"base": trio["base"], "taller": taller})


def test_tied_tensors_that_differ_are_refused(tmp_path, trio):
    untied = variant(
        trio["base"],
        tmp_path / "untied",
        lambda tensors: tensors.update({HEAD: tensors["transformer.wte.weight"] + 1}),
    )
    with pytest.raises(UserError, match=r"untied: lm_head.weight and transformer.wte.weight are tied .* but differ"):
        WeightSpace({"untied": untied})


def test_weights_that_are_not_finite_are_named(tmp_path, trio):
    name = "transformer.h.0.mlp.c_fc.weight"
    broken = variant(trio["base"], tmp_path / "broken", lambda tensors: tensors[name][2, 3].fill_(float("nan")))
    with pytest.raises(UserError, match=rf"model broken \(.*broken\): tensor {name} holds NaN or inf"):
        WeightSpace({"base": trio["base"], "broken": broken})

    large = variant(trio["base"], tmp_path / "large", lambda tensors: tensors[name][2, 3].fill_(1e38))
    space = WeightSpace({"base": trio["base"], "large": large})
    space.set_point(Point.of({"base": -2, "large": 3}))
    with pytest.raises(UserError, match=rf"point base=-3\+large=4: tensor {name} exceeds the range of float32; use"):
        space.set_point(Point.of({"base": -3, "large": 4}))
    visited = []
    with pytest.raises(UserError, match=rf"point base=-4\+large=5: tensor {name} exceeds"):
        for entry in space.visit(line({"large": 1, "base": -1}, [0, 1, 2, 5], {"base": 1})):
            visited.append(entry.point.id)
    assert visited == ["base=1", "large=1", "base=-1+large=2"]


def test_buffers_must_be_equal(trio):
    space = WeightSpace({"base": trio["base"]})
    one, two = (AutoModelForCausalLM.from_pretrained(trio["base"]) for _ in range(2))
    one.register_buffer("steps", torch.tensor([1, 2]))
    two.register_buffer("steps", torch.tensor([1, 3]))
    space.model = one
    space._check_buffers("same", one)
    with pytest.raises(UserError, match="models base and other: buffer steps differs"):
        space._check_buffers("other", two)


def test_wrong_calls(trio):
    space = WeightSpace({"base": trio["base"]})
    with pytest.raises(ValueError, match=r"needs \['positive'\], but the models held are \['base'\]"):
        space.set_point(Point.of({"base": 0.5, "positive": 0.5}))
    sweep = line({"positive": 1, "negative": -1}, [0, 1], {"base": 1})
    ensemble = Sweep(sweep.name, "logits", sweep.prompts, sweep.coordinates, sweep.points)
    with pytest.raises(UserError, match=r"sweeps.line.space: logits; only points in the space of weights are models"):
        next(space.visit(ensemble))


def test_the_live_model_has_the_context_that_all_models_have(tmp_path: Path, tiny_tokenizer: Path) -> None:
    sizes = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
    models = {}
    for name, context in (("long", 64), ("short", 48)):
        config = AutoConfig.for_model("llama", vocab_size=300, max_position_embeddings=context, **sizes)
        AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / name)
        AutoTokenizer.from_pretrained(tiny_tokenizer).save_pretrained(tmp_path / name)
        models[name] = tmp_path / name
    assert WeightSpace(models).model.config.max_position_embeddings == 48
