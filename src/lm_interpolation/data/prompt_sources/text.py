"""A text file with one prompt per line."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.data_files import read_lines
from lm_interpolation.data.prompts import choose_prompts

if TYPE_CHECKING:
    import pandas as pd


def load_text_prompts(prompts: Mapping[str, Any], name: str) -> "pd.DataFrame":
    """Read the file; see ``choose_prompts``."""
    path = Path(prompts["path"])
    lines = read_lines(path, f"prompts.{name}.path", prompts.get("encoding", "utf-8"))
    return choose_prompts(lines, lambda i: f"{path}:{i + 1}", prompts, name)
