"""Bring what a study takes from the Hugging Face hub into the hub's cache."""

from typing import Any

from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.models.fetching import fetch_all


def main(snakemake: Any) -> None:
    fetch_all(**snakemake.params.settings["plan"], hub_lock=snakemake.config.get("hub_lock"))


if __name__ == "__main__":
    run_job(main, snakemake)
