"""Texts longer than models can read: counted all at once, cut or dropped, before anything is trained."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import processors
from transformers import AutoTokenizer

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.study import Study
from lm_interpolation.texts.lengths import Reader, fit
from tests.study.test_config import full_config

TEXTS = [
    "the film",
    "the film was good but the plot was bad",
    "so",
    "the film was good and the plot was not bad at all",
]
PLACES = [f"row {index}" for index in range(len(TEXTS))]


@pytest.fixture
def reader(tiny_tokenizer: Path) -> Reader:
    return Reader.open("model base", tiny_tokenizer, context=14, reserve=4)


def count(tokenizer: Path, text: str) -> int:
    return len(AutoTokenizer.from_pretrained(tokenizer)(text).input_ids)


def test_an_error_counts_all_and_names_the_longest(reader: Reader, tiny_tokenizer: Path) -> None:
    lengths = [count(tiny_tokenizer, text) for text in TEXTS]
    assert [length > 10 for length in lengths] == [False, True, False, True]
    message = (
        "prompts.p: 2 of 4 texts have more than the 10 tokens that model base has room for, "
        rf"the longest {lengths[3]} \(row 3\)"
    )
    with pytest.raises(UserError, match=message):
        fit(TEXTS, [reader], "error", "prompts.p", PLACES)
    assert fit(TEXTS[::2], [reader], "error", "prompts.p", PLACES) == ([0, 1], TEXTS[::2])


def test_what_is_cut_is_read_to_the_last_token(reader: Reader, tiny_tokenizer: Path) -> None:
    kept, texts = fit(TEXTS, [reader], "cut", "k", PLACES)
    assert kept == [0, 1, 2, 3] and (texts[0], texts[2]) == (TEXTS[0], TEXTS[2])
    for text, whole in zip(texts, TEXTS, strict=True):
        assert whole.startswith(text) and count(tiny_tokenizer, text) <= 10
    assert count(tiny_tokenizer, texts[1]) == 10
    _, ends = fit(TEXTS, [reader], "cut", "k", PLACES, keep_end=True)
    assert TEXTS[3].endswith(ends[3]) and 0 < count(tiny_tokenizer, ends[3]) <= 10


def test_what_is_dropped_is_counted(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(TEXTS, [reader], "drop", "k", PLACES) == ([0, 2], [TEXTS[0], TEXTS[2]])
    assert "[k] dropped: 2 of 4 texts" in capsys.readouterr().err
    with pytest.raises(UserError, match="no text is left"):
        fit(TEXTS[1:2], [reader], "drop", "k", PLACES)


def test_the_start_of_a_text_takes_room_too(tiny_tokenizer: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_tokenizer)
    template = processors.TemplateProcessing(single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)])
    tokenizer.backend_tokenizer.post_processor = template
    tokenizer.save_pretrained(tmp_path)
    length = count(tiny_tokenizer, TEXTS[0])
    with pytest.raises(UserError, match=f"the longest {length + 1}"):
        fit(TEXTS[:1], [Reader.open("m", tmp_path, length, 0)], "error", "k", PLACES)
    fit(TEXTS[:1], [Reader.open("m", tmp_path, length + 1, 0)], "error", "k", PLACES)


def test_the_context_of_a_model_is_that_of_its_config(tiny_gpt2: Path, tmp_path: Path) -> None:
    assert Reader.open("m", tiny_gpt2, None, 2).room == 30
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bloom"}))
    unknown = Reader.open("m", tmp_path, None, 2)
    assert unknown.room is None
    assert fit(TEXTS, [unknown], "cut", "k", PLACES)[1] == TEXTS


def test_without_a_fast_tokenizer_nothing_can_be_cut(tmp_path: Path) -> None:
    slow = Reader.open("model slow", tmp_path, 4, 0)
    assert fit(TEXTS, [slow], "error", "k", PLACES)[1] == TEXTS  # it will be told later
    with pytest.raises(UserError, match=r"k.too_long: cut needs a tokenizer.json, but model slow has none"):
        fit(TEXTS, [slow], "cut", "k", PLACES)


def test_readers_of_prompts_and_losses() -> None:
    config: dict[str, Any] = full_config()
    study = Study(config)
    tokenizer = "results/small/tokenizers/bpe"
    context = config["models"]["base"]["start"]["architecture"]["n_positions"]
    base = {"name": "model negative", "tokenizer": tokenizer, "context": context, "reserve": 0}
    assert study.analysis("line-loss").texts_settings(study)["readers"] == [base]
    readers = study.data.prompt_readers("neutral")
    assert readers[0]["reserve"] == config["generation"]["max_new_tokens"]
    # Judges read the prompt; its continuation is not there yet.
    assert [(entry["tokenizer"], entry["reserve"]) for entry in readers[1:]] == [(tokenizer, 0)]


def test_texts_without_a_token_to_predict_are_counted(tiny_tokenizer: Path, tmp_path: Path) -> None:
    """The first token of a text is predicted only after tokens that texts of the model start with."""
    word = next(text for text in ("s", "t", "a") if count(tiny_tokenizer, text) == 1)
    texts = ["the film", word, word]
    reader = Reader.open("model base", tiny_tokenizer, None, 0)
    message = (
        rf"^analyses.l: model base has nothing to predict in 2 of 3 texts, since .* min_words .* '{word}', row 1\)$"
    )
    with pytest.raises(UserError, match=message):
        reader.check_predicted(texts, "analyses.l", PLACES[:3])
    reader.check_predicted(texts[:1], "analyses.l", PLACES[:1])
    tokenizer = AutoTokenizer.from_pretrained(tiny_tokenizer)
    start = tokenizer.convert_ids_to_tokens(0)
    template = processors.TemplateProcessing(single=f"{start} $A", special_tokens=[(start, 0)])
    tokenizer.backend_tokenizer.post_processor = template
    tokenizer.save_pretrained(tmp_path)
    Reader.open("model base", tmp_path, None, 0).check_predicted(texts, "analyses.l", PLACES[:3])
    with pytest.raises(UserError, match="1 of 1 texts"):
        Reader.open("model base", tmp_path, None, 0).check_predicted([""], "analyses.l", PLACES[:1])
