"""Verdicts on the claims of the paper: a value, its interval, a threshold, and whether the claim holds.

``inference.py`` explains how each kind of claim gets its 95 % interval over prompts, texts, words or tensors, and
``trainings.py`` how several trainings make one interval.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from lm_interpolation.claims.catalog import TESTS
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, compact
from lm_interpolation.claims.vocabulary import AT_MOST, HOLDS, NOT_TESTED, REFUTED, UNDECIDED
from lm_interpolation.jobs.runtime import error_prefix
from lm_interpolation.statistics.inference import LEAST_UNITS, LEVEL, TAIL, Exact, holm, meets, p_value, units_to_decide
from lm_interpolation.statistics.trainings import LEAST_TRAININGS, OverTrainings

FEW = 0.05
"""Share of draws in which a statistic may be undefined; with more, its interval would not be what it says."""


def judge(claim: Mapping[str, Any], data: ClaimData) -> dict[str, Any]:
    """The verdict on one claim as an entry of ``claims.json``; ``claim`` holds the settings from ``Claim.settings``.

    Keys of the entry: ``name, section, statement, test, statistic, value, low, high, unit, threshold, direction,
    verdict, p, units, unit_kind, units_to_decide, weak_judge, reason, note, trainings``, and ``p_holm, verdict_holm``
    from ``corrected``.
    ``weak_judge`` says whether a statistic comes from a weak judge. Numbers are rounded to six significant digits
    before they are compared with the threshold, so that the entry agrees with itself.

    The claim holds if its whole interval lies on the right side of the threshold, and is refuted if the whole interval
    lies on the wrong side. Otherwise it is undecided, and the note estimates how many units would decide it. It is also
    undecided with fewer units than ``LEAST_UNITS``, or with too few words or tensors for an interval. It is not tested,
    and the note says why, if the data do not give the value, or if the statistic is undefined in more than ``FEW`` of
    the draws, so that there is no interval to judge by.

    A claim with ``trainings``, pairs of a seed and the keys of that training, is measured for each of them. Its value
    is the mean, its interval is over trainings and prompts (see ``statistics.trainings``), it needs
    ``LEAST_TRAININGS``, and the entry's ``trainings`` are the verdicts of each training by itself, over prompts: keys
    ``seed, value, low, high, verdict, units, unit_kind``. Without it, and with one training, that list is empty.

    Raises ``UserError`` with the claim's key if the claim names something that the data lack.
    """
    with error_prefix(f"claims.{claim['name']}"):
        try:
            measured = _measured(claim, data)
        except NotTested as reason:
            return untested(claim, str(reason))
    parts = {seed: _verdict(claim, part) for seed, part in measured.trainings.items()}
    shown = ("value", "low", "high", "verdict", "units", "unit_kind")
    return (
        _entry(claim)
        | _verdict(claim, measured)
        | {
            "weak_judge": any(
                scorer in data.judges and data.judges[scorer].is_weak(statistic)
                for scorer, statistic in claim["statistics"]
            ),
            "trainings": [{"seed": seed, **{key: part.get(key) for key in shown}} for seed, part in parts.items()],
        }
    )


def _measured(claim: Mapping[str, Any], data: ClaimData) -> Measured:
    """The statistic of a claim, or the mean of it over its trainings if there are several."""
    test = TESTS[claim["test"]]
    if "trainings" not in claim:
        return test(claim["keys"], data)
    parts: dict[str, Measured] = {}
    for seed, keys in claim["trainings"]:
        try:
            parts[seed] = test(keys, data)
        except NotTested as reason:
            raise NotTested(f"training with seed {seed}: {reason}") from None
    first, *others = parts.values()
    if not others:
        return first
    values = ", ".join(f"{compact(part.inference.value)} (seed {seed})" for seed, part in parts.items())
    return Measured(
        OverTrainings([part.inference for part in parts.values()], first.least, first.most),
        f"over {len(parts)} trainings: {values}",
        len(parts),
        "trainings",
        max(part.undefined for part in parts.values()),
        "it takes more prompts (texts), too, or the value lies too near the threshold",
        trainings=parts,
    )


def _verdict(claim: Mapping[str, Any], measured: Measured) -> dict[str, Any]:
    """The keys of an entry that say what was measured, and the verdict."""
    inference = measured.inference
    if not math.isfinite(inference.value):
        raise ValueError(f"claims.{claim['name']}: the statistic is {inference.value}")
    value = _round(inference.value)
    entry: dict[str, Any] = {
        "value": value,
        "units": measured.units,
        "unit_kind": measured.kind,
        "note": measured.note,
    }
    threshold, at_most = claim["threshold"], claim["direction"] == AT_MOST
    if isinstance(inference, Exact):
        return entry | {"verdict": HOLDS if meets(value, value, threshold, at_most) else REFUTED}
    assert measured.units is not None
    if measured.undefined > FEW:
        undefined = f"undefined in {measured.undefined:.0%} of the draws, so there is no interval to judge by"
        return entry | {"verdict": NOT_TESTED, "note": f"{measured.note}; {undefined}"}
    low, high = map(_round, inference.limits(TAIL))
    if math.isinf(low):
        count, kind = _fewest(measured)
        note = f"{measured.note}; {count} {kind} are too few for an interval"
        return entry | {"verdict": UNDECIDED, "note": note}
    entry |= {"low": low, "high": high}
    met = meets(low, high, threshold, at_most)
    if (short := _too_few(measured)) is not None:
        least, count, kind = short
        wanted = None
        if kind == measured.kind:
            wanted = least if met is not None else units_to_decide(inference, count, threshold, at_most)
            wanted = None if wanted is None else max(wanted, least)
        note = f"{measured.note}; a verdict needs {least} {kind}, there are {count}"
        note += f", and about {wanted} would decide it" if wanted is not None and wanted > least else ""
        return entry | {"verdict": UNDECIDED, "units_to_decide": wanted, "note": note}
    entry["p"] = float(f"{p_value(inference, threshold, at_most):.2g}")
    if met is not None:
        return entry | {"verdict": HOLDS if met else REFUTED}
    wanted = units_to_decide(inference, measured.units, threshold, at_most)
    told = (
        f"more {measured.kind} alone would not decide it: {measured.instead}"
        if wanted is None
        else f"about {wanted} {measured.kind} would decide it, there are {measured.units}"
    )
    return entry | {"verdict": UNDECIDED, "units_to_decide": wanted, "note": f"{measured.note}; {told}"}


def _fewest(measured: Measured) -> tuple[int, str]:
    """(number, kind) of the units behind the interval, of the training that has the fewest if there are several."""
    parts = [part for part in measured.trainings.values() if part.units is not None] or [measured]
    return min((part.units or 0, part.kind) for part in parts)


def _too_few(measured: Measured) -> tuple[int, int, str] | None:
    """(number that a verdict needs, number that there is, kind) of the units of which there are too few, if any."""
    if measured.trainings and len(measured.trainings) < LEAST_TRAININGS:
        return LEAST_TRAININGS, len(measured.trainings), measured.kind
    parts = measured.trainings.values() if measured.trainings else [measured]
    short = [
        (LEAST_UNITS, part.units, part.kind)
        for part in parts
        if part.units is not None and part.units < LEAST_UNITS and not part.by_order
    ]
    return min(short, default=None)


def corrected(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries of a study with Holm's correction for the number of claims.

    ``p_holm`` is the corrected p-value and ``verdict_holm`` the corrected verdict: a claim that holds or is refuted
    becomes undecided if ``p_holm`` exceeds 0.05. Verdicts without a p-value stay as they are.
    """
    entries = list(entries)
    p_values = holm({entry["name"]: entry["p"] for entry in entries if entry["p"] is not None})
    return [
        {
            **entry,
            "p_holm": p_values.get(entry["name"]),
            "verdict_holm": UNDECIDED if p_values.get(entry["name"], 0) > 1 - LEVEL else entry["verdict"],
        }
        for entry in entries
    ]


def untested(claim: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The entry of a claim that is not tested, with the ``reason``."""
    return _entry(claim) | {"verdict": NOT_TESTED, "note": reason}


def _entry(claim: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": claim["name"],
        "section": claim["section"],
        "statement": claim["statement"],
        "test": claim["test"],
        "statistic": claim["statistic"],
        "value": None,
        "low": None,
        "high": None,
        "unit": claim["unit"],
        "threshold": claim["threshold"],
        "direction": claim["direction"],
        "verdict": NOT_TESTED,
        "p": None,
        "units": None,
        "unit_kind": "",
        "units_to_decide": None,
        "weak_judge": False,
        "reason": claim["reason"],
        "note": "",
        "trainings": [],
        "p_holm": None,
        "verdict_holm": NOT_TESTED,
    }


def _round(value: float) -> float:
    # Beyond the twelfth digit there is only rounding error. + 0.0 turns a negative zero into zero.
    return float(f"{round(value, 12):.6g}") + 0.0
