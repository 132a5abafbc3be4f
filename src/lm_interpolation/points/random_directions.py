"""Random directions in the space of weights, to compare the directions between models with.

Gueta et al. 2023 (arXiv 2302.04863) leave a region along "Xavier-like" random vectors. Our reading: each tensor is
drawn as Glorot and Bengio 2010 draw initial weights (uniform, with a bound that depends on the tensor's sides), a
vector as a matrix of one column, and the whole is scaled to length 1.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch


def random_direction(shapes: Mapping[str, Iterable[int]], seed: int, number: int) -> dict[str, torch.Tensor]:
    """Direction ``number`` of those of ``seed``: a float32 tensor on the CPU of each of ``shapes``, of length 1 in all.

    Directions depend on nothing but ``shapes`` in their order, ``seed`` and ``number``.
    """
    state = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)
    # A seed of torch has 63 bits.
    generator = torch.Generator().manual_seed(int(state[0]) >> 1)
    drawn = {}
    for name, shape in shapes.items():
        tensor = torch.empty(tuple(shape))
        matrix = tensor if tensor.ndim > 1 else tensor.view(-1, 1)
        torch.nn.init.xavier_uniform_(matrix, generator=generator)
        drawn[name] = tensor
    size = length(drawn.values())
    return {name: tensor.div_(size) for name, tensor in drawn.items()}


def beside(weights: Mapping[str, torch.Tensor], size: float, seed: int, number: int) -> dict[str, torch.Tensor]:
    """``weights`` plus ``size`` times a ``random_direction``, on their device."""
    direction = random_direction({name: tensor.shape for name, tensor in weights.items()}, seed, number)
    return {name: tensor + size * direction[name].to(tensor.device) for name, tensor in weights.items()}


def length(tensors: Iterable[torch.Tensor]) -> float:
    """Euclidean norm of several tensors taken as one vector, summed in float64."""
    return math.sqrt(sum(float(tensor.double().square().sum()) for tensor in tensors))
