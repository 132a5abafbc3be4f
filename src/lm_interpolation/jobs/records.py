"""How each artefact of a study was made, recorded beside its results so that it travels with them: docs/records.md.

A job writes a small JSON file for each of its outputs: its rule, its settings, and the digests of its inputs and of
the output. Two rebuilds write the same. Snakemake's own notes are in ``.snakemake``, which copies of ``results/``
lack; ``provenance`` describes how the records then replace them.

No result depends on this module, so it does not count among the sources of a script (``sources``). Imports no heavy
package: every job loads it.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.checksums import CHECKSUMS, check_files
from lm_interpolation.jobs.runtime import UserError, atomic_path, file_digest, sha256
from lm_interpolation.jobs.settings import ARGUMENTS, CODE, to_text

FORMAT = 1
"""Number of the format. Another number means other keys or other meanings."""

FOLDER = "made"
"""The folder of the records, in that of the study's results."""

_SUFFIX = ".json"
# Where Snakemake notes when it made a folder.
TIMESTAMP = ".snakemake_timestamp"

# Bytes of a path and of a name, on Linux.
_LONGEST, _LONGEST_NAME = 4095, 255
_DIGEST = re.compile("[0-9a-f]{64}")
# Kernel files look regular, but reading them may block for ever.
_KERNEL = ("/proc", "/sys")

PathLike = str | os.PathLike[str]


class DamagedRecord(UserError):
    """Something in the folder of records that is not a record."""


class NoFile(UserError):
    """Something that has no digest."""


@dataclass(frozen=True)
class Input:
    """An input of a job: a file or a folder."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Record:
    """How one output was made."""

    rule: str
    settings: Mapping[str, Any]
    """All that the output depends on besides the inputs."""
    inputs: tuple[Input, ...]
    """In the order of the rule; a path may occur twice."""
    log: str
    sha256: str
    """Hexadecimal, as from ``digest``."""
    bytes: int


def top_of(study: str) -> str:
    """The folder of a study's results, below the working directory."""
    return f"results/{study}"


def top_of_log(log: str, study: str) -> str:
    """The folder of a study's results, wherever a module's ``prefix`` has put it, by the path of a job's log."""
    return log[: log.index(f"{study}/logs/") + len(study)]


def record_path(top: PathLike, output: PathLike) -> Path:
    """Where the record of ``output``, which lies below ``top``, is kept."""
    relative = Path(output).relative_to(top)
    return Path(top, FOLDER, relative.parent, relative.name + _SUFFIX)


