"""Norms of weight differences between models, per tensor (Fig. 9 of the paper)."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.geometry import NORM_VALUES, weight_norms
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.tables.tables import write_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    directories = dict(zip(settings["models"], map(Path, snakemake.input.models), strict=True))
    table = weight_norms(
        [
            (label, model, directories[model], reference, directories[reference])
            for label, model, reference in settings["pairs"]
        ]
    )
    write_table(table, Path(snakemake.output[0]), NORM_VALUES)


if __name__ == "__main__":
    run_job(main, snakemake)
