"""Norms of weight differences between models, per tensor (Fig. 9 of the paper)."""

from pathlib import Path

from lm_interpolation.analyses.geometry import NORM_VALUES, weight_norms
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.tables import write_table


def main(job: Job, *, models: list[str], pairs: list[tuple[str, str, str]]) -> None:
    directories = dict(zip(models, map(Path, job.input.models), strict=True))
    table = weight_norms(
        [(label, model, directories[model], reference, directories[reference]) for label, model, reference in pairs]
    )
    write_table(table, Path(job.output[0]), NORM_VALUES)


if __name__ == "__main__":
    run_job(main, snakemake)
