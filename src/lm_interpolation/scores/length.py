"""Scores of the kind ``length``: the number of words of each continuation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def score_length(continuations: Sequence[str]) -> pd.DataFrame:
    """Number of words of each text, in the column ``words`` (int32). Words are separated by white space."""
    return pd.DataFrame({"words": np.array([len(text.split()) for text in continuations], dtype=np.int32)})
