"""One figure of heat maps over a plane, as PNG and PDF (Figs. 7 and 8 of the paper)."""

from typing import Any

from lm_interpolation.figures.plane_data import panel_data
from lm_interpolation.figures.plot_plane import PlanePanel, plot_plane
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.scores.judges import marked, read_judges
from lm_interpolation.tables.tables import read_table


def main(job: Job, *, figure: dict[str, Any]) -> None:
    tables = [read_table(path) for path in job.input.tables]
    judges = read_judges(figure["judges"], job.input.judges)
    x, y = figure["coordinates"]
    panels = []
    for panel in (marked(panel, judges) for panel in figure["panels"]):
        data = panel_data(tables, panel, (x, y))
        panels.append(PlanePanel(data, panel["label"], panel["scale"], panel.get("limit"), panel.get("centre")))
    draw(
        job,
        figure,
        plot_plane,
        panels,
        (x, y),
        coordinate_labels=figure["coordinate_labels"],
        columns=figure.get("columns"),
        markers=[{"label": marker["label"], "at": dict(marker["at"])} for marker in figure["markers"]],
        lines=[{**line, "coefficients": dict(line["coefficients"])} for line in figure["lines"]],
    )


if __name__ == "__main__":
    run_job(main, snakemake)
