"""The common body of models with different heads."""

import json
from pathlib import Path

import pytest
import torch

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.common_body import common_body
from tests.analyses.test_geometry import make_model

BODY = {
    "roberta.embeddings.word_embeddings.weight": torch.zeros(2, 3),
    "roberta.encoder.layer.0.output.dense.weight": torch.zeros(3, 3),
}


def roberta(folder: Path, tensors: dict[str, torch.Tensor], model_type: str = "roberta", **more: object) -> Path:
    make_model(folder, tensors)
    config = {"model_type": model_type, "tie_word_embeddings": True, "num_attention_heads": 2}
    (folder / "config.json").write_text(json.dumps(config | more))
    return folder


def without_prefix(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix("roberta."): tensor for name, tensor in tensors.items()}


def test_heads_are_left_out_and_told(tmp_path: Path) -> None:
    models = {
        "base": roberta(tmp_path / "base", BODY | {"lm_head.bias": torch.zeros(2)}),
        "two": roberta(tmp_path / "two", BODY | {"classifier.bias": torch.zeros(2)}),
        "three": roberta(tmp_path / "three", BODY | {"classifier.bias": torch.zeros(3)}),
        # Saved without a head, and with integers that are no weights.
        "bare": roberta(
            tmp_path / "bare", without_prefix(BODY) | {"embeddings.position_ids": torch.zeros(2, dtype=torch.int64)}
        ),
    }
    told: list[str] = []
    body = common_body(models, told.append)
    assert body.left_out == ["classifier.bias", "lm_head.bias"]
    assert told == ["left out, since not all models have them in one shape: classifier.bias, lm_head.bias"]
    assert list(body.checkpoints) == list(models)
    for checkpoint in body.checkpoints.values():
        assert list(checkpoint.tensors) == list(BODY)
    # The name in the file stays.
    assert body.checkpoints["bare"].tensors["roberta.embeddings.word_embeddings.weight"].name.startswith("embeddings.")
    # Whichever comes first.
    assert list(common_body({"bare": models["bare"], "two": models["two"]}).checkpoints["two"].tensors) == [
        name.removeprefix("roberta.") for name in BODY
    ]


def test_models_of_one_architecture_are_compared_as_a_whole(tmp_path: Path) -> None:
    tensors = BODY | {"classifier.bias": torch.zeros(2)}
    told: list[str] = []
    body = common_body({name: roberta(tmp_path / name, tensors) for name in "ab"}, told.append)
    assert (body.left_out, told) == ([], [])
    assert sorted(body.checkpoints["a"].tensors) == sorted(tensors)


def test_models_of_different_architectures_are_refused(tmp_path: Path) -> None:
    one = roberta(tmp_path / "one", BODY)
    other = roberta(tmp_path / "other", BODY, model_type="bert")
    with pytest.raises(
        UserError, match=r"models a .* and b .* cannot be combined: config.json: model_type is roberta and bert"
    ):
        common_body({"a": one, "b": other})
    # No tensor shows it.
    with pytest.raises(UserError, match="num_attention_heads is 2 and 3; use models fine-tuned from the same one"):
        common_body({"a": one, "b": roberta(tmp_path / "heads", BODY, num_attention_heads=3)})
    # What is about heads may differ.
    untied = roberta(tmp_path / "untied", BODY, tie_word_embeddings=False, finetuning_task="mnli")
    assert common_body({"a": one, "b": untied}).left_out == []
    deeper = BODY | {"roberta.encoder.layer.1.output.dense.weight": torch.zeros(3, 3)}
    with pytest.raises(
        UserError, match=r"models a and b differ in the tensor roberta\.encoder\.layer\.1\.output\.dense\.weight of a"
    ):
        common_body({"a": one, "b": roberta(tmp_path / "deeper", deeper)})
    with pytest.raises(UserError, match="models a, b have no tensor in common"):
        common_body({name: roberta(tmp_path / name, {f"{name}.bias": torch.zeros(2)}) for name in "ab"})
