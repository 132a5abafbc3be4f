"""Checks of analyses, figures and claims beyond types and references, as far as their kinds do not make them."""

from collections.abc import Iterable, Mapping
from typing import Any

from lm_interpolation.claims.claim_kinds import check_claim, claim_needs
from lm_interpolation.data.corpora import class_names
from lm_interpolation.figures.series import check_count, count_series
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.points.algebra import Point, build_sweep, decimal
from lm_interpolation.study.kinds.base import undeclared


def check_kind(config: Mapping[str, Any], section: str, name: str) -> None:
    """Check an entry of the resolved ``config`` all of whose references hold. Raises ``UserError``."""
    entry, path = config[section][name], f"{section}.{name}"
    if section == "analyses":
        _check_analysis(config, path, entry)
    elif section == "figures":
        _check_figure(config, path, entry)
        with error_prefix(f"config: {path}"):
            check_count(count_series(config, entry))
    elif section == "claims":
        _check_claim(config, path, entry)


def check_claim_itself(name: str, claim: Mapping[str, Any]) -> None:
    """Check a claim by itself, whether it can be tested or not. Raises ``UserError``."""
    with error_prefix("config"):
        check_claim(name, claim)


def _scored(config: Mapping[str, Any], sweep: str, scorer: str, path: str) -> None:
    if scorer not in config["sweeps"][sweep].get("scorers", config["scorers"]):
        raise UserError(
            f"config: {path}: scorer {scorer!r} does not score sweep {sweep!r}; add it to sweeps.{sweep}.scorers"
        )


def _prompted(config: Mapping[str, Any], sweep: str, prompts: str, path: str) -> None:
    if prompts not in config["sweeps"][sweep]["prompts"]:
        raise UserError(
            f"config: {path}: sweep {sweep!r} has no prompts {prompts!r}; add them to sweeps.{sweep}.prompts"
        )


def _known(name: str, names: Iterable[str], path: str, noun: str) -> None:
    if name not in names:
        raise UserError(f"config: {path}: {undeclared(noun, name, names)}")


def _check_analysis(config: Mapping[str, Any], path: str, analysis: Mapping[str, Any]) -> None:
    match analysis["kind"]:
        case "loss":
            if config["corpora"][analysis["corpus"]].get("stream") and analysis["split"] == "test":
                raise UserError(f"config: {path}.split: the stream {analysis['corpus']!r} has no test split; use dev")
            for name in analysis.get("classes", []):
                _known(name, class_names(config["corpora"][analysis["corpus"]]), f"{path}.classes", "class")
        case "next_token":
            _on_grid(config, analysis["sweep"], analysis["ends"], f"{path}.ends")
            if len(set(analysis["ends"])) == 1:
                raise UserError(f"config: {path}.ends: both are {analysis['ends'][0]}; choose two values")
        case "linearity":
            if len(Point.of(config["sweeps"][analysis["sweep"]]["origin"]).models) != 1:
                raise UserError(
                    f"config: {path}.sweep: the origin of {analysis['sweep']!r} is no single model; change it"
                )
        case "norms":
            for label, pair in analysis["pairs"].items():
                if pair["model"] == pair["reference"]:
                    raise UserError(f"config: {path}.pairs.{label}: compares {pair['model']!r} with itself; name two")
        case "cost":
            _on_grid(config, analysis["sweep"], analysis["at"], f"{path}.at")
        case "precision":
            _prompted(config, analysis["sweep"], analysis["prompts"], f"{path}.prompts")
            _on_grid(config, analysis["sweep"], analysis["at"], f"{path}.at")
            chosen = config["sweeps"][analysis["sweep"]].get("scorers", config["scorers"])
            models = [spec for name, spec in config["scorers"].items() if name in chosen and "model" in spec]
            if not models:
                raise UserError(
                    f"config: {path}.sweep: no model scores the texts of {analysis['sweep']!r}; choose another"
                )
            precisions = [config["generation"]["precision"], *(spec["precision"] for spec in models)]
            if set(precisions) == {"fp32"}:
                raise UserError(
                    f"config: {path}: generation and scorers of {analysis['sweep']!r} are all in fp32; remove it, or "
                    "choose another precision there"
                )
        case "texts":
            for sweep in analysis["sweeps"]:
                # The table has a column per sweep, beside these.
                if sweep in ("row", "prompt", "coordinate"):
                    raise UserError(f"config: {path}.sweeps: {sweep!r} is a column of the table; rename that sweep")
                _prompted(config, sweep, analysis["prompts"], f"{path}.prompts")
                _on_grid(config, sweep, analysis["at"], f"{path}.at")
        case "barrier":
            for sweep in analysis["sweeps"]:
                _scored(config, sweep, analysis["scorer"], f"{path}.scorer")
                _on_grid(config, sweep, [0, 1], f"{path}.sweeps")
            for loss in analysis["losses"]:
                _on_grid(config, config["analyses"][loss]["sweep"], [0, 1], f"{path}.losses")
            along = [config["analyses"][loss]["sweep"] for loss in analysis["losses"]]
            if len(set(along)) != len(along):
                raise UserError(f"config: {path}.losses: two are along one sweep; give one of each sweep")


def _on_grid(config: Mapping[str, Any], sweep: str, values: Iterable[float], path: str) -> None:
    """Raise ``UserError`` unless the sweep of one direction has points at all ``values`` of its coordinate."""
    with error_prefix("config"):
        points = build_sweep(sweep, config["sweeps"][sweep]).points
    known = {entry.coordinates[0][1] for entry in points}
    for value in values:
        if decimal(value) not in known:
            raise UserError(f"config: {path}: {value} is not on the grid of sweep {sweep!r}; add it there")


