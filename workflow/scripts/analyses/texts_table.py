"""Generated texts of several sweeps at the same coordinates, side by side."""

from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.runtime import UserError, atomic_path, run_job


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    prompts = read_parquet(snakemake.input.prompts).to_pandas()
    if len(prompts) < settings["prompts"]:
        raise UserError(
            f"{snakemake.input.prompts}: has {len(prompts)} prompts, not {settings['prompts']}; ask for fewer"
        )
    prompts = prompts.head(settings["prompts"])
    files = iter(snakemake.input.texts)
    columns = {}
    for sweep in settings["sweeps"]:
        for value in settings["at"]:
            texts = read_parquet(next(files), ["row", "sample", "continuation"]).to_pandas()
            columns[sweep, value] = texts[texts["sample"] == 0].set_index("row")["continuation"]
    rows = [
        {"row": row, "prompt": text, "coordinate": value}
        | {sweep: columns[sweep, value][row] for sweep in settings["sweeps"]}
        for row, text in zip(prompts["row"], prompts["text"], strict=True)
        for value in settings["at"]
    ]
    with atomic_path(Path(snakemake.output[0])) as scratch:
        pd.DataFrame(rows).to_csv(scratch, index=False, lineterminator="\n")


if __name__ == "__main__":
    run_job(main, snakemake)
