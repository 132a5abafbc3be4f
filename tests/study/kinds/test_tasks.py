"""What a study may say of an encoder, and of families of classifiers that start from one."""

from typing import Any

import pytest

from lm_interpolation.study.study import Study
from tests.study.test_config import changed, error_of, full_config

LANGUAGE = "models/positive/start/model"


def with_encoder(path: str | None = None, value: Any = None, **more: Any) -> dict[str, Any]:
    """The full study with an encoder, from which its classifier starts, and one change."""
    encoder = {"task": "encoder", "start": {"hub": "some/encoder", "revision": "main"}}
    config = changed("models/encoder", encoder | more, full_config())
    config = changed("models/judge/start", {"model": "encoder"}, config)
    return config if path is None else changed(path, value, config)


def test_a_classifier_starts_from_an_encoder() -> None:
    study = Study(with_encoder())
    assert study.models.inputs("judge")["start"] == study.path("models", "encoder")
    assert "encoder" in study.models.imported()
    assert study.declared.root_of("judge")[0] == "encoder"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (with_encoder(LANGUAGE, "encoder"), "models.positive.start.model: 'encoder' is an encoder; a language model"),
        (
            with_encoder("sweeps/theta1/origin", {"encoder": 1}),
            "sweeps.theta1.origin: 'encoder' is an encoder; choose a language model",
        ),
        (with_encoder("models/judge/start/model", "critic"), "'critic' is a classifier; choose a language model or an"),
        (
            with_encoder(start={"model": "base"}),
            "models.encoder.task: an encoder is imported as it is, from hub or directory; train a classifier from it",
        ),
        (
            with_encoder("models/encoder", {**full_config()["models"]["positive"], "task": "encoder"}),
            "models.encoder.task: an encoder is imported as it is",
        ),
        (
            with_encoder("models/encoder/start/special_tokens", "bos"),
            "models.encoder.start.special_tokens: is for language models; remove it",
        ),
        (
            with_encoder("models/encoder/start/gguf_file", "m.gguf"),
            "models.encoder.start.gguf_file: a GGUF file holds a language model; remove it",
        ),
        (
            with_encoder("models/centre", {"task": "language-model", "start": {"mean": "all"}})
            | {"sets": {"all": {"models": ["encoder", "base"]}}},
            "models.centre.start.mean: 'encoder' is an encoder; choose a set of language models",
        ),
        (
            with_encoder("analyses/measured", {"kind": "model_loss", "corpus": "reviews", "sets": ["all"]})
            | {"sets": {"all": {"models": ["encoder"]}}},
            "analyses.measured.sets: 'all' holds the encoder 'encoder'; choose a set of language models",
        ),
    ],
)
def test_mistakes_name_key_and_remedy(config: dict[str, Any], words: str) -> None:
    assert words in error_of(config)


def test_classifiers_have_replicates() -> None:
    config = with_encoder()
    judge = config["models"]["judge"]
    judge["training"].pop("seed", None)
    config = changed("models/family", {**judge, "replicates": [2, 3]}, config)
    study = Study(config)
    assert study.declared.families() == {"family": ["family.s2", "family.s3"]}
    assert [study.config["models"][f"family.s{seed}"]["training"]["seed"] for seed in (2, 3)] == [2, 3]
    assert "test" in study.models.inputs("family.s2")
    assert "'family' is a family of replicates; write one of family.s2, family.s3" in error_of(
        changed("scorers/sentiment/model", "family", config)
    )
