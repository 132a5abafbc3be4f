"""Members of ensembles that are no models, and nuclei of their own, in the plan of a study."""

import re
from pathlib import Path
from typing import Any

import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.captions import sampling
from lm_interpolation.study.config import declare
from lm_interpolation.study.study import Study
from lm_interpolation.texts.steering import OpenStudy, find_place
from tests.study.test_config import error_of, settled, small_config

EXPERTS: dict[str, dict[str, Any]] = {
    "either": {"kind": "max", "models": ["negative", "other"]},
    "both": {"kind": "min", "models": ["negative", "positive"]},
    "cheerful": {"kind": "words", "words": {"good": 2, "bad": -1.5}},
    "flat": {"kind": "uniform"},
}


def config_of(origin: dict[str, float], direction: dict[str, float], **changes: Any) -> dict[str, Any]:
    """A study with an ensemble, ``odds``, of experts."""
    config = small_config()
    config["experts"] = {name: dict(entry) for name, entry in EXPERTS.items()}
    config["methods"] = {"combined": {"space": "logits"}, "as-base": {"space": "logits", "nucleus": "base"}}
    sweep = {"space": "logits", "origin": origin, "directions": {"gamma": direction}, "grid": {"gamma": [0, 1]}}
    config["sweeps"]["odds"] = {**sweep, "prompts": ["neutral"], **changes}
    return config


def test_an_ensemble_runs_the_models_behind_its_experts() -> None:
    study = Study(config_of({"base": 1}, {"base": 1, "either": -1}))
    _, point = (entry.point.id for entry in study.sweeps["odds"].points)
    assert point == "base=2+either=-1"
    settings = study.ensemble_settings(point)
    assert settings["models"] == ["base", "negative", "other"] and settings["nucleus"] is None
    ((name, expert),) = settings["experts"].items()
    assert name == "either" and expert["settings"] == {"extreme": "max", "models": ["negative", "other"]}
    # An edit of its module makes its texts again, and no others.
    assert set(expert["code"]) and all("extremes" in module or "base" in module for module in expert["code"])


def test_without_experts_settings_are_as_before() -> None:
    assert set(Study(small_config()).ensemble_settings("base=1")) == {"models", "nucleus"}


def test_a_rule_takes_no_model() -> None:
    study = Study(config_of({"base": 1}, {"cheerful": 1, "flat": -1}))
    settings = study.ensemble_settings("base=1+cheerful=1+flat=-1")
    assert settings["models"] == ["base"]
    assert settings["experts"]["cheerful"]["settings"] == {"words": {"good": 2, "bad": -1.5}}
    assert settings["experts"]["flat"]["settings"] == {}


@pytest.mark.parametrize(("method", "nucleus"), [(None, "positive"), ("combined", None), ("as-base", "base")])
def test_a_method_of_ensembles_has_its_own_nucleus(method: str | None, nucleus: str | None) -> None:
    config = config_of({"other": 1}, {"positive": 1, "negative": -1}, **({"method": method} if method else {}))
    config["generation"]["nucleus"] = "positive"
    study = Study(config)
    point = study.sweeps["odds"].points[-1].point.id
    assert point == (f"{method}@" if method else "") + "negative=-1+other=1+positive=1"
    assert study.ensemble_settings(point)["nucleus"] == nucleus
    assert ("base" in study.ensemble_models(point)) == (nucleus == "base")
    # Points of both kinds are texts of their own.
    assert f"results/small/texts/logits/neutral/{point}.parquet" in study.lines.texts("neutral", "odds")


@pytest.mark.parametrize(
    ("origin", "direction", "changes", "message"),
    [
        ({"base": 1}, {"cheerful": 1, "flat": -1}, {"space": "weights"}, "space: is weights, but expert 'cheerful'"),
        ({"flat": 1}, {"cheerful": 1, "flat": -1}, {}, "sweeps.odds.origin: has no model, only rules; add one"),
        ({"base": 1}, {"chearful": 1, "flat": -1}, {}, "'chearful' is not declared; did you mean 'cheerful'?"),
        ({"base": 1}, {"judge": 1, "flat": -1}, {}, "'judge' is a classifier"),
        ({"base": 1}, {"cheerful": 1, "flat": -1}, {"method": "ties"}, "'ties' is one of weights, but the sweep is"),
        ({"base": 1}, {"positive": 1, "base": -1}, {"method": "combined", "space": "weights"}, "is one of logits, but"),
    ],
)
def test_mistakes_in_sweeps(
    origin: dict[str, float], direction: dict[str, float], changes: dict[str, Any], message: str
) -> None:
    config = config_of(origin, direction, **changes)
    config["methods"]["ties"] = {"base": "base", "keep": {"by": "magnitude", "density": 0.2}}
    assert message in error_of(config)


