"""Tuning contributions, against Algorithm 1 of arXiv 2506.23423 computed text by text."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm_interpolation.analyses.contribution_tables import (
    BLOCK_COLUMNS,
    BLOCK_VALUES,
    CONTRIBUTION_COLUMNS,
    CONTRIBUTION_VALUES,
    GROUP_COLUMNS,
    GROUP_VALUES,
    auc,
    block_table,
    contribution_table,
    group_table,
    read_blocks,
    read_contributions,
    read_groups,
)
from lm_interpolation.analyses.tuning_contribution import tuning_contributions
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.layer_space import LayerSpace
from lm_interpolation.tables.tables import write_table
from tests.points.test_layer_space import CONTEXT, save_model, save_near
from tests.small_gpu import limit_memory

torch.set_num_threads(1)

TEXTS = {
    "reviews": ["the film was good", "the plot was bad but the end was fine", "good film", "as everybody had expected"],
    "null": ["the end of the film", "and the end"],
}


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Any:
    """A model and one that is a little beside it."""
    top = tmp_path_factory.mktemp(request.param)
    base = save_model(top / "base", tiny_tokenizer, 0, request.param)
    return {"tuned": save_near(top / "tuned", base, 1, 0.01), "base": base}


def by_algorithm(pair: dict[str, Path], text: str) -> tuple[np.ndarray, np.ndarray]:
    """PTC and FTC of each block at the last token, (blocks, width), in float64."""
    ids = torch.tensor([AutoTokenizer.from_pretrained(pair["base"])(text).input_ids])
    tuned, plain = (AutoModelForCausalLM.from_pretrained(pair[name], dtype=torch.float64).eval() for name in pair)
    length, streams = ids.shape[1], []
    mask = torch.full((length, length), -torch.inf, dtype=torch.float64).triu(1)[None, None]
    pretrained, added = [], []
    with torch.no_grad():
        if tuned.config.model_type == "gpt2":
            blocks, others, options = tuned.transformer.h, plain.transformer.h, {}
            stream = tuned.transformer.wte(ids) + tuned.transformer.wpe(torch.arange(length)[None])
        else:
            blocks, others = tuned.model.layers, plain.model.layers
            stream = tuned.model.embed_tokens(ids)
            options = {"position_embeddings": tuned.model.rotary_emb(stream, torch.arange(length)[None])}
        for block, other in zip(blocks, others, strict=True):
            streams.append(stream)
            contribution = other(stream, attention_mask=mask, **options) - stream
            following = block(stream, attention_mask=mask, **options)
            pretrained.append(contribution[0, -1].numpy())
            added.append((following - stream - contribution)[0, -1].numpy())
            stream = following
        # PTC and FTC are all that is added: together they lead to the last hidden state of the fine-tuned model.
        total = streams[0][0, -1].numpy() + np.sum(pretrained, axis=0) + np.sum(added, axis=0)
        np.testing.assert_allclose(total, stream[0, -1].numpy(), rtol=1e-9)
    return np.array(pretrained), np.array(added)


def measured(pair: dict[str, Path], batch_size: int = 4, texts: Any = None) -> Any:
    return tuning_contributions(LayerSpace(pair), "tuned", "base", texts or TEXTS, batch_size)


def test_values_are_those_of_the_algorithm(pair):
    found = measured(pair)
    flat = [text for members in TEXTS.values() for text in members]
    for index, text in enumerate(flat):
        pretrained, added = by_algorithm(pair, text)
        sizes = np.abs(pretrained.sum(0)).sum(), np.abs(added.sum(0)).sum()
        # FTC is a small difference of float32 numbers.
        assert found.pretraining[index] == pytest.approx(sizes[0], rel=1e-5)
        assert found.tuning[index] == pytest.approx(sizes[1], rel=1e-4)
        assert found.tuco[index] == pytest.approx(sizes[1] / sum(sizes), rel=1e-4)
        alone = np.abs(added).sum(1) / (np.abs(pretrained).sum(1) + np.abs(added).sum(1))
        np.testing.assert_allclose(found.tuco_blocks[index], alone, rtol=1e-4)
    assert found.tokens.tolist() == [len(AutoTokenizer.from_pretrained(pair["base"])(text).input_ids) for text in flat]
    assert ((found.tuco > 0) & (found.tuco < 0.5)).all()


def test_batches_and_their_padding_change_nothing(pair, monkeypatch):
    together = measured(pair, 6)
    for batch_size in (1, 3):
        apart = measured(pair, batch_size)
        np.testing.assert_allclose(apart.tuco, together.tuco, rtol=1e-4)
        np.testing.assert_array_equal(apart.tokens, together.tokens)


def test_batches_shrink_to_what_memory_holds(pair, monkeypatch):
    expected, space = measured(pair, 6), LayerSpace(pair)
    failed = limit_memory(monkeypatch, type(space.model.base_model), rows=2)
    found = tuning_contributions(space, "tuned", "base", TEXTS, 6)
    assert failed
    np.testing.assert_allclose(found.tuco, expected.tuco, rtol=1e-4)
    # The failed attempts leave no hooks behind.
    assert not any(block._forward_hooks for block in space.blocks("tuned"))


def test_without_fine_tuning_it_is_0(pair):
    space = LayerSpace({"tuned": pair["base"], "base": pair["base"]})
    found = tuning_contributions(space, "tuned", "base", TEXTS, 4)
    assert (found.tuco == 0).all() and (found.tuco_blocks == 0).all() and (found.pretraining > 0).all()


def test_it_grows_with_the_displacement(tmp_path, pair):
    means = []
    for size in (1e-4, 1e-3, 1e-2):
        tuned = save_near(tmp_path / str(size), pair["base"], 1, size)
        means.append(measured({"tuned": tuned, "base": pair["base"]}).tuco.mean())
    # In proportion, down to displacements as small as those of fine-tuning.
    assert means[1] / means[0] == pytest.approx(10, rel=0.05) and means[2] / means[1] == pytest.approx(10, rel=0.2)


def test_the_space_serves_points_afterwards(pair):
    space = LayerSpace(pair)
    tuning_contributions(space, "tuned", "base", TEXTS, 4)
    space.set_point(Point.of({"base": 1}))
    ids = torch.tensor([[5, 60, 61]])
    with torch.inference_mode():
        alone = AutoModelForCausalLM.from_pretrained(pair["base"]).eval()
        assert torch.equal(space.model(ids).logits, alone(ids).logits)


def test_mistakes_name_the_text(tmp_path, pair):
    with pytest.raises(UserError, match=rf"class 'long', text 0 .* tokens, but the model reads at most {CONTEXT}"):
        measured(pair, texts={"long": ["good film " * CONTEXT]})
    broken = AutoModelForCausalLM.from_pretrained(pair["base"])
    with torch.no_grad():
        list(broken.parameters())[-1][:] = torch.nan
        for weight in list(broken.parameters())[1:]:
            weight[:] = torch.nan
    broken.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(pair["base"]).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"class 'reviews', text 0 .*tuned or base gives NaN or infinite values"):
        measured({"tuned": pair["tuned"], "base": tmp_path})


# --- tables ---


def contributions(**groups: list[float]) -> pd.DataFrame:
    rows = [(group, place, 5, tuco, 1.0, 1.0) for group, values in groups.items() for place, tuco in enumerate(values)]
    return pd.DataFrame(rows, columns=CONTRIBUTION_COLUMNS)


def test_tables_are_read_as_they_were_written(tmp_path, pair):
    found = measured(pair)
    table = contribution_table(found, TEXTS)
    assert list(table) == CONTRIBUTION_COLUMNS and table["text"].tolist() == [0, 1, 2, 3, 0, 1]
    assert table["group"].tolist() == ["reviews"] * 4 + ["null"] * 2
    write_table(table, tmp_path / "texts.csv", CONTRIBUTION_VALUES)
    read = read_contributions(tmp_path / "texts.csv")
    pd.testing.assert_frame_equal(read, table, rtol=1e-5, check_dtype=False)
    groups = group_table(read, "null", 200, 0)
    assert list(groups) == GROUP_COLUMNS and groups["group"].tolist() == ["reviews", "null"]
    assert groups["auc"].isna().tolist() == [False, True] and groups["n_texts"].tolist() == [4, 2]
    write_table(groups, tmp_path / "groups.csv", GROUP_VALUES)
    pd.testing.assert_frame_equal(read_groups(tmp_path / "groups.csv"), groups, rtol=1e-5, check_dtype=False)
    blocks = block_table(found.tuco_blocks, TEXTS, 200, 0)
    assert list(blocks) == BLOCK_COLUMNS and blocks["layer"].tolist() == [0, 1, 2] * 2
    assert blocks.loc[2, "estimate"] == pytest.approx(found.tuco_blocks[:4, 2].mean())
    write_table(blocks, tmp_path / "blocks.csv", BLOCK_VALUES)
    pd.testing.assert_frame_equal(read_blocks(tmp_path / "blocks.csv"), blocks, rtol=1e-5, check_dtype=False)


def test_auc_counts_pairs() -> None:
    table = contributions(review=[0.3, 0.2, 0.2], general=[0.1, 0.2])
    # 0.3 beats both; each 0.2 beats one and equals the other.
    assert auc(table, "review", "general", 0).value == pytest.approx((2 + 1.5 + 1.5) / 6)
    assert auc(table, "general", "review", 0).value == pytest.approx(1 - (2 + 1.5 + 1.5) / 6)
    with pytest.raises(UserError, match="no tuning contributions of group 'other'; there are review, general"):
        auc(table, "other", "general", 0)


def test_intervals_of_auc_hold_the_truth_as_often_as_they_say() -> None:
    """Two normal distributions one standard deviation apart: AUC is Phi(1 / sqrt 2)."""
    generator, truth, inside = np.random.default_rng(0), 0.7602499, 0
    for trial in range(200):
        groups = {"one": (generator.normal(1, 1, 40)).tolist(), "other": generator.normal(0, 1, 40).tolist()}
        low, high = auc(contributions(**groups), "one", "other", trial, 500).limits(0.025)
        inside += low <= truth <= high
    assert 0.9 <= inside / 200 <= 0.985


def test_a_perfect_auc_is_not_certain() -> None:
    found = auc(contributions(one=[0.5] * 10, other=[0.1] * 10), "one", "other", 0)
    assert found.value == 1 and 0.6 < found.limits(0.025)[0] < 0.75
