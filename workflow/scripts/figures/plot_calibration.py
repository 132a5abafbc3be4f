"""Figure of the calibration of judges, as PNG and PDF."""

from typing import Any

import pandas as pd

from lm_interpolation.figures.plot_calibration import plot_calibration
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, look: dict[str, Any], models: list[str]) -> None:
    draw(job, look, plot_calibration, [pd.read_csv(path) for path in job.input.bins], models)


if __name__ == "__main__":
    run_job(main, snakemake)
