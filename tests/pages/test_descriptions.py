"""Settings in words, for the texts beside figures and tables."""

# ruff: noqa: E501

import re
from pathlib import Path
from typing import Any

import pytest

from lm_interpolation.pages.descriptions import _KINDS, describe_analysis, describe_search, describe_training
from lm_interpolation.study.config import load_schema
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study

ROOT = Path(__file__).parents[2]
WORDS = {"good": ["fine", "great"], "bad": ["poor"]}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            {"kind": "loss", "sweep": "line", "corpus": "c", "split": "dev", "classes": ["a", "b"], "limit": 1200,
             "too_long": "cut"},
            "loss of the dev split of corpus c along line, a and b texts apart, the first 1,200 of each; longer texts than "
            "the models read are cut",
        ),
        (
            {"kind": "loss", "sweep": "line", "corpus": "c", "split": "test", "too_long": "error"},
            "loss of the test split of corpus c along line, all texts together",
        ),
        (
            {"kind": "next_token", "sweep": "line", "prompt": "It was", "words": WORDS, "top": 6, "ends": [-1, 1]},
            "probability of each word right after “It was” along line, for the groups good (fine, great); bad (poor); and "
            "of the 6 tokens of the vocabulary that rise, and that fall, most from coordinate −1 to 1",
        ),
        (
            {"kind": "barrier", "sweeps": ["line", "other"], "scorer": "perplexity", "losses": ["line-loss"]},
            "height above the chord from coordinate 0 to 1 of perplexity along line, other, and of line-loss",
        ),
        (
            {"kind": "linearity", "sweep": "plane", "prompts": "neutral", "prefixes": 20, "tolerance": 0.1, "words": WORDS},
            "the model over plane against its first-order expansion around the origin, after the first 20 neutral prompts; "
            "a point counts as linear up to an error of 10 %; the margin is between the groups good (fine, great); bad "
            "(poor)",
        ),
        (
            {"kind": "norms", "pairs": {"moved": {"model": "a", "reference": "b"}}},
            "norms of the weight differences moved (a − b), tensor by tensor",
        ),
        (
            {"kind": "cost", "sweep": "line", "at": [0.5, 1], "prompts": "neutral", "prefixes": 40, "repeats": 3},
            "time and memory of texts after the first 40 neutral prompts at coordinate 0.5, 1 of line, from merged weights "
            "and from an ensemble; 3 runs of each, alone in a fresh process",
        ),
        (
            {"kind": "texts", "sweeps": ["line", "other"], "at": [0], "prompts": "neutral", "prefixes": 6},
            "first continuations after the first 6 neutral prompts at coordinate 0 along line, other, side by side",
        ),
        (
            {"kind": "precision", "sweep": "line", "at": [0], "prompts": "neutral", "prefixes": 20, "threshold": 0.01,
             "reason": "Small."},
            "texts after the first 20 neutral prompts and their scores at coordinate 0 of line, in fp32 and in the "
            "precision of the study; they may differ by 0.01: Small.",
        ),
    ],
)  # fmt: skip
def test_an_analysis_is_told_in_words(spec: dict[str, Any], told: str) -> None:
    assert describe_analysis("mine", spec) == f"mine: {told}"


def test_every_kind_of_analysis_is_described() -> None:
    branches = load_schema()["properties"]["analyses"]["additionalProperties"]["oneOf"]
    assert set(_KINDS) == {branch["properties"]["kind"]["const"] for branch in branches}


def test_searches_and_trainings() -> None:
    grid = {"learning_rate": [1e-5, 0.0003], "batch_size": [8, 32], "steps": [40, 1000]}
    assert describe_search("s", {"model": "base", "grid": grid}) == (
        "s: trainings of base with each combination of learning rate (1e−5, 0.0003), batch size (8, 32), number of steps "
        "(40, 1,000)"
    )
    config = read_study([ROOT / "config" / "config.yaml"])
    training = Study(config).model_settings("scratch")["training"]
    assert describe_training("scratch", training) == (
        "scratch: 300 steps, 50 of them warm-up, of 32 sequences of 64 tokens; learning rate 0.003 (cosine), AdamW with "
        "betas 0.9 and 0.95, weight decay 0.01; fp32, seed 7"
    )
    assert "warm-up" not in describe_training("scratch", training | {"warmup_steps": 0})


def test_no_caption_is_a_dump_of_settings() -> None:
    study = Study(read_study([ROOT / "config" / "config.yaml"]))
    facts = [fact for figure in study.config["figures"] for fact in study.caption_settings(figure)["facts"]]
    assert facts
    keys = re.compile(r"\bkind \w+,|[{}]|\b(learning_rate|batch_size|block_length|adam_beta1|too_long|prefixes)\b")
    assert not [fact for fact in facts if keys.search(fact)]
