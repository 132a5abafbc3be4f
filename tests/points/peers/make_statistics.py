"""What fusion_bench 0.2.33 makes of small models by Fisher information and RegMean: fusion_bench.safetensors.

``test_fusion_bench.py`` reads it and needs no fusion_bench. Run this by hand, where fusion_bench can be imported, only
when cases are added:

    python tests/points/peers/make_statistics.py

Its own functions compute every result (``merging_with_fisher_weights``, ``merging_with_regmean_weights``), in float32
on a CPU. Inputs come from NumPy's generator alone and are in the file, too: ``inputs/<model>/<tensor>``,
``fisher/<model>/<tensor>``, ``gram-<kind>/<model>/<tensor>`` (whole matrices), and results as ``<case>/<tensor>``.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from fusion_bench.method.fisher_merging.fisher_merging import merging_with_fisher_weights
from fusion_bench.method.regmean.regmean import merging_with_regmean_weights
from safetensors.numpy import save_file

HERE = Path(__file__).parent
SHAPES = {"one.weight": (16, 24), "two.weight": (40, 12), "two.bias": (40,)}
"""(outputs, inputs)"""
MODELS = "abc"
TOKENS = 60
FEW = 6
"""Fewer than inputs: Gram matrices that cannot be inverted."""

Tensors = dict[str, np.ndarray]


def inputs() -> tuple[dict[str, Tensors], dict[str, Tensors], dict[str, dict[str, Tensors]]]:
    """Weights, F (all of it positive), and Gram matrices of many and of few tokens, of each model."""
    random = np.random.default_rng(1)
    base = {name: 0.02 * random.standard_normal(shape) for name, shape in SHAPES.items()}
    weights = {
        model: {name: values + 1e-3 * random.standard_normal(values.shape) for name, values in base.items()}
        for model in MODELS
    }
    fisher = {
        model: {name: 0.01 + random.standard_normal(shape) ** 2 for name, shape in SHAPES.items()} for model in MODELS
    }
    grams: dict[str, dict[str, Tensors]] = {"many": {}, "few": {}}
    for kind, tokens in (("many", TOKENS), ("few", FEW)):
        for model in MODELS:
            mixed = {
                name: random.standard_normal((tokens, shape[1])) @ random.standard_normal((shape[1], shape[1]))
                for name, shape in SHAPES.items()
                if name.endswith(".weight")
            }
            grams[kind][model] = {name: rows.T @ rows / tokens for name, rows in mixed.items()}
    return weights, fisher, grams


def tensors(values: Tensors) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in values.items()}


def main() -> None:
    """Write the file."""
    weights, fisher, grams = inputs()
    found: Tensors = {}
    for group, several in (("inputs", weights), ("fisher", fisher), *((f"gram-{kind}", grams[kind]) for kind in grams)):
        for model, values in several.items():
            found |= {f"{group}/{model}/{name}": array.astype(np.float32) for name, array in values.items()}
    listed = {name: [tensors(weights[model])[name] for model in MODELS] for name in SHAPES}
    cases: dict[str, dict[str, torch.Tensor]] = {}
    equal = torch.ones(3) / 3
    for case, scale, coefficients, normalize, floor in (
        ("fisher", 1.0, torch.tensor([0.5, 0.3, 0.2]), False, 0.0),
        ("fisher-normalized", 1.0, equal, True, 0.0),
        # As by default, for F of the size that gradients of fine-tuned models have.
        ("fisher-small", 1e-9, equal, False, 1e-6),
    ):
        information = [tensors({name: scale * array for name, array in fisher[model].items()}) for model in MODELS]
        cases[case] = merging_with_fisher_weights(listed, information, coefficients, normalize, floor)
    for kind in grams:
        for ratio in (1.0, 0.6):
            cases[f"regmean-{kind}-{ratio}"] = merging_with_regmean_weights(
                listed, modules_of(grams[kind]), ratio, True
            )
    # Weights as (inputs, outputs), as Conv1D has them.
    turned = {name: [one.T if one.ndim == 2 else one for one in several] for name, several in listed.items()}
    cases["regmean-conv1d"] = merging_with_regmean_weights(turned, modules_of(grams["many"]), 0.6, False)
    for case, result in cases.items():
        found |= {f"{case}/{name}": one.contiguous().numpy() for name, one in result.items()}
    versions = {package: version(package) for package in ("torch", "numpy")}
    save_file(found, HERE / "fusion_bench.safetensors", metadata={"fusion_bench": "0.2.33", **versions})


def modules_of(grams: dict[str, Tensors]) -> list[dict[str, torch.Tensor]]:
    """Gram matrices by the names of modules, as fusion_bench keeps them, for each model."""
    return [{name.removesuffix(".weight"): gram for name, gram in tensors(grams[model]).items()} for model in MODELS]


if __name__ == "__main__":
    main()
