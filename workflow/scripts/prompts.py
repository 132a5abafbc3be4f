"""Read one declared set of prompts."""

from pathlib import Path
from typing import Any

from workflow.lib.corpora import load_prompts, write_prompts
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    prompts = load_prompts(snakemake.params.settings["prompts"], snakemake.wildcards.prompts)
    write_prompts(prompts, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
