"""Kinds of figures and claims: what they declare, and which mistakes they find in a study."""

# ruff: noqa: E501

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lm_interpolation.figures.finding_barrier import find_barrier
from lm_interpolation.figures.finding_calibration import find_calibration
from lm_interpolation.figures.finding_curves import find_curves
from lm_interpolation.figures.finding_intruders import find_intruders
from lm_interpolation.figures.finding_layers import find_layers
from lm_interpolation.figures.finding_linearity import find_linearity
from lm_interpolation.figures.finding_methods import find_methods
from lm_interpolation.figures.finding_norms import find_norms
from lm_interpolation.figures.finding_plane import find_plane
from lm_interpolation.figures.finding_region import find_region
from lm_interpolation.figures.finding_search import find_search
from lm_interpolation.figures.finding_similarity import find_similarity
from lm_interpolation.figures.finding_slices import find_slices
from lm_interpolation.figures.finding_start import find_start
from lm_interpolation.figures.finding_training import find_training
from lm_interpolation.figures.finding_traverse import find_traverse
from lm_interpolation.figures.finding_tsne import find_tsne
from lm_interpolation.figures.finding_tuning_contribution import find_tuning_contribution
from lm_interpolation.figures.finding_words import find_words
from lm_interpolation.figures.series import MOST
from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.study import captions
from lm_interpolation.study.kinds.base import Declaration, tag
from lm_interpolation.study.kinds.catalog import CLAIMS, FIGURES
from lm_interpolation.study.kinds.study_config import StudyConfig
from lm_interpolation.study.study import Study
from tests.study.test_config import full_config

FINDERS = {
    "barrier": find_barrier,
    "calibration": find_calibration,
    "curves": find_curves,
    "intruders": find_intruders,
    "layers": find_layers,
    "linearity": find_linearity,
    "methods": find_methods,
    "norms": find_norms,
    "plane": find_plane,
    "region": find_region,
    "search": find_search,
    "similarity": find_similarity,
    "slices": find_slices,
    "start": find_start,
    "training": find_training,
    "tsne": find_tsne,
    "traverse": find_traverse,
    "tuning_contribution": find_tuning_contribution,
    "words": find_words,
}


def config_of(section: str, **changes: Mapping[str, Any]) -> StudyConfig:
    """The declarations of a study with every kind; ``changes`` are keys of entries of a section, None removes one."""
    written = full_config()
    for name, keys in changes.items():
        entry = {**written[section][name], **keys}
        written[section][name] = {key: value for key, value in entry.items() if value is not None}
    return StudyConfig.model_validate(written)


def problems(entry: Declaration, config: StudyConfig) -> list[tuple[str, str]]:
    return list(entry.check(config))


@pytest.mark.parametrize("kind", FIGURES, ids=tag)
def test_every_kind_of_figure_draws_finds_and_describes(kind: Any) -> None:
    study = Study(full_config())
    for script in filter(None, (kind.SCRIPT, kind.CAPTION, kind.TABLE_CAPTION)):
        assert (WORKFLOW / "scripts" / script).is_file()
    names = [name for name, figure in study.declared.figures.items() if type(figure) is kind]
    assert names
    for name in names:
        figure = study.declared.figures[name]
        # What is drawn is exactly what its finding takes.
        inspect.signature(FINDERS[tag(kind)]).bind([], {}, **figure.drawn(study))
        settings = captions.figure_settings(study, name)
        assert settings["drawn"] == figure.drawn(study)
        assert settings["text"].keys() == {"words", "facts", "judges", "tokens"}
        assert captions.figure_inputs(study, name)["tables"] == figure.tables_behind(study)
        paths = [
            path for value in figure.inputs(study).values() for path in ([value] if isinstance(value, str) else value)
        ]
        tables = {path for path in paths if Path(path).suffix == ".csv"}
        assert tables <= set(figure.tables_behind(study))


