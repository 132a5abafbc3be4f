"""Exams of judges: which texts they ask about, what a guess is, and the baseline beside it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.pages.exams import exam_markdown
from lm_interpolation.pages.pages import markdown_page
from lm_interpolation.scores.exam import Questions, examine, read_questions
from lm_interpolation.scores.judges import Judge, judge_lines, read_exam, read_judges
from lm_interpolation.scores.tfidf import tfidf_probabilities
from tests.by_hand import make_job
from tests.scores.test_scoring import save_classifier
from workflow.scripts.pages import exam_page
from workflow.scripts.scores import exam as exam_script

SENTIMENT = ["negative", "positive"]


def write_split(path: Path, rows: list[tuple[int, str, str]]) -> Path:
    """A stored split of (row, text, class)."""
    frame = pd.DataFrame(rows, columns=["row", "text", "label"]).astype({"label": object})
    write_corpus({"test": frame}, {"test": path})
    return path


def test_an_exam_asks_about_its_classes_alone(tmp_path: Path) -> None:
    rows = [(4, "fine", "positive"), (5, "so so", "neutral"), (6, "bad", "negative"), (6, "worse", "negative")]
    found = read_questions(write_split(tmp_path / "test.parquet", rows), SENTIMENT)
    assert found.texts == ["fine", "bad", "worse"]
    assert (found.labels.tolist(), found.rows.tolist()) == ([1, 0, 0], [4, 6, 6])
    with pytest.raises(UserError, match="no text of class 'mixed', which the exam asks for"):
        read_questions(tmp_path / "test.parquet", ["negative", "mixed"])


def asked(labels: list[int], classes: list[str] = SENTIMENT) -> Questions:
    texts = [f"text {number}" for number in range(len(labels))]
    return Questions(classes, texts, np.array(labels), np.arange(len(labels)))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets a judge give these probabilities (None: no token), by class."""

    def give(**values: list[float | None]) -> None:
        scores = pd.DataFrame({f"p_{name}": pd.Series(one, dtype="Float32") for name, one in values.items()})
        monkeypatch.setattr("lm_interpolation.scores.exam.score_classifier", lambda *_, **__: scores)

    return give


