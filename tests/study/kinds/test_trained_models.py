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


LORA = {"rank": 4, "alpha": 8, "targets": ["c_attn"]}
ADAPTER = "models/positive/training/lora"


def test_an_adapter_is_trained_by_its_settings() -> None:
    before = Study(small_config()).models.settings("positive")
    assert "lora" not in before["training"]
    found = canonical(Study(changed(ADAPTER, LORA)).models.settings("positive"))
    whole = LORA | {"dropout": 0.0, "rslora": False}
    assert found == {**before, "training": {**before["training"], "lora": whole}}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (ADAPTER, {**LORA, "rank": 0}, "models.positive.training.lora.rank is 0; give at least 1"),
        (ADAPTER, {**LORA, "alpha": 0}, "models.positive.training.lora.alpha is 0; give more than 0"),
        (ADAPTER, {**LORA, "targets": []}, "models.positive.training.lora.targets is empty; give at least one"),
        (ADAPTER, {**LORA, "targets": "c_attn"}, "models.positive.training.lora.targets"),
        (ADAPTER, {**LORA, "dropout": 1}, "models.positive.training.lora.dropout is 1; give less than 1"),
        (ADAPTER, {**LORA, "r": 4}, "unknown key 'r' at models.positive.training.lora"),
        ("models/base/training/lora", LORA, "models.base.training.lora: adapts a model of the study, but this one"),
        ("models/judge/training/lora", LORA, "models.judge.training.lora: is for language models; remove it"),
    ],
)
def test_mistakes_in_an_adapter(path: str, value: Any, words: str) -> None:
    assert words in error_of(changed(path, value))


def test_an_adapter_has_no_biases_beside_it() -> None:
    words = "models.positive.training.trainable: biases, but lora trains an adapter; remove one of the two"
    assert words in error_of(changed(ADAPTER, LORA, changed(BIASES, "biases")))


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
