"""Models that are aligned with others."""

from typing import Any

import pytest

from lm_interpolation.pages.model_cards import _lineage, _origin
from lm_interpolation.study.leak_plan import lineage
from lm_interpolation.study.study import Study
from tests.tiny_study import TINY, change, errors_of, tiny_study


def study_config(**changes: Any) -> dict[str, Any]:
    """The tiny study with an unrelated model, aligned with the base; ``changes`` are values by their key paths."""
    config = tiny_study()
    base = config["models"]["base"]
    config["models"] |= {
        "scratch": {**base, "start": {**base["start"]}, "training": {**base["training"], "seed": 7}},
        "aligned": {"task": "language-model", "start": {"align": "scratch", "to": "base"}},
    }
    config["sweeps"]["rebasin"] = {
        "origin": {"base": 1},
        "directions": {"alpha": {"aligned": 1, "base": -1}},
        "grid": {"alpha": [0, 0.5, 1]},
    }
    change(config, changes)
    return config


def test_an_aligned_model_is_planned_from_both() -> None:
    study = Study(study_config())
    assert (study.models.derived(), study.models.derived("align")) == (["aligned"], ["aligned"])
    folder = "results/tiny/models/"
    assert study.models.align_inputs("aligned") == {"model": folder + "scratch", "target": folder + "base"}
    assert study.models.align_settings("aligned") == {
        "model": "scratch",
        "target": "base",
        "permute": ["residual", "heads", "mlp"],
        "seed": 0,
    }
    assert [entry.point.id for entry in study.sweeps["rebasin"].points] == [
        "base=1",
        "aligned=0.5+base=0.5",
        "aligned=1",
    ]
    assert study.models.tokenizer_folder("aligned") == "results/tiny/tokenizers/bpe"
    # Its weights are those of one model: it learnt nothing from the other.
    assert lineage(study.config["models"], ["aligned"]) == ["aligned", "scratch"]


def test_the_order_of_what_is_permuted_does_not_count() -> None:
    study = Study(study_config(models__aligned__start__permute=["mlp", "residual"], models__aligned__start__seed=3))
    settings = study.models.align_settings("aligned")
    assert (settings["permute"], settings["seed"]) == (["residual", "mlp"], 3)


def test_its_card_says_what_it_is() -> None:
    config = Study(study_config(models__aligned__start__permute=["mlp", "heads"])).config
    assert _lineage(config, ["aligned"]) == ["aligned", "scratch"]
    assert _origin(config, "aligned") == "scratch, permuted to match base (heads, mlp)"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"models__aligned__start": {"align": "scratch"}},
            "config: key 'to' is missing at models.aligned.start; a start from align needs it",
        ),
        (
            {"models__aligned__start__to": "scratch"},
            "config: models.aligned.start.to: is 'scratch', like align; name another model",
        ),
        (
            {"models__aligned__start__to": "bas"},
            "config: models.aligned.start.to: model 'bas' is not declared; did you mean 'base'?",
        ),
        (
            {"models__aligned__start__align": "grammar-judge"},
            "config: models.aligned.start.align: 'grammar-judge' is a classifier; choose a language model",
        ),
        (
            {"models__aligned__start__to": "aligned"},
            "config: models.aligned.start.align: aligned <- aligned is a circle; break it",
        ),
        (
            {"models__aligned__start__permute": ["ends"]},
            'config: models.aligned.start.permute.0 is "ends"; choose one of residual, heads, mlp',
        ),
        ({"models__aligned__start__permute": []}, "config: models.aligned.start.permute is empty; give at least one"),
        (
            {"models__aligned__task": "classifier"},
            "config: models.aligned.task: start.align is for language models; train the classifier from one",
        ),
        (
            {
                "models__aligned__data": {"corpus": "reviews"},
                "models__aligned__training": TINY["models"]["base"]["training"],
            },
            "config: models.aligned: declare the model that training starts from as a model of its own",
        ),
        (
            {
                "models__scratch__start__architecture": {"model_type": "opt", "hidden_size": 32},
                "models__aligned__start__to": "positive",
            },
            "config: models.aligned.start.align: its architecture 'opt' has no permutations that are known here; "
            "choose a model of gpt2, llama, mistral, qwen2",
        ),
    ],
)
def test_mistakes(changes: dict[str, Any], line: str) -> None:
    assert line in errors_of(study_config(**changes))


def test_models_of_two_architectures_cannot_be_aligned() -> None:
    config = study_config()
    del config["sweeps"]["rebasin"]
    wide = {**config["models"]["scratch"]["start"]["architecture"], "n_embd": 64}
    config["models"]["scratch"]["start"]["architecture"] = wide
    assert errors_of(config) == [
        "config: models.aligned.start.align: models 'scratch' and 'base' differ in n_embd (64 and 32) and cannot be "
        "combined; declare them alike"
    ]
