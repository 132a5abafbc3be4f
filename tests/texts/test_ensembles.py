import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.tokenizer_files import check_same_tokenizer
from lm_interpolation.points.algebra import Point
from lm_interpolation.texts.ensembles import generate_ensemble, load_ensemble
from lm_interpolation.texts.experts.base import build
from lm_interpolation.texts.generation import Sampling, generate
from lm_interpolation.texts.sampler import uniforms
from tests.small_gpu import halvings, limit_memory

torch.set_num_threads(1)

CONTEXT = 48
TEXT = "the film was good and the plot was bad but the end of the film was fine"
WORDS = TEXT.split()
SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": CONTEXT},
    "llama": {
        "num_hidden_layers": 1,
        "hidden_size": 24,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": CONTEXT + 16,
    },
}
END_TOKENS = list(range(0, 300, 15))  # many, so that texts end now and then
IDS = {"vocab_size": 300, "bos_token_id": 0, "eos_token_id": END_TOKENS, "pad_token_id": 0}


def save_model(
    directory: Path,
    tokenizer: Path,
    seed: int,
    model_type: str = "gpt2",
    initializer_range: float = 0.3,
    **changes: Any,
) -> Path:
    """A random model."""
    torch.manual_seed(seed)
    settings = IDS | SIZES[model_type] | {"initializer_range": initializer_range} | changes
    AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **settings)).save_pretrained(directory)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> dict[str, Path]:
    """Three models of different sizes and architectures."""
    top = tmp_path_factory.mktemp("ensemble")
    return {
        "base": save_model(top / "base", tiny_tokenizer, seed=0),
        "negative": save_model(top / "negative", tiny_tokenizer, seed=1, model_type="llama", initializer_range=0.2),
        "positive": save_model(top / "positive", tiny_tokenizer, seed=2, n_layer=1, n_embd=32),
    }


def make_prompts(count: int) -> pd.DataFrame:
    """Prompts of 1 to 12 words, with rows that are neither dense nor sorted, and with duplicate texts."""
    texts = [" ".join(WORDS[(index * 5) % 7 :][: 1 + index % 12]) for index in range(count)]
    return pd.DataFrame({"row": [1000 - 3 * index for index in range(count)], "text": texts})


MASK = (1 << 64) - 1


