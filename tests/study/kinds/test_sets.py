"""Sets of models, and models that are made of others."""

from typing import Any

import pytest
import yaml

from lm_interpolation.study.config import declare
from lm_interpolation.study.leak_plan import leak_plan, lineage
from lm_interpolation.study.study import Study
from tests.tiny_study import TINY, change, errors_of, tiny_study

LOSS = {"corpus": "reviews", "class": "positive", "limit": 20}


def study_config(**changes: Any) -> dict[str, Any]:
    """The tiny study with sets and soups; ``changes`` are values by their key paths, joined by ``__``."""
    config = tiny_study()
    training = config["models"]["base"]["training"]
    config["sets"] = {
        "ends": {"models": ["positive", "negative"], "labels": {"task": "sentiment"}},
        "all": {"sets": ["ends"], "models": ["base", "negative"]},
    }
    config["models"] |= {
        "centre": {"task": "language-model", "start": {"mean": "all"}},
        "greedy": {"task": "language-model", "start": {"greedy": ["positive", "negative"], "loss": dict(LOSS)}},
        "further": {
            "task": "language-model",
            "start": {"model": "centre"},
            "data": {"corpus": "reviews"},
            "training": training,
        },
    }
    change(config, changes)
    return config


def test_members_come_in_order_and_once() -> None:
    declared = declare(study_config()).config
    assert declared.members_of("ends") == ["positive", "negative"]
    assert declared.members_of("all") == ["base", "negative", "positive"]
    assert declared.sets["ends"].labels == {"task": "sentiment"}


def test_a_soup_is_planned_from_its_models() -> None:
    study = Study(study_config())
    assert (study.models.imported(), study.models.derived()) == ([], ["centre", "greedy"])
    assert (study.models.derived("mean"), study.models.derived("greedy")) == (["centre"], ["greedy"])
    assert study.config["models"]["centre"]["start"] == {"mean": ["base", "negative", "positive"]}
    folder = "results/tiny/models/"
    assert study.models.soup_inputs("centre") == {
        "models": [folder + name for name in ("base", "negative", "positive")]
    }
    assert study.models.soup_inputs("greedy") == {
        "models": [folder + "negative", folder + "positive"],
        "texts": "results/tiny/corpora/reviews/dev.parquet",
    }
    assert study.models.greedy_settings("greedy") == {
        "models": ["negative", "positive"],
        "corpus": "reviews",
        "split": "dev",
        "class_name": "positive",
        "limit": 20,
    }
    # What a further training starts from is made of these.
    assert study.models.starts() == {"base", "centre", "negative", "positive"}
    assert study.models.tokenizer_folder("further") == "results/tiny/tokenizers/bpe"
    assert study.models.inputs("further")["start"] == folder + "centre"


def test_a_soup_can_be_combined() -> None:
    spec = {"origin": {"base": 1}, "directions": {"beta": {"centre": 1, "base": -1}}, "grid": {"beta": [0, 1]}}
    study = Study(study_config(sweeps__soup=spec))
    assert [entry.point.id for entry in study.sweeps["soup"].points] == ["base=1", "centre=1"]


def test_a_soup_learnt_what_its_models_learnt() -> None:
    study = Study(study_config(scorers__perplexity={"kind": "perplexity", "model": "further"}))
    models = study.config["models"]
    assert lineage(models, ["further"]) == ["further", "centre", "base", "negative", "positive"]
    found = leak_plan(study)
    assert found["unknown"] == []
    (loss,) = [one for one in found["comparisons"] if "models.greedy" in one["what"] and "positive" in one["where"]]
    assert loss["texts"] == {"corpus": "reviews", "split": "dev", "classes": ["positive"], "limit": 20}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"sets__ends": {}}, "config: sets.ends: has neither models nor sets; name some"),
        ({"sets__ends": {"models": []}}, "config: sets.ends.models is empty; give at least one"),
        (
            {"sets__all": {"models": ["bas"]}},
            "config: sets.all.models: model 'bas' is not declared; did you mean 'base'?",
        ),
        ({"sets__all": {"sets": ["end"]}}, "config: sets.all.sets: set 'end' is not declared; did you mean 'ends'?"),
        ({"sets__all__label": {}}, "config: unknown key 'label' at sets.all; did you mean 'labels'?"),
        ({"sets__ends": {"sets": ["all"]}}, "config: sets.ends: ends <- all <- ends is a circle; break it"),
        (
            {"sets__all": {"models": ["further"]}},
            "config: models.centre.start.mean: centre <- all <- further <- centre is a circle; break it",
        ),
        (
            {"models__centre__start": {"mean": "al"}},
            "config: models.centre.start.mean: set 'al' is not declared; did you mean 'all'?",
        ),
        (
            {"models__centre__start": {"mean": ["bas"]}},
            "config: models.centre.start.mean: model 'bas' is not declared; did you mean 'base'?",
        ),
        ({"models__centre__start": {"mean": 3}}, "config: models.centre.start.mean is 3; give a string or a list"),
        (
            {"models__centre__start": {"mean": ["grammar-judge"]}},
            "config: models.centre.start.mean: 'grammar-judge' is a classifier; choose a language model",
        ),
        (
            {"sets__all": {"models": ["grammar-judge"]}},
            "config: models.centre.start.mean: 'grammar-judge' is a classifier; choose a set of language models",
        ),
        (
            {"models__centre__task": "classifier", "models__further__start": {"model": "base"}},
            "config: models.centre.task: start.mean is for language models; train the classifier from one",
        ),
        (
            {
                "models__centre__data": {"corpus": "reviews"},
                "models__centre__training": TINY["models"]["base"]["training"],
            },
            "config: models.centre: declare the model that training starts from as a model of its own",
        ),
        (
            {"models__greedy__start": {"greedy": "all"}},
            "config: key 'loss' is missing at models.greedy.start; a start from greedy needs it",
        ),
        (
            {"models__greedy__start__loss": {"corpus": "reviews", "class": "good"}},
            "config: models.greedy.start.loss.class: class 'good' is not declared; declared: negative, neutral, "
            "positive",
        ),
        (
            {"models__greedy__start__loss": {"corpus": "reviews", "split": "test"}},
            'config: models.greedy.start.loss.split is "test"; choose one of dev',
        ),
        (
            {"models__greedy__start": {"mean": "all", "greedy": "all"}},
            "config: models.greedy.start has mean and greedy; give exactly one of hub, directory, model, architecture, "
            "architecture_of, mean, greedy, align, adapter",
        ),
    ],
)
def test_mistakes(changes: dict[str, Any], line: str) -> None:
    assert line in errors_of(study_config(**changes))


def test_models_of_two_architectures_have_no_mean() -> None:
    config = study_config(sets__all={"models": ["base", "wide"]})
    base = config["models"]["base"]
    architecture = {**base["start"]["architecture"], "n_embd": 64}
    config["models"]["wide"] = {**base, "start": {**base["start"], "architecture": architecture}}
    assert errors_of(config) == [
        "config: models.centre.start.mean: models 'base' and 'wide' differ in n_embd (32 and 64) and cannot be "
        "combined; declare them alike"
    ]


def test_a_study_that_lacks_a_model_has_no_set_with_it(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(study_config()))
    own = {"extends": "base.yaml", "study": "own", "models": {"negative": None}, "sweeps": {"theta1": None}}
    found = declare(own)
    assert {path for path in found.left_out if path.startswith(("sets", "models"))} == {
        "sets.ends",
        "sets.all",
        "models.centre",
        "models.greedy",
        "models.further",
    }
