"""The source sst."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.base import ENCODING, Encoding, Source

SENTIMENT = {"negative": [0, 1], "neutral": [2], "positive": [3, 4]}
"""Classes of the five levels of the treebank."""


class Sst(Source):
    """A folder with train.txt, dev.txt and test.txt in the Stanford PTB tree format."""

    SCRIPT: ClassVar[str] = "data/corpus_sst.py"

    source: Literal["sst"] = Field(
        description="A folder with train.txt, dev.txt and test.txt in the Stanford PTB tree format."
    )
    path: str = Field(description="The folder with train.txt, dev.txt and test.txt.")
    detokenize: Maybe[bool] = Field(
        default=None,
        description=("Join Penn Treebank tokens into ordinary text (`does n't` becomes `doesn't`); by default false."),
    )
    encoding: Maybe[Encoding] = Field(default=None, description=ENCODING)

    def label_column(self) -> str | None:
        return "label"

    def raw_classes(self) -> Mapping[str, Sequence[Any]]:
        return self.classes or SENTIMENT

    def own_splits(self) -> Collection[str]:
        return SPLITS

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        for split in SPLITS:
            yield f"{key}.path", str(Path(self.path) / f"{split}.txt")

    def input_files(self) -> list[str]:
        return [path for _, path in self.checked_files("")]
