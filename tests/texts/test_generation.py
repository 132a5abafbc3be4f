import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.cache_utils import DynamicLayer

from lm_interpolation.jobs.runtime import Progress, UserError
from lm_interpolation.texts.caches import _RoomyLayer, fill_gaps
from lm_interpolation.texts.generation import TEXTS_SCHEMA, Sampling, generate, write_texts
from lm_interpolation.texts.sampler import top_p_sample, uniforms
from tests.small_gpu import halvings, limit_memory

torch.set_num_threads(1)

CONTEXT = 48
TEXT = "the film was good and the plot was bad but the end of the film was fine"
WORDS = TEXT.split()


def save_model(directory: Path, model_type: str = "gpt2", **changes) -> Path:
    """A random model of about 350 tokens that is sure enough of itself to end texts now and then."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=350, special_tokens=["<|end|>"], initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([TEXT] * 3, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>").save_pretrained(directory)
    sizes = {
        "gpt2": {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": CONTEXT},
        "llama": {
            "num_hidden_layers": 2,
            "hidden_size": 32,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": CONTEXT,
        },
        "gpt_neox": {
            "num_hidden_layers": 2,
            "hidden_size": 32,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": CONTEXT,
        },
        "opt": {
            "num_hidden_layers": 2,
            "hidden_size": 32,
            "word_embed_proj_dim": 32,
            "num_attention_heads": 2,
            "ffn_dim": 64,
            "max_position_embeddings": CONTEXT,
            "init_std": 0.3,
        },
        # Two heads share their keys and values, and a layer remembers only the last eight positions.
        "mistral": {
            "num_hidden_layers": 2,
            "hidden_size": 32,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "intermediate_size": 64,
            "max_position_embeddings": CONTEXT,
            "sliding_window": 8,
        },
    }[model_type]
    common = {"vocab_size": tokenizer.get_vocab_size(), "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.3}
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **(common | sizes | changes))).save_pretrained(
        directory
    )
    return directory


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("gpt2"))


def make_prompts(count: int) -> pd.DataFrame:
    """Prompts of 1 to 12 words, with rows that are neither dense nor sorted, and with duplicate texts."""
    texts = [" ".join(WORDS[(index * 5) % 7 :][: 1 + index % 12]) for index in range(count)]
    return pd.DataFrame({"row": [1000 - 3 * index for index in range(count)], "text": texts})


def edit_weights(directory: Path, target: Path, edit) -> Path:
    model = AutoModelForCausalLM.from_pretrained(directory)
    with torch.no_grad():
        edit(model)
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(directory).save_pretrained(target)
    return target


def many_uniforms(seed: int, rows: Iterable[int], samples: int, steps: int) -> np.ndarray:
    """``uniforms`` of many sequences, shape (rows, samples, steps)."""
    return np.array([[uniforms(seed, row, sample, steps) for sample in range(samples)] for row in rows])


def one_by_one(directory: Path, prompts: pd.DataFrame, sampling: Sampling) -> list[tuple[int, int, tuple[int, ...]]]:
    """Reference: each sequence alone, no padding, no cache, the whole text through the model for each token."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(directory).eval(), AutoTokenizer.from_pretrained(directory)
    result = []
    for row, text in zip(prompts["row"], prompts["text"], strict=True):
        for sample in range(sampling.samples):
            tokens = tokenizer(text).input_ids
            start = len(tokens)
            for number in uniforms(sampling.seed, row, sample, sampling.max_new_tokens):
                with torch.inference_mode():
                    logits = model(input_ids=torch.tensor([tokens])).logits[:, -1]
                token = int(top_p_sample(logits, torch.tensor([number], dtype=torch.float64), sampling.top_p))
                if token == tokenizer.eos_token_id:
                    break
                tokens.append(token)
            text_of = tokenizer.decode(tokens[start:], clean_up_tokenization_spaces=False)
            result.append((row, sample, text_of, len(tokens) - start, "eos" if token == 0 else "length"))
    return sorted(result)


# --- random numbers -------------------------------------------------------------------------------------------------


