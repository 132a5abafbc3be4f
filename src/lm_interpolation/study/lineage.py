"""Which job makes each file of a study, according to Snakemake's rules; nothing runs, and no file need exist.

Only the Snakefile imports this module. In a cluster job or a dry run of one figure, the DAG covers only a part; the
rules always cover the whole study.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from snakemake.io import is_flagged
from snakemake.iocontainers import Wildcards
from snakemake.rules import Rule


@dataclass(frozen=True)
class Job:
    """One job of the study, without its temporary outputs."""

    rule: str
    outputs: tuple[str, ...]
    benchmark: str | None
    """Path of its benchmark file."""
    depth: int
    """Length of the longest chain of jobs before it: whatever it reads comes from jobs of a smaller depth."""
    reproducible: bool
    """Whether another rebuild should give the same bytes: it measures no time or memory, and reads no such thing."""


def jobs_behind(targets: Iterable[str], rules: Iterable[Rule], measurements: Collection[str]) -> list[Job]:
    """The jobs that make ``targets``, directly or not, ordered by depth, then by outputs.

    ``measurements`` are outputs that show times or memory. Jobs with only temporary outputs are left out, but count
    towards the depth. A path that no rule makes is a source.
    """
    makers = [rule for rule in rules if rule.output]
    found: dict[tuple[str, tuple[str, ...]], Job] = {}
    job_of: dict[str, Job | None] = {}

    def job_behind(path: str) -> Job | None:
        if path not in job_of:
            rule = next((rule for rule in makers if rule.is_producer(path)), None)
            job_of[path] = None if rule is None else job(rule, rule.get_wildcards(path))
        return job_of[path]

    def job(rule: Rule, values: dict[str, str]) -> Job:
        key = rule.name, tuple(values[name] for name in sorted(values))
        if key not in found:
            wildcards = Wildcards(fromdict=values)
            inputs = (job_behind(str(path)) for path in rule.expand_input(wildcards)[0])
            before = [maker for maker in inputs if maker is not None]
            benchmark = rule.expand_benchmark(wildcards)
            outputs = [str(path) for path in rule.expand_output(wildcards)[0] if not is_flagged(path, "temp")]
            measures = any(path in measurements for path in outputs)
            found[key] = Job(
                rule=rule.name,
                outputs=tuple(outputs),
                benchmark=None if benchmark is None else str(benchmark),
                depth=1 + max((maker.depth for maker in before), default=-1),
                reproducible=not measures and all(maker.reproducible for maker in before),
            )
        return found[key]

    for target in targets:
        job_behind(target)
    return sorted((job for job in found.values() if job.outputs), key=lambda job: (job.depth, job.outputs))


def settings_of(jobs: Iterable[Job], rules: Iterable[Rule]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(output, settings) for each output of ``jobs``, as returned by ``jobs_behind``."""
    by_name = {rule.name: rule for rule in rules}
    for job in jobs:
        rule = by_name[job.rule]
        text = rule.params.settings(Wildcards(fromdict=rule.get_wildcards(job.outputs[0])))
        for output in job.outputs:
            yield output, json.loads(text)
