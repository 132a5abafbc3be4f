"""Inner products of the displacements of models from a base, per tensor and in all."""

from pathlib import Path

from lm_interpolation.analyses.gram import GRAM_VALUES, gram_table
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.tables import write_table


def main(job: Job, *, models: list[str], base: str | None) -> None:
    directories = dict(zip(models, map(Path, job.input.models), strict=True))
    write_table(gram_table(directories, base), Path(job.output[0]), GRAM_VALUES)


if __name__ == "__main__":
    run_job(main, snakemake)
