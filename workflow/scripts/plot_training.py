"""Figure of loss curves, as PNG and PDF (Fig. 11 of the paper)."""

from pathlib import Path
from typing import Any

import pandas as pd

from workflow.lib.plot_training import plot_training
from workflow.lib.plots import save_figure
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings["figure"]
    figure = plot_training(
        [pd.read_csv(path) for path in snakemake.input.curves],
        settings["models"],
        title=settings["title"],
        panel_width=settings["panel_width"],
        panel_height=settings["panel_height"],
    )
    save_figure(figure, Path(snakemake.output.png), Path(snakemake.output.pdf), settings["dpi"])


if __name__ == "__main__":
    run_job(main, snakemake)
