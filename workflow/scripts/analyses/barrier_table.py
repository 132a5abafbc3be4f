"""Loss barriers and perplexity barriers along lines between two models (Frankle et al. 2020)."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.barriers import barrier_table
from lm_interpolation.analyses.losses import read_losses
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.scores.score_files import ScoreFiles
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.tables.tables import write_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    table = barrier_table(
        [sweep_from_settings(sweep) for sweep in settings["sweeps"]],
        ScoreFiles(snakemake.input.scores, settings["spaces"]),
        settings["scorer"],
        Statistic(**settings["statistic"]),
        [
            (sweep_from_settings(sweep), read_losses(path))
            for (_, sweep), path in zip(settings["losses"], snakemake.input.losses, strict=True)
        ],
        settings["seed"],
    )
    write_table(table, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
