"""The source hub."""

from typing import Annotated, Literal

from annotated_types import Len, MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.base import Source, SplitFiles


class Hub(Source):
    """Files of a repository on the Hugging Face hub."""

    source: Literal["hub"] = Field(description="Files of a repository on the Hugging Face hub.")
    id: str = Field(description="Id of the dataset's repository.")
    revision: str = Field(description="Commit, tag or branch on the hub; a commit is the only one that cannot drift.")
    files: SplitFiles = Field(
        description=("Paths in the repository, in which * stands for any text; their endings tell the format.")
    )
    text: str = Field(description="Column of the text (in jsonl a dotted path, as prompt.text).")
    label: Maybe[str] = Field(default=None, description="Column of the label; leave it out for an unlabelled corpus.")
    separator: Maybe[Annotated[str, Len(1, 1)]] = Field(default=None, description="The character between columns.")
    columns: Maybe[Annotated[list[str], MinLen(1)]] = Field(
        default=None, description="The names of the columns of a file without a header line."
    )
    quoting: Maybe[bool] = Field(
        default=None, description="Whether double quotes enclose fields; false takes them as text."
    )
    encoding: Maybe[str] = Field(
        default=None, description="Encoding of the text, as Python calls it; by default utf-8."
    )
    stream: Maybe[bool] = Field(
        default=None,
        description=(
            "Training texts are not stored, but read shard by shard while a model trains on them; dev needs a limit."
        ),
    )
