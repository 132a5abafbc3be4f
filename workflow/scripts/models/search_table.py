"""The table of a hyper-parameter search: every trial's loss on dev, and the chosen trial (Tables 1 and 2)."""

from typing import Any

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.models.searches import SEARCH_VALUES, read_metrics, search_table
from lm_interpolation.tables.tables import write_table


def main(job: Job, *, search: str, trials: list[dict[str, Any]], configured: dict[str, float]) -> None:
    rows = [row for path, trial in zip(job.input.metrics, trials, strict=True) for row in read_metrics(path, trial)]
    write_table(search_table(search, rows, configured), job.output[0], SEARCH_VALUES)


if __name__ == "__main__":
    run_job(main, snakemake)
