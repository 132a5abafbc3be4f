"""Loss barriers and perplexity barriers along lines between two models (Frankle et al. 2020)."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.barriers import barrier_table
from lm_interpolation.analyses.loss_files import read_losses
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.scores.score_files import ScoreFiles
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.tables.tables import write_table


def main(
    job: Job,
    *,
    sweeps: list[dict[str, Any]],
    scorer: str,
    statistic: dict[str, Any],
    spaces: dict[str, str],
    losses: list[dict[str, Any]],
    seed: int,
) -> None:
    table = barrier_table(
        [sweep_from_settings(sweep) for sweep in sweeps],
        ScoreFiles(job.input.scores, spaces),
        scorer,
        Statistic(**statistic),
        [(sweep_from_settings(sweep), read_losses(path)) for sweep, path in zip(losses, job.input.losses, strict=True)],
        seed,
    )
    write_table(table, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
