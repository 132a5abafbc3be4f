"""Figure of searches of training settings, as PNG and PDF (Tables 1 and 2 of the paper)."""

from pathlib import Path
from typing import Any

from workflow.lib.plot_search import plot_search
from workflow.lib.plots import save_figure
from workflow.lib.runtime import run_job
from workflow.lib.tables import read_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings["figure"]
    figure = plot_search(
        [read_table(path, ["dev_loss", "dev_perplexity"]) for path in snakemake.input.tables],
        title=settings["title"],
        panel_width=settings["panel_width"],
        panel_height=settings["panel_height"],
    )
    save_figure(figure, Path(snakemake.output.png), Path(snakemake.output.pdf), settings["dpi"])


if __name__ == "__main__":
    run_job(main, snakemake)
