"""The lines of a model card on where models come from; whole cards are tested with ``export``."""

from lm_interpolation.pages.model_cards import _lineage, _origin
from lm_interpolation.study.study import Study
from tests.study.kinds import test_adapters
from tests.study.kinds.test_sets import study_config
from tests.tiny_study import TINY


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


def test_a_training_of_an_adapter_says_so() -> None:
    lora = {"rank": 4, "alpha": 8, "targets": ["c_attn", "c_fc"], "dropout": 0.1}
    config = study_config(models__positive__training=TINY["models"]["positive"]["training"] | {"lora": lora})
    line = _origin(Study(config).config, "positive")
    assert ", learning rate 0.003, LoRA of rank 4, alpha 8, dropout 0.1, on c_attn, c_fc, seed 0" in line
