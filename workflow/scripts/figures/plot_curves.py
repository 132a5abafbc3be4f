"""One figure of curves, as PNG and PDF (Figs. 3, 5, 6 and 10 of the paper)."""

from typing import Any

import pandas as pd

from lm_interpolation.figures.plot_curves import plot_curves
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.scores.judges import marked, read_judges
from lm_interpolation.tables.tables import read_table


def main(
    job: Job,
    *,
    look: dict[str, Any],
    panels: list[dict[str, Any]],
    overlay: bool,
    columns: int | None,
    judges: list[dict[str, Any]],
    coordinate_labels: dict[str, str],
    sweep_labels: dict[str, str],
    trainings: dict[str, list[str]] | None = None,
) -> None:
    measured = read_judges(judges, job.input.judges)
    cost = getattr(job.input, "cost", None)
    draw(
        job,
        look,
        plot_curves,
        [read_table(path) for path in job.input.tables],
        [marked(panel, measured) for panel in panels],
        coordinate_labels=coordinate_labels,
        sweep_labels=sweep_labels,
        overlay=overlay,
        columns=columns,
        cost=pd.read_csv(cost) if cost else None,
        trainings=trainings,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
