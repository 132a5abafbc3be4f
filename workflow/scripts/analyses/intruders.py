"""Leading singular vectors of fine-tuned matrices that are like none of the base."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.intruder_tables import MATRIX_VALUES, RANK_VALUES, THRESHOLD_VALUES
from lm_interpolation.analyses.intruders import intruder_tables
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.tables import write_table


def main(job: Job, *, models: list[str], base: str, k: int, epsilon: float, bootstrap: dict[str, Any]) -> None:
    directories = dict(zip(models, map(Path, job.input.models), strict=True))
    found = intruder_tables(directories, base, k, epsilon, **bootstrap)
    write_table(found.matrices, Path(job.output.matrices), MATRIX_VALUES)
    write_table(found.ranks, Path(job.output.ranks), RANK_VALUES)
    write_table(found.thresholds, Path(job.output.thresholds), THRESHOLD_VALUES)


if __name__ == "__main__":
    run_job(main, snakemake)
