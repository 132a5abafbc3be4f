"""Corpora and prompts: a declared source becomes train/dev/test splits of (labelled) texts, or a set of prompts.

The Snakefile imports this module for `corpus_files` and `prompt_files`, so pandas, pyarrow and datasets are imported
inside the functions that need them.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import (
    SPLITS,
    Declared,
    all_documents,
    as_list,
    check_class_files,
    declared_paths,
    state_of,
)
from lm_interpolation.data.csv_files import RENAME_IN_COLUMNS, read_csv
from lm_interpolation.data.data_files import check_encoding, read_lines, read_text, require_columns, require_file
from lm_interpolation.data.hub import ShardList, fetch, locked_commit, matching_files
from lm_interpolation.data.raw_values import Key, as_string, cell_keys, quotes_hint, show_value, value_key
from lm_interpolation.data.shares import bounds, places
from lm_interpolation.jobs.runtime import UserError, announce, error_prefix

if TYPE_CHECKING:
    import pandas as pd

_SENTIMENT_CLASSES = {"negative": [0, 1], "neutral": [2], "positive": [3, 4]}
_ACCEPTABILITY_CLASSES = {"acceptable": ["acceptable"], "unacceptable": ["unacceptable"]}


# Per source: the keys it needs and the further ones that it knows.
_COMMON_KEYS = {"source", "classes", "drop", "replace", "max_words", "fractions", "limit", "seed"}
_CSV_KEYS = {"label", "separator", "columns", "quoting", "encoding"}
_CORPUS_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "sst": ({"path"}, {"detokenize", "encoding"}),
    "lines": (set(), {"files", "class_files", "label_files", "leading_label", "encoding"}),
    "documents": (set(), {"files", "class_files", "encoding"}),
    "csv": ({"files", "text"}, _CSV_KEYS),
    "jsonl": ({"files", "text"}, {"label", "encoding"}),
    "parquet": ({"files", "text"}, {"label"}),
    "hub": ({"id", "revision", "files", "text"}, _CSV_KEYS | {"stream"}),
    "datasets": ({"id", "revision", "splits", "text"}, {"label", "config"}),
    "synthetic": ({"kind", "counts"}, {"shard"}),
}
_SHARE_KEYS = {"split_from", "share", "limit", "seed"}
_PROMPT_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "jsonl": ({"path"}, {"text", "encoding"}),
    "text": ({"path"}, {"encoding"}),
    "list": ({"texts"}, set()),
}


@dataclass(frozen=True)
class _Table:
    """The needed columns of one input file; ``place(i)`` says where its row i stands, for error messages."""

    columns: Mapping[str, Sequence[Any]]
    place: Callable[[int], str]
    untyped: bool = False
    """Whether the file has text only, so that its numbers and booleans are text, and null is nothing at all."""


@dataclass(frozen=True)
class _Document:
    row: int
    text: str
    label: str | None


# --- corpora ---


def check_corpus(spec: Mapping[str, Any], name: str) -> None:
    """Check without reading anything that the keys of a source fit together, beyond what the JSON schema says.

    Raises ``UserError`` for a key that the source lacks or has no use for, and for contradictory labels or splits.
    """
    key = f"corpora.{name}"
    if "split_from" in spec:
        for useless in sorted(set(spec) - _SHARE_KEYS):
            raise UserError(f"{key}.{useless}: a corpus that is split from another has no use for it; remove it")
        return
    _check_keys(spec, key, _CORPUS_KEYS, _COMMON_KEYS)
    check_encoding(spec, key)
    if spec["source"] in ("lines", "documents"):
        _check_layout(spec, key)
    _class_of_label(spec, key)
    if spec.get("stream"):
        _check_stream(spec, key)
        return
    if "columns" in spec:
        require_columns(_needed_columns(spec), spec["columns"], f"{key}.columns", RENAME_IN_COLUMNS)
    match spec["source"]:
        case "datasets":
            own: Iterable[str] = spec["splits"]
        case "sst" | "synthetic":
            own = SPLITS
        case _:
            own = declared_paths(spec)
    _check_fractions(spec, key, own)
    if spec["source"] == "hub":
        for split, paths in spec["files"].items():
            for path in as_list(paths):
                _format(path, f"{key}.files.{split}")


def _check_layout(spec: Mapping[str, Any], key: str) -> None:
    """Plain text has either files or files of classes, and its labels from one place."""
    source = spec["source"]
    if ("files" in spec) == ("class_files" in spec):
        raise UserError(
            f"{key}: source {source} needs either files, or class_files, which name the classes; give one of them"
        )
    if "class_files" in spec:
        for useless in ("classes", "label_files", "leading_label"):
            if spec.get(useless):
                raise UserError(f"{key}.{useless}: source {source} takes its classes from class_files; remove this key")
        check_class_files(spec["class_files"], key)
    if "label_files" in spec:
        if spec.get("leading_label"):
            raise UserError(f"{key}.leading_label: the labels are in label_files; remove one of the two")
        texts, labels = (declared_paths(spec, part) for part in ("files", "label_files"))
        for split in SPLITS:
            counts = [len(part.get(split, [])) for part in (texts, labels)]
            if counts[0] != counts[1]:
                raise UserError(
                    f"{key}.label_files.{split}: {counts[1]} files of labels for {counts[0]} files of texts; give one "
                    "for each, in the same order"
                )


def _check_stream(spec: Mapping[str, Any], key: str) -> None:
    """A stream is not changed on its way, and has a dev split that fits into memory."""
    steps = {
        "label",
        "classes",
        "drop",
        "replace",
        "max_words",
        "fractions",
        "separator",
        "columns",
        "quoting",
        "encoding",
    }
    for useless in sorted(steps & set(spec)):
        raise UserError(f"{key}.{useless}: a stream is read as it is; remove it, or stream")
    if "dev" not in spec["files"] or "dev" not in spec.get("limit", {}):
        raise UserError(
            f"{key}: a stream needs files.dev and limit.dev, the texts that losses are watched on; add them"
        )
    for part, known in (("files", {"train", "dev"}), ("limit", {"dev"})):
        for split in sorted(set(spec[part]) - known):
            raise UserError(f"{key}.{part}.{split}: a stream has no use for it; remove it")
    for path in (*as_list(spec["files"]["train"]), *as_list(spec["files"]["dev"])):
        if _format(path, f"{key}.files") != "jsonl":
            raise UserError(f"{key}.files: {path} is not JSON lines; only those can be streamed")


def _format(path: str, key: str) -> str:
    """Which reader reads a file of the hub, by its name."""
    suffix = Path(path.removesuffix(".gz")).suffix
    formats = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".json": "jsonl", ".jsonl": "jsonl", ".parquet": "parquet"}
    if suffix not in formats:
        raise UserError(f"{key}: {path} ends in none of {', '.join(formats)} (or these with .gz); name other files")
    return formats[suffix]


def _check_keys(
    spec: Mapping[str, Any], key: str, keys_of: Mapping[str, tuple[set[str], set[str]]], common: set[str]
) -> None:
    required, optional = keys_of[spec["source"]]
    for missing in sorted(required - set(spec)):
        raise UserError(f"{key}.{missing}: missing; source {spec['source']} needs it")
    for useless in sorted(set(spec) - required - optional - common):
        raise UserError(f"{key}.{useless}: source {spec['source']} has no use for it; remove it")


def check_corpus_files(spec: Mapping[str, Any], name: str) -> None:
    """Raise ``UserError`` for a file of this source that is not there, and for a pointer in its place.

    Of documents only the first of each folder or glob is looked into: there may be many.
    """
    key = f"corpora.{name}"
    if spec["source"] == "documents":
        found = [pair for files in all_documents(spec, key).values() for pair in files]
        firsts = {entry.key + entry.path: (file, entry.key) for file, entry in reversed(found)}
        declared = list(firsts.values())
    else:
        declared = [(path, part) for part, path in _local_files(spec)]
    for path, part in declared:
        check_data_file(path, f"{key}.{part}")


def check_data_file(path: str, key: str) -> None:
    """Raise ``UserError`` if the file that the config key ``key`` names is not there, or is a pointer in its place."""
    if not Path(path).is_file() and not Path(path).is_symlink():
        raise UserError(f"{key}: no file {path}; correct the path (relative ones start at {Path.cwd()})")
    with error_prefix(key):
        require_file(Path(path), key)


def corpus_files(spec: Mapping[str, Any]) -> list[str]:
    """The input files of the job that reads this source; none if it is ``synthetic`` or on the hub.

    Of ``documents`` it is the newest alone, see ``corpus_digest``.
    """
    match spec["source"]:
        case "documents":
            return [state_of(all_documents(spec, ""))[0]]
        case "datasets" if Path(spec["id"]).is_dir():
            return sorted(str(path) for path in Path(spec["id"]).rglob("*") if path.is_file())
        case _:
            return [path for _, path in _local_files(spec)]


def corpus_digest(spec: Mapping[str, Any]) -> str | None:
    """What tells, besides ``corpus_files``, that this source has changed: of ``documents`` a digest, else None."""
    return state_of(all_documents(spec, ""))[1] if spec["source"] == "documents" else None


def _local_files(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key within the corpus, path) of the files that a source names one by one."""
    match spec["source"]:
        case "sst":
            for split in SPLITS:
                yield "path", str(Path(spec["path"]) / f"{split}.txt")
        case "csv" | "jsonl" | "parquet" | "lines":
            for part in (None, "label_files"):
                for entries in declared_paths(spec, part).values():
                    for entry in entries:
                        yield entry.key, entry.path


