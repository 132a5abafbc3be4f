"""models/fetching.py on a hand-made cache. (These tests cover all but the downloads.)"""

import gzip
import json
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import yaml

from lm_interpolation.data.hub import reading_order
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models import fetching
from lm_interpolation.models.fetching import BYTES_PER_TOKEN, fetch_all
from lm_interpolation.study.fetch_plan import fetch_plan
from tests.adapters import CONFIG, WEIGHTS, edited_config, save_adapter
from tests.gguf_models import write_gguf
from tests.hub_cache import add_repository, commit_of, make_cache, repository_folder
from tests.reading import study_with

GPT2, ROBERTA = "openai-community/gpt2-large", "textattack/roberta-base-CoLA"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hf" / "hub"
    make_cache(tmp_path / "hf")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    # transformers has a copy of its own.
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(folder))
    return folder


def study(tmp_path: Path, **training: int) -> dict[str, Any]:
    settings = {"steps": 1, "batch_size": 2, "block_length": 16, "processes": 1, "seed": 3} | training
    return {
        "hub_lock": str(tmp_path / "lock.yaml"),
        "models": {
            "base": {"start": {"hub": GPT2, "revision": "main"}},
            "again": {"start": {"hub": GPT2, "revision": "main"}},
            "judge": {"start": {"hub": ROBERTA, "revision": "main"}},
            "scratch": {"start": {"architecture_of": "base"}, "data": {"corpus": "c4"}, "training": settings},
        },
        "corpora": {
            "sst": {
                "source": "hub",
                "id": "SetFit/sst5",
                "revision": "main",
                "files": {"train": "train.jsonl", "dev": ["dev.jsonl"], "test": "test.jsonl"},
                "text": "text",
            },
            "c4": {
                "source": "hub",
                "id": "allenai/c4",
                "revision": "main",
                "files": {"train": "en/c4-train.*.json.gz", "dev": "en/c4-validation.*.json.gz"},
                "text": "text",
                "stream": True,
                "limit": {"dev": 5},
            },
            "own": {"source": "lines", "files": dict.fromkeys(("train", "dev", "test"), "texts.txt")},
        },
        "searches": {},
    }


def fetch_study(config: dict[str, Any]) -> None:
    fetch_all(**fetch_plan(config, study_with(config["corpora"], {}).corpora), hub_lock=config.get("hub_lock"))


