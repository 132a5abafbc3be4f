"""The source hub."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.data.corpus_paths import as_list
from lm_interpolation.data.formats import ENDINGS, format_of
from lm_interpolation.study.kinds.base import Maybe, Problem
from lm_interpolation.study.kinds.corpora.base import Downloads
from lm_interpolation.study.kinds.corpora.files import SeparatedValues, SplitFiles

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

# Steps that would change a stream while it is read.
_STEPS = (
    "pair", "label", "classes", "drop", "replace", "max_words", "min_words", "fractions", "separator", "columns",
    "quoting", "encoding",
)  # fmt: skip


class Hub(SeparatedValues):
    """Files of a repository on the Hugging Face hub."""

    SCRIPT: ClassVar[str] = "data/corpus_hub.py"
    EXECUTION: ClassVar[tuple[str, ...]] = ("hub_lock",)

    source: Literal["hub"] = Field(description="Files of a repository on the Hugging Face hub.")
    id: str = Field(description="Id of the dataset's repository.")
    revision: str = Field(description="Commit, tag or branch on the hub; only a commit can never change.")
    files: SplitFiles = Field(
        description=("Paths in the repository; * matches any text. File extensions determine the format.")
    )
    text: str = Field(description="Column of the text (in jsonl a dotted path such as prompt.text).")
    stream: Maybe[bool] = Field(
        default=None,
        description=(
            "Read training texts shard by shard while a model trains on them instead of storing them; dev needs a "
            "limit."
        ),
    )

    def is_stream(self) -> bool:
        return bool(self.stream)

    def own_splits(self) -> Collection[str]:
        return self.files.plain().keys()

    def downloads(self) -> Downloads:
        files = []
        for split, patterns in self.files.plain().items():
            entry: dict[str, Any] = {"id": self.id, "revision": self.revision}
            entry |= {"patterns": as_list(patterns), "key": f"files.{split}"}
            if self.is_stream() and split == "train":
                entry["text"] = self.text
            files.append(entry)
        return Downloads(files=tuple(files))

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        if self.is_stream():
            yield from self._stream_problems()
            return
        yield from super().check(config)
        yield from self.column_problems()
        for split, paths in self.files.plain().items():
            for path in as_list(paths):
                if format_of(path) is None:
                    yield f"files.{split}", f"{path} ends in none of {ENDINGS} (or these with .gz); name other files"

    def _stream_problems(self) -> Iterator[Problem]:
        """A stream must be read unchanged, and its dev split must fit into memory."""
        for useless in sorted(key for key in _STEPS if self.given(key)):
            yield useless, "a stream is read as it is; remove it, or stream"
        files = self.files.plain()
        limit = {} if self.limit is None else self.limit.plain()
        if "dev" not in files or "dev" not in limit:
            yield "", "a stream needs files.dev and limit.dev, the texts that losses are watched on; add them"
        for part, given, known in (("files", files, {"train", "dev"}), ("limit", limit, {"dev"})):
            for split in sorted(set(given) - known):
                yield f"{part}.{split}", "a stream has no use for it; remove it"
        for path in (*as_list(files["train"]), *as_list(files.get("dev", []))):
            if format_of(path) != "jsonl":
                yield "files", f"{path} is not JSON lines; only those can be streamed"
