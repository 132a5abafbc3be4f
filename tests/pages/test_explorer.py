"""The content of the explorer's page; test_explorer_browser.py tests its behaviour in a browser."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.collections import QuadMesh

from lm_interpolation.data.parquet import read_parquet, write_parquet
from lm_interpolation.figures.colours import colour_stops
from lm_interpolation.figures.plane_data import select_points
from lm_interpolation.figures.plot_plane import PlanePanel, plot_plane
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.pages import explorer
from lm_interpolation.pages.explorer import (
    PROMPTS,
    SAMPLES,
    choose_texts,
    panel_colours,
    score_range,
    share_budget,
    thin,
    write_page,
)
from lm_interpolation.points.algebra import Method, Point, Sweep
from lm_interpolation.scores.score_files import write_scores
from lm_interpolation.study.explorer import inputs, settings
from lm_interpolation.study.study import Study
from lm_interpolation.tables.tables import read_table
from tests.made_study import TEMPLATE, made_config, made_score, make_page, make_results, plain_text
from tests.scorers import scorer


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, to which the paths of a study are relative."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page_json(path: str | Path) -> Any:
    """The data in a page, as the browser reads it."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', Path(path).read_text("utf-8"))
    assert found is not None
    return json.loads(found[1])


# --- thinning ---


def test_small_demands_are_met_and_large_ones_share_the_rest() -> None:
    assert share_budget({"a": 5, "b": 900, "c": 400}, 1000) == {"a": 5, "c": 400, "b": 595}
    assert share_budget({"a": 900, "b": 10, "c": 900}, 1000) == {"b": 10, "a": 495, "c": 495}
    assert share_budget({"a": 3}, 1000) == {"a": 3}


def test_all_texts_are_shown_where_there_is_room() -> None:
    assert thin(range(4), 3, points=10, budget=120) == explorer.Shown((0, 1, 2, 3), 3)


