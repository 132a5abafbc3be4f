"""Next-token probabilities: hand-computed values on a stub, explicit steps on a tiny GPT-2, tables and errors."""

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BatchEncoding, GPT2LMHeadModel

from lm_interpolation.analyses.next_tokens import (
    _most_moved,
    encode_word,
    next_token_probabilities,
    write_next_tokens,
)
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Sweep, SweepPoint, build_sweep
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.tables.analysis_tables import read_next_tokens
from tests.small_gpu import halvings, limit_memory

LINE = {"space": "weights", "prompts": [], "origin": {"a": 1}, "directions": {"alpha": {"b": 1, "a": -1}}}


def line(*values: float) -> Sweep:
    return build_sweep("line", LINE | {"grid": {"alpha": list(values)}})


class Letters:
    """A tokenizer of four letters: a token each, spaces are none. ``joined`` texts have one token only."""

    names = "pxyz"
    eos_token_id = None
    model_max_length = 10**30

    def __init__(self, joined: tuple[str, ...] = ()) -> None:
        self.joined = joined

    def __call__(self, text: str | list[str], **_: bool) -> BatchEncoding:
        ids = [[3] if t in self.joined else [self.names.index(c) for c in t if c in self.names] for t in [*text]]
        return BatchEncoding({"input_ids": ids if isinstance(text, list) else self([text])["input_ids"][0]})

    def __len__(self) -> int:
        return len(self.names)

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [self.names[i] for i in ids]

    def decode(self, ids: list[int], clean_up_tokenization_spaces: bool) -> str:
        assert not clean_up_tokenization_spaces
        return " " + self.names[ids[0]]


class Chain:
    """A space whose model is a Markov chain: P(next | last) = transitions[alpha][last], by coordinate."""

    def __init__(self, transitions: dict[float, list[list[float]]], context: int = 8) -> None:
        self.tokenizer, self.transitions = Letters(), transitions
        self.model = Model(torch.full((4, 4), 0.25), context)

    def visit(self, sweep: Sweep) -> Iterator[SweepPoint]:
        for entry in sweep.points:
            self.model.transitions = torch.tensor(self.transitions[float(entry.coordinates[0][1])])
            yield entry


class Model:
    device = "cpu"
    generation_config = SimpleNamespace(eos_token_id=None)

    def __init__(self, transitions: torch.Tensor, context: int) -> None:
        self.transitions = transitions
        self.config = SimpleNamespace(max_position_embeddings=context, vocab_size=4, eos_token_id=None)

    def named_modules(self) -> list[tuple[str, Any]]:
        return []

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, use_cache: bool) -> SimpleNamespace:
        assert not use_cache and attention_mask.shape == input_ids.shape
        return SimpleNamespace(logits=self.transitions.log()[input_ids] + 5)


def chain(transitions: dict[float, list[list[float]]], context: int = 8) -> Any:
    return Chain(transitions, context)


# Next after p at alpha = 0, 1, 2; after x, y and z the same everywhere.
AFTER_P = {0.0: [0.1, 0.4, 0.3, 0.2], 1.0: [0.125, 0.475, 0.05, 0.35], 2.0: [0.1, 0.6, 0.1, 0.2]}
CHAIN = {a: [p, [0.2, 0.2, 0.5, 0.1], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]] for a, p in AFTER_P.items()}


def test_hand_computed_values() -> None:
    words = {"good": ["x", "xyp"], "bad": ["y"]}
    table = next_token_probabilities(chain(CHAIN), line(0, 1, 2), "p", words, top=2, ends=(0, 1), batch_size=8)
    columns = "sweep alpha point kind group text tokens pieces probability first_token_probability"
    assert list(table.columns) == columns.split()
    at0 = table[table["alpha"] == 0]
    # From alpha = 0 to 1: z + 0.15, x + 0.075, p + 0.025, y - 0.25.
    assert at0[["kind", "group", "text", "tokens", "pieces"]].to_numpy().tolist() == [
        ["word", "good", "x", 1, "x"],
        ["word", "good", "xyp", 3, "x|y|p"],
        ["word", "bad", "y", 1, "y"],
        ["token", "rises", " z", 1, "z"],
        ["token", "rises", " x", 1, "x"],
        ["token", "falls", " y", 1, "y"],
    ]
    # P(xyp) = P(x | p) P(y | x) P(p | y).
    assert at0["probability"].tolist() == pytest.approx([0.4, 0.4 * 0.5 * 0.7, 0.3, 0.2, 0.4, 0.3], rel=1e-6)
    assert at0["first_token_probability"].tolist() == pytest.approx([0.4, 0.4, 0.3, 0.2, 0.4, 0.3], rel=1e-6)
    at2 = table[table["alpha"] == 2]
    assert at2["probability"].tolist() == pytest.approx([0.6, 0.6 * 0.5 * 0.7, 0.1, 0.2, 0.6, 0.1], rel=1e-6)
    assert at2["text"].tolist() == at0["text"].tolist()
    assert table["point"].unique().tolist() == ["a=1", "b=1", "a=-1+b=2"]


