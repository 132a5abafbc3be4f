"""Figure of barriers of perplexity and loss, as PNG and PDF."""

from pathlib import Path
from typing import Any

from workflow.lib.plot_barrier import plot_barrier
from workflow.lib.plots import save_figure
from workflow.lib.runtime import run_job
from workflow.lib.tables import read_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings["figure"]
    figure = plot_barrier(
        read_table(snakemake.input.table),
        sweep_labels=settings["sweep_labels"],
        coordinate_labels=settings["coordinate_labels"],
        title=settings["title"],
        panel_width=settings["panel_width"],
        panel_height=settings["panel_height"],
    )
    save_figure(figure, Path(snakemake.output.png), Path(snakemake.output.pdf), settings["dpi"])


if __name__ == "__main__":
    run_job(main, snakemake)
