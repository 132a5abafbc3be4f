"""Similarities of models in weight space, their clusters beside known labels, and a map."""

from pathlib import Path

from lm_interpolation.analyses.regions import CLUSTER_VALUES, PAIR_VALUES, PLACE_VALUES, region_tables
from lm_interpolation.analyses.similarities import similarities
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.tables import write_table


def main(job: Job, *, models: list[str], base: str, labels: dict[str, list[str]]) -> None:
    directories = dict(zip([*models, base], map(Path, job.input.models), strict=True))
    tables = region_tables(similarities(directories, base), labels)
    for table, path, values in (
        (tables.pairs, job.output.pairs, PAIR_VALUES),
        (tables.clusters, job.output.clusters, CLUSTER_VALUES),
        (tables.places, job.output.places, PLACE_VALUES),
    ):
        write_table(table, Path(path), values)


if __name__ == "__main__":
    run_job(main, snakemake)
