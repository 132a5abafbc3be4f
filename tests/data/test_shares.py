"""Corpora that are parts of another one, without overlap."""

import copy
import itertools
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks.dag import copy_workflow
from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.data.shares import places
from lm_interpolation.data.sources.split import load_share
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config import declare
from lm_interpolation.study.study import Study
from tests.reading import load_corpus
from tests.study.test_study import CONFIG, planned, write_config

pytestmark = pytest.mark.usefixtures("warm_python")

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")
Frames = dict[str, pd.DataFrame]


def config_with(**corpora: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    config["corpora"] |= copy.deepcopy(corpora)
    return config


def error_of(**corpora: Any) -> str:
    with pytest.raises(UserError) as caught:
        declare(config_with(**corpora))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def shares_of(folder: Path, parent: dict[str, Any], **children: dict[str, Any]) -> tuple[Frames, dict[str, Frames]]:
    """The corpus and its parts, read as the jobs do."""
    whole = load_corpus(parent, "whole")
    paths = {split: folder / f"{split}.parquet" for split in SPLITS}
    write_corpus(whole, paths)
    config = declare(
        config_with(whole=parent, **{name: {"split_from": "whole"} | spec for name, spec in children.items()})
    ).config
    shares = {name: config.corpora[name].settings(name, config)["corpus"] for name in children}
    return whole, {name: load_share(shares[name], name, paths) for name in children}


def texts_of(frames: Frames) -> list[str]:
    return [text for frame in frames.values() for text in frame["text"]]


def plain(text: str) -> str:
    return " ".join(text.casefold().split())


@pytest.fixture
def reviews(tmp_path: Path) -> dict[str, Any]:
    """Documents of several pieces in two classes, of which a tenth are repeated with other case and white space."""
    for name in ("good", "bad"):
        lines = [f"The {name} film {i} was long. It was number {i} of {name}." for i in range(300)]
        lines += [f"the  {name} FILM {i} was long. It was number {i} of {name}." for i in range(0, 300, 10)]
        random.Random(0).shuffle(lines)
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    return {
        "source": "lines",
        "class_files": {name: str(tmp_path / f"{name}.txt") for name in ("good", "bad")},
        "fractions": {"dev": 0.2, "test": 0.2},
        "max_words": 6,
    }


# --- what is declared ---


def test_parts_are_corpora_like_others() -> None:
    config = config_with(ends={"split_from": "tiny", "share": 0.6}, judge={"split_from": "tiny", "share": 0.4})
    for name in ("positive", "negative"):
        config["models"][name]["data"]["corpus"] = "ends"
    config["models"]["judge"]["data"] = {"corpus": "judge"}
    config["tokenizers"]["bpe"]["corpus"] = "ends"
    study = Study(config)
    assert study.config["corpora"]["judge"]["offset"] == 0.6
    assert study.corpora["judge"].class_names(study.declared) == ["negative", "neutral", "positive"]
    assert study.data.parent_splits("judge") == {
        split: f"results/small/corpora/tiny/{split}.parquet" for split in SPLITS
    }
    assert study.data.shares() == ["ends", "judge"] and study.data.from_source() == ["tiny"]
    assert study.models.inputs("positive")["train"] == "results/small/corpora/ends/train.parquet"
    assert "class 'dull' is not declared" in error_of_model(config, "dull")


def error_of_model(config: dict[str, Any], class_name: str) -> str:
    config["models"]["positive"]["data"]["class"] = class_name
    with pytest.raises(UserError) as caught:
        Study(config)
    return str(caught.value)


def test_parts_of_an_unlabelled_corpus() -> None:
    general = {"source": "synthetic", "kind": "general", "counts": {"train": 9, "dev": 9, "test": 9}}
    config = declare(config_with(general=general, part={"split_from": "general", "share": 1})).config
    assert config.corpora["part"].class_names(config) == []


STREAM = {
    "source": "hub",
    "id": "someone/texts",
    "revision": "main",
    "files": {"train": "a.jsonl", "dev": "b.jsonl"},
    "text": "text",
    "stream": True,
    "limit": {"dev": 5},
}


@pytest.mark.parametrize(
    ("corpora", "message"),
    [
        ({"a": {"split_from": "tinny", "share": 0.5}}, "corpora.a.split_from: corpus 'tinny' is not declared; did you"),
        (
            {"a": {"split_from": "tiny", "share": 0.6}, "b": {"split_from": "tiny", "share": 0.6}},
            "corpora.b.share: the shares of 'tiny' sum up to 1.2 with this one; lower them to at most 1 together",
        ),
        (
            {"a": {"split_from": "tiny", "share": 0.6}, "b": {"split_from": "a", "share": 0.5}},
            "corpora.b.split_from: 'a' is a share itself; split the corpus that it comes from",
        ),
        (
            {"a": {"split_from": "stream", "share": 0.6}, "stream": STREAM},
            "corpora.a.split_from: 'stream' is a stream; choose a corpus that is stored",
        ),
        ({"a": {"split_from": "tiny", "share": 0}}, "corpora.a.share is 0; give more than 0"),
        ({"a": {"split_from": "tiny", "share": 1.1}}, "corpora.a.share is 1.1; give at most 1"),
        (
            {"a": {"split_from": "tiny"}},
            "key 'share' is missing at corpora.a; a corpus that is split from another needs it",
        ),
        (
            {"a": {"source": "lines", "split_from": "tiny", "share": 1}},
            "corpora.a.source: a corpus that is split from another has no use for it; remove it",
        ),
        ({"a": {"share": 1}}, "corpora.a: key 'source' is missing; choose one of sst, csv"),
        (
            {"a": {"split_from": "tiny", "share": 0.5, "max_words": 9}},
            "corpora.a.max_words: a corpus that is split from another has no use for it; remove it",
        ),
    ],
)
def test_errors_of_parts(corpora: dict[str, Any], message: str) -> None:
    assert error_of(**corpora).startswith(f"config: {message}")


def test_shares_may_sum_up_to_one_exactly() -> None:
    for shares in ([0.1] * 10, [0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [1]):
        children = {f"part{i}": {"split_from": "tiny", "share": share} for i, share in enumerate(shares)}
        declare(config_with(**children))
        assert "sum up to 1.001" in error_of(**children, more={"split_from": "tiny", "share": 0.001})


# --- what comes to which part ---


def test_parts_share_texts_without_overlap(tmp_path: Path, reviews: dict[str, Any]) -> None:
    whole, parts = shares_of(tmp_path, reviews, ends={"share": 0.6}, judge={"share": 0.25}, rest={"share": 0.15})
    assert sorted(itertools.chain(*map(texts_of, parts.values()))) == sorted(texts_of(whole))
    seen = {name: set(map(plain, texts_of(frames))) for name, frames in parts.items()}
    for one, other in itertools.combinations(seen, 2):
        assert not seen[one] & seen[other]
    for split in SPLITS:
        rows = {name: set(frames[split]["row"]) for name, frames in parts.items()}
        # All pieces of a document, in the order of the corpus.
        for one, other in itertools.combinations(rows, 2):
            assert not rows[one] & rows[other]
        for name, share in (("ends", 0.6), ("judge", 0.25), ("rest", 0.15)):
            frame = parts[name][split]
            assert frame["row"].is_monotonic_increasing
            for label in ("good", "bad"):
                counts = [(part["label"] == label).sum() for part in (frame, whole[split])]
                # Of documents of two pieces, with repetitions across splits.
                assert counts[0] / counts[1] == pytest.approx(share, abs=0.08), (name, split, label)


def test_repeated_texts_across_splits_come_to_one_part(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.txt").write_text(
            "\n".join(f"Text  {i}" if split == "dev" else f"text {i}" for i in range(50))
        )
    spec = {"source": "lines", "files": {split: str(tmp_path / f"{split}.txt") for split in SPLITS}}
    _, parts = shares_of(tmp_path, spec, ends={"share": 0.5}, judge={"share": 0.5})
    for frames in parts.values():
        assert len({tuple(map(plain, frame["text"])) for frame in frames.values()}) == 1
        assert len(frames["train"]) == 25


def test_a_part_depends_on_its_share_and_place_alone(tmp_path: Path, reviews: dict[str, Any]) -> None:
    _, few = shares_of(tmp_path, reviews, ends={"share": 0.5})
    _, more = shares_of(tmp_path, reviews, ends={"share": 0.5}, judge={"share": 0.2}, rest={"share": 0.3})
    assert texts_of(few["ends"]) == texts_of(more["ends"])
    _, moved = shares_of(tmp_path, reviews, other={"share": 0.5}, judge={"share": 0.2})
    assert texts_of(moved["judge"]) == texts_of(more["judge"])


def test_a_part_has_a_limit_and_a_seed_of_its_own(tmp_path: Path, reviews: dict[str, Any]) -> None:
    spec = {"share": 0.5, "limit": {"train": 20}}
    _, parts = shares_of(tmp_path, reviews, one=spec, other={**spec, "seed": 1})
    _, whole = shares_of(tmp_path, reviews, one={"share": 0.5}, other={"share": 0.5})
    for name, frames in parts.items():
        assert len(frames["train"]) == 20
        assert set(frames["train"]["text"]) < set(whole[name]["train"]["text"])
        assert frames["dev"].equals(whole[name]["dev"])


def test_a_part_too_small_for_its_classes(tmp_path: Path, reviews: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"^corpora\.one: no text in the train split; give it a larger share$"):
        shares_of(tmp_path, reviews, one={"share": 0.001})
    with pytest.raises(UserError, match=r"^corpora\.one: no text of class bad in the train split; give it a larger"):
        shares_of(tmp_path, reviews, one={"share": 0.5, "limit": {"train": 1}})


def test_places_depend_on_texts_and_not_on_their_order() -> None:
    rows = [(i, f"text {i}", None) for i in range(100)]
    found = dict(zip(rows, places({"train": rows})["train"], strict=True))
    assert sorted(found.values()) == [Fraction(2 * i + 1, 200) for i in range(100)]
    shuffled = random.Random(1).sample(rows, 100)
    assert dict(zip(shuffled, places({"train": shuffled})["train"], strict=True)) == found
    assert [place for _, place in sorted(found.items())] != sorted(found.values())


def test_a_chain_of_equal_pieces_has_one_place() -> None:
    # Document 0 shares a piece with 1, which shares another one with 2 in dev.
    splits = {
        "train": [(0, "a", None), (0, "b", None), (1, "B ", None), (1, "c", None), (3, "d", None)],
        "dev": [(2, "C", None), (2, "e", None), (0, "f", None)],
    }
    found = places(splits)
    assert len({*found["train"][:4], *found["dev"][:2]}) == 1
    assert len({*found["train"], *found["dev"]}) == 3


@needs_data
def test_real_reviews_are_shared_as_declared(tmp_path: Path) -> None:
    spec = {
        "source": "csv",
        "files": {"train": [str(DATA / "imdb" / f"train_{sign}.tsv.gz") for sign in ("pos", "neg")]},
        "fractions": {"dev": 0.1, "test": 0.1},
        "separator": "\t",
        "columns": ["id", "rating", "text"],
        "quoting": False,
        "text": "text",
        "label": "rating",
        "classes": {"negative": [1, 2, 3, 4], "positive": [7, 8, 9, 10]},
        "drop": {"id": list(range(15))},
        "replace": {"<br />": " "},
        "max_words": 40,
    }
    whole, parts = shares_of(tmp_path, spec, ends={"share": 0.6}, judge={"share": 0.4})
    ends, judge = (set(map(plain, texts_of(parts[name]))) for name in ("ends", "judge"))
    assert ends and judge and not ends & judge
    for split in SPLITS:
        assert len(parts["ends"][split]) / len(whole[split]) == pytest.approx(0.6, abs=0.02)


@pytest.mark.snakemake
@pytest.mark.slow
def test_snakemake_splits_a_corpus(tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    config = config_with(ends={"split_from": "tiny", "share": 0.6}, judge={"split_from": "tiny", "share": 0.4})
    name = write_config(tmp_path, config)
    targets = [f"results/small/corpora/{part}/train.parquet" for part in ("ends", "judge")]

    def snakemake(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *targets, "--cores", "1", "--configfile", name, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    jobs = ["Read corpus tiny", *(f"Split corpus {part} from another" for part in ("ends", "judge"))]
    assert sorted(planned(snakemake("-n"))) == sorted(jobs)
    done = snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    texts = [set(map(plain, pq.read_table(tmp_path / path)["text"].to_pylist())) for path in targets]
    assert len(texts[0]) > len(texts[1]) > 0 and not texts[0] & texts[1]
    # A share that comes later moves nothing before it.
    config["corpora"]["judge"]["share"] = 0.3
    write_config(tmp_path, config)
    assert planned(snakemake("-n")) == ["Split corpus judge from another"]
