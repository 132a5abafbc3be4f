"""The text beside a table that is not the only table of a figure, and the table as a page."""

from typing import Any

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.pages.table_captions import describe_table


def main(job: Job, *, text: dict[str, Any]) -> None:
    describe_table(job, None, {}, **text)


if __name__ == "__main__":
    run_job(main, snakemake)