def result(questions: Questions, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return examine("judge", questions, None, labels, resamples=100, seed=0, batch_size=8)


def test_a_class_that_the_exam_lacks_does_not_count(judged: Any) -> None:
    judged(negative=[0.3, 0.1, 0.05, 0.5], neutral=[0.5, 0.7, 0.8, 0.0], positive=[0.2, 0.2, 0.15, 0.5])
    found = result(asked([0, 0, 1, 1]))
    # Always neutral in itself; among the two 0.6, 1/3, 1/4 and 1/2 negative, and the first of equals is the guess.
    assert found["classes"] == ["negative", "positive"] and found["others"] == ["neutral"]
    assert found["judge"]["confusion"] == [[1, 1], [1, 1]] and found["judge"]["accuracy"]["estimate"] == 0.5
    assert found["judge"]["recall"] == {"negative": 0.5, "positive": 0.5}
    confidences = [entry["confidence"] for entry in found["judge"]["bins"]]
    assert confidences == pytest.approx([0.5, 0.6, 2 / 3, 0.75])
    assert (found["texts"], found["documents"], found["majority_share"], found["baseline"]) == (4, 4, 0.5, None)


def test_a_text_without_a_token_is_left_out(judged: Any, capsys: pytest.CaptureFixture[str]) -> None:
    judged(negative=[0.9, None, 0.2], positive=[0.1, None, 0.8])
    found = result(asked([0, 0, 1]))
    assert (found["texts"], found["left_out"], found["judge"]["accuracy"]["estimate"]) == (2, 1, 1.0)
    assert "1 of 3 texts have no token and are left out" in capsys.readouterr().err
    judged(negative=[0.9, None], positive=[0.1, None])
    with pytest.raises(UserError, match="no token for any text of a class of its exam"):
        result(asked([0, 1]))


def test_labels_of_an_imported_judge_are_kept_for_its_scorer(judged: Any) -> None:
    labels = {"LABEL_0": "negative", "LABEL_2": "positive"}
    judged(negative=[0.9, 0.6], LABEL_1=[0, 0], positive=[0.1, 0.4])
    found = result(asked([0, 1]), labels)
    # The scorer has names of its own for what the model calls LABEL_….
    assert found["judge"]["recall"] == {"LABEL_0": 1.0, "LABEL_2": 0.0} and found["others"] == ["LABEL_1"]


def test_a_class_that_the_judge_does_not_know_is_told(judged: Any) -> None:
    judged(LABEL_0=[0.9], LABEL_1=[0.1])
    with pytest.raises(UserError) as caught:
        result(asked([0], ["negative"]))
    assert str(caught.value) == (
        "judge: its classes are LABEL_0, LABEL_1, and its exam asks for negative; correct classes or labels of the exam"
    )


# --- the baseline

WORDS = {"positive": ["a fine film", "a fine book", "fine work"], "negative": ["a bad film", "a bad book", "bad work"]}


def texts_of(repeat: int, *wrong: str) -> tuple[list[str], list[str]]:
    pairs = [(f"{text} {n}", name) for n in range(repeat) for name, texts in WORDS.items() for text in texts]
    pairs += [(text, "positive") for text in wrong]
    return [text for text, _ in pairs], [name for _, name in pairs]


def test_the_baseline_is_that_of_scikit_learn_by_hand() -> None:
    train, dev = texts_of(4, "a bad film", "bad bad bad"), texts_of(1)
    texts = ["a fine film indeed", "bad", "nothing of that"]
    found, facts = tfidf_probabilities(train, dev, texts)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    learnt = vectorizer.fit_transform(train[0])
    models = [LogisticRegression(C=strength, max_iter=1000).fit(learnt, train[1]) for strength in (0.1, 1.0, 10.0)]
    accuracies = [model.score(vectorizer.transform(dev[0]), dev[1]) for model in models]
    best = models[int(np.argmax(accuracies))]
    assert facts == {
        "train_texts": 26,
        "features": learnt.shape[1],
        "C": best.C,
        "dev_accuracy": max(accuracies),
    }
    wanted = best.predict_proba(vectorizer.transform(texts))
    np.testing.assert_allclose(np.column_stack([found["negative"], found["positive"]]), wanted)
    assert found["positive"][0] > 0.5 > found["positive"][1]


def test_labels_of_the_exam_rename_the_classes_of_the_baseline_too(judged: Any) -> None:
    texts = ["a fine film", "a bad film", "fine work", "bad work"]
    questions = Questions(SENTIMENT, texts, np.array([1, 0, 1, 0]), np.arange(4))
    names = {"positive": "pos", "negative": "neg"}
    train, dev = ((texts, [names[label] for label in labels]) for texts, labels in (texts_of(4), texts_of(1)))
    labels = {new: old for old, new in names.items()}
    judged(negative=[0.0, 1.0, 0.0, 1.0], positive=[1.0, 0.0, 1.0, 0.0])
    found = examine("judge", questions, (train, dev), labels, resamples=100, seed=0, batch_size=8)
    assert found["baseline"]["accuracy"]["estimate"] == 1


def test_dev_decides_on_the_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    # With a strong penalty the frequent class is always the guess.
    train = (["fine film", "fine book", *["bad film", "bad book"] * 6], ["positive"] * 2 + ["negative"] * 12)
    _, weak = tfidf_probabilities(train, (["fine", "fine film"], ["positive"] * 2), ["fine"])
    _, strong = tfidf_probabilities(train, (["bad"], ["negative"]), ["fine"])
    assert (weak["C"], strong["C"]) == (10.0, 0.1)


def test_texts_without_a_word_in_common_have_no_baseline() -> None:
    texts = ["one", "two"], ["positive", "negative"]
    with pytest.raises(UserError, match=r"no TF-IDF baseline: .*; set `baseline: none` in the exam"):
        tfidf_probabilities(texts, texts, ["one"])


def test_the_judge_is_compared_with_the_baseline_text_by_text(judged: Any) -> None:
    texts = ["a fine film", "a bad film", "fine work", "a bad book", "fine", "bad", "a fine book", "bad work", "fine x"]
    truth = np.array([1, 0, 1, 0, 1, 0, 1, 0, 0])
    questions = Questions(SENTIMENT, texts, truth, np.arange(9))
    # The judge is right but for the first two texts, the baseline but for the last.
    right = np.where(np.arange(9) < 2, 1 - truth, truth)
    judged(negative=list(1.0 - right), positive=list(right.astype(float)))
    found = examine("judge", questions, (texts_of(4), texts_of(1)), None, resamples=200, seed=0, batch_size=8)
    assert found["judge"]["accuracy"]["estimate"] == pytest.approx(7 / 9)
    assert found["baseline"]["accuracy"]["estimate"] == pytest.approx(8 / 9)
    assert found["baseline"]["difference"]["estimate"] == pytest.approx(-1 / 9)
    # Three texts of nine, so the paired interval is wide.
    assert found["baseline"]["difference"]["low"] < -0.3 and found["baseline"]["difference"]["high"] > 0
    assert found["baseline"]["train_texts"] == 24


# --- what is told


def told(mark: float | None = None, **changes: Any) -> str:
    """The line about a judge with an accuracy of 0.76, and ``changes`` of its exam."""
    path = Path("judges/model/exam.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(exam_of(**changes)))
    entry = {"scorer": "mine", "model": "model", "weights": {"positive": 1}, "labels": {}, "trained": True}
    exam = {} if mark is None else {"mark": mark}
    (line,) = judge_lines(read_judges([entry | {"exam": exam}], [path]))
    return line


def spread(estimate: float, reach: float | None = 0.02) -> dict[str, float | None]:
    limits = {"low": None, "high": None} if reach is None else {"low": estimate - reach, "high": estimate + reach}
    return {"estimate": estimate, **limits}


def exam_of(**changes: Any) -> dict[str, Any]:
    """What an exam found, with ``changes``; those of keys of ``judge`` are made there."""
    bins = [{"low": 0.6, "high": 2 / 3, "texts": 1821, "confidence": 0.64, "accuracy": 0.76}]
    judge = {
        "accuracy": spread(0.76),
        "mcc": spread(0.52, 0.04),
        "auc": spread(0.85),
        "recall": {"negative": 0.7, "positive": 0.82},
        "confusion": [[638, 274], [164, 745]],
        "expected_calibration_error": 0.12,
        "bins": bins,
    }
    judge |= {key: changes.pop(key) for key in list(changes) if key in judge}
    found = {"corpus": "sst", "classes": SENTIMENT, "others": [], "texts": 1821, "documents": 1821, "left_out": 0}
    found |= {"majority_share": 0.501, "judge": judge, "baseline": None}
    return found | changes


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def baseline(accuracy: float, gain: float) -> dict[str, Any]:
    facts = {"train_texts": 20000, "features": 300000, "C": 10.0, "dev_accuracy": 0.9}
    return facts | exam_of()["judge"] | {"accuracy": spread(accuracy), "difference": spread(gain)}


NUMBERS = (
    "accuracy 0.760 [0.740, 0.780] on 1821 test texts of sst (most frequent class 0.501); {}MCC 0.52 [0.48, 0.56]; AUC "
    "0.85 [0.83, 0.87]; recall negative 0.70, positive 0.82; expected calibration error 0.120"
)


def test_a_mark_is_missed_or_reached() -> None:
    assert told() == "mine by model: " + NUMBERS.format("")
    assert told(0.8) == (
        "mine by model: weak judge (its accuracy of 0.760 is below our mark of 0.80); "
        + NUMBERS.format("our mark of 0.80 is missed; ")
    )
    assert told(0.76) == "mine by model: " + NUMBERS.format("our mark of 0.76 is reached; ")


def test_a_mark_counts_in_place_of_the_majority() -> None:
    # As of CoLA: 0.75 leaves four fifths of the errors of the majority.
    cola = {"accuracy": spread(0.755), "majority_share": 0.686}
    assert "weak judge (its accuracy is close to the share of the most frequent class)" in told(**cola)
    assert "weak judge" not in told(0.75, **cola)
    # A class of the score that is found less often than by guessing is weak all the same.
    blind = told(0.75, **cola, recall={"negative": 0.9, "positive": 0.4})
    assert "weak judge (its recall of positive is below the 0.50 of a guess); accuracy" in blind


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [(0.05, "better (difference 0.050 [0.030, 0.070])"), (0.01, "not clearly better"), (-0.03, "not better")],
)
def test_the_baseline_stands_beside_the_judge(gain: float, verdict: str) -> None:
    line = told(0.7, baseline=baseline(0.783, gain))
    assert f"; a TF-IDF logistic regression: 0.783 [0.763, 0.803], the judge is {verdict}" in line
    # That alone makes no weak judge.
    assert "weak" not in line


def test_classes_that_the_exam_lacks_are_told_and_have_no_mark() -> None:
    assert told(others=["neutral"]).endswith("; its guess is the likeliest of these classes, neutral does not count")
    judge = Judge("model", {"positive": 1, "neutral": 0.5}, read_exam(Path("judges/model/exam.json"), {}, 0.5))
    assert not judge.is_weak("score") and not judge.is_weak("p_neutral")


def test_a_mark_that_is_missed_marks_all_statistics() -> None:
    told()
    judge = Judge("model", {"positive": 1}, read_exam(Path("judges/model/exam.json"), {}, 0.8))
    assert judge.is_weak("score") and judge.is_weak("p_negative")


def test_few_texts_have_no_interval() -> None:
    assert "MCC 0.52; AUC" in told(mcc=spread(0.52, None))


def test_more_than_two_classes_have_no_area() -> None:
    several = exam_of()
    del several["judge"]["auc"]
    Path("exam.json").write_text(json.dumps(several))
    assert "AUC" not in "; ".join(read_exam(Path("exam.json"), {}, None).describe())


@pytest.mark.parametrize("content", ["", "[]", '{"test": {}}', '{"judge": {}, "baseline": null}'])
def test_a_file_that_is_no_exam_is_told(content: str) -> None:
    Path("exam.json").write_text(content)
    with pytest.raises(UserError, match=r"exam.json: not the exam of a judge \(.*\); delete it and run again"):
        read_exam(Path("exam.json"), {}, None)


def test_the_page_shows_guesses_and_calibration_of_judge_and_baseline() -> None:
    told(0.8, baseline=baseline(0.783, -0.02))
    exam_page.main(make_job(["judges/model/exam.json"], ["exam.html"]), model="model", mark=0.8)
    page = Path("exam.html").read_text()
    assert "weak judge (its accuracy of 0.760 is below our mark of 0.80)" in page
    assert page.count("Expected calibration error 0.120") == 2 and page.count("<table>") == 4
    text = exam_markdown(Judge("a_b", {}, read_exam(Path("judges/model/exam.json"), {}, None)), exam_of())
    assert "| negative | 912 | 0.700 | 638 | 274 |" in text and "| 0.60 to 0.67 | 1821 | 0.640 | 0.760 |" in text
    assert markdown_page("title", text)


# --- the job


def test_the_job_examines_a_judge_as_scorers_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge with three classes that knows nothing, and a baseline that learnt words."""
    # A job is a process of its own; here its bounds would hold for all tests.
    monkeypatch.setattr(exam_script, "prepare_job", lambda *_: None)
    model = save_classifier(tmp_path / "models" / "judge")
    rows = [(n, f"{text} {n}", name) for n in range(6) for name, texts in WORDS.items() for text in texts]
    neutral = [(n, f"a film {n}", "neutral") for n in range(6)]
    inputs = {"model": str(model), "texts": write_split(tmp_path / "test.parquet", rows + neutral)}
    inputs |= {split: write_split(tmp_path / f"{split}.parquet", rows) for split in ("train", "dev")}
    job = make_job(inputs, {"exam": "exam.json", "bins": "calibration.csv"}, model="judge")
    settings: dict[str, Any] = {"corpus": "sst", "classes": SENTIMENT, "labels": None, "precision": "fp32"}
    settings |= {"bootstrap": {"resamples": 100, "seed": 0}}
    exam_script.main(job, "cpu", 1, 0, 4, **settings, baseline="tfidf")
    found = json.loads(Path("exam.json").read_text())
    assert (found["texts"], found["documents"], found["others"], found["corpus"]) == (36, 6, ["neutral"], "sst")
    assert found["baseline"]["accuracy"]["estimate"] == 1.0 and found["judge"]["accuracy"]["estimate"] < 0.9
    bins = pd.read_csv("calibration.csv")
    assert bins.groupby("reader", sort=False)["texts"].sum().to_dict() == {"judge": 36, "tfidf": 36}
    assert bins.drop(columns="reader").to_dict("records") == [
        pytest.approx(entry) for reader in ("judge", "baseline") for entry in found[reader]["bins"]
    ]
    exam_script.main(job, "cpu", 1, 0, 64, **settings, baseline="none")
    again = json.loads(Path("exam.json").read_text())
    assert again["baseline"] is None and again["judge"]["confusion"] == found["judge"]["confusion"]
