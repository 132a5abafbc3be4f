"""One figure of heat maps over a plane, as PNG and PDF (Figs. 7 and 8 of the paper)."""

from typing import Any

from lm_interpolation.figures.plane_data import panel_data
from lm_interpolation.figures.plot_plane import PlanePanel, plot_plane
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.scores.judges import marked, read_judges
from lm_interpolation.tables.tables import read_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings["figure"]
    tables = [read_table(path) for path in snakemake.input.tables]
    judges = read_judges(settings["judges"], snakemake.input.judges)
    x, y = settings["coordinates"]
    panels = []
    for panel in (marked(panel, judges) for panel in settings["panels"]):
        data = panel_data(tables, panel, (x, y))
        panels.append(PlanePanel(data, panel["label"], panel["scale"], panel.get("limit"), panel.get("centre")))
    draw(
        snakemake,
        plot_plane,
        panels,
        (x, y),
        coordinate_labels=settings["coordinate_labels"],
        columns=settings.get("columns"),
        markers=[{"label": marker["label"], "at": dict(marker["at"])} for marker in settings["markers"]],
        lines=[{**line, "coefficients": dict(line["coefficients"])} for line in settings["lines"]],
    )


if __name__ == "__main__":
    run_job(main, snakemake)
