"""Figure of a model against its first-order expansion over a plane, as PNG and PDF (section 5 of the paper)."""

from typing import Any

from lm_interpolation.figures.plot_linearity import plot_linearity
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.tables import read_table

# Columns in which a value may be missing.
_MEASURES = ["value", "prediction", "change", "error", "relative_error"]
_SUMMARY = ["c1", "c2", "r2", "r2_unit", "tolerance", "share_within", "reach"]


def main(job: Job, *, look: dict[str, Any], coordinate_labels: dict[str, str]) -> None:
    draw(
        job,
        look,
        plot_linearity,
        read_table(job.input.table, _MEASURES),
        read_table(job.input.summary, _SUMMARY),
        coordinate_labels=coordinate_labels,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
