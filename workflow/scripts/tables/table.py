"""The tidy table of one sweep: every statistic with its bootstrap interval at every point."""

from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.scores.score_files import read_scores
from lm_interpolation.scores.statistic import statistics_from
from lm_interpolation.tables.tables import sweep_table, write_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    frames: dict[str, dict[str, list[pd.DataFrame]]] = {}
    # scores/<prompts>/<line>/<scorer>.parquet
    for path in map(Path, snakemake.input.scores):
        frames.setdefault(path.parts[-3], {}).setdefault(path.stem, []).append(read_scores(path))
    scores = {
        prompts: {scorer: pd.concat(parts, ignore_index=True) for scorer, parts in by_scorer.items()}
        for prompts, by_scorer in frames.items()
    }
    sweep = sweep_from_settings(settings["sweep"])
    statistics = {scorer: statistics_from(entries) for scorer, entries in settings["scorers"]}
    table = sweep_table(sweep, scores, statistics, **settings["bootstrap"])
    write_table(table, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
