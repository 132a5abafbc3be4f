"""src/lm_interpolation/data/hub.py on a cache made by hand, without network."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import yaml
from huggingface_hub._tree_cache import TreeCacheEntry, write_tree_cache

from lm_interpolation.data import hub
from lm_interpolation.data.hub import ShardList, fetch, locked_commit, matching_files, resolve
from lm_interpolation.jobs.runtime import UserError
from tests.hub_cache import add_repository, commit_of, point_main_at, repository_folder

MODEL, DATASET = "someone/model", "someone/texts"
MODEL_COMMIT, DATASET_COMMIT = commit_of("model", MODEL), commit_of("dataset", DATASET)
MOVED = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache with a model and a data set of five files; the only one that the hub's library knows of."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    (add_repository(folder, "model", MODEL) / "config.json").write_text("{}")
    snapshot = add_repository(folder, "dataset", DATASET)
    for name in ("README.md", "en/train.1.json", "en/train.0.json", "en/dev.0.json", "de/train.0.json"):
        (snapshot / name).parent.mkdir(exist_ok=True)
        (snapshot / name).write_text(name)
    return folder


def error_of(function: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(UserError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def entries(lock: Path) -> dict:
    return yaml.safe_load(lock.read_text())


# --- revisions


def test_resolves_a_branch_by_the_cache(cache: Path) -> None:
    assert resolve(MODEL, "model", "main") == MODEL_COMMIT
    assert resolve(DATASET, "dataset", "main") == DATASET_COMMIT
    assert re.fullmatch("[0-9a-f]{40}", MODEL_COMMIT)


def test_a_commit_is_taken_as_it_is(cache: Path) -> None:
    assert resolve(MODEL, "model", MOVED) == MOVED


@pytest.mark.parametrize(
    ("repository", "kind", "revision"),
    [("someone/else", "model", "main"), (MODEL, "dataset", "main"), (MODEL, "model", "v2"), ("a//b", "model", "main")],
)
def test_unknown_repository_or_revision(cache: Path, repository: str, kind: str, revision: str) -> None:
    message = error_of(resolve, repository, kind, revision)
    assert message.startswith(f"cannot find {kind} {repository} (revision {revision}) on the hub or in its cache: ")
    assert "check the id and the revision" in message


# --- the lock file


def test_lock_is_made_with_its_folder(cache: Path, tmp_path: Path) -> None:
    lock = tmp_path / "new" / "study.lock.yaml"
    assert locked_commit(MODEL, "model", "main", lock) == MODEL_COMMIT
    assert locked_commit(DATASET, "dataset", "main", lock) == DATASET_COMMIT
    assert entries(lock) == {"models": {MODEL: {"main": MODEL_COMMIT}}, "datasets": {DATASET: {"main": DATASET_COMMIT}}}
    assert lock.read_text().startswith("# ")
    assert [path.name for path in lock.parent.iterdir()] == [lock.name]


def test_lock_is_reused(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "study.lock.yaml"
    locked_commit(MODEL, "model", "main", lock)
    assert "locked revision main" in capsys.readouterr().err
    before = lock.stat().st_mtime_ns
    assert locked_commit(MODEL, "model", "main", lock) == MODEL_COMMIT
    assert lock.stat().st_mtime_ns == before
    assert capsys.readouterr().err == ""


def test_a_revision_that_moved_is_refused(cache: Path, tmp_path: Path) -> None:
    lock = tmp_path / "study.lock.yaml"
    locked_commit(MODEL, "model", "main", lock)
    content = lock.read_bytes()
    point_main_at(cache, "model", MODEL, MOVED)
    assert error_of(locked_commit, MODEL, "model", "main", lock) == (
        f"{lock}: revision main of model {MODEL} was {MODEL_COMMIT} and is now {MOVED}; to keep the old one set "
        f"revision: {MODEL_COMMIT} in the study, to take up the new one delete the entry"
    )
    assert lock.read_bytes() == content
    # Both remedies help.
    assert locked_commit(MODEL, "model", MODEL_COMMIT, lock) == MODEL_COMMIT
    lock.unlink()
    assert locked_commit(MODEL, "model", "main", lock) == MOVED


def test_two_revisions_of_one_repository(cache: Path, tmp_path: Path) -> None:
    lock = tmp_path / "study.lock.yaml"
    (repository_folder(cache, "model", MODEL) / "refs" / "v2").write_text(MOVED)
    locked_commit(MODEL, "model", "main", lock)
    locked_commit(MODEL, "model", "v2", lock)
    assert entries(lock) == {"models": {MODEL: {"main": MODEL_COMMIT, "v2": MOVED}}}
    point_main_at(cache, "model", MODEL, MOVED)
    assert "was " + MODEL_COMMIT in error_of(locked_commit, MODEL, "model", "main", lock)


def test_without_lock_the_commit_is_told(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert locked_commit(MODEL, "model", "main", None) == MODEL_COMMIT
    assert f"revision main is commit {MODEL_COMMIT}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "models: [",
        "- models",
        "repositories: {}",
        "models: {someone/model: main}",
        "models: {someone/model: {main: 123}}",
        f"models: {{someone/model: {{main: {MODEL_COMMIT}0}}}}",
        b"\xff\xfe\x00",
    ],
)
def test_damaged_lock_file(cache: Path, tmp_path: Path, content: str | bytes) -> None:
    lock = tmp_path / "study.lock.yaml"
    lock.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = lock.read_bytes()
    message = error_of(locked_commit, MODEL, "model", "main", lock)
    assert message.startswith(f"{lock}: not a lock file of this workflow (")
    assert message.endswith("restore it, or delete it")
    assert lock.read_bytes() == before


def test_an_empty_lock_file_is_filled(cache: Path, tmp_path: Path) -> None:
    lock = tmp_path / "study.lock.yaml"
    lock.touch()
    locked_commit(MODEL, "model", "main", lock)
    assert entries(lock) == {"models": {MODEL: {"main": MODEL_COMMIT}}}


# --- files


def test_patterns_match_sorted(cache: Path) -> None:
    patterns = ["en/train.*.json", "en/dev.0.json"]
    found = matching_files(DATASET, DATASET_COMMIT, patterns, "corpora.c.files.train")
    assert found == ["en/train.0.json", "en/train.1.json", "en/dev.0.json"]


def test_pattern_without_match(cache: Path) -> None:
    message = error_of(matching_files, DATASET, DATASET_COMMIT, ["fr/*.json"], "corpora.c.files.train")
    assert message.startswith(f"corpora.c.files.train: no file of dataset {DATASET} matches 'fr/*.json'; ")
    assert "README.md" in message


def test_list_of_files_does_not_depend_on_what_was_fetched(cache: Path) -> None:
    """Where the hub has told its list before, files that are not in the cache belong to the corpus all the same."""
    names = [f"en/train.{shard}.json" for shard in range(4)]
    listing = {name: TreeCacheEntry(size=1, blob_id="0") for name in names}
    write_tree_cache(str(repository_folder(cache, "dataset", DATASET)), DATASET_COMMIT, listing)
    found = matching_files(DATASET, DATASET_COMMIT, ["en/train.*.json"], "corpora.c.files.train")
    assert found == names
    assert fetch(DATASET, DATASET_COMMIT, names[1]).read_text() == names[1]
    assert f"cannot fetch {names[3]} of dataset {DATASET}" in error_of(fetch, DATASET, DATASET_COMMIT, names[3])


def test_list_of_files_of_an_unknown_commit(cache: Path) -> None:
    message = error_of(matching_files, DATASET, MOVED, ["*"], "corpora.c.files.train")
    assert message.startswith(f"cannot list the files of dataset {DATASET} at {MOVED}: ")


def test_shard_list_reads_what_it_wrote(cache: Path, tmp_path: Path) -> None:
    shards = ShardList(DATASET, DATASET_COMMIT, ("en/train.0.json", "en/train.1.json"), "nested.text")
    shards.write(tmp_path / "stream.json")
    assert ShardList.read(tmp_path / "stream.json") == shards
    assert len(shards) == 2
    assert json.loads((tmp_path / "stream.json").read_text())["revision"] == DATASET_COMMIT


def test_shards_are_fetched_when_they_are_reached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def spy(dataset: str, commit: str, name: str) -> Path:
        asked.append(name)
        return fetch(dataset, commit, name)

    monkeypatch.setattr(hub, "fetch", spy)
    shards = ShardList(DATASET, DATASET_COMMIT, ("en/train.0.json", "en/absent.json"), "text")
    assert asked == []
    assert shards.path(0).read_text() == "en/train.0.json"
    assert asked == ["en/train.0.json"]
    assert "cannot fetch en/absent.json" in error_of(shards.path, 1)
