"""Targets of the claim and the figure on starts: families in them, and mistakes."""

from typing import Any

import pytest

from lm_interpolation.study.config import declare
from lm_interpolation.study.study import Study
from tests.study.test_config import changed, error_of, language_model, small_config


def config(**models: Any) -> dict[str, Any]:
    """A study of two targets, reviews and news, with families from the base and from centroids of other data."""
    found = small_config()
    found["corpora"]["news"] = found["corpora"]["reviews"] | {"seed": 1}
    found["models"] |= {
        "reviews": language_model(model="base") | {"replicates": [3, 4]},
        "news": language_model(model="base") | {"data": {"corpus": "news"}, "replicates": [3, 4]},
        "more": language_model(model="base") | {"replicates": [0]},
        "without-reviews": {"task": "language-model", "start": {"mean": ["news", "more"]}},
        "without-news": {"task": "language-model", "start": {"mean": "old"}},
    }
    for name in ("reviews", "news"):
        for how, start in (("warm", f"without-{name}"), ("cold", "base")):
            spec = language_model(model=start) | {"data": {"corpus": name}, "replicates": [0, 1]}
            found["models"][f"{name}-{how}"] = spec
    found["models"] |= models
    found["sets"] = {
        "old": {"models": ["reviews", "more"]},
        "starts": {"models": [f"{name}-{how}" for name in ("reviews", "news") for how in ("warm", "cold")]},
    }
    found["analyses"] = {
        name: {"kind": "model_loss", "sets": ["starts"], "corpus": name} for name in ("reviews", "news")
    }
    targets = {
        name: {"analysis": name, "centroid": [f"{name}-warm"], "base": [f"{name}-cold"]} for name in ("reviews", "news")
    }
    keys = {"targets": targets, "statistic": "nll_token"}
    found["claims"] = {"start": {"test": "start_gain", **keys, "threshold": 0, "reason": "ours"}}
    found["figures"]["start"] = {"kind": "start", "panels": [{"label": "all texts", "targets": targets}]}
    return found


def test_families_stand_for_their_members() -> None:
    study = Study(config())
    assert study.models.ingredients("without-reviews") == ["more.s0", "news.s3", "news.s4"]
    assert study.models.ingredients("without-news") == ["more.s0", "reviews.s3", "reviews.s4"]
    assert study.models.inputs("news-warm.s1")["start"].endswith("models/without-news")
    claim = study.declared.claims["start"]
    assert claim.keys()["targets"]["news"] == {
        "analysis": "news",
        "centroid": ["news-warm.s0", "news-warm.s1"],
        "base": ["news-cold.s0", "news-cold.s1"],
    }
    assert claim.loss_analyses() == ["reviews", "news"] and claim.settings("start")["direction"] == "at least"
    assert claim.words()["statistic"].endswith("mean of reviews, news")
    drawn = study.declared.figures["start"].drawn(study)
    assert [target["table"] for target in drawn["panels"][0]["targets"]] == [0, 1]
    assert drawn["panels"][0]["targets"][0]["centroid"] == ["reviews-warm.s0", "reviews-warm.s1"]


def test_the_centroid_of_families_is_trained_before_what_starts_from_it() -> None:
    study = Study(config())
    # All that waits is behind the families and the mean.
    assert {"without-news", "more.s0", "reviews.s3", "reviews.s4"} <= study.models.starts()
    # A family more is a part of the mean, and so of its settings.
    other = config()
    other["models"]["without-reviews"]["start"]["mean"].append("positive")
    assert Study(other).models.ingredients("without-reviews") == ["more.s0", "news.s3", "news.s4", "positive"]


TARGET = "claims/start/targets/news"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (f"{TARGET}/analysis", "news2", "claims.start.targets.news.analysis: analysis 'news2' is not declared"),
        (f"{TARGET}/base", ["news-cold.s0"], "targets.news.base: has 1 models, but centroid has 2; name as many"),
        (f"{TARGET}/base", ["news-warm"], "targets.news.base: 'news-warm.s0' starts like 'news-warm.s0'; name a model"),
        (f"{TARGET}/base", ["positive", "negative"], "'news' does not measure model 'positive'; add it to its models"),
        (f"{TARGET}/base", ["reviews-cold"], "'reviews-cold.s0' differs from 'news-warm.s0' in data or training"),
        (f"{TARGET}/base", ["news-cold.s1", "news-cold.s0"], "'news-cold.s1' differs from 'news-warm.s0' in data or"),
        (f"{TARGET}/class", "good", "claims.start.targets.news.class: class 'good' is not declared"),
        (f"{TARGET}/centroid", ["judge"], "'judge' is a classifier; choose a language model"),
        ("claims/start/statistic", "nll", "claims.start.statistic: 'nll' is not a statistic of a loss; choose one of"),
        ("claims/start/targets", {}, "claims.start.targets"),
        ("figures/start/panels/0/targets/news/base", ["reviews-cold"], "figures.start.panels.0.targets.news.base: "),
        ("figures/start/panels", [], "figures.start.panels"),
    ],
)
def test_mistakes_name_key_and_remedy(path: str, value: Any, words: str) -> None:
    assert words in error_of(changed(path, value, config()))


def test_a_study_without_families_is_as_it_was() -> None:
    one, two = (declare(small_config()).config for _ in range(2))
    assert one == two and one.figures["curves"].plain()["panels"][0]["scorer"] == "sentiment"
