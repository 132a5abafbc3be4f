"""Loss barriers and perplexity barriers along lines between two models (Frankle et al. 2020)."""

from pathlib import Path
from typing import Any

import pandas as pd

from workflow.lib.barriers import barrier_table
from workflow.lib.losses import read_losses
from workflow.lib.points import sweep_from_settings
from workflow.lib.runtime import run_job
from workflow.lib.scoring import read_scores
from workflow.lib.tables import write_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    frames: dict[tuple[str, str], list[pd.DataFrame]] = {}
    # scores/<prompts>/<line>/<scorer>.parquet; a line is called after its sweep, "<sweep>[,<coordinate>=<value> ...]".
    for path in map(Path, snakemake.input.scores):
        prompts, line = path.parts[-3:-1]
        space = snakemake.config["sweeps"][line.partition(",")[0]]["space"]
        frames.setdefault((space, prompts), []).append(read_scores(path))
    losses = [
        (sweep_from_settings(sweep), read_losses(path))
        for (_, sweep), path in zip(settings["losses"], snakemake.input.losses, strict=True)
    ]
    table = barrier_table(
        [sweep_from_settings(sweep) for sweep in settings["sweeps"]],
        {key: pd.concat(parts, ignore_index=True) for key, parts in frames.items()},
        settings["scorer"],
        settings["scorer_spec"],
        losses,
        **settings["bootstrap"],
    )
    write_table(table, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
