"""Permutations that change no output, and weight matching, which finds the best ones it can."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.rebasin import SWEEPS, Order, Tensors, _best_heads, match, permute
from lm_interpolation.models.symmetries import KINDS, SUPPORTED, Heads, Symmetry, Units, symmetries, unknown

GPT2 = {"n_layer": 2, "n_embd": 12, "n_head": 3, "n_positions": 16}
LLAMA = {
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 16,
}
GROUPED = LLAMA | {"num_key_value_heads": 2}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", GPT2),
    "gpt2-untied": ("gpt2", GPT2 | {"tie_word_embeddings": False, "n_inner": 20}),
    "llama": ("llama", LLAMA),
    "llama-grouped": ("llama", GROUPED | {"tie_word_embeddings": True}),
    "llama-one-group": ("llama", LLAMA | {"num_key_value_heads": 1}),
    "llama-biases": ("llama", GROUPED | {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("mistral", GROUPED | {"head_dim": 6, "sliding_window": 8}),
    "qwen2": ("qwen2", GROUPED),
}


def made(name: str, seed: int = 0) -> Any:
    """A tiny model whose parameters, norms and biases included, all differ."""
    kind, options = MODELS[name]
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, vocab_size=40, **options, **ids)).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * 0.3
            parameter.copy_(1 + noise if "norm" in key or "ln_" in key else noise)
    return model


def tensors_of(model: Any) -> Tensors:
    return {name: parameter.detach().numpy().copy() for name, parameter in model.named_parameters()}


def found_in(model: Any) -> list[Symmetry]:
    return symmetries(model.config.to_dict(), {name: tuple(p.shape) for name, p in model.named_parameters()})


class Norm(torch.nn.Module):
    """The norm of Llama; transformers computes it in float32, whatever the model is in."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.weight, self.epsilon = norm.weight, norm.variance_epsilon

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.weight * hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + self.epsilon)


def logits(model: Any, tensors: Tensors) -> np.ndarray:
    """Logits in float64 with these weights."""
    for above in list(model.modules()):
        for name, module in above.named_children():
            if hasattr(module, "variance_epsilon"):
                setattr(above, name, Norm(module))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(tensors[name]))
        ids = torch.randint(0, 40, (3, 14), generator=torch.Generator().manual_seed(1))
        found = model.double()(ids, attention_mask=torch.ones_like(ids)).logits.numpy()
        model.float()
    return found


def planted(symmetry: Symmetry, generator: np.random.Generator) -> list[Order]:
    """Any of its permutations."""
    if isinstance(symmetry, Units):
        return [generator.permutation(symmetry.units.size)]
    groups, queries, width = symmetry.groups, symmetry.queries, symmetry.width
    query, key, value, output = [], [], [], []
    for group in generator.permutation(groups):
        inner = np.arange(width) if symmetry.rotary else generator.permutation(width)
        values = generator.permutation(width)
        key.append(group * width + inner)
        value.append(group * width + values)
        for head in group * queries + generator.permutation(queries):
            query.append(head * width + inner)
            output.append(head * width + values)
    return [np.concatenate(side) for side in (query, key, value, output)]


def scattered(tensors: Tensors, found: list[Symmetry], seed: int) -> Tensors:
    """The same model with its units in another order."""
    moved, generator = dict(tensors), np.random.default_rng(seed)
    for symmetry in found:
        permute(moved, symmetry, planted(symmetry, generator))
    return moved


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), KINDS], ids="+".join)
def test_permutations_change_no_logits(name: str, kinds: tuple[str, ...]) -> None:
    model = made(name)
    tensors = tensors_of(model)
    found = [symmetry for symmetry in found_in(model) if symmetry.kind in kinds]
    moved = scattered(tensors, found, 3)
    assert any(not np.array_equal(moved[key], tensors[key]) for key in tensors)
    np.testing.assert_allclose(logits(model, moved), logits(model, tensors), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["llama", "llama-grouped"])
