"""Greedy soups: what is chosen from given losses, and that the losses are those of the means."""

import math
from pathlib import Path

import pytest

from lm_interpolation.analyses.greedy_soups import choose, greedy_soup
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.means import Mean
from lm_interpolation.points.merging import merge
from lm_interpolation.scores.perplexity import score_perplexity
from tests.edited_models import variants

TEXTS = ["the film was good", "fine", "the end of the film was good, as expected"]


def test_the_best_come_first_and_stay_if_the_mean_gets_strictly_better() -> None:
    losses = {"a": 3.0, "b": 2.0, "c": 2.0, "d": 2.5, "b c": 2.0, "b d": 1.5, "a b d": 1.4}
    asked: list[str] = []

    def loss_of(mean: Mean) -> float:
        asked.append(" ".join(mean.models))
        return losses[asked[-1]]

    found = choose(["a", "d", "c", "b"], loss_of, tokens=7)
    # c is as good as b and comes after it; the mean with it is no better, so it stays out.
    assert asked == ["a", "d", "c", "b", "b c", "b d", "a b d"]
    assert (found.models, found.nll_token) == (["b", "d", "a"], 1.4)
    assert found.plain() == {
        "models": ["b", "d", "a"],
        "nll_token": 1.4,
        "tokens": 7,
        "steps": [
            {"model": "b", "nll_token": 2.0, "soup_nll_token": 2.0, "added": True},
            {"model": "c", "nll_token": 2.0, "soup_nll_token": 2.0, "added": False},
            {"model": "d", "nll_token": 2.5, "soup_nll_token": 1.5, "added": True},
            {"model": "a", "nll_token": 3.0, "soup_nll_token": 1.4, "added": True},
        ],
    }


def test_the_best_may_stay_alone() -> None:
    found = choose("ab", lambda mean: {"a": 1.0, "b": 2.0}.get(mean.models[0], 0.0) + len(mean.models) - 1, 1)
    assert (found.models, found.nll_token) == (["a"], 1.0)
    assert choose("a", lambda mean: 1.0, 1).models == ["a"]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> dict[str, Path]:
    return variants(tiny_gpt2, "abc", 0.3, tmp_path_factory.mktemp("three"))


def loss_on_disk(folder: Path) -> float:
    scores = score_perplexity(folder, [""] * len(TEXTS), TEXTS, batch_size=3)
    return float(scores["nll_text"].sum() / scores["tokens_text"].sum())


def test_losses_are_those_of_the_merged_models(tmp_path: Path, three: dict[str, Path]) -> None:
    counts: list[int] = []
    found = greedy_soup(WeightSpace(three), TEXTS, batch_size=2, progress=counts.append)
    assert counts == [1, 2, 3, 4, 5]
    for step in found.steps:
        assert step.nll_token == pytest.approx(loss_on_disk(three[step.model]), rel=1e-5)
    assert [step.nll_token for step in found.steps] == sorted(step.nll_token for step in found.steps)
    merge(Mean.of_models(found.models), three, tmp_path / "soup")
    assert found.nll_token == pytest.approx(loss_on_disk(tmp_path / "soup"), rel=1e-5)
    assert found.nll_token <= min(map(loss_on_disk, three.values())) * (1 + 1e-5)
    assert math.isclose(found.nll_token, min(step.soup_nll_token for step in found.steps if step.added))


def test_mistakes_are_one_line(three: dict[str, Path]) -> None:
    space = WeightSpace(three)
    with pytest.raises(UserError, match="there are no texts to choose by"):
        greedy_soup(space, [], batch_size=2)
    with pytest.raises(UserError, match="nothing to predict"):
        greedy_soup(space, ["a", ""], batch_size=2)
