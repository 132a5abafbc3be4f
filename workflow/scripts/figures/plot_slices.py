"""One figure of slices of a plane, as PNG and PDF."""

from typing import Any

from lm_interpolation.figures.naming import coordinate_text
from lm_interpolation.figures.plot_curves import plot_curves
from lm_interpolation.figures.slices import slices
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.scores.judges import marked, read_judges
from lm_interpolation.tables.tables import read_table


def main(
    job: Job,
    *,
    look: dict[str, Any],
    prompts: str,
    along: str,
    panels: list[dict[str, Any]],
    coordinate_labels: dict[str, str],
    columns: int | None,
    judges: list[dict[str, Any]],
) -> None:
    measured = read_judges(judges, job.input.judges)
    across, tables = slices(read_table(job.input.tables[0]), prompts, along)
    name = coordinate_labels.get(across, across)
    draw(
        job,
        look,
        plot_curves,
        list(tables.values()),
        [marked(panel, measured) for panel in panels],
        coordinate_labels=coordinate_labels,
        sweep_labels={str(table["sweep"].iloc[0]): coordinate_text(name, value) for value, table in tables.items()},
        overlay=True,
        columns=columns,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
