"""Snakemake's notes on how each file was made, restored from the records beside the results (``records``).

Snakemake uses ``.snakemake/metadata``. If a file has no note there, Snakemake accepts it for any settings: results
copied without ``.snakemake`` would stay whatever you change, while captions and pages describe the change.
So before anything is planned, missing notes are restored from the records beside the results, and Snakemake
itself decides what to make again. A file with neither, or one that differs from its record, gets a note that equals no
settings.

Only the Snakefile and ``lm-interpolation adopt`` import this module.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake.rules import Rule
from snakemake.settings.enums import PersistenceBackend

from lm_interpolation.jobs.manifest import measured
from lm_interpolation.jobs.records import (
    FOLDER,
    TIMESTAMP,
    Comparison,
    DamagedRecord,
    Record,
    find_records,
    read_record,
)
from lm_interpolation.jobs.runtime import Progress, UserError
from lm_interpolation.jobs.settings import to_text

if TYPE_CHECKING:
    # It cannot be the first import of Snakemake: it imports itself.
    from snakemake.workflow import Workflow

BY_CHECKSUM = 100_000_000
"""Snakemake compares inputs up to this many bytes by checksum, larger ones and folders by time: as in the profiles."""

_REFUSED = "not trusted: "
_UNKNOWN = "unknown"
"""The rule in a note where no record says which."""
# Parts of a study's folder that no rule has as output.
_ASIDE = frozenset({FOLDER, "logs", "benchmarks", "scratch"})


class Notes:
    """Snakemake's notes on outputs, in ``.snakemake`` of the working directory.

    A note of ours is *settled* once a run no longer needs to mention it. Until then its file has the oldest possible
    time, so it is found without being read.
    """

    def __init__(self) -> None:
        """Raises ``UserError`` if the folder cannot be written, as do all methods that write."""
        # Makes the folders of Snakemake, which would make them next.
        with _told():
            self._files = FilePersistence(nolock=True)
        self._folder = str(self._files._metadata_path)

    def _path(self, output: str) -> str:
        return self._files._record_path(self._folder, output)

    def time(self, output: str) -> float | None:
        """When the note was written; 0 if it is not settled, None if there is none."""
        try:
            return Path(self._path(output)).stat().st_mtime
        except FileNotFoundError:
            return None

    def read(self, output: str) -> MetadataRecord | None:
        """The note, or None if it is missing or incomplete."""
        return self._files._read_record(output)

    def write(self, output: str, note: MetadataRecord, settled: bool) -> None:
        """Write the note, whole or not at all."""
        path = Path(self._path(output))
        with _told():
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_name(f".{os.getpid()}.partial")
            scratch.write_text(json.dumps(note.model_dump()), encoding="utf-8")
            # Readable for the group too, like those of Snakemake.
            scratch.chmod(0o660)
            if not settled:
                os.utime(scratch, (0, 0))
            scratch.replace(path)
        self._files._clear_cache()

    def settle(self, output: str) -> None:
        with _told():
            os.utime(self._path(output))

    def unfinished(self, outputs: Iterable[str]) -> set[str]:
        """Outputs that a job is writing, or was writing when it was killed; Snakemake makes them again."""
        return self._files._filter_incomplete_keys(outputs)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say in one line why the block could not write."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{error.filename}: {error.strerror}; Snakemake keeps notes there: work in a copy that you can write to "
            "(make verify needs only to read)"
        ) from None


def note_of(output: str, record: Record, top: str) -> MetadataRecord:
    """What Snakemake would have noted about ``output``, with the times of files and measurements."""
    ended = time_of(output)
    seconds = measured(benchmark_of(record.log, top))["seconds"] or 0
    return MetadataRecord(
        rule=record.rule,
        input=sorted(entry.path for entry in record.inputs),
        log=[record.log],
        params=[repr(to_text(record.settings))],
        record_format_version=RECORD_FORMAT_VERSION,
        # The report distinguishes jobs by it.
        job_hash=_number(record.log),
        starttime=None if ended is None else ended - seconds,
        endtime=ended,
        incomplete=False,
        input_checksums={entry.path: f"sha256:{entry.sha256}" for entry in record.inputs if Path(entry.path).is_file()},
    )


def _refusal(output: str, reason: str, rule: str) -> MetadataRecord:
    """A note that equals no settings for Snakemake. Its report sorts by rules and times, which it must have."""
    ended = time_of(output)
    return MetadataRecord(
        rule=rule,
        params=[f"{_REFUSED}{reason}"],
        record_format_version=RECORD_FORMAT_VERSION,
        job_hash=_number(output),
        starttime=ended,
        endtime=ended,
        incomplete=False,
    )


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7])


def benchmark_of(log: str, top: str) -> str:
    """Path of a job's benchmark file, from that of its log (as in ``study``); ``top`` is the folder of the results."""
    return f"{top}/benchmarks/{log.removeprefix(f'{top}/logs/').removesuffix('.log')}.tsv"


def time_file(path: str) -> Path | None:
    """The file whose modification time Snakemake takes for that of ``path``; None if there is nothing."""
    # Snakemake leaves the first one in folders made by its jobs.
    return next((file for file in (Path(path, TIMESTAMP), Path(path)) if file.exists()), None)


def time_of(path: str) -> float | None:
    """Modification time (seconds) that Snakemake uses; None if there is nothing."""
    file = time_file(path)
    return None if file is None else file.stat().st_mtime


