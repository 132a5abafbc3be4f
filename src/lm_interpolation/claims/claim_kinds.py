"""Checks of the keys of claims, until ``config.py`` reads claims through ``study/kinds/claims``.

Those declarations hold the words, the units and the inputs of claims.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lm_interpolation.jobs.runtime import UserError


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "give a text (in quotes, if it looks like a number)"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(value: Any) -> str | None:
    return None if _is_number(value) else "give a number"


def _share(value: Any) -> str | None:
    return None if _is_number(value) and 0 < value <= 1 else "give a number above 0 and up to 1"


def _range(value: Any) -> str | None:
    fits = isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value)) and value[0] < value[1]
    return None if fits else "give two numbers, the lower one first"


def _choice(*words: str) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        return None if isinstance(value, str) and value in words else f"choose one of {', '.join(words)}"

    return check


def _score(value: Any) -> str | None:
    fits = isinstance(value, Mapping) and set(value) == {"scorer", "statistic"} and not any(map(_text, value.values()))
    return None if fits else "give {scorer: ..., statistic: ...}"


Check = Callable[[Any], str | None]
"""Says what to give instead of a value that does not fit; None if it fits."""

_SCALE = _choice("linear", "log")
_COMMON: dict[str, Check] = {"test": _text, "threshold": _number, "reason": _text}
_OVERRIDES: dict[str, Check] = {"statement": _text, "section": _text}


@dataclass(frozen=True)
class ClaimKind:
    """One kind of claim.

    ``keys`` are required, ``optional`` ones are not; of the ``alternatives`` (sets of keys) exactly one is given.
    ``coordinates`` is the number of coordinates of its sweeps (or of its analysis' sweep), ``analysis`` the kind of its
    analysis.
    """

    keys: Mapping[str, Check]
    optional: Mapping[str, Check] = field(default_factory=dict)
    alternatives: tuple[Mapping[str, Check], ...] = ()
    coordinates: int = 1
    analysis: str | None = None


_CURVE: dict[str, Check] = {"sweep": _text, "prompts": _text, "scorer": _text}

KINDS: dict[str, ClaimKind] = {
    "barrier": ClaimKind(
        keys=_CURVE,
    ),
    "monotone": ClaimKind(
        keys={**_CURVE, "statistic": _text, "within": _range, "direction": _choice("rising", "falling")},
    ),
    "stable": ClaimKind(
        keys={
            **_CURVE,
            "statistic": _text,
            "within": _range,
            "scale": _SCALE,
            "worse": _choice("higher", "lower"),
        },
    ),
    "words": ClaimKind(
        keys={"analysis": _text, "group": _text, "within": _range, "direction": _choice("rising", "falling")},
        analysis="next_token",
    ),
    "better": ClaimKind(
        keys={
            "sweep": _text,
            "than": _text,
            "prompts": _text,
            "score": _score,
            "scorer": _text,
            "statistic": _text,
            "scale": _SCALE,
            "sign": _choice("lower", "higher"),
        },
        optional={"from_score": _number},
    ),
    "reach": ClaimKind(
        keys={"sweep": _text, "than": _text, "prompts": _text, "scorer": _text, "statistic": _text},
    ),
    "valley": ClaimKind(
        keys={"statistic": _text},
        optional={"sum": _number, "lowest": _share},
        alternatives=(_CURVE, {"analysis": _text, "class": _text}),
        coordinates=2,
        analysis="loss",
    ),
    "difference": ClaimKind(
        keys={**_CURVE, "other": _text, "statistic": _text, "within": _range, "scale": _SCALE},
    ),
    "norms": ClaimKind(
        keys={"analysis": _text, "pair": _text, "against": _text},
        analysis="norms",
    ),
    "middle": ClaimKind(
        keys={**_CURVE, "statistic": _text, "scale": _SCALE, "sign": _choice("above", "below")},
        optional={"within": _range},
    ),
    "linear": ClaimKind(
        keys={
            "analysis": _text,
            "quantity": _choice("logits", "margin"),
            "column": _choice("r2", "r2_unit", "share_within", "reach"),
        },
        coordinates=2,
        analysis="linearity",
    ),
    "loss_barrier": ClaimKind(
        keys={"analysis": _text, "class": _text},
        analysis="loss",
    ),
}


def check_claim(name: str, spec: Mapping[str, Any]) -> None:
    """Check the config entry ``claims.<name>`` by itself; the caller checks that the names in it are declared.

    Raises ``UserError`` with the key, what is wrong, and what to do.
    """
    path = f"claims.{name}"
    if not isinstance(spec, Mapping):
        raise UserError(f"{path}: is {spec!r}; give a mapping with test, threshold, reason and the keys of the test")
    if "test" not in spec:
        raise UserError(f"{path}.test: is missing; choose one of {', '.join(KINDS)}")
    test = spec["test"]
    if test not in KINDS:
        raise UserError(f"{path}.test: there is no test {test!r}; {_hint(str(test), KINDS, 'choose one of')}")
    kind = KINDS[test]
    required = {**_COMMON, **kind.keys, **_alternative(path, spec, kind)}
    checks = {**required, **kind.optional, **_OVERRIDES}
    for key in sorted(set(spec) - set(checks)):
        raise UserError(f"{path}.{key}: is not a key of test {test}; {_hint(str(key), checks, 'its keys:')}")
    for key in required:
        if key not in spec:
            raise UserError(f"{path}.{key}: is missing; test {test} needs {', '.join(required)}")
    for key, value in spec.items():
        wanted = checks[key](value)
        if wanted is not None:
            raise UserError(f"{path}.{key}: is {value!r}; {wanted}")
    for other, one in (("than", "sweep"), ("other", "sweep"), ("against", "pair")):
        if other in spec and spec[other] == spec[one]:
            raise UserError(f"{path}.{other}: is {spec[other]!r}, like {one}; name another one to compare with")
    if kind.analysis == "loss" and "statistic" in spec and "analysis" in spec:
        wanted = _choice("nll_text", "nll_token")(spec["statistic"])
        if wanted is not None:
            raise UserError(f"{path}.statistic: is {spec['statistic']!r}; {wanted}")


def _alternative(path: str, spec: Mapping[str, Any], kind: ClaimKind) -> Mapping[str, Check]:
    """The alternative set of keys that ``spec`` uses; nothing if the kind has none."""
    if not kind.alternatives:
        return {}
    given = [keys for keys in kind.alternatives if keys.keys() & spec.keys()]
    if len(given) == 1:
        return given[0]
    ways = " or ".join("(" + ", ".join(keys) + ")" for keys in kind.alternatives)
    mixed = [next(key for key in keys if key in spec) for keys in given]
    raise UserError(
        f"{path}.{mixed[-1]}: does not go with {mixed[0]}; give {ways}"
        if mixed
        else f"{path}.{next(iter(kind.alternatives[0]))}: is missing; give {ways}"
    )


def _hint(name: str, names: Iterable[str], introduction: str) -> str:
    names = list(names)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"{introduction} {', '.join(names)}"


def claim_needs(spec: Mapping[str, Any]) -> dict[str, list]:
    """What a claim (that ``check_claim`` accepts) reads, each list without repetitions, in the order of the keys.

    - ``sweeps``: names of sweeps, each with ``KINDS[test].coordinates`` coordinates;
    - ``scores``: (sweep, prompts, scorer) triples;
    - ``analyses``: names of analyses of kind ``KINDS[test].analysis``, whose table it reads;
    - ``losses``: the analyses among them whose raw losses (``losses/<analysis>.parquet``) it reads too.
    """
    sweeps = [spec[key] for key in ("sweep", "than", "other") if key in spec]
    scorers = [spec["scorer"]] if "scorer" in spec else []
    if "score" in spec:
        scorers.append(spec["score"]["scorer"])
    analyses = [spec["analysis"]] if "analysis" in spec else []
    return {
        "sweeps": sweeps,
        "scores": [(sweep, spec["prompts"], scorer) for sweep in sweeps for scorer in dict.fromkeys(scorers)],
        "analyses": analyses,
        "losses": analyses if KINDS[spec["test"]].analysis == "loss" else [],
    }
