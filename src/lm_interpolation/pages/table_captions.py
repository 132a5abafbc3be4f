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
    """Write the text beside the table of a job (see ``write_up_table``), and the table as a page to read.

    ``find`` finds in it what ``drawn`` shows (see ``findings``); None if no figure is drawn from this table alone.
    ``judges`` are entries for ``read_judges``, ``tokens`` pairs for ``describe_tokens``, whose folders the job has.
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
    # Numbers as they stand in the file.
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
    """The text, in Markdown. ``frame`` is the table, ``figures`` are those that show it.

    ``row`` says what a row is, ``columns`` are (name, meaning) of the columns of ``frame``, in its order. What was
    ``found`` (see ``findings.findings``) comes first, as sentences without markup. ``judges`` says how good each
    classifier behind the table is (see ``judges.judge_lines``).

    Raises ``ValueError`` if ``frame`` has other columns.
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
