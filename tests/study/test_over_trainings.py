"""Families of replicates: what is repeated for each training seed, and how its mistakes are told."""

import copy
from typing import Any

import pytest

from lm_interpolation.study import verdicts
from lm_interpolation.study.config import declare
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study
from tests.tiny_study import TINY, change, errors_of, tiny_study
from tests.whole.test_workflow import ROOT

CLAIM = {"threshold": 0.1, "reason": "For a test."}
BARRIER = {**CLAIM, "test": "barrier", "sweep": "theta1", "prompts": "neutral", "scorer": "perplexity"}
REACH = {**CLAIM, "test": "reach", "sweep": "theta1", "than": "toward", "prompts": "neutral", "scorer": "sentiment"}
REACH["statistic"] = "score"


def study_config(**changes: Any) -> dict[str, Any]:
    """The tiny study with both experts as families; ``changes`` are values by their key paths, joined by ``__``."""
    config = tiny_study()
    for name in ("positive", "negative"):
        config["models"][name]["replicates"] = [0, 1, 2]
    del config["searches"], config["figures"]
    # It comes before the analysis that it names.
    barriers = {"kind": "barrier", "sweeps": ["theta1"], "scorer": "perplexity", "losses": ["losses"]}
    config["analyses"] = {"barriers": barriers, **config["analyses"]}
    loss = {**CLAIM, "test": "loss_barrier", "analysis": "losses", "class": "positive"}
    config["claims"] = copy.deepcopy({"texts": BARRIER, "loss": loss, "reach": REACH})
    change(config, changes)
    return config


def test_what_names_a_sweep_of_families_is_repeated_for_each_seed() -> None:
    config = Study(study_config()).config
    assert list(config["sweeps"]) == [
        f"{name}.s{seed}" for name in ("theta1", "toward", "ensemble") for seed in (0, 1, 2)
    ]
    assert config["sweeps"]["theta1.s1"]["origin"] == {"negative.s1": 1}
    assert list(config["analyses"])[3:] == ["losses.s0", "losses.s1", "losses.s2"]
    assert config["analyses"]["losses.s2"]["sweep"] == "theta1.s2"
    barriers = config["analyses"]["barriers.s1"]
    assert (barriers["sweeps"], barriers["losses"]) == (["theta1.s1"], ["losses.s1"])
    assert config["claims"]["loss.s2"]["analysis"] == "losses.s2"
    assert [config["claims"]["reach.s0"][key] for key in ("sweep", "than")] == ["theta1.s0", "toward.s0"]


def test_a_claim_is_judged_once_over_its_trainings() -> None:
    study = Study(study_config(claims__alone={**BARRIER, "sweep": "theta1.s1"}))
    settings = verdicts.settings(study)
    claims = {claim["name"]: claim for claim in settings["claims"]}
    assert list(claims) == ["texts", "loss", "reach", "alone"]
    assert claims["texts"]["statement"].startswith("Between 0 and 1, theta1 has no")
    assert claims["texts"]["keys"]["sweep"] == "theta1"
    assert [(seed, keys["sweep"]) for seed, keys in claims["texts"]["trainings"]] == [
        ("0", "theta1.s0"),
        ("1", "theta1.s1"),
        ("2", "theta1.s2"),
    ]
    assert "trainings" not in claims["alone"]
    assert settings["tables"] == settings["losses"] == ["losses.s0", "losses.s1", "losses.s2"]
    assert {sweep["name"] for sweep in settings["sweeps"]} >= {"theta1.s0", "theta1.s2", "toward.s1"}
    assert not settings["left_out"]


def test_sweeps_that_are_not_repeated_stay_in_each_training() -> None:
    config = study_config(
        sweeps__toward__directions={"beta": {"sentiment-judge": 1, "base": -1}},
        models__fixed={**TINY["models"]["positive"]},
    )
    config["sweeps"]["toward"]["directions"] = {"beta": {"fixed": 1, "base": -1}}
    claims = Study(config).config["claims"]
    assert [claims[f"reach.s{seed}"]["than"] for seed in (0, 1, 2)] == ["toward"] * 3


def test_a_study_without_families_has_nothing_repeated() -> None:
    study = Study(TINY)
    assert not study.declared.repeated("claims") and not study.declared.repeated("sweeps")
    assert "trainings" not in verdicts.settings(study)["claims"][0]


