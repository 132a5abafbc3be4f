"""Texts in places where they should not be: in two splits, in the training of a judge and of what it judges, or in the
training of what is measured on them.

``count_leaks`` reads the texts that a plan (``study.leak_plan``) names. Two texts are the same if they differ only in
case and white space.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xxhash

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.data.shares import same_text

_EXAMPLE = 200
"""Characters of an example."""


# --- counting


@dataclass(frozen=True)
class _Split:
    """One split: a hash of each text, (n,) uint64, and its label (missing where there is none)."""

    hashes: np.ndarray
    labels: pd.Series

    def rows(self, part: Mapping[str, Any]) -> np.ndarray:
        """Indices, (k,) int64, of the texts of ``part`` (see ``plan``)."""
        groups = [np.arange(len(self.hashes))]
        if part["classes"] is not None:
            groups = [np.flatnonzero(self.labels == name) for name in part["classes"]]
        return np.concatenate([group[: part["limit"]] for group in groups])


def count_leaks(planned: Mapping[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """What ``leaks.json`` holds. ``paths`` are the files of ``planned["splits"]``, in their order.

    Returns ``leaks``, lines for people; ``configured`` and ``unknown``, as planned; ``compared``, a line on what was
    compared; and ``comparisons``, each as planned with ``n_texts`` and ``n_seen``, the numbers of texts on both sides,
    ``shared``, how many of the first are among the second, ``share``, ``same_corpus``, ``example`` (of a shared text;
    None if there is none) and ``line``. A judge that learns from the corpus of what it judges always counts as a leak.

    Texts are compared by 64-bit hashes (xxh3): 9 bytes of memory per text. Among two million texts, two different ones
    count as the same with a probability below 1e-6. Raises ``UserError`` if a file is damaged.
    """
    files = dict(zip(map(tuple, planned["splits"]), paths, strict=True))
    splits = {key: _read(path) for key, path in files.items()}
    comparisons = []
    for entry in planned["comparisons"]:
        texts, seen = (splits[part["corpus"], part["split"]] for part in (entry["texts"], entry["seen"]))
        rows = texts.rows(entry["texts"])
        among = seen.hashes[seen.rows(entry["seen"])]
        shared = rows[np.isin(texts.hashes[rows], among)]
        found = dict(entry) | {"n_texts": len(rows), "n_seen": len(among), "shared": len(shared)}
        found["share"] = len(shared) / len(rows) if len(rows) else 0.0
        found["same_corpus"] = entry["texts"]["corpus"] == entry["seen"]["corpus"]
        file = files[entry["texts"]["corpus"], entry["texts"]["split"]]
        found["example"] = _text(file, int(shared[0])) if len(shared) else None
        found["line"] = _line(found)
        comparisons.append(found)
    return {
        "leaks": [found["line"] for found in comparisons if _leaks(found)],
        "configured": planned["configured"],
        "unknown": planned["unknown"],
        "compared": _compared(comparisons),
        "comparisons": comparisons,
    }


def _read(path: Path) -> _Split:
    table = read_parquet(path, ["text", "label"])
    # Batch by batch, because Python's copies of all long texts would take too much memory.
    hashes = (
        xxhash.xxh3_64_intdigest(same_text(text).encode())
        for batch in table.select(["text"]).to_batches(max_chunksize=10_000)
        for text in batch["text"].to_pylist()
    )
    return _Split(
        np.fromiter(hashes, dtype=np.uint64, count=len(table)), table["label"].dictionary_encode().to_pandas()
    )


def _text(path: Path, row: int) -> str:
    text = str(read_parquet(path, ["text"])["text"][row].as_py())
    return text if len(text) <= _EXAMPLE else text[: _EXAMPLE - 1] + "…"


def _leaks(found: Mapping[str, Any]) -> bool:
    return bool(found["shared"] or (found["kind"] == "judge" and found["same_corpus"]))


def _line(found: Mapping[str, Any]) -> str:
    verb = "is" if found["shared"] == 1 else "are"
    line = f"{found['shared']} of {found['n_texts']} texts {found['what']} {verb} also among the {found['n_seen']} "
    same = "; the corpus is the same" if found["kind"] == "judge" and found["same_corpus"] else ""
    return f"{line}{found['where']}{same}"


def _compared(comparisons: Sequence[Mapping[str, Any]]) -> str:
    kinds = {
        "splits": "the splits of each corpus with each other",
        "judge": "the training texts of judges with those of the models that sweeps combine",
        "accuracy": "the texts that accuracies are measured on with what the judge's parents learnt from",
        "exam": "the texts of exams with what the judges and their parents learnt from",
        "loss": "the texts of losses with the training texts of the models of their sweep",
    }
    count = {kind: sum(found["kind"] == kind for found in comparisons) for kind in kinds}
    told = "; ".join(f"{kinds[kind]} ({number})" for kind, number in count.items() if number)
    return f"compared: {told}" if told else "compared: nothing, for no model is trained here on a corpus that is stored"


# --- telling


def leak_lines(path: str | os.PathLike[str]) -> list[str]:
    """``leaks.json`` at ``path`` in words: one line per leak, or one on what was compared, and one per unknown."""
    report = json.loads(Path(path).read_text(encoding="utf-8"))
    leaks = report["leaks"]
    if not leaks:
        leaks = [f"no text leaks; {report['compared']}" if report["comparisons"] else report["compared"]]
    return [*report["configured"], *leaks, *report["unknown"]]
