"""A map of models in weight space, as PNG and PDF."""

from typing import Any

from lm_interpolation.figures.plot_tsne import plot_tsne
from lm_interpolation.figures.regions_data import read_places
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, look: dict[str, Any]) -> None:
    draw(job, look, plot_tsne, read_places(job.input.places))


if __name__ == "__main__":
    run_job(main, snakemake)
