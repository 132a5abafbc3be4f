"""Read one declared set of prompts, and leave the models that continue it room for their tokens."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import load_prompts, write_prompts
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.texts.lengths import fit, open_readers


def main(snakemake: Any) -> None:
    settings, name = snakemake.params.settings, snakemake.wildcards.prompts
    prompts = load_prompts(settings["prompts"], name)
    readers = open_readers(settings["readers"], snakemake.input.tokenizers)
    places = [f"row {row}" for row in prompts["row"]]
    # What a continuation follows is the end of a prompt.
    kept, texts = fit(
        prompts["text"].tolist(), readers, settings["prompts"]["too_long"], f"prompts.{name}", places, keep_end=True
    )
    write_prompts(prompts.iloc[kept].assign(text=texts), Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
