"""The plan for the explorer: its pages, their inputs and their settings."""

from typing import TYPE_CHECKING, Any

from lm_interpolation.pages.facts import describe_sweep
from lm_interpolation.study.captions import sampling
from lm_interpolation.study.judged import describe_scorer, judged_sets, scored_sets
from lm_interpolation.study.scorers import colour_settings, main_panel

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


def pages(study: "Study") -> dict[str, list[str]]:
    """Map each page to its sweeps: all sweeps with texts, or those in figures of the quick part."""
    drawn = {path for name in study.config["quick"] for path in study.declared.figures[name].tables_behind(study)}
    sweeps = study.scored_sweeps()
    return {"explorer": sweeps, "explorer-quick": [name for name in sweeps if study.table(name) in drawn]}


def inputs(study: "Study", page: str) -> dict[str, list[str]]:
    """Tables, prompts and texts of the sweeps of a page, scores of single texts, and metrics of judges."""
    sweeps = {name: study.sweeps[name] for name in pages(study)[page]}
    prompts = dict.fromkeys(prompts for sweep in sweeps.values() for prompts in sweep.prompts)
    texts = {
        study.path("texts", sweep.space, prompts, f"{entry.point.id}.parquet")
        for sweep in sweeps.values()
        for prompts in sweep.prompts
        for entry in sweep.points
    }
    scores = {
        path for name in sweeps for scorer in _text_scorers(study, name) for path in study.lines.scores(name, [scorer])
    }
    return {
        "tables": [study.table(name) for name in sweeps],
        "prompts": [study.path("prompts", f"{name}.parquet") for name in prompts],
        "texts": sorted(texts),
        "scores": sorted(scores),
        "judges": study.judge_metrics(_scorers(study, page)),
    }


def settings(study: "Study", page: str) -> dict[str, Any]:
    """Settings of a page; sweeps are in the order of its tables."""
    sweeps = pages(study)[page]
    scoring = {scorer for name in sweeps for scorer in _text_scorers(study, name)}
    judged = {name: judged_sets(study.declared, name, sweeps) for name in study.scorers}
    return {
        "study": study.name,
        "samples": {
            prompts: study.declared.samples_of(prompts) for name in sweeps for prompts in study.sweeps[name].prompts
        },
        # A study without texts may say nothing of sampling.
        "sampling": sampling(study, sweeps) if sweeps else "",
        "spaces": study.lines.spaces(inputs(study, page)["scores"]),
        "sweeps": [_sweep(study, name) for name in sweeps],
        "scorers": {
            name: {
                **colour_settings(scorer),
                "description": describe_scorer(study.declared, name, scored_sets(study.declared, name, sweeps)),
            }
            for name, scorer in study.scorers.items()
            if name in scoring
        },
        "judges": study.judge_settings(_scorers(study, page)),
        "judged": {name: sets for name, sets in judged.items() if sets},
    }


def _sweep(study: "Study", name: str) -> dict[str, Any]:
    """What a page shows of a sweep."""
    spec = study.config["sweeps"][name]
    marked = (figure.markers_on(name) for figure in study.declared.figures.values())
    return {
        "sweep": study.sweep_settings(name),
        "label": spec.get("label", name),
        "formula": describe_sweep(study.sweeps[name], spec, False),
        "coordinate_labels": [
            spec["coordinate_labels"].get(coordinate, coordinate) for coordinate in study.sweeps[name].coordinates
        ],
        "text_scorers": _text_scorers(study, name),
        "panels": _panels(study, name),
        # The marks of the first plane that shows the sweep.
        "markers": next((markers for markers in marked if markers is not None), []),
    }


def _panels(study: "Study", sweep: str) -> list[dict[str, Any]]:
    """The statistics of each scorer that figures of this sweep show, or failing that, those that any figure shows.

    Scorers that no figure shows get their main statistic.
    """
    own: dict[str, dict[str, list[dict[str, Any]]]] = {}
    others: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for figure in study.declared.figures.values():
        found = own if sweep in figure.sweeps_behind(study.declared) else others
        for panel in figure.score_panels():
            found.setdefault(panel["scorer"], {}).setdefault(panel["statistic"], []).append(panel)
    panels = []
    for scorer in study.declared.scorers_of(sweep):
        drawn = own.get(scorer) or others.get(scorer) or main_panel(scorer, study.scorers[scorer])
        for statistic, same in drawn.items():
            # If a panel has one set of prompts, its label may name the set.
            fitting = [panel for panel in same if panel.get("prompts") in (None, *_only_prompts(study, sweep))]
            panel = (fitting or same)[0]
            kept: dict[str, Any] = {key: panel[key] for key in ("label", "scale", "limit", "centre") if key in panel}
            if not fitting:
                kept["label"] = f"{scorer} {statistic}"
            panels.append({"scorer": scorer, "statistic": statistic, **kept})
    return panels


def _only_prompts(study: "Study", sweep: str) -> tuple[str, ...]:
    """The set of prompts of a sweep that has only one."""
    prompts = study.sweeps[sweep].prompts
    return prompts if len(prompts) == 1 else ()


def _text_scorers(study: "Study", sweep: str) -> list[str]:
    """The scorers of a sweep that give each text a score."""
    return [name for name in study.declared.scorers_of(sweep) if study.scorers[name].colour() is not None]


def _scorers(study: "Study", page: str) -> set[str]:
    """Names of the scorers of the sweeps of a page."""
    return {scorer for sweep in pages(study)[page] for scorer in study.declared.scorers_of(sweep)}
