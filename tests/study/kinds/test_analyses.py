"""Kinds of analyses: what they declare."""

# ruff: noqa: E501

from typing import Any

import pytest
from pydantic import TypeAdapter

from lm_interpolation.analyses.barriers import BARRIER_COLUMNS
from lm_interpolation.analyses.cost import COST_COLUMNS
from lm_interpolation.analyses.geometry import NORM_COLUMNS
from lm_interpolation.analyses.gram import GRAM_COLUMNS
from lm_interpolation.analyses.layers import LAYER_COLUMNS
from lm_interpolation.analyses.linearity import _MEASURES, _SUMMARY
from lm_interpolation.analyses.model_loss_tables import MODEL_LOSS_COLUMNS
from lm_interpolation.analyses.next_tokens import _COLUMNS
from lm_interpolation.analyses.precision import PRECISION_COLUMNS
from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.models.searches import SEARCH_COLUMNS
from lm_interpolation.study.config import declare
from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import tag
from lm_interpolation.study.kinds.catalog import ANALYSES, AnyAnalysis
from lm_interpolation.study.kinds.study_config import StudyConfig
from lm_interpolation.study.kinds.tables import SEARCH_TABLE, sweep_table
from lm_interpolation.study.leak_plan import leak_plan
from lm_interpolation.study.study import Study
from lm_interpolation.tables.tables import STATISTIC_COLUMNS
from tests.study.test_config import full_config

WORDS = {"good": ["fine", "great"], "bad": ["poor"]}


def config_of(**changes: dict[str, Any]) -> StudyConfig:
    """The declarations of a study with every kind; ``changes`` are keys of analyses, by their names."""
    written = full_config()
    for name, keys in changes.items():
        written["analyses"][name] |= keys
    return StudyConfig.model_validate(written)


def test_every_kind_has_rules_of_its_own() -> None:
    files = {path.stem for path in (WORKFLOW / "rules" / "analyses").glob("*.smk")}
    assert files == {tag(kind) for kind in ANALYSES}


# --- words ---


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            {"kind": "loss", "sweep": "line", "corpus": "c", "split": "dev", "classes": ["a", "b"], "limit": 1200,
             "too_long": "cut"},
            "loss of the dev split of corpus c along line, a and b texts apart, the first 1,200 of each; longer texts than "
            "the models read are cut",
        ),
        (
            {"kind": "loss", "sweep": "line", "corpus": "c", "split": "test", "too_long": "error"},
            "loss of the test split of corpus c along line, all texts together",
        ),
        (
            {"kind": "model_loss", "models": ["greedy"], "sets": ["films"], "corpus": "c", "limit": 30},
            "loss of the test split of corpus c under greedy, the set films, all texts together, the first 30 of each",
        ),
        (
            {"kind": "next_token", "sweep": "line", "prompt": "It was", "words": WORDS, "top": 6, "ends": [-1, 1]},
            "probability of each word right after “It was” along line, for the groups good (fine, great); bad (poor); and "
            "of the 6 tokens of the vocabulary that rise, and that fall, most from coordinate −1 to 1",
        ),
        (
            {"kind": "barrier", "sweeps": ["line", "other"], "scorer": "perplexity", "losses": ["line-loss"]},
            "height above the chord from coordinate 0 to 1 of perplexity along line, other, and of line-loss",
        ),
        (
            {"kind": "linearity", "sweep": "plane", "prompts": "neutral", "prefixes": 20, "tolerance": 0.1, "words": WORDS},
            "the model over plane against its first-order expansion around the origin, after the first 20 neutral prompts; "
            "a point counts as linear up to an error of 10 %; the margin is between the groups good (fine, great); bad "
            "(poor)",
        ),
        (
            {"kind": "gram", "models": ["a", "b"], "base": "c"},
            "inner products and cosines of the displacements from c of a, b, tensor by tensor",
        ),
        (
            {"kind": "gram", "sets": ["films"]},
            "inner products and cosines of the weights of the set films, tensor by tensor",
        ),
        (
            {"kind": "norms", "pairs": {"moved": {"model": "a", "reference": "b"}}},
            "norms of the weight differences moved (a − b), tensor by tensor",
        ),
        (
            {"kind": "cost", "sweep": "line", "at": [0.5, 1], "prompts": "neutral", "prefixes": 40, "repeats": 3},
            "time and memory of texts after the first 40 neutral prompts at coordinate 0.5, 1 of line, from merged weights "
            "and from an ensemble; 3 runs of each, alone in a fresh process",
        ),
        (
            {"kind": "texts", "sweeps": ["line", "other"], "at": [0], "prompts": "neutral", "prefixes": 6},
            "first continuations after the first 6 neutral prompts at coordinate 0 along line, other, side by side",
        ),
        (
            {"kind": "precision", "sweep": "line", "at": [0], "prompts": "neutral", "prefixes": 20, "threshold": 0.01,
             "reason": "Small."},
            "texts after the first 20 neutral prompts and their scores at coordinate 0 of line, in fp32 and in the "
            "precision of the study; they may differ by 0.01: Small.",
        ),
    ],
)  # fmt: skip
def test_an_analysis_is_told_in_words(spec: dict[str, Any], told: str) -> None:
    analysis: Analysis = TypeAdapter(AnyAnalysis).validate_python(spec)
    assert analysis.describe("mine") == f"mine: {told}"