def test_uniforms_depend_on_seed_row_sample_and_step_only():
    whole = many_uniforms(3, [0, 7, 2], samples=4, steps=10)
    assert whole.shape == (3, 4, 10) and whole.dtype == np.float64
    np.testing.assert_array_equal(many_uniforms(3, [7], samples=2, steps=6)[0], whole[1, :2, :6])
    expected = np.random.Generator(np.random.Philox(key=3, counter=[0, 0, 3, 2])).random(10)
    np.testing.assert_array_equal(whole[2, 3], expected)
    assert not np.intersect1d(whole, many_uniforms(4, [0, 7, 2], samples=4, steps=10)).size
    assert np.unique(many_uniforms(3, range(50), 20, 30)).size == 50 * 20 * 30


def test_uniforms_are_uniform_and_uncorrelated():
    numbers = many_uniforms(0, range(100), samples=10, steps=20)
    assert numbers.min() >= 0 and numbers.max() < 1
    counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
    chi_square = ((counts - 1000) ** 2 / 1000).sum()
    assert chi_square < 43.8  # 99.9 % of chi-square with 19 degrees of freedom
    for axis in range(3):
        one, two = np.take(numbers, range(numbers.shape[axis] - 1), axis), np.delete(numbers, 0, axis)
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 4 / math.sqrt(one.size)


# --- sampling of one token ------------------------------------------------------------------------------------------


def draw(probabilities: list[float], top_p: float, count: int = 20_000) -> np.ndarray:
    """Frequencies of the tokens in ``count`` draws from one distribution."""
    logits = torch.tensor([probabilities]).log().expand(count, -1)
    numbers = torch.from_numpy(uniforms(1, 0, 0, count))
    return np.bincount(top_p_sample(logits, numbers, top_p).numpy(), minlength=len(probabilities)) / count


@pytest.mark.parametrize(
    ("probabilities", "top_p", "nucleus"),
    [
        ([0.1, 0.5, 0.15, 0.25], 0.4, [1]),
        ([0.1, 0.5, 0.15, 0.25], 0.6, [1, 3]),  # 0.5 < 0.6: the token that crosses is in
        ([0.1, 0.5, 0.15, 0.25], 0.8, [1, 2, 3]),
        ([0.1, 0.5, 0.15, 0.25], 0.95, [0, 1, 2, 3]),
        ([0.1, 0.5, 0.15, 0.25], 1.0, [0, 1, 2, 3]),
        ([0.25, 0.5, 0.25], 0.5, [1]),  # exactly reached: nothing more
        ([0.25, 0.5, 0.25], 0.6, [0, 1, 2]),  # as likely as the last one: in, whatever the order
        ([0.25, 0.25, 0.25, 0.25], 0.3, [0, 1, 2, 3]),
    ],
)
def test_nucleus_by_hand(probabilities, top_p, nucleus):
    frequencies = draw(probabilities, top_p)
    kept = np.array([value if token in nucleus else 0 for token, value in enumerate(probabilities)])
    expected = kept / kept.sum()
    assert (frequencies[expected == 0] == 0).all()
    deviation = np.sqrt(expected * (1 - expected) / 20_000)
    assert (np.abs(frequencies - expected) <= 4 * deviation).all()


def test_nucleus_of_other_logits_by_hand():
    # DExperts: the first two tokens hold 0.7 of the filter's mass, and share theirs as 0.1 : 0.3; the third, by far
    # the most likely, is out.
    count = 20_000
    logits = torch.tensor([[0.1, 0.3, 0.5, 0.1]]).log().expand(count, -1)
    nucleus = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log().expand(count, -1)
    numbers = torch.from_numpy(uniforms(1, 0, 0, count))
    tokens = top_p_sample(logits, numbers, 0.6, nucleus)
    frequencies = np.bincount(tokens.numpy(), minlength=4) / count
    assert frequencies[2:].tolist() == [0, 0]
    assert abs(frequencies[0] - 0.25) < 4 * math.sqrt(0.25 * 0.75 / count)
    assert torch.equal(top_p_sample(logits, numbers, 0.6, logits), top_p_sample(logits, numbers, 0.6))


