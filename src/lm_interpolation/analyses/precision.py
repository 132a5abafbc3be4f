"""How much a lower precision of inference changes a study, on a sample of texts and scores in both precisions.

The paper (Rofin, Balagansky and Gavrilov 2022, arXiv 2211.12092) does not give the precision of its inference. We
assume fp32, and a cheaper precision has to show here that it gives the same results. Weights are always merged and
stored in fp32; they are cast when a model is loaded.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.scores.classifier import score_classifier
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.scores.statistic_values import text_values
from lm_interpolation.statistics.inference import ratios, student
from lm_interpolation.tables.tables import statistic_matrix, write_table
from lm_interpolation.texts.generation import Sampling, generate

PRECISION_COLUMNS = [
    "stage",
    "precision",
    "point",
    "scorer",
    "statistic",
    "n_texts",
    "fp32",
    "value",
    "difference",
    "low",
    "high",
    "mean_absolute",
    "max_absolute",
    "equal_texts",
]
"""One row per stage that the study runs in a lower precision, scorer and point; see ``compare_precisions``."""


def compare_precisions(
    points: Mapping[Point, Path],
    judges: Mapping[str, Path],
    prompts: pd.DataFrame,
    sampling: Sampling,
    generation: str,
    scorers: Mapping[str, Mapping[str, Any]],
    batch_sizes: Mapping[str, int],
    device: str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Generate and score a sample in the study's precision and in fp32.

    Args:
        points: point -> directory of its merged checkpoint.
        judges: name -> directory, for the models of ``scorers``.
        prompts: columns ``row`` and ``text``.
        generation: precision of the study's generation.
        scorers: name -> its config entry, plus the ``statistic`` that is compared. With ``samples`` it scores only the
            first continuations of each prompt, as in the study.
        batch_sizes: for ``generate`` and ``score``.
        progress: called with the number of model runs done, out of ``runs(...)``.

    Returns a frame with ``PRECISION_COLUMNS``, sorted by stage, scorer and point. Rows of the stage ``generation``
    compare texts generated in both precisions, scored in fp32; rows of the stage ``scoring`` compare scores of the
    study's texts in both precisions. A stage that runs in fp32 has no rows. ``fp32`` and ``value`` (in the study's
    precision) are the statistic, ``difference`` is value - fp32, or value / fp32 - 1 of an exponential (a perplexity),
    with its 95 % interval (Student's, over prompts) from ``low`` to ``high`` (NaN for a single prompt).
    ``mean_absolute`` and ``max_absolute`` are absolute differences text by text, of the score or of the NLL per token
    in nats, over the ``n_texts`` that have one in both; ``equal_texts`` is the share of texts that are the same.

    Raises what ``generate`` and the scorers raise.
    """
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done)

    def texts_in(precision: str) -> pd.DataFrame:
        frames = []
        for point, directory in points.items():
            texts = generate(directory, prompts, sampling, batch_sizes["generate"], device, precision=precision)
            frames.append(texts.assign(point=point.id))
            step()
        return pd.concat(frames, ignore_index=True)

    def scores_in(precision: str, name: str, texts: pd.DataFrame) -> pd.DataFrame:
        spec = scorers[name]
        if "samples" in spec:
            texts = texts[texts["sample"] < spec["samples"]].reset_index(drop=True)
        asked = texts["row"].map(by_row)
        if spec["kind"] not in _SCORING:
            raise ValueError(f"scorer {name}: kind {spec['kind']!r} has no precision")
        options = {"precision": precision, "too_long": spec["too_long"]}
        score = _SCORING[spec["kind"]]
        values = score(judges[spec["model"]], asked, texts["continuation"], spec, batch_sizes["score"], device, options)
        step()
        return texts[["point", "row", "sample"]].join(values)

    by_row = prompts.set_index("row")["text"]
    exact_texts = texts_in("fp32")
    texts = exact_texts if generation == "fp32" else texts_in(generation)
    same = (texts["continuation"] == exact_texts["continuation"]).groupby(texts["point"], sort=False).mean()
    all_same = same * 0 + 1
    names, rows = [point.id for point in points], []
    for name, spec in scorers.items():
        exact_scores = scores_in("fp32", name, texts)
        if generation != "fp32":
            of_exact_texts = scores_in("fp32", name, exact_texts)
            about = {"stage": "generation", "precision": generation, "scorer": name}
            rows.append(_rows(about, spec, of_exact_texts, exact_scores, names, same))
        if spec["precision"] != "fp32":
            scores = scores_in(spec["precision"], name, texts)
            about = {"stage": "scoring", "precision": spec["precision"], "scorer": name}
            rows.append(_rows(about, spec, exact_scores, scores, names, all_same))
    return pd.concat(rows).sort_values("stage", kind="stable", ignore_index=True)[PRECISION_COLUMNS]


