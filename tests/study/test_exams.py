"""What the exam of a judge may declare, and which jobs it sets."""

import copy
from pathlib import Path
from typing import Any

import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study import captions, verdicts
from lm_interpolation.study.study import Study
from tests.study.test_config import full_config

SST = {"source": "synthetic", "kind": "reviews", "counts": {"train": 30, "dev": 30, "test": 30}, "seed": 5}


def config_of(exam: dict[str, Any] | None, **judge: Any) -> dict[str, Any]:
    """A study with a second corpus, whose judge has this exam."""
    config = full_config()
    config["corpora"]["other"] = copy.deepcopy(SST)
    config["models"]["judge"] |= ({} if exam is None else {"exam": exam}) | judge
    return config


def imported(exam: dict[str, Any]) -> dict[str, Any]:
    config = config_of(exam)
    hub = {"task": "classifier", "start": {"hub": "someone/judge", "revision": "0" * 40}, "exam": exam}
    config["models"]["judge"] = hub
    return config


@pytest.mark.parametrize(
    ("exam", "words"),
    [
        (
            {"corpus": "nothing"},
            "models.judge.exam.corpus: corpus 'nothing' is not declared; declared: news, other, reviews, stream",
        ),
        ({"corpus": "stream"}, "models.judge.exam.corpus: 'stream' is a stream; choose a corpus that is stored"),
        ({"classes": ["positive"]}, "models.judge.exam.classes"),
        ({"classes": ["positive", "positive"]}, "models.judge.exam.classes"),
        (
            {"classes": ["positive", "negativ"]},
            "exam.classes: class 'negativ' is not declared; did you mean 'negative'?",
        ),
        ({"labels": {"LABEL_0": "negative"}}, "models.judge.exam.labels: class 'LABEL_0' is not declared"),
        (
            {"labels": {"negative": "bad"}},
            "models.judge.exam.classes: the judge has no class 'negative', it has bad, neutral, positive; correct",
        ),
        (
            {"labels": {"neutral": "negative"}},
            "models.judge.exam.labels: two classes of the judge would have one name (negative, negative, positive)",
        ),
        ({"accuracy": 0}, "models.judge.exam.accuracy"),
        ({"accuracy": 1.01}, "models.judge.exam.accuracy"),
        ({"baseline": "bayes"}, "models.judge.exam.baseline"),
        ({"mark": 0.8}, "unknown key 'mark' at models.judge.exam; known keys: accuracy, baseline, classes"),
    ],
)
def test_mistakes_in_an_exam_are_told(exam: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        Study(config_of(exam))
    assert words in str(caught.value), str(caught.value)


def test_an_exam_needs_classes_to_tell_apart() -> None:
    config = config_of({"corpus": "other"})
    config["corpora"]["other"] = {"source": "lines", "files": dict.fromkeys(("train", "dev", "test"), __file__)}
    with pytest.raises(UserError, match=r"exam.corpus: 'other' has no classes to tell apart; choose a labelled corpus"):
        Study(config)
    # The classes of the judge are those of its own corpus.
    config["corpora"]["other"] = {
        "source": "csv", "text": "text", "label": "label", "classes": {"good": [1], "negative": [0]},
        "files": dict.fromkeys(("train", "dev", "test"), __file__),
    }  # fmt: skip
    with pytest.raises(
        UserError, match=r"exam.classes: the judge has no class 'good', it has negative, neutral, positive"
    ):
        Study(config)


def test_only_classifiers_are_examined() -> None:
    config = config_of(None)
    config["models"]["base"]["exam"] = {}
    with pytest.raises(UserError, match=r"models.base.exam: is for classifiers; remove it"):
        Study(config)


def test_an_imported_judge_needs_a_corpus_and_has_no_baseline() -> None:
    with pytest.raises(UserError, match=r"models.judge.exam.corpus: missing; an imported classifier has no corpus"):
        Study(imported({"accuracy": 0.8}))
    with pytest.raises(UserError, match=r"models.judge.exam.baseline: an imported classifier has no training texts"):
        Study(imported({"corpus": "other", "baseline": "tfidf"}))
    study = Study(imported({"corpus": "other", "labels": {"LABEL_0": "negative"}}))
    assert study.models.exam_inputs("judge") == {
        "model": "results/small/models/judge",
        "texts": "results/small/corpora/other/test.parquet",
    }
    settings = study.models.exam_settings("judge")
    assert (settings["baseline"], settings["labels"]) == ("none", {"LABEL_0": "negative"})
    # Now it is known how good it is.
    assert study.judge_metrics(["sentiment"]) == ["results/small/judges/judge/exam.json"]


def test_classes_of_an_imported_judge_are_checked_where_its_folder_names_them(tmp_path: Path) -> None:
    from tests.scores.test_scoring import save_classifier

    config = imported({"corpus": "other"})
    config["models"]["judge"]["start"] = {"directory": str(save_classifier(tmp_path / "judge"))}
    assert Study(config).models.examined() == ["judge", "critic"]
    config["models"]["judge"]["exam"]["labels"] = {"LABEL_0": "negative"}
    with pytest.raises(
        UserError, match=r"models.judge.exam.labels: class \(id2label in .*\) 'LABEL_0' is not declared"
    ):
        Study(config)


def test_inputs_and_settings_of_an_exam() -> None:
    study = Study(config_of({"corpus": "other", "classes": ["positive", "negative"], "accuracy": 0.8}))
    corpora = "results/small/corpora"
    assert study.models.exam_inputs("judge") == {
        "model": "results/small/models/judge",
        "texts": f"{corpora}/other/test.parquet",
        "train": f"{corpora}/reviews/train.parquet",
        "dev": f"{corpora}/reviews/dev.parquet",
    }
    assert study.models.exam_settings("judge") == {
        "corpus": "other",
        # In the order of the corpus, however the study lists them.
        "classes": ["negative", "positive"],
        "labels": None,
        "precision": "fp32",
        "baseline": "tfidf",
        "bootstrap": {"resamples": 2000, "seed": 0},
    }
    own = Study(config_of({"baseline": "none"})).models
    assert own.exam_inputs("judge")["texts"] == f"{corpora}/reviews/test.parquet"
    assert "train" not in own.exam_inputs("judge")
    assert own.exam_settings("judge")["classes"] == ["negative", "neutral", "positive"]


def test_an_exam_is_a_result_and_counts_wherever_quality_is_told() -> None:
    study = Study(config_of({"accuracy": 0.8}))
    exam = "results/small/judges/judge/exam.json"
    assert {exam, "results/small/judges/judge/exam.html"} <= set(study.targets.results())
    assert captions.figure_inputs(study, "curves")["judges"] == [exam]
    assert captions.table_inputs(study, "theta1")["judges"] == verdicts.inputs(study)["judges"] == [exam]
    (entry,) = study.judge_settings(study.scorers)
    assert (entry["exam"], entry["trained"]) == ({"mark": 0.8}, True)
    # Without an exam there is no such file.
    assert not [path for path in Study(config_of(None)).targets.results() if "/judges/judge/" in path]


def test_an_exam_trains_and_scores_nothing_again() -> None:
    plain, other = Study(config_of(None)), Study(config_of({"corpus": "other", "accuracy": 0.8}))
    assert plain.models.settings("judge") == other.models.settings("judge")
    assert plain.models.inputs("judge") == other.models.inputs("judge")
    assert plain.table_settings("theta1") == other.table_settings("theta1")
    for key in plain.lines.all:
        assert plain.lines.inputs(*key, "sentiment") == other.lines.inputs(*key, "sentiment")
    # Without one, nothing is said of exams.
    assert plain.judge_settings(["sentiment"]) == [
        {key: value for key, value in entry.items() if key != "exam"} for entry in other.judge_settings(["sentiment"])
    ]


def test_another_mark_examines_nothing_again() -> None:
    first, second = (Study(config_of({"accuracy": mark})) for mark in (0.8, 0.7))
    assert first.models.exam_settings("judge") == second.models.exam_settings("judge")
    assert first.judge_settings(["sentiment"]) != second.judge_settings(["sentiment"])
