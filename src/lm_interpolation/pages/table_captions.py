"""The text beside each table: what a row is, what the columns mean, and what this study did."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lm_interpolation.pages.captions import describe_size
from lm_interpolation.pages.markdown import bullets, section

if TYPE_CHECKING:
    import pandas as pd


def write_up_table(
    table: str,
    row: str,
    columns: Sequence[tuple[str, str]],
    facts: Sequence[str],
    judges: Sequence[str],
    figures: Sequence[str],
    frame: "pd.DataFrame",
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
