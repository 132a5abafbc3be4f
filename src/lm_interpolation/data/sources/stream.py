"""A corpus that is too large to store: its training texts stay on the hub until a training reads them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import as_list
from lm_interpolation.data.gated import naming_gates
from lm_interpolation.data.hub import ShardList, fetch, locked_commit, matching_files
from lm_interpolation.data.json_lines import read_json_lines
from lm_interpolation.data.raw_tables import Table
from lm_interpolation.data.steps import Document, documents_of, frame_of, subset
from lm_interpolation.jobs.runtime import UserError, announce

if TYPE_CHECKING:
    import pandas as pd


@naming_gates()
def load_stream(corpus: Mapping[str, Any], name: str, hub_lock: str | None) -> tuple[ShardList, "pd.DataFrame"]:
    """The files of a streamed corpus' training texts, and its dev split (columns as in ``make_corpus``).

    The dev split is a random subset of the first dev files that hold ``limit.dev`` texts. ``hub_lock`` is the file in
    which commits on the hub are kept (see ``hub.locked_commit``). Raises ``UserError`` if the dev files have fewer
    texts, and for what ``make_corpus`` refuses.
    """
    key, repository, column = f"corpora.{name}", corpus["id"], corpus["text"]
    commit = locked_commit(repository, "dataset", corpus["revision"], hub_lock)
    train, dev = (
        matching_files(repository, commit, as_list(corpus["files"][split]), f"{key}.files.{split}")
        for split in ("train", "dev")
    )
    limit = corpus["limit"]["dev"]
    tables: list[Table] = []
    documents: list[Document] = []
    for file in dev:
        tables.append(read_json_lines(fetch(repository, commit, file), f"{key}.files.dev", [column], corpus))
        documents = documents_of(tables, corpus, f"{key}, dev", {})
        if len(documents) >= limit:
            break
    else:
        raise UserError(f"{key}.limit.dev: the files of dev have only {len(documents)} texts; lower it to that")
    chosen = [documents[i] for i in subset(len(documents), limit, f"{corpus['seed']} limit dev")]
    announce(f"[corpus {name}] train: a stream of {len(train)} files; dev: {len(chosen)} texts")
    return ShardList(repository, commit, tuple(train), column), frame_of(chosen)
