"""The adapter of a point whose models are adapters of one base: no weight of the base is read.

For adapters with matrices B_m, A_m and scales s_m, sum_m c_m s_m B_m A_m is one product: that of the matrices side by
side, [c_1 s_1 B_1, c_2 s_2 B_2, ...] of shape (outputs, sum of ranks), with the A_m one below the other. Its scale is
1, so alpha is the rank.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.adapter_files import WEIGHTS, Adapter, Product
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.model_folders import ADAPTER
from lm_interpolation.points.adapter_fits import check_fit
from lm_interpolation.points.adapters import matrix
from lm_interpolation.points.methods.places import places_of


def sum_adapters(
    coefficients: Mapping[str, float], adapters: Mapping[str, Adapter], base: str | Path, name: str, output: Path
) -> int:
    """Write the adapter of sum_m c_m (theta_m - base), as PEFT saves it, into the new folder ``output``.

    Args:
        coefficients: model -> c_m.
        adapters: model -> its adapter.
        base: the base's Hugging Face directory, whose headers are read.
        name: what the adapter calls its base.
        output: the folder, which then holds ``adapter_config.json`` and ``adapter_model.safetensors``.

    Matrices are float32; those of B are scaled in float64 and rounded once. Returns the largest rank.

    Raises ``UserError`` if an adapter does not fit the base (see ``check_fit``) or holds whole tensors (biases,
    ``modules_to_save``), which are no product, or if a number is not finite.
    """
    checkpoint = Checkpoint.open(base)
    for adapter in adapters.values():
        check_fit(adapter, checkpoint)
        if adapter.replaced:
            raise UserError(
                f"{adapter.directory}: holds {next(iter(adapter.replaced))} whole, so a sum with it is no adapter; "
                "export the point as a model"
            )
    found: dict[str, list[tuple[float, Product]]] = {}
    for model, adapter in adapters.items():
        for target, product in adapter.products.items():
            found.setdefault(target, []).append((coefficients[model] * product.scale, product))
    tensors: dict[str, np.ndarray] = {}
    ranks: dict[str, int] = {}
    for target, parts in sorted(found.items()):
        first = parts[0][1]
        a = np.concatenate([matrix(product.a) for _, product in parts], axis=0)
        b = np.concatenate([scale * matrix(product.b) for scale, product in parts], axis=1)
        with np.errstate(over="ignore"):
            tensors |= {first.a.name: a.astype(np.float32), first.b.name: b.astype(np.float32)}
        if not all(np.isfinite(tensors[part.name]).all() for part in (first.a, first.b)):
            raise UserError(f"{target}: its change has numbers that float32 cannot hold; use smaller coefficients")
        ranks[target.removesuffix(".weight")] = len(a)
    output.mkdir()
    save_file(tensors, output / WEIGHTS, metadata={"format": "pt"})
    config = _config(ranks, name, any(place.outputs for place in places_of(checkpoint).values()))
    (output / ADAPTER).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return max(ranks.values())


def _config(ranks: Mapping[str, int], base: str, conv1d: bool) -> dict[str, Any]:
    """PEFT's configuration for modules of these ranks; ``conv1d`` says that linear layers are transposed."""
    ((rank, _),) = Counter(ranks.values()).most_common(1)
    others = {module: own for module, own in ranks.items() if own != rank}
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": rank,
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": sorted(ranks),
        "fan_in_fan_out": conv1d,
        "lora_dropout": 0.0,
        "bias": "none",
        "use_rslora": False,
    }
