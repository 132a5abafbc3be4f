"""Which texts are compared to find leaks, how leaks are counted, and how they are reported."""

import copy
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.leaks import count_leaks, leak_lines
from lm_interpolation.data.parquet import write_parquet
from lm_interpolation.data.shares import same_text
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.leak_plan import leak_inputs, leak_plan
from lm_interpolation.study.settings import canonical
from lm_interpolation.study.study import Study
from tests.by_hand import make_job
from tests.made_study import made_config
from workflow.scripts.data.leaks import main


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory, to which the paths of a study are relative."""
    monkeypatch.chdir(tmp_path)


def leak_config(**models: Any) -> dict[str, Any]:
    """tests/tiny.yaml with a corpus of the judge's own, a loss on the test texts of ``reviews``, and ``models``."""
    config = made_config()
    config["corpora"]["judged"] = {**config["corpora"]["reviews"], "shard": {"index": 3, "count": 4}}
    config["models"]["sentiment-judge"]["data"]["corpus"] = "judged"
    config["models"]["judge-of-fluency"] = {**copy.deepcopy(config["models"]["base"]), "data": {"corpus": "judged"}}
    config["scorers"]["perplexity"]["model"] = "judge-of-fluency"
    config["models"] |= models
    config["analyses"] = {
        "held-out": {"kind": "loss", "sweep": "theta1", "corpus": "reviews", "classes": ["positive"], "limit": 2}
    }
    return config


CLASSES = ("negative", "neutral", "positive")


