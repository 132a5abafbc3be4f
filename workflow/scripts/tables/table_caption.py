"""The text beside one table, and the table as a page to read."""

from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.figures.findings import findings
from lm_interpolation.jobs.runtime import Job, atomic_path, run_job
from lm_interpolation.pages.captions import describe_tokens
from lm_interpolation.pages.pages import table_page
from lm_interpolation.pages.table_captions import write_up_table
from lm_interpolation.scores.judges import judge_lines, read_judges


def main(
    job: Job,
    *,
    row: str,
    columns: list[tuple[str, str]],
    drawn: dict[str, Any] | None,
    facts: list[str],
    judges: list[dict[str, Any]],
    tokens: list[tuple[str, str]],
    figures: list[str],
) -> None:
    path, table = job.input.table, job.wildcards.table
    measured = read_judges(judges, job.input.judges)
    # Texts may well read "null".
    text = write_up_table(
        table,
        frame=pd.read_csv(path, keep_default_na=False),
        row=row,
        columns=columns,
        figures=figures,
        facts=[*facts, *describe_tokens(tokens, job.input.tokenizers)],
        judges=judge_lines(measured),
        found=findings(drawn, [path], measured) if drawn else [],
    )
    # Numbers as they stand in the file.
    page = table_page(table, pd.read_csv(path, dtype=str, keep_default_na=False))
    for output, content in ((job.output.text, text), (job.output.page, page)):
        with atomic_path(Path(output)) as scratch:
            scratch.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