@pytest.fixture
def asked(hub: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files of data sets that were fetched, in order."""
    names: list[str] = []
    original = fetching.fetch

    def fetch(dataset: str, commit: str, name: str) -> Path:
        names.append(name)
        return original(dataset, commit, name)

    monkeypatch.setattr(fetching, "fetch", fetch)
    return names


def train_files(asked: list[str]) -> list[int]:
    return [int(name.split(".")[1].split("-")[0]) for name in asked if name.startswith("en/c4-train")]


def test_everything_is_resolved_and_fetched(tmp_path: Path, hub: Path, asked: list[str]) -> None:
    fetch_study(study(tmp_path))
    assert yaml.safe_load((tmp_path / "lock.yaml").read_text()) == {
        "models": {name: {"main": commit_of("model", name)} for name in (GPT2, ROBERTA)},
        "datasets": {name: {"main": commit_of("dataset", name)} for name in ("SetFit/sst5", "allenai/c4")},
    }
    assert asked[:3] == ["train.jsonl", "dev.jsonl", "test.jsonl"]
    assert asked[-2:] == [f"en/c4-validation.{shard:05}-of-00002.json.gz" for shard in range(2)]


def test_of_a_stream_come_the_files_that_training_reads(tmp_path: Path, hub: Path, asked: list[str]) -> None:
    from lm_interpolation.data.hub import ShardList
    from lm_interpolation.models.special_tokens import SpecialTokens
    from lm_interpolation.models.streams import Stream, TokenStream

    order = reading_order(3, seed=3)
    shards = ShardList("allenai/c4", "", ("a", "b", "c"), "text")
    special = SpecialTokens((), 0, frozenset([0]))
    assert TokenStream(Stream(shards), None, 8, seed=3, special=special)._shards == order
    # 20 texts of some 40 bytes are in a file.
    file = repository_folder(hub, "dataset", "allenai/c4") / "snapshots" / commit_of("dataset", "allenai/c4")
    text = fetching._text_bytes(file / f"en/c4-train.{order[0]:05}-of-00003.json.gz", "text")
    assert 600 < text < 1200
    enough = text // BYTES_PER_TOKEN

    fetch_study(study(tmp_path, block_length=1, batch_size=1, steps=enough))
    assert train_files(asked) == order[:1]
    asked.clear()
    fetch_study(study(tmp_path, block_length=1, batch_size=1, steps=enough + 1))
    assert train_files(asked) == order[:2]
    # Of two processes each has a file of its own.
    asked.clear()
    fetch_study(study(tmp_path, block_length=1, batch_size=1, steps=enough, processes=2))
    assert train_files(asked) == order[:2]
    # More than there is: then it is read again.
    asked.clear()
    fetch_study(study(tmp_path, steps=1000))
    assert train_files(asked) == order


def test_a_search_may_train_longer(tmp_path: Path, hub: Path, asked: list[str]) -> None:
    config = study(tmp_path, block_length=1, batch_size=1, steps=1)
    config["searches"]["s"] = {"model": "scratch", "grid": {"steps": [1, 100], "batch_size": [5, 20]}}
    fetch_study(config)
    assert len(train_files(asked)) == 3


@pytest.mark.parametrize(
    ("repository", "missing", "key"),
    [
        (GPT2, "model.safetensors", "models.base.start"),
        (GPT2, "config.json", "models.base.start"),
        (ROBERTA, "pytorch_model.bin", "models.judge.start"),
    ],
)
def test_what_cannot_be_had_is_told(tmp_path: Path, hub: Path, repository: str, missing: str, key: str) -> None:
    snapshot = repository_folder(hub, "model", repository) / "snapshots" / commit_of("model", repository)
    (snapshot / missing).unlink()
    with pytest.raises(UserError) as caught:
        fetch_study(study(tmp_path))
    message = str(caught.value)
    assert message.startswith(f"{key}: cannot fetch model {repository} at {commit_of('model', repository)}: ")
    assert "\n" not in message


def test_only_what_loading_needs_is_asked_for(tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repositories hold the same weights for several frameworks, some in folders."""
    snapshot = repository_folder(hub, "model", GPT2) / "snapshots" / commit_of("model", GPT2)
    original, patterns = huggingface_hub.snapshot_download, []

    def download(*arguments: Any, **options: Any) -> str:
        patterns.append(options["allow_patterns"])
        return original(*arguments, **options)

    names = [
        "config.json", "generation_config.json", "merges.txt", "model.safetensors", "onnx/decoder_model.onnx",
        "onnx/config.json", "pytorch_model.bin", "rust_model.ot", "tf_model.h5", "tokenizer.json", "vocab.json",
        "README.md", "chat_template.jinja",
    ]  # fmt: skip
    for name in names:
        (snapshot / name).parent.mkdir(exist_ok=True)
        (snapshot / name).touch()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    (snapshot / "generation_config.json").write_text("{}")
    assert fetching.fetch_model(GPT2, commit_of("model", GPT2), "models.base.start") == snapshot
    wanted = {
        name
        for allowed in patterns
        for name in huggingface_hub.utils.filter_repo_objects(names, allow_patterns=allowed)
    }
    assert wanted == {
        "config.json", "generation_config.json", "merges.txt", "model.safetensors", "tokenizer.json", "vocab.json",
        "chat_template.jinja",
    }  # fmt: skip


def test_a_line_without_text_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"text": "é"}) + "\n\n" + json.dumps({"other": 1}) + "\n")
    with pytest.raises(UserError, match=r"a\.json:3: no column 'text'"):
        fetching._text_bytes(path, "text")


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_a_damaged_file_is_told(tmp_path: Path, name: str) -> None:
    content = json.dumps({"text": "é"}).encode() + b"\n"
    (tmp_path / "a.json").write_bytes(content * 9 + content[:5])
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(content * 9)[:-12])
    with pytest.raises(UserError, match=f"{name}: not a whole file of JSON lines .*; delete it and fetch it again$"):
        fetching._text_bytes(tmp_path / name, "text")


