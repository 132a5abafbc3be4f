"""Points in the space of layers, against their definition: layer by layer, without padding and without a cache."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.layer_space import LayerSpace

torch.set_num_threads(1)

CONTEXT = 48
SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_layer": 3, "n_embd": 16, "n_head": 2, "n_positions": CONTEXT},
    "llama": {
        "num_hidden_layers": 3,
        "hidden_size": 24,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": CONTEXT,
    },
}
SIZES["mistral"] = SIZES["llama"] | {"sliding_window": 4}
SIZES["qwen2"] = SIZES["llama"]
IDS = {"vocab_size": 300, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


def save_model(directory: Path, tokenizer: Path, seed: int, model_type: str, **changes: Any) -> Path:
    """A random model."""
    torch.manual_seed(seed)
    settings = IDS | SIZES[model_type] | {"initializer_range": 0.2} | changes
    if model_type == "gpt2":
        settings |= DROPOUT
    AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **settings)).save_pretrained(directory)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(directory)
    return directory


def save_near(directory: Path, model: Path, seed: int, size: float) -> Path:
    """``model`` with random displacements of this relative size."""
    loaded = AutoModelForCausalLM.from_pretrained(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in loaded.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=size * float(weight.std(correction=0)))
    loaded.save_pretrained(directory)
    AutoTokenizer.from_pretrained(model).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module", params=list(SIZES))
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Any:
    """Three models of one architecture that have little in common."""
    top = tmp_path_factory.mktemp(request.param)
    return {
        name: save_model(top / name, tiny_tokenizer, seed, request.param)
        for seed, name in enumerate(("base", "negative", "positive"))
    }


def reference(models: Mapping[str, Path], point: Mapping[str, float], ids: torch.Tensor) -> torch.Tensor:
    """Logits of one text (length,) in float64, by the definition."""
    loaded = {name: AutoModelForCausalLM.from_pretrained(models[name], dtype=torch.float64).eval() for name in point}
    length = len(ids)
    places = torch.arange(length)[None]

    def added(outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return sum(point[name] * output for name, output in outputs.items())  # type: ignore[return-value]

    def before(window: int | None) -> torch.Tensor:
        apart = torch.arange(length)[:, None] - torch.arange(length)[None]
        seen = (apart >= 0) & (apart < (window or length))
        return torch.zeros(length, length, dtype=torch.float64).masked_fill(~seen, -torch.inf)[None, None]

    with torch.no_grad():
        some = next(iter(loaded.values()))
        if some.config.model_type == "gpt2":
            stream = added(
                {name: m.transformer.wte(ids[None]) + m.transformer.wpe(places) for name, m in loaded.items()}
            )
            for layer in range(some.config.n_layer):
                blocks = {name: m.transformer.h[layer] for name, m in loaded.items()}
                # The shared stream plus what each block would add to it.
                added_by = {name: b(stream, attention_mask=before(None)) - stream for name, b in blocks.items()}
                stream = stream + added(added_by)
            return added({name: m.lm_head(m.transformer.ln_f(stream)) for name, m in loaded.items()})[0]
        stream = added({name: m.model.embed_tokens(ids[None]) for name, m in loaded.items()})
        window = getattr(some.config, "sliding_window", None)
        for layer in range(some.config.num_hidden_layers):
            turned = some.model.rotary_emb(stream, places)
            blocks = {name: m.model.layers[layer] for name, m in loaded.items()}
            mask = before(window)
            added_by = {
                name: b(stream, attention_mask=mask, position_embeddings=turned) - stream for name, b in blocks.items()
            }
            stream = stream + added(added_by)
        return added({name: m.lm_head(m.model.norm(stream)) for name, m in loaded.items()})[0]


POINTS: list[dict[str, float]] = [
    {"base": -0.5, "positive": 1.5},
    {"base": 1.0, "positive": 0.75, "negative": -0.75},
    # Without the first of the models held.
    {"negative": 0.25, "positive": 0.75},
]
IDS_OF_TEXT = torch.tensor([5, 60, 61, 8, 200, 7, 7, 31, 90, 12])


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference relative to the spread of the second."""
    return float((one.double() - other.double()).abs().max() / other.double().std())


@pytest.mark.parametrize("point", POINTS)
def test_a_point_adds_what_each_layer_of_each_model_returns(models, point):
    space = LayerSpace(models)
    space.set_point(Point.of(point))
    with torch.inference_mode():
        logits = space.model(input_ids=IDS_OF_TEXT[None]).logits[0]
    assert apart(logits, reference(models, point, IDS_OF_TEXT)) < 1e-5