def mix(state: int) -> int:
    """The output function of SplitMix64, in unsigned arithmetic."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & MASK
    return state ^ (state >> 31)


def gumbel(u: float, token: int) -> float:
    bits = mix(mix(int(u * 2**53)) + (token + 1) * 0x9E3779B97F4A7C15 & MASK)
    return -math.log(-math.log(((bits >> 11) + 0.5) / 2**53))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def step_by_step(
    point: Mapping[str, float],
    models: Mapping[str, Path],
    nucleus: str | None,
    prompts: pd.DataFrame,
    sampling: Sampling,
    experts: Mapping[str, Callable[[Mapping[str, np.ndarray], list[int]], np.ndarray]] = MappingProxyType({}),
) -> list[tuple[int, int, str, int, str]]:
    """Reference: one text at a time, no padding, no cache, the whole text through each model for each token.

    ``experts`` have functions of the logits of all models and the tokens so far.
    """
    names = set(models) if experts else {*point, *({nucleus} if nucleus else set())}
    loaded = {name: AutoModelForCausalLM.from_pretrained(models[name]).eval() for name in names}
    tokenizer = AutoTokenizer.from_pretrained(models["base"])
    result = []
    for row, prompt in zip(prompts["row"], prompts["text"], strict=True):
        for sample in range(sampling.samples):
            tokens, stop = [], "length"
            for number in uniforms(sampling.seed, row, sample, sampling.max_new_tokens):
                ids = torch.tensor([tokenizer(prompt).input_ids + tokens])
                with torch.inference_mode():
                    logits = {name: model(ids).logits[0, -1].double().numpy() for name, model in loaded.items()}
                logits |= {name: values(logits, ids[0].tolist()) for name, values in experts.items()}
                combined = sum(value * logits[name] for name, value in point.items())
                likely = softmax(logits[nucleus] if nucleus else combined)
                order = np.argsort(-likely)
                kept = order[: int((np.cumsum(likely[order]) < sampling.top_p).sum()) + 1]
                token = max(kept.tolist(), key=lambda token: combined[token] + gumbel(number, token))
                if token in END_TOKENS:
                    stop = "eos"
                    break
                tokens.append(token)
            text = tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
            result.append((row, sample, text, len(tokens), stop))
    return sorted(result)


def rows_of(texts: pd.DataFrame) -> list[tuple]:
    return list(texts.itertuples(index=False, name=None))


# --- sampling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nucleus", [None, "base", "negative"])
@pytest.mark.parametrize(
    "point",
    [
        {"base": 1, "positive": 0.75, "negative": -0.75},  # DExperts
        {"positive": 1.5, "negative": -0.5},  # the base model, if it filters, has the coefficient 0
    ],
)
def test_equals_a_step_by_step_reference(models, point, nucleus):
    prompts = make_prompts(10)
    sampling = Sampling(top_p=0.8, max_new_tokens=8, samples=3, seed=5)
    texts = generate_ensemble(Point.of(point), models, prompts, sampling, nucleus, batch_size=16)
    assert rows_of(texts) == step_by_step(point, models, nucleus, prompts, sampling)
    assert set(texts["stop"]) == {"eos", "length"} and texts["continuation"].nunique() > 20


def test_the_order_of_filter_and_ensemble_matters(models):
    point, sampling = Point.of({"base": 1, "positive": 1, "negative": -1}), Sampling(0.8, 8, 2, 5)
    texts = [
        generate_ensemble(point, models, make_prompts(10), sampling, nucleus, batch_size=16)
        for nucleus in (None, "base")
    ]
    assert not texts[0].equals(texts[1])


def test_texts_do_not_depend_on_the_batch_size(models):
    point, sampling = Point.of({"base": 1, "positive": 1, "negative": -1}), Sampling(0.9, 10, 4, 1)
    reference = generate_ensemble(point, models, make_prompts(24), sampling, "base", batch_size=64)
    assert len(reference) == 96 and set(reference["stop"]) == {"eos", "length"}
    for batch_size in (3, 16):
        texts = generate_ensemble(point, models, make_prompts(24), sampling, "base", batch_size)
        pd.testing.assert_frame_equal(texts, reference)


def test_batches_shrink_to_what_gpu_memory_holds(models, monkeypatch, capsys):
    point, sampling = Point.of({"base": 1, "positive": 1, "negative": -1}), Sampling(0.9, 10, 4, 1)
    expected = generate_ensemble(point, models, make_prompts(12), sampling, "base", batch_size=48)
    # The second of the models fails after the first has computed.
    failed = limit_memory(monkeypatch, LlamaForCausalLM, rows=12)
    pd.testing.assert_frame_equal(
        generate_ensemble(point, models, make_prompts(12), sampling, "base", batch_size=48), expected
    )
    assert len(failed) == halvings(capsys) == 2


@pytest.mark.parametrize("name", ["base", "negative", "positive"])
def test_one_model_gives_the_texts_of_weight_space(models, name):
    sampling = Sampling(0.9, 10, 3, 2)
    expected = generate(models[name], make_prompts(20), sampling, batch_size=16)
    for nucleus in (None, name):
        texts = generate_ensemble(Point.of({name: 1}), models, make_prompts(20), sampling, nucleus, batch_size=16)
        pd.testing.assert_frame_equal(texts, expected, check_exact=True)


def save_constant(directory: Path, tokenizer: Path, probabilities: Mapping[str, float]) -> Path:
    """A model that gives every next token these probabilities, whatever the text."""
    save_model(directory, tokenizer, seed=0, tie_word_embeddings=False)
    model, ids = AutoModelForCausalLM.from_pretrained(directory), AutoTokenizer.from_pretrained(directory)
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.zero_()
        model.transformer.ln_f.bias[0] = 1
        model.lm_head.weight[:, 0] = -1000
        for character, probability in probabilities.items():
            model.lm_head.weight[ids.convert_tokens_to_ids(character), 0] = math.log(probability)
    model.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> dict[str, Path]:
    distributions = {
        "base": {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1},
        "positive": {"a": 0.1, "b": 0.3, "c": 0.4, "d": 0.2},
        "negative": {"a": 0.2, "b": 0.3, "c": 0.2, "d": 0.2},
    }
    top = tmp_path_factory.mktemp("constant")
    return {name: save_constant(top / name, tiny_tokenizer, values) for name, values in distributions.items()}


@pytest.mark.parametrize(
    ("nucleus", "top_p", "expected"),
    [
        # base x (positive / negative)^2 = 0.4 x 1/4, 0.3 x 1, 0.2 x 4, 0.1 x 1 = 0.1, 0.3, 0.8, 0.1
        (None, 1.0, {"a": 1 / 13, "b": 3 / 13, "c": 8 / 13, "d": 1 / 13}),
        (None, 0.6, {"c": 1.0}),  # 8/13 > 0.6
        (None, 0.7, {"b": 3 / 11, "c": 8 / 11}),
        ("base", 0.6, {"a": 0.25, "b": 0.75}),  # 0.4 < 0.6 < 0.4 + 0.3: c is out, likely as it is in the end
        ("base", 0.8, {"a": 1 / 12, "b": 3 / 12, "c": 8 / 12}),
    ],
)
def test_dexperts_by_hand(constant, nucleus, top_p, expected):
    point = Point.of({"base": 1, "positive": 2, "negative": -2})
    prompts = pd.DataFrame({"row": [0], "text": ["the"]})
    count = 4000
    texts = generate_ensemble(point, constant, prompts, Sampling(top_p, 1, count, 0), nucleus, batch_size=count)
    shares = texts["continuation"].value_counts(normalize=True)
    assert set(shares.index) == set(expected)
    for character, share in expected.items():
        assert abs(shares[character] - share) <= 4 * math.sqrt(share * (1 - share) / count)


# --- members that are no models -------------------------------------------------------------------------------------


def described(module: str, **settings: Any) -> dict[str, Any]:
    return {"module": module, "models": settings.get("models", []), "settings": settings}


def extreme(kind: str, *models: str) -> dict[str, Any]:
    return described("extremes", extreme=kind, models=list(models))


@pytest.mark.parametrize("nucleus", [None, "base"])
@pytest.mark.parametrize(("kind", "of"), [("max", np.maximum), ("min", np.minimum)])
def test_extremes_are_of_log_probabilities(models, kind, of, nucleus):
    def reference(logits: Mapping[str, np.ndarray], tokens: list[int]) -> np.ndarray:
        return of(np.log(softmax(logits["positive"])), np.log(softmax(logits["negative"])))

    prompts = make_prompts(6)
    sampling = Sampling(top_p=0.8, max_new_tokens=6, samples=3, seed=5)
    # One of the models is in the point, too; the other is not.
    point = {"base": 1.5, "positive": 0.5, "both": -1}
    experts = {"both": extreme(kind, "positive", "negative")}
    texts = generate_ensemble(Point.of(point), models, prompts, sampling, nucleus, batch_size=8, experts=experts)
    assert rows_of(texts) == step_by_step(point, models, nucleus, prompts, sampling, {"both": reference})


def test_extremes_do_not_depend_on_the_offsets_of_logits():
    logits = [torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[3.0, 1.0, 0.0]])]
    moved = [logits[0] + 100, logits[1] - 50]
    for kind in ("max", "min"):
        found = build(extreme(kind, "one", "two"), ["one", "two"], None)
        torch.testing.assert_close(found.log_odds(logits, []), found.log_odds(moved, []), rtol=0, atol=1e-4)


def test_each_model_runs_once(models, monkeypatch):
    mixture = load_ensemble(
        Point.of({"base": 2, "both": -1}), models, "base", experts={"both": extreme("max", "base", "positive")}
    )
    assert len(mixture.members) == 2 and [value for value, _ in mixture.members] == [2.0, 0.0]


def test_a_uniform_expert_is_a_temperature(models):
    prompts = make_prompts(6)
    sampling = Sampling(top_p=0.8, max_new_tokens=6, samples=3, seed=5)
    point = {"base": 0.5, "flat": 0.5}
    experts = {"flat": described("uniform")}
    texts = generate_ensemble(Point.of(point), models, prompts, sampling, None, batch_size=8, experts=experts)
    zeros = {"flat": lambda logits, tokens: np.zeros(300)}
    assert rows_of(texts) == step_by_step(point, models, None, prompts, sampling, zeros)


WEIGHTED = {"good": 3.0, "film": 2.0, "bad": -4.0, "expected": 1.0, "everybody": 2.0}
"""Words of one token and of several."""


def potential(tokens: list[int], words: Mapping[tuple[int, ...], float]) -> float:
    """Weights of all words in a text, and the part of one with a positive weight that it has begun."""
    complete = sum(
        weight
        for pieces, weight in words.items()
        for end in range(len(pieces), len(tokens) + 1)
        if tuple(tokens[end - len(pieces) : end]) == pieces
    )
    begun: dict[int, float] = {}
    for pieces, weight in words.items():
        for length in range(1, len(pieces)):
            if weight > 0 and tuple(tokens[len(tokens) - length :]) == pieces[:length]:
                begun[length] = max(begun.get(length, 0), weight * length / len(pieces))
    return complete + (begun[max(begun)] if begun else 0.0)


def test_words_weigh_as_much_as_they_say(models):
    tokenizer = AutoTokenizer.from_pretrained(models["base"])
    words = {tuple(tokenizer.encode(f" {word}")): weight for word, weight in WEIGHTED.items()}
    assert len({len(pieces) for pieces in words}) > 1
    rule = build(described("words", words=WEIGHTED), [], tokenizer)
    logits = [torch.zeros(1, 300)]
    text = tokenizer.encode("the film was good")
    texts = [text, *(text + list(pieces[:length]) for pieces in words for length in range(1, len(pieces) + 1))]
    for tokens in texts:
        values = rule.log_odds(logits, [tokens])[0].numpy()
        gains = np.array([potential([*tokens, token], words) - potential(tokens, words) for token in range(300)])
        # Odds between tokens count, not the level.
        assert np.ptp(values - gains) < 1e-12, tokenizer.decode(tokens)


def test_texts_with_a_rule_equal_the_reference(models):
    tokenizer = AutoTokenizer.from_pretrained(models["base"])
    words = {tuple(tokenizer.encode(f" {word}")): weight for word, weight in WEIGHTED.items()}

    def reference(logits: Mapping[str, np.ndarray], tokens: list[int]) -> np.ndarray:
        return np.array([potential([*tokens, token], words) for token in range(300)])

    prompts = make_prompts(6)
    sampling = Sampling(top_p=0.9, max_new_tokens=8, samples=3, seed=5)
    point = {"base": 1, "cheerful": 6, "flat": -6}
    experts = {"cheerful": described("words", words=WEIGHTED), "flat": described("uniform")}
    texts = generate_ensemble(Point.of(point), models, prompts, sampling, None, batch_size=8, experts=experts)
    zeros = {"flat": lambda logits, tokens: np.zeros(300)}
    expected = step_by_step(point, models, None, prompts, sampling, {"cheerful": reference, **zeros})
    assert rows_of(texts) == expected
    plain = generate_ensemble(Point.of({"base": 1}), models, prompts, sampling, None, batch_size=8)
    assert sum("good" in text for text in texts["continuation"]) > sum("good" in text for text in plain["continuation"])


# --- what is refused ------------------------------------------------------------------------------------------------


def refused(models: Mapping[str, Path], match: str, nucleus: str | None = None) -> None:
    prompts = pd.DataFrame({"row": [4], "text": ["the film"]})
    with pytest.raises(UserError, match=match):
        generate_ensemble(Point.of({"base": 2, "other": -1}), models, prompts, Sampling(0.9, 2, 1, 0), nucleus, 1)


def test_other_tokenizers_are_refused(tmp_path, models, tiny_tokenizer):
    other = save_model(tmp_path / "other", tiny_tokenizer, seed=3)
    content = json.loads((other / "tokenizer.json").read_text())
    one, two = [token for token in content["model"]["vocab"] if content["model"]["vocab"][token] in (10, 11)]
    vocabulary = content["model"]["vocab"]
    vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
    (other / "tokenizer.json").write_text(json.dumps(content))
    message = (
        r"models base \(.*base\) and other \(.*other\) cannot be combined: tokenizers differ in their vocabulary; "
    )
    refused({"base": models["base"], "other": other}, message)
    with pytest.raises(UserError, match=message):
        check_same_tokenizer({"base": models["base"], "other": other})
    check_same_tokenizer(models)  # of two architectures
    (other / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="other: no tokenizer"):
        check_same_tokenizer({"base": models["base"], "other": other})


def test_models_without_logits_for_some_tokens_are_refused(tmp_path, models, tiny_tokenizer):
    tokens = len(AutoTokenizer.from_pretrained(tiny_tokenizer))
    other = save_model(tmp_path, tiny_tokenizer, seed=3, vocab_size=tokens - 4)
    refused(
        {"base": models["base"], "other": other},
        f"model base gives 300 logits and model other {tokens - 4}, which cannot be added: "
        f"their tokenizer has {tokens} tokens; ",
    )


@pytest.mark.parametrize("nucleus", [None, "base", "padded"])
def test_vocabularies_may_be_padded(tmp_path, models, tiny_tokenizer, nucleus):
    """As where a large model pads its vocabulary to a multiple of 128: texts are those without the padding."""
    padded = save_model(tmp_path / "padded", tiny_tokenizer, seed=3, vocab_size=320)
    model = AutoModelForCausalLM.from_pretrained(padded)
    with torch.no_grad():
        # It would win many draws.
        model.get_input_embeddings().weight[300:] *= 30
        model.save_pretrained(padded)
        model.resize_token_embeddings(300, mean_resizing=False)
    cut = tmp_path / "cut"
    model.save_pretrained(cut)
    AutoTokenizer.from_pretrained(tiny_tokenizer).save_pretrained(cut)
    prompts = pd.DataFrame({"row": [4, 5], "text": [" ".join(WORDS[:4]), WORDS[1]]})
    sampling = Sampling(top_p=0.9, max_new_tokens=12, samples=3, seed=1)
    texts = [
        generate_ensemble(
            Point.of({"base": 0.5, "padded": 0.5}),
            {"base": models["base"], "padded": other},
            prompts,
            sampling,
            nucleus,
            4,
        )
        for other in (padded, cut)
    ]
    assert texts[0].equals(texts[1])


def test_a_token_that_ends_texts_of_any_member_ends_them(tmp_path, models, tiny_tokenizer, capsys):
    """As of a base model and its instruct model, which differ in just that."""
    other = save_model(tmp_path, tiny_tokenizer, seed=3, eos_token_id=[0, 7])
    mixture = load_ensemble(Point.of({"base": 2, "other": -1}), {"base": models["base"], "other": other}, None)
    assert mixture.stops == {7, *END_TOKENS}
    assert "model base stops at [0, 15," in capsys.readouterr().err
    alone = load_ensemble(Point.of({"other": 1}), {"base": models["base"], "other": other}, "base")
    assert alone.stops == {0, 7}


def test_the_smallest_context_counts(tmp_path, models, tiny_tokenizer):
    short = save_model(tmp_path, tiny_tokenizer, seed=3, n_positions=20)
    point = Point.of({"base": 0.5, "short": 0.5})
    prompts = pd.DataFrame({"row": [4], "text": [" ".join(WORDS[:4])]})
    length = len(AutoTokenizer.from_pretrained(short)(prompts["text"][0]).input_ids)
    both = {"base": models["base"], "short": short}
    sampling = Sampling(0.9, 20 - length, 1, 0)
    assert len(generate_ensemble(point, both, prompts, sampling, None, batch_size=1)) == 1
    message = rf"point base=0.5\+short=0.5: prompt row 4: {length} tokens .* exceed .* of 20"
    with pytest.raises(UserError, match=message):
        generate_ensemble(point, both, prompts, Sampling(0.9, 21 - length, 1, 0), None, batch_size=1)


@pytest.mark.parametrize("name", ["other", "filter"])
def test_nan_is_an_error_that_names_point_model_and_prompt(tmp_path, models, tiny_tokenizer, name):
    broken = save_model(tmp_path, tiny_tokenizer, seed=3)
    model = AutoModelForCausalLM.from_pretrained(broken)
    with torch.no_grad():
        model.transformer.ln_f.weight[0] = float("nan")
    model.save_pretrained(broken)
    trio = {"base": models["base"], "other": models["positive"], "filter": models["negative"]} | {name: broken}
    refused(
        trio, rf"point base=2\+other=-1: prompt row 4, sample 0, new token 1: model {name} gives NaN", nucleus="filter"
    )
