"""The claim that fine-tuned models cluster in weight space as a label says."""

from collections.abc import Mapping
from typing import Any

from lm_interpolation.claims.data import ClaimData, Measured, compact, numbers, rows_of
from lm_interpolation.statistics.proportions import Proportion


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """One-to-one accuracy of spectral clusters against a label (Gueta et al. 2023, arXiv 2302.04863).

    Units are models: the interval is over other trainings on the same data sets. It is that of a proportion of as many
    independent models as the accuracy of subsamples varies by (``regions.effective_models``). A bootstrap would cluster
    models with copies of themselves. Leaving out one model at a time would say nothing where clusters are perfect, and
    too much where one model tips a cluster. What other data sets or tasks might give, it does not say.
    """
    rows = rows_of(data.tables[spec["analysis"]], spec, label=spec["label"], measure=spec["measure"])
    value, effective, models, clusters, f1, ari, p = (
        float(numbers(rows, column)[0]) for column in ("accuracy", "effective", "models", "clusters", "f1", "ari", "p")
    )
    note = (
        f"{models:g} models in {clusters:g} clusters, as uncertain as {compact(effective)} independent models; "
        f"F1 {compact(f1)}, adjusted Rand index {compact(ari)}, label-permutation p {compact(p)}"
    )
    return Measured(Proportion(value, effective), note, int(models), "models")
