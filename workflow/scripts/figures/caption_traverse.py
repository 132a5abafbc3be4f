"""The text beside a figure of lines between and beyond models."""

from typing import Any

from lm_interpolation.figures.finding_traverse import find_traverse
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.pages.captions import describe_figure


def main(job: Job, *, drawn: dict[str, Any], text: dict[str, Any]) -> None:
    describe_figure(job, find_traverse, drawn, **text)


if __name__ == "__main__":
    run_job(main, snakemake)
