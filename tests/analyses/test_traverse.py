"""Between and beyond models: pairs, coordinates, and losses against those of points that are set directly."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from lm_interpolation.analyses.set_losses import open_losses
from lm_interpolation.analyses.traverse import ALPHAS, INSIDE, SHARES, count_losses, pairs_of, traverse
from lm_interpolation.analyses.traverse_tables import TRAVERSE_COLUMNS, TRAVERSE_VALUES, read_traverse
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.random_directions import length
from lm_interpolation.tables.tables import write_table
from tests.regions import family, sets_of, texts_of

SETS = sets_of(x=("one", "ab"), y=("one", "cd"), z=("two", "ef"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> dict[str, Path]:
    found = family(tiny_gpt2, tmp_path_factory.mktemp("family"), "abcdef")
    del found["base"]
    return found


def test_coordinates_are_those_of_the_paper() -> None:
    assert [float(alpha) for alpha in INSIDE] == [step / 10 for step in range(11)]
    assert (ALPHAS[0], ALPHAS[-1]) == (-31, 32) and len(ALPHAS) == 10 + 11 + 10
    beyond = np.array([float(alpha) for alpha in ALPHAS[-10:]])
    np.testing.assert_allclose(beyond[1:] / beyond[:-1], math.sqrt(2), rtol=1e-5)
    # Alike on both sides.
    assert [1 - alpha for alpha in reversed(ALPHAS)] == list(ALPHAS)
    assert SHARES[0] == 0 and SHARES[-1] == 1 and len(SHARES) == 11


def test_pairs_of_each_level() -> None:
    found = pairs_of(SETS, 100, 0)
    as_sets = {level: {frozenset(pair) for pair in pairs} for level, pairs in found.items()}
    assert as_sets["same data"] == {frozenset("ab"), frozenset("cd"), frozenset("ef")}
    assert as_sets["same task"] == {frozenset(pair) for pair in ("ac", "ad", "bc", "bd")}
    assert len(as_sets["different"]) == 4 * 2 and sum(map(len, found.values())) == 15
    few = pairs_of(SETS, 2, 0)
    assert [len(pairs) for pairs in few.values()] == [2, 2, 2] and few == pairs_of(SETS, 2, 0)
    assert any(few != pairs_of(SETS, 2, seed) for seed in (1, 2, 3))
    assert list(pairs_of(sets_of(x=("x", "ab")), 5, 0)) == ["same data"]


def test_losses_are_those_of_points_set_directly(models: dict[str, Path], tmp_path: Path) -> None:
    texts = texts_of("x", "y", "z")
    done: list[int] = []
    losses = open_losses("nll", models, texts, 4, "cpu", done.append)
    table = traverse(losses, SETS, 2, seed=0, resamples=100, resample_seed=0)
    assert list(table) == TRAVERSE_COLUMNS
    assert table["level"].unique().tolist() == ["same data", "same task", "different", "origin", "random"]
    # Models that are ends of several pairs are measured once.
    assert len(done) == len(set(losses._known)) <= count_losses(SETS, 2, 0)
    direct = open_losses("nll", models, texts, 4, "cpu")
    home = {model: one.name for one in SETS for model in one.models}

    def loss(pair: tuple[str, str], alpha: float) -> float:
        """Mean over both directions and both data sets."""
        found = []
        for share in (alpha, 1 - alpha):
            direct.space.set_point(Point.of({pair[0]: 1 - share, pair[1]: share}))
            found += [direct._measure(name) for name in sorted({home[model] for model in pair})]
        return float(np.mean(found))

    pairs = pairs_of(SETS, 2, 0)
    for level in pairs:
        rows = table[table["level"] == level].set_index("alpha")
        for alpha in (0.3, 4.0):
            values = [loss(pair, alpha) for pair in pairs[level]]
            ends = [loss(pair, 0) for pair in pairs[level]]
            assert rows.loc[alpha, "loss"] == pytest.approx(np.mean(values), rel=1e-5)
            assert rows.loc[alpha, "excess"] == pytest.approx(np.mean(values) - np.mean(ends), rel=1e-2, abs=1e-5)
        assert (rows["lines"] == 2).all() and rows["low"].notna().all()
        # At its ends a pair exceeds nothing, without doubt.
        assert rows.loc[[0, 1], ["excess", "excess_low", "excess_high"]].eq(0).all(axis=None)
    write_table(table, tmp_path / "t.csv", TRAVERSE_VALUES)
    assert read_traverse(tmp_path / "t.csv").shape == table.shape


def test_the_centroid_is_the_mean_and_the_origin_has_no_weights(models: dict[str, Path]) -> None:
    texts = texts_of("x", "y", "z")
    losses = open_losses("nll", models, texts, 4, "cpu")
    visited: dict[str, dict[str, torch.Tensor]] = {}
    set_point = losses.space.set_point

    def remember(point: Point) -> None:
        set_point(point)
        visited[point.id] = losses.space.current()

    losses.space.set_point = remember  # type: ignore[method-assign]
    table = traverse(losses, SETS, 3, seed=0, resamples=100, resample_seed=0)
    parents = [losses.space.parameters(model) for model in "abcdef"]
    mean = {name: torch.stack([parent[name].double() for parent in parents]).mean(dim=0) for name in parents[0]}
    centre = visited["the centroid=1"]
    for name, tensor in centre.items():
        torch.testing.assert_close(tensor.double(), mean[name], rtol=1e-6, atol=1e-7)
    half = visited["the centroid=0.5+the origin=0.5"]
    assert all(torch.allclose(tensor, centre[name] / 2) for name, tensor in half.items())
    # A random step is as long as that to the origin.
    away = visited["a random direction=0.5+the centroid=0.5"]
    step = length(away[name] - centre[name] for name in centre)
    assert step == pytest.approx(0.5 * length(centre.values()), rel=1e-5)
    origin, random = (table[table["level"] == level] for level in ("origin", "random"))
    # Without weights all tokens are as likely, but for layer norms there is nothing.
    assert origin.iloc[-1]["loss"] == pytest.approx(math.log(300), rel=1e-5)
    assert (origin["lines"] == 1).all() and origin["low"].isna().all()
    assert (random["lines"] == 3).all() and random["low"].iloc[1:].notna().all()
    assert origin["loss"].iloc[0] == random["loss"].iloc[0] and origin["excess"].iloc[0] == 0


def test_infinite_losses_do_not_count_and_are_counted(models: dict[str, Path]) -> None:
    sets = sets_of(x=("x", "ab"), y=("y", "cd"))
    losses = open_losses("nll", models, texts_of("x", "y"), 4, "cpu")
    at = losses.at

    def overflowing(name: str, point: Point, data: list[str]) -> dict[str, float]:
        found = at(name, point, data)
        return dict.fromkeys(found, math.inf) if name.startswith("a=-") else found

    losses.at = overflowing  # type: ignore[method-assign]
    table = traverse(losses, sets, 9, seed=0, resamples=100, resample_seed=0)
    rows = table[table["level"] == "same data"]
    assert rows["lines"].add(rows["infinite"]).eq(2).all() and rows["infinite"].sum() == 20
    assert np.isfinite(rows[["loss", "excess"]]).all(axis=None)
    losses.at = lambda name, point, data: dict.fromkeys(data, math.inf)  # type: ignore[method-assign]
    with pytest.raises(UserError, match="same data: a model where a line begins has an infinite loss"):
        traverse(losses, sets, 1, seed=0, resamples=100, resample_seed=0)
