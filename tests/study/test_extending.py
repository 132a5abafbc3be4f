"""A study that takes over some of the experiments: inherited parts that it cannot have are left out."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study import captions, verdicts
from lm_interpolation.study.config import declare
from lm_interpolation.study.extending import extended, laid_over
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study

ROOT = Path(__file__).parents[2]
EMBEDDED = read_study([ROOT / "config" / "config.yaml"])
Config = dict[str, Any]


@pytest.fixture(autouse=True)
def in_the_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def overridden(override: Callable[[Config], Any]) -> Config:
    config = json.loads(json.dumps(EMBEDDED))
    override(config)
    return config


def planned(config: Config) -> Study:
    """The study, all of whose settings can be said."""
    study = Study(config)
    assert study.targets.results() and verdicts.settings(study) and captions.overview_settings(study)
    for name, figure in study.declared.figures.items():
        assert figure.settings(study) is not None and captions.figure_settings(study, name)
    for name in study.config["analyses"]:
        assert study.analysis_settings(name)
    return study


def errors_of(config: Config) -> list[str]:
    with pytest.raises(UserError) as caught:
        declare(config)
    return caught.value.lines()


def test_without_a_plane() -> None:
    study = planned(overridden(lambda config: config["sweeps"].update(plane=None)))
    lost = "the study declares no sweep 'plane'"
    assert study.left_out == {
        "analyses.plane-loss": lost,
        "figures.fig7": lost,
        "figures.fig8": lost,
        "quick.fig8": "figures.fig8 is left out",
        "claims.perplexity-valley": lost,
        "claims.loss-valley": "analyses.plane-loss is left out",
        "claims.negative-loss-valley": "analyses.plane-loss is left out",
    }
    assert "fig8" not in study.config["quick"] and "perplexity-valley" in study.config["claims"]


REMOVE = (lambda scorers: scorers.pop("grammar"), lambda scorers: scorers.update(grammar=None))


@pytest.mark.parametrize("override", REMOVE)
def test_without_a_scorer(override: Callable[[Config], Any]) -> None:
    study = planned(overridden(lambda config: override(config["scorers"])))
    lost = "the study declares no scorer 'grammar'"
    panels = {path: reason for path, reason in study.left_out.items() if not path.startswith("claims.")}
    places = ("fig3.panels.1", "fig5.panels.2", "fig6.panels.1", "fig10.panels.1", "lora-curves.panels.1")
    names = ("theta1", "theta2", "theta3", "ensemble", "unrelated", "theta1-lora")
    lines = {f"sweeps.{name}.scorers.grammar" for name in names}
    assert panels == dict.fromkeys({*(f"figures.{place}" for place in places), *lines}, lost)
    assert study.left_out.keys() >= {"claims.grammar-stable", "claims.ensemble-grammar"}
    shown = [panel["scorer"] for panel in study.config["figures"]["fig3"]["panels"]]
    assert "grammar" not in shown and len(shown) == 2


@pytest.mark.parametrize(
    ("searches", "lost"),
    [(None, "the study declares no search 'positive-search'"), ({}, "searches.positive-search is left out")],
)
def test_without_searches(searches: Any, lost: str) -> None:
    study = planned(overridden(lambda config: config.update(searches=searches)))
    assert study.left_out["figures.table2"] == lost and study.config["searches"] == {}
    assert study.left_out.get("searches.negative-search") == ("the study gives no grid" if searches == {} else None)


def test_with_one_set_of_prompts() -> None:
    study = planned(overridden(lambda config: config.update(prompts={"neutral": config["prompts"]["neutral"]})))
    assert study.sweeps["theta1"].prompts == ("neutral",)
    assert study.left_out["sweeps.theta1.prompts.positive"] == "the study declares no prompt set 'positive'"
    assert study.left_out["claims.no-perplexity-barrier-positive"] == "the study declares no prompt set 'positive'"
    beside = {"attributes", "sentiment-slices", "topic-slices"}
    assert study.config["figures"].keys() == Study(EMBEDDED).config["figures"].keys() - beside


def test_a_sweep_that_loses_its_prompts_has_no_texts() -> None:
    def override(config: Config) -> None:
        config["prompts"] = {"own": config["prompts"]["neutral"]}
        for sweep in config["sweeps"].values():
            sweep.pop("prompts", None)

    study = planned(overridden(override))
    assert study.scored_sweeps() == [] and study.left_out["figures.fig3"] == "no prompts are left of sweep 'theta1'"
    # Losses of real texts need none.
    assert "figures.fig8" not in study.left_out


def test_what_a_study_writes_itself_is_an_error() -> None:
    def override(config: Config) -> None:
        del config["scorers"]["grammar"]
        config["sweeps"]["plane"] = None
        panel = {"scorer": "grammar", "statistic": "score", "label": "Grammar"}
        config["figures"] = {"mine": {"kind": "curves", "sweeps": ["theta1"], "panels": [panel]}}
        config["analyses"]["mine"] = {"kind": "loss", "sweep": "plane", "corpus": "reviews"}
        config["figures"]["fig8"] = {"title": 3}

    lines = errors_of(overridden(override))
    assert [line.split(";")[0] for line in lines] == [
        "config: figures.fig8.title is 3",
        "config: analyses.mine.sweep: sweep 'plane' is not declared",
        "config: figures.mine.panels.0.scorer: scorer 'grammar' is not declared",
    ]


def test_all_mistakes_are_told_at_once() -> None:
    def override(config: Config) -> None:
        config["models"]["grammar-judge"]["training"]["steps"] = "many"
        config["corpora"]["judge-grammar"]["shards"] = {}
        config["sweeps"]["tangent"] = {"origin": {"base": 0.5}}
        config["analyses"]["next-words"]["top"] = 0
        config["scorers"]["sentiment"]["weights"] = {"postive": 1}
        config["figures"] = {"fig33": None}
        config["claims"]["score-rise"] = None

    lines = errors_of(overridden(override))
    assert [line.split(" is ")[0].split("; ")[0] for line in lines] == [
        "config: figures.fig33: null removes nothing",
        "config: claims.score-rise: null removes nothing",
        "config: analyses.next-words.top",
        "config: unknown key 'shards' at corpora.judge-grammar",
        "config: models.grammar-judge.training.steps",
        "config: scorers.sentiment.weights: class 'postive'",
        "config: sweeps.tangent.origin: coefficients {base: 0.5} sum to 0.5, not to 1",
    ]


def test_null_removes_what_a_lower_file_says(tmp_path: Path) -> None:
    """An entry of its own, one that it changes in the file that it extends, and a key within an entry."""
    (tmp_path / "base.yaml").write_text("sweeps: {line: {label: A}, other: {label: B}}\ncompute: {a: 1}")
    lower, upper = tmp_path / "study.yaml", tmp_path / "machine.yaml"
    lower.write_text("extends: base.yaml\nsweeps: {line: {label: C, grid: 1}, own: {label: D}}\nother: {b: 2, c: 3}")
    upper.write_text("sweeps: {line: {grid: null}, own: null, other: null}\nother: {c: null}")
    config, idle = extended(read_study([lower, upper]))
    assert config == {"sweeps": {"line": {"label": "C"}}, "compute": {"a": 1}, "other": {"b": 2}} and idle == []
    # Without a file that it extends, and by --config.
    lower.write_text("sweeps: {line: {label: C, grid: 1}, own: {label: D}}")
    upper.write_text("sweeps: {own: null}")
    config, idle = extended(read_study([lower, upper], {"sweeps": {"line": {"grid": None}}}))
    assert config == {"sweeps": {"line": {"label": "C"}}} and idle == []
    # What no file says is a slip.
    lower.write_text("extends: base.yaml\nsweeps: {own: {label: D}}")
    upper.write_text("sweeps: {owm: null}")
    assert "sweeps.owm: null removes nothing" in extended(read_study([lower, upper]))[1][0]


def test_a_study_may_end_with_a_model() -> None:
    config = copy.deepcopy({key: EMBEDDED[key] for key in ("study", "corpora", "tokenizers")})
    config["models"] = {"base": EMBEDDED["models"]["base"]}
    study = planned(config)
    assert "results/demo/models/base" in study.targets.results() and study.left_out == {}
    config["sweeps"] = {"line": {"origin": {"base": 1}, "directions": {"a": {"base": 0}}, "grid": {"a": [0]}}}
    config["prompts"] = {"neutral": {"source": "list", "texts": ["The film"]}}
    config["sweeps"]["line"]["prompts"] = ["neutral"]
    (line,) = errors_of(config)
    assert line == "config: key 'generation' is missing at the top level; sweeps.line generates texts"


# --- another origin of a model ---

HUB = {"hub": "a/b", "revision": "main", "special_tokens": "bos"}
FOLDER = {"directory": "/models/b"}


def start_of(tmp_path: Path, way: str, lower: Config, upper: Config) -> Config:
    """``start`` of a model that a study declares as ``lower``, and an override, or what extends it, as ``upper``."""

    def write(name: str, start: Config, **rest: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps({**rest, "models": {"m.x": {"start": start}}}))
        return path

    study = write("study.yaml", lower)
    if way == "file":
        config = read_study([study, write("machine.yaml", upper)])
    elif way == "command line":
        config = read_study([study], {"models": {"m.x": {"start": upper}}})
    elif way == "extends":
        config = read_study([write("own.yaml", upper, extends="study.yaml")])
    else:
        own = write("own.yaml", {}, extends="study.yaml")
        config = read_study([own, write("machine.yaml", upper)])
    merged, idle = extended(config)
    assert idle == []
    return merged["models"]["m.x"]["start"]


@pytest.mark.parametrize("way", ["file", "command line", "extends", "file over what extends"])
@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        # What both origins have is kept.
        (HUB, FOLDER, {"special_tokens": "bos", **FOLDER}),
        (HUB, FOLDER | {"special_tokens": "none"}, {"special_tokens": "none", **FOLDER}),
        (FOLDER, {"hub": "a/b", "revision": "main"}, {"hub": "a/b", "revision": "main"}),
        (HUB, {"model": "base"}, {"model": "base"}),
        ({"architecture": {"model_type": "gpt2"}, "tokenizer": "bpe"}, FOLDER, FOLDER),
        # Removing by hand what the other origin drops is no mistake.
        (HUB, {"hub": None, "revision": None, **FOLDER}, {"special_tokens": "bos", **FOLDER}),
        # The same origin is merged as everything is.
        (HUB, {"revision": "v2"}, HUB | {"revision": "v2"}),
        (FOLDER, {"directory": "/models/c"}, {"directory": "/models/c"}),
        # A file of weights belongs to one place.
        (HUB | {"gguf_file": "x.gguf"}, FOLDER, {"special_tokens": "bos", **FOLDER}),
        (
            HUB | {"gguf_file": "x.gguf"},
            FOLDER | {"gguf_file": "y.gguf"},
            {"special_tokens": "bos", **FOLDER, "gguf_file": "y.gguf"},
        ),
        # Mistakes stay, to be told.
        (HUB, {"hub": "a/c", **FOLDER}, HUB | {"hub": "a/c"} | FOLDER),
        (HUB | {"special_token": "bos"}, FOLDER, {"special_tokens": "bos", "special_token": "bos", **FOLDER}),
    ],
)
def test_another_origin_replaces_that_of_the_model(
    way: str, lower: Config, upper: Config, expected: Config, tmp_path: Path
) -> None:
    assert start_of(tmp_path, way, lower, upper) == expected


def test_only_the_start_of_a_model_has_one_origin() -> None:
    lower = {"models": {"a": {"data": {"hub": "x"}}}, "other": {"a": {"start": {"hub": "x"}}}}
    upper = {"models": {"a": {"data": {"directory": "y"}}}, "other": {"a": {"start": {"directory": "y"}}}}
    both = {"hub": "x", "directory": "y"}
    assert laid_over(lower, upper) == {"models": {"a": {"data": both}}, "other": {"a": {"start": both}}}


def test_an_override_keeps_order_and_changes_nothing_below() -> None:
    lower = {"study": "a", "figures": {"x": {"dpi": 1}, "y": {"dpi": 2}}, "quick": ["x", "y"], "manifest": "m"}
    upper = {"figures": {"z": {}, "y": None, "x": {"title": "t"}}, "quick": ["z"], "manifest": {"a": 1}}
    kept = copy.deepcopy(lower), copy.deepcopy(upper)
    figures = {"x": {"dpi": 1, "title": "t"}, "z": {}}
    found = laid_over(lower, upper)
    expected = {"study": "a", "figures": figures, "quick": ["z"], "manifest": {"a": 1}}
    assert json.dumps(extended(found)[0]) == json.dumps(expected)
    assert list(found["figures"]) == ["x", "y", "z"]
    found["figures"]["x"]["dpi"] = 3
    assert (lower, upper) == kept


def test_the_embedded_study_has_all_that_the_methods_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "config")
    config = read_study(["config.yaml"]) | {"extends": ["experiments.yaml", "methods.yaml"]}
    study = planned(config)
    assert study.left_out == {}
    assert {"methods", "density", "layers"} <= set(study.declared.figures)
    # Where nothing is merged all methods are the base.
    base = {study.sweeps[name].points[0].point.id for name in ("arithmetic", "ties", "karcher", "graft", "half")}
    assert base == {"base=1"}