def _classified(
    judge: Path,
    prompts: pd.Series,
    continuations: pd.Series,
    spec: Mapping[str, Any],
    batch_size: int,
    device: str,
    options: Mapping[str, Any],
) -> pd.DataFrame:
    texts = prompts + continuations if spec["text"] == "full" else continuations
    return score_classifier(judge, texts.tolist(), batch_size, device, spec.get("labels"), **options)


def _perplexities(
    judge: Path,
    prompts: pd.Series,
    continuations: pd.Series,
    spec: Mapping[str, Any],
    batch_size: int,
    device: str,
    options: Mapping[str, Any],
) -> pd.DataFrame:
    return score_perplexity(judge, prompts.tolist(), continuations.tolist(), batch_size, device, **options)


# Scripts are found by kind elsewhere. This job scores with all judges of a sweep, so it needs their functions at once.
_SCORING: dict[str, Callable[..., pd.DataFrame]] = {"classifier": _classified, "perplexity": _perplexities}
"""Kind of scorer to the function that scores in a precision. Other kinds are an error."""


def runs(points: int, generation: str, precisions: Sequence[str]) -> int:
    """How often ``compare_precisions`` runs a model, for a number of points and the ``precisions`` of the scorers."""
    generated = points * (1 if generation == "fp32" else 2)
    return generated + sum(1 + (generation != "fp32") + (precision != "fp32") for precision in precisions)


def check_precisions(
    table: pd.DataFrame, scorers: Mapping[str, Mapping[str, Any]], threshold: float, reason: str
) -> None:
    """Raise ``UserError`` for the largest absolute ``difference`` of ``table`` if it is above ``threshold``.

    ``scorers`` are those of ``compare_precisions``.
    """
    worst = table.iloc[int(table["difference"].abs().to_numpy().argmax())]
    # argmax finds NaN first (a point none of whose texts has a score), and this form of the comparison rejects NaN.
    if not abs(worst["difference"]) <= threshold:
        relative = "relative " if Statistic(**scorers[worst["scorer"]]["statistic"]).exponentiate else ""
        raise UserError(
            f"{worst['stage']} in {worst['precision']} changes {worst['statistic']} of {worst['scorer']} at "
            f"{worst['point']} from {worst['fp32']:.4g} to {worst['value']:.4g} ({relative}difference "
            f"{worst['difference']:.2g} [{worst['low']:.2g}, {worst['high']:.2g}], threshold {threshold:g}: {reason}); "
            "choose fp32 there, more prompts if the interval is wide, or another threshold"
        )


def write_precisions(table: pd.DataFrame, path: str | Path) -> None:
    """Write the frame of ``compare_precisions`` as CSV, atomically: floats to six significant digits."""
    write_table(table, path, PRECISION_COLUMNS[PRECISION_COLUMNS.index("fp32") :])


def _rows(
    about: Mapping[str, str],
    spec: Mapping[str, Any],
    exact: pd.DataFrame,
    other: pd.DataFrame,
    points: list[str],
    same: pd.Series,
) -> pd.DataFrame:
    """The rows of one stage and scorer: one per point, in the order of ``points``."""
    name, statistic, count = about["scorer"], Statistic(**spec["statistic"]), len(points)
    sums = [statistic_matrix(scores, name, [statistic], statistic.name, points) for scores in (exact, other)]
    numerators, denominators = (np.hstack([part[index] for part in sums]) for index in (0, 1))
    totals = denominators.sum(axis=0)
    estimate = np.divide(numerators.sum(axis=0), totals, out=np.full(totals.shape, np.nan), where=totals > 0)
    # Both sides use the same prompts, so this is a paired difference.
    known = (denominators.reshape(len(denominators), 2, count) > 0).sum(axis=0).min(axis=0) >= 2
    low, high = np.full((2, count), np.nan)
    if known.any():
        both = ratios(numerators[:, np.tile(known, 2)], denominators[:, np.tile(known, 2)])
        low[known], high[known] = student(both.contrasts(np.vstack([-np.eye(known.sum()), np.eye(known.sum())])))
    difference = estimate[count:] - estimate[:count]
    if statistic.exponentiate:
        estimate = np.exp(estimate)
        difference, low, high = np.expm1(difference), np.expm1(low), np.expm1(high)
    apart = pd.Series(text_values(other, name, statistic) - text_values(exact, name, statistic), exact.index).abs()
    by_point = apart.groupby(exact["point"])
    frame = pd.DataFrame(
        {
            "point": points,
            "n_texts": by_point.count().loc[points].to_numpy(),
            "fp32": estimate[:count],
            "value": estimate[count:],
            "difference": difference,
            "low": low,
            "high": high,
            "mean_absolute": by_point.mean().loc[points].to_numpy(),
            "max_absolute": by_point.max().loc[points].to_numpy(),
            "equal_texts": same.loc[points].to_numpy(),
        }
    )
    return frame.assign(statistic=statistic.name, **about)