def load_corpus(spec: Mapping[str, Any], name: str, hub_lock: str | None = None) -> dict[str, "pd.DataFrame"]:
    """Read a declared corpus: a frame for each of train, dev and test, none of them empty.

    ``hub_lock`` is the file in which commits on the hub are kept (see ``hub.locked_commit``).

    The columns are ``row`` (int64, index of the document among the rows of the files of its split, or of the train
    files if ``fractions`` moved it to dev or test), ``text`` (str, stripped, non-empty) and ``label`` (str, a class
    name; None in an unlabelled corpus).

    The steps, in this order: ``drop`` rows, ``replace`` in texts and strip them, drop empty texts, map raw labels to
    ``classes``, move ``fractions`` of the train documents to dev and test, cut texts into pieces of at most
    ``max_words`` words (each run of whitespace becomes one space), take a random subset of at most ``limit`` of these
    texts. Subsets depend on ``seed`` only, keep the order of the source, and a smaller one is part of a larger one.

    Raises ``UserError`` for a file or column that is missing, text in another encoding, malformed input, a value of
    ``drop`` that no row has, a label in no class, and a class or split without texts.
    """
    check_corpus(spec, name)
    key = f"corpora.{name}"
    classes = _class_of_label(spec, key)
    label_column = _label_column(spec)
    tables = _read_source(spec, key, hub_lock)
    _check_drop([table for tables_of_split in tables.values() for table in tables_of_split], spec, key)
    documents = {
        split: _documents(tables_of_split, spec, f"{key}, {split}", label_column, classes)
        for split, tables_of_split in tables.items()
    }
    documents = _split_off(documents, spec)
    texts = {split: _pieces(documents[split], spec) for split in SPLITS}
    return _frames(texts, spec, name, {split: f" from {len(documents[split])} documents" for split in SPLITS})


