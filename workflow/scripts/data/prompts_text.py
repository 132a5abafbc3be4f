"""Read a set of prompts from a text file, and leave room for the tokens of the models that continue it."""

from typing import Any

from lm_interpolation.data.prompt_sources.text import load_text_prompts
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.texts.prompts import write_fitting


def main(job: Job, *, prompts: dict[str, Any], readers: list[dict[str, Any]]) -> None:
    name = job.wildcards.prompts
    rows = load_text_prompts(prompts, name)
    write_fitting(rows, readers, job.input.tokenizers, prompts["too_long"], name, job.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
