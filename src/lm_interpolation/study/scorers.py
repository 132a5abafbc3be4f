"""The scorers of a study: their judges, and how tables, claims, the summary and the explorer use their scores."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.judges import Judge, read_judges
from lm_interpolation.study.judged import judged_sets
from lm_interpolation.study.kinds.scorers.base import Scorer
from lm_interpolation.study.kinds.study_config import StudyConfig


def statistics_settings(
    scorers: Mapping[str, Scorer], names: Collection[str]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """(name, statistics) of the ``scorers`` in ``names``, for the settings of jobs."""
    return [
        (name, [statistic.settings() for statistic in scorer.statistics()])
        for name, scorer in scorers.items()
        if name in names
    ]


def judge_entries(config: StudyConfig, names: Collection[str]) -> list[dict[str, Any]]:
    """What ``judges.read_judges`` needs to know of the classifiers among the scorers called ``names``."""
    found = []
    for name, scorer in config.scorers.items():
        if name in names and (judged := scorer.judged_classes()) is not None:
            model = config.models[judged["model"]]
            exam = {} if model.exam is None else {"exam": model.exam.marks()}
            found.append({"scorer": name, **judged, "trained": model.data is not None, **exam})
    return found


def metrics_file(entry: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Where the quality of the judge of an entry stands, below the results; None if it was not measured."""
    if "exam" in entry:
        return ("judges", entry["model"], "exam.json")
    return ("training", entry["model"], "metrics.json") if entry["trained"] else None


def study_judges(config: StudyConfig, results: Path, names: Collection[str]) -> dict[str, Judge]:
    """``read_judges`` for the scorers ``names`` of a study whose results are in the folder ``results``.

    Also raises ``UserError`` if a file is missing.
    """
    entries = judge_entries(config, names)
    paths = [results.joinpath(*parts) for entry in entries if (parts := metrics_file(entry)) is not None]
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise UserError(f"{missing}: missing; build it with the study")
    return read_judges(entries, paths)


def shown_settings(config: StudyConfig) -> list[dict[str, Any]]:
    """How the summary of a run shows each scorer (see ``tables.Shown``); with ``samples`` if it does not score all."""
    return [
        {
            "scorer": name,
            "statistics": scorer.summary_statistics(),
            "barrier": None if (barrier := scorer.barrier_statistic()) is None else barrier.name,
            **({"samples": scorer.samples} if judged_sets(config, name, config.sweeps) else {}),
        }
        for name, scorer in config.scorers.items()
    ]


def colour_settings(scorer: Scorer) -> dict[str, Any]:
    """What the explorer needs to know about the scorer that colours texts, beside its description."""
    colour = scorer.colour()
    assert colour is not None
    return {
        "statistic": colour.statistic.settings(),
        "range": colour.scale,
    }


def main_panel(name: str, scorer: Scorer) -> dict[str, list[dict[str, Any]]]:
    """The main statistic of a scorer, mapped to the panel that shows it, in the form of figures' panels."""
    main = scorer.main_statistic().name
    return {main: [{"label": f"{name} {main}", "scale": scorer.main_scale()}]}