def load_share(spec: Mapping[str, Any], name: str, parent: Mapping[str, str | Path]) -> dict[str, "pd.DataFrame"]:
    """The part of another corpus that a resolved ``split_from`` entry takes; ``parent`` has the file of each split.

    The result is as of ``load_corpus``; ``row`` is that of the parent. Which texts come to which share depends on the
    parent alone (``shares.places``). Raises ``UserError`` for a class or split without texts.
    """
    from lm_interpolation.data.parquet import read_parquet

    rows: dict[str, list[tuple[int, str, str | None]]] = {}
    for split in SPLITS:
        columns = read_parquet(parent[split], ["row", "text", "label"]).to_pydict()
        rows[split] = list(zip(columns["row"], columns["text"], columns["label"], strict=True))
    found = places(rows)
    begin, end = bounds(spec)
    texts, sources = {}, {}
    for split in SPLITS:
        placed = zip(found[split], rows[split], strict=True)
        texts[split] = [_Document(*row) for place, row in placed if begin <= place < end]
        part = len(texts[split]) / len(rows[split])
        sources[split] = f" ({part:.1%} of the {len(rows[split])} of {spec['split_from']})"
    return _frames(texts, spec, name, sources)


def _pieces(documents: list[_Document], spec: Mapping[str, Any]) -> list[_Document]:
    """Documents cut at ``max_words``, if that is set."""
    if "max_words" not in spec:
        return documents
    return [
        replace(document, text=piece)
        for document in documents
        for piece in split_text(document.text, spec["max_words"])
    ]


def _frames(
    documents: Mapping[str, list[_Document]], spec: Mapping[str, Any], name: str, sources: Mapping[str, str]
) -> dict[str, "pd.DataFrame"]:
    """Take subsets of ``limit`` texts, and make a frame of each split; ``sources`` says in the log of what they are."""
    import pandas as pd

    key = f"corpora.{name}"
    remedy = "a larger share" if "split_from" in spec else "files, a fraction of train or a larger limit"
    frames = {}
    for split in SPLITS:
        texts = documents[split]
        limit = spec.get("limit", {}).get(split, len(texts))
        texts = [texts[i] for i in _subset(len(texts), limit, f"{spec.get('seed', 0)} limit {split}")]
        if not texts:
            raise UserError(f"{key}: no text in the {split} split; give it {remedy}")
        counts = dict.fromkeys(class_names(spec), 0)
        for text in texts:
            if text.label is not None:
                counts[text.label] += 1
        for class_name, count in counts.items():
            if count == 0 and "split_from" in spec:
                raise UserError(
                    f"{key}: no text of class {class_name} in the {split} split; give it a larger share or limit, or "
                    f"add texts to {spec['split_from']}"
                )
            if count == 0 and "class_files" in spec:
                raise UserError(
                    f"{key}.class_files.{class_name}: none of its texts is in the {split} split; give it more "
                    "texts, or larger fractions"
                )
            if count == 0:
                raise UserError(
                    f"{key}.classes.{class_name}: empty class, no text of the {split} split has one of its labels; "
                    "correct its labels, or take the class out and drop its labels"
                )
        announce(
            f"[corpus {name}] {split}: {len(texts)} texts{sources[split]}"
            + "".join(f", {count} {class_name}" for class_name, count in counts.items())
        )
        frames[split] = pd.DataFrame(
            {
                "row": pd.Series([text.row for text in texts], dtype="int64"),
                "text": pd.Series([text.text for text in texts], dtype="str"),
                # Of type object, because None would become NaN in a pandas string column.
                "label": pd.Series([text.label for text in texts], dtype="object"),
            }
        )
    return frames


def load_stream(spec: Mapping[str, Any], name: str, hub_lock: str | None = None) -> tuple[ShardList, "pd.DataFrame"]:
    """The files of a streamed corpus' training texts, and its dev split (columns as of ``load_corpus``).

    The dev split is a random subset of the first dev files that hold ``limit.dev`` texts. Raises ``UserError`` as
    ``load_corpus`` does, and if the dev files have fewer texts.
    """
    import pandas as pd

    check_corpus(spec, name)
    key = f"corpora.{name}"
    commit = locked_commit(spec["id"], "dataset", spec["revision"], hub_lock)
    train, dev = (
        matching_files(spec["id"], commit, as_list(spec["files"][split]), f"{key}.files.{split}")
        for split in ("train", "dev")
    )
    limit = spec["limit"]["dev"]
    tables: list[_Table] = []
    documents: list[_Document] = []
    for file in dev:
        tables.append(_read_jsonl(fetch(spec["id"], commit, file), f"{key}.files.dev", [spec["text"]], spec))
        documents = _documents(tables, spec, f"{key}, dev", None, {})
        if len(documents) >= limit:
            break
    else:
        raise UserError(f"{key}.limit.dev: the files of dev have only {len(documents)} texts; lower it to that")
    chosen = [documents[i] for i in _subset(len(documents), limit, f"{spec.get('seed', 0)} limit dev")]
    announce(f"[corpus {name}] train: a stream of {len(train)} files; dev: {len(chosen)} texts")
    frame = pd.DataFrame(
        {
            "row": pd.Series([document.row for document in chosen], dtype="int64"),
            "text": pd.Series([document.text for document in chosen], dtype="str"),
            "label": pd.Series([None] * len(chosen), dtype="object"),
        }
    )
    return ShardList(spec["id"], commit, tuple(train), spec["text"]), frame


