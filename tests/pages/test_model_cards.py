"""The lines of a model card on where models come from; whole cards are tested with ``export``."""

from lm_interpolation.pages.model_cards import _lineage, _origin
from lm_interpolation.study.study import Study
from tests.study.kinds import test_adapters
from tests.study.kinds.test_sets import study_config


def test_a_soup_comes_from_its_models() -> None:
    config = Study(study_config()).config
    assert _lineage(config, ["further", "greedy"]) == ["further", "greedy", "centre", "positive", "negative", "base"]
    assert _origin(config, "centre") == "the mean of base, negative, positive"
    assert _origin(config, "greedy") == (
        "a greedy soup of positive, negative, chosen by the loss on the dev split of reviews"
    )
    assert _origin(config, "further").startswith("centre, trained on reviews: 20 steps of 8 × 32 tokens")


def test_an_adapter_comes_with_its_base() -> None:
    config = Study(test_adapters.study_config()).config
    assert _lineage(config, ["tuned"]) == ["tuned", "base"]
    link = "[some/adapter](https://huggingface.co/some/adapter), revision main"
    assert _origin(config, "tuned") == f"base with the adapter {link}"
    config["models"]["tuned"]["start"]["adapter"] = {"directory": "mine"}
    assert _origin(config, "tuned") == "base with the adapter in the local folder mine"
