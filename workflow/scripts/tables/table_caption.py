"""The text beside one table, and the table as a page to read."""

from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.figures.findings import findings
from lm_interpolation.jobs.runtime import atomic_path, run_job
from lm_interpolation.pages.captions import describe_tokens
from lm_interpolation.pages.pages import table_page
from lm_interpolation.pages.table_captions import write_up_table
from lm_interpolation.scores.judges import judge_lines, read_judges


def main(snakemake: Any) -> None:
    settings, path, table = snakemake.params.settings, snakemake.input.table, snakemake.wildcards.table
    told = {key: settings[key] for key in ("kind", "figures", "coordinates")}
    told["facts"] = [*settings["facts"], *describe_tokens(settings["tokens"], snakemake.input.tokenizers)]
    judges = read_judges(settings["judges"], snakemake.input.judges)
    told["judges"] = judge_lines(judges)
    told["found"] = findings(settings["drawn"], [path], judges) if settings["drawn"] else []
    # Texts may well read "null".
    text = write_up_table(table, frame=pd.read_csv(path, keep_default_na=False), **told)
    # Numbers as they stand in the file.
    page = table_page(table, pd.read_csv(path, dtype=str, keep_default_na=False))
    for output, content in ((snakemake.output.text, text), (snakemake.output.page, page)):
        with atomic_path(Path(output)) as scratch:
            scratch.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)