def write_corpus(splits: Mapping[str, "pd.DataFrame"], paths: Mapping[str, Path]) -> None:
    """Write each split to its Parquet file: ``row`` int64, ``text`` string, ``label`` string (null if unlabelled)."""
    for split, frame in splits.items():
        _write(frame, Path(paths[split]), labelled=True)


def read_corpus_split(path: str | Path, label: str | None = None) -> list[str]:
    """The texts of a split written by `write_corpus`, of one class if ``label`` is given, in the order of the file.

    Raises ``UserError`` if there are none.
    """
    from lm_interpolation.data.parquet import read_parquet

    table = read_parquet(path, ["text", "label"])
    texts, labels = table["text"].to_pylist(), table["label"].to_pylist()
    if label is not None:
        classes = sorted({str(raw) for raw in labels if raw is not None})
        texts = [text for text, raw in zip(texts, labels, strict=True) if raw == label]
        if not texts:
            has = f"its classes are {', '.join(classes)}" if classes else "it has no labels"
            raise UserError(f"{path}: no text of class {label!r}; {has}")
    if not texts:
        raise UserError(f"{path}: no texts; a corpus split needs at least one")
    return texts


def read_labelled_split(path: str | Path) -> tuple[list[str], list[str]]:
    """Texts and class names of a split written by `write_corpus` from a labelled corpus, in the order of the file."""
    from lm_interpolation.data.parquet import read_parquet

    table = read_parquet(path, ["text", "label"])
    return table["text"].to_pylist(), table["label"].to_pylist()


def class_names(spec: Mapping[str, Any]) -> list[str]:
    """Names of the classes of a declared corpus, sorted; empty if it is unlabelled."""
    return sorted(set(_class_of_label(spec, "").values()))


def split_text(text: str, max_words: int) -> list[str]:
    """Cut a text into pieces of at most ``max_words`` whitespace-separated words, joined by single spaces.

    Whole sentences (which end at ``.``, ``!`` or ``?`` before whitespace) are packed greedily; a sentence that is
    longer than ``max_words`` is cut after every ``max_words`` words.
    """
    pieces: list[str] = []
    piece: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()
        for start in range(0, len(words), max_words):
            part = words[start : start + max_words]
            if len(piece) + len(part) > max_words:
                pieces.append(" ".join(piece))
                piece = []
            piece.extend(part)
    if piece:
        pieces.append(" ".join(piece))
    return pieces


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def _class_of_label(spec: Mapping[str, Any], key: str) -> dict[Key, str]:
    """Raw label (as it is compared) -> class name; empty for an unlabelled corpus."""
    if spec["source"] == "sst" or (spec["source"], spec.get("kind")) == ("synthetic", "reviews"):
        classes = spec.get("classes", _SENTIMENT_CLASSES)
    elif (spec["source"], spec.get("kind")) == ("synthetic", "acceptability"):
        classes = spec.get("classes", _ACCEPTABILITY_CLASSES)
    elif "class_files" in spec:
        classes = {name: [name] for name in spec["class_files"]}
    else:
        classes, column = spec.get("classes", {}), _label_column(spec)
        if classes and column is None:
            where = "label_files or leading_label" if spec["source"] == "lines" else "its `label` column"
            raise UserError(f"{key}.classes: the source has no labels; name {where} or remove this key")
        if not classes and column is not None:
            raise UserError(f"{key}.classes: missing; map the values of {column!r} to classes or take no labels")
    class_of_label: dict[Key, str] = {}
    # Two labels are one if a cell may answer to both.
    class_of_cell: dict[Key, str] = {}
    for class_name, labels in classes.items():
        for label in labels:
            cells = cell_keys(label, untyped=True)
            known = [class_of_cell.get(value_key(label)), *map(class_of_label.get, cells)]
            other = next((found for found in known if found not in (None, class_name)), None)
            if other is not None:
                raise UserError(
                    f"{key}.classes.{class_name}: label {as_string(label)} is also in {other}; keep it in one class"
                )
            class_of_label[value_key(label)] = class_name
            class_of_cell |= dict.fromkeys(cells, class_name)
    return class_of_label


def _label_column(spec: Mapping[str, Any]) -> str | None:
    synthetic = spec["source"] == "synthetic" and spec["kind"] != "general"
    plain = "class_files" in spec or "label_files" in spec or spec.get("leading_label", False)
    if spec["source"] == "sst" or synthetic or plain:
        return "label"
    return spec.get("label")


