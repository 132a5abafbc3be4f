"""The source datasets."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Declaration, Maybe
from lm_interpolation.study.kinds.corpora.base import Source


class DatasetSplits(Declaration):
    """Names of a dataset's splits."""

    train: str = Field(description="Split with training texts.")
    dev: Maybe[str] = Field(
        default=None, description="Split with development texts; without it a fraction of train is taken."
    )
    test: Maybe[str] = Field(
        default=None, description="Split with test texts; without it a fraction of train is taken."
    )


class Datasets(Source):
    """Whatever else datasets.load_dataset reads."""

    source: Literal["datasets"] = Field(description="Whatever else datasets.load_dataset reads.")
    id: str = Field(description="Id of the dataset's repository, or a local folder that load_dataset reads.")
    revision: str = Field(description="Commit, tag or branch on the hub; a commit is the only one that cannot drift.")
    splits: DatasetSplits = Field(description="The dataset's names of our splits.")
    text: str = Field(description="Column of the text.")
    label: Maybe[str] = Field(default=None, description="Column of the label; leave it out for an unlabelled corpus.")
    config: Maybe[str] = Field(default=None, description="Name of the configuration (subset) of the dataset.")
