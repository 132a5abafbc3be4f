"""The front page of the report: the study's idea, size and verdicts."""

import json
from pathlib import Path
from typing import Any

from lm_interpolation.data.leaks import leak_lines
from lm_interpolation.jobs.runtime import Job, atomic_path, run_job
from lm_interpolation.pages.overview import count_texts, write_overview
from lm_interpolation.scores.judges import judge_lines, read_judges
from lm_interpolation.tables.tables import read_table


def main(
    job: Job,
    *,
    study: str,
    spaces: list[str],
    points: int,
    ensembles: int,
    facts: list[str],
    judges: list[dict[str, Any]],
) -> None:
    verdicts = [json.loads(Path(path).read_text()) for path in job.input.claims if path.endswith(".json")]
    text = write_overview(
        study,
        points=points,
        ensembles=ensembles,
        sweeps=len(spaces),
        texts=count_texts(zip(spaces, map(read_table, job.input.tables), strict=True)),
        facts=facts,
        judges=judge_lines(read_judges(judges, job.input.judges)),
        leaks=leak_lines(job.input.leaks),
        claims=verdicts[0] if verdicts else [],
    )
    with atomic_path(job.output[0]) as scratch:
        scratch.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
