"""Kinds of analyses: what they declare."""

# ruff: noqa: E501

from typing import Any

import pytest
from pydantic import TypeAdapter

from lm_interpolation.analyses.barriers import BARRIER_COLUMNS
from lm_interpolation.analyses.contribution_tables import BLOCK_COLUMNS, CONTRIBUTION_COLUMNS, GROUP_COLUMNS
from lm_interpolation.analyses.cost import COST_COLUMNS
from lm_interpolation.analyses.geometry import NORM_COLUMNS
from lm_interpolation.analyses.gram import GRAM_COLUMNS
from lm_interpolation.analyses.intruder_tables import MATRIX_COLUMNS, RANK_COLUMNS, THRESHOLD_COLUMNS
from lm_interpolation.analyses.layers import LAYER_COLUMNS
from lm_interpolation.analyses.linearity import _MEASURES, _SUMMARY
from lm_interpolation.analyses.model_loss_tables import MODEL_LOSS_COLUMNS
from lm_interpolation.analyses.next_tokens import _COLUMNS
from lm_interpolation.analyses.precision import PRECISION_COLUMNS
from lm_interpolation.analyses.region_tables import PB_COLUMNS, REGION_COLUMNS
from lm_interpolation.analyses.regions import CLUSTER_COLUMNS, PAIR_COLUMNS, PLACE_COLUMNS
from lm_interpolation.analyses.traverse_tables import TRAVERSE_COLUMNS
from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.models.searches import SEARCH_COLUMNS
from lm_interpolation.study.config import declare
from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.analyses.labelled_sets import labelled_sets
from lm_interpolation.study.kinds.analyses.set_losses import SetLosses
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
            {"kind": "regions", "base": "c", "sets": ["films", "books"], "by": ["data"]},
            "similarity of the models of films, books by their displacements from c. Clusters: spectral, as many as the "
            "label has values; affinities (1 + cosine) / 2, and exp(−d² / median²) of distances d, our reading; intervals "
            "over models, from draws of four fifths of them. Map: t-SNE of 1 − cosine, perplexity min(30, (models − 1) / "
            "3), seed 0",
        ),
        (
            {"kind": "region", "base": "b", "sets": ["films", "books"], "by": "task", "limit": 60},
            "mean NLL per token of the first 60 test texts of each data set; groups by task (sets films, books), measured on "
            "data sets that they have not learnt where a group has several, random points of their convex hull, and models "
            "of other groups",
        ),
        (
            {"kind": "region", "base": "b", "sets": ["all"], "loss": "probe", "train_limit": 1000},
            "cross-entropy on the test texts of each data set of a logistic regression (L2, C = 1) fitted on the first 1,000 "
            "training texts, on the mean of the last hidden states; all models as one group (sets all), measured on data "
            "sets that they have not learnt where a group has several, random points of their convex hull, and b plus "
            "random directions",
        ),
        (
            {"kind": "traverse", "sets": ["all"], "by": "task", "per_level": 20},
            "mean NLL per token of the test texts of each data set, along lines through at most 20 random pairs of models of "
            "each level (sets all, groups by task), and from the centroid of all towards the origin and in as many random "
            "directions",
        ),
        (
            {"kind": "intruders", "models": ["a", "b"], "base": "c", "k": 5, "epsilon": 0.4},
            "of each matrix of attention and MLP of a, b, those among its first 5 singular vectors, on the side of the "
            "outputs, whose cosine to every one of c is below 0.4. Intervals are over matrices",
        ),
        (
            {"kind": "tuning_contribution", "model": "m", "base": "b", "limit": 1200, "against": "rest",
             "groups": {"good": {"corpus": "c", "class": "positive"}, "rest": {"corpus": "d"}}},
            "what the fine-tuning of m from b contributes to the hidden state of the last token (TuCo), on the test texts of "
            "good (positive of c), rest (d), the first 1,200 of each; each told apart from rest",
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
        ("regions", ""): PAIR_COLUMNS,
        ("regions", "_clusters"): CLUSTER_COLUMNS,
        ("regions", "_places"): PLACE_COLUMNS,
        ("region", ""): REGION_COLUMNS,
        ("region", "_pb"): PB_COLUMNS,
        ("traverse", ""): TRAVERSE_COLUMNS,
        ("intruders", ""): MATRIX_COLUMNS,
        ("intruders", "_ranks"): RANK_COLUMNS,
        ("intruders", "_thresholds"): THRESHOLD_COLUMNS,
        ("tuning_contribution", ""): CONTRIBUTION_COLUMNS,
        ("tuning_contribution", "_groups"): GROUP_COLUMNS,
        ("tuning_contribution", "_blocks"): BLOCK_COLUMNS,
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
        ("contributions", {"base": "positive"}, ("base", "is 'positive', like model; name the model that it was fine-tuned from")),
        ("contributions", {"against": "god"}, ("against", "group 'god' is not declared; did you mean 'good'?")),
        ("contributions", {"groups": {"good": {"corpus": "reviews", "class": "positiv"}, "rest": {"corpus": "news"}}}, ("groups.good.class", "class 'positiv' is not declared; did you mean 'positive'?")),
        ("contributions", {"groups": {"good": {"corpus": "reviews"}, "rest": {"corpus": "stream"}}}, ("split", "the stream 'stream' has no test split; use dev")),
        ("side", {"at": [0, 2]}, ("at", "2 is not on the grid of sweep 'theta1'; add it there")),
        ("half", {"prompts": "more"}, ("prompts", "sweep 'theta1' has no prompts 'more'; add them to sweeps.theta1.prompts")),
        ("half", {"at": [0.25]}, ("at", "0.25 is not on the grid of sweep 'theta1'; add it there")),
        ("strangers", {"base": "positive"}, ("base", "'positive' is one of the models; it has no intruders, name others")),
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


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"analyses/groups/base": "reader"}, ("base", "'reader' is in set 'papers'; its displacement is 0, take it out")),
        ({"analyses/groups/by": "kind"}, ("by", "set 'films' has no label 'kind'; add it at sets.films.labels")),
        ({"sets/papers/labels": {"task": "films"}}, ("by", "all sets have one value of 'task', so no model is outside; take by out or add other sets")),
        ({"sets/films/models": ["positive"]}, ("sets", "group 'films' has fewer than 2 models, which have no hull; add some")),
        (
            {"sets/papers/labels": {"task": "films"}, "sets/films/models": ["positive"]},
            ("sets", "group 'films' has fewer than 2 models besides those of a data set, which have no hull; add some"),
        ),
        ({"sets/films/models": ["positive", "reader"]}, ("sets", "model 'reader' is in 'films' and in 'papers'; take it out of one")),
        ({"analyses/groups/sets": ["ends", "tuned"]}, ("sets", "'ends' has no corpus; say what its models learnt from, in sets.ends.corpus")),
        ({"sets/tuned/models": ["base"]}, ("sets", "'tuned' has no corpus; say what its models learnt from, in sets.tuned.corpus")),
        ({"sets/papers/corpus": {"corpus": "stream"}}, ("sets", "set 'papers' learnt from the stream 'stream', which has no test split")),
        ({"analyses/groups/train_limit": 5}, ("train_limit", "is the number of texts that a probe learns from; set loss: probe or remove it")),
        ({"sets/films/models": ["judge", "critic"]}, ("loss", "'judge' is a classifier, whose loss is that of its own head; set loss: probe")),
        ({"analyses/groups/loss": "probe", "analyses/groups/too_long": "cut"}, ("too_long", "is for loss: nll; a probe cuts texts where its model cannot read further. Remove it")),
        (
            {"analyses/groups/loss": "probe", "sets/films/corpus": {"corpus": "reviews", "class": "positive"}},
            ("loss", "set 'films' learnt one class of 'reviews', but a probe tells classes apart; set nll"),
        ),
    ],
)  # fmt: skip
def test_regions_that_do_not_fit_the_study(sections: dict[str, Any], problem: tuple[str, str]) -> None:
    config = edited(**sections)
    assert problem in list(config.analyses["groups"].check(config))
    sound = config_of()
    for name in ("groups", "heads", "paths"):
        assert list(sound.analyses[name].check(sound)) == []