def test_rotary_positions_hold_the_units_of_queries_and_keys_in_place(name: str) -> None:
    model = made(name)
    tensors = tensors_of(model)
    heads = next(symmetry for symmetry in found_in(model) if isinstance(symmetry, Heads))
    turned = [np.arange(side.size).reshape(-1, heads.width)[:, ::-1].reshape(-1) for side in heads.sides]
    values_only = [np.sort(turned[0]), np.sort(turned[1]), turned[2], turned[3]]
    keys_too = [turned[0], turned[1], np.sort(turned[2]), np.sort(turned[3])]
    plain = logits(model, tensors)
    for orders, same in ((values_only, True), (keys_too, False)):
        moved = dict(tensors)
        permute(moved, heads, orders)
        assert np.allclose(logits(model, moved), plain, rtol=0, atol=1e-12) == same


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", range(3))
def test_a_planted_permutation_is_found(name: str, seed: int) -> None:
    model = made(name)
    target, found = tensors_of(model), found_in(model)
    moved = scattered(target, found, seed)
    matching = match(target, moved, found, seed)
    assert matching.distance_before > 0.1 and matching.distance_after == 0 and matching.converged
    assert all(np.array_equal(moved[key], target[key]) for key in target)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_stays_as_it_is_if_it_is_the_target(name: str) -> None:
    model = made(name)
    target = tensors_of(model)
    same = dict(target)
    matching = match(target, same, found_in(model), 0)
    assert all(same[key] is target[key] for key in target)
    assert matching.plain() | {"inner_products": None} == {
        "sweeps": 1,
        "converged": True,
        "inner_products": None,
        "distance": {"before": 0.0, "after": 0.0},
    }


def test_of_equal_units_none_changes_its_place() -> None:
    model = made("gpt2")
    target = {key: np.ones_like(value) for key, value in tensors_of(model).items()}
    same = dict(target)
    match(target, same, found_in(model), 0)
    assert all(same[key] is target[key] for key in target)