def test_every_column_of_every_table_has_a_meaning_in_its_order() -> None:
    columns = {
        ("loss", ""): [
            "sweep",
            "alpha",
            "point",
            "class",
            "statistic",
            "estimate",
            "low",
            "high",
            "n_texts",
            "n_tokens",
        ],
        ("next_token", ""): ["sweep", "alpha", *_COLUMNS],
        ("linearity", ""): ["sweep", "alpha", "point", "quantity", *_MEASURES],
        ("linearity", "_summary"): ["quantity", *_SUMMARY],
        ("norms", ""): NORM_COLUMNS,
        ("cost", ""): COST_COLUMNS,
        ("precision", ""): PRECISION_COLUMNS,
        ("texts", ""): ["row", "prompt", "coordinate", "theta1", "theta2"],
        ("barrier", ""): BARRIER_COLUMNS,
        ("model_loss", ""): list(MODEL_LOSS_COLUMNS),
        ("layers", ""): LAYER_COLUMNS,
        ("gram", ""): GRAM_COLUMNS,
    }
    tables = {(tag(kind), suffix): table for kind in ANALYSES for suffix, table in kind.TABLES.items()}
    assert columns.keys() == tables.keys()
    for key, table in tables.items():
        assert [name for name, _ in table.meanings(["alpha"], ["theta1", "theta2"])] == columns[key], key
        assert all([table.row, *table.columns.values()])
    of_sweeps = [name for name, _ in sweep_table([]).meanings(["alpha"], ["theta1"])]
    assert of_sweeps == ["sweep", "prompts", "alpha", "point", *STATISTIC_COLUMNS]
    assert list(SEARCH_TABLE.columns) == SEARCH_COLUMNS


def test_the_table_of_a_sweep_tells_the_statistics_of_its_scorers_alone() -> None:
    scorers = config_of().scorers
    both = sweep_table([*scorers.values(), *scorers.values()]).columns
    assert both["statistic"] == (
        "score: weighted sum of class probabilities; p_…: mean probability of a class; perplexity of continuation or "
        "text: mean over texts, or corpus = exp(total NLL / tokens); distinct_n: share of distinct n-grams of a prompt's "
        "samples"
    )
    assert both["n_excluded"] == "texts without a score: no token, no predicted token or no word"
    one = sweep_table([scorers["sentiment"]]).columns
    assert "perplexity" not in one["statistic"] and one["n_excluded"] == "texts without a score: no token"
    assert sweep_table([]).columns["n_excluded"] == "texts without a score"


# --- checks ---


@pytest.mark.parametrize(
    ("name", "keys", "problem"),
    [
        ("words", {"ends": [0, 0.75]}, ("ends", "0.75 is not on the grid of sweep 'theta1'; add it there")),
        ("words", {"ends": [1, 1.0]}, ("ends", "both are 1; choose two values")),
        (
            "distances",
            {"pairs": {"none": {"model": "base", "reference": "base"}}},
            ("pairs.none", "compares 'base' with itself; name two"),
        ),
        ("price", {"at": [2]}, ("at", "2 is not on the grid of sweep 'theta1'; add it there")),
        ("side", {"prompts": "more"}, ("prompts", "sweep 'theta1' has no prompts 'more'; add them to sweeps.theta1.prompts")),
        ("side", {"at": [0, 2]}, ("at", "2 is not on the grid of sweep 'theta1'; add it there")),
        ("half", {"prompts": "more"}, ("prompts", "sweep 'theta1' has no prompts 'more'; add them to sweeps.theta1.prompts")),
        ("half", {"at": [0.25]}, ("at", "0.25 is not on the grid of sweep 'theta1'; add it there")),
    ],
)  # fmt: skip
def test_keys_that_do_not_fit_the_study(name: str, keys: dict[str, Any], problem: tuple[str, str]) -> None:
    config = config_of(**{name: keys})
    assert next(config.analyses[name].check(config)) == problem
    sound = config_of()
    assert list(sound.analyses[name].check(sound)) == []


