"""How good judges are, when they are weak, and where that is marked."""

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.judges import Judge, Quality, judge_lines, marked, read_judges
from lm_interpolation.study import captions
from lm_interpolation.study.scorers import shown_settings
from lm_interpolation.study.settings import canonical
from lm_interpolation.study.study import Study
from tests.by_hand import make_job
from tests.made_study import made_config, make_page, make_results, write_metrics
from workflow.scripts.figures import caption_curves, plot_curves, plot_plane
from workflow.scripts.pages import overview
from workflow.scripts.tables import summary, table_caption

BLIND = {"accuracy": 0.536, "recall": {"negative": 0.98, "neutral": 0.9, "positive": 0.06}}
"""Of the issue: it does not see the class that is plotted."""


def judge(accuracy: float, majority: float, **recall: float) -> Judge:
    """Of a score that is P(good)."""
    return Judge("model", {"good": 1, "bad": 0}, Quality(500, accuracy, majority, recall, 0.04))


@pytest.mark.parametrize(
    ("found", "weak"),
    [
        # Of the issue: hardly better than the majority, and blind to the class that is plotted.
        (judge(0.717, 0.652, bad=0.9, good=0.6), True),
        (judge(0.536, 0.500, bad=0.98, good=0.06), True),
        # A quarter of the majority's errors (0.35) must go.
        (judge(0.73, 0.65, bad=0.9, good=0.6), True),
        (judge(0.74, 0.65, bad=0.9, good=0.6), False),
        # A guess between three finds a third.
        (judge(0.8, 0.4, bad=0.99, fair=0.95, good=0.33), True),
        (judge(0.8, 0.4, bad=0.99, fair=0.95, good=0.34), False),
        # Worse than the majority.
        (judge(0.1, 0.9, bad=0.1, good=0.9), True),
    ],
)
def test_a_judge_near_the_majority_or_blind_to_a_class_is_weak(found: Judge, weak: bool) -> None:
    assert bool(found.weaknesses) == found.is_weak("score") == found.is_weak("p_good") == weak


def test_a_class_without_a_weight_is_weak_by_itself() -> None:
    for recall in ({"good": 0.99, "fair": 0.10, "bad": 0.95}, {"good": 0.99, "fair": 0.95, "bad": 0.10}):
        found = judge(0.8, 0.4, **recall)
        (blind,) = [name for name, share in recall.items() if share < 1 / 3]
        assert [statistic for statistic in ("score", "p_good", "p_fair", "p_bad") if found.is_weak(statistic)] == [
            f"p_{blind}"
        ]
        assert found.describe().endswith(
            f"; weak judge of p_{blind} (its recall of {blind} is below the 0.33 of a guess)"
        )


def test_an_imported_judge_was_not_measured() -> None:
    found = Judge("model", {"good": 1}, None)
    assert judge_lines({"mine": found}) == ["mine by model: imported; its accuracy was not measured here"]
    assert not found.is_weak("score") and not found.is_weak("p_good")


def entry(**keys: Any) -> dict[str, Any]:
    return {"scorer": "mine", "model": "model", "weights": {"good": 1}, "labels": {}, "trained": True, **keys}


def test_a_judge_is_told_by_the_names_of_its_scorer(tmp_path: Path) -> None:
    test = {"texts": 1500, "accuracy": 0.9066, "majority_share": 0.4, "recall": {"LABEL_0": 0.9233, "LABEL_1": 0.89}}
    path = tmp_path / "training" / "model" / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"test": test | {"expected_calibration_error": 0.0213}}))
    # Two scorers may share a judge.
    entries = [entry(labels={"LABEL_1": "good"}), entry(scorer="other", weights={"LABEL_0": 1})]
    lines = judge_lines(read_judges(entries, [path]))
    assert lines[0] == (
        "mine by model: accuracy 0.907 on 1500 test texts (most frequent class 0.400); recall LABEL_0 0.92, good 0.89; "
        "expected calibration error 0.021"
    )
    assert "recall LABEL_0 0.92, LABEL_1 0.89;" in lines[1]


@pytest.mark.parametrize("content", ["", "[]", '{"dev_loss": 1}', '{"test": {"texts": 3, "accuracy": 1}}'])
def test_a_file_without_metrics_of_a_classifier_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model" / "metrics.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(UserError, match=r"model/metrics.json: not the metrics of a classifier \(.*\); delete it"):
        read_judges([entry()], [path])


