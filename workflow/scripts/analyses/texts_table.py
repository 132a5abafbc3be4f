"""Generated texts of several sweeps at the same coordinates, side by side."""

from pathlib import Path

import pandas as pd

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.runtime import Job, UserError, atomic_path, run_job


def main(job: Job, *, prompts: int, sweeps: list[str], at: list[str]) -> None:
    read = read_parquet(job.input.prompts).to_pandas()
    if len(read) < prompts:
        raise UserError(f"{job.input.prompts}: has {len(read)} prompts, not {prompts}; ask for fewer")
    read = read.head(prompts)
    files = iter(job.input.texts)
    columns = {}
    for sweep in sweeps:
        for value in at:
            texts = read_parquet(next(files), ["row", "sample", "continuation"]).to_pandas()
            columns[sweep, value] = texts[texts["sample"] == 0].set_index("row")["continuation"]
    rows = [
        {"row": row, "prompt": text, "coordinate": value} | {sweep: columns[sweep, value][row] for sweep in sweeps}
        for row, text in zip(read["row"], read["text"], strict=True)
        for value in at
    ]
    with atomic_path(Path(job.output[0])) as scratch:
        pd.DataFrame(rows).to_csv(scratch, index=False, lineterminator="\n")


if __name__ == "__main__":
    run_job(main, snakemake)