@pytest.mark.parametrize("point", POINTS)
def test_caches_and_padding_change_nothing(models, point):
    """Two texts, of which the shorter is padded on the left, read in three steps."""
    space = LayerSpace(models)
    space.set_point(Point.of(point))
    short = IDS_OF_TEXT[3:]
    missing = len(IDS_OF_TEXT) - len(short)
    ids = torch.stack([IDS_OF_TEXT, torch.cat([torch.zeros(missing, dtype=torch.long), short])])
    mask = torch.ones_like(ids)
    mask[1, :missing] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    cache, parts = None, []
    for begin, end in ((0, 6), (6, 7), (7, 10)):
        with torch.inference_mode():
            output = space.model(
                input_ids=ids[:, begin:end],
                attention_mask=mask[:, :end],
                position_ids=positions[:, begin:end],
                past_key_values=cache,
                use_cache=True,
            )
        cache = output.past_key_values
        parts.append(output.logits)
    logits = torch.cat(parts, dim=1)
    assert len(cache.layers) == len(point) * 3
    assert apart(logits[0], reference(models, point, IDS_OF_TEXT)) < 1e-5
    assert apart(logits[1, missing:], reference(models, point, short)) < 1e-5


@pytest.mark.parametrize("name", ["base", "negative", "positive"])
def test_one_model_is_that_model_bit_by_bit(models, name):
    space = LayerSpace(models)
    space.set_point(Point.of({"base": 2, "positive": -1}))
    space.set_point(Point.of({name: 1}))
    alone = AutoModelForCausalLM.from_pretrained(models[name]).eval()
    with torch.inference_mode():
        expected = alone(input_ids=IDS_OF_TEXT[None], use_cache=True)
        found = space.model(input_ids=IDS_OF_TEXT[None], use_cache=True)
        assert torch.equal(found.logits, expected.logits)
        more = {"input_ids": torch.tensor([[17]]), "use_cache": True}
        assert torch.equal(
            space.model(**more, past_key_values=found.past_key_values).logits,
            alone(**more, past_key_values=expected.past_key_values).logits,
        )


def test_half_precision_rounds_once_per_layer(models):
    """Sums are float32: the result is as near to the exact one as that of a single model is."""
    point = POINTS[0]
    space = LayerSpace(models, precision="bf16")
    space.set_point(Point.of(point))
    alone = AutoModelForCausalLM.from_pretrained(models["positive"], dtype=torch.bfloat16).eval()
    with torch.inference_mode():
        found = space.model(input_ids=IDS_OF_TEXT[None]).logits[0]
        single = apart(alone(input_ids=IDS_OF_TEXT[None]).logits[0], reference(models, {"positive": 1}, IDS_OF_TEXT))
    assert found.dtype == torch.bfloat16
    assert apart(found, reference(models, point, IDS_OF_TEXT)) < 5 * single


def test_at_the_scale_of_fine_tuning_layers_and_weights_agree_to_first_order(tmp_path, tiny_tokenizer):
    """Both spaces have the same derivative at the base, so they part with the square of the displacement."""
    base = save_model(tmp_path / "base", tiny_tokenizer, 0, "gpt2")
    point, found = Point.of({"base": -1, "tuned": 2}), []
    for size in (1e-2, 1e-3):
        pair = {"base": base, "tuned": save_near(tmp_path / str(size), base, 1, size)}
        layers, weights = LayerSpace(pair), WeightSpace(pair)
        layers.set_point(point)
        with torch.inference_mode():
            start = weights.model(input_ids=IDS_OF_TEXT[None]).logits
            weights.set_point(point)
            there = weights.model(input_ids=IDS_OF_TEXT[None]).logits
            moved = (there - start).norm()
            found.append(float((layers.model(input_ids=IDS_OF_TEXT[None]).logits - there).norm() / moved))
    assert found[1] < 0.2 * found[0] < 0.02


def test_a_point_that_is_not_held_is_refused(models):
    space = LayerSpace({name: models[name] for name in ("base", "positive")})
    with pytest.raises(ValueError, match="negative"):
        space.set_point(Point.of({"base": 2, "negative": -1}))
    with pytest.raises(ValueError, match="under a method"):
        space.set_point(Point.parse("ties@base=0.5+positive=0.5"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"n_layer": 2}, "n_layer is 3 and 2"), ({"n_embd": 32}, "n_embd is 16 and 32"), ({"vocab_size": 310}, "310")],
)
def test_other_sizes_are_refused(tmp_path, tiny_tokenizer, changes, words):
    pair = {
        "base": save_model(tmp_path / "base", tiny_tokenizer, 0, "gpt2"),
        "other": save_model(tmp_path / "other", tiny_tokenizer, 1, "gpt2", **changes),
    }
    with pytest.raises(UserError, match=f"models base .* and other .* cannot be combined: .*{words}"):
        LayerSpace(pair)


def test_other_architectures_are_refused(tmp_path, tiny_tokenizer):
    settings = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "ffn_dim": 16,
        "word_embed_proj_dim": 16,
    }
    torch.manual_seed(0)
    config = AutoConfig.for_model("opt", **settings, **IDS, max_position_embeddings=CONTEXT)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_tokenizer).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"model base .*: model_type 'opt' has no layers that are known here; choose"):
        LayerSpace({"base": tmp_path})


def test_a_damaged_model_is_refused(tmp_path, tiny_tokenizer):
    base = save_model(tmp_path / "base", tiny_tokenizer, 0, "gpt2")
    tensors = load_file(base / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"weights are missing: transformer.h.1.mlp.c_fc.weight"):
        LayerSpace({"base": base})
    assert json.loads((base / "config.json").read_text())["n_layer"] == 3
