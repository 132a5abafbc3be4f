"""Compare the files of a finished study with its manifest, or with that of another rebuild."""

from typing import Any

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.study.verification import verify


def main(
    job: Job, *, top: str, config: dict[str, Any], manifest: str | None, made_by: list[tuple[str, str, str]]
) -> None:
    verify(top, manifest, made_by, config, job.log)


if __name__ == "__main__":
    run_job(main, snakemake)
