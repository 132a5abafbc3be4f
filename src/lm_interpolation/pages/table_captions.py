"""The text beside each table: what a row is, what the columns mean, and what this study did."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.figures.findings import Find, findings
from lm_interpolation.jobs.runtime import Job, atomic_path
from lm_interpolation.pages.captions import describe_size, describe_tokens
from lm_interpolation.pages.markdown import bullets, section
from lm_interpolation.pages.pages import table_page
from lm_interpolation.scores.judges import judge_lines, read_judges


def describe_table(
    job: Job,
    find: Find | None,
    drawn: Mapping[str, Any],
    *,
    row: str,
    columns: Sequence[tuple[str, str]],
    facts: Sequence[str],
    judges: Sequence[Mapping[str, Any]],
    tokens: Sequence[tuple[str, str]],
    figures: Sequence[str],
) -> None:
    """Write the text beside the table of a job (see ``write_up_table``), and the table as an HTML page.

    ``find`` states what the table shows under the settings ``drawn`` (see ``findings``); it is None if no figure is
    drawn from this table alone. ``judges`` are entries for ``read_judges``, ``tokens`` pairs for ``describe_tokens``,
    whose folders the job has.
    """
    path, table = job.input.table, job.wildcards.table
    measured = read_judges(judges, job.input.judges)
    text = write_up_table(
        table,
        row=row,
        columns=columns,
        facts=[*facts, *describe_tokens(tokens, job.input.tokenizers)],
        judges=judge_lines(measured),
        figures=figures,
        # Texts may well read "null".
        frame=pd.read_csv(path, keep_default_na=False),
        found=[] if find is None else findings(find, [path], measured, drawn),
    )
    # Numbers exactly as in the file.
    page = table_page(table, pd.read_csv(path, dtype=str, keep_default_na=False))
    for output, content in ((job.output.text, text), (job.output.page, page)):
        with atomic_path(Path(output)) as scratch:
            scratch.write_text(content, encoding="utf-8")


def write_up_table(
    table: str,
    row: str,
    columns: Sequence[tuple[str, str]],
    facts: Sequence[str],
    judges: Sequence[str],
    figures: Sequence[str],
    frame: pd.DataFrame,
    found: Sequence[str],
) -> str:
    """The text, in Markdown. ``frame`` is the table; ``figures`` are the figures that show it.

    ``row`` says what a row is; ``columns`` holds (name, meaning) for each column of ``frame``, in order. The text
    starts with ``found``, sentences without markup (see ``findings.findings``). ``judges`` says how good each
    classifier behind the table is (see ``judges.judge_lines``).

    Raises ``ValueError`` if the columns of ``frame`` differ.
    """
    names = [name for name, _ in columns]
    if list(frame.columns) != names:
        raise ValueError(f"table {table}: has the columns {list(frame.columns)}, but described are {names}")
    lines = [f"# {table}", *section("Finding.", found), "", f"**A row.** {row}", "", "**Here.**", ""]
    lines += bullets([*facts, *([f"shown in {', '.join(figures)}"] if figures else [])])
    lines += section("Judges.", judges)
    lines += ["", f"**Size.** {len(frame)} rows{describe_size(frame)}", "", "**Columns.**", ""]
    lines += [f"- `{name}`: {meaning}" for name, meaning in columns]
    return "\n".join(lines) + "\n"