def _needed_columns(spec: Mapping[str, Any]) -> list[str]:
    """The columns that are read: first that of the texts, then the label's and those of ``drop``."""
    label = _label_column(spec)
    return list(dict.fromkeys([spec.get("text", "text"), *([label] if label else []), *spec.get("drop", {})]))


def _check_drop(tables: Sequence[_Table], spec: Mapping[str, Any], key: str) -> None:
    """Raise ``UserError`` for a value of ``drop`` that no row of the corpus has."""
    for column, values in spec.get("drop", {}).items():
        # Told apart by type, since to Python true is 1, and as text, since a list has no hash.
        cells: dict[tuple[type, str, bool], Any] = {}
        counts: Counter[tuple[type, str, bool]] = Counter()
        for table in tables:
            for cell in table.columns[column]:
                kind = (type(cell), as_string(cell), table.untyped)
                cells[kind] = cell
                counts[kind] += 1
        answered = {found for kind, cell in cells.items() for found in cell_keys(cell, untyped=kind[2])}
        for value in values:
            if value_key(value) not in answered:
                shown = [show_value(cells[kind]) for kind, _ in counts.most_common(5)]
                more = ", ..." if len(cells) > len(shown) else ""
                raise UserError(
                    f"{key}.drop.{column}: no row has {show_value(value)} there{quotes_hint(value, cells.values())}; "
                    f"correct or remove it, the column has {', '.join(shown)}{more}"
                )


def _documents(
    tables: Iterable[_Table],
    spec: Mapping[str, Any],
    what: str,
    label_column: str | None,
    class_of_label: Mapping[Key, str],
) -> list[_Document]:
    """Drop rows, clean the texts, and name the classes of one split; ``what`` names it in messages."""
    text_column = spec.get("text", "text")
    drops = {column: set(map(value_key, values)) for column, values in spec.get("drop", {}).items()}
    documents = []
    first, dropped, empty = 0, 0, 0
    for table in tables:
        texts = table.columns[text_column]
        for i, raw in enumerate(texts):
            if any(
                not values.isdisjoint(cell_keys(table.columns[column][i], table.untyped))
                for column, values in drops.items()
            ):
                dropped += 1
                continue
            text = checked_text(raw, table.place(i))
            for old, new in spec.get("replace", {}).items():
                text = text.replace(old, new)
            text = text.strip()
            if not text:
                empty += 1
                continue
            label = None
            if label_column is not None:
                cell = table.columns[label_column][i]
                keys = cell_keys(cell, table.untyped)
                label = next((class_of_label[found] for found in keys if found in class_of_label), None)
                if label is None:
                    raise UserError(f"{table.place(i)}: {_unknown_label(cell, keys, label_column, spec)}")
            documents.append(_Document(first + i, text, label))
        first += len(texts)
    if first and not documents:
        raise UserError(f"{what}: no text is left of {first} rows, {dropped} dropped by `drop`, {empty} empty")
    if dropped or empty:
        announce(f"[{what}] left out {dropped} rows by `drop` and {empty} empty texts of {first} rows")
    return documents


def _unknown_label(cell: Any, keys: Sequence[Key], column: str, spec: Mapping[str, Any]) -> str:
    """For an error: that a raw label is in no class, and what to do."""
    missing = value_key(None) in keys
    shown = "null" if missing else show_value(cell)
    labels = [label for labels in spec.get("classes", {}).values() for label in labels]
    hint = next((hint for label in labels if (hint := quotes_hint(label, [cell]))), "")
    add = "" if missing else "add it to one under `classes`, or "
    return f"label {shown} is in no class{hint}; {add}drop its rows with `drop: {{{column}: [{shown}]}}`"


def _check_fractions(spec: Mapping[str, Any], key: str, own: Iterable[str]) -> None:
    """Check that each split has either data of its ``own`` or a fraction of train."""
    own = set(own)
    fractions: Mapping[str, float] = spec.get("fractions", {})
    for split in fractions:
        if split in own:
            raise UserError(f"{key}.fractions.{split}: the split has data of its own; remove one of the two")
    if sum(fractions.values()) >= 1:
        raise UserError(f"{key}.fractions: they sum to {sum(fractions.values()):g}; leave some of train to train")
    for split in SPLITS:
        if split not in own and (split == "train" or split not in fractions):
            remedy = "give it data" if split == "train" else f"give it data, or add fractions.{split}"
            raise UserError(f"{key}: no source for the {split} split; {remedy}")


def _split_off(documents: Mapping[str, list[_Document]], spec: Mapping[str, Any]) -> dict[str, list[_Document]]:
    """Move ``fractions`` of the train documents into the splits that have no files of their own."""
    fractions: Mapping[str, float] = spec.get("fractions", {})
    train = documents["train"]
    order = _shuffled(len(train), f"{spec.get('seed', 0)} fractions")
    result = dict(documents)
    taken = 0
    for split in SPLITS:
        if split in fractions:
            count = round(fractions[split] * len(train))
            result[split] = [train[i] for i in sorted(order[taken : taken + count])]
            taken += count
    result["train"] = [train[i] for i in sorted(order[taken:])]
    return result


def _shuffled(count: int, seed: str) -> list[int]:
    """A random order of 0..count-1. It rests on ``random.random`` alone, whose sequence Python guarantees."""
    generator = random.Random(seed)
    keys = [generator.random() for _ in range(count)]
    return sorted(range(count), key=keys.__getitem__)


