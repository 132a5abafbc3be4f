"""The texts beside figures: what they say about sweeps, sampling and scorers, and how it is written up."""

from typing import Any

import pandas as pd

from lm_interpolation.pages.captions import write_up
from lm_interpolation.pages.facts import describe_entry, describe_sampling, describe_sweep
from lm_interpolation.points.algebra import build_sweep

SAMPLING = {"top_p": 0.9, "max_new_tokens": 30, "samples": 25, "seed": 0}


def sweep_text(**spec: Any) -> str:
    spec = {"space": "weights", "prompts": ["neutral"]} | spec
    return describe_sweep(build_sweep("mine", spec), spec, texts=True)


def test_a_line_is_told_by_its_formula_grid_and_prompts() -> None:
    text = sweep_text(
        origin={"base": 0.5, "other": 0.5},
        directions={"gamma": {"positive": 1, "negative": -1}},
        grid={"gamma": [-4, 0, 0.25]},
        prompts=["neutral", "positive"],
    )
    assert text == (
        "mine = 0.5 base + 0.5 other + gamma (positive − negative) (weights); gamma: 3 values from -4 to 0.25; "
        "prompts: neutral, positive"
    )


def test_anchors_are_counted_beside_the_grid() -> None:
    text = sweep_text(
        origin={"base": 1},
        directions={"alpha": {"negative": -2, "positive": 2}, "beta": {"negative": 1, "base": -1}},
        grid={"alpha": [0, 1], "beta": {"start": -4, "stop": 4, "count": 20}},
        anchors=[{"alpha": 0.5, "beta": 4}],
        space="logits",
        prompts=[],
    )
    assert text == (
        "mine = base + alpha (−2 negative + 2 positive) + beta (negative − base) (logits, an ensemble); "
        "alpha: 2 values from 0 to 1; beta: 20 values from -4 to 4; 1 more point off the grid"
    )


def test_sampling_is_told_with_the_nucleus_of_ensembles() -> None:
    told = "texts: 25 continuations per prompt of at most 30 tokens, top-p 0.9"
    assert describe_sampling(SAMPLING, {"neutral": 25}, None) == told
    assert describe_sampling(SAMPLING, {"neutral": 25, "positive": 25}, "base") == (
        f"{told}; the nucleus of ensembles is that of base"
    )


def test_sampling_is_told_set_by_set_where_numbers_differ() -> None:
    assert describe_sampling(SAMPLING, {"neutral": 8, "plane": 1, "positive": 8}, None) == (
        "texts: 8 continuations per prompt of neutral and positive, 1 continuation per prompt of plane, of at most 30 "
        "tokens, top-p 0.9"
    )
    # Of this set alone, whatever holds for others.
    assert describe_sampling(SAMPLING, {"plane": 1}, None) == (
        "texts: 1 continuation per prompt of at most 30 tokens, top-p 0.9"
    )


def test_an_entry_is_told_as_it_stands_in_the_config() -> None:
    entry = {"kind": "norms", "pairs": {"a − b": {"model": "a", "reference": "b"}}, "n": [1, 2.5], "on": True}
    assert describe_entry("mine", entry) == (
        "mine: kind norms, pairs {a − b: {model: a, reference: b}}, n [1, 2.5], on True"
    )


def test_the_text_opens_with_the_figure_and_ends_with_its_data() -> None:
    spec = {"title": "Lines", "caption": "What is seen.", "paper": "§ 4.1, Fig. 3."}
    table = pd.DataFrame({"point": ["a=1", "b=1", "a=1"], "n_prompts": [3, 5, 4], "n_texts": [30, 50, 40]})
    losses = pd.DataFrame({"point": ["a=1", "b=1"], "n_texts": [7, 7]})
    curve = pd.DataFrame({"step": [1], "loss": [2.0]})
    paths = ["../tables/one.csv", "../tables/two.csv", "../training/base/loss.csv"]
    assert write_up(
        "fig3", spec, ["one fact", "two facts"], ["one judge"], paths, [table, losses, curve], ["It rises."]
    ) == (
        "# fig3: Lines\n\n"
        "![fig3](fig3.png)\n\n"
        "**Finding.**\n\n"
        "- It rises.\n\n"
        "What is seen.\n\n"
        "**In the paper.** § 4.1, Fig. 3.\n\n"
        "**Here.**\n\n"
        "- one fact\n"
        "- two facts\n\n"
        "**Judges.**\n\n"
        "- one judge\n\n"
        "**Data.**\n\n"
        "- `../tables/one.csv`: 2 points, up to 5 prompts per point, up to 50 texts per point\n"
        "- `../tables/two.csv`: 2 points, up to 7 texts per point\n"
        "- `../training/base/loss.csv`\n"
    )


def test_texts_are_shown_side_by_side() -> None:
    texts = pd.DataFrame(
        {
            "row": [3, 3],
            "prompt": ["The film", "The film"],
            "coordinate": [0, 1],
            "theta2": [" was\nbad", "<b>&*_null_*"],
        }
    ).assign(ensemble=[" a|b", ""])
    text = write_up("mine", {"title": "", "caption": "", "paper": ""}, [], [], ["t.csv"], [texts], [])
    assert text.endswith(
        "- `t.csv`\n\n"
        "**Texts.**\n\n"
        "| prompt | coordinate | theta2 | ensemble |\n"
        "| --- | --- | --- | --- |\n"
        "| The film | 0 | was bad | a\\|b |\n"
        r"| The film | 1 | \<b>\&\*\_null\_\* |  |" + "\n"
    )


def test_a_figure_of_ones_own_says_so() -> None:
    spec = {"title": "", "caption": "", "paper": ""}
    text = write_up("mine", spec, [], [], [], [], [])
    assert text.startswith("# mine\n\n![mine](mine.png)\n\n**In the paper.** Not an experiment of the paper.\n")


def test_an_empty_table_has_no_numbers() -> None:
    empty = pd.DataFrame({"point": [], "n_prompts": [], "n_texts": []})
    text = write_up("mine", {"title": "", "caption": "", "paper": ""}, [], [], ["t.csv"], [empty], [])
    assert text.endswith("- `t.csv`\n") and "Judges" not in text


def test_the_chosen_trial_stands_in_the_text() -> None:
    frame = pd.DataFrame({"search": "s", "steps": [1, 2, 3], "chosen": [False, True, False], "configured": False})
    text = write_up("table2", {"title": "", "caption": "", "paper": ""}, [], [], ["s.csv"], [frame], [])
    assert "| s | 2 | True | False |" in text
    assert "| s | 1 |" not in text
