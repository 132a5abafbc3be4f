"""What a figure of intruder dimensions shows: how many each model has, and which models differ."""

import os
from collections.abc import Mapping, Sequence

from lm_interpolation.analyses.intruder_tables import read_matrices, read_thresholds
from lm_interpolation.figures.phrases import Value, apart, counted, number
from lm_interpolation.scores.judges import Judge


def find_intruders(
    paths: Sequence[str | os.PathLike[str]], judges: Mapping[str, Judge], k: int, epsilon: float
) -> list[str]:
    """A sentence for each model on its intruders, and one for each further model against the first."""
    matrices, thresholds = read_matrices(paths[0]), read_thresholds(paths[1])
    found, values = [], {}
    for model, rows in thresholds.groupby("model", sort=False):
        (row,) = (row for _, row in rows.iterrows() if row["epsilon"] == epsilon)
        value = Value(float(row["intruders"]), float(row["low"]), float(row["high"]))
        own = matrices[matrices["model"] == model]
        still = int((own["moved"] == 0).sum())
        same = f"; {still} did not move" if still else ""
        found.append(
            f"{model}: {value} intruders per matrix among the first {counted(k, 'singular vector')}, in "
            f"{number(100 * float(row['share']))} % of {int(row['matrices'])} matrices{same}."
        )
        values[str(model)] = value
    (first, one), *others = values.items()
    for model, other in others:
        if not apart(one, other, len(others)):
            found.append(f"{model} against {first}: no difference shown.")
            continue
        found.append(f"{model} has {'more' if other.estimate > one.estimate else 'fewer'} than {first} beyond chance.")
    return [*found, "Intervals are over matrices, as if these were drawn from many."]