def test_labels_of_a_set_are_those_of_the_sets_in_it() -> None:
    config = edited(**{"sets/tuned/labels": {"language": "English", "task": "any"}})
    found = [(one.name, one.models, dict(one.labels)) for one in labelled_sets(config, ["tuned", "films"])]
    films = ("films", ["negative", "positive"], {"language": "English", "data": "reviews", "task": "films"})
    papers = ("papers", ["reader", "writer"], {"language": "English", "data": "news", "task": "papers"})
    assert found == [films, papers]
    # Without a corpus a set stands for its own models and for the sets in it; with one it is a whole.
    config = edited(**{"sets/tuned/models": ["base"], "sets/papers": {"models": ["reader", "writer"]}})
    found = [(one.name, one.models, one.learnt is None) for one in labelled_sets(config, ["tuned"])]
    assert found == [("tuned", ["base"], True), (*films[:2], False), (*papers[:2], True)]
    config = edited(**{"sets/tuned/models": ["base"], "sets/tuned/corpus": {"corpus": "news"}})
    (whole,) = labelled_sets(config, ["tuned"])
    assert whole.models == ["base", "negative", "positive", "reader", "writer"]


def test_a_set_has_one_value_of_a_label_that_is_compared() -> None:
    around = {
        "sets/films/labels": {"data": "reviews"},
        "sets/tuned/labels": {"task": "words"},
        "sets/more": {"sets": ["films"], "labels": {"task": "others"}},
    }
    config = edited(**around, **{"analyses/groups/sets": ["tuned", "more"]})
    problem = (
        "sets",
        "set 'films' has two values of 'task', 'words' and 'others', from sets around it; add its own at sets.films.labels",
    )
    assert problem in list(config.analyses["groups"].check(config))
    # Labels that are not compared may differ, and one that only one of them has is none.
    around["sets/more"]["labels"] = {"kind": "others"}  # type: ignore[index]
    config = edited(**around, **{"analyses/groups/sets": ["tuned", "more"]})
    assert list(config.analyses["groups"].check(config)) == []


