"""Jobs of replicates: models that differ in nothing but the seed of their training.

One job trains all replicates of a family. It leaves the results of each in a folder below ``scratch`` that is named
after all that they depend on, as trainings do whose end Snakemake may miss (``finished``). A job for each replicate
takes them from there. To both a replicate is the job ``of_member`` that would train it alone, so they agree on that
folder. Imports no heavy package: taking results should be quick.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from lm_interpolation.jobs.runtime import Job
from lm_interpolation.jobs.settings import ARGUMENTS, to_text

FAMILY = "family"
"""Name of the input of a replicate that says that its family is trained."""


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


def with_seed(model: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The settings of the replicate with this seed; ``model`` are those of its family, or already its own."""
    # Sorted, as all mappings of settings are: the text must be the same.
    return {**model, "training": dict(sorted({**model["training"], "seed": seed}.items()))}


def of_member(job: Job, name: str, seed: int, outputs: Mapping[str, str]) -> Job:
    """The job that would train the replicate ``name`` alone; ``job`` trains its family, or takes it from there."""
    settings = json.loads(job.settings)
    settings[ARGUMENTS] = {"model": with_seed(settings[ARGUMENTS]["model"], seed)}
    inputs = {key: path for key, path in job.input.items() if key != FAMILY}
    return replace(
        job,
        input=NamedFiles(inputs),
        output=NamedFiles(outputs),
        wildcards={"model": name},
        settings=to_text(settings),
    )