def test_of_a_repository_of_gguf_files_one_is_fetched(
    tmp_path: Path, hub: Path, tiny_tokenizer: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    snapshot = add_repository(hub, "model", "some/model")
    write_gguf(snapshot / "m.gguf", tiny_tokenizer)
    write_gguf(snapshot / "bare.gguf", tiny_tokenizer, tokenizer__ggml__model=None)
    start = {"hub": "some/model", "revision": "main"}
    models = {"base": {"start": start | {"gguf_file": "m.gguf"}}, "again": {"start": start | {"gguf_file": "m.gguf"}}}
    config = {"models": models, "corpora": {}, "searches": {}}
    fetch_study(config)
    commit = commit_of("model", "some/model")
    assert capfd.readouterr().err.count(f"[fetch] model some/model at {commit}: m.gguf\n") == 1
    models["again"]["start"] |= {"gguf_file": "bare.gguf"}
    with pytest.raises(UserError, match=rf"^models.again.start: {snapshot}/bare.gguf: has no tokenizer"):
        fetch_study(config)
    models["again"]["start"] |= {"tokenizer_directory": str(tiny_tokenizer)}
    fetch_study(config)
    models["again"]["start"] |= {"gguf_file": "n.gguf"}
    words = f"model some/model at {commit}: no file n.gguf; it has bare.gguf, m.gguf: correct gguf_file"
    with pytest.raises(UserError, match=rf"^models.again.start: {words}$"):
        fetch_study(config)


def test_of_a_repository_of_an_adapter_the_adapter_is_fetched(
    tmp_path: Path, hub: Path, tiny_gpt2: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = save_adapter(tiny_gpt2, tmp_path / "adapter", target_modules=["c_fc"], fan_in_fan_out=True)
    snapshot, commit = add_repository(hub, "model", "some/adapter"), commit_of("model", "some/adapter")
    for name in (CONFIG, WEIGHTS):
        (snapshot / name).write_bytes((adapter / name).read_bytes())
    (snapshot / "optimizer.pt").write_text("large")
    start = {"model": "base", "adapter": {"hub": "some/adapter", "revision": "main"}}
    config = {"models": {"tuned": {"start": start}}, "corpora": {}, "searches": {}}
    original, patterns = huggingface_hub.snapshot_download, []

    def download(*arguments: Any, **options: Any) -> str:
        patterns.append(options["allow_patterns"])
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "snapshot_download", download)
        fetch_study(config)
    assert patterns == [["no file"], [CONFIG, WEIGHTS]]
    assert f"[fetch] adapter some/adapter at {commit}\n" in capfd.readouterr().err
    edited_config(adapter, tmp_path / "dora", use_dora=True)
    (snapshot / CONFIG).write_bytes((tmp_path / "dora" / CONFIG).read_bytes())
    with pytest.raises(UserError, match=rf"^models.tuned.start.adapter: {snapshot}/{CONFIG}: use_dora is true"):
        fetch_study(config)
    (snapshot / WEIGHTS).rename(snapshot / "adapter_model.bin")
    words = f"adapter some/adapter at {commit}: has its weights as adapter_model.bin only"
    with pytest.raises(UserError, match=rf"^models.tuned.start.adapter: {words}"):
        fetch_study(config)
    start["adapter"]["hub"] = GPT2
    with pytest.raises(UserError, match=rf"^models.tuned.start.adapter: adapter {GPT2} at .*: has no {CONFIG}"):
        fetch_study(config)
