"""One figure of curves, as PNG and PDF (Figs. 3, 5, 6 and 10 of the paper)."""

from typing import Any

import pandas as pd

from lm_interpolation.figures.plot_curves import plot_curves
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.scores.judges import marked, read_judges
from lm_interpolation.tables.tables import read_table


def main(job: Job, *, figure: dict[str, Any]) -> None:
    judges = read_judges(figure["judges"], job.input.judges)
    cost = getattr(job.input, "cost", None)
    draw(
        job,
        figure,
        plot_curves,
        [read_table(path) for path in job.input.tables],
        [marked(panel, judges) for panel in figure["panels"]],
        coordinate_labels=figure["coordinate_labels"],
        sweep_labels=figure["sweep_labels"],
        overlay=figure["overlay"],
        columns=figure.get("columns"),
        cost=pd.read_csv(cost) if cost else None,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
