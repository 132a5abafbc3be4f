"""The explorer, a page on which the texts and scores of the study are read point by point."""

from typing import Any

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.pages.explorer import page_data, write_page


def main(job: Job, *, page: dict[str, Any]) -> None:
    inputs = {name: getattr(job.input, name) for name in ("tables", "prompts", "texts", "scores", "judges")}
    write_page(page_data(page, inputs), job.input.template[0], job.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
