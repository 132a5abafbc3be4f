"""One figure of curves, as PNG and PDF (Fig. 3 of the paper)."""

from pathlib import Path
from typing import Any

from workflow.lib.plots import plot_curves, save_figure
from workflow.lib.runtime import run_job
from workflow.lib.tables import read_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings["figure"]
    figure = plot_curves(
        [read_table(path) for path in snakemake.input.tables],
        settings["panels"],
        coordinate_labels=settings["coordinate_labels"],
        sweep_labels=settings["sweep_labels"],
        title=settings["title"],
        width=settings["panel_width"] * len(settings["panels"]),
        height=settings["panel_height"] * len(settings["sweeps"]),
    )
    save_figure(figure, Path(snakemake.output.png), Path(snakemake.output.pdf), settings["dpi"])


if __name__ == "__main__":
    run_job(main, snakemake)
