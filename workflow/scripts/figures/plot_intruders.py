"""Figure of intruder dimensions, as PNG and PDF."""

from typing import Any

from lm_interpolation.analyses.intruder_tables import read_matrices, read_thresholds
from lm_interpolation.figures.plot_intruders import plot_intruders
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, look: dict[str, Any], k: int, epsilon: float) -> None:
    matrices, thresholds = read_matrices(job.input.matrices), read_thresholds(job.input.thresholds)
    draw(job, look, plot_intruders, matrices, thresholds, k=k, epsilon=epsilon)


if __name__ == "__main__":
    run_job(main, snakemake)
