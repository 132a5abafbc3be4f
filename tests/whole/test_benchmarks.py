"""The arithmetic of the benchmarks' table and page; no test depends on a time."""

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from benchmarks import run
from benchmarks.generation import Setting, needed_flops
from benchmarks.harness import Goal, Growth, Row, alternate, forward_flops
from benchmarks.scoring import _classifier_flops


def test_ratios_are_taken_within_a_turn() -> None:
    # The machine was three times slower in the second turn.
    row = Row(
        "merge", "work", [1.0, 3.0, 2.0], peer="other", peers=[4.0, 12.0, 6.0], limit="cp", limits=[0.5, 1.5, 2.0]
    )
    assert row.values("peer") == [4.0, 4.0, 3.0]
    assert row.values("limit") == [2.0, 2.0, 1.0]
    assert row.met(Goal("peer", "at least", 4.0)) and not row.met(Goal("peer", "at least", 4.1))
    assert row.met(Goal("limit", "at most", 2.0)) and not row.met(Goal("limit", "at most", 1.9))
    assert row.met(Goal("ours", "at most", 2.0)) and not row.met(Goal("ours", "at most", 1.9))


def test_actions_take_turns() -> None:
    calls: list[str] = []
    seconds = alternate(2, {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, warmups=1)
    assert calls == ["a", "b"] * 3
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}


def test_growth_is_the_slope_between_logarithms() -> None:
    growth = Growth("work", "points", [10, 100, 1000], [[1.0, 2.0, 3.0], [8.0], [32.0]])
    assert growth.slope() == pytest.approx(np.log10(4))


def test_flops_are_two_per_weight_and_token_and_those_of_attention() -> None:
    config = GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=50)
    model = GPT2LMHeadModel(config)
    # Products: the matrices of the layers, and the tied output layer; neither biases, norms nor positions.
    weights = sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and "wpe" not in name)
    # Attention: each token looks at itself and those before it, 2 d FLOPs for a score and 2 d for a value.
    pairs = (1 + 2 + 3) + (1 + 2)
    assert forward_flops(config, [3, 2]) == 2 * weights * 5 + 2 * 4 * 16 * pairs


def test_flops_of_generation_count_prompts_once_and_each_new_token_once(tiny_gpt2: Path) -> None:
    prompts = pd.DataFrame({"row": [4, 9], "text": ["the film was", "a"]})
    setting = Setting("tiny", tiny_gpt2, prompts, batch_size=4, peer_batch=1, threads=1)
    first, second = map(len, AutoTokenizer.from_pretrained(tiny_gpt2)(prompts["text"].tolist()).input_ids)
    texts = pd.DataFrame({"row": [4, 4, 9], "tokens": [3, 1, 0], "stop": ["length", "eos", "eos"]})
    # Tokens that are read, and how many positions each looks at: prompts, then all new tokens but the last one chosen.
    read = [*range(1, first + 1), *range(1, second + 1), first + 1, first + 2, first + 1]
    model = GPT2LMHeadModel.from_pretrained(tiny_gpt2)
    layers = sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and ".h." in name)
    # Logits: behind each prompt, and behind each new token that is read.
    logits = (2 + 3) * 300 * 16
    assert needed_flops(setting, texts) == 2 * layers * len(read) + 2 * logits + 4 * 16 * sum(read)


def test_flops_of_a_classifier_read_every_token_and_classify_one(tiny_gpt2: Path) -> None:
    texts = ["the film was", "a"]
    width, layers, classes = 768, 12, 3
    found = 0
    for ids in AutoTokenizer.from_pretrained(tiny_gpt2)(texts).input_ids:
        # Four products of attention, two of the feed-forward part (four times as wide); every token looks at all.
        found += 2 * len(ids) * layers * (4 * width * width + 2 * width * 4 * width)
        found += 2 * len(ids) ** 2 * layers * 2 * width
        found += 2 * (width * width + width * classes)
    assert _classifier_flops(tiny_gpt2, texts) == found


def test_the_page_holds_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Row("plane", "400 points", [1.0, 2.0, 1.5], peer="disk", peers=[20.0, 30.0, 15.0],
                goals=[Goal("peer", "at least", 10.0), Goal("ours", "at most", 1.0)], note="in place")]  # fmt: skip
    growths = [Growth("plane", "points", [10.0, 20.0, 40.0], [[1.0], [2.0], [4.0]])]

    class Module:
        @staticmethod
        def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
            assert runs == 3 and folder.is_dir()
            return rows, growths

    monkeypatch.setattr(run, "import_module", lambda name: Module if name == "benchmarks.plane" else None)
    run.main(["--only", "plane", "--runs", "3", "--docs", str(tmp_path)])
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert (
        "| plane | 400 points | 1.5 s [1, 2] | disk | 20 s [15, 30] | 15 × [10, 20] | – | – "
        "| at least 10 × faster; at most 1 s | yes; no | 3 |"
    ) in page
    assert "- **plane, 400 points**: in place" in page
    assert "| plane | points | 10, 20, 40 | 1, 2, 4 | 1.00 |" in page
    assert (tmp_path / "benchmarks.png").exists()
    assert json.loads((tmp_path / "benchmarks.json").read_text())["plane"]["rows"][0]["ours"] == [1.0, 2.0, 1.5]
    assert "plane | 400 points" in capsys.readouterr().out


@pytest.mark.parametrize("name", [*run.BENCHMARKS, "gpu"])
def test_every_benchmark_has_what_is_called(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").run)