def test_top_and_ends() -> None:
    def moved(top: int, ends: tuple[float, float]) -> list[tuple[str, str]]:
        table = next_token_probabilities(chain(CHAIN), line(0, 1, 2), "p", {}, top, ends, 8)
        first = table[table["alpha"] == 0]
        return list(zip(first["group"], first["pieces"], strict=True))

    assert moved(1, (0, 1)) == [("rises", "z"), ("falls", "y")]
    assert moved(1, (1, 0)) == [("rises", "y"), ("falls", "z")]
    # From 0 to 2: x + 0.2, y - 0.2, nothing else.
    assert moved(1, (0, 2)) == [("rises", "x"), ("falls", "y")]
    assert moved(0, (0, 1)) == []


def test_most_moved_orders_ties_by_index_and_leaves_out_what_stays() -> None:
    assert _most_moved(np.array([0.0, 0.2, -0.1, 0.2, 0.3, -0.1, -0.4]), 3) == ([4, 1, 3], [6, 2, 5])
    assert _most_moved(np.array([0.1, 0.2]), 3) == ([1, 0], [])


@pytest.fixture(scope="module")
def pair(tiny_gpt2: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny GPT-2 as ``a``, and ``b``: the same with weights moved at random."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    directory = tmp_path_factory.mktemp("pair") / "b"
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(tiny_gpt2).save_pretrained(directory)
    return {"a": tiny_gpt2, "b": directory}


def test_a_gpt2_against_explicit_steps(pair: dict[str, Path]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    table = next_token_probabilities(
        WeightSpace(pair), line(0, 0.5, 1, 3), "the film was", {"w": ["good", "bad", "the", "xylophone"]}, 4, (0, 1), 8
    )
    tokenizer = AutoTokenizer.from_pretrained(pair["a"])
    prompt = tokenizer("the film was").input_ids
    parts: list[Any] = [AutoModelForCausalLM.from_pretrained(pair[name]).eval() for name in "ab"]
    after = {}
    for alpha in (0.0, 0.5, 1.0, 3.0):
        merged: Any = AutoModelForCausalLM.from_pretrained(pair["a"]).eval()
        with torch.no_grad():
            for target, a, b in zip(merged.parameters(), *(part.parameters() for part in parts), strict=True):
                target.copy_((1 - alpha) * a.double() + alpha * b.double())

        def step(ids: list[int], model: Any = merged) -> np.ndarray:
            with torch.no_grad():
                return model(torch.tensor([ids])).logits[0, -1].double().softmax(-1).numpy()

        after[alpha] = step(prompt)
        rows = table[(table["alpha"] == alpha) & (table["kind"] == "word")].set_index("text")
        lengths = set()
        for word in ("good", "bad", "the", "xylophone"):
            ids = tokenizer(f" {word}").input_ids
            product = math.prod(step(prompt + ids[:k])[ids[k]] for k in range(len(ids)))
            assert rows.loc[word, "probability"] == pytest.approx(product, rel=2e-5)
            assert rows.loc[word, "first_token_probability"] == pytest.approx(after[alpha][ids[0]], rel=2e-5)
            assert rows.loc[word, "tokens"] == len(ids)
            assert rows.loc[word, "pieces"] == "|".join(tokenizer.convert_ids_to_tokens(ids))
            lengths.add(len(ids))
        assert lengths >= {1, 9}  # single and multi-token words are both compared
    change = after[1.0] - after[0.0]
    order = np.argsort(change)
    for value in after:
        part = table[(table["kind"] == "token") & (table["alpha"] == value)]
        for group, ids in (("rises", order[::-1][:4]), ("falls", order[:4])):
            rows = part[part["group"] == group]
            assert rows["pieces"].tolist() == tokenizer.convert_ids_to_tokens(ids.tolist())
            assert rows["probability"].tolist() == pytest.approx(after[value][ids].tolist(), rel=2e-5)


def test_batches_make_no_difference_and_fit_into_gpu_memory(
    pair: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"w": ["good", "bad", "the", "xylophone"]}
    space, sweep = WeightSpace(pair), line(0, 1)
    expected = next_token_probabilities(space, sweep, "the film was", words, 4, (0, 1), 8)
    # The prompt and three words of several tokens.
    one = next_token_probabilities(space, sweep, "the film was", words, 4, (0, 1), 1)
    pd.testing.assert_frame_equal(one, expected, rtol=1e-5)
    failed = limit_memory(monkeypatch, GPT2LMHeadModel, rows=2)
    halved = next_token_probabilities(space, sweep, "the film was", words, 4, (0, 1), 8)
    pd.testing.assert_frame_equal(halved, expected, rtol=1e-5)
    assert failed == [4] and halvings(capsys) == 1


def test_words_are_refused() -> None:
    def run(words: dict[str, list[str]], prompt: str = "p", joined: tuple[str, ...] = (), context: int = 8) -> None:
        space = chain(CHAIN, context)
        space.tokenizer = Letters(joined)
        next_token_probabilities(space, line(0, 1), prompt, words, 1, (0, 1), 8)

    for words in ({"g": [""]}, {"g": [" x"]}, {"g": ["x "]}):
        with pytest.raises(UserError, match="is empty or has spaces around it"):
            run(words)
    with pytest.raises(UserError, match="words: 'x' is listed twice, in g and in h"):
        run({"g": ["x"], "h": ["y", "x"]})
    with pytest.raises(UserError, match="words: the tokenizer gives no token for '!'"):
        run({"g": ["!"]})
    with pytest.raises(UserError, match="prompt 'p ': is empty or ends with a space"):
        run({"g": ["x"]}, prompt="p ")
    with pytest.raises(UserError, match=r"prompt 'p': its tokens are not the first ones of 'p x'"):
        run({"g": ["x"]}, joined=("p x",))
    run({"g": ["xyz"]}, context=3)
    with pytest.raises(UserError, match="prompt 'p': 4 tokens, with a word, exceed the model's context of 3"):
        run({"g": ["xyzx"]}, context=3)


def test_prompts_without_words_are_checked() -> None:
    with pytest.raises(UserError, match="prompt '': is empty"):
        next_token_probabilities(chain(CHAIN), line(0, 1), "", {}, 1, (0, 1), 8)


def test_sweeps_and_ends_are_checked() -> None:
    plane = build_sweep(
        "plane",
        LINE
        | {
            "directions": {"alpha": {"b": 1, "a": -1}, "beta": {"c": 1, "a": -1}},
            "grid": {"alpha": [0, 1], "beta": [0, 1]},
        },
    )
    with pytest.raises(UserError, match=r"sweep plane: has coordinates \['alpha', 'beta'\]"):
        next_token_probabilities(chain(CHAIN), plane, "p", {}, 1, (0, 1), 8)
    with pytest.raises(UserError, match=r"ends: 0\.5 is not on the grid of sweep line; choose two of 0, 1"):
        next_token_probabilities(chain(CHAIN), line(0, 1), "p", {}, 1, (0, 0.5), 8)
    with pytest.raises(UserError, match="ends: both are 1"):
        next_token_probabilities(chain(CHAIN), line(0, 1), "p", {}, 1, (1, 1), 8)


def test_a_logit_that_is_not_finite_is_an_error() -> None:
    zero = {0.0: CHAIN[0.0], 1.0: [[0.5, 0.5, 0.0, 0.0], *CHAIN[1.0][1:]]}
    with pytest.raises(UserError, match="point b=1: after 'p': a logit is not finite"):
        next_token_probabilities(chain(zero), line(0, 1), "p", {}, 1, (0, 1), 8)
    zero = {0.0: [CHAIN[0.0][0], [1.0, 0.0, 0.0, 0.0], *CHAIN[0.0][2:]], 1.0: CHAIN[1.0]}
    with pytest.raises(UserError, match="point a=1: in 'xy': a logit is not finite"):
        next_token_probabilities(chain(zero), line(0, 1), "p", {"g": ["xy"]}, 1, (0, 1), 8)


def test_tokens_of_any_text_survive_the_file(tmp_path: Path) -> None:
    class Odd(Letters):
        texts = (" null", ' a, "b"', "\r\n\x00", "\u00a0caf\u00e9\ufffd")

        def decode(self, ids: list[int], clean_up_tokenization_spaces: bool) -> str:
            return self.texts[ids[0]]

    moving = {0.0: [[0.4, 0.3, 0.2, 0.1], *CHAIN[0.0][1:]], 1.052632: [[0.1, 0.2, 0.3, 0.4], *CHAIN[0.0][1:]]}
    space = chain(moving)
    space.tokenizer = Odd()
    table = next_token_probabilities(space, line(0, 1.052632), "p", {"NA": ["x"]}, 2, (0, 1.052632), 8)
    write_next_tokens(table, tmp_path / "t.csv")
    again = read_next_tokens(tmp_path / "t.csv")
    texts = ["x", "\\xa0caf\u00e9\ufffd", "\\r\\n\\x00", " null", ' a, "b"']
    assert again["text"].tolist() == texts * 2
    assert again["group"].tolist() == ["NA", "rises", "rises", "falls", "falls"] * 2
    assert again["alpha"].unique().tolist() == [0, 1.052632]
    pd.testing.assert_frame_equal(again, table, rtol=1e-5)
    lines = (tmp_path / "t.csv").read_text(encoding="utf-8").split("\n")
    assert lines[1] == "line,0.0,a=1,word,NA,x,1,x,0.3,0.3" and lines[-1] == "" and len(lines) == 12


def test_encode_word(tiny_tokenizer: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_tokenizer)
    assert tokenizer.convert_ids_to_tokens(encode_word(tokenizer, "the film", "was")) == ["Ġwas"]
