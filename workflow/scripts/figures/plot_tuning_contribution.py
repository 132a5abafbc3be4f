"""Figure of tuning contributions, as PNG and PDF."""

from typing import Any

from lm_interpolation.analyses.contribution_tables import read_blocks, read_contributions, read_groups
from lm_interpolation.figures.plot_tuning_contribution import plot_tuning_contribution
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, look: dict[str, Any], against: str) -> None:
    texts, groups = read_contributions(job.input.texts), read_groups(job.input.groups)
    draw(job, look, plot_tuning_contribution, texts, groups, read_blocks(job.input.blocks), against=against)


if __name__ == "__main__":
    run_job(main, snakemake)
