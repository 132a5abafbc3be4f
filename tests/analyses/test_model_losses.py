"""Losses of named models: those of the models alone, and their table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.analyses.loss_files import LOSSES_SCHEMA, loss_matrix, read_losses, write_losses
from lm_interpolation.analyses.model_loss_tables import MODEL_LOSS_COLUMNS, model_loss_table
from lm_interpolation.analyses.model_losses import model_losses
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.perplexity import score_perplexity
from tests.edited_models import variants

TEXTS = {"positive": ["the film was good", "fine", "the end of the film was good"], "negative": ["the plot was bad"]}
FLAT = [text for members in TEXTS.values() for text in members]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> dict[str, Path]:
    return variants(tiny_gpt2, "ba", 0.2, tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def losses(pair: dict[str, Path]) -> pd.DataFrame:
    return model_losses(pair, TEXTS, batch_size=2)


def test_losses_are_those_of_each_model(tmp_path: Path, pair: dict[str, Path], losses: pd.DataFrame) -> None:
    assert list(losses.columns) == LOSSES_SCHEMA.names
    assert losses["point"].tolist() == ["b=1"] * 4 + ["a=1"] * 4
    assert losses["class"].tolist() == (["positive"] * 3 + ["negative"]) * 2
    assert losses["text"].tolist() == [0, 1, 2, 0] * 2
    for name, folder in pair.items():
        scores = score_perplexity(folder, [""] * len(FLAT), FLAT, batch_size=3)
        found = losses[losses["point"] == f"{name}=1"]
        np.testing.assert_allclose(found["nll"], scores["nll_text"], rtol=1e-5)
        assert found["tokens"].tolist() == scores["tokens_text"].tolist()
    write_losses(losses, tmp_path / "losses.parquet")
    nll, tokens = loss_matrix(read_losses(tmp_path / "losses.parquet"), ["a=1", "b=1"], "positive")
    assert nll.shape == tokens.shape == (3, 2)
    # Of the same text, so that differences are paired.
    assert nll[:, 0].tolist() == losses["nll"].iloc[4:7].tolist()


def test_the_table_has_means_and_intervals(losses: pd.DataFrame) -> None:
    table = model_loss_table(losses, ["a", "b"], resamples=100, seed=0)
    assert tuple(table.columns) == MODEL_LOSS_COLUMNS
    assert table["model"].tolist() == ["a"] * 4 + ["b"] * 4
    row = table[(table["model"] == "b") & (table["class"] == "positive")].set_index("statistic")
    own = losses[(losses["point"] == "b=1") & (losses["class"] == "positive")]
    assert row.loc["nll_text", "estimate"] == pytest.approx(own["nll"].mean())
    assert row.loc["nll_token", "estimate"] == pytest.approx(own["nll"].sum() / own["tokens"].sum())
    assert (row["low"] <= row["estimate"]).all() and (row["estimate"] <= row["high"]).all()
    assert row["n_texts"].tolist() == [3, 3] and row["n_tokens"].tolist() == [own["tokens"].sum()] * 2


def test_mistakes_name_the_model(pair: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=r"^model b, text 1 .*nothing to predict"):
        model_losses(pair, {"": ["fine", ""]}, batch_size=2)
