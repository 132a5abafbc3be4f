"""What every source of prompts says of itself."""

from pydantic import Field

from lm_interpolation.study.kinds.base import Count, Declaration, Maybe, NonNegativeInt, TooLong


class Prompts(Declaration):
    """A set of prompts that texts are generated from."""

    source: str = Field(description="What the prompts are read from.")
    sample: Maybe[Count] = Field(default=None, description="Take a random subset of this many prompts.")
    too_long: TooLong = Field(
        default="error",
        description=(
            "Prompts that leave no room for max_new_tokens: an error, or their beginning is cut, or they are dropped."
        ),
    )
    seed: NonNegativeInt = Field(default=0, description="Seed of the subset.")

    def input_files(self) -> list[str]:
        """Files that they are read from."""
        return []