@pytest.mark.parametrize(
    ("experts", "message"),
    [
        ({"base": {"kind": "uniform"}}, "experts.base: a model has this name, too; rename one"),
        ({"either": {"kind": "max", "models": ["base"]}}, "experts.either.models"),
        ({"either": {"kind": "max", "models": ["base", "positiv"]}}, "model 'positiv' is not declared"),
        ({"either": {"kind": "min", "models": ["base", "judge"]}}, "'judge' is a classifier"),
        ({"cheerful": {"kind": "words", "words": {}}}, "experts.cheerful.words"),
        ({"cheerful": {"kind": "words", "words": {" good": 1}}}, "' good' has spaces around it; remove them"),
        ({"cheerful": {"kind": "rule"}}, 'experts.cheerful.kind is "rule"; choose one of max, min, words, uniform'),
    ],
)
def test_mistakes_in_experts(experts: dict[str, Any], message: str) -> None:
    assert message in error_of(small_config() | {"experts": experts})


def test_experts_without_their_models_are_left_out_with_their_sweeps() -> None:
    config = config_of({"base": 1}, {"base": 1, "either": -1})
    config["experts"]["either"]["models"] = ["base", "zebra-xl"]
    _, resolved, left_out = declare(config)
    assert set(left_out) == {"experts.either", "sweeps.odds"}
    assert "either" not in resolved["experts"]


def test_families_cannot_be_united() -> None:
    config = config_of({"base": 1}, {"base": 1, "either": -1})
    config["models"]["films"] = {**config["models"]["positive"], "replicates": [0, 1]}
    config["experts"]["either"]["models"] = ["base", "films"]
    assert "'films' is a family of replicates" in error_of(config)


def test_points_in_words_name_the_method_of_an_ensemble() -> None:
    config = config_of({"base": 1}, {"cheerful": 1, "flat": -1}, method="combined")
    declared, resolved, left_out = declare(config)
    study = OpenStudy((Path("x.yaml"),), declared, resolved, left_out, declared.built_sweeps(), Path("results"))
    by_coordinate = find_place(study, "gamma=0.5", "odds")
    by_models = find_place(study, "combined base=1 cheerful=0.5 flat=-0.5")
    assert by_models.point == by_coordinate.point and by_models.space == by_coordinate.space == "logits"
    assert declared.ensemble_models(by_models.point) == ["base"]
    with pytest.raises(UserError, match=re.escape("happy is no model; under method combined give models: base, both")):
        find_place(study, "combined base=1 happy=0.5 flat=-0.5")


def test_experts_are_in_the_resolved_config() -> None:
    resolved = settled(config_of({"base": 1}, {"base": 1, "both": -1}))
    assert resolved["experts"] == EXPERTS


def test_captions_say_whose_nucleus_ensembles_have() -> None:
    config = config_of({"base": 1}, {"cheerful": 1, "flat": -1}, method="combined")
    config["sweeps"]["plain"] = {**config["sweeps"]["odds"]}
    del config["sweeps"]["plain"]["method"]
    told = {}
    for nucleus in (None, "base"):
        config["generation"] |= {} if nucleus is None else {"nucleus": nucleus}
        study = Study(config)
        told[nucleus] = [
            sampling(study, names).partition("; ")[2] for names in (["odds"], ["plain"], ["odds", "plain"])
        ]
    assert told[None] == [
        "the nucleus of ensembles is that of the ensemble itself",
        "",
        "the nucleus of ensembles is that of the ensemble itself",
    ]
    assert told["base"] == [
        "the nucleus of ensembles is that of the ensemble itself",
        "the nucleus of ensembles is that of base",
        "the nucleus of ensembles is that of the ensemble itself along odds, and of base along plain",
    ]


def test_the_ensemble_beside_a_point_under_a_method_of_weights_has_the_nucleus_of_the_study() -> None:
    config = config_of({"base": 1}, {"positive": 1, "base": -1})
    config["generation"]["nucleus"] = "base"
    config["methods"]["ties"] = {"base": "base", "keep": {"by": "magnitude", "density": 0.2}}
    study = Study(config)
    assert study.ensemble_models("ties@positive=1") == ["positive", "base"]
