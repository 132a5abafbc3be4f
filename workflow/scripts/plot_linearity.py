"""Figure of a model against its first-order expansion over a plane, as PNG and PDF (section 5 of the paper)."""

from pathlib import Path
from typing import Any

from workflow.lib.plot_linearity import plot_linearity
from workflow.lib.plots import save_figure
from workflow.lib.runtime import run_job
from workflow.lib.tables import read_table

# Columns in which a value may be missing.
_MEASURES = ["value", "prediction", "change", "error", "relative_error"]
_SUMMARY = ["c1", "c2", "r2", "r2_unit", "tolerance", "share_within", "reach"]


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings["figure"]
    figure = plot_linearity(
        read_table(snakemake.input.table, _MEASURES),
        read_table(snakemake.input.summary, _SUMMARY),
        coordinate_labels=settings["coordinate_labels"],
        title=settings["title"],
        panel_width=settings["panel_width"],
        panel_height=settings["panel_height"],
    )
    save_figure(figure, Path(snakemake.output.png), Path(snakemake.output.pdf), settings["dpi"])


if __name__ == "__main__":
    run_job(main, snakemake)
