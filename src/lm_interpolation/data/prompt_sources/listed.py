"""Prompts that stand in the study itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.prompts import choose_prompts

if TYPE_CHECKING:
    import pandas as pd


def load_listed_prompts(prompts: Mapping[str, Any], name: str) -> "pd.DataFrame":
    """The prompts in their order; see ``choose_prompts``."""
    return choose_prompts(prompts["texts"], lambda i: f"prompts.{name}.texts[{i}]", prompts, name)