def write_texts(study: Study, **splits: dict[str, list[str]]) -> None:
    """Write all splits that are compared: nine texts of their own, three of each class, but for those in ``splits``.

    ``splits`` maps ``<corpus>_<split>`` (``_`` for ``-``) to class (or "", without one) to texts.
    """
    for path in map(Path, leak_inputs(study)):
        corpus, split = path.parent.name, path.stem
        labels = CLASSES if corpus in ("reviews", "judged") else ("",)
        own = {label: [f"{corpus} {split} {label} {i}" for i in range(9 // len(labels))] for label in labels}
        own |= splits.get(f"{corpus}_{split}", {})
        rows = [(text, label or None) for label, texts in own.items() for text in texts]
        frame = pd.DataFrame({"row": range(len(rows)), "text": [t for t, _ in rows], "label": [c for _, c in rows]})
        write_corpus({split: frame.astype({"label": object})}, {split: path})


def report(study: Study, **splits: dict[str, list[str]]) -> dict[str, Any]:
    write_texts(study, **splits)
    return count_leaks(canonical(leak_plan(study)), list(map(Path, leak_inputs(study))))


def lines(found: dict[str, Any]) -> list[str]:
    """What is told of a report."""
    Path("told.json").write_text(json.dumps(found), encoding="utf-8")
    return leak_lines("told.json")


def test_case_and_whitespace_make_no_other_text() -> None:
    assert same_text(" The  FILM\n was ") == same_text("the film was")
    assert same_text("Straße") == same_text("STRASSE")
    assert same_text("the film was.") != same_text("the film was")


def test_texts_in_two_splits_are_counted() -> None:
    twice = {"positive": ["A fine  film.", "a fine film.", "Another."], "neutral": ["A FILM"]}
    found = report(
        Study(leak_config()), reviews_train={"positive": ["a FINE film."], "neutral": ["a film"]}, reviews_test=twice
    )
    assert found["leaks"][0] == "3 of 7 texts in the test split of reviews are also among the 5 in its train split"
    entry = next(entry for entry in found["comparisons"] if entry["shared"])
    assert entry["kind"] == "splits" and entry["share"] == 3 / 7 and entry["example"] == "A FILM"
    assert (entry["n_texts"], entry["n_seen"]) == (7, 5)


def test_training_texts_of_a_judge_and_of_the_ends_are_counted_by_class() -> None:
    found = report(
        Study(leak_config()),
        judged_train={"positive": ["one", "two", "three", "four"]},
        # "four" is in a class that no model learns from.
        reviews_train={"positive": ["ONE"], "negative": ["two", "Three "], "neutral": ["four"]},
    )
    assert found["leaks"] == [
        f"{shared} of 10 texts that {judge} learnt from (judged) {verb} also among the {seen} that {end} learnt from "
        f"(reviews, {end})"
        for judge in ("sentiment-judge", "judge-of-fluency")
        for shared, verb, seen, end in ((2, "are", 2, "negative"), (1, "is", 1, "positive"))
    ]


def test_what_the_ends_started_from_is_learnt_too() -> None:
    config = leak_config()
    # The only sweep left combines positive and negative alone.
    for name in ("toward", "ensemble"):
        del config["sweeps"][name]
    config["figures"] = {}
    found = report(Study(config), general_train={"": ["seen"]}, judged_train={"neutral": ["Seen"]})
    assert (
        "1 of 7 texts that sentiment-judge learnt from (judged) is also among the 1 that base learnt from (general)"
        in found["leaks"]
    )


def test_test_texts_that_a_parent_of_the_judge_saw_are_counted() -> None:
    found = report(Study(leak_config()), general_train={"": ["seen", "unseen"]}, judged_test={"neutral": ["Seen"]})
    assert found["leaks"] == [
        "1 of 7 texts that the accuracy of sentiment-judge is measured on (judged, test) is also among the 2 that base "
        "learnt from (general)"
    ]


def test_texts_of_an_exam_that_the_judge_or_its_parents_saw_are_counted() -> None:
    config = leak_config()
    # Of a corpus that the ends learnt from, but of its test texts.
    config["models"]["sentiment-judge"]["exam"] = {"corpus": "reviews", "classes": ["negative", "positive"]}
    config["analyses"] = {}
    found = report(
        Study(config),
        reviews_test={"positive": ["one", "two"], "negative": ["three"], "neutral": ["four"]},
        judged_train={"neutral": ["One", "THREE", "four"]},
        general_train={"": ["two"]},
        # What a judge is examined on may be known to the models that it judges.
        reviews_dev={"positive": ["three"]},
    )
    assert found["leaks"][1:] == [
        "2 of 3 texts of the exam of sentiment-judge (reviews, test) are also among the 9 that sentiment-judge learnt "
        "from (judged)",
        "1 of 3 texts of the exam of sentiment-judge (reviews, test) is also among the 1 that base learnt from "
        "(general)",
    ]
    assert found["leaks"][0] == "1 of 4 texts in the test split of reviews is also among the 7 in its dev split"
    assert not [entry for entry in found["comparisons"] if entry["kind"] == "accuracy" and "sentiment" in entry["what"]]
    assert "the texts of exams with what the judges and their parents learnt from (2)" in found["compared"]


def test_an_exam_on_the_corpus_of_the_judge_is_compared_with_what_its_parents_saw() -> None:
    config = leak_config()
    config["models"]["sentiment-judge"]["exam"] = {"accuracy": 0.8}
    exams = [entry for entry in leak_plan(Study(config))["comparisons"] if entry["kind"] == "exam"]
    # Its own splits are compared with each other anyway.
    assert [entry["where"] for entry in exams] == ["that base learnt from (general)"]
    assert exams[0]["texts"] == {"corpus": "judged", "split": "test", "classes": list(CLASSES), "limit": None}


def test_the_exam_of_a_judge_that_scores_nothing_is_compared_too() -> None:
    config = leak_config()
    config["models"]["spare"] = copy.deepcopy(config["models"]["sentiment-judge"]) | {"exam": {"corpus": "reviews"}}
    kinds = {
        entry["kind"]: entry["what"] for entry in leak_plan(Study(config))["comparisons"] if "spare" in entry["what"]
    }
    assert kinds == {"exam": "of the exam of spare (reviews, test)"}


def test_loss_texts_that_a_model_of_the_sweep_saw_are_counted_as_far_as_they_are_read() -> None:
    held_out = {"positive": ["one", "two", "three"], "negative": ["four"]}
    # The loss reads the first two positive ones; the third is in two splits, and no loss.
    found = report(Study(leak_config()), reviews_test=held_out, reviews_train={"positive": ["Two", "three", "four"]})
    assert found["leaks"] == [
        "3 of 7 texts in the test split of reviews are also among the 9 in its train split",
        "1 of 2 texts whose losses held-out measures (reviews, test) is also among the 3 that positive learnt from "
        "(reviews, positive)",
    ]
    (entry,) = [entry for entry in found["comparisons"] if entry["kind"] == "loss" and entry["shared"]]
    assert entry["example"] == "two"


def test_one_corpus_for_judge_and_ends_is_told_as_such() -> None:
    config = leak_config()
    config["models"]["sentiment-judge"]["data"]["corpus"] = "reviews"
    found = report(Study(config))
    assert found["leaks"] == [
        f"3 of 9 texts that sentiment-judge learnt from (reviews) are also among the 3 that {end} learnt from "
        f"(reviews, {end}); the corpus is the same"
        for end in ("negative", "positive")
    ]
    # Even where the classes have no text in common.
    config["models"]["judge-of-fluency"]["data"] = {"corpus": "reviews", "class": "neutral"}
    line = "0 of 3 texts that judge-of-fluency learnt from (reviews, neutral) are also among the 3 that positive"
    assert any(found.startswith(line) for found in report(Study(config))["leaks"])


def test_a_judge_that_is_combined_itself_is_told() -> None:
    config = leak_config()
    config["scorers"]["perplexity"]["model"] = "base"
    found = report(Study(config))
    first, second = lines(found)
    assert first == "base is the judge of perplexity, and sweeps combine it, too"
    assert second.startswith("no text leaks; compared: ")
    # It is not compared with itself.
    assert not [entry for entry in found["comparisons"] if entry["kind"] == "judge" and "base" in entry["where"]
                and "base" in entry["what"]]  # fmt: skip
    for name in ("toward", "ensemble"):
        del config["sweeps"][name]
    config["figures"] = {}
    assert leak_plan(Study(config))["configured"] == [
        "base is the judge of perplexity, and sweeps combine models that were trained from it"
    ]


def test_nothing_leaks_says_what_was_compared() -> None:
    found = report(Study(leak_config()))
    assert found["leaks"] == [] and not any(entry["shared"] for entry in found["comparisons"])
    (line,) = lines(found)
    assert line == (
        "no text leaks; compared: the splits of each corpus with each other (12); the training texts of judges with "
        "those of the models that sweeps combine (9); the texts that accuracies are measured on with what the judge's "
        "parents learnt from (2); the texts of losses with the training texts of the models of their sweep (3)"
    )


def test_streams_and_imported_models_are_said_to_be_unknown() -> None:
    hub = {"hub": "someone/base", "revision": "0" * 40}
    config = leak_config(base={"task": "language-model", "start": hub})
    config["models"]["judge-of-fluency"] = {
        "task": "language-model",
        "start": {"model": "base"},
        "data": {"corpus": "web"},
        "training": config["models"]["positive"]["training"],
    }
    config["corpora"]["web"] = {
        "source": "hub", "id": "someone/web", "revision": "0" * 40, "text": "text", "stream": True, "limit": {"dev": 3},
        "files": {"train": "train.*.jsonl", "dev": "dev.jsonl"},
    }  # fmt: skip
    config["analyses"]["on-web"] = {"kind": "loss", "sweep": "theta1", "corpus": "web", "split": "dev"}
    study = Study(config)
    # Of the stream the dev split alone is stored.
    assert [path for path in leak_inputs(study) if "web" in path] == ["results/tiny/corpora/web/dev.parquet"]
    found = report(study, web_dev={"": ["one", "two"]}, reviews_train={"negative": ["ONE"]})
    assert lines(found) == [
        "1 of 2 texts whose losses on-web measures (web, dev) is also among the 1 that negative learnt from "
        "(reviews, negative)",
        "web is a stream, whose texts cannot be compared; judge-of-fluency learnt from it",
        "what imported models learnt from is not known: base",
    ]


def test_a_study_that_trains_nothing_compares_nothing() -> None:
    hub = {"hub": "someone/base", "revision": "0" * 40}
    names = ("base", "positive", "negative")
    models = {name: {"task": "language-model", "start": hub} for name in names}
    models |= {name: {"task": "classifier", "start": hub} for name in ("sentiment-judge", "grammar-judge")}
    config = leak_config() | {"models": models, "analyses": {}}
    config["scorers"]["perplexity"]["model"] = "base"
    config["scorers"]["sentiment"]["weights"] = {"positive": 1}
    study = Study(config)
    assert leak_inputs(study) == []
    assert lines(report(study)) == [
        "base is the judge of perplexity, and sweeps combine it, too",
        "compared: nothing, for no model is trained here on a corpus that is stored",
        "what imported models learnt from is not known: negative, positive, base, sentiment-judge, grammar-judge",
    ]


def test_every_model_behind_a_line_is_named() -> None:
    config = leak_config()
    config["models"]["again"] = copy.deepcopy(config["models"]["positive"])
    config["sweeps"]["theta1"]["directions"]["alpha"] = {"positive": 0.5, "again": 0.5, "negative": -1}
    found = report(Study(config), judged_train={"neutral": ["x"]}, reviews_train={"positive": ["X"]})
    assert any(line.endswith("that again and positive learnt from (reviews, positive)") for line in found["leaks"])


def test_a_long_example_is_cut() -> None:
    long = "word " * 100
    found = report(Study(leak_config()), reviews_train={"neutral": [long]}, reviews_dev={"neutral": [long]})
    (entry,) = [entry for entry in found["comparisons"] if entry["shared"]]
    assert len(entry["example"]) == 200 and entry["example"].endswith("…")


def test_many_texts_are_hashed_not_held() -> None:
    study = Study(leak_config())
    write_texts(study)
    count = 200_000
    for split, offset in (("train", 0), ("test", count - 7)):
        table = pa.table(
            {
                "row": pa.array(range(count), pa.int64()),
                "text": [f"Text number {number + offset}" for number in range(count)],
                "label": pa.array([CLASSES[number % 3] for number in range(count)]),
            }
        )
        write_parquet(table, study.path("corpora", "judged", f"{split}.parquet"))
    found = count_leaks(leak_plan(study), list(map(Path, leak_inputs(study))))
    assert found["leaks"] == [
        f"7 of {count} texts in the test split of judged are also among the {count} in its train split"
    ]


def test_the_job_tells_on_the_console_what_leaks(capsys: pytest.CaptureFixture[str]) -> None:
    study = Study(leak_config())
    job = make_job({"splits": leak_inputs(study)}, ["leaks.json"])
    write_texts(study)
    main(job, plan=leak_plan(study))
    assert capsys.readouterr().err == ""
    assert json.loads(Path("leaks.json").read_text())["leaks"] == []
    write_texts(
        study, reviews_train={"neutral": ["x"]}, reviews_dev={"neutral": ["x"]}, reviews_test={"neutral": ["X"]}
    )
    main(job, plan=leak_plan(study))
    leak = "1 of 7 texts in the dev split of reviews is also among the 7 in its train split"
    assert capsys.readouterr().err == f"[leaks] {leak}; 2 more in leaks.json\n"
    assert len(json.loads(Path("leaks.json").read_text())["leaks"]) == 3


def test_a_damaged_split_is_told() -> None:
    study = Study(leak_config())
    write_texts(study)
    path = Path(study.path("corpora", "reviews", "train.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"reviews/train.parquet: damaged"):
        count_leaks(leak_plan(study), list(map(Path, leak_inputs(study))))
