"""Figure of next-token probabilities along a line, as PNG and PDF (Fig. 4 of the paper)."""

from typing import Any, Literal

from lm_interpolation.figures.plot_words import plot_words
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.analysis_tables import read_next_tokens


def main(job: Job, *, look: dict[str, Any], scale: Literal["linear", "log"], coordinate_labels: dict[str, str]) -> None:
    table = read_next_tokens(job.input.table)
    draw(job, look, plot_words, table, scale=scale, coordinate_labels=coordinate_labels)


if __name__ == "__main__":
    run_job(main, snakemake)
