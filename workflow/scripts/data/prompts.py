"""Read one declared set of prompts, and leave the models that continue it room for their tokens."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import load_prompts, write_prompts
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.texts.lengths import fit, open_readers


def main(job: Job, *, prompts: dict[str, Any], readers: list[dict[str, Any]]) -> None:
    name = job.wildcards.prompts
    rows = load_prompts(prompts, name)
    tokenizers = open_readers(readers, job.input.tokenizers)
    places = [f"row {row}" for row in rows["row"]]
    # What a continuation follows is the end of a prompt.
    kept, texts = fit(rows["text"].tolist(), tokenizers, prompts["too_long"], f"prompts.{name}", places, keep_end=True)
    write_prompts(rows.iloc[kept].assign(text=texts), Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
