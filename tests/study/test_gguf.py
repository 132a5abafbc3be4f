"""GGUF files as sources of models: what a study may say, what a dry run notices, and which files a job reads."""

from pathlib import Path
from typing import Any

import pytest

from lm_interpolation.study.study import Study
from tests.gguf_models import CONTEXT, write_gguf
from tests.study.test_config import error_of, language_model, settled, small_config


def with_base(folder: Path | str, **start: Any) -> dict[str, Any]:
    """A study whose models start from a file ``m.gguf``; ``start`` adds keys, and None removes one."""
    config = small_config()
    whole = {"directory": str(folder), "gguf_file": "m.gguf"} | start
    config["models"]["base"] = {
        "task": "language-model",
        "start": {key: value for key, value in whole.items() if value is not None},
    }
    for name in ("positive", "negative", "other"):
        config["models"][name] = language_model(model="base")
    return config


def line_of(config: dict[str, Any]) -> str:
    """The one line with which a study is refused."""
    line = error_of(config)
    assert "\n" not in line
    return line


def test_the_file_is_the_only_input(tmp_path: Path, tiny_tokenizer: Path) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer)
    for name in ("other.gguf", "config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_text("no such thing")
    study = Study(with_base(tmp_path))
    assert (study.models.imported(), study.models.from_gguf()) == (["base"], ["base"])
    assert study.models.files("base") == [f"{tmp_path}/m.gguf"]
    study = Study(with_base(tmp_path, tokenizer_directory=str(tiny_tokenizer)))
    assert study.models.files("base") == [
        f"{tmp_path}/m.gguf",
        f"{tiny_tokenizer}/tokenizer.json",
        f"{tiny_tokenizer}/tokenizer_config.json",
    ]


def test_other_origins_are_set_by_what_they_were(tmp_path: Path) -> None:
    config = small_config()
    start = {"hub": "a/b", "revision": "main", "special_tokens": "bos"}
    config["models"]["base"] = {"task": "language-model", "start": dict(start)}
    assert list(settled(config)["models"]["base"]["start"].items()) == list(start.items())
    config["models"]["base"]["start"] |= {"gguf_file": "m.gguf"}
    assert settled(config)["models"]["base"]["start"] == start | {"gguf_file": "m.gguf"}


def test_a_file_of_the_hub_is_no_input(tiny_tokenizer: Path) -> None:
    hub = {"directory": None, "hub": "a/b", "revision": "main"}
    assert Study(with_base("", **hub)).models.files("base") == []
    study = Study(with_base("", **hub, tokenizer_directory=str(tiny_tokenizer)))
    assert [Path(path).name for path in study.models.files("base")] == ["tokenizer.json", "tokenizer_config.json"]


@pytest.mark.parametrize("name", ["folder/m.gguf", "../m.gguf", "/m.gguf", "folder\\\\m.gguf"])
@pytest.mark.parametrize("origin", ["hub", "directory"])
def test_a_path_is_no_name(name: str, origin: str) -> None:
    start = {"hub": "a/b", "revision": "main", "directory": None} if origin == "hub" else {}
    assert line_of(with_base("x", gguf_file=name, **start)) == (
        f"config: models.base.start.gguf_file: {name!r} is a path; give the name of a file in the folder or repository"
    )


def test_a_classifier_is_no_gguf_file() -> None:
    config = small_config()
    config["models"]["judge"] = {"task": "classifier", "start": {"directory": "x", "gguf_file": "m.gguf"}}
    assert line_of(config) == (
        "config: models.judge.start.gguf_file: a GGUF file holds a language model; train the classifier from it, or "
        "give its folder"
    )


def test_a_tokenizer_alone_is_no_source(tmp_path: Path, tiny_gpt2: Path) -> None:
    config = with_base(tiny_gpt2, gguf_file=None, tokenizer_directory=str(tiny_gpt2))
    assert "models.base.start: tokenizer_directory needs gguf_file; add gguf_file or remove" in line_of(config)


def test_what_is_wrong_with_a_file_is_told_before_anything_runs(tmp_path: Path, tiny_tokenizer: Path) -> None:
    key = "models.base.start.gguf_file"
    missing = f"{tmp_path}: no file m.gguf; it has n.gguf: correct gguf_file"
    (tmp_path / "n.gguf").touch()
    assert line_of(with_base(tmp_path)) == f"config: {key}: {missing}"
    assert f"{key}: {tmp_path}/no: no such directory" in line_of(with_base(tmp_path / "no"))
    (tmp_path / "m.gguf").write_bytes(b"GGML")
    assert f"{key}: {tmp_path}/m.gguf: not a GGUF file" in line_of(with_base(tmp_path))
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer, tokenizer__ggml__model=None)
    assert f"{key}: {tmp_path}/m.gguf: has no tokenizer" in line_of(with_base(tmp_path))
    Study(with_base(tmp_path, tokenizer_directory=str(tiny_tokenizer)))
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer, kind="gpt2", general__architecture="rwkv6")
    assert f"{key}: {tmp_path}/m.gguf: its architecture is rwkv6" in line_of(with_base(tmp_path))
    (tmp_path / "m.gguf").write_bytes((tmp_path / "m.gguf").read_bytes()[:-999])
    assert f"{key}: {tmp_path}/m.gguf: cut off: its tensors end at byte" in line_of(with_base(tmp_path))


def test_blocks_fit_into_the_context_of_the_file(tmp_path: Path, tiny_tokenizer: Path) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer)
    config = with_base(tmp_path)
    config["models"]["negative"]["training"]["block_length"] = CONTEXT
    Study(config)
    config["models"]["negative"]["training"]["block_length"] = CONTEXT + 1
    assert (
        f"models.negative.training.block_length: {CONTEXT + 1} exceeds the context of {CONTEXT} tokens that "
        f"{tmp_path}/m.gguf names"
    ) in line_of(config)


def test_a_tokenizer_is_in_its_folder(tmp_path: Path, tiny_tokenizer: Path) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer)
    key = "models.base.start.tokenizer_directory"
    hub = {"directory": None, "hub": "a/b", "revision": "main"}
    for start in ({}, hub):
        line = line_of(with_base(tmp_path, tokenizer_directory=str(tmp_path), **start))
        assert f"{key}: {tmp_path}: no tokenizer (tokenizer.json, or vocab.json); save it" in line
        line = line_of(with_base(tmp_path, tokenizer_directory=str(tmp_path / "no"), **start))
        assert f"{key}: {tmp_path}/no: no such directory" in line


def test_a_model_from_gguf_is_combined_with_one_of_a_folder(
    tmp_path: Path, tiny_tokenizer: Path, tiny_gpt2: Path
) -> None:
    # Their tensors are compared once both are imported: the merge refuses what differs.
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer, "gpt2")
    config = with_base(tmp_path)
    config["models"]["positive"] = {"task": "language-model", "start": {"directory": str(tiny_gpt2)}}
    assert Study(config).models.imported() == ["base", "positive"]
    assert Study(config).models.from_gguf() == ["base"]
