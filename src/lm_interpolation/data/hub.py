"""Repositories on the Hugging Face hub: revisions are resolved once and locked, files are fetched when needed.

Everything goes through the cache of ``huggingface_hub``, so a filled cache suffices on a machine without network.
"""

import fcntl
import fnmatch
import json
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from lm_interpolation.jobs.runtime import UserError, announce, atomic_path, brief

_HEADER = (
    "# Commits that the revisions of a study were resolved to (config key hub_lock). Keep it under version control.\n"
)


def resolve(repository: str, kind: str, revision: str) -> str:
    """The commit (40 hex digits) that ``revision`` of a repository names; ``kind`` is ``model`` or ``dataset``.

    Asks the hub, or its cache if the hub cannot be reached. Raises ``UserError`` if neither knows it. A commit is
    returned unchanged.
    """
    from huggingface_hub import HfApi

    try:
        return HfApi().resolve_revision(repository, repo_type=kind, revision=revision).resolved
    except Exception as error:  # of httpx, of the operating system, of the hub, and for a malformed id
        raise UserError(
            f"cannot find {kind} {repository} (revision {revision}) on the hub or in its cache: "
            f"{brief(error, 200)}; check the id and the revision (a machine "
            "without network needs them in the hub cache)"
        ) from error


def locked_commit(repository: str, kind: str, revision: str, lock: str | os.PathLike[str] | None) -> str:
    """The commit of ``revision``. The file ``lock`` keeps it from the first time it is resolved.

    Raises ``UserError`` if the revision has moved since: results would mix two versions of a model or a dataset.
    """
    commit = resolve(repository, kind, revision)
    if lock is None:
        announce(f"[hub] {kind} {repository}: revision {revision} is commit {commit}")
        return commit
    with _exclusive(Path(lock)):
        entries = _read_lock(Path(lock))
        # Two models may come from one repository at different revisions.
        revisions = entries.setdefault(f"{kind}s", {}).setdefault(repository, {})
        locked = revisions.get(revision)
        if locked == commit:
            return commit
        if locked is not None:
            raise UserError(
                f"{lock}: revision {revision} of {kind} {repository} was {locked} and is now {commit}; to keep the old "
                f"one set revision: {locked} in the study, to take up the new one delete the entry"
            )
        revisions[revision] = commit
        with atomic_path(lock) as scratch:
            scratch.write_text(_HEADER + yaml.safe_dump(entries), encoding="utf-8")
    announce(f"[hub] {kind} {repository}: locked revision {revision} to commit {commit}")
    return commit


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    """Let concurrent jobs change the file one after another."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    # Lock the folder, because the file itself is replaced.
    descriptor = os.open(lock.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_lock(lock: Path) -> dict[str, dict[str, dict[str, str]]]:
    """``models`` and ``datasets``: repository to revision to commit."""
    if not lock.exists():
        return {}
    try:
        entries = yaml.safe_load(lock.read_text(encoding="utf-8")) or {}
        for kind, repositories in entries.items():
            if kind not in ("models", "datasets"):
                raise ValueError(f"unexpected key {kind}")
            for repository, revisions in repositories.items():
                for revision, commit in revisions.items():
                    if not re.fullmatch("[0-9a-f]{40}", str(commit)):
                        raise ValueError(f"{commit} is no commit of {repository}, revision {revision}")
    except (yaml.YAMLError, ValueError, AttributeError) as error:
        raise UserError(
            f"{lock}: not a lock file of this workflow ({textwrap.shorten(str(error), 150)}); restore it, or delete it"
        ) from None
    return entries


def matching_files(dataset: str, commit: str, patterns: Sequence[str], key: str) -> list[str]:
    """Paths in a dataset's repository that match ``patterns`` (``*`` stands for any text), sorted within each.

    Raises ``UserError``, naming the config key ``key``, if a pattern matches nothing.
    """
    names = file_names(dataset, "dataset", commit)
    found: list[str] = []
    for pattern in patterns:
        matches = sorted(name for name in names if fnmatch.fnmatchcase(name, pattern))
        if not matches:
            raise UserError(
                f"{key}: no file of dataset {dataset} matches {pattern!r}; it has {len(names)} files, among them "
                f"{', '.join(sorted(names)[:3])}"
            )
        found += matches
    return found


def file_names(repository: str, kind: str, commit: str) -> list[str]:
    """Names of all files of a repository; those that the cache knows if the hub cannot be reached."""
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        # This keeps the list of files in the cache. A pattern that matches nothing downloads nothing.
        folder = snapshot_download(repository, repo_type=kind, revision=commit, allow_patterns=["no file"])
        try:
            return [file.path for file in get_cached_repo_tree(repository, repo_type=kind, revision=commit)]
        except CachedRepoTreeNotFoundError:
            # A cache filled by another program may have files, but no list of them.
            return [str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()]
    except Exception as error:  # see resolve
        raise UserError(
            f"cannot list the files of {kind} {repository} at {commit}: {brief(error, 200)}; check the id, the "
            "revision and the network (a machine without network needs them in the hub cache)"
        ) from error


def fetch(dataset: str, commit: str, name: str) -> Path:
    """Path of one file of a dataset's repository, downloaded to the cache if missing."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(dataset, name, repo_type="dataset", revision=commit))
    except Exception as error:  # see resolve
        raise UserError(
            f"cannot fetch {name} of dataset {dataset} at {commit}: {brief(error, 200)}; check the network, or fill "
            "the hub cache"
        ) from error


@dataclass(frozen=True)
class ShardList:
    """The files of a streamed corpus: each is downloaded only when it is reached."""

    dataset: str
    commit: str
    files: tuple[str, ...]
    text: str
    """Column of the text, dotted where it is nested."""

    def __len__(self) -> int:
        return len(self.files)

    def path(self, index: int) -> Path:
        """Local path of file ``index``."""
        return fetch(self.dataset, self.commit, self.files[index])

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the list as JSON."""
        content = {"id": self.dataset, "revision": self.commit, "files": list(self.files), "text": self.text}
        with atomic_path(path) as scratch:
            scratch.write_text(json.dumps(content, indent=1) + "\n")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "ShardList":
        """The list that ``write`` wrote."""
        content = json.loads(Path(path).read_text())
        return cls(content["id"], content["revision"], tuple(content["files"]), content["text"])


def reading_order(files: int, seed: int) -> list[int]:
    """Indices of the files of a streamed corpus in the order in which trainings with ``seed`` read them."""
    import numpy as np

    return [int(index) for index in np.random.default_rng(seed).permutation(files)]
