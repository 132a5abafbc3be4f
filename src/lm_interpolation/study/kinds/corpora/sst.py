"""The source sst."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.base import Source


class Sst(Source):
    """A folder with train.txt, dev.txt and test.txt in the Stanford PTB tree format."""

    source: Literal["sst"] = Field(
        description="A folder with train.txt, dev.txt and test.txt in the Stanford PTB tree format."
    )
    path: str = Field(description="The folder with train.txt, dev.txt and test.txt.")
    detokenize: Maybe[bool] = Field(
        default=None,
        description=(
            "Join the tokens of the Penn Treebank to ordinary text (`does n't` to `doesn't`); by default not."
        ),
    )
    encoding: Maybe[str] = Field(
        default=None, description="Encoding of the text, as Python calls it; by default utf-8."
    )