def test_the_job_of_a_region_reads_each_model_and_each_split() -> None:
    study = Study(full_config())
    groups, heads = (study.analysis(name) for name in ("groups", "heads"))
    assert isinstance(groups, SetLosses) and isinstance(heads, SetLosses)
    assert groups.settings(study, "groups")["sets"] == [
        {"name": "films", "group": "films", "models": ["negative", "positive"]},
        {"name": "papers", "group": "papers", "models": ["reader", "writer"]},
    ]
    names = [path.rpartition("/")[2] for path in groups.inputs(study, "groups")["models"]]
    assert names == ["negative", "positive", "reader", "writer", "base"]
    (judges,) = heads.settings(study, "heads")["sets"]
    assert judges == {"name": "judges", "group": "general", "models": ["judge", "critic"]}
    corpora = [path.split("corpora/")[1] for path in heads.texts_inputs(study)["corpora"]]
    assert corpora == ["reviews/train.parquet", "reviews/test.parquet"]
    assert heads.texts_settings(study)["splits"] == [["train", 9], ["test", None]]
    assert heads.texts_settings(study)["readers"] == [] and len(groups.texts_settings(study)["readers"]) == 1
    # Every model of a region is compared with the texts that it is measured on.
    measured = [entry for entry in leak_plan(study)["comparisons"] if "whose losses groups measures" in entry["what"]]
    assert {(entry["texts"]["corpus"], entry["seen"]["corpus"]) for entry in measured} == {
        (one, other) for one in ("reviews", "news") for other in ("reviews", "news")
    }


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


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        (
            {"analyses/areas/by": ["data", "corpus"]},
            ("by", "set 'films' has no label 'corpus'; add it at sets.films.labels"),
        ),
        (
            {"sets/papers/models": ["reader", "writer", "positive"]},
            ("sets", "model 'positive' is in 'films' and in 'papers'; take it out of one"),
        ),
        (
            {"sets/papers/models": ["reader", "writer", "base"]},
            ("base", "'base' is in set 'papers'; its displacement is 0, take it out"),
        ),
        ({"sets/papers/models": ["reader"]}, ("sets", "hold 3 models; clusters need at least 4")),
        (
            {"sets/papers/labels": {"data": "reviews", "task": "papers"}},
            ("by", "all sets have one data; take 'data' out, or name other sets"),
        ),
        (
            {
                "sets/negative": {"models": ["negative"], "labels": {"data": "x", "task": "words"}},
                "sets/positive": {"models": ["positive"], "labels": {"data": "y", "task": "words"}},
                "sets/judge": {"models": ["judge"], "labels": {"data": "z", "task": "labels"}},
                "sets/other": {"models": ["other"], "labels": {"data": "v", "task": "labels"}},
                "analyses/areas/sets": ["negative", "positive", "judge", "other"],
            },
            ("by", "no two models have the same data; take 'data' out, or name larger sets"),
        ),
    ],
)
def test_sets_that_make_no_regions(sections: dict[str, Any], problem: tuple[str, str]) -> None:
    config = edited(**sections)
    assert next(config.analyses["areas"].check(config)) == problem
    sound = config_of()
    assert list(sound.analyses["areas"].check(sound)) == []


