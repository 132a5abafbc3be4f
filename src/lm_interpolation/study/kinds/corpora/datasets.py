"""The source datasets."""

from collections.abc import Collection
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Declaration, Maybe
from lm_interpolation.study.kinds.corpora.base import Columns, Downloads
from lm_interpolation.study.paths import is_dir


class DatasetSplits(Declaration):
    """Names of a dataset's splits."""

    train: str = Field(description="Split with training texts.")
    dev: Maybe[str] = Field(
        default=None, description="Split with development texts; without it a fraction of train is taken."
    )
    test: Maybe[str] = Field(
        default=None, description="Split with test texts; without it a fraction of train is taken."
    )


class Datasets(Columns):
    """Any other data that datasets.load_dataset can read."""

    SCRIPT: ClassVar[str] = "data/corpus_datasets.py"

    source: Literal["datasets"] = Field(description="Any other data that datasets.load_dataset can read.")
    id: str = Field(description="Id of the dataset's repository, or a local folder that load_dataset reads.")
    revision: str = Field(description="Commit, tag or branch on the hub; only a commit can never change.")
    splits: DatasetSplits = Field(description="The dataset's names for train, dev and test.")
    config: Maybe[str] = Field(default=None, description="Name of the configuration (subset) of the dataset.")

    def own_splits(self) -> Collection[str]:
        return self.splits.plain().keys()

    def input_files(self) -> list[str]:
        if not is_dir(self.id):
            return []
        return sorted(str(path) for path in Path(self.id).rglob("*") if path.is_file())

    def downloads(self) -> Downloads:
        if is_dir(self.id):
            return Downloads()
        dataset = {"id": self.id, "revision": self.revision, "config": self.config}
        return Downloads(datasets=({**dataset, "splits": list(self.splits.plain().values())},))
