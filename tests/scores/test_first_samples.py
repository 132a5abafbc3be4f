"""Scripts of scorers that score only the first continuations of each prompt, on two points of two prompts."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from lm_interpolation.data.parquet import write_parquet
from lm_interpolation.scores.score_files import read_scores
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.tables.tables import statistic_matrix, summarise
from tests.by_hand import make_job
from tests.scorers import statistics
from tests.scores.test_scoring import save_classifier, save_lm
from workflow.scripts.scores import classifier, distinct, length, perplexity

POINTS = ["m=1", "n=1"]
WORDS = {
    "m=1": {3: [" a b", " a b c d", " x", ""], 8: ["", " a a a", " y z", " q"]},
    "n=1": {3: [" a", " b", " c", " d"], 8: [" a b c", " d", " e f", " g"]},
}
"""Point to prompt to its continuations."""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts and prompts in the working directory."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        # A job sets them for itself.
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    write_parquet(pa.table({"row": pa.array([3, 8], pa.int64()), "text": ["film", "plot"]}), "prompts.parquet")
    for point, texts in WORDS.items():
        keys = [(row, sample, text) for row, found in texts.items() for sample, text in enumerate(found)]
        frame = pd.DataFrame(keys, columns=["row", "sample", "continuation"]).astype({"sample": "int32"})
        write_parquet(pa.Table.from_pandas(frame, preserve_index=False), f"{point}.parquet")


def scored(script: Any, *execution: Any, model: str = "", **settings: Any) -> pd.DataFrame:
    inputs = {"texts": [f"{point}.parquet" for point in POINTS], "prompts": "prompts.parquet", "model": model}
    job = make_job(inputs, ["scores.parquet"], scorer="mine", line="line")
    script.main(job, *execution, points=POINTS, **settings)
    return read_scores("scores.parquet")


def first(frame: pd.DataFrame, samples: int) -> pd.DataFrame:
    return frame[frame["sample"] < samples].reset_index(drop=True)


def test_models_give_the_first_samples_the_scores_that_they_give_all() -> None:
    save_lm(Path("lm"))
    save_classifier(Path("judge"))
    how = ("cpu", 1, 0, 3)
    cases: list[tuple[Any, dict[str, Any]]] = [
        (perplexity, {"model": "lm", "precision": "fp32", "too_long": "error"}),
        (
            classifier,
            {"model": "judge", "labels": None, "text": "full", "precision": "fp32", "too_long": "error"},
        ),
    ]
    for script, settings in cases:
        whole = scored(script, *how, **settings)
        assert len(whole) == 16
        for samples in (1, 2):
            found = scored(script, *how, **settings, samples=samples)
            assert found[["row", "sample"]].drop_duplicates()["sample"].max() == samples - 1
            pd.testing.assert_frame_equal(found, first(whole, samples), rtol=1e-5)
        # All that there are.
        pd.testing.assert_frame_equal(scored(script, *how, **settings, samples=4), whole)


def test_numbers_of_a_table_are_those_of_the_scored_texts() -> None:
    whole, found = scored(length), scored(length, samples=2)
    assert found["words"].tolist() == [2, 4, 0, 3, 1, 1, 3, 1]
    pd.testing.assert_frame_equal(found, first(whole, 2))
    words = [Statistic("words", {"words": 1})]
    table = summarise(found, "length", words, 50, 0).set_index("point")
    assert table["estimate"].tolist() == [9 / 4, 6 / 4]
    # Four texts of two prompts; the others do not count as texts without a score.
    assert table[["n_prompts", "n_texts", "n_excluded"]].to_numpy().tolist() == [[2, 4, 0]] * 2
    assert summarise(whole, "length", words, 50, 0)["n_texts"].tolist() == [8, 8]


def test_texts_without_a_score_count_among_the_scored_ones_alone() -> None:
    save_lm(Path("lm"))
    settings = {"model": "lm", "precision": "fp32", "too_long": "error"}
    for samples, counts in ((None, [[2, 6, 2], [2, 8, 0]]), (1, [[1, 1, 1], [2, 2, 0]]), (2, [[2, 3, 1], [2, 4, 0]])):
        more = {} if samples is None else {"samples": samples}
        scores = scored(perplexity, "cpu", 1, 0, 3, **settings, **more)
        table = summarise(scores, "perplexity", statistics("perplexity"), 50, 0)
        corpus = table[table["statistic"] == "continuation_corpus"]
        assert corpus[["n_prompts", "n_texts", "n_excluded"]].to_numpy().tolist() == counts


def test_distinct_compares_the_scored_samples_alone() -> None:
    found = scored(distinct, n=[1], samples=2)
    assert found["texts"].tolist() == [2] * 4
    # Words are separated by single spaces, and every text starts with one: "", a, b; "", a, b, c, d.
    expected = [5 / 8, 2 / 5, 3 / 4, 5 / 6]
    np.testing.assert_allclose(found["distinct_1"].to_numpy(float), expected)
    table = summarise(found, "distinct", statistics("distinct", n=[1]), 50, 0)
    assert table[["n_texts", "n_excluded"]].to_numpy().tolist() == [[4, 0]] * 2


def test_prompts_stay_paired_with_scorers_of_all_texts() -> None:
    # What claims compare: rows are prompts, whatever the number of texts behind them.
    words = [Statistic("words", {"words": 1})]
    (some, counts, _), (all_of_them, all_counts, _) = (
        statistic_matrix(frame, "length", words, "words", POINTS)
        for frame in (scored(length, samples=1), scored(length))
    )
    assert (some.tolist(), counts.tolist()) == ([[2, 1], [0, 3]], [[1, 1], [1, 1]])
    assert (all_of_them.tolist(), all_counts.tolist()) == ([[7, 4], [6, 7]], [[4, 4], [4, 4]])
