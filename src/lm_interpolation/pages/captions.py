"""The text beside each figure: what it shows, the paper's setting, and what this study did."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.figures.findings import Find, findings
from lm_interpolation.jobs.runtime import Job, atomic_path
from lm_interpolation.models.special_tokens import describe_folder
from lm_interpolation.pages.markdown import bullets, plain, section, table_row
from lm_interpolation.scores.judges import judge_lines, read_judges


def describe_tokens(settings: Sequence[tuple[str, str]], directories: Sequence[str]) -> list[str]:
    """A line for each (names of models, folder); ``directories`` are these folders as inputs of the job."""
    pairs = zip(settings, map(Path, directories), strict=True)
    return [f"model{'s' * (', ' in models)} {models}: {describe_folder(directory)}" for (models, _), directory in pairs]


def describe_figure(
    job: Job,
    find: Find,
    drawn: Mapping[str, Any],
    *,
    words: Mapping[str, str],
    facts: Sequence[str],
    judges: Sequence[Mapping[str, Any]],
    tokens: Sequence[tuple[str, str]],
) -> None:
    """Write the text beside the figure of a job (see ``write_up``).

    ``find`` states what the tables show under the settings ``drawn`` (see ``findings``). ``words`` are the figure's
    title, caption and paper. ``judges`` are entries for ``read_judges``, ``tokens`` pairs for ``describe_tokens``,
    whose folders the job has.
    """
    output, paths = Path(job.output[0]), list(job.input.tables)
    # Texts may well read "null".
    frames = [pd.read_csv(path, keep_default_na=False) for path in paths]
    measured = read_judges(judges, job.input.judges)
    text = write_up(
        job.wildcards.figure,
        words,
        [*facts, *describe_tokens(tokens, job.input.tokenizers)],
        judge_lines(measured),
        [os.path.relpath(path, output.parent) for path in paths],
        frames,
        findings(find, paths, measured, drawn),
    )
    with atomic_path(output) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_up(
    figure: str,
    spec: Mapping[str, str],
    facts: Sequence[str],
    judges: Sequence[str],
    tables: Sequence[str],
    frames: Sequence[pd.DataFrame],
    found: Sequence[str],
) -> str:
    """The text, in Markdown. ``spec`` holds title, caption and paper; ``frames`` are the contents of ``tables``.

    The text starts with ``found``, sentences without markup (see ``findings.findings``). ``judges`` says how good each
    classifier behind the figure is (see ``judges.judge_lines``). Numbers of prompts and texts come from the tables that
    have them.
    """
    lines = [
        f"# {figure}" + (f": {plain(spec['title'])}" if spec["title"] else ""),
        "",
        f"![{figure}]({figure}.png)",
        *section("Finding.", found),
        "",
    ]
    if spec["caption"]:
        lines += [plain(spec["caption"]), ""]
    lines += [f"**In the paper.** {plain(spec['paper']) or 'Not an experiment of the paper.'}", "", "**Here.**", ""]
    lines += bullets(facts)
    lines += section("Judges.", judges)
    lines += ["", "**Data.**", ""]
    for path, frame in zip(tables, frames, strict=True):
        lines.append(f"- `{path}`{describe_size(frame)}")
    for frame in frames:
        if "prompt" in frame:
            lines += ["", "**Texts.**", "", *_markdown(frame.drop(columns="row"))]
        if "chosen" in frame:
            lines += ["", "**Chosen, and configured.**", "", *_markdown(frame[frame["chosen"] | frame["configured"]])]
    return "\n".join(lines) + "\n"


def _markdown(frame: pd.DataFrame) -> list[str]:
    """The rows of a table of texts; whatever a model wrote is shown literally."""
    head = [table_row(list(map(plain, map(str, frame.columns)))), table_row(["---"] * len(frame.columns))]
    return head + [table_row([plain(str(value)) for value in values]) for values in frame.itertuples(index=False)]


def describe_size(frame: pd.DataFrame) -> str:
    """The counts that a table has, as ``: 2 points, up to 5 prompts per point, ...``; nothing if it has none."""
    parts = []
    # Columns that subdivide the counts.
    others = [word for column, word in (("prompts", "set of prompts"), ("class", "class")) if column in frame]
    for column, word in (("n_prompts", "prompts"), ("n_texts", "texts")):
        if column in frame and len(frame):
            parts.append(f"up to {frame[column].max()} {word} per {' and '.join(['point', *others])}")
    points = frame["point"].nunique() if "point" in frame else 0
    return ": " + ", ".join([f"{points} points", *parts]) if points else ""
