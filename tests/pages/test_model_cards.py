"""The lines of a model card on where models come from; whole cards are tested with ``export``."""

from lm_interpolation.pages.model_cards import _lineage, _origin
from lm_interpolation.study.study import Study
from tests.study.kinds.test_sets import study_config


def test_a_soup_comes_from_its_models() -> None:
    config = Study(study_config()).config
    assert _lineage(config, ["further", "greedy"]) == ["further", "greedy", "centre", "positive", "negative", "base"]
    assert _origin(config, "centre") == "the mean of base, negative, positive"
    assert _origin(config, "greedy") == (
        "a greedy soup of positive, negative, chosen by the loss on the dev split of reviews"
    )
    assert _origin(config, "further").startswith("centre, trained on reviews: 20 steps of 8 × 32 tokens")
