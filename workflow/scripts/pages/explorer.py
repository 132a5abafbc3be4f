"""The explorer, a page for reading the texts and scores of the study point by point."""

from typing import Any

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.pages.explorer import page_data, write_page


def main(
    job: Job,
    *,
    study: str,
    samples: dict[str, int],
    sampling: str,
    spaces: dict[str, str],
    sweeps: list[dict[str, Any]],
    scorers: dict[str, dict[str, Any]],
    judges: list[dict[str, Any]],
    judged: dict[str, dict[str, int]],
) -> None:
    inputs = {name: getattr(job.input, name) for name in ("tables", "prompts", "texts", "scores", "judges")}
    data = page_data(
        inputs,
        study=study,
        samples=samples,
        sampling=sampling,
        spaces=spaces,
        sweeps=sweeps,
        scorers=scorers,
        judges=judges,
        judged=judged,
    )
    write_page(data, job.input.template[0], job.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
