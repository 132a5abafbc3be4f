"""Figure of searches of training settings, as PNG and PDF (Tables 1 and 2 of the paper)."""

from typing import Any

from workflow.lib.plot_search import plot_search
from workflow.lib.plots import draw
from workflow.lib.runtime import run_job
from workflow.lib.tables import read_table


def main(snakemake: Any) -> None:
    draw(
        snakemake,
        plot_search,
        [read_table(path, ["dev_loss", "dev_perplexity"]) for path in snakemake.input.tables],
    )


if __name__ == "__main__":
    run_job(main, snakemake)