def _subset(count: int, size: int, seed: str) -> list[int]:
    """``size`` random indices out of ``count``, ascending (all of them if there are no more)."""
    return list(range(count)) if size >= count else sorted(_shuffled(count, seed)[:size])


# --- readers ---


def _read_source(spec: Mapping[str, Any], key: str, hub_lock: str | None) -> dict[str, list[_Table]]:
    """The input tables of each split that has data of its own, in the order train, dev, test."""
    columns = _needed_columns(spec)
    tables: dict[str, list[_Table]] = {}
    match spec["source"]:
        case "sst":
            for split in SPLITS:
                path = Path(spec["path"]) / f"{split}.txt"
                tables[split] = [_read_sst(path, f"{key}.path", columns, spec)]
        case "lines":
            labels = declared_paths(spec, "label_files")
            for split, entries in declared_paths(spec).items():
                paired = labels.get(split, [None] * len(entries))
                tables[split] = [
                    _read_text_lines(text, label, key, columns, spec)
                    for text, label in zip(entries, paired, strict=True)
                ]
        case "documents":
            for split, files in all_documents(spec, key).items():
                tables[split] = [_read_documents(files, key, columns, spec)]
        case "csv" | "jsonl" | "parquet" as source:
            for split, entries in declared_paths(spec).items():
                tables[split] = [
                    _READERS[source](Path(entry.path), f"{key}.{entry.key}", columns, spec) for entry in entries
                ]
        case "hub":
            commit = locked_commit(spec["id"], "dataset", spec["revision"], hub_lock)
            for split in SPLITS:
                if split in spec["files"]:
                    file_key = f"{key}.files.{split}"
                    tables[split] = [
                        _READERS[_format(file, file_key)](fetch(spec["id"], commit, file), file_key, columns, spec)
                        for file in matching_files(spec["id"], commit, as_list(spec["files"][split]), file_key)
                    ]
        case "datasets":
            for split in SPLITS:
                if split in spec["splits"]:
                    tables[split] = [_read_dataset(spec, split, key, columns)]
        case "synthetic":
            from lm_interpolation.data.synthetic.texts import generate

            shard = spec.get("shard", {"index": 0, "count": 1})
            generated = generate(spec["kind"], spec["counts"], spec.get("seed", 0), (shard["index"], shard["count"]))
            for split in SPLITS:
                tables[split] = [_synthetic_table(generated[split], f"{key}, {split}", columns)]
    return tables


def _synthetic_table(rows: Sequence[tuple[str, Any]], place: str, columns: Sequence[str]) -> _Table:
    values = {"text": [text for text, _ in rows], "label": [raw for _, raw in rows]}
    require_columns(columns, list(values), place)
    return _Table(values, lambda i: f"{place}, text {i}")


def _read_text_lines(
    text: Declared, labels: Declared | None, key: str, columns: Sequence[str], spec: Mapping[str, Any]
) -> _Table:
    """One text per line; its label comes from the file's class, from the same line of ``labels``, or stands first."""
    path, encoding = Path(text.path), spec.get("encoding", "utf-8")
    values: dict[str, list[str]] = {"text": read_lines(path, f"{key}.{text.key}", encoding)}
    if not any(map(str.strip, values["text"])):
        raise UserError(f"{path}: holds no text; put one on each line, or take the file out of {key}.{text.key}")
    count = len(values["text"])
    if text.class_name is not None:
        values["label"] = [text.class_name] * count
    elif labels is not None:
        lines = read_lines(Path(labels.path), f"{key}.{labels.key}", encoding)
        if len(lines) != count:
            raise UserError(
                f"{labels.path}: {len(lines)} lines of labels for the {count} lines of {path}; give one for each"
            )
        values["label"] = [line.strip() for line in lines]
    elif spec.get("leading_label", False):
        parts = [line.split(maxsplit=1) for line in values["text"]]
        values = {
            "text": [part[1] if len(part) > 1 else "" for part in parts],
            "label": [part[0] if part else "" for part in parts],
        }
        for number, (label, rest) in enumerate(zip(values["label"], values["text"], strict=True), start=1):
            if label.startswith(_FASTTEXT) and rest.startswith(_FASTTEXT):
                raise UserError(f"{path}:{number}: two labels, {label} and {rest.split()[0]}; leave one to each text")
    require_columns(columns, list(values), str(path))
    return _Table(values, lambda i: f"{path}:{i + 1}", untyped=True)


_FASTTEXT = "__label__"
"""With it fastText begins labels, of which a line may have several."""


def _read_documents(
    files: Sequence[tuple[str, Declared]], key: str, columns: Sequence[str], spec: Mapping[str, Any]
) -> _Table:
    """One text per file, of one split; its label is the file's class."""
    encoding = spec.get("encoding", "utf-8")
    values = {"text": [read_text(Path(file), f"{key}.{entry.key}", encoding) for file, entry in files]}
    if "class_files" in spec:
        values["label"] = [str(entry.class_name) for _, entry in files]
    require_columns(columns, list(values), key)
    return _Table(values, lambda i: files[i][0], untyped=True)


