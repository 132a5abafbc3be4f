"""The text beside one figure."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.figures.findings import findings
from lm_interpolation.jobs.runtime import atomic_path, run_job
from lm_interpolation.pages.captions import describe_tokens, write_up
from lm_interpolation.scores.judges import judge_lines, read_judges


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    output = Path(snakemake.output[0])
    tables = [os.path.relpath(path, output.parent) for path in snakemake.input.tables]
    # Texts may well read "null".
    frames = [pd.read_csv(path, keep_default_na=False) for path in snakemake.input.tables]
    judges = read_judges(settings["judges"], snakemake.input.judges)
    found = findings(settings["drawn"], snakemake.input.tables, judges)
    facts = [*settings["facts"], *describe_tokens(settings["tokens"], snakemake.input.tokenizers)]
    text = write_up(snakemake.wildcards.figure, settings["figure"], facts, judge_lines(judges), tables, frames, found)
    with atomic_path(output) as scratch:
        scratch.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
