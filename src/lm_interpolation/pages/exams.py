"""The page about the exam of a judge: how well it tells classes apart, and how well it is calibrated."""

from collections.abc import Mapping, Sequence
from typing import Any

from lm_interpolation.pages.markdown import plain, table_row
from lm_interpolation.scores.judges import Judge

_CALIBRATION = """\
The confidence of a text is its largest probability. A calibrated judge is right as often as it is confident: both \
columns agree. The expected calibration error is their mean gap."""


def exam_markdown(judge: Judge, found: Mapping[str, Any]) -> str:
    """The page in Markdown. ``judge`` has the quality that was read from ``found``, what ``exam.json`` holds."""
    lines = [f"# Exam of {plain(judge.model)}", "", f"{plain(judge.describe())}.", ""]
    lines += ["Intervals (95 %) are over documents: texts of one document do not count as independent.", ""]
    parts = [("The judge", found["judge"])]
    if (simple := found["baseline"]) is not None:
        learnt = f"{simple['train_texts']} training texts of the judge, {simple['features']} words and pairs of words"
        chosen = f"C = {simple['C']:g} by the accuracy on dev, {simple['dev_accuracy']:.3f}"
        parts.append((f"A TF-IDF logistic regression ({learnt}, {chosen})", simple))
    for title, part in parts:
        lines += [f"## {title}", "", *_guesses(found["classes"], part), "", *_bins(part), ""]
    return "\n".join([*lines, _CALIBRATION]) + "\n"


def _guesses(classes: Sequence[str], part: Mapping[str, Any]) -> list[str]:
    rows = ["| label | texts | recall |" + "".join(f" guessed {plain(name)} |" for name in classes)]
    rows.append("|---" * (3 + len(classes)) + "|")
    for name, counts in zip(classes, part["confusion"], strict=True):
        cells = [plain(name), str(sum(counts)), f"{part['recall'][name]:.3f}", *map(str, counts)]
        rows.append(table_row(cells))
    return rows


def _bins(part: Mapping[str, Any]) -> list[str]:
    error = f"Expected calibration error {part['expected_calibration_error']:.3f}:"
    rows = [error, "", "| confidence | texts | mean confidence | accuracy |", "|---|---|---|---|"]
    for entry in part["bins"]:
        cells = [f"{entry['low']:.2f} to {entry['high']:.2f}", str(entry["texts"])]
        rows.append(table_row([*cells, f"{entry['confidence']:.3f}", f"{entry['accuracy']:.3f}"]))
    return rows
