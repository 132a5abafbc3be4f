"""Scorers that score only the first continuations of each prompt: the plan, and its words."""

from typing import Any

import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study import captions, explorer, verdicts
from lm_interpolation.study.config import declare
from lm_interpolation.study.judged import describe_scorer, judged_samples
from lm_interpolation.study.scorers import shown_settings
from lm_interpolation.study.study import Study
from tests.study.test_config import full_config

SCORERS = ["sentiment", "perplexity", "distinct"]


def with_samples(samples: int | None, continuations: int = 8, **changes: Any) -> dict[str, Any]:
    config = full_config() | changes
    config["generation"]["samples"] = continuations
    for name in SCORERS if samples is not None else []:
        config["scorers"][name]["samples"] = samples
    return config


def settings_of(study: Study) -> list[dict[str, Any]]:
    return [study.lines.settings(*line, scorer) for line in study.lines.all for scorer in SCORERS]


def everything(study: Study) -> dict[str, Any]:
    """All that tells what scorers scored, and the settings of tables."""
    return {
        "figures": {name: captions.figure_settings(study, name) for name in study.config["figures"]},
        "captions": {name: captions.table_settings(study, name) for name in study.scored_sweeps()},
        "tables": {name: study.table_settings(name) for name in study.scored_sweeps()},
        "overview": captions.overview_settings(study),
        "verdicts": verdicts.settings(study),
        "explorer": explorer.settings(study, "explorer"),
        "summary": shown_settings(study.declared),
        "analyses": {name: study.analysis_settings(name) for name in study.config["analyses"]},
    }


def test_without_samples_settings_are_as_before() -> None:
    study = Study(with_samples(None))
    for (prompts, line), scorer in [(key, name) for key in study.lines.all for name in SCORERS]:
        assert study.lines.settings(prompts, line, scorer) == {
            "points": study.lines.points(prompts, line),
            **study.scorers[scorer].settings(),
        }
    assert all("samples" not in spec for spec in study.config["scorers"].values())
    assert "continuations of each prompt" not in str(everything(study))


def test_as_many_samples_as_there_are_change_no_job_and_no_word() -> None:
    whole, same = Study(with_samples(None)), Study(with_samples(8))
    assert settings_of(same) == settings_of(whole)
    words, before = everything(same), everything(whole)
    for key in ("figures", "captions", "tables", "overview", "verdicts", "explorer", "summary"):
        assert words[key] == before[key]


def test_a_job_gets_its_samples() -> None:
    whole, first = Study(with_samples(None)), Study(with_samples(2))
    assert settings_of(first) == [{**settings, "samples": 2} for settings in settings_of(whole)]
    # Only numbers of the scorers' files change, so tables are set as before.
    assert everything(first)["tables"] == everything(whole)["tables"]


def test_captions_pages_and_verdicts_say_which_texts_were_scored() -> None:
    words = everything(Study(with_samples(2)))
    told = "perplexity: perplexity under base, of the first 2 of 8 continuations of each prompt"
    curves = words["figures"]["curves"]["text"]["facts"]
    assert [fact for fact in curves if fact.startswith("sentiment: ")] == [
        "sentiment: P(positive) + 0.5 P(neutral) by judge, of the first 2 of 8 continuations of each prompt"
    ]
    assert told in words["captions"]["theta1"]["text"]["facts"]
    assert told in words["overview"]["facts"]
    described = dict(words["verdicts"]["described"])
    assert described and all(
        line.endswith(", of the first 2 of 8 continuations of each prompt") for line in described.values()
    )
    assert words["explorer"]["judged"].keys() == set(SCORERS)
    assert {entry["scorer"]: entry.get("samples") for entry in words["summary"]} == dict.fromkeys(SCORERS, 2)


def test_sets_with_fewer_continuations_are_scored_whole() -> None:
    plain = with_samples(2)
    numbers = {"neutral": 8, "more": 1, "third": 8, "fourth": 4}
    plain["prompts"] |= {
        name: {"source": "list", "texts": ["The film"], "samples": number} for name, number in numbers.items()
    }
    plain["sweeps"]["theta1"]["prompts"] = ["neutral", "more"]
    study = Study(plain)
    config = study.declared
    assert [judged_samples(config, "perplexity", name) for name in numbers] == [2, None, 2, 2]
    assert study.lines.settings("neutral", "theta1", "perplexity")["samples"] == 2
    assert "samples" not in study.lines.settings("more", "theta1", "perplexity")
    assert explorer.settings(study, "explorer")["judged"]["perplexity"] == {"neutral": 2}
    # An error only if no set has as many.
    Study({**plain, "generation": {**plain["generation"], "samples": 1}})
    base = "perplexity: perplexity under base"
    assert describe_scorer(config, "perplexity", ["more"]) == base
    assert describe_scorer(config, "perplexity", []) == base
    assert describe_scorer(config, "perplexity", ["neutral", "third"]) == (
        f"{base}, of the first 2 of 8 continuations of each prompt"
    )
    assert describe_scorer(config, "perplexity", ["neutral", "more", "third", "fourth"]) == (
        f"{base}, of the first 2 of 8 continuations of each prompt of neutral and third and of all continuations of "
        "each prompt of more and of the first 2 of 4 continuations of each prompt of fourth"
    )


def test_more_samples_than_any_set_has_are_an_error() -> None:
    with pytest.raises(UserError) as error:
        declare(with_samples(9))
    assert error.value.lines() == [
        f"config: scorers.{name}.samples: 9 exceeds the most continuations that a prompt has, 8; lower it, or remove "
        "it to score all"
        for name in SCORERS
    ]


@pytest.mark.parametrize("samples", [0, -1, 1.5, None])
def test_samples_are_a_count(samples: Any) -> None:
    config = full_config()
    config["scorers"]["perplexity"]["samples"] = samples
    with pytest.raises(UserError, match=r"scorers\.perplexity\.samples"):
        declare(config)
