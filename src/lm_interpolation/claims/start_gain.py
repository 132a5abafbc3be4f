"""The claim that fine-tuning from a centroid beats fine-tuning from the base."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.data import ClaimData, Measured, compact
from lm_interpolation.claims.mean_losses import model_losses
from lm_interpolation.statistics.paired_targets import gains, mean_gain
from lm_interpolation.statistics.shares import Contrast


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean over targets of the loss of fine-tuning from the base minus that from the centroid, in nats.

    The models of a target pair in order (training seeds), and all are measured on the same texts. Targets are the
    units. Source: Gueta et al. 2023, arXiv 2302.04863, the centroid as a start; losses are in place of accuracies.
    """
    pairs = []
    for target in spec["targets"].values():
        base, centroid = (
            model_losses(data, target["analysis"], target[key], spec["statistic"], target.get("class")).values
            for key in ("base", "centroid")
        )
        pairs.append((base, centroid))
    found = gains(pairs)
    seeds = sorted({len(base) for base, _ in pairs})
    means = [compact(float(np.mean([np.mean(pair[side]) for pair in pairs]))) for side in (0, 1)]
    note = (
        f"{means[0]} from the base and {means[1]} from the centroid, with "
        f"{' or '.join(map(str, seeds))} training seeds for each target; lower from the centroid for "
        f"{int((found > 0).sum())} of {len(found)} targets"
    )
    return Measured(Contrast(mean_gain(pairs), [1], data.seed), note, len(found), "targets")
