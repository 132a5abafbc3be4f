"""Linearity: hand-computed measures, the derivative against finite differences, models that are linear and not."""

import math
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import GPT2LMHeadModel

from lm_interpolation.analyses.linearity import (
    Comparison,
    expected_margin,
    linearity,
    logit_derivative,
    next_logits,
    write_linearity,
)
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point, Sweep, build_sweep
from lm_interpolation.points.interpolation import WeightSpace
from tests.small_gpu import halvings

DIRECTIONS = {
    "alpha": {"plus": Decimal(1), "base": Decimal(-1)},
    "beta": {"minus": Decimal(1), "base": Decimal(-1)},
}
BASE = Point.of({"base": 1})
PREFIXES = ["the film was", "the", "the end of the plot was not"]
WORDS = {"first": ["was"], "second": ["film"]}


def plane(*values: float, **changes: Any) -> Sweep:
    spec = {"space": "weights", "prompts": [], "origin": {"base": 1}, "directions": DIRECTIONS}
    return build_sweep("plane", spec | {"grid": {"alpha": list(values), "beta": list(values)}} | changes)


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def test_hand_computed_measures() -> None:
    # f = 1 + 2 a + 3 b + a^2 on {-1, 0, 1}^2, so that T = 1 + 2 a + 3 b is wrong by a^2.
    comparison = Comparison(scalar(1), scalar(2), scalar(3))
    rows = {(a, b): comparison.add(a, b, scalar(1 + 2 * a + 3 * b + a * a)) for b in (-1, 0, 1) for a in (-1, 0, 1)}
    assert rows[-1, 1] == {"value": 3, "prediction": 2, "change": 2, "error": 1, "relative_error": 0.5}
    assert rows[0, 0] == {"value": 1, "prediction": 1, "change": 0, "error": 0, "relative_error": 0}
    # f(1, -1) = f(0, 0), T(1, -1) = 0.
    assert rows[1, -1]["change"] == 0 and rows[1, -1]["error"] == 1 and math.isnan(rows[1, -1]["relative_error"])
    summary = comparison.summary(0.25)
    # Residual: 6 x 1. Total: 3 sum (2 a + a^2 - 2/3)^2 + 3 sum (3 b)^2 = 26 + 54.
    assert summary["r2"] == pytest.approx(1 - 6 / 80) and summary["r2_unit"] == pytest.approx(1 - 6 / 80)
    assert (summary["c1"], summary["c2"], summary["tolerance"]) == (2, 3, 0.25)
    # Relative errors: a = 0: 0, 0; a = -1: 1/4, 1, 1/2; a = 1: missing, 1/3, 1/6.
    assert summary["share_within"] == 4 / 8 and summary["reach"] == 0


def test_vectors_have_norms_and_the_slopes_root_mean_square() -> None:
    base, slopes = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[[3.0, 1.0]], [[0.0, 2.0]]]).double()
    comparison = Comparison(base, *slopes)
    row = comparison.add(1, 2, torch.tensor([[0.0, 1.0]]).double())
    assert math.isnan(row["value"]) and math.isnan(row["prediction"])
    # T = (3, 5), f = (0, 1).
    assert (row["change"], row["error"], row["relative_error"]) == (1, 5, 5)
    summary = comparison.summary(0.1)
    assert summary["c1"] == pytest.approx(math.sqrt(5)) and summary["c2"] == pytest.approx(math.sqrt(2))


def test_reach_and_the_unit_square() -> None:
    comparison = Comparison(scalar(0), scalar(1), scalar(0))
    errors = {0.5: 0.0, -1: 0.05, 1: 0.0, 2: 0.1, 3: 0.2, -3: 0.0, 4: 0.0}
    for a, relative in errors.items():
        # T = a; f = a / (1 - relative) is off by that part of itself.
        comparison.add(a, 0, scalar(a / (1 - relative)))
    summary = comparison.summary(0.15)
    # At 3 one of two points breaks it, so that 4 does not count either.
    assert summary["reach"] == 2 and summary["share_within"] == pytest.approx(6 / 7)
    values = [0.5, -1 / 0.95, 1]
    mean = sum(values) / 3
    assert summary["r2_unit"] == pytest.approx(1 - (1 / 0.95 - 1) ** 2 / sum((v - mean) ** 2 for v in values))
    assert comparison.summary(1)["reach"] == 4 and comparison.summary(0.01)["reach"] == 0.5


