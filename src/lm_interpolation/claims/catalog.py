"""The tests of claims by name, with the function that measures each."""

from collections.abc import Callable, Mapping
from typing import Any

from lm_interpolation.claims import (
    auc,
    barrier,
    barrier_ratio,
    better,
    clusters,
    difference,
    intruders,
    linear,
    loss_barrier,
    lower_loss,
    matched_loss,
    middle,
    monotone,
    norms,
    reach,
    region,
    selected,
    share,
    stable,
    start_gain,
    unmoved,
    valley,
    words,
)
from lm_interpolation.claims.data import ClaimData, Measured

TESTS: dict[str, Callable[[Mapping[str, Any], ClaimData], Measured]] = {
    "barrier": barrier.measure,
    "monotone": monotone.measure,
    "stable": stable.measure,
    "words": words.measure,
    "better": better.measure,
    "reach": reach.measure,
    "valley": valley.measure,
    "difference": difference.measure,
    "norms": norms.measure,
    "middle": middle.measure,
    "linear": linear.measure,
    "loss_barrier": loss_barrier.measure,
    "unmoved": unmoved.measure,
    "share": share.measure,
    "lower_loss": lower_loss.measure,
    "selected": selected.measure,
    "matched_loss": matched_loss.measure,
    "clusters": clusters.measure,
    "region": region.measure,
    "start_gain": start_gain.measure,
    "barrier_ratio": barrier_ratio.measure,
    "intruders": intruders.measure,
    "auc": auc.measure,
}
"""Name of a test to the function of a claim's keys and of the study's data that measures it."""
