"""The tuning contribution to texts, its mean in each group, and how well it tells groups apart."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.contribution_tables import (
    BLOCK_VALUES,
    CONTRIBUTION_VALUES,
    GROUP_VALUES,
    block_table,
    contribution_table,
    group_table,
    read_contributions,
)
from lm_interpolation.analyses.set_texts import read_set_texts
from lm_interpolation.analyses.tuning_contribution import tuning_contributions
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.points.layer_space import LayerSpace
from lm_interpolation.tables.tables import write_table


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    model: str,
    base: str,
    split: str,
    against: str,
    bootstrap: dict[str, Any],
) -> None:
    prepare_job(device, threads, gpus)
    texts = {group: found[split].texts for group, found in read_set_texts(Path(job.input.texts)).items()}
    space = LayerSpace(dict(zip((model, base), map(Path, job.input.models), strict=True)), device)
    progress = Progress(f"tuning contribution {job.wildcards.analysis}", sum(map(len, texts.values())), "texts")
    found = tuning_contributions(space, model, base, texts, batch_size, progress.update)
    write_table(contribution_table(found, texts), Path(job.output.table), CONTRIBUTION_VALUES)
    # From the digits that stand there: verdicts rest on them, too.
    groups = group_table(read_contributions(job.output.table), against, **bootstrap)
    write_table(groups, Path(job.output.summary), GROUP_VALUES)
    write_table(block_table(found.tuco_blocks, texts, **bootstrap), Path(job.output.blocks), BLOCK_VALUES)


if __name__ == "__main__":
    run_job(main, snakemake)