def test_panels_of_a_weak_judge_are_marked() -> None:
    judges = {"weak": judge(0.5, 0.5, bad=0.9, good=0.6), "fine": judge(0.9, 0.5, bad=0.3, good=0.9)}
    weak, other = (
        {"scorer": "weak", "statistic": "score", "label": "Score"},
        {"scorer": "ppl", "statistic": "text_mean"},
    )
    assert marked(weak, judges) == weak | {"label": "Score (weak judge)"}
    assert marked(other | {"label": "P", "x": weak}, judges)["x"]["label"] == "Score (weak judge)"
    assert weak["label"] == "Score"
    for panel in (other | {"label": "P"}, {"analysis": "losses", "statistic": "nll_text", "label": "Loss"}):
        assert marked(panel, judges) == panel
    of_class = {"scorer": "fine", "statistic": "p_good", "label": "P"}
    assert marked(of_class, judges) == of_class
    assert marked(of_class | {"statistic": "p_bad"}, judges)["label"] == "P (weak judge)"


# --- where it is marked


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A made-up study in the working directory, whose judge of sentiment is blind."""
    monkeypatch.chdir(tmp_path)
    config = made_config()
    panels = config["figures"]["fig3"]["panels"]
    panels.append({**panels[1], "x": {"scorer": "sentiment", "statistic": "score", "label": "Score"}})
    plane_of = {"origin": {"base": 1}, "grid": {"a": [0, 1], "b": [0, 1]}, "prompts": ["neutral"]}
    directions = {"a": {"positive": 1, "base": -1}, "b": {"negative": 1, "base": -1}}
    config["sweeps"]["plane"] = {**plane_of, "directions": directions}
    panel = {"scorer": "sentiment", "prompts": "neutral", "statistic": "score", "label": "Positive score"}
    config["figures"]["map"] = {"kind": "plane", "sweep": "plane", "panels": [panel]}
    study = Study(config)
    make_results(study)
    write_metrics(study, models=["sentiment-judge"], **BLIND)
    Path(study.path("leaks.json")).write_text(json.dumps({"configured": [], "leaks": ["3 texts leak"], "unknown": []}))
    return study


def run(script: Any, inputs: dict[str, Any], settings: dict[str, Any], **wildcards: str) -> list[str]:
    """Run a script's ``main``, without tokenizers to tell of; returns the lines of its text."""
    outputs = {"text": "told.md", "page": "told.html"} if script is table_caption else ["told.md"]
    if "text" in settings:
        settings = settings | {"text": settings["text"] | {"tokens": []}}
    script.main(make_job(inputs | {"tokenizers": []}, outputs, **wildcards), **settings)
    return Path("told.md").read_text().splitlines()


WEAK = (
    "sentiment by sentiment-judge: weak judge (its accuracy is close to the share of the most frequent class and its "
    "recall of positive is below the 0.33 of a guess); accuracy 0.536 on 90 test texts (most frequent class "
    "0.500); recall negative 0.98, neutral 0.90, positive 0.06; expected calibration error 0.050"
)
FINE = (
    "grammar by grammar-judge: accuracy 0.900 on 90 test texts (most frequent class 0.500); recall acceptable 0.90, "
    "unacceptable 0.90; expected calibration error 0.050"
)


def test_captions_say_how_good_the_judges_are(study: Study) -> None:
    inputs: dict[str, Any] = captions.figure_inputs(study, "fig3")
    told = run(caption_curves, inputs, captions.figure_settings(study, "fig3"), figure="fig3")
    # Of the judges that the figure shows.
    assert f"- {WEAK}" in told and f"- {FINE}" not in told
    inputs = {"table": study.table("theta1"), "judges": captions.table_inputs(study, "theta1")["judges"]}
    told = run(table_caption, inputs, captions.table_settings(study, "theta1"), table="theta1")
    assert told[told.index("**Judges.**") + 2 :][:3] == [f"- {WEAK}", f"- {FINE}", ""]