@pytest.mark.parametrize(
    ("name", "keys", "problem"),
    [
        ("plane-loss", {"classes": ["positiv"]}, ("classes", "class 'positiv' is not declared; did you mean 'positive'?")),
        ("line-loss", {"corpus": "stream"}, ("split", "the stream 'stream' has no test split; use dev")),
        ("ends-loss", {"classes": ["positiv"]}, ("classes", "class 'positiv' is not declared; did you mean 'positive'?")),
    ],
)  # fmt: skip
def test_keys_that_do_not_fit_the_corpus(name: str, keys: dict[str, Any], problem: tuple[str, str]) -> None:
    config = config_of(**{name: keys})
    assert next(config.analyses[name].check(config)) == problem
    sound = config_of()
    assert list(sound.analyses[name].check(sound)) == []


def edited(**sections: Any) -> StudyConfig:
    """The declarations of ``full_config`` after ``sections`` (key path with ``/``) were set."""
    written = full_config()
    for path, value in sections.items():
        *outer, last = path.split("/")
        target = written
        for key in outer:
            target = target[key]
        target[last] = value
    return StudyConfig.model_validate(written)


@pytest.mark.parametrize(
    ("name", "sections", "problem"),
    [
        (
            "taylor",
            {"sweeps/theta3/origin": {"base": 0.5, "positive": 0.5}},
            ("sweep", "the origin of 'theta3' is not a single model; change it"),
        ),
        (
            "barriers",
            {"sweeps/theta1/scorers": ["sentiment"]},
            ("scorer", "scorer 'perplexity' does not score sweep 'theta1'; add it to sweeps.theta1.scorers"),
        ),
        (
            "barriers",
            {"sweeps/theta1/grid/alpha": [0, 0.5]},
            ("sweeps", "1 is not on the grid of sweep 'theta1'; add it there"),
        ),
        (
            "half",
            {"sweeps/theta1/scorers": ["distinct"]},
            ("sweep", "no model scores the texts of 'theta1'; choose another"),
        ),
        (
            "half",
            {"scorers/sentiment/precision": "fp32"},
            (
                "",
                "generation and scorers of 'theta1' are all in fp32; remove it, or choose another precision there",
            ),
        ),
    ],
)
def test_a_study_that_does_not_fit_the_analysis(name: str, sections: dict[str, Any], problem: tuple[str, str]) -> None:
    config = edited(**sections)
    assert next(config.analyses[name].check(config)) == problem


def test_a_model_of_two_sets_is_measured_once() -> None:
    study = Study(full_config())
    analysis = study.analysis("ends-loss")
    assert analysis.settings(study, "ends-loss") == {"models": ["base", "positive", "negative"]}
    assert leak_plan(study)["comparisons"]
    measured = [
        entry["where"] for entry in leak_plan(study)["comparisons"] if "whose losses ends-loss" in entry["what"]
    ]
    assert {word for where in measured for word in ("base", "positive", "negative") if word in where} == {
        "base",
        "positive",
        "negative",
    }


def test_losses_of_models_need_language_models() -> None:
    config = edited(**{"analyses/ends-loss": {"kind": "model_loss", "corpus": "reviews"}})
    assert list(config.analyses["ends-loss"].check(config)) == [
        ("", "has neither models nor sets; name what to measure")
    ]
    config = edited(**{"sets/ends/models": ["positive", "judge"]})
    assert list(config.analyses["ends-loss"].check(config)) == [
        ("sets", "'ends' holds the classifier 'judge'; choose a set of language models")
    ]