def test_a_claim_that_lacks_one_training_is_not_tested() -> None:
    config = study_config()
    config["sweeps"]["theta1"]["directions"]["alpha"] = {"positive": 1, "negative": -1, "scratch": 1, "base": -1}
    study = Study(config)
    left_out = {claim["name"]: reason for claim, reason in verdicts.settings(study)["left_out"]}
    assert left_out == {
        "texts": "sweeps.theta1.s0 is left out",
        "loss": "analyses.losses.s0 is left out",
        "reach": "sweeps.theta1.s0 is left out",
    }


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"claims__texts__prompts": "positive"},
            "config: claims.texts.prompts: prompt set 'positive' is not declared; declared: neutral",
        ),
        (
            {"sweeps__theta1__scorers": ["sentiment"]},
            "config: claims.texts.scorer: scorer 'perplexity' does not score sweep 'theta1'; add it to "
            "sweeps.theta1.scorers",
        ),
        (
            {"claims__reach__than": "theta1"},
            "config: claims.reach.than: is 'theta1', like sweep; name another one to compare with",
        ),
        (
            {"claims__texts.s7": BARRIER},
            "config: claims.texts: texts.s7 would be one of its replicates; rename one of the two",
        ),
        (
            {"sweeps__theta1.s0": TINY["sweeps"]["theta1"]},
            "config: sweeps.theta1: theta1.s0 would be one of its replicates; rename one of the two",
        ),
        (
            {"figures": {"barrier": {"kind": "barrier", "analysis": "barriers"}}},
            "config: figures.barrier.analysis: 'barriers' is one analysis for each seed; write one of barriers.s0, "
            "barriers.s1, barriers.s2",
        ),
        (
            {"analyses__norms": {"kind": "norms", "pairs": {"p": {"model": "positive", "reference": "base"}}}},
            "config: analyses.norms.pairs.p.model: 'positive' is a family of replicates; write one of positive.s0, "
            "positive.s1, positive.s2",
        ),
        ({"claims__texts__threshold": "low"}, 'config: claims.texts.threshold is "low"; give a number'),
        (
            {
                "models__other": {**TINY["models"]["positive"], "replicates": [0, 1]},
                "sweeps__toward__directions": {"beta": {"other": 1, "base": -1}},
            },
            "config: claims.reach: what it names pairs by seed, but theta1 has replicates [0, 1, 2] and toward has "
            "[0, 1]; give them the same",
        ),
    ],
)
def test_mistakes_are_told_once_and_as_written(changes: dict[str, Any], line: str) -> None:
    found = errors_of(study_config(**changes))
    assert line in found
    assert not [other for other in found if ".s0:" in other or ".s1:" in other or ".s0." in other]


def test_a_mistake_in_a_sweep_of_families_is_the_only_one() -> None:
    found = errors_of(study_config(sweeps__theta1__grids={}))
    assert found == ["config: unknown key 'grids' at sweeps.theta1; did you mean 'grid'?"]


@pytest.mark.parametrize(
    ("files", "seeds"),
    [(["config", "trainings"], [0, 1, 2]), (["sst", "trainings", "sst-trainings"], [0, 1, 2, 3, 4])],
    ids=["embedded", "sst"],
)
def test_claims_over_trainings_differ_from_those_over_one_in_nothing_else(files: list[str], seeds: list[int]) -> None:
    config = read_study([ROOT / "config" / f"{name}.yaml" for name in files])
    declared = declare(config)
    assert not declared.left_out
    for family, model in (("positives", "positive"), ("negatives", "negative")):
        members = [declared.plain["models"][f"{family}.s{seed}"] for seed in seeds]
        one = declared.plain["models"][model]
        assert all(member["data"] == one["data"] and member["start"] == one["start"] for member in members)
        assert [member["training"] for member in members] == [one["training"] | {"seed": seed} for seed in seeds]
    for name, sweep in declared.config.repeated("sweeps").items():
        assert list(sweep.members) == seeds
        alone = declared.config.sweeps[name.removesuffix("-trainings")]
        assert declared.config.sweeps[f"{name}.s0"].grid == alone.grid
        assert declared.config.sweeps[f"{name}.s0"].prompts in (alone.prompts, ["neutral"])
    claims = declared.config.repeated("claims")
    assert len(claims) == 13
    for name, repeated in claims.items():
        claim = declared.config.claims[name.removesuffix("-over-trainings")]
        assert isinstance(repeated.spec, Claim) and repeated.spec.test == claim.test
        assert repeated.spec.threshold == claim.threshold
        keys = {
            key: value.replace("-trainings", "") if isinstance(value, str) else value
            for key, value in repeated.spec.keys().items()
        }
        assert keys == claim.keys()
    for name, analysis in declared.config.repeated("analyses").items():
        assert analysis.spec is not None
        alone = declared.config.analyses[name.replace("-trainings", "")].plain()
        assert analysis.spec.plain() | {"sweep": "theta1"} == alone
