"""The text beside each figure: what it shows, the paper's own setting, and what this study did."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.models.special_tokens import describe_folder
from lm_interpolation.pages.markdown import bullets, plain, section, table_row
from lm_interpolation.points.algebra import Sweep, format_decimal, grid_values
from lm_interpolation.points.formulas import combination

# The Snakefile imports this module.
if TYPE_CHECKING:
    import pandas as pd


def describe_sweep(sweep: Sweep, spec: Mapping[str, Any], texts: bool) -> str:
    """One line on a sweep, declared by ``spec``: its formula, its grid and, if it is about texts, its prompts."""
    terms = [combination(spec["origin"])]
    terms += [f"{coordinate} ({combination(spec['directions'][coordinate])})" for coordinate in sweep.directions]
    values = {coordinate: grid_values(spec["grid"][coordinate]) for coordinate in sweep.directions}
    grids = [
        f"{name}: {len(along)} values from {format_decimal(along[0])} to {format_decimal(along[-1])}"
        for name, along in values.items()
    ]
    beside = sum(any(value not in values[name] for name, value in entry.coordinates) for entry in sweep.points)
    if beside:
        grids.append(f"{beside} more {'point' if beside == 1 else 'points'} off the grid")
    combined = {"weights": "weights", "logits": "logits, an ensemble"}[sweep.space]
    prompts = f"; prompts: {', '.join(sweep.prompts)}" if texts and sweep.prompts else ""
    return f"{sweep.name} = {' + '.join(terms)} ({combined}); {'; '.join(grids)}{prompts}"


def describe_sampling(sampling: Mapping[str, Any], nucleus: str | None) -> str:
    """One line on how texts are sampled; ``nucleus`` names the model that decides it for ensembles."""
    ensembles = f"; the nucleus of ensembles is that of {nucleus}" if nucleus else ""
    return (
        f"texts: {sampling['samples']} continuations per prompt of at most {sampling['max_new_tokens']} tokens, "
        f"top-p {sampling['top_p']}{ensembles}"
    )


def describe_tokens(settings: Sequence[tuple[str, str]], directories: Sequence[str]) -> list[str]:
    """A line for each (names of models, folder) of ``Study.token_settings``; ``directories`` are these folders."""
    pairs = zip(settings, map(Path, directories), strict=True)
    return [f"model{'s' * (', ' in models)} {models}: {describe_folder(directory)}" for (models, _), directory in pairs]


def describe_entry(name: str, entry: Mapping[str, Any]) -> str:
    """One line on an entry of the config, as it stands there."""
    return f"{name}: {', '.join(f'{key} {_plain(value)}' for key, value in entry.items())}"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return str(value)


def write_up(
    figure: str,
    spec: Mapping[str, str],
    facts: Sequence[str],
    judges: Sequence[str],
    tables: Sequence[str],
    frames: "Sequence[pd.DataFrame]",
    found: Sequence[str],
) -> str:
    """The text, in Markdown. ``spec`` holds title, caption and paper; ``frames`` are the contents of ``tables``.

    What was ``found`` (see ``findings.findings``) comes first, as sentences without markup. ``judges`` says how good
    each classifier behind the figure is (see ``judges.judge_lines``). Numbers of prompts and texts are those of the
    tables, where they have them.
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


def _markdown(frame: "pd.DataFrame") -> list[str]:
    """The rows of a table of texts: whatever a model wrote is shown as it stands."""
    head = [table_row(list(map(plain, map(str, frame.columns)))), table_row(["---"] * len(frame.columns))]
    return head + [table_row([plain(str(value)) for value in values]) for values in frame.itertuples(index=False)]


def describe_size(frame: "pd.DataFrame") -> str:
    """``: 2 points, up to 5 prompts per point, ...``: the numbers that a table has; nothing if it has none."""
    parts = []
    # What a number of texts is told for beside the point.
    others = [word for column, word in (("prompts", "set of prompts"), ("class", "class")) if column in frame]
    for column, word in (("n_prompts", "prompts"), ("n_texts", "texts")):
        if column in frame and len(frame):
            parts.append(f"up to {frame[column].max()} {word} per {' and '.join(['point', *others])}")
    points = frame["point"].nunique() if "point" in frame else 0
    return ": " + ", ".join([f"{points} points", *parts]) if points else ""
