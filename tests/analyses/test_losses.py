import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel

from lm_interpolation.analyses.loss_files import LOSSES_SCHEMA, loss_matrix, read_losses, write_losses
from lm_interpolation.analyses.loss_tables import loss_table
from lm_interpolation.analyses.losses import encode_texts, evaluate_losses, text_losses
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Sweep, build_sweep
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.merging import merge
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.tables.tables import bootstrap_ratio, read_table, write_table
from tests.small_gpu import halvings, limit_memory

TEXTS = {
    "positive": ["the film was good", "fine", "the end of the film was good, as expected"],
    "negative": ["the plot was bad", "not fine"],
}


def sweep_of(values: list, models: tuple[str, str] = ("b", "a"), **more: object) -> Sweep:
    plus, minus = models
    spec = {
        "origin": {minus: 1},
        "directions": {"alpha": {plus: 1, minus: -1}},
        "grid": {"alpha": values},
        "space": "weights",
        "prompts": [],
    }
    return build_sweep("theta", spec | more)


@pytest.fixture(scope="module")
def pair(tmp_path_factory, tiny_gpt2) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pair")
    models = {}
    for seed, name in enumerate("ab"):
        model = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)
        models[name] = folder / name
        model.save_pretrained(models[name])
        AutoTokenizer.from_pretrained(tiny_gpt2).save_pretrained(models[name])
    return models


def test_equals_score_perplexity_at_every_point(tmp_path, pair):
    sweep = sweep_of([-2, 0, 0.25, 1, 3])
    losses = evaluate_losses(WeightSpace(pair), sweep, TEXTS, batch_size=2)
    flat = [text for members in TEXTS.values() for text in members]
    assert losses["point"].tolist() == [entry.point.id for entry in sweep.points for _ in flat]
    assert losses["class"].tolist() == 5 * (3 * ["positive"] + 2 * ["negative"])
    assert losses["text"].tolist() == 5 * [0, 1, 2, 0, 1]
    for entry in sweep.points:
        merge(entry.point, pair, tmp_path / "merged")
        wanted = score_perplexity(tmp_path / "merged", [""] * len(flat), flat, batch_size=3)
        found = losses[losses["point"] == entry.point.id]
        np.testing.assert_allclose(found["nll"], wanted["nll_text"], rtol=1e-5)
        assert found["tokens"].tolist() == wanted["tokens_text"].tolist()
    # The points do differ.
    assert losses.groupby("point", observed=True)["nll"].sum().round(2).nunique() == 5


def test_batches_make_no_difference_and_are_encoded_once(pair, monkeypatch):
    space, sweep = WeightSpace(pair), sweep_of([0, 0.5, 1])
    one = evaluate_losses(space, sweep, TEXTS, batch_size=1)
    tokenized = []
    tokenizer = space.tokenizer
    monkeypatch.setattr(space, "tokenizer", CountingTokenizer(tokenizer, tokenized))
    done: list[int] = []
    all_in_one = evaluate_losses(space, sweep, TEXTS, batch_size=100, progress=done.append)
    np.testing.assert_allclose(one["nll"], all_in_one["nll"], rtol=1e-5)
    assert len(tokenized) == 1
    assert done == [1, 2, 3]


def test_what_gpu_memory_holds_is_found_out_once_for_all_points(pair, monkeypatch, capsys):
    space, sweep = WeightSpace(pair), sweep_of([0, 0.5, 1])
    expected = evaluate_losses(space, sweep, TEXTS, batch_size=100)
    failed = limit_memory(monkeypatch, GPT2LMHeadModel, rows=2)
    losses = evaluate_losses(space, sweep, TEXTS, batch_size=100)
    pd.testing.assert_frame_equal(losses, expected, rtol=1e-5)
    assert failed == [5] and halvings(capsys) == 1
    limit_memory(monkeypatch, GPT2LMHeadModel, rows=0)
    with pytest.raises(UserError, match=r"^point a=1, GPU memory does not suffice for one text at a time"):
        evaluate_losses(space, sweep, TEXTS, batch_size=1)


class CountingTokenizer:
    def __init__(self, tokenizer, calls: list) -> None:
        self.tokenizer, self.calls = tokenizer, calls

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def __len__(self):
        return len(self.tokenizer)

    def __call__(self, texts, **options):
        if isinstance(texts, list):
            self.calls.append(texts)
        return self.tokenizer(texts, **options)