def _check_figure(config: Mapping[str, Any], path: str, figure: Mapping[str, Any]) -> None:
    match figure["kind"]:
        case "curves":
            for index, panel in enumerate(figure["panels"]):
                for part, where in ((panel, f"{path}.panels.{index}"), (panel.get("x"), f"{path}.panels.{index}.x")):
                    if part:
                        for sweep in figure["sweeps"]:
                            _scored(config, sweep, part["scorer"], f"{where}.scorer")
                        _check_statistic(config, part, f"{where}.statistic")
            prompts = [config["sweeps"][sweep]["prompts"] for sweep in figure["sweeps"]]
            if figure["overlay"] and len(set(prompts[0]).intersection(*prompts)) != 1:
                raise UserError(f"config: {path}.overlay: the sweeps need exactly one prompt set in common; set false")
            if "cost" in figure and not figure["overlay"]:
                raise UserError(f"config: {path}.cost: is drawn beside one row of panels; set overlay: true")
        case "plane":
            for index, panel in enumerate(figure["panels"]):
                where = f"{path}.panels.{index}"
                if "scorer" in panel:
                    _scored(config, figure["sweep"], panel["scorer"], f"{where}.scorer")
                    _prompted(config, figure["sweep"], panel["prompts"], f"{where}.prompts")
                    _check_statistic(config, panel, f"{where}.statistic")
                else:
                    _check_loss_panel(config, figure["sweep"], panel, where)
                if "centre" in panel and ("limit" in panel or panel["scale"] == "log"):
                    raise UserError(f"config: {where}.centre: goes with scale: linear and without a limit; remove one")
            for index, line in enumerate(figure["lines"]):
                if not any(line["coefficients"].values()):
                    raise UserError(f"config: {path}.lines.{index}.coefficients: are all 0; give one that is not")
            coordinates = config["sweeps"][figure["sweep"]]["directions"]
            for key, part in (("markers", "at"), ("lines", "coefficients")):
                for index, item in enumerate(figure[key]):
                    if set(item[part]) != set(coordinates):
                        raise UserError(
                            f"config: {path}.{key}.{index}.{part}: has {sorted(item[part])}, but the coordinates of "
                            f"{figure['sweep']!r} are {sorted(coordinates)}; name the same"
                        )


def _check_loss_panel(config: Mapping[str, Any], sweep: str, panel: Mapping[str, Any], path: str) -> None:
    analysis = config["analyses"][panel["analysis"]]
    if analysis["sweep"] != sweep:
        raise UserError(
            f"config: {path}.analysis: {panel['analysis']!r} is along sweep {analysis['sweep']!r}, not {sweep!r}; "
            "choose one of this sweep"
        )
    if "classes" in analysis:
        if "class" not in panel:
            raise UserError(f"config: key 'class' is missing at {path}; choose one of {', '.join(analysis['classes'])}")
        _known(panel["class"], analysis["classes"], f"{path}.class", "class")
    elif "class" in panel:
        raise UserError(f"config: {path}.class: {panel['analysis']!r} takes all texts together; remove it")
    _loss_statistic(panel["statistic"], f"{path}.statistic")


def _loss_statistic(statistic: str, path: str) -> None:
    if statistic not in ("nll_text", "nll_token"):
        raise UserError(f"config: {path}: {statistic!r} is no statistic of a loss; choose one of nll_text, nll_token")


def _check_claim(config: Mapping[str, Any], path: str, claim: Mapping[str, Any]) -> None:
    needs = claim_needs(claim)
    for sweep, prompts, scorer in needs["scores"]:
        _scored(config, sweep, scorer, f"{path}.scorer" if scorer == claim["scorer"] else f"{path}.score.scorer")
        _prompted(config, sweep, prompts, f"{path}.prompts")
    for part, where in ((claim, path), (claim.get("score"), f"{path}.score")):
        if part and "scorer" in part and "statistic" in part:
            _check_statistic(config, part, f"{where}.statistic")


def _relabelled(classes: Iterable[str], scorer: Mapping[str, Any]) -> list[str]:
    """``classes`` of the scorer's model by the names that they have as scores."""
    labels = scorer.get("labels", {})
    return [labels.get(name, name) for name in classes]


def _trained_classes(config: Mapping[str, Any], scorer: Mapping[str, Any]) -> list[str]:
    """Names of the classes of a scorer's model that is trained here; empty if it is imported."""
    data = config["models"][scorer["model"]].get("data")
    return class_names(config["corpora"][data["corpus"]]) if data else []


def _check_statistic(config: Mapping[str, Any], panel: Mapping[str, Any], path: str) -> None:
    scorer, statistic = config["scorers"][panel["scorer"]], panel["statistic"]
    if scorer["kind"] == "classifier":
        classes = _relabelled(_trained_classes(config, scorer), scorer)
        if not classes and statistic.startswith("p_"):
            return
        known = ["score", *(f"p_{name}" for name in classes or ["<class>"])]
    elif scorer["kind"] == "perplexity":
        known = ["continuation_mean", "continuation_corpus", "text_mean", "text_corpus"]
    else:
        known = [f"distinct_{n}" for n in scorer["n"]]
    if statistic not in known:
        choices = f"choose one of {', '.join(known)}"
        raise UserError(f"config: {path}: {statistic!r} is no statistic of {panel['scorer']}; {choices}")
