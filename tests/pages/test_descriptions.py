"""Settings in words, for the texts beside figures and tables."""

# ruff: noqa: E501

import re
from pathlib import Path

from lm_interpolation.pages.descriptions import describe_search, describe_training
from lm_interpolation.study.captions import figure_settings
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study

ROOT = Path(__file__).parents[2]


def test_searches_and_trainings() -> None:
    grid = {"learning_rate": [1e-5, 0.0003], "batch_size": [8, 32], "steps": [40, 1000]}
    assert describe_search("s", {"model": "base", "grid": grid}) == (
        "s: trainings of base with each combination of learning rate (1e−5, 0.0003), batch size (8, 32), number of steps "
        "(40, 1,000)"
    )
    config = read_study([ROOT / "config" / "config.yaml"])
    training = Study(config).models.settings("scratch")["training"]
    assert describe_training("scratch", training) == (
        "scratch: 300 steps, 50 of them warm-up, of 32 sequences of 64 tokens; learning rate 0.003 (cosine), AdamW with "
        "betas 0.9 and 0.95, weight decay 0.01; fp32, seed 7"
    )
    assert "warm-up" not in describe_training("scratch", training | {"warmup_steps": 0})
    lora = {"rank": 8, "alpha": 16, "targets": ["q_proj", "v_proj"], "dropout": 0, "rslora": True}
    words = "weight decay 0.01; LoRA of rank 8, alpha 16 by the root of the rank, on q_proj, v_proj; fp32, seed 7"
    assert words in describe_training("scratch", training | {"lora": lora})


def test_no_caption_is_a_dump_of_settings() -> None:
    study = Study(read_study([ROOT / "config" / "config.yaml"]))
    facts = [fact for figure in study.config["figures"] for fact in figure_settings(study, figure)["text"]["facts"]]
    assert facts
    keys = re.compile(r"\bkind \w+,|[{}]|\b(learning_rate|batch_size|block_length|adam_beta1|too_long|prefixes)\b")
    assert not [fact for fact in facts if keys.search(fact)]
