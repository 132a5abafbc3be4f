"""One figure of heat maps over a plane, as PNG and PDF (Figs. 7 and 8 of the paper)."""

from typing import Any

from lm_interpolation.figures.plane_data import panel_data
from lm_interpolation.figures.plot_plane import PlanePanel, plot_plane
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.scores.judges import marked, read_judges
from lm_interpolation.tables.tables import read_table


def main(
    job: Job,
    *,
    look: dict[str, Any],
    coordinates: tuple[str, str],
    panels: list[dict[str, Any]],
    markers: list[dict[str, Any]],
    coordinate_labels: dict[str, str],
    lines: list[dict[str, Any]],
    columns: int | None,
    even: list[str] | None = None,
    judges: list[dict[str, Any]],
) -> None:
    tables = [read_table(path) for path in job.input.tables]
    measured = read_judges(judges, job.input.judges)
    x, y = coordinates
    shown = []
    for panel in (marked(panel, measured) for panel in panels):
        data = panel_data(tables, panel, (x, y))
        shown.append(PlanePanel(data, panel["label"], panel["scale"], panel.get("limit"), panel.get("centre")))
    draw(
        job,
        look,
        plot_plane,
        shown,
        (x, y),
        coordinate_labels=coordinate_labels,
        columns=columns,
        even=even or [],
        markers=[{"label": marker["label"], "at": dict(marker["at"])} for marker in markers],
        lines=[{**line, "coefficients": dict(line["coefficients"])} for line in lines],
    )


if __name__ == "__main__":
    run_job(main, snakemake)
