"""What a figure of trainings shows: how low the dev loss got, and whether it rose again."""

import math
import os
from collections.abc import Mapping, Sequence

import pandas as pd

from lm_interpolation.figures.naming import model_label
from lm_interpolation.figures.phrases import number
from lm_interpolation.scores.judges import Judge


def find_training(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    models: Sequence[str],
) -> list[str]:
    """A sentence per model."""
    found = []
    for model, path in zip(models, paths, strict=True):
        curve = pd.read_csv(path)
        dev = curve[(curve["split"] == "dev") & curve["loss"].notna()].sort_values("step")
        if dev.empty:
            found.append(f"{model_label(model)}: no dev loss.")
            continue
        first, last, low = dev.iloc[0], dev.iloc[-1], dev.iloc[int(dev["loss"].to_numpy().argmin())]
        told = f"lowest dev loss {_loss(low['loss'])} at step {low['step']:,.0f}"
        if len(dev) > 1:
            told += f", after {_loss(first['loss'])} at step {first['step']:,.0f}"
        if low["step"] < last["step"]:
            told += f"; it ends at {_loss(last['loss'])}, higher again"
        elif len(dev) > 1:
            told += "; it is lowest at the end, so that more steps might lower it"
        found.append(f"{model_label(model)}: {told}.")
    return [*found, "One run each, no intervals."]


def _loss(loss: float) -> str:
    return f"{number(loss)} nats per token (perplexity {number(math.exp(loss))})"
