"""Accept copied results as finished: ``lm-interpolation adopt`` and the arguments of Snakemake.

After ``cp -r``, ``rsync`` without ``-a`` or an archive without times, results may be older than their inputs and lack
``.snakemake``, so Snakemake would make them again. Results that the records beside them (docs/records.md) confirm get
times in the order of the data flow, and Snakemake gets its notes. All others are listed and left for Snakemake to make
again.
"""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lm_interpolation.commands.arguments import Run
from lm_interpolation.commands.resume import check_not_running
from lm_interpolation.jobs.provenance import Notes, benchmark_of, judge, time_file
from lm_interpolation.jobs.records import FOLDER, TIMESTAMP, Comparison, Record, find_records
from lm_interpolation.jobs.runtime import Progress, UserError

_SHOWN = 10


def adopt(top: str) -> tuple[list[str], list[OSError]]:
    """Adopt the results in ``top``. It can be repeated, and it continues after a kill.

    Returns lines on what was done, and the errors that kept times from being set. Raises ``UserError`` if there are no
    records or if a record has another format.
    """
    recorded = dict(find_records(top))
    if not recorded:
        raise UserError(
            f"{top}/{FOLDER}: no records of what made the results; copy that folder, too, or let the workflow make them"
        )
    notes, comparison = Notes(), Comparison(top, whole=True)
    progress = Progress("adopt", len(recorded), "results")
    unfinished = notes.unfinished(recorded)
    taken: dict[str, Record] = {}
    refused: dict[str, str] = {}
    for done, (output, file) in enumerate(sorted(recorded.items()), 1):
        if output in unfinished:
            refused[output] = "the job that was writing it did not end"
        else:
            record, reason = judge(output, file.path, notes, comparison, thorough=True)
            if record:
                taken[output] = record
            else:
                refused[output] = reason or "its record is damaged, and Snakemake goes by its own note"
        progress.update(done)
    count, denied = set_times(taken, top)
    if not denied:
        for output in taken:
            notes.settle(output)
    there = sum(Path(output).exists() for output in taken)
    lines = [f"{top}: {there} results are what their records say; times of {count} files were set"]
    if refused:
        lines.append(f"{len(refused)} are not, and are made again when they are asked for:")
    lines += [f"  {output}: {refused[output]}" for output in list(refused)[:_SHOWN]]
    if len(refused) > _SHOWN:
        lines.append(f"  and {len(refused) - _SHOWN} more")
    return lines, denied


def set_times(records: Mapping[str, Record], top: str) -> tuple[int, list[OSError]]:
    """Make sure that no output or benchmark file is older than its inputs, without making any other file newer.

    Nothing outside of ``top`` is touched, wherever links lead. Returns the number of times that were set, and the
    errors for those that could not be set.
    """
    times: dict[str, int] = {}
    denied: list[OSError] = []
    count = 0
    for output in in_order(records):
        record = records[output]
        after = max((_time(times, entry.path) for entry in record.inputs), default=0)
        for path in (output, benchmark_of(record.log, top)):
            now = _time(times, path)
            if now < after:
                times[path] = after
                # A merged checkpoint is deleted after its use: only its benchmark file is left.
                if now:
                    try:
                        _set_time(path, after, top)
                        count += 1
                    except OSError as error:
                        denied.append(error)
    return count, denied


def in_order(records: Mapping[str, Record]) -> Iterator[str]:
    """The outputs, each after all of its inputs."""
    seen: set[str] = set()
    for first in sorted(records):
        stack: list[tuple[str, Iterator[str]]] = [(first, _parents(records, first))] if first not in seen else []
        seen.add(first)
        while stack:
            output, parents = stack[-1]
            parent = next((path for path in parents if path not in seen), None)
            if parent is None:
                stack.pop()
                yield output
            else:
                seen.add(parent)
                stack.append((parent, _parents(records, parent)))


def _parents(records: Mapping[str, Record], output: str) -> Iterator[str]:
    return iter([entry.path for entry in records[output].inputs if entry.path in records])


def _time(times: dict[str, int], path: str) -> int:
    """Modification time (nanoseconds), 0 if there is nothing."""
    if path not in times:
        file = time_file(path)
        times[path] = file.stat().st_mtime_ns if file else 0
    return times[path]


def _set_time(path: str, time: int, top: str) -> None:
    file = Path(path)
    if file.is_dir():
        file /= TIMESTAMP
    if not file.resolve().is_relative_to(Path(top).resolve()):
        raise OSError(errno.EXDEV, f"a link leads out of {top}", path)
    if file.name == TIMESTAMP:
        file.touch()
    os.utime(file, ns=(time, time))


def main(arguments: Sequence[str]) -> None:
    """Adopt the results of the study that the arguments name. Raises ``UserError``."""
    run = Run("adopt", "Take copied results for what the records beside them say.", arguments)
    run.enter()
    study = run.study()
    check_not_running(run.folder)
    lines, denied = adopt(study.path())
    print("\n".join(lines))
    if denied:
        raise UserError(
            f"{denied[0].filename}: its time cannot be set ({denied[0].strerror}), nor those of {len(denied) - 1} "
            "others; copy the results, and what links lead to, as the user who runs the workflow, or have their owner "
            "adopt them"
        )
