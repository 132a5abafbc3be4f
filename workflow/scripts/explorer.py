"""The explorer, a page on which the texts and scores of the study are read point by point."""

from typing import Any

from workflow.lib.explorer import page_data, write_page
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    inputs = {name: getattr(snakemake.input, name) for name in ("tables", "prompts", "texts", "scores", "judges")}
    write_page(page_data(snakemake.params.settings, inputs), snakemake.input.template[0], snakemake.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