def test_nucleus_of_other_logits_wider_than_the_first_look():
    # All 2000 tokens are equally likely to the filter; the logits leave no doubt.
    logits = torch.zeros(2, 2000)
    logits[0, 1999], logits[1, 3] = 1000, 1000
    tokens = top_p_sample(logits, torch.tensor([0.3, 0.7], dtype=torch.float64), 0.5, torch.zeros(2, 2000))
    assert tokens.tolist() == [1999, 3]


@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0])
def test_large_vocabulary_is_sampled_from_the_exact_nucleus(spread):
    # Nuclei of 3000, of about a thousand and of a few tokens: more and less than the first look takes in.
    logits = torch.randn(3000, generator=torch.Generator().manual_seed(2)) * spread
    probabilities = torch.softmax(logits.double(), 0).numpy()
    order = np.argsort(-probabilities, kind="stable")
    size = 3000 if spread == 0 else int(np.searchsorted(probabilities[order].cumsum(), 0.9)) + 1
    nucleus = order[:size]
    count = 3000
    numbers = torch.from_numpy(uniforms(5, 1, 0, count))
    tokens = torch.cat([top_p_sample(logits.expand(len(part), -1), part, 0.9) for part in numbers.split(500)]).numpy()
    assert set(tokens) <= set(nucleus)
    # Pearson's chi-square over 10 groups of nucleus tokens, by rank; 99.9 % with 9 degrees of freedom.
    group = np.full(3000, -1)
    group[nucleus] = np.arange(size) * 10 // size
    expected = np.array([probabilities[group == index].sum() for index in range(10)])
    expected *= count / expected.sum()
    observed = np.bincount(group[tokens], minlength=10)
    assert ((observed - expected) ** 2 / expected).sum() < 27.9


def test_a_token_does_not_depend_on_the_rest_of_the_batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 2000, generator=generator) * torch.linspace(0.1, 6, 40)[:, None]
    numbers = torch.rand(40, dtype=torch.float64, generator=generator)
    together = top_p_sample(logits, numbers, 0.9)
    alone = torch.cat([top_p_sample(logits[[row]], numbers[[row]], 0.9) for row in range(40)])
    assert torch.equal(together, alone)


