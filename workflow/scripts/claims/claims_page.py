"""The verdicts on the paper's claims as a page to read."""

from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import atomic_path, run_job
from lm_interpolation.pages.pages import markdown_page


def main(snakemake: Any) -> None:
    text = Path(snakemake.input[0]).read_text(encoding="utf-8")
    with atomic_path(snakemake.output[0]) as scratch:
        scratch.write_text(
            markdown_page(f"Claims in the study {snakemake.params.settings['study']}", text), encoding="utf-8"
        )


if __name__ == "__main__":
    run_job(main, snakemake)
