"""A corpus that is a share of another one."""

from typing import Annotated

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe, Name, NonNegativeInt, Ref, Share
from lm_interpolation.study.kinds.corpora.base import Corpus, Limit


class ShareOfCorpus(Corpus):
    """A part of another corpus of the study; parts do not overlap."""

    split_from: Annotated[Name, Ref("corpora", stored=True)] = Field(
        description="Instead of source, another corpus of this file, of which this one is a part without overlap."
    )
    share: Share = Field(
        description="The part of that corpus's train, dev and test; parts follow each other as declared."
    )
    limit: Maybe[Limit] = Field(default=None, description="Take a random subset of this many texts of a split.")
    seed: NonNegativeInt = Field(default=0, description="Seed of the subset.")