def test_rounding_flips_no_more_choices_than_its_size():
    """The reason for Gumbel noise: inverting the cumulative distribution flips about 18 times as many here."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1000, 2000, generator=generator) * 2.5
    numbers = torch.rand(1000, dtype=torch.float64, generator=generator)
    disturbed = logits + 1e-3 * torch.randn(logits.shape, generator=generator)
    flips = (top_p_sample(logits, numbers, 0.9) != top_p_sample(disturbed, numbers, 0.9)).sum()
    assert flips <= 5  # about 1 is expected


# --- generation -----------------------------------------------------------------------------------------------------


def test_texts_do_not_depend_on_the_batch_size(model_dir):
    prompts = make_prompts(90)
    sampling = Sampling(top_p=0.9, max_new_tokens=12, samples=5, seed=1)
    reference = generate(model_dir, prompts, sampling, batch_size=64)
    assert len(reference) == 450 and set(reference["stop"]) == {"eos", "length"}
    assert reference["continuation"].nunique() > 200
    assert list(reference.columns) == TEXTS_SCHEMA.names
    assert list(zip(reference["row"], reference["sample"], strict=True)) == sorted(
        (row, sample) for row in prompts["row"] for sample in range(5)
    )
    for batch_size in (3, 8):
        pd.testing.assert_frame_equal(generate(model_dir, prompts, sampling, batch_size), reference)
    # Nor on which prompts and how many samples are asked for.
    fewer = generate(model_dir, prompts[::-7], Sampling(0.9, 12, 2, 1), batch_size=8)
    expected = reference[reference["row"].isin(fewer["row"]) & (reference["sample"] < 2)].reset_index(drop=True)
    pd.testing.assert_frame_equal(fewer, expected)


def test_batches_shrink_to_what_gpu_memory_holds(model_dir, monkeypatch, capsys):
    prompts, sampling = make_prompts(20), Sampling(top_p=0.9, max_new_tokens=12, samples=5, seed=1)
    expected = generate(model_dir, prompts, sampling, batch_size=64)
    assert not halvings(capsys)
    # 64 sequences fail at once, with their 13 prompts; 32, of 7 prompts, where each sequence goes on by itself; 16; 8.
    failed = limit_memory(monkeypatch, GPT2LMHeadModel, rows=7)
    progress = Progress("generate", total=100, unit="texts")
    done: list[int] = []
    monkeypatch.setattr(progress, "update", done.append)
    pd.testing.assert_frame_equal(generate(model_dir, prompts, sampling, 64, progress=progress), expected)
    assert len(failed) == halvings(capsys) == 4
    assert done == list(range(4, 101, 4))


def test_memory_that_does_not_hold_one_sequence_is_an_error(model_dir, monkeypatch, capsys):
    limit_memory(monkeypatch, GPT2LMHeadModel, rows=0)
    with pytest.raises(UserError, match="GPU memory does not suffice for one text at a time"):
        generate(model_dir, make_prompts(3), Sampling(0.9, 12, 2, 1), batch_size=4)
    assert halvings(capsys) == 2


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "gpt_neox", "opt", "mistral"])
def test_batched_equals_one_by_one(tmp_path, model_type):
    directory = save_model(tmp_path, model_type)
    prompts = make_prompts(12)
    sampling = Sampling(top_p=0.9, max_new_tokens=10, samples=2, seed=3)
    texts = generate(directory, prompts, sampling, batch_size=16)
    assert list(texts.itertuples(index=False, name=None)) == one_by_one(directory, prompts, sampling)


def test_a_layer_with_room_holds_what_a_layer_without_holds():
    generator = torch.Generator().manual_seed(0)

    def states(sequences: int, positions: int) -> list[torch.Tensor]:
        return [torch.randn(sequences, 2, positions, 3, generator=generator) for _ in ("keys", "values")]

    plain = DynamicLayer()
    plain.update(*states(3, 4))
    copies = torch.tensor([0, 0, 1, 2, 2, 2])
    roomy = _RoomyLayer(plain, copies, room=3)
    plain.batch_select_indices(copies)
    for kept in ([0, 1, 2, 3, 4, 5], [0, 4, 2, 5], [3, 0], [1]):
        for layer in (plain, roomy):
            layer.batch_select_indices(torch.tensor(kept))
        if len(kept) < 6:
            new = states(len(kept), 1)
            for one, other in zip(plain.update(*new), roomy.update(*new), strict=True):
                assert torch.equal(one, other)
        assert roomy.get_seq_length() == plain.get_seq_length()
        assert torch.equal(roomy.keys, plain.keys) and torch.equal(roomy.values, plain.values)


def test_sequences_that_go_on_change_places_as_little_as_possible():
    assert fill_gaps([0, 2, 5, 6]) == [0, 5, 2, 6]
    assert fill_gaps([3, 4]) == [3, 4]
    assert fill_gaps([0, 1, 2]) == [0, 1, 2]


def test_greedy_equals_transformers(model_dir):
    # A nucleus of one token leaves no choice: the same as generate() without sampling.
    prompts = make_prompts(10)
    texts = generate(model_dir, prompts, Sampling(top_p=1e-9, max_new_tokens=8, samples=1, seed=0), batch_size=4)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(model_dir), AutoTokenizer.from_pretrained(model_dir)
    for row, continuation in zip(texts["row"], texts["continuation"], strict=True):
        inputs = tokenizer(prompts.set_index("row").loc[row, "text"], return_tensors="pt")
        output = model.generate(**inputs, do_sample=False, max_new_tokens=8, pad_token_id=0)
        new = output[0, inputs["input_ids"].shape[1] :]
        assert continuation == tokenizer.decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def test_end_of_text_stops_and_is_not_counted(tmp_path, model_dir):
    def end_always(model):
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.copy_(100 * model.transformer.wte.weight[0])

    directory = edit_weights(model_dir, tmp_path, end_always)
    texts = generate(directory, make_prompts(3), Sampling(0.9, 5, 2, 0), batch_size=4)
    assert texts["stop"].tolist() == ["eos"] * 6
    assert texts["tokens"].tolist() == [0] * 6 and texts["continuation"].tolist() == [""] * 6


def test_end_token_outside_the_vocabulary_is_taken_from_the_tokenizer(tmp_path, model_dir):
    directory = save_model(tmp_path, eos_token_id=50256, bos_token_id=50256)
    sampling = Sampling(0.9, 12, 2, 1)
    expected = generate(model_dir, make_prompts(20), sampling, batch_size=8)
    pd.testing.assert_frame_equal(generate(directory, make_prompts(20), sampling, batch_size=8), expected)
    assert "eos" in set(expected["stop"])


def test_too_long_and_empty_prompts_are_named(model_dir):
    prompts = pd.DataFrame({"row": [4, 9], "text": ["the film", " ".join(WORDS * 2)]})
    length = len(AutoTokenizer.from_pretrained(model_dir)(prompts["text"][1]).input_ids)
    room = CONTEXT - length
    with pytest.raises(UserError, match=rf"prompt row 9: {length} tokens \+ max_new_tokens {room + 1} exceed .* of 48"):
        generate(model_dir, prompts, Sampling(0.9, room + 1, 1, 0), batch_size=2)
    assert len(generate(model_dir, prompts, Sampling(0.9, room, 1, 0), batch_size=2)) == 2
    prompts["text"] = ["", "the film"]
    with pytest.raises(UserError, match="prompt row 4: has no tokens"):
        generate(model_dir, prompts, Sampling(0.9, 5, 1, 0), batch_size=2)


def test_nan_logits_are_an_error_naming_the_prompt(tmp_path, model_dir):
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    (token,) = tokenizer("!").input_ids

    def break_token(model):
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
        model.config.tie_word_embeddings = False
        model.transformer.wte.weight[token] = float("inf")

    directory = edit_weights(model_dir, tmp_path, break_token)
    prompts = pd.DataFrame({"row": [4, 9], "text": ["the film", "the!"]})
    with pytest.raises(UserError, match=r"prompt row 9, sample 0, new token 1: the model gives NaN or infinite logits"):
        generate(directory, prompts, Sampling(0.9, 1, 2, 0), batch_size=4)


def test_incomplete_model_is_refused(tmp_path, model_dir):
    edit_weights(model_dir, tmp_path, lambda model: None)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["transformer.h.1.ln_1.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        UserError, match=r"not a whole GPT2LMHeadModel, weights are missing: transformer.h.1.ln_1.weight"
    ):
        generate(tmp_path, make_prompts(1), Sampling(0.9, 2, 1, 0), batch_size=1)


def test_an_architecture_without_a_cache_of_attention_is_refused(tmp_path, model_dir):
    AutoTokenizer.from_pretrained(model_dir).save_pretrained(tmp_path)
    sizes = {"vocab_size": 40, "hidden_size": 16, "state_size": 4, "num_hidden_layers": 1}
    AutoModelForCausalLM.from_config(AutoConfig.for_model("mamba", **sizes)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="MambaForCausalLM keeps no cache of keys and values"):
        generate(tmp_path, make_prompts(1), Sampling(0.9, 2, 1, 0), batch_size=1)


def test_written_texts_have_the_schema_and_progress_counts_texts(tmp_path, model_dir, monkeypatch):
    progress = Progress("generate", total=6, unit="texts")
    seen: list[int] = []
    monkeypatch.setattr(progress, "update", seen.append)
    texts = generate(model_dir, make_prompts(3), Sampling(0.9, 3, 2, 0), batch_size=4, progress=progress)
    assert seen == [4, 6]
    write_texts(texts, tmp_path / "texts.parquet")
    assert pq.read_schema(tmp_path / "texts.parquet").remove_metadata() == TEXTS_SCHEMA
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "texts.parquet"), texts)
