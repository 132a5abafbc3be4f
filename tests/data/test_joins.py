"""Corpora whose classes are other corpora."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks.dag import copy_workflow
from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.data.leaks import count_leaks
from lm_interpolation.data.sources.join import load_joined, shares_of_classes
from lm_interpolation.data.sources.split import load_share
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config import declare
from lm_interpolation.study.leak_plan import leak_inputs, leak_plan
from lm_interpolation.study.settings import canonical
from lm_interpolation.study.study import Study
from tests.data.test_shares import STREAM, config_with, error_of
from tests.study.test_study import CORPUS, planned, write_config

pytestmark = pytest.mark.usefixtures("warm_python")

OTHER = CORPUS | {"seed": 1}
TOPIC = {"classes_from": {"review": "tiny", "article": "other"}}
Row = tuple[int, str, str | None]


def write(folder: Path, name: str, **splits: list[Row]) -> dict[str, Path]:
    """Store a corpus of these rows; splits that are not given have one text of their own."""
    rows: dict[str, list[Row]] = {split: splits.get(split, [(0, f"{name} {split}", None)]) for split in SPLITS}
    frames = {split: pd.DataFrame(found, columns=["row", "text", "label"]) for split, found in rows.items()}
    paths = {split: folder / name / f"{split}.parquet" for split in SPLITS}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    write_corpus({split: frame.astype({"label": object}) for split, frame in frames.items()}, paths)
    return paths


def rows_of(frame: pd.DataFrame) -> list[Row]:
    return list(frame.itertuples(index=False, name=None))


def joined(folder: Path, corpora: dict[str, dict[str, list[Row]]], **spec: Any) -> dict[str, pd.DataFrame]:
    """The corpus ``topic`` with these classes, each the corpus of its own name, read as its job does."""
    paths = [write(folder, name, **corpora[name]) for name in sorted(corpora)]
    parents = {split: [path[split] for path in paths] for split in SPLITS}
    return load_joined({"classes_from": {name: name for name in corpora}, "seed": 0} | spec, "topic", parents)


# --- what is declared ---


def test_a_joined_corpus_is_one_like_others() -> None:
    config = config_with(other=OTHER, topic=TOPIC)
    config["models"]["judge"]["data"] = {"corpus": "topic"}
    config["scorers"] = {"topic": {"kind": "classifier", "model": "judge", "weights": {"article": 1}}}
    study = Study(config)
    assert study.corpora["topic"].class_names(study.declared) == ["article", "review"]
    assert study.data.joined() == ["topic"] and study.data.from_source() == ["tiny", "other"]
    # In the order of the classes' names, which the job relies on.
    assert study.data.joined_splits("topic") == {
        split: [f"results/small/corpora/{parent}/{split}.parquet" for parent in ("other", "tiny")] for split in SPLITS
    }
    assert study.models.inputs("judge")["train"] == "results/small/corpora/topic/train.parquet"
    assert study.config["corpora"]["topic"] == TOPIC | {
        "seed": 0,
        "source": "join",
        "label": "label",
        "classes": {"article": ["article"], "review": ["review"]},
    }
    assert study.data.corpus_settings("topic") == {"corpus": TOPIC | {"seed": 0}}
    config["scorers"]["topic"]["weights"] = {"positive": 1}
    with pytest.raises(
        UserError, match=r"scorers\.topic\.weights: class 'positive' is not declared; declared: article"
    ):
        Study(config)


def test_the_order_of_classes_in_the_file_makes_no_difference() -> None:
    other_way = {"classes_from": dict(reversed(TOPIC["classes_from"].items()))}
    first, second = (Study(config_with(other=OTHER, topic=spec)) for spec in (TOPIC, other_way))
    assert first.data.joined_splits("topic") == second.data.joined_splits("topic")
    assert canonical(first.data.corpus_settings("topic")) == canonical(second.data.corpus_settings("topic"))


@pytest.mark.parametrize(
    ("corpora", "message"),
    [
        (
            {"topic": {"classes_from": {"a": "tiny", "b": "othr"}}, "other": OTHER},
            "corpora.topic.classes_from: corpus 'othr' is not declared; did you mean 'other'?",
        ),
        ({"topic": {"classes_from": {"a": "tiny"}}}, "corpora.topic.classes_from has 1 entries; give at least 2"),
        (
            {"topic": {"classes_from": {"a": "tiny", "b": "tiny"}}},
            "corpora.topic.classes_from.b: 'tiny' is class a already; give each class a corpus of its own",
        ),
        (
            {"topic": {"classes_from": {"a": "tiny", "b": "stream"}}, "stream": STREAM},
            "corpora.topic.classes_from: 'stream' is a stream; choose a corpus that is stored",
        ),
        (
            {"topic": {"classes_from": {"a": "tiny", "b": "both"}}, "other": OTHER, "both": TOPIC},
            "corpora.topic.classes_from.b: 'both' has its classes from other corpora itself; name these",
        ),
        (
            {"topic": {"classes_from": {"a": "tiny", "b": "topic"}}},
            "corpora.topic.classes_from.b: 'topic' has its classes from other corpora itself; name these",
        ),
        (
            {
                "topic": {"classes_from": {"a": "tiny", "b": "half"}},
                "half": {"split_from": "topic", "share": 0.5},
            },
            "corpora.topic.classes_from.b: 'half' is a part of a corpus that has its classes from others; split these",
        ),
        (
            {"topic": TOPIC | {"limit": {"dev": 1}}, "other": OTHER},
            "corpora.topic.limit.dev: 1 is less than one text of each class; give at least 2",
        ),
        (
            {"topic": TOPIC | {"max_words": 9}, "other": OTHER},
            "corpora.topic.max_words: a corpus that has its classes from others has no use for it; remove it",
        ),
        (
            {"topic": TOPIC | {"source": "lines"}, "other": OTHER},
            "corpora.topic.source: a corpus that has its classes from others has no use for it; remove it",
        ),
        # A split that a class would lack, at the key of the corpus that lacks it.
        (
            {"topic": TOPIC, "other": {"source": "lines", "files": {"train": "a.txt", "test": "b.txt"}}},
            "corpora.other: no source for the dev split; give it data, or add fractions.dev",
        ),
    ],
)
def test_errors_of_joins(corpora: dict[str, Any], message: str) -> None:
    assert error_of(**corpora).startswith(f"config: {message}")


# --- what it holds ---


def test_classes_follow_one_another_without_their_own_labels(tmp_path: Path) -> None:
    found = joined(
        tmp_path,
        {
            # Two documents, the first in two pieces; its limit has left out row 1.
            "review": {"train": [(0, "r0", "positive"), (0, "r1", "positive"), (2, "r2", "negative")]},
            "article": {"train": [(0, "a0", None), (3, "a1", None)], "test": [(7, "a2", None)]},
        },
    )
    assert rows_of(found["train"]) == [
        (0, "a0", "article"),
        (3, "a1", "article"),
        (4, "r0", "review"),
        (4, "r1", "review"),
        (6, "r2", "review"),
    ]
    assert rows_of(found["test"]) == [(7, "a2", "article"), (8, "review test", "review")]
    assert list(found) == list(SPLITS)


@pytest.mark.parametrize(
    ("counts", "limit", "shares"),
    [
        ([10, 10], 8, [4, 4]),
        ([10, 10], 9, [5, 4]),
        ([10, 2], 8, [6, 2]),
        ([2, 10], 3, [2, 1]),
        ([2, 10], 7, [2, 5]),
        ([1, 5, 9], 8, [1, 4, 3]),
        ([0, 3], 2, [0, 2]),
        ([3, 4], 7, [3, 4]),
        ([3, 4], 100, [3, 4]),
        ([5, 5, 5], 2, [1, 1, 0]),
    ],
)
def test_a_limit_takes_equally_many_of_each_class(counts: list[int], limit: int, shares: list[int]) -> None:
    assert shares_of_classes(counts, limit) == shares


def test_a_higher_limit_takes_no_class_away() -> None:
    for counts in itertools.product(range(4), repeat=3):
        found = [shares_of_classes(counts, limit) for limit in range(sum(counts) + 3)]
        assert [sum(shares) for shares in found] == [min(limit, sum(counts)) for limit in range(len(found))]
        for before, after in itertools.pairwise(found):
            assert all(less <= more for less, more in zip(before, after, strict=True))


def test_limits_are_random_subsets_in_order_that_contain_smaller_ones(tmp_path: Path) -> None:
    corpora: dict[str, dict[str, list[Row]]] = {
        "article": {"train": [(i, f"a{i}", None) for i in range(20)]},
        "review": {"train": [(i, f"r{i}", None) for i in range(100)]},
    }

    def taken(size: int, seed: int = 0) -> list[str]:
        return list(joined(tmp_path, corpora, limit={"train": size}, seed=seed)["train"]["text"])

    few, more, other = taken(20), taken(50), taken(20, seed=1)
    assert [sum(text.startswith(start) for text in few) for start in "ar"] == [10, 10]
    assert [sum(text.startswith(start) for text in more) for start in "ar"] == [20, 30]
    assert set(few) < set(more) and set(few) != set(other)
    for texts in (few, more):
        assert texts == sorted(texts, key=lambda text: (text[0], int(text[1:])))
    # Not the first ones, and not the same rows of both.
    numbers = [{int(text[1:]) for text in few if text.startswith(start)} for start in "ar"]
    assert numbers[0] != set(range(10)) and numbers[0] != numbers[1]
    assert len(taken(1000)) == 120


def test_a_joined_corpus_can_be_split(tmp_path: Path) -> None:
    corpora: dict[str, dict[str, list[Row]]] = {
        name: {split: [(i, f"{name} {split} {i}", None) for i in range(10)] for split in SPLITS}
        for name in ("article", "review")
    }
    whole = joined(tmp_path, corpora)
    paths = {split: tmp_path / f"{split}.parquet" for split in SPLITS}
    write_corpus(whole, paths)
    halves = {name: {"split_from": "topic", "share": 0.5} for name in ("one", "two")}
    config = declare(config_with(other=OTHER, topic=TOPIC, **halves)).config
    parts = [load_share(config.corpora[name].settings(name, config)["corpus"], name, paths) for name in halves]
    for split in SPLITS:
        # Documents of the two classes with the same row in their corpora do not stay together.
        assert [part[split]["label"].value_counts().to_dict() for part in parts] == [{"article": 5, "review": 5}] * 2
        assert sorted(text for part in parts for text in part[split]["text"]) == sorted(whole[split]["text"])


# --- leaks ---


def test_a_judge_of_a_join_that_shares_texts_with_the_ends_leaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = config_with(other=OTHER, topic=TOPIC)
    config["models"]["judge"]["data"] = {"corpus": "topic"}
    config["scorers"] = {"topic": {"kind": "classifier", "model": "judge", "weights": {"article": 1}}}
    study = Study(config)
    top = Path("results/small/corpora")
    reviews: list[Row] = [(0, "A fine film.", "positive"), (1, "A dull film.", "negative")]
    tiny = write(top, "tiny", train=reviews, dev=[(0, "dev", "positive")], test=[(0, "test", "positive")])
    other = write(top, "other")
    parents = {split: [other[split], tiny[split]] for split in SPLITS}
    topic = study.data.corpus_settings("topic")["corpus"]
    write_corpus(load_joined(topic, "topic", parents), {split: top / "topic" / f"{split}.parquet" for split in SPLITS})
    report = count_leaks(canonical(leak_plan(study)), list(map(Path, leak_inputs(study))))
    assert [line for line in report["leaks"] if "judge learnt from (topic)" in line] == [
        f"{shared} of 3 texts that judge learnt from (topic) {verb} also among the {seen} that {model} learnt from "
        f"({source})"
        for shared, verb, seen, model, source in (
            (1, "is", 1, "negative", "tiny, negative"),
            (2, "are", 2, "base", "tiny"),
            (1, "is", 1, "positive", "tiny, positive"),
        )
    ]


# --- the rule ---


@pytest.mark.snakemake
@pytest.mark.slow
def test_snakemake_joins_corpora(tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    for split in SPLITS:
        (tmp_path / f"{split}.txt").write_text("\n".join(f"article {split} {i}" for i in range(5)))
    half = {"split_from": "tiny", "share": 0.5}
    topic = {"classes_from": {"review": "half", "article": "lines"}, "limit": {"train": 12}}
    lines = {"source": "lines", "files": {split: f"{split}.txt" for split in SPLITS}}
    config = config_with(half=half, lines=lines, topic=topic)
    name = write_config(tmp_path, config)
    target = "results/small/corpora/topic/train.parquet"

    def snakemake(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "snakemake", target, "--cores", "1", "--configfile", name, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    join = "Join others as the classes of corpus topic"
    jobs = ["Read corpus tiny", "Read corpus lines", "Split corpus half from another", join]
    assert sorted(planned(snakemake("-n"))) == sorted(jobs)
    done = snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[corpus topic] train: 12 texts of 20, 5 article, 7 review" in done.stdout + done.stderr
    for split in SPLITS:
        table = pq.read_table(tmp_path / "results" / "small" / "corpora" / "topic" / f"{split}.parquet").to_pydict()
        labels = dict(zip(table["text"], table["label"], strict=True))
        assert {labels.pop(f"article {split} {i}") for i in range(5)} == {"article"}
        assert set(labels.values()) == {"review"}
    assert "Nothing to be done" in snakemake("-n").stdout
    config["corpora"]["topic"]["limit"]["train"] = 10
    write_config(tmp_path, config)
    assert planned(snakemake("-n")) == [join]
