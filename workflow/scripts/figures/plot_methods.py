"""One figure of methods, as PNG and PDF: a score against perplexity or loss."""

from typing import Any

from lm_interpolation.figures.plot_methods import plot_methods
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.scores.judges import marked, read_judges
from lm_interpolation.tables.tables import read_table


def main(
    job: Job,
    *,
    look: dict[str, Any],
    sweeps: list[dict[str, Any]],
    prompts: str,
    score: dict[str, Any],
    across: list[dict[str, Any]],
    coordinate_labels: dict[str, str],
    columns: int | None,
    judges: list[dict[str, Any]],
) -> None:
    measured = read_judges(judges, job.input.judges)
    draw(
        job,
        look,
        plot_methods,
        [read_table(path) for path in job.input.tables],
        sweeps,
        prompts,
        marked(score, measured),
        [marked(axis, measured) for axis in across],
        coordinate_labels=coordinate_labels,
        columns=columns,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
