"""Training of a low-rank adapter in place of all weights."""

from pydantic import Field

from lm_interpolation.study.kinds.base import Count, Decay, Declaration, Names, Positive, Text


class Lora(Declaration):
    """How an adapter is trained; all other weights stay as they are."""

    rank: Count = Field(description="Rank r of the product that is added to each adapted matrix.")
    alpha: Positive = Field(description="The product is multiplied by alpha / r.")
    targets: Names[Text] = Field(
        description="The linear layers that are adapted, by the ends of their names, such as q_proj or attn.c_attn."
    )
    dropout: Decay = Field(default=0.0, description="Share of the inputs of the adapter that is dropped.")
    rslora: bool = Field(default=False, description="Multiply by alpha / sqrt(r) instead.")
