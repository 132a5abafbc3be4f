"""Files of statistics, as jobs write them, for tests of the stages that read them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

Tensors = Mapping[str, np.ndarray]


def write_fisher(folder: Path, statistics: Mapping[str, Tensors]) -> str:
    """A folder with F (tensor -> numbers) of each model, and its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for model, tensors in statistics.items():
        save_file(
            {name: values.astype(np.float32) for name, values in tensors.items()}, folder / f"{model}.safetensors"
        )
    return str(folder)


def write_grams(folder: Path, statistics: Mapping[str, Tensors]) -> str:
    """A folder with the Gram matrices (weight of the layer -> symmetric matrix) of each model, and its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for model, grams in statistics.items():
        packed = {name: gram[np.triu_indices(len(gram))].astype(np.float64) for name, gram in grams.items()}
        save_file(packed, folder / f"{model}.safetensors")
    return str(folder)
