"""The text beside a table that is the only table of a figure of next-token probabilities, and the table as a page."""

from typing import Any

from lm_interpolation.figures.finding_words import find_words
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.pages.table_captions import describe_table


def main(job: Job, *, drawn: dict[str, Any], text: dict[str, Any]) -> None:
    describe_table(job, find_words, drawn, **text)


if __name__ == "__main__":
    run_job(main, snakemake)