def test_nll_by_hand(tmp_path, tiny_gpt2):
    """With all weights 0 every token has probability 1/300."""
    tensors = {name: torch.zeros_like(t) for name, t in load_file(tiny_gpt2 / "model.safetensors").items()}
    for file in tiny_gpt2.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    save_file(tensors, tmp_path / "model.safetensors")
    space = WeightSpace({"zero": tmp_path})
    lengths = [len(ids) for ids in space.tokenizer(TEXTS["positive"]).input_ids]
    encoded = encode_texts(space.model, space.tokenizer, {"": TEXTS["positive"]}, 2)
    expected = [(length - 1) * math.log(300) for length in lengths]
    np.testing.assert_allclose(text_losses(space.model, encoded), expected, rtol=1e-6)


def test_a_point_that_two_coordinates_name_is_read_once(pair):
    directions = {"alpha": {"b": 1, "a": -1}, "beta": {"b": 1, "a": -1}}
    sweep = sweep_of([], directions=directions, grid={"alpha": [0, 1], "beta": [0, 1]})
    losses = evaluate_losses(WeightSpace(pair), sweep, {"": ["the film"]}, batch_size=2)
    assert losses["point"].tolist() == ["a=1", "b=1", "a=-1+b=2"]
    table = loss_table(losses, sweep, resamples=10, seed=0)
    assert table["point"].tolist() == ["a=1", "a=1", "b=1", "b=1", "b=1", "b=1", "a=-1+b=2", "a=-1+b=2"]
    assert table["beta"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_texts_that_cannot_be_read_are_named(pair):
    space, sweep = WeightSpace(pair), sweep_of([0, 1])
    for text, message in (("", "0 token"), ("t", "1 token"), ("the film " * 30, r"\d+ tokens, but the model reads")):
        with pytest.raises(UserError, match=rf"class 'negative', text 1 \('{text[:5]}.*'.*\): {message}"):
            evaluate_losses(space, sweep, TEXTS | {"negative": ["the plot", text]}, 2)
    with pytest.raises(UserError, match=r"^text 0 \('t'\): 1 token\(s\), so there is nothing to predict; remove it"):
        evaluate_losses(space, sweep, {"": ["t"]}, 2)


def test_nan_names_the_point_and_the_text(tmp_path, tiny_gpt2, pair):
    for file in pair["a"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    # Finite weights, whose products are not.
    tensors = {name: tensor * 1e30 for name, tensor in load_file(pair["a"] / "model.safetensors").items()}
    save_file(tensors, tmp_path / "model.safetensors")
    space = WeightSpace({"a": pair["a"], "large": tmp_path})
    with pytest.raises(
        UserError, match=r"point large=1, class 'positive', text 0 \('the .*: the model gives NaN or in"
    ):
        evaluate_losses(space, sweep_of([0, 1, 2], ("large", "a")), TEXTS, 2)


def frame(rows: list[tuple[str, str, int, float, int]]) -> pd.DataFrame:
    losses = pd.DataFrame(rows, columns=LOSSES_SCHEMA.names)
    return losses.astype({"point": "category", "text": "int32", "tokens": "int32"})


LOSSES = frame(
    [
        ("a=1", "positive", 0, 6.0, 3),
        ("a=1", "positive", 1, 2.0, 1),
        ("a=1", "negative", 0, 5.0, 2),
        ("b=1", "positive", 0, 9.0, 3),
        ("b=1", "positive", 1, 1.0, 1),
        ("b=1", "negative", 0, 4.0, 2),
    ]
)


def test_losses_are_written_and_read(tmp_path):
    write_losses(LOSSES, tmp_path / "losses.parquet")
    assert pq.read_schema(tmp_path / "losses.parquet").remove_metadata() == LOSSES_SCHEMA
    read = read_losses(tmp_path / "losses.parquet")
    assert read["point"].dtype == "category"
    pd.testing.assert_frame_equal(read.astype({"point": str}), LOSSES.astype({"point": str}), check_dtype=False)
    assert [str(read[name].dtype) for name in ("text", "nll", "tokens")] == ["int32", "float64", "int32"]
    with pytest.raises(ValueError, match="occurs twice"):
        write_losses(pd.concat([LOSSES, LOSSES]), tmp_path / "twice.parquet")
    with pytest.raises(ValueError, match="not finite"):
        write_losses(LOSSES.assign(nll=math.nan), tmp_path / "nan.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["losses.parquet"]


def test_evaluated_losses_are_written(tmp_path, pair):
    losses = evaluate_losses(WeightSpace(pair), sweep_of([0, 1]), TEXTS, batch_size=2)
    write_losses(losses, tmp_path / "losses.parquet")
    pd.testing.assert_frame_equal(
        read_losses(tmp_path / "losses.parquet").astype({"point": str, "class": str}),
        losses.astype({"point": str, "class": str}),
    )


def test_loss_matrix():
    nll, tokens = loss_matrix(LOSSES, ["b=1", "a=1"], "positive")
    assert nll.tolist() == [[9, 6], [1, 2]]
    assert tokens.tolist() == [[3, 3], [1, 1]]
    with pytest.raises(UserError, match="point c=1: a loss of class 'positive' is missing"):
        loss_matrix(LOSSES, ["a=1", "c=1"], "positive")
    with pytest.raises(UserError, match="point b=1: a loss of class 'positive' is missing"):
        loss_matrix(LOSSES[LOSSES["nll"] != 1], ["a=1", "b=1"], "positive")
    with pytest.raises(UserError, match="point a=1: a loss of class 'neutral' is missing"):
        loss_matrix(LOSSES, ["a=1"], "neutral")
    with pytest.raises(ValueError, match="occurs twice"):
        loss_matrix(pd.concat([LOSSES, LOSSES]), ["a=1"], "positive")


def test_table_by_hand(tmp_path):
    sweep = sweep_of([0, 1])
    table = loss_table(LOSSES, sweep, resamples=2000, seed=5)
    assert list(table) == [
        "sweep", "alpha", "point", "class", "statistic", "estimate", "low", "high", "n_texts", "n_tokens",
    ]  # fmt: skip
    rows = table[["alpha", "point", "class", "statistic", "estimate", "n_texts", "n_tokens"]].values.tolist()
    assert rows == [
        [0, "a=1", "positive", "nll_text", 4, 2, 4],
        [0, "a=1", "positive", "nll_token", 2, 2, 4],
        [0, "a=1", "negative", "nll_text", 5, 1, 2],
        [0, "a=1", "negative", "nll_token", 2.5, 1, 2],
        [1, "b=1", "positive", "nll_text", 5, 2, 4],
        [1, "b=1", "positive", "nll_token", 2.5, 2, 4],
        [1, "b=1", "negative", "nll_text", 4, 1, 2],
        [1, "b=1", "negative", "nll_token", 2, 1, 2],
    ]
    limits = table.set_index(["point", "class", "statistic"])[["low", "high"]]
    # Of two texts, 2 and 6, with Student's t of one degree of freedom; no loss is below 0.
    assert limits.loc[("a=1", "positive", "nll_text")].tolist() == [0, pytest.approx(4 + 2 * 12.7062047)]
    assert limits.loc[("b=1", "positive", "nll_token")].tolist() == [0, pytest.approx(12.0296536)]
    # One text says nothing of the spread.
    assert limits.xs("negative", level="class").isna().all(axis=None)

    write_table(table, tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[1] == "theta,0.0,a=1,positive,nll_text,4,0,29.4124,2,4"
    assert lines[3] == "theta,0.0,a=1,negative,nll_text,5,,,1,2"
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), table, check_dtype=False)


def test_classes_are_resampled_apart(pair):
    texts = {"long": ["the film was good"] * 3 + ["the end of the film was bad"] * 3, "short": ["the plot", "not fine"]}
    losses = evaluate_losses(WeightSpace(pair), sweep_of([0, 1]), texts, batch_size=4)
    both = loss_table(losses, sweep_of([0, 1]), resamples=50, seed=1)
    for name in texts:
        alone = loss_table(losses[losses["class"] == name], sweep_of([0, 1]), resamples=50, seed=1)
        pd.testing.assert_frame_equal(both[both["class"] == name].reset_index(drop=True), alone)
    nll, tokens = loss_matrix(losses, ["a=1", "b=1"], "long")
    wanted = np.array(bootstrap_ratio(nll, tokens, 50, 1)).T
    found = both[(both["class"] == "long") & (both["statistic"] == "nll_token")][["estimate", "low", "high"]]
    np.testing.assert_allclose(found, wanted)


def test_class_without_a_name(tmp_path, pair):
    sweep = sweep_of(["-0.421053", 1])
    losses = evaluate_losses(WeightSpace(pair), sweep, {"": TEXTS["positive"]}, batch_size=4)
    write_losses(losses, tmp_path / "losses.parquet")
    table = loss_table(read_losses(tmp_path / "losses.parquet"), sweep, resamples=20, seed=1)
    assert table["class"].tolist() == [""] * 4
    write_table(table, tmp_path / "one.csv")
    read = read_table(tmp_path / "one.csv")
    assert read["class"].tolist() == [""] * 4
    assert [Decimal(str(value)) for value in read["alpha"]] == [Decimal("-0.421053")] * 2 + [Decimal(1)] * 2
    write_table(loss_table(losses, sweep, resamples=20, seed=1), tmp_path / "two.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
