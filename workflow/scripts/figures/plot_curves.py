"""One figure of curves, as PNG and PDF (Figs. 3, 5, 6 and 10 of the paper)."""

from typing import Any

import pandas as pd

from lm_interpolation.figures.plot_curves import plot_curves
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.scores.judges import marked, read_judges
from lm_interpolation.tables.tables import read_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings["figure"]
    judges = read_judges(settings["judges"], snakemake.input.judges)
    cost = getattr(snakemake.input, "cost", None)
    draw(
        snakemake,
        plot_curves,
        [read_table(path) for path in snakemake.input.tables],
        [marked(panel, judges) for panel in settings["panels"]],
        coordinate_labels=settings["coordinate_labels"],
        sweep_labels=settings["sweep_labels"],
        overlay=settings["overlay"],
        columns=settings.get("columns"),
        cost=pd.read_csv(cost) if cost else None,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
