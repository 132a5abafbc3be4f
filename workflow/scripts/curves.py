"""One figure of curves, as PNG and PDF (Figs. 3, 5, 6 and 10 of the paper)."""

from typing import Any

import pandas as pd

from workflow.lib.judges import marked, read_judges
from workflow.lib.plots import draw, plot_curves
from workflow.lib.runtime import run_job
from workflow.lib.tables import read_table


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
