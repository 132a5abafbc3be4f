"""Figure of fine-tuning from a centroid and from the base, as PNG and PDF."""

from typing import Any

from lm_interpolation.figures.plot_start import plot_start
from lm_interpolation.figures.start_data import read_model_losses
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, look: dict[str, Any], panels: list[dict[str, Any]], statistic: str, seed: int) -> None:
    tables = [read_model_losses(path) for path in job.input.tables]
    draw(job, look, plot_start, tables, panels=panels, statistic=statistic, seed=seed)


if __name__ == "__main__":
    run_job(main, snakemake)
