"""The front page of the report: what the study is, how large it is, and what its verdicts are."""

import json
from pathlib import Path
from typing import Any

from lm_interpolation.data.leaks import leak_lines
from lm_interpolation.jobs.runtime import atomic_path, run_job
from lm_interpolation.pages.overview import count_texts, write_overview
from lm_interpolation.scores.judges import judge_lines, read_judges
from lm_interpolation.tables.tables import read_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    verdicts = [json.loads(Path(path).read_text()) for path in snakemake.input.claims if path.endswith(".json")]
    text = write_overview(
        settings["study"],
        points=settings["points"],
        ensembles=settings["ensembles"],
        sweeps=len(settings["spaces"]),
        texts=count_texts(zip(settings["spaces"], map(read_table, snakemake.input.tables), strict=True)),
        facts=settings["facts"],
        judges=judge_lines(read_judges(settings["judges"], snakemake.input.judges)),
        leaks=leak_lines(snakemake.input.leaks),
        claims=verdicts[0] if verdicts else [],
    )
    with atomic_path(snakemake.output[0]) as scratch:
        scratch.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