@pytest.mark.parametrize("name", MODELS)
def test_unrelated_models_come_closer_and_compute_the_same(name: str) -> None:
    model = made(name, 1)
    target, before = tensors_of(made(name, 2)), tensors_of(model)
    after, sweeps = dict(before), []
    matching = match(target, after, found_in(model), 0, sweeps.append)
    products = matching.inner_products
    assert (np.diff(products) >= 0).all() and products[-1] > products[0] and matching.converged
    assert sweeps == list(range(1, len(products))) and len(sweeps) < SWEEPS
    assert products[-1] == pytest.approx(sum(np.vdot(target[k].astype(float), after[k]) for k in target), rel=1e-12)
    norm = math.sqrt(sum(np.square(target[k].astype(float)).sum() for k in target))
    for distance, tensors in ((matching.distance_before, before), (matching.distance_after, after)):
        apart = math.sqrt(sum(np.square(target[k].astype(float) - tensors[k]).sum() for k in target))
        assert distance == pytest.approx(apart / norm, rel=1e-12)
    assert matching.distance_after < matching.distance_before
    # The bits are those of the model, at other places.
    for key in before:
        bits = [np.sort(tensors[key].view(np.uint32), axis=None) for tensors in (before, after)]
        assert np.array_equal(*bits), key
    np.testing.assert_allclose(logits(model, after), logits(model, before), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_asked_for_changes_its_place(kind: str) -> None:
    model = made("llama-grouped", 1)
    target, before = tensors_of(made("llama-grouped", 2)), tensors_of(model)
    after = dict(before)
    match(target, after, [symmetry for symmetry in found_in(model) if symmetry.kind == kind], 0)
    moved = {key.rsplit(".", 2)[-2] for key in before if after[key] is not before[key]}
    attention, mlp = {"q_proj", "k_proj", "v_proj", "o_proj"}, {"gate_proj", "up_proj", "down_proj"}
    norms = {"input_layernorm", "post_attention_layernorm", "norm", "embed_tokens"}
    assert moved == {"residual": attention | mlp | norms, "heads": attention, "mlp": mlp}[kind]


def test_the_seed_decides() -> None:
    model = made("gpt2", 1)
    target, before, found = tensors_of(made("gpt2", 2)), tensors_of(model), found_in(model)
    runs = []
    for seed in (0, 0, 1, 2, 3):
        after = dict(before)
        runs.append((match(target, after, found, seed), np.concatenate([value.ravel() for value in after.values()])))
    assert runs[0][0] == runs[1][0] and np.array_equal(runs[0][1], runs[1][1])
    assert len({run[0].inner_products[-1] for run in runs}) > 1


@given(
    seed=st.integers(0, 2**32),
    rotary=st.booleans(),
    sizes=st.sampled_from([(3, 1, 2), (2, 1, 3), (2, 2, 2), (1, 3, 2)]),
)
def test_heads_are_the_best_of_all_permutations(seed: int, rotary: bool, sizes: tuple[int, int, int]) -> None:
    """With one query head for each group it is the best one; with more it is at least as good as the present one."""
    groups, queries, width = sizes
    heads = Heads(groups, queries, width, rotary, (), (), (), ())
    generator = np.random.default_rng(seed)
    products = [generator.standard_normal((side.size, side.size)) for side in heads.sides]
    gain, orders = _best_heads(heads, *products)

    def value(orders: list[Order]) -> float:
        return sum(float(one[np.arange(len(one)), order].sum()) for one, order in zip(products, orders, strict=True))

    here = [np.arange(len(one)) for one in products]
    assert gain == pytest.approx(value(orders) - value(here), abs=1e-9) and gain >= -1e-9
    everything = list(every_order(heads))
    assert tuple(map(tuple, orders)) in {tuple(map(tuple, one)) for one in everything}
    if queries == 1:
        assert value(orders) == pytest.approx(max(map(value, everything)), abs=1e-9)


@pytest.mark.parametrize("seed", [3, 12, 18])
def test_grouped_heads_never_lose_what_they_have(seed: int) -> None:
    """Here the outputs of query heads are in order already, while their queries call for another order."""
    heads, generator = Heads(1, 3, 2, True, (), (), (), ()), np.random.default_rng(seed)
    products = [generator.standard_normal((side.size, side.size)) for side in heads.sides]
    products[3] += 1.5 * np.eye(6)
    assert _best_heads(heads, *products)[0] >= -1e-9


def every_order(heads: Heads) -> Any:
    """All permutations of these heads."""
    groups, queries, width = heads.groups, heads.queries, heads.width
    units = list(itertools.permutations(range(width)))
    inner = [tuple(range(width))] if heads.rotary else units
    within = list(itertools.product(itertools.permutations(range(queries)), inner, units))
    for order in itertools.permutations(range(groups)):
        for chosen in itertools.product(within, repeat=groups):
            query, key, value, output = [], [], [], []
            for group, (of_heads, of_keys, of_values) in zip(order, chosen, strict=True):
                key += [group * width + unit for unit in of_keys]
                value += [group * width + unit for unit in of_values]
                for head in of_heads:
                    query += [(group * queries + head) * width + unit for unit in of_keys]
                    output += [(group * queries + head) * width + unit for unit in of_values]
            yield [np.array(side) for side in (query, key, value, output)]


def test_architectures_that_are_known() -> None:
    assert {kind for kind, _ in MODELS.values()} == set(SUPPORTED)
    assert all(unknown(kind) is None for kind in SUPPORTED)


@pytest.mark.parametrize(
    ("changes", "shapes", "line"),
    [
        (
            {"model_type": "opt"},
            {},
            "model_type 'opt' has no permutations that are known here; choose a model of gpt2, llama, mistral, qwen2",
        ),
        ({"model_type": None}, {}, "model_type None has no permutations that are known here; choose a model of gpt2"),
        ({"n_head": None}, {}, "config.json: n_head is None; give a positive whole number, or download it again"),
        (
            {"n_head": 5},
            {},
            "tensor transformer.h.0.attn.c_attn.weight (shape [12, 36]) is not what the architecture has, so how it "
            "follows the others is not known; choose a model as transformers makes it",
        ),
        ({}, {"transformer.adapter.weight": (12, 4)}, "tensor transformer.adapter.weight (shape [12, 4]) is not what"),
        ({}, {"transformer.h.1.ln_2.bias": None}, "has no tensor transformer.h.1.ln_2.bias; save the model again with"),
        ({}, {"transformer.wte.weight": None}, "has no matrix transformer.wte.weight; save the model again with"),
    ],
)
def test_other_models_are_refused(changes: dict[str, Any], shapes: dict[str, Any], line: str) -> None:
    model = made("gpt2")
    own = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()} | shapes
    with pytest.raises(UserError) as caught:
        symmetries(model.config.to_dict() | changes, {name: shape for name, shape in own.items() if shape is not None})
    assert str(caught.value).startswith(line)
