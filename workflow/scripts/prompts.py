"""Read one declared set of prompts, and leave the models that continue it room for their tokens."""

from pathlib import Path
from typing import Any

from workflow.lib.corpora import load_prompts, write_prompts
from workflow.lib.lengths import fit, open_readers
from workflow.lib.runtime import run_job


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