def test_models_have_the_labels_of_their_sets() -> None:
    study = Study(full_config())
    analysis = study.analysis("areas")
    assert analysis.settings(study, "areas") == {
        "models": ["negative", "positive", "reader", "writer"],
        "base": "base",
        "labels": {"data": ["reviews"] * 2 + ["news"] * 2, "task": ["films"] * 2 + ["papers"] * 2},
    }
    folders = analysis.inputs(study, "areas")["models"]
    assert [folder.rpartition("/")[2] for folder in folders] == ["negative", "positive", "reader", "writer", "base"]


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
        **{name: [] for name in ("distances", "ends-loss", "parts", "products", "starts-loss", "strangers")},
        **{name: [] for name in ("areas", "groups", "heads", "paths", "contributions")},
        "side": ["theta1", "ensemble"],
    }
    scorers = {name: found for name, analysis in config.analyses.items() if (found := analysis.scorers_behind(config))}
    assert scorers == {"barriers": ["perplexity"], "half": ["sentiment", "perplexity"]}
    read = {name: found for name, analysis in config.analyses.items() if (found := analysis.analyses_behind())}
    assert read == {"barriers": ["line-loss"]}
    held_out = {
        name: tuple(texts[0]) for name, analysis in config.analyses.items() if (texts := analysis.held_out(config))
    }
    assert {name: texts for name, texts in held_out.items() if not name.startswith(("quiet", "line-", "whole"))} == {
        "plane-loss": ("reviews", "test", ["positive"], None),
        "ends-loss": ("reviews", "dev", None, 5),
        "parts": ("reviews", "test", ["positive"], None),
        "groups": ("reviews", "test", None, 6),
        "heads": ("reviews", "test", None, None),
        "contributions": ("reviews", "test", ["positive"], 5),
        "paths": ("reviews", "test", None, None),
        "starts-loss": ("reviews", "test", ["positive"], None),
    }
    assert [tuple(texts) for texts in config.analyses["groups"].held_out(config)] == [
        ("reviews", "test", None, 6),
        ("news", "test", None, 6),
    ]
    assert [tuple(texts) for texts in config.analyses["contributions"].held_out(config)] == [
        ("reviews", "test", ["positive"], 5),
        ("news", "test", None, 5),
    ]
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
