"""Download everything that a study needs from the Hugging Face hub into the hub's cache."""

from typing import Any

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.models.fetching import fetch_all


def main(
    job: Job,
    hub_lock: str | None,
    *,
    models: list[dict[str, str]],
    files: list[dict[str, Any]],
    datasets: list[dict[str, Any]],
) -> None:
    fetch_all(models, files, datasets, hub_lock)


if __name__ == "__main__":
    run_job(main, snakemake)
