"""One policy of special tokens, for prompts, blocks, losses, perplexity and next tokens alike."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from lm_interpolation.analyses.losses import evaluate_losses
from lm_interpolation.analyses.next_tokens import next_token_probabilities
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.blocks import cut_blocks, pack
from lm_interpolation.models.importing import import_model
from lm_interpolation.models.special_tokens import (
    SpecialTokens,
    added_tokens,
    choose_start,
    describe_folder,
    encode,
    special_tokens,
    state_ends,
)
from lm_interpolation.points.algebra import Point, build_sweep
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.merging import merge
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.texts.generation import Sampling, generate
from lm_interpolation.texts.language_models import load_language_model

SENTENCES = ["the film was good", "the plot was bad", "hi there"]


def make_tokenizer(before: str = "", behind: str = "") -> PreTrainedTokenizerFast:
    """Byte-level BPE of 280 tokens, <end> 0 and <s> 1, which puts one of them before and behind a text."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=280, special_tokens=["<end>", "<s>"], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    if before or behind:
        template = " ".join(filter(None, [before, "$A", behind]))
        bpe.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("<end>", 0), ("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="<end>", pad_token="<end>")


def save(directory: Path, tokenizer: Any, kind: str = "llama", seed: int = 0, **changes: Any) -> Path:
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    ids = {"bos_token_id": 1, "eos_token_id": 0, "pad_token_id": 0, "vocab_size": len(tokenizer)}
    torch.manual_seed(seed)
    options = {"num_key_value_heads": 2, "max_position_embeddings": 64} | sizes | ids | changes
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **options))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


KINDS = {
    "nothing": ("", "", ()),
    "bos": ("<s>", "", (1,)),
    "bos and eos": ("<s>", "<end>", (1,)),
    "eos": ("", "<end>", ()),
}


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, tuple[int, ...]]:
    """A model whose tokenizer adds these tokens, and what texts of it start with."""
    before, behind, start = KINDS[request.param]
    return save(tmp_path / "model", make_tokenizer(before, behind)), start


def plain_logits(directory: Path, ids: list[int]) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(directory).eval()
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].double()


def plain_nll(directory: Path, start: tuple[int, ...], text: str) -> np.ndarray:
    """NLL of the tokens behind ``start``, by transformers alone; without a start, of all but the first."""
    ids = [*start, *AutoTokenizer.from_pretrained(directory)(text, add_special_tokens=False).input_ids]
    losses = torch.nn.functional.cross_entropy(
        plain_logits(directory, ids)[:-1], torch.tensor(ids[1:]), reduction="none"
    )
    return losses.numpy()[max(len(start) - 1, 0) :]


# --- each stage


def test_a_prompt_has_the_start_and_no_end(case: tuple[Path, tuple[int, ...]]) -> None:
    directory, start = case
    prompts = pd.DataFrame({"row": [0], "text": ["the film"]})
    # So narrow a nucleus holds the most likely token.
    (text,) = generate(directory, prompts, Sampling(1e-9, 4, 1, 0), batch_size=2)["continuation"]
    tokenizer = AutoTokenizer.from_pretrained(directory)
    ids = [*start, *tokenizer("the film", add_special_tokens=False).input_ids]
    for _ in range(4):
        ids.append(int(plain_logits(directory, ids)[-1].argmax()))
        assert ids[-1] != 0
    assert text == tokenizer.decode(ids, skip_special_tokens=True)[len("the film") :]


def test_perplexity_takes_the_start_as_context(case: tuple[Path, tuple[int, ...]]) -> None:
    directory, start = case
    # Texts of one prompt go on from a shared beginning.
    prompts, continuations = ["the film", "the film", "hi"], [" was good", " was bad", " there, film"]
    scores = score_perplexity(directory, prompts, continuations, batch_size=2)
    for row, (prompt, continuation) in enumerate(zip(prompts, continuations, strict=True)):
        expected = plain_nll(directory, start, prompt + continuation)
        assert scores["tokens_text"][row] == len(expected)
        assert scores["nll_text"][row] == pytest.approx(expected.sum(), rel=1e-5)
        count = scores["tokens_continuation"][row]
        assert 0 < count <= len(expected)
        assert scores["nll_continuation"][row] == pytest.approx(expected[-count:].sum(), rel=1e-5)


def test_losses_take_the_start_as_context(case: tuple[Path, tuple[int, ...]], tmp_path: Path) -> None:
    directory, start = case
    spec = {"space": "weights", "prompts": [], "origin": {"a": 1}, "directions": {"x": {"b": 1, "a": -1}}}
    other = save(tmp_path / "other", AutoTokenizer.from_pretrained(directory), seed=1)
    space = WeightSpace({"a": directory, "b": other})
    losses = evaluate_losses(space, build_sweep("s", spec | {"grid": {"x": [0]}}), {"": SENTENCES}, 8)
    for row, text in enumerate(SENTENCES):
        expected = plain_nll(directory, start, text)
        assert losses["tokens"][row] == len(expected)
        assert losses["nll"][row] == pytest.approx(expected.sum(), rel=1e-5)


