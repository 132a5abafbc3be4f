"""How far apart models are in weight space: norms of weight differences per tensor.

Source: Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092), section 5.3 and Fig. 9. Tensors are streamed, so memory
does not grow with the models, and torch is not needed.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lm_interpolation.jobs.checksums import check_model
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.compatibility import check_compatible
from lm_interpolation.models.headers import Tensor
from lm_interpolation.models.tensor_names import block_number, tensor_kind
from lm_interpolation.points.reading import float_chunks

# check_tied: if a file stores both tied tensors, leaving one out is correct only if they are equal.
from lm_interpolation.points.writing import check_tied

NORM_COLUMNS = ["pair", "model", "reference", "tensor", "kind", "layer", "elements", "norm", "scaled_norm"]
NORM_VALUES = ["norm", "scaled_norm"]
"""The columns that ``tables.write_table`` rounds."""


def weight_norms(pairs: Sequence[tuple[str, str, str | Path, str, str | Path]]) -> pd.DataFrame:
    """Norms of the difference model - reference for each of ``pairs``, tensor by tensor.

    A pair is (label, name of the model, its directory, name of the reference, its directory); directories are Hugging
    Face models (float32, float16 or bfloat16 safetensors). Tied embeddings count as one tensor; integer tensors are not
    weights and are left out. Columns (``NORM_COLUMNS``), pairs in their order, tensors in the order of the model
    (embeddings, blocks ascending, the end; by name within):

    - ``pair`` (label), ``model``, ``reference``, ``tensor`` (the name that ``save_pretrained`` writes);
    - ``kind``: embedding, attention, mlp, norm, head or other; ``layer``: number of the block (Int64, else missing);
    - ``elements`` (int64): number of elements n;
    - ``norm`` (float64): ||d||_2 of the difference d as a vector, which for a matrix is its Frobenius norm;
    - ``scaled_norm`` (float64): norm / sqrt(n), the root mean square of the entries of d. This is how we read the
      "scaled norms" of Fig. 9: it puts vectors and matrices of all sizes on one scale.

    Raises ``UserError`` if a model is damaged (see ``check_model``), if two models are incompatible (see
    ``check_compatible``), if a pair compares a model with itself, or if a weight is NaN or infinite.
    """
    for directory in {directory for _, _, one, _, two in pairs for directory in (one, two)}:
        check_model(directory)
    rows = []
    for label, model, model_dir, reference, reference_dir in pairs:
        if model == reference:
            raise UserError(f"pair {label}: compares {model} with itself; name two models")
        checkpoints = check_compatible({model: model_dir, reference: reference_dir})
        for checkpoint in checkpoints.values():
            check_tied(checkpoint)
        ours, theirs = checkpoints[model].tensors, checkpoints[reference].tensors
        for name in sorted((name for name, tensor in ours.items() if tensor.is_float), key=_place):
            norm = _difference_norm({model: ours[name], reference: theirs[name]})
            elements = ours[name].size
            place = tensor_kind(name), block_number(name)
            rows.append((label, model, reference, name, *place, elements, norm, norm / math.sqrt(elements)))
    return pd.DataFrame(rows, columns=NORM_COLUMNS).astype({"layer": "Int64"})


def _difference_norm(tensors: dict[str, Tensor]) -> float:
    """Euclidean norm of the difference of two tensors, accumulated in float64."""
    total = 0.0
    for chunks in zip(*map(float_chunks, tensors.values()), strict=True):
        difference = chunks[0] - chunks[1]
        total += float(np.dot(difference, difference))
    if not math.isfinite(total):
        for model, tensor in tensors.items():
            if not all(np.isfinite(chunk).all() for chunk in float_chunks(tensor)):
                raise UserError(
                    f"model {model} ({tensor.file}): tensor {tensor.name} holds NaN or inf; its training diverged or "
                    "the file is damaged"
                )
    return math.sqrt(total)


def _place(name: str) -> tuple[int, int, bool, str]:
    """Sort key: embeddings (their norm too), blocks, what follows them, the head last."""
    kind, block = tensor_kind(name), block_number(name)
    if block is not None:
        return 1, block, False, name
    embeds = kind != "head" and "embed" in name
    return (0 if embeds or kind == "embedding" else 2), 0, kind == "head", name
