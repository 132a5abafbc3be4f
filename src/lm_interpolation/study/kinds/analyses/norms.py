"""The analysis norms."""

from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import Declaration, LanguageModel, Parts


class Pair(Declaration):
    """Two models, one of which is subtracted from the other."""

    model: LanguageModel = Field(description="Name of the model.")
    reference: LanguageModel = Field(description="Name of the model that is subtracted.")


class Norms(Analysis):
    """Norms of the differences of weights, tensor by tensor."""

    SCRIPT: ClassVar[str] = "analyses/norms.py"

    kind: Literal["norms"] = Field(description="Norms of the differences of weights, tensor by tensor.")
    pairs: Annotated[dict[str, Pair], MinLen(1), Parts()] = Field(description="Label to the two models.")