def test_prompts_are_spread_and_more_than_samples() -> None:
    rows = range(100, 180)
    # 36 texts at each of 400 points: 12 prompts would leave 3 of the samples.
    shown = thin(rows, 25, points=400, budget=400 * 36)
    assert shown.samples == 4 and shown.rows == tuple(100 + index * 80 // 9 for index in range(9))
    assert thin(rows, 25, points=400, budget=400 * 18).samples == 3
    generous = thin(rows, 25, points=1, budget=10**6)
    assert (len(generous.rows), generous.samples) == (PROMPTS, SAMPLES)


def test_every_point_has_a_text_whatever_the_budget() -> None:
    assert thin(range(80), 25, points=50_000, budget=20_000) == explorer.Shown((0,), 1)


@pytest.mark.parametrize("points", [1, 7, 400, 4000])
def test_a_page_keeps_to_the_budget(points: int) -> None:
    grid = [step / 1000 for step in range(points)]
    sweeps = {
        name: {"origin": {"base": 1}, "directions": {"beta": {"positive": 1, "base": -1}}, "grid": {"beta": grid},
               "prompts": ["neutral", "others"], "space": space}
        for name, space in (("line", "weights"), ("ensemble", "logits"))
    }  # fmt: skip
    prompts = {name: {"source": "list", "texts": ["The film"] * 80} for name in ("neutral", "others")}
    study = Study(made_config(sweeps=sweeps, prompts=prompts, figures={}))
    frames = {name: pd.DataFrame({"row": range(80)}) for name in prompts}
    shown = choose_texts(study.sweeps.values(), frames, {"neutral": 25, "others": 25})
    # In both spaces.
    count = sum(2 * points * len(each.rows) * each.samples for each in shown.values())
    assert count <= explorer.TEXTS
    assert count == 4 * points * PROMPTS * SAMPLES or count > explorer.TEXTS / 2


# --- data ---

LABELLED: dict[str, Any] = {
    "label": "θ₁(α) = α θ⁺ + (1 − α) θ⁻",
    "coordinate_labels": {"alpha": "α"},
    "origin": {"negative": 1},
    "directions": {"alpha": {"positive": 1, "negative": -1}},
    "grid": {"alpha": [-1, 0, 0.5, 1]},
    "prompts": ["neutral", "others"],
}
PLANE: dict[str, Any] = {
    "origin": {"base": 1},
    "directions": {"alpha": {"positive": 1, "base": -1}, "beta": {"negative": 1, "base": -1}},
    "grid": {"alpha": [-1, 0, 1], "beta": [0, 2]},
    "anchors": [{"alpha": 0.25, "beta": 1}],
    "prompts": ["neutral"],
    "scorers": ["distinct", "sentiment"],
}
PROMPT_SETS = {
    "neutral": {"source": "list", "texts": [f"Prompt {row} was" for row in range(30)]},
    "others": {"source": "list", "texts": ["Ein Film", "Ταινία"]},
}


@pytest.fixture
def study() -> Study:
    figures = made_config()["figures"]
    figures["fig3"]["sweeps"] = ["theta1"]
    return Study(made_config(sweeps={"theta1": LABELLED, "plane": PLANE}, prompts=PROMPT_SETS, figures=figures))


def test_the_page_holds_points_texts_and_scores(study: Study) -> None:
    make_results(study)
    make_page(study, "page.html")
    data = page_json("page.html")
    theta1, plane = data["sweeps"]
    assert theta1["label"] == LABELLED["label"] and theta1["coordinates"] == [
        {"name": "alpha", "label": "α", "values": [-1, 0, 0.5, 1]}
    ]
    assert [point["id"] for point in theta1["points"]] == [
        "negative=2+positive=-1", "negative=1", "negative=0.5+positive=0.5", "positive=1"
    ]  # fmt: skip
    # The grid, without the point beside it.
    assert [axis["values"] for axis in plane["coordinates"]] == [[-1, 0, 1], [0, 2]]
    assert [0.25, 1] in [point["at"] for point in plane["points"]] and len(plane["points"]) == 7
    neutral, others = data["prompts"]["neutral"], data["prompts"]["others"]
    assert (neutral["total"], len(neutral["rows"]), neutral["samples"], neutral["shown"]) == (30, 12, 3, 3)
    assert neutral["texts"] == [PROMPT_SETS["neutral"]["texts"][row] for row in neutral["rows"]]
    assert others["texts"] == ["Ein Film", "Ταινία"]
    for sweep in (theta1, plane):
        for entry in sweep["points"]:
            point = Point.parse(entry["id"])
            for position, row in enumerate(neutral["rows"]):
                texts = data["texts"]["weights"]["neutral"][point.id][position]
                scores = data["scores"]["sentiment"]["weights"]["neutral"][point.id][position]
                assert texts == [plain_text(point, row, sample) for sample in range(3)]
                assert scores == [made_score(point, row, sample) for sample in range(3)]


def test_scores_are_those_of_the_table(study: Study) -> None:
    make_results(study)
    view = make_page(study, "page.html")["sweeps"][0]
    table = pd.read_csv("results/tiny/tables/theta1.csv")
    for index, panel in enumerate(view["panels"]):
        for prompts in ("neutral", "others"):
            rows = table[
                (table["prompts"] == prompts)
                & (table["scorer"] == panel["scorer"])
                & (table["statistic"] == panel["statistic"])
            ]
            expected = rows.sort_values("alpha")[["estimate", "low", "high", "n_excluded"]]
            assert view["scores"][prompts][index] == expected.to_numpy().tolist()


def test_statistics_are_those_of_the_figures() -> None:
    figure = {
        "kind": "plane",
        "sweep": "plane",
        "panels": [
            {"scorer": "sentiment", "statistic": "score", "label": "Positive", "centre": 0.5, "prompts": "neutral"}
        ],
        "markers": [{"label": "θ⁺", "at": {"alpha": 1, "beta": 0}}],
    }
    figures = {**made_config()["figures"], "fig7": figure}
    figures["fig3"]["sweeps"] = ["theta1"]
    study = Study(made_config(sweeps={"theta1": LABELLED, "plane": PLANE}, prompts=PROMPT_SETS, figures=figures))
    theta1, plane = settings(study, "explorer")["sweeps"]
    assert theta1["panels"] == [
        {"scorer": "sentiment", "statistic": "score", "label": "Positive score", "scale": "linear"},
        # Which no figure shows.
        {"scorer": "grammar", "statistic": "score", "label": "grammar score", "scale": "linear"},
        {"scorer": "perplexity", "statistic": "continuation_corpus", "label": "Perplexity", "scale": "log"},
        {"scorer": "distinct", "statistic": "distinct_2", "label": "distinct distinct_2", "scale": "linear"},
    ]
    # Its own figure first; in the order of the scorers of the study.
    assert plane["panels"] == [
        {"scorer": "sentiment", "statistic": "score", "label": "Positive", "scale": "linear", "centre": 0.5},
        {"scorer": "distinct", "statistic": "distinct_2", "label": "distinct distinct_2", "scale": "linear"},
    ]
    assert (theta1["markers"], plane["markers"]) == ([], figure["markers"])
    assert (theta1["text_scorers"], plane["text_scorers"]) == (["sentiment", "grammar"], ["sentiment"])


def test_planes_have_the_colours_of_the_figures() -> None:
    plane = {**PLANE, "scorers": ["sentiment", "perplexity"]}
    panels = [
        {"scorer": "sentiment", "statistic": "score", "label": "Positive", "centre": 0.5, "prompts": "neutral"},
        {"scorer": "perplexity", "statistic": "continuation_corpus", "label": "Perplexity", "scale": "log",
         "limit": 9, "prompts": "neutral"},
    ]  # fmt: skip
    figures = {"fig7": {"kind": "plane", "sweep": "plane", "panels": panels}}
    study = Study(made_config(sweeps={"plane": plane}, prompts=PROMPT_SETS, figures=figures))
    make_results(study)
    data = make_page(study, "page.html")
    table = read_table(study.path("tables", "plane.csv"))
    for found, panel in zip(data["sweeps"][0]["colours"]["neutral"], panels, strict=True):
        where = {key: panel[key] for key in ("scorer", "statistic", "prompts")}
        points = select_points(table, ("alpha", "beta"), where)
        shown = PlanePanel(points, "", panel.get("scale", "linear"), panel.get("limit"), panel.get("centre"))
        axes = plot_plane([shown], ("alpha", "beta")).axes[0]
        drawn = next(artist for artist in axes.collections if isinstance(artist, QuadMesh))
        assert (found["low"], found["high"]) == pytest.approx((drawn.norm.vmin, drawn.norm.vmax))
        assert (found["map"], found["log"]) == (drawn.get_cmap().name, panel.get("scale") == "log")
        assert found["note"] == " ".join(axes.get_title(loc="left").split())
        assert data["maps"][found["map"]] == colour_stops(found["map"])
    assert [panel["axis"] for panel in data["sweeps"][0]["panels"]] == ["Positive", "Perplexity (log scale)"]
    assert [found["above"] for found in data["sweeps"][0]["colours"]["neutral"]] == [False, True]


def test_a_plane_without_values_or_below_its_limit_has_colours_all_the_same() -> None:
    data = pd.DataFrame({"estimate": [5.0, 7.0], "low": [4.9, 6.9], "high": [5.1, 7.1]})
    # Of other prompts than those of the figure.
    found = panel_colours(data, {"scale": "linear", "limit": 3})
    assert found is not None and (found["low"], found["high"], found["above"]) == (5, 7, False)
    assert panel_colours(data.assign(estimate=float("nan")), {"scale": "linear"}) is None


def test_a_label_for_one_set_of_prompts_is_not_shown_over_all() -> None:
    figure: dict[str, Any] = {
        "kind": "plane",
        "sweep": "plane",
        "panels": [
            {"scorer": "sentiment", "statistic": "score", "label": f"Positive, {name}", "prompts": name, "centre": 0.5}
            for name in ("neutral", "others")
        ],
    }
    plane = {**PLANE, "prompts": ["neutral", "others"], "scorers": ["sentiment"]}
    study = Study(made_config(sweeps={"plane": plane}, prompts=PROMPT_SETS, figures={"fig7": figure}))
    (view,) = settings(study, "explorer")["sweeps"]
    unnamed = {
        "scorer": "sentiment",
        "statistic": "score",
        "label": "sentiment score",
        "scale": "linear",
        "centre": 0.5,
    }
    assert view["panels"] == [unnamed]
    # Nor that of the only panel, unless its prompts are the only ones.
    del figure["panels"][1]
    for prompts, label in ((["neutral", "others"], "sentiment score"), (["neutral"], "Positive, neutral")):
        sweeps = {"plane": {**plane, "prompts": prompts}}
        study = Study(made_config(sweeps=sweeps, prompts=PROMPT_SETS, figures={"fig7": figure}))
        (view,) = settings(study, "explorer")["sweeps"]
        assert view["panels"] == [{**unnamed, "label": label}]


def test_texts_have_the_scores_of_all_classifiers_of_their_sweep() -> None:
    sweeps = {"theta1": {**LABELLED, "scorers": ["distinct", "grammar"]}, "plane": {**PLANE, "scorers": ["distinct"]}}
    study = Study(made_config(sweeps=sweeps, prompts=PROMPT_SETS, figures={}))
    assert [entry["text_scorers"] for entry in settings(study, "explorer")["sweeps"]] == [["grammar"], []]
    assert inputs(study, "explorer")["scores"] == [
        "results/tiny/scores/neutral/theta1/grammar.parquet", "results/tiny/scores/others/theta1/grammar.parquet"
    ]  # fmt: skip
    make_results(study)
    make_page(study, "page.html")
    data = page_json("page.html")
    assert list(data["scores"]) == list(data["scorers"]) == ["grammar"]
    assert data["scorers"]["grammar"]["range"] == [0, 1]
    sweeps["theta1"]["scorers"] = ["grammar", "sentiment"]
    both = Study(made_config(sweeps=sweeps, prompts=PROMPT_SETS, figures={}))
    # In the order of the section.
    assert settings(both, "explorer")["sweeps"][0]["text_scorers"] == ["sentiment", "grammar"]
    make_results(both)
    make_page(both, "page.html")
    data = page_json("page.html")
    assert data["scores"].keys() == data["scorers"].keys() == {"grammar", "sentiment"}
    point = Point.parse("positive=1")
    assert data["scores"]["grammar"]["weights"]["others"]["positive=1"][1] == [
        pytest.approx(made_score(point, 1, sample), abs=5e-4) for sample in range(3)
    ]


def test_what_is_missing_is_null(study: Study) -> None:
    def text(point: Point, row: int, sample: int) -> str:
        return "" if point.id == "positive=1" else plain_text(point, row, sample)

    make_results(study, text)
    view = make_page(study, "page.html")["sweeps"][0]
    perplexity = [panel["scorer"] for panel in view["panels"]].index("perplexity")
    assert view["scores"]["neutral"][perplexity][3] == [None, None, None, 90]
    path = Path("results/tiny/scores/neutral/theta1/sentiment.parquet")
    frame = read_parquet(path).to_pandas()
    frame["p_positive"] = frame["p_positive"].astype("Float64").mask((frame["row"] == 0) & (frame["sample"] == 1))
    write_scores(frame, path)
    make_page(study, "page.html")
    scores = page_json("page.html")["scores"]["sentiment"]["weights"]["neutral"]["positive=1"]
    assert scores[0][1] is None and scores[0][0] is not None


def test_a_study_of_one_point() -> None:
    sweep = {**LABELLED, "grid": {"alpha": [0.5]}, "prompts": ["others"]}
    study = Study(made_config(sweeps={"one": sweep}, prompts=PROMPT_SETS, figures={}))
    make_results(study)
    (view,) = make_page(study, "page.html")["sweeps"]
    assert [point["at"] for point in view["points"]] == [[0.5]]
    assert inputs(study, "explorer")["prompts"] == ["results/tiny/prompts/others.parquet"]


def test_a_text_file_without_a_sample_is_told(study: Study) -> None:
    make_results(study)
    path = "results/tiny/texts/weights/neutral/positive=1.parquet"
    write_parquet(read_parquet(path).slice(1), path)
    with pytest.raises(UserError, match=re.escape(f"{path}: does not have 3 continuations of each prompt; delete it")):
        make_page(study, "page.html")


def test_a_study_without_texts_has_no_explorer() -> None:
    study = Study(made_config(sweeps={"bare": {**PLANE, "prompts": [], "anchors": []}}, figures={}))
    assert study.targets.explorer() == [] and "results/tiny/explorer.html" not in study.targets.results()
    with pytest.raises(UserError, match="config: sweeps: none generates texts"):
        make_page(study, "page.html")


def test_points_shared_by_sweeps_are_read_and_kept_once(study: Study) -> None:
    # theta1 at 1 and the plane at (1, 0).
    texts = inputs(study, "explorer")["texts"]
    assert len(texts) == len(set(texts)) == 4 * 2 + 7 - 2
    assert (
        study.targets.explorer() == ["results/tiny/explorer.html"]
        and study.targets.explorer()[0] in study.targets.results()
    )


def test_the_quick_part_has_a_page_of_its_own() -> None:
    figures = made_config()["figures"]
    figures["fig3"]["sweeps"] = ["theta1"]
    sweeps = {"plane": {**PLANE, "scorers": list(made_config()["scorers"])}, "theta1": LABELLED}
    config = made_config(sweeps=sweeps, prompts=PROMPT_SETS, figures=figures, quick=["fig3"])
    study = Study(config)
    assert (
        study.targets.quick()[-1] == "results/tiny/explorer-quick.html"
        and study.targets.quick()[-1] not in study.targets.results()
    )
    quick = inputs(study, "explorer-quick")
    assert quick["tables"] == ["results/tiny/tables/theta1.csv"] and len(quick["texts"]) == 2 * 4
    make_results(study)
    assert [view["name"] for view in make_page(study, "quick.html", "explorer-quick")["sweeps"]] == ["theta1"]
    # A figure of no texts: there is nothing to explore.
    bare = {**config, "figures": {"fig11": {"kind": "training", "models": ["base"]}}, "quick": ["fig11"]}
    assert Study(bare).targets.quick()[-1].endswith("fig11.md")


# --- page ---


def test_markup_in_texts_stays_text(study: Study) -> None:
    nasty = "</script><script>alert('&amp;')</script><!-- {{ data }} \u2028"
    make_results(study)
    make_page(study, "plain.html")
    make_results(study, lambda point, row, sample: nasty)
    make_page(study, "page.html")
    plain, page = (Path(path).read_text("utf-8") for path in ("plain.html", "page.html"))
    assert nasty not in page
    for markup in ("<script", "</script", "<!--"):
        assert page.count(markup) == plain.count(markup)
    assert page_json("page.html")["texts"]["weights"]["neutral"]["positive=1"][0] == [nasty] * 3


def test_a_prompt_set_shows_as_many_samples_as_it_has() -> None:
    prompts = {**PROMPT_SETS, "neutral": {**PROMPT_SETS["neutral"], "samples": 1}}
    study = Study(made_config(sweeps={"theta1": LABELLED, "plane": PLANE}, prompts=prompts, figures={}))
    make_results(study)
    make_page(study, "page.html")
    data = page_json("page.html")
    assert {name: (found["samples"], found["shown"]) for name, found in data["prompts"].items()} == {
        "neutral": (1, 1),
        "others": (3, 3),
    }
    assert data["sampling"].startswith(
        "texts: 1 continuation per prompt of neutral, 3 continuations per prompt of others"
    )
    texts, scores = data["texts"]["weights"], data["scores"]["sentiment"]["weights"]
    assert [len(texts["neutral"]["positive=1"]), len(texts["neutral"]["positive=1"][0])] == [12, 1]
    assert [len(scores["neutral"]["positive=1"]), len(scores["neutral"]["positive=1"][0])] == [12, 1]
    assert [len(texts["others"]["positive=1"]), len(texts["others"]["positive=1"][0])] == [2, 3]


def test_texts_that_were_not_judged_have_no_score() -> None:
    config = made_config(sweeps={"theta1": LABELLED, "plane": PLANE}, prompts=PROMPT_SETS, figures={})
    scorers = {name: dict(spec) for name, spec in config["scorers"].items()}
    whole = Study(config)
    make_results(whole)
    before = make_page(whole, "whole.html")
    scorers["sentiment"]["samples"] = 2
    scorers["perplexity"]["samples"] = 1
    study = Study({**config, "scorers": scorers})
    make_results(study)
    make_page(study, "page.html")
    data = page_json("page.html")
    assert before["judged"] == {}
    assert data["judged"] == {
        "sentiment": {"neutral": 2, "others": 2},
        "perplexity": {"neutral": 1, "others": 1},
    }
    # All texts are shown, with the scores that there are.
    assert data["texts"] == before["texts"]
    scores, others = (found["scores"]["sentiment"]["weights"] for found in (data, before))
    assert [len(row) for row in others["neutral"]["positive=1"]] == [3] * 12
    assert scores["neutral"]["positive=1"] == [row[:2] for row in others["neutral"]["positive=1"]]
    assert data["scorers"]["sentiment"]["description"] == (
        "sentiment: P(positive) + 0.5 P(neutral) by sentiment-judge, of the first 2 of 3 continuations of each prompt"
    )
    # Of the 90 prompts; none of the other texts counts as one without a score.
    (view, *_), (old, *_) = data["sweeps"], before["sweeps"]
    assert [found[3] for panel in view["scores"]["neutral"] for found in panel] == [
        found[3] for panel in old["scores"]["neutral"] for found in panel
    ]


def test_a_score_file_with_too_few_samples_is_told() -> None:
    config = made_config(sweeps={"theta1": LABELLED}, prompts=PROMPT_SETS, figures={})
    study = Study(config)
    make_results(study)
    path = "results/tiny/scores/neutral/theta1/sentiment.parquet"
    frame = read_parquet(path).to_pandas()
    write_scores(frame[frame["sample"] < 2], path)
    with pytest.raises(UserError, match=re.escape(f"{path}: does not have 3 continuations of each prompt")):
        make_page(study, "page.html")


def test_equal_data_give_equal_bytes(study: Study) -> None:
    make_results(study)
    make_page(study, "one.html")
    make_page(study, "two.html")
    assert Path("one.html").read_bytes() == Path("two.html").read_bytes()


def test_a_page_of_400_points_has_a_few_megabytes_beside_plotly() -> None:
    grid = [float(Decimal(step) / 10) for step in range(20)]
    sweep = {**PLANE, "grid": {"alpha": grid, "beta": grid}, "anchors": [], "scorers": ["sentiment"]}
    generation = {**made_config()["generation"], "samples": 10}
    study = Study(made_config(sweeps={"plane": sweep}, prompts=PROMPT_SETS, figures={}, generation=generation))
    # 30 tokens of English.
    make_results(study, lambda point, row, sample: "word " * 26)
    data = make_page(study, "page.html")
    assert len(data["sweeps"][0]["points"]) == 400
    write_page({**data, "texts": {}, "scores": {}}, TEMPLATE, "without.html")
    assert Path("page.html").stat().st_size - Path("without.html").stat().st_size < 4e6


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_page({"study": "x", "sampling": "", "sweeps": [float("nan")]}, TEMPLATE, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_scale_holds_sums_of_classes_that_do_not_exclude_each_other() -> None:
    colour = scorer("classifier", weights={"toxic": 1, "obscene": 1, "kind": -0.5}).colour()
    assert score_range(colour.scale, {}) == [-0.5, 1]
    scores = {"weights": {"prompts": {"a=1": [[0.2, None], [1.7]], "b=1": [[-0.1]]}}}
    assert score_range(colour.scale, scores) == [-0.5, 1.7]
    assert score_range([0, 1, 0.5], {}) == [0, 1]
    # Without values of its own it holds the scores alone.
    assert score_range([], scores) == [-0.1, 1.7] and score_range([], {}) == [0, 0]


def test_a_point_under_a_method_is_no_single_model_and_its_base_is_one_once() -> None:
    method = Method("ties", "base", ("density",))
    directions = {"gamma": {"one": 1, "base": -1}}
    sweep = Sweep.of({"base": 1}, directions, {"gamma": [0, 1], "density": [0.2, 1]}, method=method)
    assert list(explorer._shown_ids(sweep)) == [
        "base=1",
        "one (under ties)=1",
        "base (under ties)=1",
        "one (under ties)=1",
    ]
    line = Sweep.of({"base": 1}, directions, {"gamma": [0, 0.5]})
    assert list(explorer._shown_ids(line)) == [entry.point.id for entry in line.points]
