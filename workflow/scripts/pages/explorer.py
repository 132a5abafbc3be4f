"""The explorer, a page on which the texts and scores of the study are read point by point."""

from typing import Any

from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.pages.explorer import page_data, write_page


def main(snakemake: Any) -> None:
    inputs = {name: getattr(snakemake.input, name) for name in ("tables", "prompts", "texts", "scores", "judges")}
    write_page(page_data(snakemake.params.settings, inputs), snakemake.input.template[0], snakemake.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
