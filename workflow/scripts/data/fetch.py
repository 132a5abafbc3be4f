"""Bring what a study takes from the Hugging Face hub into the hub's cache."""

from typing import Any

from lm_interpolation.data.fetching import fetch_study
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, config: dict[str, Any]) -> None:
    fetch_study(config)


if __name__ == "__main__":
    run_job(main, snakemake)