def test_overview_and_summary_say_how_good_the_judges_are_and_what_leaks(study: Study) -> None:
    scorers = study.config["scorers"]
    common = {
        "tables": study.targets.sweep_tables(),
        "judges": study.judge_metrics(scorers),
        "leaks": study.path("leaks.json"),
    }
    claim = {"section": "4.1", "verdict": "holds", "statement": "It rises", "value": 1.0}
    claim |= {"direction": "at least", "threshold": 0.5, "weak_judge": True, "low": 0.9, "high": 1.0}
    claim |= {"verdict_holm": "holds", "units_to_decide": None}
    Path("claims.json").write_text(json.dumps([claim]))
    told = run(overview, {**common, "claims": ["claims.json"]}, captions.overview_settings(study))
    assert f"- {WEAK}" in told and f"- {FINE}" in told and told[-3:] == ["**Data**", "", "- 3 texts leak"]
    assert "Of **1 claims of the paper** 1 holds. 1 of them rests on a weak judge." in told
    Path("benchmarks").mkdir()
    settings = {"study": "mine", "tables": [], "figures": [], "claims": [], "explorer": []}
    settings |= {"judges": study.judge_settings(scorers), "shown": shown_settings(study.declared)}
    told = run(summary, {**common, "claims": ["claims.json"], "metrics": [], "rounding": []}, settings)
    assert f"  {WEAK}" in told and f"  {FINE}" in told and "  3 texts leak" in told
    # Each of its curves, and no other.
    assert sum(line.startswith("  sentiment (weak judge) score: ") for line in told) == 2
    assert not any(line.startswith(("  sentiment score", "  grammar (weak judge)")) for line in told)
    assert "  holds (weak judge): It rises (1 [0.9, 1], holds at least 0.5)" in told
    for entry in settings["shown"]:
        entry["samples"] = 2
    told = run(summary, {**common, "claims": [], "metrics": [], "rounding": []}, settings)
    notes = {scorer: f"  {scorer} ({note}" for scorer, note in (("sentiment", "weak judge; "), ("perplexity", ""))}
    for note in notes.values():
        assert any(line.startswith(f"{note}of each prompt at most the first 2 continuations) ") for line in told)


def test_figures_mark_a_weak_judge_at_their_axes(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr("lm_interpolation.figures.style.save_figure", lambda figure, *_: drawn.append(figure))
    for script, name in ((plot_curves, "fig3"), (plot_plane, "map")):
        figure = study.declared.figures[name]
        settings = canonical({"look": figure.look(), **figure.settings(study)})
        script.main(make_job(figure.inputs(study), {"png": "", "pdf": ""}), **settings)
    labels = [" ".join(axes.get_ylabel().split()) for axes in drawn[0].axes]
    assert labels.count("Positive score (weak judge)") == 2 and labels.count("Perplexity (log scale)") == 4
    assert [axes.get_xlabel() for axes in drawn[0].axes].count("Score (weak judge)") == 2
    bars = [axes.get_ylabel() for axes in drawn[1].axes[0].child_axes]
    assert [" ".join(label.split()) for label in bars] == ["Positive score (weak judge)"]


def test_the_explorer_marks_a_weak_judge(study: Study) -> None:
    data = make_page(study, "page.html")
    labels = {panel["scorer"]: panel["label"] for panel in data["sweeps"][0]["panels"]}
    assert (
        labels["sentiment"] == "Positive score (weak judge)" and "weak" not in labels["perplexity"] + labels["grammar"]
    )
    assert data["judges"]["sentiment"] == {
        "model": "sentiment-judge",
        "quality": WEAK.removeprefix("sentiment by sentiment-judge: "),
        "weak": True,
    }
    assert not data["judges"]["grammar"]["weak"] and "perplexity" not in data["judges"]


def test_an_imported_judge_has_no_file_of_metrics() -> None:
    config = made_config()
    directory = {"hub": "someone/judge", "revision": "0" * 40}
    config["models"]["sentiment-judge"] = {"task": "classifier", "start": directory}
    study = Study(config)
    assert captions.figure_inputs(study, "fig3")["judges"] == []
    assert captions.table_inputs(study, "theta1")["judges"] == ["results/tiny/training/grammar-judge/metrics.json"]
    (told, *_) = judge_lines(read_judges(study.judge_settings(["sentiment"]), []))
    assert told == "sentiment by sentiment-judge: imported; its accuracy was not measured here"


def test_judges_decide_on_no_score_and_no_table() -> None:
    study = Study(made_config())
    assert "judges" not in study.table_settings("theta1")
    assert not [path for path in study.lines.scores("theta1") if "training" in path]