def test_r2_is_missing_where_it_means_nothing() -> None:
    few, still = Comparison(scalar(0), scalar(1), scalar(1)), Comparison(scalar(2), scalar(0), scalar(0))
    for a, b in ((0, 0), (1, 0), (2, 0), (3, 0)):
        few.add(a, b, scalar(a))
        still.add(a, b, scalar(2))
    assert few.summary(0.1)["r2"] == 1 and math.isnan(few.summary(0.1)["r2_unit"])
    # f that neither moves nor should: no error, no variance.
    assert math.isnan(still.summary(0.1)["r2"]) and still.summary(0.1)["share_within"] == 1


def test_margin_by_hand() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.125, 0.125], [0.1, 0.2, 0.3, 0.4]]).double().log() + 3
    first, second = torch.tensor([[0, 1], [0, 1]]), torch.tensor([[2], [3]])
    # (0.5 + 0.25 - 0.125 + 0.1 + 0.2 - 0.4) / 2
    assert float(expected_margin(logits, first, second)) == pytest.approx(0.2625)


def save_models(directory: Path, tokenizer: Path, tied: bool, only: str = "") -> dict[str, Path]:
    """A random GPT-2 of 2 layers, and two others with the weights whose name contains ``only`` moved at random."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    sizes = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 32, "vocab_size": 300}
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt2", tie_word_embeddings=tied, **sizes, **ids))
    base = {key: tensor.clone() for key, tensor in model.named_parameters()}
    for name, step in (("base", 0.0), ("plus", 0.05), ("minus", 0.05)):
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.copy_(base[key] + (step * torch.randn_like(parameter) if only in key else 0))
        model.save_pretrained(directory / name)
        AutoTokenizer.from_pretrained(tokenizer).save_pretrained(directory / name)
    return {name: directory / name for name in ("base", "plus", "minus")}


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> WeightSpace:
    models = save_models(tmp_path_factory.mktemp("tied"), tiny_tokenizer, tied=True)
    return WeightSpace(models, attention="eager")


@pytest.fixture(scope="module")
def linear_space(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> WeightSpace:
    """Only the output layer differs, on which the logits depend linearly."""
    models = save_models(tmp_path_factory.mktemp("untied"), tiny_tokenizer, tied=False, only="lm_head")
    return WeightSpace(models, attention="eager")


def run(
    space: WeightSpace, sweep: Sweep, words: dict[str, list[str]] = WORDS, origin: Point = BASE, batch_size: int = 2
) -> tuple[pd.DataFrame, pd.DataFrame]:
    return linearity(space, sweep, origin, DIRECTIONS, PREFIXES, words, 0.1, batch_size)


def test_derivative_against_a_central_difference_in_float64(space: WeightSpace) -> None:
    import copy

    model = copy.deepcopy(space.model).double()
    weights = {name: {k: t.double() for k, t in space.parameters(name).items()} for name in space.names}
    double: Any = SimpleNamespace(model=model, parameters=lambda name: weights[name])
    encoded = [space.tokenizer(prefix).input_ids for prefix in PREFIXES]
    derivative = logit_derivative(double, BASE, DIRECTIONS["alpha"], encoded, AdaptiveBatches(2))
    assert derivative.shape == (3, 300) and derivative.dtype == torch.float64

    def at(a: float) -> torch.Tensor:
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.copy_(weights["base"][key] + a * (weights["plus"][key] - weights["base"][key]))
        return next_logits(model, encoded, AdaptiveBatches(2))

    step = 1e-4
    expected = (at(step) - at(-step)) / (2 * step)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(derivative, expected, rtol=0, atol=1e-6)
    # The same in float32, as it runs.
    single = logit_derivative(space, BASE, DIRECTIONS["alpha"], encoded, AdaptiveBatches(2))
    torch.testing.assert_close(single, expected, rtol=0, atol=1e-5)


def test_a_linear_model_is_found_linear(linear_space: WeightSpace) -> None:
    table, summary = run(linear_space, plane(-2, -1, 0, 0.5, 1, 2))
    assert len(table) == 2 * 36 and summary["quantity"].tolist() == ["logits", "margin"]
    logits = table[table["quantity"] == "logits"]
    assert logits["relative_error"].max() < 1e-5 and logits["change"].median() > 0.1
    found = summary.set_index("quantity").loc["logits"]
    assert found["r2"] == pytest.approx(1, abs=1e-9) and found["r2_unit"] == pytest.approx(1, abs=1e-9)
    assert found["share_within"] == 1 and found["reach"] == 2
    # J d1 = h (W+ - W0)^T: the change at (1, 0) itself.
    unit = logits[(logits["alpha"] == 1) & (logits["beta"] == 0)]["change"].item()
    assert found["c1"] == pytest.approx(unit / math.sqrt(3 * 300), rel=1e-5)


def test_a_model_is_linear_only_close_by(space: WeightSpace) -> None:
    table, summary = run(space, plane(-4, -0.5, -0.04, -0.02, 0, 0.02, 0.04, 0.5, 4))
    for quantity in ("logits", "margin"):
        part: Any = table[table["quantity"] == quantity].set_index(["alpha", "beta"])
        assert part.loc[(0, 0), ["change", "error", "relative_error"]].tolist() == [0, 0, 0]
        assert part.loc[(4, 4), "relative_error"] > 0.3
    part = table[table["quantity"] == "logits"].set_index(["alpha", "beta"])
    # The rest of a first-order expansion is of second order: 4 times smaller at half the distance.
    for axis in ((1, 0), (0, 1)):
        near, far = (sum(part.loc[(s * r * axis[0], s * r * axis[1]), "error"] for s in (-1, 1)) for r in (0.02, 0.04))
        assert far / near == pytest.approx(4, rel=0.15)
    found = summary.set_index("quantity").loc["logits"]
    assert found["r2"] < found["r2_unit"] < 1 and 0 < found["share_within"] < 1 and found["reach"] in (0.02, 0.04, 0.5)


def test_theta0_has_no_change_whatever_the_way_to_it(space: WeightSpace) -> None:
    # Turned round, a walk along the line may start from another model.
    back = {coordinate: {m: -c for m, c in direction.items()} for coordinate, direction in DIRECTIONS.items()}
    sweep = plane(-1, -0.3, 0, directions=back)
    table, _ = linearity(space, sweep, BASE, back, PREFIXES, WORDS, 0.1, 2)
    rows = table[(table["alpha"] == 0) & (table["beta"] == 0)]
    assert len(rows) == 2 and (rows[["change", "error", "relative_error"]] == 0).all(axis=None)


def test_margin_of_a_model_against_explicit_steps(space: WeightSpace) -> None:
    table, summary = run(space, plane(-1, 1), {"first": ["was", "the"], "second": ["film"]})
    tokens = {word: space.tokenizer(f" {word}").input_ids for word in ("was", "the", "film")}
    assert all(len(ids) == 1 for ids in tokens.values())

    def margin(point: Point) -> float:
        space.set_point(point)
        total = 0.0
        for prefix in PREFIXES:
            with torch.no_grad():
                logits = space.model(torch.tensor([space.tokenizer(prefix).input_ids])).logits[0, -1]
            p = logits.double().softmax(-1)
            total += float(p[tokens["was"][0]] + p[tokens["the"][0]] - p[tokens["film"][0]])
        return total / len(PREFIXES)

    rows = table[table["quantity"] == "margin"]
    found = summary.set_index("quantity").loc["margin"]
    for row in rows.itertuples():
        assert row.value == pytest.approx(margin(Point.parse(str(row.point))), abs=1e-7)
        linear = margin(BASE) + row.alpha * found["c1"] + row.beta * found["c2"]
        assert row.prediction == pytest.approx(linear, abs=1e-7)
        assert row.change == pytest.approx(abs(row.value - margin(BASE)), abs=1e-7)
    step = Decimal("0.01")
    up, down = (margin(Point.of({"base": 1 - s, "plus": s})) for s in (step, -step))
    assert found["c1"] == pytest.approx((up - down) / 0.02, rel=0.02)


def test_results_do_not_depend_on_batches(space: WeightSpace) -> None:
    tables = [run(space, plane(-1, 0, 1), batch_size=size)[0] for size in (1, 3)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-3, atol=1e-6)


def test_batches_fit_into_gpu_memory(
    space: WeightSpace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, _ = run(space, plane(-1, 0, 1), batch_size=8)
    forward, sizes = GPT2LMHeadModel.forward, []

    def forward_of_small_batches(self: Any, *, input_ids: torch.Tensor, **rest: Any) -> Any:
        # A derivative takes more memory than the logits alone.
        derivative = torch._C._functorch.is_functorch_wrapped_tensor(self.transformer.wpe.weight)
        sizes.append((derivative, len(input_ids)))
        if derivative and len(input_ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return forward(self, input_ids=input_ids, **rest)

    monkeypatch.setattr(GPT2LMHeadModel, "forward", forward_of_small_batches)
    table, _ = run(space, plane(-1, 0, 1), batch_size=8)
    assert sizes[:3] == [(False, 3), (True, 3), (True, 1)] and set(sizes[3:]) == {(True, 1), (False, 1)}
    assert halvings(capsys) == 1
    pd.testing.assert_frame_equal(table, expected, rtol=1e-3, atol=1e-6)
    # Whatever smaller batches round, at theta0 nothing changes.
    at0 = table[(table["alpha"] == 0) & (table["beta"] == 0)]
    assert (at0[["change", "error", "relative_error"]] == 0).all(axis=None)


def test_words_of_several_tokens_are_left_out_and_told(space: WeightSpace, capsys: pytest.CaptureFixture[str]) -> None:
    table, _ = run(space, plane(0, 1), {"first": ["was", "awful"], "second": ["film", "splendid"]})
    expected, _ = run(space, plane(0, 1))
    assert "left out of the margin, since they are several tokens: awful, splendid" in capsys.readouterr().err
    pd.testing.assert_frame_equal(table, expected)
    with pytest.raises(UserError, match="words: no word of second is a single token after every prefix"):
        run(space, plane(0, 1), {"first": ["was"], "second": ["splendid"]})


def test_mistakes_are_refused(space: WeightSpace) -> None:
    with pytest.raises(UserError, match=r"sweep plane: has coordinates \['alpha'\]"):
        run(space, plane(directions={"alpha": DIRECTIONS["alpha"]}, grid={"alpha": [0, 1]}))
    with pytest.raises(UserError, match=r"sweeps\.plane\.origin: base=0\.5\+plus=0\.5 is a mixture"):
        run(space, plane(0, 1), origin=Point.of({"base": 0.5, "plus": 0.5}))
    with pytest.raises(UserError, match=r"words: has the groups \['first'\]; give two"):
        run(space, plane(0, 1), {"first": ["was"]})
    with pytest.raises(UserError, match="words: 'was' is listed twice"):
        run(space, plane(0, 1), {"first": ["was"], "second": ["was"]})
    long = "x" * 40
    with pytest.raises(UserError, match=f"prompt '{long}': 40 tokens, with a word, exceed the model's context of 32"):
        linearity(space, plane(0, 1), BASE, DIRECTIONS, [long], WORDS, 0.1, 2)


def test_a_logit_that_is_not_finite_is_an_error(tmp_path: Path, tiny_tokenizer: Path) -> None:
    import safetensors.torch

    models = save_models(tmp_path, tiny_tokenizer, tied=False)
    weights = safetensors.torch.load_file(models["plus"] / "model.safetensors")
    # Finite weights, but products beyond float32.
    weights["transformer.ln_f.weight"] *= 1e30
    weights["lm_head.weight"] *= 1e30
    safetensors.torch.save_file(weights, models["plus"] / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"point plus=1: a logit after 'the film was' is not finite"):
        run(WeightSpace(models, attention="eager"), plane(0, 1))


def test_files(tmp_path: Path) -> None:
    head = {"sweep": "s", "alpha": [0.0, 1.052632], "beta": 0.5, "point": ["base=1", "plus=1"]}
    values = {"quantity": ["logits", "margin"], "value": [math.nan, 1 / 3], "prediction": [math.nan, 1.0]}
    table = pd.DataFrame(head | values | {"change": 1e-9 / 3, "error": 2.0, "relative_error": [0.0, math.nan]})
    summary = pd.DataFrame([{"quantity": "logits"} | Comparison(scalar(1), scalar(2), scalar(2 / 3)).summary(0.1)])
    write_linearity(table, summary, tmp_path / "t.csv", tmp_path / "s.csv")
    assert (tmp_path / "t.csv").read_text() == (
        "sweep,alpha,beta,point,quantity,value,prediction,change,error,relative_error\n"
        "s,0.0,0.5,base=1,logits,,,3.33333e-10,2,0\n"
        "s,1.052632,0.5,plus=1,margin,0.333333,1,3.33333e-10,2,\n"
    )
    assert (tmp_path / "s.csv").read_text() == (
        "quantity,c1,c2,r2,r2_unit,tolerance,share_within,reach\nlogits,2,0.666667,,,0.1,,0\n"
    )
