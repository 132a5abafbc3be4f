"""Figure of loss curves, as PNG and PDF (Fig. 11 of the paper)."""

from typing import Any

import pandas as pd

from lm_interpolation.figures.plot_training import plot_training
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, look: dict[str, Any], models: list[str]) -> None:
    draw(job, look, plot_training, [pd.read_csv(path) for path in job.input.curves], models)


if __name__ == "__main__":
    run_job(main, snakemake)