def test_next_tokens_follow_the_start(case: tuple[Path, tuple[int, ...]], tmp_path: Path) -> None:
    directory, start = case
    spec = {"space": "weights", "prompts": [], "origin": {"a": 1}, "directions": {"x": {"b": 1, "a": -1}}}
    tokenizer = AutoTokenizer.from_pretrained(directory)
    space = WeightSpace({"a": directory, "b": save(tmp_path / "other", tokenizer, seed=1)})
    sweep = build_sweep("s", spec | {"grid": {"x": [0, 1]}})
    table = next_token_probabilities(space, sweep, "the film", {"g": ["was"]}, 1, (0, 1), 4)
    ids = [*start, *tokenizer("the film", add_special_tokens=False).input_ids]
    word = tokenizer("the film was", add_special_tokens=False).input_ids[len(ids) - len(start)]
    assert table["probability"][0] == pytest.approx(float(plain_logits(directory, ids)[-1].softmax(-1)[word]), rel=1e-5)


def test_blocks_and_their_texts_begin_with_the_start(case: tuple[Path, tuple[int, ...]]) -> None:
    directory, start = case
    tokenizer = AutoTokenizer.from_pretrained(directory)
    ids, labels = pack(SENTENCES * 5, tokenizer, 8)
    if not start:
        assert (ids == labels).all() and 1 not in ids
        flat = [t for text in SENTENCES * 5 for t in [*tokenizer(text, add_special_tokens=False).input_ids, 0]]
        assert ids.ravel().tolist() == flat[: ids.size]
        return
    assert (ids[:, 0] == 1).all()
    # Each end is followed by the next text's beginning, and just the beginnings are not learnt.
    ends = np.argwhere(ids[:, :-1] == 0)
    assert len(ends) > 5 and (ids[ends[:, 0], ends[:, 1] + 1] == 1).all()
    assert ((labels == -100) == (ids == 1)).all()


# --- blocks


def blocks_of(texts: list[list[int]], length: int, start: tuple[int, ...], end: int = 0) -> list[list[list[int]]]:
    special = SpecialTokens(start, end, frozenset([end]))
    return [[b.ids.tolist(), b.labels.tolist()] for b in cut_blocks(enumerate(texts), length, special)]


def test_a_text_that_is_cut_goes_on_behind_a_start() -> None:
    assert blocks_of([[5, 6, 7], [8]], 4, (1,)) == [
        [[1, 5, 6, 7], [-100, 5, 6, 7]],
        [[1, 0, 1, 8], [-100, 0, -100, 8]],
    ]
    # Two tokens, as GLM has them; a block may end between them.
    assert blocks_of([[5], [6, 7]], 5, (1, 2)) == [
        [[1, 2, 5, 0, 1], [-100, -100, 5, 0, -100]],
        [[1, 2, 6, 7, 0], [-100, -100, 6, 7, 0]],
    ]


def test_an_end_that_is_the_start_too_stands_once() -> None:
    """As OPT's </s>, which its tokenizer puts before a text."""
    assert blocks_of([[5], [6], [7, 8, 9]], 5, (2,), end=2) == [
        [[2, 5, 2, 6, 2], [-100, 5, 2, 6, 2]],
        [[2, 7, 8, 9, 2], [-100, 7, 8, 9, 2]],
    ]


def test_blocks_go_on_from_any_place() -> None:
    texts = [[5, 6, 7], [8], [9, 10, 11, 12, 13], [14, 15]] * 3
    special = SpecialTokens((1,), 0, frozenset([0]))
    whole = list(cut_blocks(enumerate(texts), 4, special))
    for index, block in enumerate(whole):
        rest = list(cut_blocks(list(enumerate(texts))[block.place :], 4, special, block.used))
        assert [b.ids.tolist() for b in rest] == [b.ids.tolist() for b in whole[index + 1 :]]


def test_a_block_has_room_behind_its_start() -> None:
    with pytest.raises(UserError, match=r"training.block_length: 1 leaves no room .* 1 special"):
        pack(SENTENCES, make_tokenizer("<s>"), 1)


# --- ends


@pytest.mark.parametrize(
    ("config", "generation", "stops"),
    [
        (7, None, {0, 7}),
        (7, [7, 9], {0, 7, 9}),
        (None, 9, {0, 9}),
        (50256, 50256, {0}),  # defaults of a class, beyond the vocabulary
    ],
)
def test_whatever_names_an_end_of_text_ends_it(config: Any, generation: Any, stops: set[int], tmp_path: Path) -> None:
    directory = save(tmp_path, make_tokenizer(), kind="qwen2", eos_token_id=config)
    content = json.loads((directory / "generation_config.json").read_text()) | {"eos_token_id": generation}
    (directory / "generation_config.json").write_text(json.dumps(content))
    special = load_language_model(directory, "cpu").special
    assert special == SpecialTokens((), 0, frozenset(stops))


