"""Generated texts of several sweeps at the same coordinates, side by side."""

from pathlib import Path

from lm_interpolation.analyses.prefixes import read_prefixes
from lm_interpolation.analyses.texts import compare_texts, write_texts
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, sweeps: list[str], at: list[str], prefixes: int) -> None:
    prompts = read_prefixes(job.input.prompts, prefixes)
    write_texts(compare_texts(prompts, sweeps, at, job.input.texts), Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
