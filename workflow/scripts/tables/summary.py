"""The summary at the end of a run: where the results are, and what they show."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.analyses.rounding import describe_rounding
from lm_interpolation.claims.vocabulary import count_verdicts
from lm_interpolation.data.leaks import leak_lines
from lm_interpolation.jobs.runtime import Job, atomic_path, run_job
from lm_interpolation.scores.judges import MARK, judge_lines, read_judges
from lm_interpolation.tables.tables import Shown, read_table, sweep_summary


def _verdict(entry: Mapping[str, Any]) -> str:
    """One line per claim: its verdict, its statement and its numbers."""
    mark = f" ({MARK})" * entry["weak_judge"]
    facts = []
    if entry["value"] is not None:
        limits = "" if entry["low"] is None else f" [{entry['low']:.3g}, {entry['high']:.3g}]"
        facts.append(f"{entry['value']:.3g}{limits}, holds {entry['direction']} {entry['threshold']:g}")
    if entry["units_to_decide"] is not None:
        facts.append(
            f"about {entry['units_to_decide']} {entry['unit_kind']} would decide it, there are {entry['units']}"
        )
    return f"{entry['verdict']}{mark}: {' '.join(entry['statement'].split())}" + f" ({'; '.join(facts)})" * bool(facts)


def _label(entry: Mapping[str, Any], weak: bool) -> str:
    """The name of a scorer, and what to know of it: that it is weak, or has not scored all texts."""
    notes = [MARK] * weak
    if "samples" in entry:
        notes.append(f"of each prompt at most the first {entry['samples']} continuations")
    return entry["scorer"] + f" ({'; '.join(notes)})" * bool(notes)


def main(
    job: Job,
    *,
    study: str,
    tables: list[str],
    figures: list[str],
    claims: list[str],
    explorer: list[str],
    judges: list[dict[str, Any]],
    shown: list[dict[str, Any]],
) -> None:
    lines = [f"Study {study}", "", "Models"]
    for path in map(Path, job.input.metrics):
        metrics = json.loads(path.read_text())
        if "dev_perplexity" in metrics:
            quality = f"perplexity {metrics['dev_perplexity']:.4g} on dev"
        else:
            test = metrics["test"]
            quality = f"accuracy {test['accuracy']:.3f} on test (most frequent class {test['majority_share']:.3f})"
        lines.append(f"  {path.parent.name}: {metrics['parameters'] / 1e6:.3g} M parameters, {quality}")
    for path in map(Path, job.input.rounding):
        if (line := describe_rounding(json.loads(path.read_text()))) is not None:
            lines.append(f"  {line}")
    measured = read_judges(judges, job.input.judges)
    if measured:
        lines += ["", "Judges", *(f"  {line}" for line in judge_lines(measured))]
    leaks = leak_lines(job.input.leaks)
    lines += ["", "Data", *(f"  {line}" for line in leaks)]
    weak = {name for name, judge in measured.items() if judge.weaknesses}
    scorers = {
        entry["scorer"]: Shown(_label(entry, entry["scorer"] in weak), entry["statistics"], entry["barrier"])
        for entry in shown
    }
    for path in map(Path, job.input.tables):
        lines += ["", *sweep_summary(read_table(path), scorers)]
    for path in (path for path in job.input.claims if path.endswith(".json")):
        entries = json.loads(Path(path).read_text())
        told = f"{count_verdicts(entries)}; corrected for their number {count_verdicts(entries, 'verdict_holm')}"
        lines += ["", f"Claims: {told}"]
        lines += [f"  {_verdict(entry)}" for entry in entries]
    lines += ["", "Seconds by stage (wall clock, the last run of each job, also of earlier settings)"]
    # Not an input: times are shown if a run has left them, and nothing depends on them.
    for stage in sorted(path for path in (Path(job.output[0]).parent / "benchmarks").iterdir() if path.is_dir()):
        seconds = [pd.read_csv(path, sep="\t")["s"].iloc[0] for path in stage.rglob("*.tsv")]
        if seconds:
            lines.append(f"  {stage.name}: {sum(seconds):.0f} s in {len(seconds)} jobs")
    for what, files in (("tables", tables), ("figures", figures), ("claims", claims)):
        if files:
            folder = os.path.commonpath([Path(path).parent for path in files])
            names = dict.fromkeys(Path(path).stem for path in files)
            lines += ["", f"{what.capitalize()} in {folder}: {', '.join(names)}"]
    for page in explorer:
        lines += ["", f"To read texts and scores point by point, open in a browser: {page}"]
    with atomic_path(job.output[0]) as scratch:
        scratch.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
