"""The text beside one figure."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.figures.findings import findings
from lm_interpolation.jobs.runtime import Job, atomic_path, run_job
from lm_interpolation.pages.captions import describe_tokens, write_up
from lm_interpolation.scores.judges import judge_lines, read_judges


def main(
    job: Job,
    *,
    figure: dict[str, Any],
    drawn: dict[str, Any],
    facts: list[str],
    judges: list[dict[str, Any]],
    tokens: list[tuple[str, str]],
) -> None:
    output = Path(job.output[0])
    tables = [os.path.relpath(path, output.parent) for path in job.input.tables]
    # Texts may well read "null".
    frames = [pd.read_csv(path, keep_default_na=False) for path in job.input.tables]
    measured = read_judges(judges, job.input.judges)
    found = findings(drawn, job.input.tables, measured)
    known = [*facts, *describe_tokens(tokens, job.input.tokenizers)]
    text = write_up(job.wildcards.figure, figure, known, judge_lines(measured), tables, frames, found)
    with atomic_path(output) as scratch:
        scratch.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
