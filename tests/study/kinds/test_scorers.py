"""What each kind of scorer declares."""

from types import SimpleNamespace
from typing import Any

import pytest

from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.study.kinds.catalog import SCORERS
from lm_interpolation.study.kinds.checks import check_statistic
from lm_interpolation.study.kinds.scorers.classifier import Classifier
from lm_interpolation.study.kinds.tables import sweep_table
from tests.scorers import scorer

SENTIMENT: dict[str, Any] = {"weights": {"positive": 1, "neutral": 0.5}}
ALL = [scorer("classifier", **SENTIMENT), scorer("perplexity"), scorer("distinct", n=[1, 2])]


def config(classes: list[str] | None) -> Any:
    """A study whose model judge is trained on a corpus with ``classes``, or imported."""
    data = SimpleNamespace(corpus="sst") if classes is not None else None
    corpus = SimpleNamespace(class_names=lambda config: classes)
    return SimpleNamespace(models={"judge": SimpleNamespace(data=data)}, corpora={"sst": corpus})


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (ALL[0], "mine: P(positive) + 0.5 P(neutral) by judge"),
        (ALL[1], "mine: perplexity under judge"),
        (ALL[2], "mine: distinct n-grams of the samples of a prompt"),
    ],
)
def test_captions_name_the_judge(declared: Any, told: str) -> None:
    assert declared.describe("mine") == told


def test_weights_are_no_settings_of_scoring() -> None:
    # Other weights need another table, and no other scores.
    settings = {"labels": None, "text": "full", "precision": "fp32", "too_long": "error"}
    assert ALL[0].settings() == settings
    assert scorer("classifier", weights={"negative": 1}).settings() == settings
    assert ALL[1].settings() == {"precision": "fp32", "too_long": "error"}
    assert ALL[2].settings() == {"n": [1, 2]}


def test_names_of_statistics() -> None:
    trained = config(["LABEL_0", "neutral", "positive"])
    relabelled = scorer("classifier", **SENTIMENT, labels={"LABEL_0": "negative"})
    assert relabelled.statistic_names(trained) == ["score", "p_negative", "p_neutral", "p_positive"]
    # The classes of an imported model are known when its files are.
    assert relabelled.statistic_names(config(None)) == ["score", "p_<class>"]
    assert ALL[1].statistic_names(trained) == [
        "continuation_mean",
        "continuation_corpus",
        "text_mean",
        "text_corpus",
    ]
    assert ALL[2].statistic_names(trained) == ["distinct_1", "distinct_2"]


def test_what_stands_for_a_scorer() -> None:
    assert [(s.main_statistic().name, s.main_scale()) for s in ALL] == [
        ("score", "linear"),
        ("continuation_corpus", "log"),
        ("distinct_2", "linear"),
    ]
    assert [s.summary_statistics() for s in ALL] == [["score"], ["continuation_mean", "continuation_corpus"], []]
    assert [s.card_statistics() for s in ALL][::2] == [["score"], ["distinct_1", "distinct_2"]]
    assert [s.barrier_statistic() is not None for s in ALL] == [False, True, False]
    assert [s.colour() is not None for s in ALL] == [True, False, False]
    statistic, scale = ALL[0].colour()
    assert statistic == Statistic("score", {"p_positive": 1, "p_neutral": 0.5}, shares="p_") and scale == [0, 1, 0.5]


def test_judges() -> None:
    assert [s.judge() for s in ALL] == ["judge", "judge", None]
    assert [s.judge_reads_prompts() for s in ALL] == [True, True, False]
    alone = scorer("classifier", **SENTIMENT, text="continuation", precision="bf16", labels={"x": "positive"})
    assert not alone.judge_reads_prompts() and alone.judge_precision() == "bf16"
    assert ALL[2].judge_precision() == "fp32"
    assert [s.judged_classes() for s in ALL[1:]] == [None, None]
    assert alone.judged_classes() == {"model": "judge", **SENTIMENT, "labels": {"x": "positive"}}


def test_classes_that_the_judge_does_not_have() -> None:
    found = scorer("classifier", weights={"positiv": 1, "neutral": 0.5}, labels={"LABEL_9": "neutral"})
    assert list(found.check(config(["neutral", "positive"]))) == [
        ("labels", "class 'LABEL_9' is not declared; declared: neutral, positive"),
        ("weights", "class 'positiv' is not declared; did you mean 'positive'?"),
    ]
    assert list(found.check(config(None))) == [] == list(ALL[0].check(config(["neutral", "positive"])))
    assert isinstance(found, Classifier)
    kind = "class (id2label in judge/config.json)"
    assert ("weights", f"{kind} 'neutral' is not declared; declared: good") in found.class_problems(["good"], kind)


@pytest.mark.parametrize("kind", SCORERS, ids=lambda kind: kind.__name__)
def test_a_kind_names_a_script_that_is_there(kind: Any) -> None:
    assert (WORKFLOW / "scripts" / kind.SCRIPT).is_file()
    assert kind.MEMORY > 0 and kind.MINUTES > 0 and ": " in kind.STATISTIC_WORDS
    assert ("model" in kind.model_fields) == kind.IN_BATCHES and (kind.COMPUTES or not kind.IN_BATCHES)


def test_the_text_beside_a_table_explains_the_statistics_of_its_scorers() -> None:
    columns = sweep_table(ALL).columns
    assert columns["statistic"] == (
        "score: weighted sum of class probabilities; p_…: mean probability of a class; perplexity of continuation or "
        "text: mean over texts, or corpus = exp(total NLL / tokens); distinct_n: share of distinct n-grams of a "
        "prompt's samples"
    )
    assert columns["n_excluded"] == "texts without a score: no token, no predicted token or no word"
    alone = sweep_table([ALL[0], ALL[0]]).columns
    assert alone["statistic"].count("score: ") == 1 and alone["n_excluded"] == "texts without a score: no token"


def test_statistics_are_checked_as_far_as_they_are_known() -> None:
    def problems(study: Any, statistic: str) -> list[tuple[str, str]]:
        study.scorers = {"mine": ALL[0]}
        return list(check_statistic(study, "mine", statistic, "statistic"))

    trained, imported = config(["neutral", "positive"]), config(None)
    assert problems(trained, "p_neutral") == problems(imported, "p_any") == problems(imported, "score") == []
    assert problems(trained, "p_any") == [
        ("statistic", "'p_any' is not a statistic of mine; choose one of score, p_neutral, p_positive")
    ]
    assert problems(imported, "mean") == [
        ("statistic", "'mean' is not a statistic of mine; choose one of score, p_<class>")
    ]
