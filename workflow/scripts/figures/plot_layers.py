"""Figure of what single layers and kinds of tensors contribute, as PNG and PDF."""

from typing import Any

from lm_interpolation.figures.layers_data import read_layers
from lm_interpolation.figures.plot_layers import plot_layers
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, look: dict[str, Any], statistic: str, class_name: str | None) -> None:
    draw(job, look, plot_layers, read_layers(job.input.table), statistic=statistic, class_name=class_name)


if __name__ == "__main__":
    run_job(main, snakemake)
