"""The paths that a corpus declares for each split and class, and the documents in its folders and globs.

The Snakefile imports this module, so it imports no heavy package.
"""

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Declared:
    """A path as the study declares it. ``key`` is its place within the corpus (``class_files.positive.dev``)."""

    key: str
    path: str
    class_name: str | None = None


def declared_paths(spec: Mapping[str, Any], part: str | None = None) -> dict[str, list[Declared]]:
    """Split -> the paths that ``files`` or ``class_files`` declare for it, in their order; or ``label_files``.

    A split without paths is left out. Files of classes that name no split are training files.
    """
    part = part or ("class_files" if "class_files" in spec else "files")
    found: dict[str, list[Declared]] = {}
    for split in SPLITS:
        if part != "class_files":
            paths = as_list(spec.get(part, {}).get(split, []))
            entries = [Declared(f"{part}.{split}", path) for path in paths]
        else:
            entries = [
                Declared(key, path, name)
                for name, files in spec[part].items()
                for key, paths in _of_split(files, f"{part}.{name}", split)
                for path in as_list(paths)
            ]
        if entries:
            found[split] = entries
    return found


def _of_split(files: Any, key: str, split: str) -> Iterator[tuple[str, Any]]:
    """(key, paths) of one class in a split."""
    if not isinstance(files, Mapping):
        if split == "train":
            yield key, files
    elif split in files:
        yield f"{key}.{split}", files[split]


def _matches(path: str, key: str) -> list[str]:
    if os.path.isfile(path):  # noqa: PTH113
        return [path]
    if os.path.isdir(path):  # noqa: PTH112
        with os.scandir(path) as entries:
            files = sorted(entry.path for entry in entries if not entry.name.startswith(".") and entry.is_file())
        if not files:
            raise UserError(f"{key}: no file in the folder {path}; to read its subfolders give {path}/**/*")
        return files
    if not glob.has_magic(path):
        raise UserError(f"{key}: no file or folder {path}; correct the path (relative ones start at {Path.cwd()})")
    files = sorted(file for file in glob.glob(path, recursive=True) if os.path.isfile(file))  # noqa: PTH207, PTH113
    if not files:
        raise UserError(f"{key}: no file matches {path}; correct it (relative paths start at {Path.cwd()})")
    return files


def all_documents(spec: Mapping[str, Any], key: str) -> dict[str, list[tuple[str, Declared]]]:
    """Split -> (file, entry) of its documents: the files of a folder, those that a glob matches, or one file.

    The files of an entry are sorted by path; hidden ones are left out. Raises ``UserError`` for an entry without files,
    and for a file that two entries share.
    """
    found: dict[str, list[tuple[str, Declared]]] = {}
    owners: dict[str, Declared] = {}
    for split, entries in declared_paths(spec).items():
        found[split] = []
        for entry in entries:
            for file in _matches(entry.path, f"{key}.{entry.key}"):
                path = os.path.normpath(file)
                if path in owners:
                    raise UserError(
                        f"{key}.{entry.key}: {file} is also among the files of {owners[path].key}; take it out of one"
                    )
                owners[path] = entry
                found[split].append((file, entry))
    return found


def state_of(documents: Mapping[str, Sequence[tuple[str, Declared]]]) -> tuple[str, str]:
    """The newest of all documents, and 16 hex digits of a sha256 of their names and sizes.

    They reveal changes without thousands of inputs, which would take Snakemake seconds to plan and fill the
    screen: a document that is added, removed, renamed, of another size, or written after the others.
    """
    digest, newest = hashlib.sha256(), (-1, "")
    for files in documents.values():
        for file, entry in files:
            status = os.stat(file)  # noqa: PTH116
            newest = max(newest, (status.st_mtime_ns, file))
            digest.update(f"{entry.key}\0{file}\0{status.st_size}\0".encode(errors="surrogateescape"))
    return newest[1], digest.hexdigest()[:16]


def as_list(paths: str | Sequence[str]) -> list[str]:
    """One path or several, as a list."""
    return [paths] if isinstance(paths, str) else list(paths)