def test_the_right_script_runs_for_each_figure_and_table() -> None:
    study = Study(full_config())
    figures = {name: (figure.SCRIPT, figure.CAPTION) for name, figure in study.declared.figures.items()}
    for name, kind in {
        "curves": "curves",
        "both": "curves",
        "map": "plane",
        "rows": "slices",
        "next": "words",
        "walls": "barrier",
    }.items():
        assert figures[name] == (f"figures/plot_{kind}.py", f"figures/caption_{kind}.py")
    assert len(set(figures.values())) == len(FIGURES) == len(figures) - 1
    scripts = {
        name: captions.table_script(study, name) for name in ("theta1", "words", "distances", "search", "barriers")
    }
    assert scripts == {
        "theta1": "tables/table_caption_curves.py",
        "words": "tables/table_caption_words.py",
        "distances": "tables/table_caption_norms.py",
        "search": "tables/table_caption_search.py",
        "barriers": "tables/table_caption_barrier.py",
    }
    # Of two tables, and of none.
    for table in ("theta3", "taylor", "taylor_summary", "line-loss", "areas", "areas_clusters", "areas_places"):
        assert captions.table_script(study, table) == "tables/table_caption.py"
        assert captions.table_settings(study, table).keys() == {"text"}


def test_a_study_of_every_kind_is_without_problems() -> None:
    config = config_of("figures")
    for entry in (*config.figures.values(), *config.claims.values()):
        assert problems(entry, config) == []


PANEL = {"scorer": "sentiment", "statistic": "score", "label": "Score"}


@pytest.mark.parametrize(
    ("name", "keys", "problem"),
    [
        ("curves", {"panels": [PANEL | {"statistic": "scor"}]}, ("panels.0.statistic", "'scor' is not a statistic of sentiment; choose one of score, ")),
        ("curves", {"panels": [PANEL, PANEL | {"x": PANEL | {"statistic": "p_no"}}]}, ("panels.1.x.statistic", "'p_no' is not a statistic")),
        ("both", {"overlay": False}, ("cost", "is drawn beside one row of panels; set overlay: true")),
        ("map", {"panels": [PANEL | {"scorer": "distinct", "statistic": "distinct_1", "prompts": "neutral"}]}, ("panels.0.scorer", "scorer 'distinct' does not score sweep 'theta3'")),
        ("map", {"panels": [PANEL | {"prompts": "more"}]}, ("panels.0.prompts", "sweep 'theta3' has no prompts 'more'")),
        ("map", {"panels": [{"analysis": "line-loss", "statistic": "nll_text", "label": "L"}]}, ("panels.0.analysis", "'line-loss' is along sweep 'theta1', not 'theta3'")),
        ("map", {"panels": [{"analysis": "plane-loss", "statistic": "nll_text", "label": "L"}]}, ("panels.0", "key 'class' is missing; choose one of positive")),
        ("map", {"panels": [{"analysis": "plane-loss", "class": "no", "statistic": "nll_text", "label": "L"}]}, ("panels.0.class", "class 'no' is not declared")),
        ("map", {"panels": [{"analysis": "plane-loss", "class": "positive", "statistic": "nll", "label": "L"}]}, ("panels.0.statistic", "'nll' is not a statistic of a loss; choose one of nll_text, nll_token")),
        ("map", {"panels": [PANEL | {"prompts": "neutral", "centre": 0.5, "limit": 1}]}, ("panels.0.centre", "goes with scale: linear and without a limit")),
        ("compared", {"values": {"theta3": {"beta": [7]}}}, ("values.theta3.beta", "7 is not on the grid of sweep 'theta3'; choose others")),
        ("compared", {"values": {"theta3": {"alpha": [1]}}}, ("values.theta3", "coordinate after the first 'alpha' is not declared; declared: beta")),
        ("compared", {"values": {"ensemble": {}}}, ("values", "'ensemble' is not among the sweeps; add it there")),
        ("compared", {"score": PANEL | {"statistic": "no"}}, ("score.statistic", "'no' is not a statistic of sentiment")),
        ("compared", {"across": [{"losses": ["line-loss"], "statistic": "nll_token", "label": "L"}]}, ("across.0.losses", "no analysis is along sweep 'theta3'; name exactly one")),
        ("compared", {"across": [{"losses": ["line-loss", "whole-plane-loss"], "class": "positive", "statistic": "nll_token", "label": "L"}]}, ("across.0.class", "'line-loss' has all texts together; choose accordingly")),
        ("trust", {"models": ["critic", "judge"]}, ("models.1", "'judge' has no exam; declare one, or take it out")),
        ("rows", {"along": "gamma"}, ("along", "coordinate 'gamma' is not declared; declared: alpha, beta")),
        ("rows", {"prompts": "more"}, ("prompts", "sweep 'theta3' has no prompts 'more'")),
        ("rows", {"panels": [PANEL | {"statistic": "scor"}]}, ("panels.0.statistic", "'scor' is not a statistic of sentiment")),
        ("map", {"markers": [{"label": "m", "at": {"alpha": 0}}]}, ("markers.0.at", "has ['alpha'], but the coordinates of 'theta3' are ['alpha', 'beta']; name the same")),
        ("map", {"lines": [{"label": "l", "coefficients": {"alpha": 0, "beta": 0}, "value": 1}]}, ("lines.0.coefficients", "are all 0; give one that is not")),
    ],
)  # fmt: skip
def test_figures_that_do_not_fit_the_study(name: str, keys: dict[str, Any], problem: tuple[str, str]) -> None:
    config = config_of("figures", **{name: keys})
    (key, words), *others = problems(config.figures[name], config)
    assert key == problem[0] and words.startswith(problem[1])
    assert {where for where, _ in others} <= {key}