def find_records(top: PathLike) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(output, file of its record) of all records of a study."""
    folders = [(os.fspath(Path(top, FOLDER)), os.fspath(top))]
    while folders:
        folder, outputs = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            continue
        for entry in entries:
            output = f"{outputs}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, output))
            # Half-written files of a killed job begin with a dot.
            elif entry.name.endswith(_SUFFIX) and not entry.name.startswith("."):
                yield output.removesuffix(_SUFFIX), entry


def read_record(path: PathLike, top: PathLike) -> Record:
    """What ``write_records`` wrote about something below ``top``. Other files that the record names are not checked.

    Raises ``DamagedRecord`` if it is something else, ``UserError`` if it has another format, ``FileNotFoundError`` if
    it does not exist.
    """
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedRecord(f"{path}: damaged ({'a folder' if path.is_dir() else 'no regular file'}, no record)")
    text = path.read_bytes()
    try:
        values = json.loads(text)
        number = values.pop("format")
        if number == FORMAT:
            return _record(values, Path(top))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise DamagedRecord(f"{path}: damaged (not a record of what made a result)") from None
    raise UserError(
        f"{path}: a record of format {number!r}, and this version knows {FORMAT}; use the version of the workflow "
        "that made these results, or another folder for yours"
    )


def _record(values: dict[str, Any], top: Path) -> Record:
    """Raise ``ValueError``, ``TypeError`` or ``KeyError`` if ``values`` are not those of a record."""
    inputs = values.pop("inputs")
    if not isinstance(inputs, list):
        raise TypeError("inputs: no list")
    record = Record(inputs=tuple(Input(**entry) for entry in inputs), **values)
    # Snakemake compares it as text.
    to_text(record.settings)
    if not isinstance(record.rule, str) or not isinstance(record.settings, dict):
        raise TypeError("rule or settings of another type")
    if type(record.bytes) is not int or record.bytes < 0:
        raise ValueError("bytes: no size")
    if not all(_DIGEST.fullmatch(digest) for digest in (record.sha256, *(entry.sha256 for entry in record.inputs))):
        raise ValueError("sha256: no digest")
    for name in (record.log, *(entry.path for entry in record.inputs)):
        _check_path(name)
    # It leads to the benchmark file, whose time is set. Times outside of the study are never set.
    told = Path(top_of_log(record.log, top.name))
    same = top.parts[-len(told.parts) :] == told.parts if top.is_absolute() else top == told
    if not same or os.path.normpath(record.log) != record.log:
        raise ValueError("log: elsewhere")
    return record


def _check_path(name: str) -> None:
    """Raise ``ValueError`` or ``TypeError`` if no file can have this path."""
    if not name or "\0" in name or len(os.fsencode(name)) > _LONGEST:
        raise ValueError("no path")
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in Path(name).parts):
        raise ValueError("no path")


def forget_records(outputs: Sequence[str], top: PathLike) -> None:
    """Remove the records of outputs that are about to be made, so that no record outlives its output.

    Raises ``UserError`` if a folder is in the place of one.
    """
    for output in outputs:
        path = record_path(top, output)
        try:
            path.unlink(missing_ok=True)
        except IsADirectoryError:
            raise UserError(f"{path}: a folder, where a record belongs; delete it and run again") from None


def write_records(
    outputs: Sequence[str], top: PathLike, rule: str, settings: Mapping[str, Any], inputs: Sequence[Input], log: str
) -> None:
    """Write the record of each output of a job that has just ended."""
    for output in outputs:
        found, size = digest(output)
        record = Record(rule, settings, tuple(inputs), log, found, size)
        with atomic_path(record_path(top, output)) as scratch:
            # Settings keep their order: Snakemake compares it.
            text = json.dumps({"format": FORMAT, **asdict(record)})
            scratch.write_text(text + "\n", encoding="utf-8")


def read_inputs(paths: Sequence[str], top: PathLike) -> list[Input]:
    """The inputs of a job with their digests. Those of artefacts come from records: no large file is read twice.

    An artefact that may have changed since its record was written is read. Raises ``UserError`` if one of these
    records cannot be read, or if an input is neither a file nor a folder.
    """
    return [Input(path, _recorded(path, top) or digest(path)[0]) for path in paths]


def _recorded(path: str, top: PathLike) -> str | None:
    if not Path(path).is_relative_to(top):
        return None
    file = record_path(top, path)
    try:
        record, written = read_record(file, top), file.stat().st_mtime_ns
    except FileNotFoundError:
        # Made by a version that kept no records.
        return None
    except DamagedRecord as error:
        raise UserError(f"{error}; delete it and run again") from None
    found = Path(path).stat()
    # Of a folder no more than its checksums is read. Edits, copies and ``make adopt`` leave a later time, of the inode
    # where they put the other back.
    if not stat.S_ISREG(found.st_mode) or found.st_size != record.bytes:
        return None
    return record.sha256 if max(found.st_mtime_ns, found.st_ctime_ns) <= written else None


def digest(path: PathLike) -> tuple[str, int]:
    """sha256 (hexadecimal) and size in bytes of a file, or of what a folder's ``checksums.json`` says of its files.

    Every load of a model checks it against those digests. A folder without them, from an older version,
    is read as a whole. Raises ``NoFile`` if it is neither a file nor a folder (a pipe or a device, say), or a
    folder that contains the working directory.
    """
    path = Path(path)
    mode, place = path.stat().st_mode, path.resolve()
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or any(map(place.is_relative_to, _KERNEL)):
        raise NoFile(f"{path}: neither a file nor a folder with data; give a path to such")
    if Path.cwd().is_relative_to(place):
        raise NoFile(f"{path}: a folder that holds the workflow, and no data; give a path to such")
    if not path.is_dir():
        return sha256(path)
    if not (path / CHECKSUMS).is_file():
        return file_digest(path), sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and file.name != TIMESTAMP)
    return sha256(path / CHECKSUMS)[0], size


def settings_digest(settings: Mapping[str, Any]) -> tuple[str, str]:
    """Digests of the settings of a job, and of the code and packages that it used."""
    return _json_digest(settings[ARGUMENTS]), _json_digest({key: settings[key] for key in CODE})


def is_earlier(settings: Mapping[str, Any]) -> bool:
    """Whether a version wrote them that kept settings in one mapping with ``packages`` and ``sources``."""
    return settings.keys() != {ARGUMENTS, *CODE}


def _json_digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class Comparison:
    """Compares artefacts with their records, and their inputs with the present files.

    Reads each file at most once. ``whole`` also compares the files of a folder with its checksums.
    """

    def __init__(self, top: PathLike, whole: bool = False) -> None:
        self.top, self._whole = top, whole
        self._found: dict[str, str] = {}
        self._expected: dict[str, str | None] = {}

    def changed(self, output: str, record: Record) -> str | None:
        """How ``output`` differs from its record; None if it does not, or does not exist."""
        if not Path(output).exists():
            return None
        if self._whole and Path(output, CHECKSUMS).is_file():
            try:
                check_files(output)
            except UserError as error:
                return str(error)
        try:
            found, size = digest(output)
        except NoFile as error:
            return str(error)
        if size != record.bytes and not Path(output).is_dir():
            return f"it has {size} bytes, its record says {record.bytes}"
        self._found[output] = found
        return None if found == record.sha256 else "it is not what its record says (another digest)"

    def outdated(self, record: Record) -> str | None:
        """How the inputs in a record differ from the present ones; None if they do not, or do not exist."""
        for entry in record.inputs:
            try:
                now = self._now(entry.path)
            except (NoFile, PermissionError) as error:
                return f"what it was made of cannot be compared: {error}"
            if now not in (None, entry.sha256):
                return f"it was made of another {entry.path}"
        return None

    def _now(self, path: str) -> str | None:
        """The digest in the record of an artefact, else that of a file; None if there is neither."""
        if path not in self._expected:
            found = None
            if Path(path).is_relative_to(self.top):
                with contextlib.suppress(FileNotFoundError, DamagedRecord):
                    found = read_record(record_path(self.top, path), self.top).sha256
            if found is None and Path(path).exists():
                found = self._found.get(path) or digest(path)[0]
            self._expected[path] = found
        return self._expected[path]


@dataclass(frozen=True)
class Checked:
    """Problems that the records of a finished study reveal: outputs, in the given order."""

    contradicted: tuple[str, ...]
    """Those that differed from their records when the manifest was written."""
    other_settings: tuple[str, ...]
    other_code: tuple[str, ...]
    """Those made with the same settings, but other sources or packages."""
    earlier: tuple[str, ...]
    """Those of an earlier version of the workflow, which kept settings in another form: they cannot be compared."""
    without: tuple[str, ...]
    """Those with no record, or a damaged one."""


def check_records(
    top: PathLike, artefacts: Mapping[str, Mapping[str, Any]], made_by: Sequence[tuple[str, str, str]]
) -> Checked:
    """Compare the records of outputs with a manifest, and with the settings that would make them now.

    ``artefacts`` are those of the manifest; ``made_by`` has each output and its ``settings_digest``. No artefact is
    read. Raises ``UserError`` if a record has another format.
    """
    found: dict[str, list[str]] = {field.name: [] for field in fields(Checked)}
    for output, told, code in made_by:
        try:
            record = read_record(record_path(top, output), top)
        except (FileNotFoundError, DamagedRecord):
            found["without"].append(output)
            continue
        path = Path(output).relative_to(top).as_posix()
        listed = artefacts.get(path) or artefacts.get(f"{path}/{CHECKSUMS}")
        if listed and listed["sha256"] != record.sha256:
            found["contradicted"].append(output)
        elif is_earlier(record.settings):
            found["earlier"].append(output)
        elif settings_digest(record.settings) != (told, code):
            other = settings_digest(record.settings)[0] != told
            found["other_settings" if other else "other_code"].append(output)
    return Checked(**{kind: tuple(outputs) for kind, outputs in found.items()})
