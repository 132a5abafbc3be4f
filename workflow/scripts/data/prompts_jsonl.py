"""Read a set of prompts from a file of JSON lines, and leave room for the tokens of the models that continue it."""

from typing import Any

from lm_interpolation.data.prompt_sources.jsonl import load_jsonl_prompts
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.texts.prompts import write_fitting


def main(job: Job, *, prompts: dict[str, Any], readers: list[dict[str, Any]]) -> None:
    name = job.wildcards.prompts
    rows = load_jsonl_prompts(prompts, name)
    write_fitting(rows, readers, job.input.tokenizers, prompts["too_long"], name, job.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
