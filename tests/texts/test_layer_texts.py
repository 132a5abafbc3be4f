"""Texts from points in the space of layers. The logits themselves are tested in tests/points/test_layer_space.py."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.layer_space import LayerSpace
from lm_interpolation.texts.generation import Sampling, generate
from lm_interpolation.texts.layer_texts import generate_in_layers, mixture_in_layers
from lm_interpolation.texts.sampler import uniforms
from tests.points.test_layer_space import save_model
from tests.small_gpu import halvings, limit_memory
from tests.texts.test_ensembles import END_TOKENS, gumbel, make_prompts, rows_of, softmax

torch.set_num_threads(1)

POINT = Point.of({"base": -0.5, "positive": 1.5})


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path):
    top = tmp_path_factory.mktemp(request.param)
    return {
        name: save_model(top / name, tiny_tokenizer, seed, request.param, eos_token_id=END_TOKENS)
        for seed, name in enumerate(("base", "positive"))
    }


def step_by_step(space: LayerSpace, prompts: pd.DataFrame, sampling: Sampling) -> list[tuple[int, int, str, int, str]]:
    """Reference: one text at a time, no padding, no cache, the whole text through the model for each token."""
    tokenizer = space.members["base"][1]
    result = []
    for row, prompt in zip(prompts["row"], prompts["text"], strict=True):
        for sample in range(sampling.samples):
            tokens, stop = [], "length"
            for number in uniforms(sampling.seed, row, sample, sampling.max_new_tokens):
                ids = torch.tensor([tokenizer(prompt).input_ids + tokens])
                with torch.inference_mode():
                    logits = space.model(ids).logits[0, -1].double().numpy()
                likely = softmax(logits)
                order = np.argsort(-likely)
                kept = order[: int((np.cumsum(likely[order]) < sampling.top_p).sum()) + 1]
                token = max(kept.tolist(), key=lambda token: logits[token] + gumbel(number, token))
                if token in END_TOKENS:
                    stop = "eos"
                    break
                tokens.append(token)
            text = tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
            result.append((row, sample, text, len(tokens), stop))
    return sorted(result)


def test_equals_a_step_by_step_reference(models):
    prompts, sampling = make_prompts(10), Sampling(top_p=0.8, max_new_tokens=8, samples=3, seed=5)
    space = LayerSpace(models)
    space.set_point(POINT)
    texts = generate_in_layers(POINT, models, prompts, sampling, batch_size=16)
    assert rows_of(texts) == step_by_step(space, prompts, sampling)
    assert set(texts["stop"]) == {"eos", "length"} and texts["continuation"].nunique() > 20


def test_texts_do_not_depend_on_the_batch_size(models):
    prompts, sampling = make_prompts(24), Sampling(0.9, 10, 4, 1)
    whole = generate_in_layers(POINT, models, prompts, sampling, batch_size=64)
    assert len(whole) == 96 and set(whole["stop"]) == {"eos", "length"}
    for batch_size in (3, 16):
        pd.testing.assert_frame_equal(generate_in_layers(POINT, models, prompts, sampling, batch_size), whole)


def test_batches_shrink_to_what_gpu_memory_holds(tmp_path, tiny_tokenizer, monkeypatch, capsys):
    models = {
        name: save_model(tmp_path / name, tiny_tokenizer, seed, "gpt2", eos_token_id=END_TOKENS)
        for seed, name in enumerate(("base", "positive"))
    }
    prompts, sampling = make_prompts(12), Sampling(0.9, 10, 4, 1)
    expected = generate_in_layers(POINT, models, prompts, sampling, batch_size=48)
    failed = limit_memory(monkeypatch, GPT2LMHeadModel, rows=12)
    pd.testing.assert_frame_equal(generate_in_layers(POINT, models, prompts, sampling, batch_size=48), expected)
    assert len(failed) == halvings(capsys) == 2


@pytest.mark.parametrize("name", ["base", "positive"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_one_model_gives_the_texts_of_weight_space(models, name, precision):
    sampling = Sampling(0.9, 10, 3, 2)
    expected = generate(models[name], make_prompts(20), sampling, batch_size=16, precision=precision)
    # The other model is held, too, and computes nothing.
    mixture_in_layers(POINT, LayerSpace(models))
    texts = generate_in_layers(Point.of({name: 1}), models, make_prompts(20), sampling, 16, precision=precision)
    pd.testing.assert_frame_equal(texts, expected, check_exact=True)


def test_one_space_serves_point_after_point(models):
    sampling, space = Sampling(0.9, 6, 2, 3), LayerSpace(models)
    for point in (POINT, Point.of({"positive": 1}), Point.of({"base": 0.5, "positive": 0.5}), POINT):
        (_, member), *others = mixture_in_layers(point, space).members
        assert member.model is space.model and not others
        ids = torch.tensor([[5, 60, 61]])
        fresh = LayerSpace({name: models[name] for name in point.models})
        fresh.set_point(point)
        with torch.inference_mode():
            assert torch.equal(space.model(ids).logits, fresh.model(ids).logits)
    assert len(generate_in_layers(POINT, models, make_prompts(2), sampling, batch_size=4)) == 4


def test_a_token_that_ends_texts_of_any_member_ends_them(tmp_path, models, tiny_tokenizer):
    kind = AutoModelForCausalLM.from_pretrained(models["base"]).config.model_type
    other = save_model(tmp_path, tiny_tokenizer, 3, kind, eos_token_id=[0, 7])
    space = LayerSpace({"base": models["base"], "other": other})
    assert mixture_in_layers(Point.of({"base": 2, "other": -1}), space).stops == {7, *END_TOKENS}
    assert mixture_in_layers(Point.of({"other": 1}), space).stops == {0, 7}
    assert mixture_in_layers(Point.of({"base": 1}), space).stops == set(END_TOKENS)


def test_the_smallest_context_counts(tmp_path, tiny_tokenizer):
    """Rotary positions have no table, so models may differ in how far they read."""
    pair = {
        "base": save_model(tmp_path / "base", tiny_tokenizer, 0, "llama"),
        "short": save_model(tmp_path / "short", tiny_tokenizer, 1, "llama", max_position_embeddings=20),
    }
    prompts = pd.DataFrame({"row": [4], "text": ["the film was good"]})
    length = len(AutoTokenizer.from_pretrained(pair["base"])(prompts["text"][0]).input_ids)
    point = Point.of({"base": 0.5, "short": 0.5})
    assert len(generate_in_layers(point, pair, prompts, Sampling(0.9, 20 - length, 1, 0), 1)) == 1
    message = rf"point base=0.5\+short=0.5: prompt row 4: {length} tokens .* exceed .* of 20"
    with pytest.raises(UserError, match=message):
        generate_in_layers(point, pair, prompts, Sampling(0.9, 21 - length, 1, 0), 1)
    assert len(generate_in_layers(Point.of({"base": 1}), pair, prompts, Sampling(0.9, 21 - length, 1, 0), 1)) == 1


def test_nan_is_an_error_that_names_point_and_prompt(tmp_path, models):
    broken = AutoModelForCausalLM.from_pretrained(models["positive"])
    with torch.no_grad():
        next(iter(broken.parameters()))[:] = torch.nan
    broken.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(models["positive"]).save_pretrained(tmp_path)
    pair = {"base": models["base"], "positive": tmp_path}
    with pytest.raises(
        UserError, match=r"point base=-0.5\+positive=1.5: prompt row .*: the model gives NaN or infinite"
    ):
        generate_in_layers(POINT, pair, make_prompts(2), Sampling(0.9, 2, 1, 0), 2)
