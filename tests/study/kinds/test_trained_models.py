"""What a study may say about a training: which parameters it changes, and how many texts it reads."""

from typing import Any

import pytest

from lm_interpolation.study.settings import canonical
from lm_interpolation.study.study import Study
from tests.study.test_config import changed, error_of, full_config, small_config

BIASES = "models/positive/training/trainable"
LLAMA = {"model_type": "llama", "num_hidden_layers": 1}


def test_absent_keys_change_no_settings() -> None:
    before = Study(small_config()).models.settings("positive")
    assert "trainable" not in before["training"] and "limit" not in before["data"]
    assert Study(changed(BIASES, "all")).models.settings("positive") == before
    biases = Study(changed(BIASES, "biases", changed("models/positive/data/limit", 7))).models.settings("positive")
    assert canonical(biases) == {
        **before,
        "data": {**before["data"], "limit": 7},
        "training": {**before["training"], "trainable": "biases"},
    }


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (BIASES, "bias", "models.positive.training.trainable"),
        ("models/positive/data/limit", 0, "models.positive.data.limit"),
        ("models/positive/data", {"corpus": "stream", "limit": 5}, "data.limit: the stream 'stream' is read until"),
        ("models/critic/data/limit", 5, "models.critic.exam.baseline: would learn from more texts than the judge"),
    ],
)
def test_mistakes_name_key_and_remedy(path: str, value: Any, words: str) -> None:
    assert words in error_of(changed(path, value, full_config()))


def test_few_texts_and_an_exam_without_a_baseline() -> None:
    config = changed("models/critic/data/limit", 5, full_config())
    Study(changed("models/critic/exam/baseline", "none", config))


def llama(**options: Any) -> dict[str, Any]:
    """The small study with models of this architecture, one of which is trained in its biases."""
    config = changed(BIASES, "biases")
    for model in ("base", "other"):
        config["models"][model]["start"]["architecture"] = {**LLAMA, **options}
    return config


def test_biases_of_an_architecture_that_has_none() -> None:
    words = "models.positive.training.trainable: biases, but the architecture llama has none; train all, or set"
    assert words in error_of(llama())
    assert words in error_of(llama(attention_bias=False))
    Study(llama(attention_bias=True))
    config = llama()
    config["models"]["base"]["training"]["trainable"] = "biases"
    assert "models.base.training.trainable: biases" in error_of(config)