def _read_sst(path: Path, key: str, columns: Sequence[str], spec: Mapping[str, Any]) -> _Table:
    """Root labels and sentences of a file of Stanford Sentiment Treebank trees (Socher et al. 2013), one per line."""
    texts, labels = [], []
    for number, line in enumerate(read_lines(path, key, spec.get("encoding", "utf-8")), start=1):
        try:
            label, tokens = _parse_tree(line)
        except ValueError as error:
            raise UserError(
                f"{path}:{number}: malformed tree, {error}; expected lines like (3 (2 Good) (2 .))"
            ) from None
        if label not in ("0", "1", "2", "3", "4"):
            raise UserError(
                f"{path}:{number}: label {label} outside 0..4; expected 0 (very negative) to 4 (very positive)"
            )
        texts.append(detokenize(tokens) if spec.get("detokenize") else " ".join(_unescape(token) for token in tokens))
        labels.append(label)
    require_columns(columns, ["text", "label"], str(path))
    return _Table({"text": texts, "label": labels}, lambda i: f"{path}:{i + 1}", untyped=True)


_TREE_TOKEN = re.compile(r"[()]|[^() ]+")


def _parse_tree(line: str) -> tuple[str, list[str]]:
    """Root label and leaves of ``(label word)`` or ``(label tree tree ...)``.

    Raises ``ValueError`` that says what is wrong.
    """
    root = None
    leaves: list[str] = []
    # What each open node has so far, outermost first.
    nothing, label, word, trees = range(4)
    open_nodes: list[int] = []
    for token in _TREE_TOKEN.findall(line):
        if not open_nodes and (root is not None or token != "("):
            raise ValueError(f"{token!r} outside the tree")
        if token == "(":
            if open_nodes:
                if open_nodes[-1] not in (label, trees):
                    raise ValueError("'(' where a label or ')' should be")
                open_nodes[-1] = trees
            open_nodes.append(nothing)
        elif token == ")":
            if open_nodes.pop() not in (word, trees):
                raise ValueError("')' closes a node without words")
        elif open_nodes[-1] == nothing:
            open_nodes[-1] = label
            root = token if root is None else root
        elif open_nodes[-1] == label:
            open_nodes[-1] = word
            leaves.append(token)
        else:
            raise ValueError(f"{token!r} where '(' or ')' should be")
    if root is None:
        raise ValueError("the line is empty")
    if open_nodes:
        raise ValueError(f"{len(open_nodes)} '(' not closed")
    return root, leaves


_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
_QUOTES = {"``": '"', "''": '"', "`": "'"}
_ATTACHED_TO_PREVIOUS = re.compile(r"[.,:;!?]+|''|'|%|[)\]}]|n't|'(s|re|ve|ll|d|m)", re.IGNORECASE)
_ATTACHED_TO_NEXT = {"``", "`", "$", "#", "(", "[", "{"}


def _unescape(token: str) -> str:
    return _BRACKETS.get(token) or token.replace("\\/", "/").replace("\\*", "*")


def detokenize(tokens: Iterable[str]) -> str:
    """Natural text of Penn Treebank tokens: clitics and punctuation joined, brackets and quotes as people type them.

    >>> detokenize("It is n't `` bad '' -LRB- really -RRB- .".split())
    'It isn\\'t "bad" (really).'
    """
    text = ""
    glue = ""
    for token in map(_unescape, tokens):
        if not _ATTACHED_TO_PREVIOUS.fullmatch(token):
            text += glue
        text += _QUOTES.get(token, token)
        glue = "" if token in _ATTACHED_TO_NEXT else " "
    return text


def _read_csv(path: Path, key: str, columns: Sequence[str], spec: Mapping[str, Any]) -> _Table:
    """A table of separated values, see ``csv_files.read_csv``."""
    values, lines = read_csv(path, key, columns, spec)
    return _Table(values, lambda i: f"{path}:{lines[i]}", untyped=True)