def test_training_texts_end_with_the_tokenizers_end_where_it_has_one() -> None:
    config = AutoConfig.for_model("llama", eos_token_id=7, vocab_size=280)
    assert special_tokens(make_tokenizer(), config).end == 0
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    assert special_tokens(tokenizer, config) == SpecialTokens((), 7, frozenset([7]))


def test_the_default_of_a_class_is_no_end_of_text(tmp_path: Path) -> None:
    """Llama's config without eos_token_id says 2, which is a token like any other here."""
    tokenizer = make_tokenizer()
    directory = save(tmp_path, tokenizer)
    config = json.loads((directory / "config.json").read_text())
    del config["eos_token_id"]
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "generation_config.json").unlink()
    model = AutoModelForCausalLM.from_pretrained(directory)
    assert model.config.eos_token_id == 2
    state_ends(model, tokenizer, config)
    assert special_tokens(tokenizer, model.config, model.generation_config).stops == {0}


def test_a_merged_model_stops_where_any_of_its_parents_does(tmp_path: Path) -> None:
    """As of a base model and its instruct model."""
    tokenizer = make_tokenizer()
    base = save(tmp_path / "base", tokenizer, kind="qwen2", eos_token_id=0)
    instruct = save(tmp_path / "instruct", tokenizer, kind="qwen2", seed=1, eos_token_id=7)
    content = json.loads((instruct / "generation_config.json").read_text()) | {"eos_token_id": [7, 9]}
    (instruct / "generation_config.json").write_text(json.dumps(content))
    merge(Point.of({"base": 0.5, "instruct": 0.5}), {"base": base, "instruct": instruct}, tmp_path / "merged")
    assert load_language_model(tmp_path / "merged", "cpu").special.stops == {0, 7, 9}
    merge(Point.of({"base": 1}), {"base": base, "instruct": instruct}, tmp_path / "alone")
    assert (tmp_path / "alone" / "generation_config.json").read_bytes() == (
        base / "generation_config.json"
    ).read_bytes()


@pytest.mark.parametrize("choice", ["tokenizer", "bos"])
def test_an_import_keeps_the_choice(choice: str, tmp_path: Path) -> None:
    directory = save(tmp_path / "model", make_tokenizer())
    config = json.loads((directory / "config.json").read_text())
    del config["eos_token_id"]
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "generation_config.json").unlink()
    import_model(str(directory), None, "language-model", tmp_path / "imported", choice)
    special = load_language_model(tmp_path / "imported", "cpu").special
    # Not 2, the default of Llama's config.
    assert special == SpecialTokens((1,) if choice == "bos" else (), 0, frozenset([0]))
    assert describe_folder(tmp_path / "imported") == special.describe(AutoTokenizer.from_pretrained(directory))


# --- choices


@pytest.mark.parametrize(("choice", "start"), [("tokenizer", ()), ("bos", (1,)), ("none", ())])
def test_a_choice_lies_in_the_files(choice: str, start: tuple[int, ...], tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    choose_start(tokenizer, choice)
    tokenizer.save_pretrained(tmp_path)
    saved = AutoTokenizer.from_pretrained(tmp_path)
    assert added_tokens(saved) == (start, ())
    assert encode(saved, ["hi"], start) == [[*start, *saved("hi", add_special_tokens=False).input_ids]]


def test_a_start_can_be_taken_away(tmp_path: Path) -> None:
    tokenizer = make_tokenizer("<s>", "<end>")
    choose_start(tokenizer, "none")
    tokenizer.save_pretrained(tmp_path)
    assert added_tokens(AutoTokenizer.from_pretrained(tmp_path)) == ((), ())


def test_a_start_needs_a_token() -> None:
    tokenizer = make_tokenizer()
    tokenizer.bos_token = None
    with pytest.raises(UserError, match="special_tokens: bos, but the tokenizer names no bos_token"):
        choose_start(tokenizer, "bos")


def test_a_tokenizer_without_text_is_refused() -> None:
    with pytest.raises(UserError, match="gives no tokens for plain text"):
        added_tokens(PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), eos_token="<end>"))


def test_the_log_names_the_tokens() -> None:
    tokenizer = make_tokenizer("<s>")
    assert special_tokens(tokenizer).describe(tokenizer) == (
        "special tokens: <s> before each text, not scored; training texts end with <end>; a continuation stops at <end>"
    )


# --- a really pretrained model that needs its BOS

GEMMA = Path(__file__).parents[3] / "models" / "gemma3"


@pytest.mark.skipif(not GEMMA.is_dir(), reason="no ../models/gemma3 (made by make.py of the shared models)")
def test_gemma_reads_fluent_english() -> None:
    sentence = ("The meeting was", " long, but in the end everybody agreed on a plan for the next year.")
    scores = score_perplexity(GEMMA, [sentence[0]], [sentence[1]], batch_size=1)
    assert math.exp(scores["nll_text"][0] / scores["tokens_text"][0]) < 100
