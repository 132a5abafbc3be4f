"""Figure of next-token probabilities along a line, as PNG and PDF (Fig. 4 of the paper)."""

from typing import Any

from workflow.lib.analysis_tables import read_next_tokens
from workflow.lib.plot_words import plot_words
from workflow.lib.plots import draw
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings["figure"]
    draw(
        snakemake,
        plot_words,
        read_next_tokens(snakemake.input.table),
        scale=settings["scale"],
        coordinate_labels=settings["coordinate_labels"],
    )


if __name__ == "__main__":
    run_job(main, snakemake)
