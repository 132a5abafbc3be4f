"""The verdicts as files: ``claims.md`` for people, ``claims.json`` for programs."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from lm_interpolation.claims.data import compact
from lm_interpolation.claims.vocabulary import NOT_TESTED, VERDICTS
from lm_interpolation.jobs.runtime import atomic_path
from lm_interpolation.pages.markdown import bullets, plain, table_row
from lm_interpolation.scores.judges import MARK
from lm_interpolation.statistics.inference import LEVEL

PathLike = str | os.PathLike[str]

_RULE = f"""\
A claim **holds** if its whole {LEVEL:.0%} interval (in brackets) lies on the right side of the threshold, and is \
**refuted** if that lies on the wrong side. Else it is **undecided**: the data allow both, and the remark says about \
how many prompts (or texts) would decide. A value that is computed rather than sampled has no interval. \
A claim is **not tested** where the data are not there. A verdict with the words "{MARK}" means little: it rests on a \
classifier that can hardly tell the classes apart.

Each verdict stands for itself: of claims right at their threshold up to one in 40 seems to hold by chance. The last \
column is what is left if all verdicts together are to be right with {LEVEL:.0%} probability (Holm's correction).

Intervals are over prompts, texts, words, tensors, models or targets, and paired where curves share prompts. A verdict \
on one training says nothing of another seed. Of several trainings the value is the mean, and the interval is over \
trainings and prompts. The largest of several values (a barrier, the best of a sweep) is corrected for being chosen \
after the fact; its interval covers the choice."""


_TRAININGS = ("models", "targets")
"""Units that are trainings themselves, or groups of them."""


def claims_markdown(
    study: str, entries: Sequence[Mapping[str, Any]], judges: Sequence[str], leaks: Sequence[str]
) -> str:
    """``claims.md``: the rule of verdicts, how many claims hold, a table, and the reasons and remarks per claim.

    ``judges`` says in one line per scorer who judges, and how well; ``leaks`` are the lines of ``leaks.leak_lines``.
    """
    count = {
        column: ", ".join(f"{verdict} {sum(entry[column] == verdict for entry in entries)}" for verdict in VERDICTS)
        for column in ("verdict", "verdict_holm")
    }
    lines = [
        f"# Claims of the study {study}",
        "",
        _RULE,
        "",
        *_items("Judges", judges),
        *_items("Data", leaks),
        f"Verdicts: {count['verdict']}, of {len(entries)}. After Holm's correction: {count['verdict_holm']}.",
        "",
        "| § | claim | statistic | value [interval] | over | threshold | verdict | after Holm |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        threshold = f"{entry['direction']} {compact(entry['threshold'])}"
        cells = [
            plain(entry["section"]),
            f"{plain(entry['statement'])} (`{entry['name']}`)",
            plain(f"{entry['statistic']} ({entry['unit']})"),
            shown_value(entry),
            over(entry),
            threshold,
            f"**{entry['verdict']}**" + f" ({MARK})" * entry["weak_judge"],
            entry["verdict_holm"],
        ]
        lines.append(table_row(cells))
    for entry in entries:
        mark = f", {MARK}" * entry["weak_judge"]
        lines += [
            "",
            f"**{plain(entry['name'])}** ({entry['verdict']}{mark})",
            *bullets([f"Threshold: {entry['reason']}"]),
        ]
        if entry["note"]:
            lines += bullets([f"{'Not tested' if entry['verdict'] == NOT_TESTED else 'Value'}: {entry['note']}"])
        lines += bullets([_training(one) for one in entry["trainings"]])
        if entry["p"] is not None:
            lines += bullets([f"p = {entry['p']:.2g}, corrected {entry['p_holm']:.2g}"])
    return "\n".join(lines) + "\n"


def _items(title: str, items: Sequence[str]) -> list[str]:
    """Lines of Markdown: a list with its title, and an empty line; nothing if there are no ``items``."""
    return [f"{title}:", "", *bullets(items), ""] if items else []


def over(entry: Mapping[str, Any]) -> str:
    """What an interval is over: ``3 trainings, 80 prompts``, or ``80 prompts; one training``, or ``60 models``."""
    if entry["verdict"] == NOT_TESTED:
        return "–"
    if entry["unit_kind"] in _TRAININGS:
        return ", ".join(_units([entry]))
    if not entry["trainings"]:
        return "; ".join([*_units([entry]), "one training"])
    return ", ".join([f"{len(entry['trainings'])} trainings", *_units(entry["trainings"])])


def _units(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The number of units of the one that has the fewest, with their kind; nothing for computed values."""
    counts = [(entry["units"], entry["unit_kind"]) for entry in entries if entry["units"] is not None]
    return ["{} {}".format(*min(counts))] if counts else []


def _training(entry: Mapping[str, Any]) -> str:
    """The verdict on one training by itself: ``Seed 1: 0.03 [0.01, 0.05], holds over 80 prompts``."""
    units = "".join(f" over {units}" for units in _units([entry]))
    return f"Seed {entry['seed']} alone: {shown_value(entry)}, {entry['verdict']}{units}"


def shown_value(entry: Mapping[str, Any]) -> str:
    """Value and interval for people; a dash where there is no value."""
    if entry["value"] is None:
        return "–"
    if entry["low"] is None:
        return compact(entry["value"])
    return f"{compact(entry['value'])} [{compact(entry['low'])}, {compact(entry['high'])}]"


def write_claims(
    study: str,
    entries: Sequence[Mapping[str, Any]],
    judges: Sequence[str],
    leaks: Sequence[str],
    markdown: PathLike,
    json_path: PathLike,
) -> None:
    """Write ``claims.md`` (see ``claims_markdown``) and ``claims.json`` (a list, see ``judge``), each atomically."""
    texts = {
        markdown: claims_markdown(study, entries, judges, leaks),
        json_path: json.dumps(list(entries), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for path, text in texts.items():
        with atomic_path(path) as scratch:
            scratch.write_text(text, encoding="utf-8")
