"""Text files in one zip or tar archive, a common form of downloads; the archive is not unpacked."""

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.archives import archive_files
from lm_interpolation.data.corpus_paths import Declared, declared_paths
from lm_interpolation.data.data_files import decode_text, require_columns, require_file
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import CLASS_FILES, REMEDIES, make_corpus
from lm_interpolation.jobs.runtime import UserError

if TYPE_CHECKING:
    import pandas as pd


def load_archive(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Read each file of an archive that a pattern matches as one text; see ``make_corpus``.

    Files are sorted by name within each pattern. Raises ``UserError`` for a file that is not a zip or tar archive or is
    damaged, for a pattern without files, and for a file that two patterns match.
    """
    key, columns, path = f"corpora.{name}", needed_columns(corpus), Path(corpus["path"])
    require_file(path, f"{key}.path")
    remedy = f"check {key}.path"
    names = sorted(file for file, _ in archive_files(path, lambda _: False, remedy))
    owners: dict[str, Declared] = {}
    chosen = {
        split: [(file, entry) for entry in entries for file in _matching(names, entry, path, key, owners)]
        for split, entries in declared_paths(corpus).items()
    }
    # An archive may hold much besides.
    contents = dict(archive_files(path, owners.__contains__, remedy))
    tables = {}
    for split, files in chosen.items():
        places = [f"{path}/{file}" for file, _ in files]
        encoding = corpus.get("encoding", "utf-8")
        texts = [decode_text(contents[file], f"{path}/{file}", encoding) for file, _ in files]
        values = {"text": texts}
        if "class_files" in corpus:
            values["label"] = [str(entry.class_name) for _, entry in files]
        require_columns(columns, list(values), key)
        tables[split] = [Table(values, places.__getitem__, untyped=True)]
    return make_corpus(tables, corpus, name, CLASS_FILES if "class_files" in corpus else REMEDIES)


def _matching(names: Sequence[str], entry: Declared, path: Path, key: str, owners: dict[str, Declared]) -> list[str]:
    """The files that the pattern of ``entry`` matches, which ``owners`` takes up."""
    files = [file for file in names if fnmatch.fnmatchcase(file, entry.path)]
    if not files:
        some = ", ".join(names[:3])
        raise UserError(
            f"{key}.{entry.key}: no file in {path} matches {entry.path!r}; it has {len(names)}, among them {some}"
        )
    for file in files:
        if file in owners:
            raise UserError(
                f"{key}.{entry.key}: {file} is also among the files of {owners[file].key}; take it out of one"
            )
        owners[file] = entry
    return files
