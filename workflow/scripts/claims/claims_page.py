"""The verdicts on the paper's claims as a page to read."""

from pathlib import Path

from lm_interpolation.jobs.runtime import Job, atomic_path, run_job
from lm_interpolation.pages.pages import markdown_page


def main(job: Job, *, study: str) -> None:
    text = Path(job.input[0]).read_text(encoding="utf-8")
    with atomic_path(job.output[0]) as scratch:
        scratch.write_text(markdown_page(f"Claims in the study {study}", text), encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
