"""Texts that stand where they should not: in two splits, in the training of a judge and of what it judges, or in the
training of what is measured on them.

``plan`` says which texts of a study are to be compared, from its configuration alone; ``count_leaks`` reads them. Two
texts are the same if they are equal but for case and whitespace. The Snakefile imports this module.
"""

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.shares import same_text

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_EXAMPLE = 200
"""Characters of an example."""


# --- what is compared


def plan(
    config: Mapping[str, Any], combined: Mapping[str, Sequence[str]], measured: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What is compared in the study of ``config``; ``combined`` names the models of each sweep.

    ``measured`` are the analyses, by name, that measure the loss of ``models`` on texts of a corpus: ``corpus, split,
    classes, limit`` as below.

    Returns ``splits``, the pairs (corpus, split) that are read; ``comparisons``, each ``{kind, texts, what, seen,
    where}``: are ``texts``, which the words ``what`` describe, among those ``seen``, described by ``where``?
    ``configured``, lines on leaks that the configuration alone tells; and ``unknown``, lines on what cannot be
    compared. Texts are ``{corpus, split, classes, limit}``: those of these classes (None: all), of each the first
    ``limit`` (None: all).
    """
    models = config["models"]
    ends = list(dict.fromkeys(itertools.chain.from_iterable(combined.values())))
    judges: dict[str, list[str]] = {}
    for scorer, spec in config["scorers"].items():
        if "model" in spec:
            judges.setdefault(spec["model"], []).append(scorer)
    streams = {name for name, spec in config["corpora"].items() if spec.get("stream")}

    used = {texts["corpus"] for texts in measured.values()}
    used |= {model["data"]["corpus"] for model in models.values() if "data" in model}
    comparisons = [
        *_between_splits(name for name in config["corpora"] if name in used),
        *_of_judges(models, judges, ends),
        *_of_losses(models, measured),
    ]
    # Of a stream the dev split alone is stored.
    comparisons = [
        entry
        for entry in comparisons
        if all(part["corpus"] not in streams or part["split"] == "dev" for part in (entry["texts"], entry["seen"]))
    ]
    configured = []
    for judge, scorers in judges.items():
        if judge in lineage(models, ends):
            combine = "it, too" if judge in ends else "models that were trained from it"
            configured.append(f"{judge} is the judge of {_list(scorers)}, and sweeps combine {combine}")
    relevant = lineage(models, [*ends, *judges])
    unknown = [
        f"{source[0]} is a stream, whose texts cannot be compared; {_list(learners)} learnt from it"
        for source, learners in _taught(models, relevant).items()
        if source[0] in streams
    ]
    imported = [name for name in relevant if "data" not in models[name]]
    if imported:
        unknown.append(f"what imported models learnt from is not known: {', '.join(imported)}")
    read = {(part["corpus"], part["split"]) for entry in comparisons for part in (entry["texts"], entry["seen"])}
    return {"splits": sorted(read), "comparisons": comparisons, "configured": configured, "unknown": unknown}


def _between_splits(corpora: Iterable[str]) -> Iterator[dict[str, Any]]:
    for corpus, (first, split) in itertools.product(corpora, itertools.combinations(("train", "dev", "test"), 2)):
        yield {
            "kind": "splits",
            "texts": _texts(corpus, split=split),
            "what": f"in the {split} split of {corpus}",
            "seen": _texts(corpus, split=first),
            "where": f"in its {first} split",
        }


def _of_judges(models: Mapping[str, Any], judges: Iterable[str], ends: Sequence[str]) -> Iterator[dict[str, Any]]:
    for judge in judges:
        data = models[judge].get("data")
        if data is None:
            continue
        learnt = f"that {judge} learnt from ({', '.join(_source(data))})"
        for source, learners in _taught(models, ends).items():
            # What a judge shares with itself is no finding.
            others = [name for name in learners if name != judge]
            if others:
                yield _compare("judge", _texts(*_source(data)), learnt, source, others)
        if models[judge]["task"] == "classifier":
            measured = f"that the accuracy of {judge} is measured on ({data['corpus']}, test)"
            for source, learners in _taught(models, lineage(models, [judge])[1:]).items():
                yield _compare("accuracy", _texts(data["corpus"], split="test"), measured, source, learners)


def _of_losses(models: Mapping[str, Any], measured: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, found in measured.items():
        texts = _texts(found["corpus"], *(found["classes"] or []), split=found["split"], limit=found["limit"])
        for source, learners in _taught(models, found["models"]).items():
            what = f"whose losses {name} measures ({found['corpus']}, {found['split']})"
            yield _compare("loss", texts, what, source, learners)


def _compare(
    kind: str, texts: Mapping[str, Any], what: str, source: Sequence[str], learners: Sequence[str]
) -> dict[str, Any]:
    """Compare ``texts`` with what the ``learners`` learnt from."""
    where = f"that {_list(learners)} learnt from ({', '.join(source)})"
    return {"kind": kind, "texts": texts, "what": what, "seen": _texts(*source), "where": where}


def lineage(models: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """The models of these names, each followed by those that it was trained from, each once."""
    found: dict[str, None] = {}
    for name in names:
        model: str | None = name
        while model is not None and model not in found:
            found[model] = None
            model = models[model]["start"].get("model")
    return list(found)


def _taught(models: Mapping[str, Any], names: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """(corpus,) or (corpus, class) to the models that learnt from it, of these models and those before them."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name in lineage(models, names):
        if "data" in models[name]:
            found.setdefault(_source(models[name]["data"]), []).append(name)
    return found


def _source(data: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(data[key] for key in ("corpus", "class") if key in data)


def _texts(corpus: str, *classes: str, split: str = "train", limit: int | None = None) -> dict[str, Any]:
    return {"corpus": corpus, "split": split, "classes": list(classes) or None, "limit": limit}


def _list(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


# --- counting


@dataclass(frozen=True)
class _Split:
    """One split: a hash of each text, (n,) uint64, and its label (missing where there is none)."""

    hashes: "np.ndarray"
    labels: "pd.Series"

    def rows(self, part: Mapping[str, Any]) -> "np.ndarray":
        """Indices, (k,) int64, of the texts of ``part`` (see ``plan``)."""
        import numpy as np

        groups = [np.arange(len(self.hashes))]
        if part["classes"] is not None:
            groups = [np.flatnonzero(self.labels == name) for name in part["classes"]]
        return np.concatenate([group[: part["limit"]] for group in groups])


def count_leaks(planned: Mapping[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """What ``leaks.json`` holds. ``paths`` are the files of ``planned["splits"]``, in their order.

    Returns ``leaks``, lines for people; ``configured`` and ``unknown``, as planned; ``compared``, a line on what was
    compared; and ``comparisons``, each as planned with ``n_texts`` and ``n_seen``, the numbers of texts on both sides,
    ``shared``, how many of the first are among the second, ``share``, ``same_corpus``, ``example`` (of a shared text;
    None if there is none) and ``line``. A judge that learns from the corpus of what it judges leaks whatever it shares.

    Texts are compared by 64-bit hashes (xxh3): 9 bytes of memory per text, and two texts of two million that differ are
    taken for the same with a probability below 1e-6. Raises ``UserError`` if a file is damaged.
    """
    import numpy as np

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
    import numpy as np
    import xxhash

    from lm_interpolation.data.parquet import read_parquet

    table = read_parquet(path, ["text", "label"])
    # Batch by batch: a corpus of long texts is large enough without Python's copy of all of them.
    hashes = (
        xxhash.xxh3_64_intdigest(same_text(text).encode())
        for batch in table.select(["text"]).to_batches(max_chunksize=10_000)
        for text in batch["text"].to_pylist()
    )
    return _Split(
        np.fromiter(hashes, dtype=np.uint64, count=len(table)), table["label"].dictionary_encode().to_pandas()
    )


def _text(path: Path, row: int) -> str:
    from lm_interpolation.data.parquet import read_parquet

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
        "loss": "the texts of losses with the training texts of the models of their sweep",
    }
    count = {kind: sum(found["kind"] == kind for found in comparisons) for kind in kinds}
    told = "; ".join(f"{kinds[kind]} ({number})" for kind, number in count.items() if number)
    return f"compared: {told}" if told else "compared: nothing, for no model is trained here on a corpus that is stored"


# --- telling


def leak_lines(path: str | os.PathLike[str]) -> list[str]:
    """For people, what ``leaks.json`` at ``path`` says: a line per leak, or on what was compared, and per unknown."""
    report = json.loads(Path(path).read_text(encoding="utf-8"))
    leaks = report["leaks"]
    if not leaks:
        leaks = [f"no text leaks; {report['compared']}" if report["comparisons"] else report["compared"]]
    return [*report["configured"], *leaks, *report["unknown"]]
