"""The text beside a figure of tuning contributions."""

from typing import Any

from lm_interpolation.figures.finding_tuning_contribution import find_tuning_contribution
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.pages.captions import describe_figure


def main(job: Job, *, drawn: dict[str, Any], text: dict[str, Any]) -> None:
    describe_figure(job, find_tuning_contribution, drawn, **text)


if __name__ == "__main__":
    run_job(main, snakemake)