def _read_jsonl(path: Path, key: str, columns: Sequence[str], spec: Mapping[str, Any]) -> _Table:
    """One JSON object per line; a dotted column (``prompt.text``) is a field of a nested object."""
    values: dict[str, list[Any]] = {column: [] for column in columns}
    for number, line in enumerate(read_lines(path, key, spec.get("encoding", "utf-8")), start=1):
        try:
            record = json.loads(line, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path}:{number}: malformed JSON, {error.msg} at column {error.colno}; mend the line"
            ) from None
        except (ValueError, RecursionError) as error:
            # A key that stands there twice, or numbers and nesting beyond what Python reads.
            raise UserError(f"{path}:{number}: cannot read the JSON, {error}; mend the line") from None
        if not isinstance(record, dict):
            raise UserError(f"{path}:{number}: not a JSON object but {type(record).__name__}; expected one per line")
        for column in columns:
            values[column].append(field_of(record, column, f"{path}:{number}"))
    return _Table(values, lambda i: f"{path}:{i + 1}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ``ValueError`` for a key that it has twice, of which Python would take the last."""
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return record


def field_of(record: Mapping[str, Any], column: str, place: str) -> Any:
    """The value of ``column``, or of the nested field that a dotted name means. ``UserError`` if there is none."""
    if column in record:
        return record[column]
    value: Any = record
    for part in column.split("."):
        if not isinstance(value, dict) or part not in value:
            raise UserError(f"{place}: no column {column!r}; the line has {', '.join(_dotted_names(record))}")
        value = value[part]
    return value


def _dotted_names(record: Mapping[str, Any]) -> list[str]:
    names = []
    for name, value in record.items():
        names += [f"{name}.{inner}" for inner in _dotted_names(value)] if isinstance(value, dict) else [name]
    return names


def _read_parquet(path: Path, key: str, columns: Sequence[str], spec: Mapping[str, Any]) -> _Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    require_file(path, key)
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        require_columns(columns, file.schema_arrow.names, str(path))
        table = file.read(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({_one_line(error)}); check {key}") from None
    values = {}
    for column in columns:
        try:
            values[column] = table[column].to_pylist()
        except UnicodeDecodeError:
            raise UserError(f"{path}: column {column!r} is not UTF-8 text; convert it") from None
    return _Table(values, lambda i: f"{path}, row {i}")


_READERS: dict[str, Callable[[Path, str, Sequence[str], Mapping[str, Any]], _Table]] = {
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "parquet": _read_parquet,
}


def _read_dataset(spec: Mapping[str, Any], split: str, key: str, columns: Sequence[str]) -> _Table:
    """One split of a Hugging Face dataset: a hub id, or a local folder in a form that ``load_dataset`` knows."""
    import datasets

    source, hub_split = spec["id"], spec["splits"][split]
    for path in corpus_files(spec):
        require_file(Path(path), f"{key}.id")
    try:
        dataset = datasets.load_dataset(source, spec.get("config"), split=hub_split, revision=spec["revision"])
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise UserError(
            f"{key}.id: cannot load split {hub_split!r} of dataset {source!r} at revision {spec['revision']!r} "
            f"({_one_line(error)}); check id, config, revision and splits, and that the hub is reachable or the "
            "dataset was downloaded before"
        ) from None
    require_columns(columns, dataset.column_names, f"{key}, dataset {source}, split {hub_split}")
    return _Table(dataset.select_columns(list(columns))[:], lambda i: f"{source}, split {hub_split}, row {i}")


def checked_text(value: Any, place: str) -> str:
    """``value`` if it is text that can be written as UTF-8; a ``UserError`` that names ``place`` otherwise."""
    if not isinstance(value, str):
        raise UserError(f"{place}: the text is {as_string(value)}, not a string; mend or drop the row")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            code = ord(value[error.start])
            raise UserError(
                f"{place}: half of a surrogate pair (\\u{code:04x}) in the text; mend or drop the row"
            ) from None
    return value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


# --- prompts ---


def check_prompts(spec: Mapping[str, Any], name: str) -> None:
    """Check without reading anything that the keys fit the source; raises ``UserError`` otherwise."""
    _check_keys(spec, f"prompts.{name}", _PROMPT_KEYS, {"source", "sample", "seed", "too_long"})
    check_encoding(spec, f"prompts.{name}")


def prompt_files(spec: Mapping[str, Any]) -> list[str]:
    """The input files that `load_prompts` reads for this source."""
    return [] if spec["source"] == "list" else [spec["path"]]


def load_prompts(spec: Mapping[str, Any], name: str) -> "pd.DataFrame":
    """Read a declared prompt source: a frame of ``row`` (int64, 0-based index in the source) and ``text`` (str).

    Texts are as in the source, not stripped, and may occur more than once. ``sample`` takes exactly so many at random
    (by ``seed``), in the order of the source. Raises ``UserError`` for a file or column that is missing, malformed
    input, an empty prompt anywhere in the source, and fewer prompts than ``sample``.
    """
    import pandas as pd

    check_prompts(spec, name)
    key = f"prompts.{name}"
    match spec["source"]:
        case "list":
            table = _Table({"text": spec["texts"]}, lambda i: f"{key}.texts[{i}]")
            texts = table.columns["text"]
        case "text":
            path = Path(spec["path"])
            lines = read_lines(path, f"{key}.path", spec.get("encoding", "utf-8"))
            table = _Table({"text": lines}, lambda i: f"{path}:{i + 1}")
            texts = table.columns["text"]
        case _:
            column = spec.get("text", "prompt.text")
            table = _read_jsonl(Path(spec["path"]), f"{key}.path", [column], spec)
            texts = table.columns[column]
    for i, text in enumerate(texts):
        if not checked_text(text, table.place(i)).strip():
            raise UserError(f"{table.place(i)}: empty prompt; write one or remove it")
    count = len(texts)
    if not count:
        raise UserError(f"{key}: no prompts; give at least one")
    sample = spec.get("sample", count)
    if sample > count:
        raise UserError(f"{key}.sample: {sample} prompts wanted, but the source has {count}; lower it")
    rows = _subset(count, sample, f"{spec.get('seed', 0)} sample")
    return pd.DataFrame(
        {"row": pd.Series(rows, dtype="int64"), "text": pd.Series([texts[i] for i in rows], dtype="str")}
    )


def write_prompts(prompts: "pd.DataFrame", path: str | Path) -> None:
    """Write prompts to a Parquet file: ``row`` int64, ``text`` string."""
    _write(prompts, Path(path), labelled=False)


def _write(frame: "pd.DataFrame", path: Path, labelled: bool) -> None:
    import pyarrow as pa

    from lm_interpolation.data.parquet import write_parquet

    # Spelt out, because a label column of nulls alone would otherwise be of type null.
    fields = [("row", pa.int64()), ("text", pa.string()), *([("label", pa.string())] if labelled else [])]
    table = pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False)
    write_parquet(table.replace_schema_metadata(None), path)
