"""A file with one JSON object per line, one of whose fields is the prompt."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.json_lines import read_json_lines
from lm_interpolation.data.prompts import choose_prompts

if TYPE_CHECKING:
    import pandas as pd


def load_jsonl_prompts(prompts: Mapping[str, Any], name: str) -> "pd.DataFrame":
    """Read the file; see ``choose_prompts``."""
    column = prompts.get("text", "prompt.text")
    table = read_json_lines(Path(prompts["path"]), f"prompts.{name}.path", [column], prompts)
    return choose_prompts(table.columns[column], table.place, prompts, name)