def restore(top: str, workflow: "Workflow", adopt: str) -> Iterator[str]:
    """Write the notes that Snakemake lacks about the study in ``top``; yield lines for the user.

    ``adopt`` is the command that sets the times of copied results. Raises ``UserError`` if a record has another format,
    if Snakemake keeps its notes elsewhere, or if they cannot be written.
    """
    if workflow.workflow_settings.persistence_backend is not PersistenceBackend.FILE:
        raise UserError("--persistence-backend: results are compared with Snakemake's notes in files; leave it out")
    notes = Notes()
    if not Path(top).is_dir():
        return
    recorded = dict(find_records(top))
    unfinished = notes.unfinished(recorded)
    comparison = Comparison(top)
    changed: dict[str, str] = {}
    taken: dict[str, Record] = {}
    progress = Progress(f"compare {top}/{FOLDER}", len(recorded), "results")
    for done, (output, file) in enumerate(recorded.items()):
        # Say so if it takes long: in a copy, everything without a note is read.
        progress.update(done)
        time = notes.time(output)
        # A job of a running Snakemake removes the record when it starts.
        with contextlib.suppress(FileNotFoundError):
            # A record newer than the note came from elsewhere. Its inode time decides, which no copy keeps.
            if output in unfinished or (time is not None and time >= file.stat().st_ctime):
                continue
            record, reason = judge(output, file.path, notes, comparison)
            if reason:
                changed[output] = reason
            elif record:
                taken[output] = record
    unknown = sorted(find_unknown(top, recorded, workflow.rules, notes))
    late = out_of_order(taken, {*changed, *unknown}, top)
    for output in taken.keys() - late:
        notes.settle(output)
    for output in unknown:
        notes.write(output, _refusal(output, "nothing says what made it", _UNKNOWN), settled=False)
    if changed:
        first = min(changed)
        yield (
            f"{_count(changed, top)} not as they were made, first {first}: {changed[first]}; what is asked for of them "
            "is made again"
        )
    if unknown:
        yield (
            f"{_count(unknown, top)} of unknown make, first {unknown[0]}: neither {top}/{FOLDER} nor .snakemake says "
            "what made them; what is asked for of them is made again"
        )
    if late:
        yield (
            f"{_count(late, top)} older than what they were made of, as copies are, and Snakemake would make them "
            f"again, and what follows; {adopt} compares them with their records and sets their times"
        )


def _count(outputs: Collection[str], top: str) -> str:
    return f"{top}: 1 result is" if len(outputs) == 1 else f"{top}: {len(outputs)} results are"


def judge(
    output: str, file: str, notes: Notes, comparison: Comparison, thorough: bool = False
) -> tuple[Record | None, str | None]:
    """Compare a record with Snakemake's note and, if they differ, with the output; keep the right one as the note.

    Returns the record if it holds, and the reason if the output must be made again; neither if the note stands and
    the record does not. ``thorough`` compares each record with its output, and trusts no note against it.
    """
    note = notes.read(output)
    reason: str | None
    rule = _UNKNOWN
    try:
        record = read_record(file, comparison.top)
    except DamagedRecord as error:
        if _is_a_job(note):
            notes.settle(output)
            return None, None
        reason = str(error)
    else:
        rule = record.rule
        agreed = note is not None and is_about(note, record)
        if agreed and not thorough:
            return record, None
        reason = comparison.changed(output, record)
        if reason and _is_a_job(note) and not thorough:
            notes.settle(output)
            return None, None
        reason = reason or comparison.outdated(record)
        if reason is None:
            if not agreed:
                notes.write(output, note_of(output, record, str(comparison.top)), settled=False)
            return record, None
    notes.write(output, _refusal(output, reason, rule), settled=False)
    return None, reason


def is_about(note: MetadataRecord, record: Record) -> bool:
    """Whether a note and a record have the same settings and inputs."""
    return note.params == [repr(to_text(record.settings))] and note.input == sorted(
        entry.path for entry in record.inputs
    )


def out_of_order(records: Mapping[str, Record], again: Collection[str], top: str) -> set[str]:
    """The outputs that Snakemake would make again only because of the times of their inputs.

    ``again`` are the outputs that it will make again anyway.
    """
    jobs: dict[str, list[str]] = {}
    for output, record in records.items():
        jobs.setdefault(record.log, []).append(output)
    late: set[str] = set()
    times: dict[str, float | None] = {}

    def time(path: str) -> float | None:
        if path not in times:
            times[path] = time_of(path)
        return times[path]

    for log, outputs in jobs.items():
        made = [found for path in (*outputs, benchmark_of(log, top)) if (found := time(path)) is not None]
        inputs = {entry.path for entry in records[outputs[0]].inputs} - set(again)
        if made and any((found := time(path)) and found > min(made) and _by_time(path) for path in inputs):
            late.update(outputs)
    return late


def _by_time(path: str) -> bool:
    """Whether Snakemake compares an input only by its time."""
    return Path(path).is_dir() or Path(path).stat().st_size > BY_CHECKSUM


def find_unknown(top: str, recorded: Collection[str], rules: Iterable[Rule], notes: Notes) -> Iterator[str]:
    """Files of the study that a rule would make, and that have neither record nor note."""
    makers = [rule for rule in rules if rule.output]
    folders = [top]
    while folders:
        folder = folders.pop()
        entries: list[os.DirEntry[str]] = []
        # A running Snakemake deletes what it has used.
        with contextlib.suppress(FileNotFoundError):
            entries += os.scandir(folder)
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.name.startswith(".") or path in recorded or (folder == top and entry.name in _ASIDE):
                continue
            time = notes.time(path)
            # Our notes about unknown files are not settled.
            if time is None or (time == 0 and not _is_a_job(notes.read(path))):
                if any(rule.is_producer(path) for rule in makers) and not notes.unfinished([path]):
                    yield path
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(path)


def _is_a_job(note: MetadataRecord | None) -> bool:
    """Whether a note is about a job; ``_refusal`` is not."""
    return note is not None and not str(note.params[0] if note.params else "").startswith(_REFUSED)
