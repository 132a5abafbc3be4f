"""Texts of a line of two points, for tests of a study's own scorers."""

import pandas as pd

TEXTS = pd.DataFrame(
    {
        "point": ["m=1", "m=1", "m=1", "n=1"],
        "row": [3, 3, 8, 3],
        "sample": [0, 1, 0, 0],
        "prompt": ["the film", "the film", "the plot", "the film"],
        "continuation": [" was good", " was bad", "", " ended"],
    },
    index=[5, 6, 7, 8],
)
