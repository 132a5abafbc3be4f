"""Jobs of replicates: models that differ in nothing but the seed of their training.

One job trains all replicates of a family. It leaves the results of each in a folder below ``scratch`` that is named
after all that they depend on, as trainings do whose end Snakemake may miss (``finished``). A job for each replicate
takes them from there. To both a replicate is the job ``of_member`` that would train it alone, so they agree on that
folder. Imports no heavy package: taking results should be quick.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_interpolation.jobs import records
from lm_interpolation.jobs.finished import FINISHED
from lm_interpolation.jobs.runtime import Job, UserError
from lm_interpolation.jobs.settings import ARGUMENTS, CODE, to_text

FAMILY = "family"
"""Name of the input that says that the family is trained."""


class NamedFiles:
    """Files by their names, as a job has them."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = dict(files)

    def items(self) -> Iterator[tuple[str, str]]:
        """(name, path) of each."""
        yield from self._files.items()

    def __iter__(self) -> Iterator[str]:
        yield from self._files.values()

    def __getitem__(self, place: int) -> str:
        return list(self)[place]

    def __getattr__(self, name: str) -> str:
        return self._files[name]


def of_member(job: Job, member: Mapping[str, Any], outputs: Mapping[str, str]) -> Job:
    """The job that would train ``member`` alone; ``job`` trains its family, or takes it from there."""
    found = json.loads(job.settings)
    settings = {ARGUMENTS: {"members": [member]}, **{key: found[key] for key in CODE}}
    inputs = {name: path for name, path in job.input.items() if name != FAMILY}
    return replace(
        job,
        input=NamedFiles(inputs),
        output=NamedFiles(outputs),
        wildcards={"model": member["name"]},
        settings=to_text(settings),
    )


def is_done(member: Job, scratch: Path) -> bool:
    """Whether the results of a replicate lie in its scratch folder, or in their place with records that say so."""
    return (scratch / FINISHED).exists() or all(_is_made(member, output) for output in member.output)


def _is_made(member: Job, output: str) -> bool:
    try:
        record = records.read_record(records.record_path(member.top, output), member.top)
    except (FileNotFoundError, UserError):
        return False
    inputs = records.read_inputs(list(member.input), member.top)
    same = record.settings == json.loads(member.settings) and set(inputs) <= set(record.inputs)
    return same and Path(output).exists()
