"""Read a set of prompts from the study itself, and leave the models that continue it room for their tokens."""

from typing import Any

from lm_interpolation.data.prompt_sources.listed import load_listed_prompts
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.texts.prompts import write_fitting


def main(snakemake: Any) -> None:
    settings, name = snakemake.params.settings, snakemake.wildcards.prompts
    prompts = load_listed_prompts(settings["prompts"], name)
    too_long = settings["prompts"]["too_long"]
    write_fitting(prompts, settings["readers"], snakemake.input.tokenizers, too_long, name, snakemake.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
