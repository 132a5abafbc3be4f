"""The tidy table of one sweep: every statistic with its bootstrap interval at every point."""

from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.scores.score_files import read_scores
from lm_interpolation.scores.statistic import statistics_from
from lm_interpolation.tables.tables import sweep_table, write_table


def main(
    job: Job, *, sweep: dict[str, Any], scorers: list[tuple[str, list[dict[str, Any]]]], bootstrap: dict[str, Any]
) -> None:
    frames: dict[str, dict[str, list[pd.DataFrame]]] = {}
    # scores/<prompts>/<line>/<scorer>.parquet
    for path in map(Path, job.input.scores):
        frames.setdefault(path.parts[-3], {}).setdefault(path.stem, []).append(read_scores(path))
    scores = {
        prompts: {scorer: pd.concat(parts, ignore_index=True) for scorer, parts in by_scorer.items()}
        for prompts, by_scorer in frames.items()
    }
    statistics = {scorer: statistics_from(entries) for scorer, entries in scorers}
    table = sweep_table(sweep_from_settings(sweep), scores, statistics, **bootstrap)
    write_table(table, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