def test_series_are_counted() -> None:
    config = config_of("figures")
    assert {name: figure.series(config) for name, figure in config.figures.items()} == {
        "curves": 1,
        "both": 2,
        "map": 0,
        "rows": 2,
        "next": 8,
        "moves": 2,
        "learning": 1,
        "tried": 2,
        "walls": 2,
        "tangent": 0,
        "trust": 2,
        "blocks": 0,
        "atlas": 2,
        "heat": 0,
        "starts": 0,
        "compared": 2,
        "areas": 0,
        "ways": 0,
        "news": 2,
        "shares": 2,
    }
    many = config_of("analyses", words={"top": MOST + 1})
    ((key, words),) = problems(many.figures["next"], many)
    assert key == "" and words.startswith(f"{MOST + 1} series in one figure cannot be told apart")


@pytest.mark.parametrize(
    ("name", "keys", "problem"),
    [
        ("rises", {"statistic": "scor"}, ("statistic", "'scor' is not a statistic of sentiment")),
        ("rises", {"prompts": "more"}, ("prompts", "sweep 'theta1' has no prompts 'more'")),
        ("hill", {"scorer": "distinct", "statistic": "distinct_1"}, ("scorer", "scorer 'distinct' does not score sweep 'theta3'")),
        ("valley", {"statistic": "nll"}, ("statistic", "'nll' is not a statistic of a loss")),
        ("newer", {"against": "positive"}, ("against", "is 'positive', like model; name another one to compare with")),
        ("newer", {"model": "other"}, ("model", "'strangers' does not look at model 'other'; choose one of positive, negative")),
        ("near", {"against": "tuned"}, ("against", "is 'tuned', like pair; name another one to compare with")),
        ("fluent", {"than": "theta1"}, ("than", "is 'theta1', like sweep; name another one to compare with")),
        ("alike", {"other": "theta1"}, ("other", "is 'theta1', like sweep; name another one to compare with")),
        ("alone", {"along": "gamma"}, ("along", "coordinate 'gamma' is not declared; declared: alpha, beta")),
        ("alone", {"statistic": "scor"}, ("statistic", "'scor' is not a statistic of sentiment")),
        ("kept", {"at": {"alpha": 0.4, "beta": 0}}, ("at", "is no point of sweep 'theta3'; add it to the grid or to the anchors")),
        ("kept", {"to": {"alpha": 1}}, ("to", "has ['alpha'], but the coordinates of 'theta3' are ['alpha', 'beta']; name the same")),
        ("kept", {"to": {"alpha": 0, "beta": 0}}, ("to", "is the point from which the share is counted; name another one")),
        ("kept", {"class": "no"}, ("class", "class 'no' is not declared; declared: positive")),
        ("below", {"baseline": {"analysis": "line-dev-loss", "at": {"alpha": 0}}}, ("baseline.analysis", "'line-dev-loss' is of other texts than 'line-loss'; give both the same")),
        ("below", {"baseline": {"analysis": "line-loss", "at": {"alpha": 0.5}}}, ("baseline", "is the same point; name another one to compare with")),
        ("below", {"point": {"analysis": "line-loss", "models": ["base"]}}, ("point.analysis", "'line-loss' does not measure model 'base' by itself")),
        ("below", {"point": {"analysis": "parts", "models": ["base"]}}, ("point.analysis", "'parts' does not measure model 'base' by itself")),
        ("below", {"point": {"analysis": "parts", "at": {"alpha": 0}}}, ("point.analysis", "'parts' is of kind layers; choose one of kind loss")),
        ("chosen", {"method": {"choose": ["line-loss"], "measure": ["line-loss"]}}, ("method.measure", "'line-loss' is of texts that choose the point; take another split")),
        ("chosen", {"method": {"choose": ["line-dev-loss"], "measure": ["quiet-loss"]}}, ("method.measure", "'quiet-loss' is not along sweep 'theta1'; name analyses of one sweep")),
        ("chosen", {"baseline": {"choose": ["line-dev-loss"], "measure": ["line-loss"]}}, ("baseline", "is of the same sweep; name analyses of another one")),
        ("told", {"against": "good"}, ("against", "is 'good', like group; name another one to compare with")),
        ("spares", {"method": {"target": "line-loss", "general": "quiet-news-loss"}}, ("method.general", "'quiet-news-loss' is along sweep 'quiet', not 'theta1'")),
        ("fluent", {"score": {"scorer": "sentiment", "statistic": "no"}}, ("score.statistic", "'no' is not a statistic of sentiment")),
    ],
)  # fmt: skip
def test_claims_that_do_not_fit_the_study(name: str, keys: dict[str, Any], problem: tuple[str, str]) -> None:
    config = config_of("claims", **{name: keys})
    key, words = problems(config.claims[name], config)[0]
    assert key == problem[0] and words.startswith(problem[1])


def test_claims_say_what_they_are_judged_by() -> None:
    settings = config_of("claims").claims["fluent"].settings("fluent")
    assert settings["keys"] == {
        "sweep": "theta1",
        "prompts": "neutral",
        "scorer": "sentiment",
        "statistic": "p_positive",
        "than": "ensemble",
        "scale": "linear",
        "sign": "higher",
        "score": {"scorer": "sentiment", "statistic": "score"},
    }
    assert (settings["direction"], settings["unit"]) == ("at least", "as the statistic")
    assert settings["statistics"] == [("sentiment", "p_positive"), ("sentiment", "score")]
    # Absent keys have the defaults of the kind.
    assert config_of("claims").claims["hill"].keys()["lowest"] == 0.1
    assert len({tag(kind, "test") for kind in CLAIMS}) == len(CLAIMS)


def test_the_explorer_can_draw_the_panels_of_every_kind() -> None:
    figures = StudyConfig.model_validate(full_config()).figures
    panels = {name: panel for name, figure in figures.items() for panel in figure.score_panels()}
    assert {"curves", "map", "rows", "compared"} <= panels.keys()
    for name, panel in panels.items():
        assert {"scorer", "statistic", "label", "scale"} <= panel.keys(), name
