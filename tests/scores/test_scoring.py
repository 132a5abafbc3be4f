"""Scores against values computed by hand, on tiny models."""

import functools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores import perplexity
from lm_interpolation.scores.classifier import class_names, score_classifier
from lm_interpolation.scores.distinct import score_distinct
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.scores.score_files import read_scores, write_scores
from tests.small_gpu import halvings, limit_memory

REAL_TOKENIZER = Path(__file__).parents[3] / "shared" / "data" / "gpt2_tokenizer"

LABELS = {0: "negative", 1: "neutral", 2: "positive"}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a few merges, among them one with a leading space and one across 'a'+'b'."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = ["ab", "Ġx", "<pad>"]
    vocabulary = {token: index for index, token in enumerate(alphabet + merged)}
    bpe = Tokenizer(models.BPE(vocab=vocabulary, merges=[("a", "b"), ("Ġ", "x")]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", model_max_length=1024)


def gpt2_config(vocabulary: int, **changes):
    sizes = {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 32, "vocab_size": vocabulary}
    return AutoConfig.for_model("gpt2", **(sizes | {"bos_token_id": 0, "eos_token_id": 0} | changes))


def save_lm(directory: Path, edit=None) -> Path:
    tokenizer = byte_tokenizer()
    model = AutoModelForCausalLM.from_config(gpt2_config(len(tokenizer)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
        if edit:
            edit(model)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def save_classifier(directory: Path, **changes) -> Path:
    tokenizer = byte_tokenizer()
    config = gpt2_config(
        len(tokenizer), **({"pad_token_id": tokenizer.pad_token_id, "id2label": LABELS, "num_labels": 3} | changes)
    )
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


TEXTS = ["a fine film", "bad", "what a long and winding road", "x", "a fine film", "naïve — 🎬"]


# --- classifier


def test_classifier_equals_the_plain_model_text_by_text_whatever_the_batch_size(tmp_path):
    directory = save_classifier(tmp_path / "judge")
    model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    with torch.inference_mode():
        expected = [model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0].numpy() for text in TEXTS]
    assert np.ptp(np.array(expected)[:, 0]) > 0.1  # the texts can be told apart
    for batch_size in (1, 4, 64):
        scores = score_classifier(directory, TEXTS, batch_size)
        assert list(scores) == ["p_negative", "p_neutral", "p_positive"]
        np.testing.assert_allclose(scores.to_numpy(np.float64), expected, atol=1e-5)


def test_classes_that_exclude_each_other_or_do_not(tmp_path):
    """Toxic and obscene is a text that may be both: with logits of 0 each has its own even chance."""

    def judge(kind: str | None) -> Path:
        directory = save_classifier(tmp_path / str(kind), problem_type=kind)
        model = AutoModelForSequenceClassification.from_pretrained(directory)
        with torch.no_grad():
            model.score.weight.zero_()
        model.save_pretrained(directory)
        return directory

    for kind, share in (("multi_label_classification", 1 / 2), ("single_label_classification", 1 / 3), (None, 1 / 3)):
        scores = score_classifier(judge(kind), TEXTS, 4)
        np.testing.assert_allclose(scores.to_numpy(np.float64), share, atol=1e-6)
    plain = AutoModelForSequenceClassification.from_pretrained(
        save_classifier(tmp_path / "several", problem_type="multi_label_classification")
    ).eval()
    ids = AutoTokenizer.from_pretrained(tmp_path / "several")(TEXTS[0], return_tensors="pt")
    with torch.inference_mode():
        expected = torch.sigmoid(plain(**ids).logits[0]).numpy()
    np.testing.assert_allclose(
        score_classifier(tmp_path / "several", TEXTS, 4).to_numpy(np.float64)[0], expected, atol=1e-5
    )


def test_classifier_reads_as_many_texts_as_gpu_memory_holds(tmp_path, monkeypatch, capsys):
    directory = save_classifier(tmp_path / "judge")
    expected = score_classifier(directory, TEXTS, 64)
    failed = limit_memory(monkeypatch, GPT2ForSequenceClassification, rows=2)
    seen: list[int] = []
    scores = score_classifier(directory, TEXTS, 64, progress=seen.append)
    pd.testing.assert_frame_equal(scores, expected, rtol=1e-5)
    assert failed == [6, 3] and halvings(capsys) == 2
    assert seen == [1, 2, 3, 4, 5, 6]
    limit_memory(monkeypatch, GPT2ForSequenceClassification, rows=0)
    with pytest.raises(UserError, match="GPU memory does not suffice for one text at a time"):
        score_classifier(directory, TEXTS, 1)


def test_progress_counts_texts(tmp_path):
    seen = []
    score_classifier(save_classifier(tmp_path / "judge"), [*TEXTS, ""], 4, progress=seen.append)
    assert seen == [5, 7]  # the empty text is done at once


def test_empty_text_has_no_score(tmp_path):
    scores = score_classifier(save_classifier(tmp_path / "judge"), ["good", "", "bad"], 2)
    assert scores["p_positive"].isna().tolist() == [False, True, False]
    assert score_classifier(tmp_path / "judge", [""], 2).isna().all(axis=None)
    assert len(score_classifier(tmp_path / "judge", [], 2)) == 0


def test_classifier_reads_a_pickle_of_weights(tmp_path):
    directory = save_classifier(tmp_path / "judge")
    expected = score_classifier(directory, TEXTS, 4)
    model = AutoModelForSequenceClassification.from_pretrained(directory)
    torch.save(model.state_dict(), directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()
    pd.testing.assert_frame_equal(score_classifier(directory, TEXTS, 4), expected)


def test_roberta_is_padded_and_limited_by_its_own_rules(tmp_path):
    tokenizer = byte_tokenizer()
    config = AutoConfig.for_model(
        "roberta", num_hidden_layers=1, hidden_size=16, num_attention_heads=2, intermediate_size=16, num_labels=2,
        vocab_size=len(tokenizer), max_position_embeddings=14, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    texts = ["a" * 12, "bad"]  # 14 positions, counted from 2
    one, two = score_classifier(tmp_path, texts, 1), score_classifier(tmp_path, texts, 2)
    np.testing.assert_allclose(one.to_numpy(float), two.to_numpy(float), atol=1e-5)
    with pytest.raises(
        UserError, match="1 of 1 texts have more than the 12 tokens that the model reads, the longest 13"
    ):
        score_classifier(tmp_path, ["a" * 13], 1)


def test_text_longer_than_the_judge_is_named(tmp_path):
    with pytest.raises(UserError, match=r"2 of 3 texts have more than the 32 tokens .* the longest 40, text 2 \('aaa"):
        score_classifier(save_classifier(tmp_path / "judge"), ["bad", "a" * 33, "a" * 40], 2)


def test_texts_that_are_too_long_are_cut_or_left_out(tmp_path, capsys):
    judge, texts = save_classifier(tmp_path / "judge"), ["bad", "c" * 33, "c" * 40]
    cut = score_classifier(judge, texts, 2, too_long="cut")
    pd.testing.assert_frame_equal(cut, score_classifier(judge, ["bad", "c" * 32, "c" * 32], 2), rtol=1e-5)
    assert "2 of 3 texts have more than the 32 tokens" in capsys.readouterr().err
    assert score_classifier(judge, texts, 2, too_long="drop")["p_positive"].isna().tolist() == [False, True, True]
    lm = save_lm(tmp_path / "lm")
    cut = score_perplexity(lm, ["c" * 30, "x"], ["d" * 4, "dd"], 2, too_long="cut")
    pd.testing.assert_frame_equal(cut, score_perplexity(lm, ["c" * 30, "x"], ["d" * 2, "dd"], 2), rtol=1e-6)
    dropped = score_perplexity(lm, ["c" * 30, "x"], ["d" * 4, "dd"], 2, too_long="drop")
    assert dropped["tokens_text"].tolist() == [0, 2] and dropped["nll_text"][0] == 0
    # A prompt alone that fills the context leaves nothing of its continuation.
    filled = score_perplexity(lm, ["c" * 40], ["d"], 2, too_long="cut")
    assert (filled["tokens_continuation"][0], filled["tokens_text"][0]) == (0, 31)


def test_classifier_without_padding_token(tmp_path):
    with pytest.raises(UserError, match="no pad_token_id"):
        score_classifier(save_classifier(tmp_path / "judge", pad_token_id=None), ["bad"], 1)


def test_language_model_is_no_classifier(tmp_path):
    with pytest.raises(UserError, match=r"not a whole GPT2ForSequenceClassification.*score\.weight"):
        score_classifier(save_lm(tmp_path / "lm"), ["bad"], 1)


@pytest.mark.parametrize("absent", ["config.json", "model.safetensors"])
def test_incomplete_directory(tmp_path, absent):
    directory = save_classifier(tmp_path / "judge")
    (directory / absent).unlink()
    with pytest.raises(UserError, match=absent):
        score_classifier(directory, ["bad"], 1)


def test_logit_that_is_not_finite_names_the_text(tmp_path):
    directory = save_classifier(tmp_path / "judge")
    model = AutoModelForSequenceClassification.from_pretrained(directory)
    with torch.no_grad():
        model.transformer.wte.weight[byte_tokenizer().convert_tokens_to_ids("z")] = math.nan
    model.save_pretrained(directory)
    with pytest.raises(UserError, match=r"text 2 \('fuzzy'\) is not finite"):
        score_classifier(directory, ["a long text", "good", "fuzzy"], 3)


def test_class_names():
    original = {0: "LABEL_0", 1: "LABEL_1"}
    assert class_names(original, None, "m") == ["LABEL_0", "LABEL_1"]
    assert class_names(original, {"LABEL_1": "positive", "LABEL_0": "negative"}, "m") == ["negative", "positive"]
    assert class_names(original, {"LABEL_1": "positive"}, "m") == ["LABEL_0", "positive"]
    with pytest.raises(UserError, match="LABEL_2"):
        class_names(original, {"LABEL_2": "positive"}, "m")
    with pytest.raises(UserError, match="different names"):
        class_names(original, {"LABEL_1": "LABEL_0"}, "m")
    with pytest.raises(UserError, match="two or more"):
        class_names({0: "LABEL_0"}, None, "m")


# --- perplexity


def uniform(model) -> None:
    model.transformer.wte.weight.zero_()  # tied to lm_head: every logit is 0


def test_uniform_model_has_nll_log_v_per_predicted_token(tmp_path):
    directory = save_lm(tmp_path / "lm", uniform)
    scores = score_perplexity(directory, ["abc", "q", "", "abc", "q"], [" xd", "rs", "rs", "", ""], 2)
    # "abc xd" = ab c Ġx d; "qrs"; "rs" with an empty prompt; no continuation; one token.
    assert scores["tokens_text"].tolist() == [3, 2, 1, 1, 0]
    assert scores["tokens_continuation"].tolist() == [2, 2, 1, 0, 0]
    log_v = math.log(len(byte_tokenizer()))
    np.testing.assert_allclose(scores["nll_text"], scores["tokens_text"] * log_v, rtol=1e-6)
    np.testing.assert_allclose(scores["nll_continuation"], scores["tokens_continuation"] * log_v, rtol=1e-6)


def test_hand_set_logits(tmp_path):
    def edit(model):
        # The last LayerNorm returns its bias e_0 whatever the text, so that logit(v) = wte[v, 0].
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.zero_()
        model.transformer.ln_f.bias[0] = 1
        model.transformer.wte.weight.zero_()
        model.transformer.wte.weight[ids["q"], 0] = math.log(5)

    ids = byte_tokenizer().get_vocab()
    others = len(byte_tokenizer()) - 1
    scores = score_perplexity(save_lm(tmp_path / "lm", edit), ["rq"], ["qs"], 1)
    q, s = -math.log(5 / (5 + others)), -math.log(1 / (5 + others))
    assert scores.loc[0, "nll_text"] == pytest.approx(q + q + s, rel=1e-6)
    assert scores.loc[0, "nll_continuation"] == pytest.approx(q + s, rel=1e-6)


def test_perplexity_equals_the_plain_model_whatever_the_batch_size(tmp_path):
    directory = save_lm(tmp_path / "lm")
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    prompts = ["The film", "A", "one two three", "naïve", "So "]
    continuations = [" was bad.", " x", "", " — 🎬 ok", " x"]
    expected = []
    for prompt, continuation in zip(prompts, continuations, strict=True):
        ids = tokenizer(prompt + continuation, return_tensors="pt")["input_ids"]
        given = len(tokenizer(prompt)["input_ids"])
        with torch.inference_mode():
            log_p = model(ids).logits[0, :-1].double().log_softmax(-1)
        nll = -log_p.gather(1, ids[0, 1:, None])[:, 0].numpy()
        expected.append([nll[given - 1 :].sum(), ids.shape[1] - given, nll.sum(), ids.shape[1] - 1])
    for batch_size in (1, 2, 64):
        seen = []
        scores = score_perplexity(directory, prompts, continuations, batch_size, progress=seen.append)
        np.testing.assert_allclose(scores.to_numpy(np.float64), expected, rtol=1e-5, atol=1e-5)
        assert seen[-1] == 5


def watch(monkeypatch, model_class) -> list[tuple[int, ...]]:
    """The shapes of the token ids that models of a class are given."""
    shapes: list[tuple[int, ...]] = []
    forward = model_class.forward

    @functools.wraps(forward)
    def watched(self, *, input_ids, **rest):
        shapes.append(tuple(input_ids.shape))
        return forward(self, input_ids=input_ids, **rest)

    monkeypatch.setattr(model_class, "forward", watched)
    return shapes


PROMPTS = ["the film", "why", "the plot", "the film", "so", "", "the plot", "the film", "why", ""]
CONTINUATIONS = [" was", "", " is", " was bad", "me", "ab", "", " x", " not", "q"]


@pytest.fixture
def alone(tmp_path) -> pd.DataFrame:
    """Scores of these texts under the judge ``lm``, one by one: a text without others shares nothing."""
    directory = save_lm(tmp_path / "lm")
    pairs = zip(PROMPTS, CONTINUATIONS, strict=True)
    return pd.concat([score_perplexity(directory, [p], [c], 1) for p, c in pairs], ignore_index=True)


def test_what_the_texts_of_a_prompt_share_is_read_once(tmp_path, monkeypatch, alone):
    for batch_size in (1, 2):
        scores = score_perplexity(tmp_path / "lm", PROMPTS, CONTINUATIONS, batch_size)
        pd.testing.assert_frame_equal(scores, alone, rtol=1e-5)
    shapes = watch(monkeypatch, GPT2LMHeadModel)
    seen: list[int] = []
    scores = score_perplexity(tmp_path / "lm", PROMPTS, CONTINUATIONS, 64, progress=seen.append)
    pd.testing.assert_frame_equal(scores, alone, rtol=1e-5)
    # The tokens are characters, but "ab" and " x". Nothing is predicted by the last token of a text, nor read from it;
    # at least one token of each text is read behind those shared.
    assert shapes == [
        *(
            (1, 7),
            (3, 8),
        ),  # the film| was, the film| was bad, the film| x: the last token shared predicts different ones
        *((1, 1), (2, 5)),  # why, why| not
        *((1, 6), (2, 4)),  # the plot| is, the plot
        (1, 3),  # some
    ]
    # "ab" and "q" are one token, of which nothing is predicted.
    assert seen == [5, 7, 9, 10]


def test_what_is_shared_when_gpu_memory_runs_out(tmp_path, monkeypatch, capsys, alone):
    limit_memory(monkeypatch, GPT2LMHeadModel, rows=1)
    shapes = watch(monkeypatch, GPT2LMHeadModel)
    monkeypatch.setattr(perplexity, "can_go_on", lambda model: True)
    scores = score_perplexity(tmp_path / "lm", PROMPTS, CONTINUATIONS, 64)
    pd.testing.assert_frame_equal(scores, alone, rtol=1e-5)
    assert halvings(capsys) == 1
    assert shapes[:5] == [(1, 7), (3, 8), (1, 8), (1, 4), (1, 1)]


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("mamba", {"hidden_size": 16, "num_hidden_layers": 1, "state_size": 4}),
        ("openai-gpt", {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32}),
        ("llama", {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}),
        ("bloom", {"hidden_size": 16, "n_layer": 2, "n_head": 2}),
        ("mistral", {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                     "num_key_value_heads": 1, "sliding_window": 4, "head_dim": 8}),
        ("opt", {"hidden_size": 16, "ffn_dim": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                 "max_position_embeddings": 32, "word_embed_proj_dim": 16}),
    ],
)  # fmt: skip
def test_judges_of_any_architecture(tmp_path, kind, sizes):
    tokenizer = byte_tokenizer()
    config = AutoConfig.for_model(
        kind, vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=0, pad_token_id=0, **sizes
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    expected = []
    for prompt, continuation in zip(PROMPTS, CONTINUATIONS, strict=True):
        ids = torch.tensor([tokenizer(prompt + continuation).input_ids])
        with torch.inference_mode():
            log_p = model(ids).logits[0, :-1].double().log_softmax(-1)
        expected.append(-log_p.gather(1, ids[0, 1:, None]).sum().item())
    scores = score_perplexity(tmp_path, PROMPTS, CONTINUATIONS, 64)
    np.testing.assert_allclose(scores["nll_text"], expected, rtol=1e-5)


def test_perplexity_of_as_many_texts_as_gpu_memory_holds(tmp_path, monkeypatch, capsys):
    directory = save_lm(tmp_path / "lm")
    expected = score_perplexity(directory, [""] * 6, TEXTS, 4)
    failed = limit_memory(monkeypatch, GPT2LMHeadModel, rows=2)
    pd.testing.assert_frame_equal(score_perplexity(directory, [""] * 6, TEXTS, 4), expected, rtol=1e-5)
    # "x" is one token, of which nothing is predicted: five texts.
    assert failed == [4] and halvings(capsys) == 1
    limit_memory(monkeypatch, GPT2LMHeadModel, rows=0)
    with pytest.raises(UserError, match="GPU memory does not suffice for one text at a time"):
        score_perplexity(directory, [""] * 6, TEXTS, 1)


def test_token_across_the_boundary_belongs_to_the_continuation(tmp_path):
    scores = score_perplexity(save_lm(tmp_path / "lm", uniform), ["ca", "c "], ["b", "xd"], 2)
    assert scores["tokens_continuation"].tolist() == [1, 2]  # c|ab and c|Ġx d
    assert scores["tokens_text"].tolist() == [1, 2]


@pytest.mark.skipif(not REAL_TOKENIZER.is_dir(), reason=f"{REAL_TOKENIZER} is absent")
def test_boundary_with_the_real_gpt2_tokenizer(tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(REAL_TOKENIZER)
    model = AutoModelForCausalLM.from_config(gpt2_config(len(tokenizer), n_layer=1, n_embd=4))
    with torch.no_grad():
        uniform(model)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    cases = [  # prompt, continuation, tokens of the text, of them of the continuation
        ("The film", " was good", 4, 2),
        ("The film", " was  good\n\nok", 8, 6),  # was, Ġ, Ġgood, \n, \n, ok
        ("The ", "film", 2, 1),  # Ġfilm spans the boundary
        ("The ", " film", 3, 1),  # The, Ġ | Ġfilm
        ("naïve — 日", "本 🎬", 11, 5),  # characters of several tokens on both sides: 本 has 2, space + 🎬 has 3
    ]
    scores = score_perplexity(tmp_path, [c[0] for c in cases], [c[1] for c in cases], 3)
    assert scores["tokens_text"].tolist() == [c[2] - 1 for c in cases]
    assert scores["tokens_continuation"].tolist() == [c[3] for c in cases]


def test_perplexity_of_a_text_that_is_too_long(tmp_path):
    with pytest.raises(UserError, match=r"1 of 1 texts have more than the 32 tokens .* the longest 34"):
        score_perplexity(save_lm(tmp_path / "lm"), ["c" * 30], ["d" * 4], 1)


def test_nll_that_is_not_finite_names_the_text(tmp_path):
    def edit(model):
        model.transformer.wte.weight[byte_tokenizer().convert_tokens_to_ids("z")] = math.inf

    with pytest.raises(UserError, match=r"text 0 \('fuzz'\) is not finite"):
        score_perplexity(save_lm(tmp_path / "lm", edit), ["fu"], ["zz"], 1)


def test_prompts_and_continuations_must_match(tmp_path):
    with pytest.raises(ValueError):
        score_perplexity(save_lm(tmp_path / "lm"), ["a", "b"], ["c"], 1)


# --- distinct-n and files


def test_distinct():
    scores = score_distinct([7, 3, 7, 5], [0, 0, 1, 0], ["a b a b", "", "b c", "d"], [1, 2, 3])
    # prompt 7: words a b a b, b c -> {a b c}, {ab ba bc}, {aba bab} of 6 words; 5: {d} of 1 word; 3: no word
    assert list(scores) == ["row", "texts", "distinct_1", "distinct_2", "distinct_3"]
    assert scores["row"].tolist() == [3, 5, 7]
    assert scores["texts"].tolist() == [1, 1, 2]
    assert scores["distinct_1"].isna().tolist() == [True, False, False]
    np.testing.assert_allclose(scores.iloc[1:, 2:].to_numpy(float), [[1, 0, 0], [3 / 6, 3 / 6, 2 / 6]])


def test_distinct_splits_at_single_spaces_like_dexperts():
    # " a  b" -> "", a, "", b; "" -> "": 5 words, of them 3 unique
    scores = score_distinct([0, 0], [0, 1], [" a  b", ""], [1])
    assert scores["distinct_1"].tolist() == [3 / 5]


def test_distinct_takes_one_point():
    with pytest.raises(ValueError, match="twice"):
        score_distinct([0, 0], [1, 1], ["a", "b"], [1])


def test_score_files(tmp_path):
    frame = pd.DataFrame(
        {
            "p_a": pd.array([0.25, None, 1.0], "Float32"),
            "sample": [0, 0, 1],
            "row": [4, 5, 4],
            "point": ["m=1", "m=1", "m=1"],
        }
    )
    write_scores(frame, tmp_path / "x.parquet")
    back = read_scores(tmp_path / "x.parquet")
    assert {name: str(dtype) for name, dtype in back.dtypes.items()} == {
        "point": "category",
        "row": "int64",
        "sample": "int32",
        "p_a": "Float32",
    }
    assert back["p_a"].isna().tolist() == [False, True, False]
    first = (tmp_path / "x.parquet").read_bytes()
    write_scores(back, tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").read_bytes() == first

    with pytest.raises(ValueError, match="nll"):
        write_scores(pd.DataFrame({"point": ["m=1"], "row": [1], "nll": [np.nan]}), tmp_path / "y.parquet")
    with pytest.raises(ValueError, match="twice"):
        write_scores(pd.DataFrame({"point": ["m=1"] * 2, "row": [1, 1], "x": [1.0, 2.0]}), tmp_path / "y.parquet")
    assert not (tmp_path / "y.parquet").exists()
