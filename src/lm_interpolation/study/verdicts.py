"""The plan for the verdicts: which claims are tested, their inputs and their settings."""

from typing import TYPE_CHECKING, Any, cast

from lm_interpolation.study.judged import describe_scorer
from lm_interpolation.study.scorers import statistics_settings

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.claims.base import Claim
    from lm_interpolation.study.study import Study


def inputs(study: "Study") -> dict[str, list[str]]:
    """Scores, tables of analyses and losses that the claims are tested on, and metrics of their judges."""
    scores = {
        path
        for claim in _claims(study, tested=True).values()
        for sweep, prompts, scorer in claim.scores_read()
        for path in study.lines.scores(sweep, [scorer], [prompts])
    }
    return {
        "scores": sorted(scores),
        "tables": [study.table(table) for table in _tables(study).values()],
        "losses": [study.path("losses", f"{name}.parquet") for name in _losses(study)],
        "judges": study.judge_metrics(_scorers(study)),
    }


def settings(study: "Study") -> dict[str, Any]:
    """Settings of the verdicts; lists are in the order of ``inputs``."""
    tested, scorers = _claims(study, tested=True), _scorers(study)
    along = [sweep for name in _losses(study) for sweep in study.analysis(name).sweeps_behind(study.declared)]
    sweeps = dict.fromkeys([*(name for claim in tested.values() for name in claim.sweeps()), *along])
    judged = _judged(study)
    return {
        "study": study.name,
        "described": [
            (name, describe_scorer(study.declared, name, _prompts(study, name)))
            for name in study.scorers
            if name in scorers
        ],
        "judges": study.judge_settings(scorers),
        "claims": [claim for claim, reason in judged if reason is None],
        "left_out": [(claim, reason) for claim, reason in judged if reason is not None],
        "sweeps": [study.sweep_settings(name) for name in sweeps],
        "spaces": study.lines.spaces(inputs(study)["scores"]),
        "scorers": statistics_settings(study.scorers, scorers),
        "barriers": {
            name: statistic.name
            for name, scorer in study.scorers.items()
            if name in scorers and (statistic := scorer.barrier_statistic()) is not None
        },
        "tables": list(_tables(study)),
        "losses": _losses(study),
        "seed": study.config["tables"]["seed"],
    }


def _judged(study: "Study") -> list[tuple[dict[str, Any], str | None]]:
    """(settings, why it is left out or None) of each claim; one for all trainings of a claim that is repeated.

    Such a claim has ``trainings``, pairs of a seed and the keys of that training, and is left out if one of them is.
    """
    claims, found = study.declared.claims, []
    repeated = {tuple(one.members.values()): (name, one) for name, one in study.declared.repeated("claims").items()}
    together = {name: names for names in repeated for name in names}
    for names in dict.fromkeys(together.get(name, (name,)) for name in claims):
        reasons = [why for name in names if (why := study.left_out.get(f"claims.{name}")) is not None]
        if names in repeated:
            name, whole = repeated[names]
            settings = cast("Claim", whole.spec).settings(name)
            settings["trainings"] = [(str(seed), claims[one].keys()) for seed, one in whole.members.items()]
        else:
            settings = claims[names[0]].settings(names[0])
        found.append((settings, reasons[0] if reasons else None))
    return found


def _claims(study: "Study", tested: bool) -> "dict[str, Claim]":
    """The claims, one for each training, whose data the study declares, or those whose data it does not declare."""
    claims = study.declared.claims.items()
    return {name: claim for name, claim in claims if (f"claims.{name}" not in study.left_out) == tested}


def _tables(study: "Study") -> dict[str, str]:
    """Analysis to the one of its tables that claims read."""
    claims = _claims(study, tested=True).values()
    found = {analysis: claim.table_read() for claim in claims if (analysis := claim.analysis_read()) is not None}
    return found | {name: name for name in _losses(study)}


def _losses(study: "Study") -> list[str]:
    """Names of the analyses whose raw losses claims read, each once."""
    claims = _claims(study, tested=True).values()
    return list(dict.fromkeys(name for claim in claims for name in claim.loss_analyses()))


def _prompts(study: "Study", scorer: str) -> list[str]:
    """Names of the prompt sets whose texts claims take a scorer's scores of, each once."""
    read = (entry for claim in _claims(study, tested=True).values() for entry in claim.scores_read())
    return list(dict.fromkeys(prompts for _, prompts, name in read if name == scorer))


def _scorers(study: "Study") -> set[str]:
    """Names of the scorers that claims are tested on."""
    return {scorer for claim in _claims(study, tested=True).values() for _, _, scorer in claim.scores_read()}