def test_barriers_of_losses_need_both_ends_and_one_loss_of_each_sweep() -> None:
    second = {"kind": "loss", "sweep": "theta1", "corpus": "reviews", "classes": ["positive"]}
    config = edited(**{"analyses/second": second, "analyses/barriers/losses": ["line-loss", "second"]})
    assert list(config.analyses["barriers"].check(config)) == [
        ("losses", "two are along one sweep; give one of each sweep")
    ]
    apart = {"sweeps/quiet/grid/alpha": [0, 0.5], "analyses/line-loss/sweep": "quiet"}
    config = edited(**apart)
    assert list(config.analyses["barriers"].check(config)) == [
        ("losses", "1 is not on the grid of sweep 'quiet'; add it there")
    ]


def test_a_base_is_none_of_the_models_that_move_from_it() -> None:
    config = edited(**{"analyses/products": {"kind": "gram", "models": ["base", "positive"], "base": "base"}})
    assert list(config.analyses["products"].check(config)) == [
        ("base", "'base' is one of the models; its displacement is 0, name others")
    ]


def test_an_anchor_is_a_point_of_the_sweep() -> None:
    config = edited(**{"sweeps/theta1/anchors": [{"alpha": 2}], "analyses/price/at": [2.0]})
    assert list(config.analyses["price"].check(config)) == []


def test_a_sweep_called_like_a_column_of_the_texts() -> None:
    sweeps = declare(full_config()).plain["sweeps"]
    config = edited(**{"sweeps/prompt": sweeps["theta1"], "analyses/side/sweeps": ["prompt"]})
    assert list(config.analyses["side"].check(config)) == [
        ("sweeps", "'prompt' is a column of the table; rename that sweep")
    ]


# --- what the plan asks ---


def test_what_analyses_rest_on() -> None:
    config = config_of()
    sweeps = {name: analysis.sweeps_behind(config) for name, analysis in config.analyses.items()}
    assert sweeps == {
        **{name: ["theta1"] for name in ("words", "line-loss", "line-dev-loss", "line-news-loss", "price", "half")},
        **{name: ["quiet"] for name in ("quiet-loss", "quiet-dev-loss", "quiet-news-loss")},
        **{name: ["theta3"] for name in ("plane-loss", "whole-plane-loss", "taylor")},
        "barriers": ["theta1"],
        **{name: [] for name in ("distances", "ends-loss", "parts", "products", "starts-loss")},
        "side": ["theta1", "ensemble"],
    }
    scorers = {name: found for name, analysis in config.analyses.items() if (found := analysis.scorers_behind(config))}
    assert scorers == {"barriers": ["perplexity"], "half": ["sentiment", "perplexity"]}
    read = {name: found for name, analysis in config.analyses.items() if (found := analysis.analyses_behind())}
    assert read == {"barriers": ["line-loss"]}
    held_out = {name: tuple(texts) for name, analysis in config.analyses.items() if (texts := analysis.held_out())}
    assert {name: texts for name, texts in held_out.items() if not name.startswith(("quiet", "line-", "whole"))} == {
        "plane-loss": ("reviews", "test", ["positive"], None),
        "ends-loss": ("reviews", "dev", None, 5),
        "parts": ("reviews", "test", ["positive"], None),
        "starts-loss": ("reviews", "test", ["positive"], None),
    }
    assert held_out["line-loss"] == ("reviews", "test", None, None)
    compared = {name: found for name, a in config.analyses.items() if (found := a.compared_scorers(config))}
    assert compared == {"half": ["sentiment", "perplexity"]}
    assert [tag(kind) for kind in ANALYSES if kind.COMPARES_PRECISIONS] == ["precision"]


def test_analyses_that_generate_have_points_merged_for_them() -> None:
    study = Study(full_config())
    merged = {name: [point.id for point in study.analysis(name).merged_points(study)] for name in ("price", "half")}
    assert merged == {"price": ["negative=0.5+positive=0.5"], "half": ["negative=1"]}
    for name, analysis in study.declared.analyses.items():
        assert bool(analysis.merged_points(study)) == (analysis.continued_prompts() is not None) == (name in merged)
    assert [kind for kind in map(tag, ANALYSES) if kind in study.checkpoint_uses()] == []
    assert set(merged) <= set(study.checkpoint_uses())


def test_what_measures_time_and_what_is_about_texts() -> None:
    assert [tag(kind) for kind in ANALYSES if kind.MEASURES_TIME] == ["cost"]
    assert {tag(kind) for kind in ANALYSES if kind.ABOUT_TEXTS} == {"cost", "texts", "barrier", "precision"}
