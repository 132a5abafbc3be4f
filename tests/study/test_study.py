"""A study as the rules see it, and what Snakemake plans for one (dry runs, nothing is executed)."""

import copy
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.exceptions import WorkflowError

from lm_interpolation.points.algebra import Point, sweep_from_settings
from lm_interpolation.study import captions, explorer, verdicts
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.same_results import code_of
from lm_interpolation.study.settings import canonical
from lm_interpolation.study.study import Study, alternatives
from tests.study.test_config import WORDS, full_config

pytestmark = pytest.mark.usefixtures("warm_python")

ROOT = Path(__file__).parents[2]


TRAINING = {"steps": 2, "batch_size": 2, "block_length": 8, "learning_rate": 0.001}
CORPUS = {"source": "synthetic", "kind": "reviews", "counts": {"train": 30, "dev": 30, "test": 30}}


def sweep_of(origin: dict[str, Any], grid: dict[str, Any], **directions: dict[str, Any]) -> dict[str, Any]:
    return {"origin": origin, "directions": directions, "grid": grid, "prompts": ["neutral"]}


def full(**changes: Any) -> Study:
    """A study with every kind of analysis, figure and claim."""
    return Study(full_config() | changes)


def results(*paths: str) -> list[str]:
    return [f"results/small/{path}" for path in paths]


TO_POSITIVE = {"positive": 1, "negative": -1}
CONFIG: dict[str, Any] = {
    "study": "small",
    "corpora": {"tiny": CORPUS},
    "tokenizers": {"bpe": {"corpus": "tiny", "vocab_size": 300}},
    "models": {
        "base": {
            "task": "language-model",
            "start": {"architecture": {"model_type": "gpt2"}, "tokenizer": "bpe"},
            "data": {"corpus": "tiny"},
            "training": TRAINING,
        },
        **{
            name: {
                "task": "language-model",
                "start": {"model": "base"},
                "data": {"corpus": "tiny", "class": name},
                "training": TRAINING,
            }
            for name in ("positive", "negative")
        },
        "judge": {
            "task": "classifier",
            "start": {"model": "base"},
            "data": {"corpus": "tiny"},
            "training": TRAINING,
        },
        "gpt2-large": {
            "task": "language-model",
            "start": {"hub": "openai-community/gpt2-large", "revision": "32b71b1"},
        },
    },
    "prompts": {"neutral": {"source": "list", "texts": ["The film"]}},
    "generation": {"top_p": 0.9, "max_new_tokens": 4, "samples": 2},
    "scorers": {
        "sentiment": {"kind": "classifier", "model": "judge", "weights": {"positive": 1}},
        "perplexity": {"kind": "perplexity", "model": "gpt2-large"},
    },
    "sweeps": {
        "theta1": sweep_of({"negative": 1}, {"alpha": [0, 0.5, 1]}, alpha=TO_POSITIVE),
        # Theta1's point positive = 1 is here at (1, 0), negative = 1 at (0, 1).
        "theta3": sweep_of(
            {"base": 1},
            {"alpha": [0, 1], "beta": [0, 1]},
            alpha={"positive": 1, "base": -1},
            beta={"negative": 1, "base": -1},
        ),
    },
}
POINTS = {
    "negative=1",
    "negative=0.5+positive=0.5",
    "positive=1",
    "base=1",
    "base=-1+negative=1+positive=1",
}


@pytest.fixture
def study() -> Study:
    return Study(CONFIG)


# --- jobs and their inputs ---


def test_a_study_does_not_change_its_config() -> None:
    config = copy.deepcopy(CONFIG)
    Study(config)
    assert config == CONFIG


def test_each_point_is_in_one_line(study: Study) -> None:
    assert {key: [point.id for point in line.points] for key, line in study.lines.all.items()} == {
        ("neutral", "theta1"): ["negative=1", "negative=0.5+positive=0.5", "positive=1"],
        ("neutral", "theta3+beta=0"): ["base=1"],
        ("neutral", "theta3+beta=1"): ["base=-1+negative=1+positive=1"],
    }
    assert study.lines.points("neutral", "theta3+beta=0") == ["base=1"]
    assert study.lines.texts("neutral", "theta3+beta=0") == ["results/small/texts/weights/neutral/base=1.parquet"]


def test_a_sweep_reads_the_scores_of_shared_points_from_the_first(study: Study) -> None:
    scores = [f"results/small/scores/neutral/{line}/{scorer}.parquet" for line in ("theta1", "theta3+beta=0",
              "theta3+beta=1") for scorer in ("perplexity", "sentiment")]  # fmt: skip
    assert study.lines.scores("theta1") == scores[:2]
    assert study.lines.scores("theta3") == scores


def test_a_merge_reads_its_models_in_the_order_of_the_point(study: Study) -> None:
    point = "base=-1+negative=1+positive=1"
    assert study.merge_prompts("neutral") == ["results/small/prompts/neutral.parquet"]
    assert study.merge_prompts("some-analysis") == []
    assert study.merge_inputs(point) == [f"results/small/models/{name}" for name in Point.parse(point).models]


def test_training_reads_data_and_its_start(study: Study) -> None:
    corpus = {split: f"results/small/corpora/tiny/{split}.parquet" for split in ("train", "dev")}
    assert study.models.inputs("base") == corpus | {"tokenizer": "results/small/tokenizers/bpe"}
    assert study.models.inputs("positive") == corpus | {"start": "results/small/models/base"}
    # A classifier is measured on test, too.
    corpus["test"] = "results/small/corpora/tiny/test.parquet"
    assert study.models.inputs("judge") == corpus | {"start": "results/small/models/base"}


def test_models_are_trained_or_imported(study: Study) -> None:
    assert study.models.trained("language-model") == ["base", "positive", "negative"]
    assert study.models.trained("classifier") == ["judge"]
    assert study.models.imported() == ["gpt2-large"]
    assert study.models.files("gpt2-large") == []
    assert list(study.scorers) == ["sentiment", "perplexity"]


def test_settings_are_in_one_order_whatever_the_config_says(study: Study) -> None:
    text = study.settings("points/merge.py", b={"y": 1, "x": [{"d": 1, "c": 2}]}, a=0)
    assert text.startswith('{"settings": {"b": {"x": [{"c": 2, "d": 1}], "y": 1}, "a": 0}, "packages": {"')
    settings = json.loads(text)
    assert list(settings) == ["settings", "packages", "sources"] and "numpy" in settings["packages"]


def test_a_gpu_is_asked_for_on_cuda_only(study: Study) -> None:
    assert study.gpu == 0 and Study(CONFIG | {"device": "cuda"}).gpu == 1


def test_sources_are_settings_wherever_snakemake_runs(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = json.loads(study.settings("points/merge.py", b=1, a=2))
    assert settings["sources"] == code_of("points/merge.py")["sources"]
    assert settings["sources"].keys() >= {"points/merge.py", "lm_interpolation.points.merging"}


def test_alternatives_match_names_and_nothing_else() -> None:
    pattern = alternatives(["a.b", "a"])
    assert [name for name in ("a.b", "a", "axb", "a.b.c", "") if re.fullmatch(pattern, name)] == ["a.b", "a"]
    assert not re.search(alternatives([]), "") and not re.search(alternatives([]), "x")


def test_an_ensemble_runs_its_models_and_that_of_the_nucleus() -> None:
    study = full(generation={"top_p": 0.9, "max_new_tokens": 4, "samples": 2, "nucleus": "base"})
    assert study.lines.texts("neutral", "ensemble") == results(
        "texts/logits/neutral/negative=1.parquet",
        "texts/logits/neutral/negative=0.5+positive=0.5.parquet",
        "texts/logits/neutral/positive=1.parquet",
    )
    assert study.ensemble_models("negative=0.5+positive=0.5") == ["negative", "positive", "base"]
    assert study.ensemble_models("base=-1+positive=2") == ["base", "positive"]
    assert full().ensemble_models("negative=1") == ["negative"]
    # It decides nothing in the space of weights.
    assert (
        study.sampling("neutral")
        == full().sampling("neutral")
        == {"top_p": 0.9, "max_new_tokens": 4, "samples": 2, "seed": 0}
    )


def samples_in(study: Study) -> dict[str, Any]:
    """What each place says on continuations per prompt."""
    figures = {name: captions.figure_settings(study, name)["text"]["facts"] for name in study.config["figures"]}
    tables = [*study.sweeps, *study.table_of_analysis]
    figures |= {f"{name}.csv": captions.table_settings(study, name)["text"]["facts"] for name in tables}
    return {
        "explorer": explorer.settings(study, "explorer")["samples"],
        **{name: study.analysis_settings(name)["sampling"]["samples"] for name in ("price", "half")},
        **{name: next((fact for fact in facts if fact.startswith("texts: ")), "") for name, facts in figures.items()},
        "overview": captions.overview_settings(study)["facts"],
    }


def test_a_prompt_set_may_have_samples_of_its_own() -> None:
    config = full_config()
    config["sweeps"]["theta1"]["prompts"] = ["neutral", "more"]
    config["analyses"]["price"]["prompts"] = "more"
    before = Study(config)
    config["prompts"]["more"]["samples"] = 1
    study = Study(config)
    assert study.sampling("neutral") == before.sampling("neutral") == before.sampling("more")
    assert study.sampling("more") == before.sampling("more") | {"samples": 1}
    # In the order of the section generation, as before.
    assert list(study.sampling("more")) == ["top_p", "max_new_tokens", "samples", "seed"]
    # Which prompts the set has does not depend on it.
    assert study.data.prompt_settings("more") == before.data.prompt_settings("more")
    found = samples_in(study)
    assert found["explorer"] == {"neutral": 2, "more": 1} and (found["price"], found["half"]) == (1, 2)
    rest = "of at most 4 tokens, top-p 0.9"
    both = f"texts: 2 continuations per prompt of neutral, 1 continuation per prompt of more, {rest}"
    one, two = f"texts: 1 continuation per prompt {rest}", f"texts: 2 continuations per prompt {rest}"
    assert (found["curves"], found["theta1.csv"], found["theta3.csv"]) == (both, both, two)
    # An analysis is about the prompts that it continues, or whose texts it shows.
    assert (found["price.csv"], found["half.csv"], found["side.csv"], found["barriers.csv"]) == (one, two, two, both)
    assert both in found["overview"]


def test_samples_of_a_prompt_set_that_are_those_of_the_study_change_nothing() -> None:
    config = full_config()
    before = samples_in(Study(config)), Study(config).sampling("neutral")
    config["prompts"]["neutral"]["samples"] = 2
    assert (samples_in(Study(config)), Study(config).sampling("neutral")) == before


def test_a_sweep_is_scored_by_its_scorers() -> None:
    study = full()
    assert [name for name, _ in study.table_settings("theta3")["scorers"]] == ["sentiment", "perplexity"]
    assert [name for name, _ in study.table_settings("theta1")["scorers"]] == ["sentiment", "perplexity", "distinct"]
    assert study.lines.scores("theta1", ["perplexity"]) == results("scores/neutral/theta1/perplexity.parquet")
    assert not [path for path in study.lines.scores("theta3") if "distinct" in path]
    # The ensemble's points are others, though their coefficients are those of theta1.
    assert all("/ensemble/" in path for path in study.lines.scores("ensemble"))


def test_a_streamed_corpus_has_no_training_split() -> None:
    config = full_config()
    config["models"]["other"]["data"] = {"corpus": "stream"}
    config["analyses"]["line-loss"] |= {"corpus": "stream", "split": "dev"}
    # Claims compare its texts with others.
    config["claims"] = {}
    study = Study(config)
    assert study.data.streamed() == ["stream"] and study.data.from_source() == ["reviews", "news"]
    assert study.models.inputs("other") == {
        "dev": "results/small/corpora/stream/dev.parquet",
        "stream": "results/small/corpora/stream/stream.json",
        "tokenizer": "results/small/tokenizers/bpe",
    }
    texts = study.analysis("line-loss").texts_inputs(study)
    assert texts["corpus"] == "results/small/corpora/stream/dev.parquet"
    assert study.corpora["stream"].input_files() == []


def test_processes_train_together() -> None:
    config = full_config()
    config["models"]["base"]["training"]["processes"] = 2
    study = Study(config)
    assert (study.models.processes("base"), study.models.processes("positive")) == (2, 1)


def test_when_to_save_is_no_setting_of_a_model() -> None:
    config = full_config()
    before = Study(config).models.settings("base")
    config["models"]["base"]["training"]["save_steps"] = 7
    assert Study(config).models.settings("base") == before
    assert before["training"]["processes"] == 1


# --- analyses ---


def test_an_analysis_reads_models_and_its_data() -> None:
    study = full()
    line, plane = results("models/negative", "models/positive"), results("models/base", "models/negative")
    prompts = "results/small/prompts/neutral.parquet"
    plane += results("models/positive")
    assert study.analysis_inputs("words") == {"models": line}
    for name, models in (("line-loss", line), ("plane-loss", plane)):
        assert study.analysis_inputs(name) == {"models": models, "texts": f"results/small/losses/texts/{name}.parquet"}
        assert study.analysis(name).texts_inputs(study) == {
            "corpus": "results/small/corpora/reviews/test.parquet",
            "tokenizers": results("tokenizers/bpe"),
        }
    assert study.analysis_inputs("taylor") == {"models": plane, "prompts": prompts}
    assert study.analysis_inputs("distances") == {"models": results("models/positive", "models/base", "models/other")}
    assert study.analysis_inputs("price") == {
        "models": line,
        "prompts": prompts,
        "checkpoints": results("checkpoints/price/negative=0.5+positive=0.5"),
    }
    assert study.analysis_inputs("barriers") == {
        "scores": results("scores/neutral/theta1/perplexity.parquet"),
        "losses": results("losses/line-loss.parquet"),
    }
    assert study.analyses("loss")[:2] == ["plane-loss", "line-loss"]
    assert study.analyses("norms", "cost") == ["distances", "price"]


def test_an_analysis_is_set_by_its_own_keys() -> None:
    study = full(generation={"top_p": 0.9, "max_new_tokens": 4, "samples": 2, "nucleus": "base"})
    settings = {name: study.analysis_settings(name) for name in study.analyses("loss", "next_token", "linearity")}
    assert settings["line-loss"].keys() == {"models", "sweep"}
    texts = study.analysis("line-loss").texts_settings(study)
    assert (texts["classes"], texts["limit"], texts["too_long"]) == ([], None, "error")
    assert study.analysis("plane-loss").texts_settings(study)["classes"] == ["positive"]
    assert study.analysis("line-loss").table_settings(study) == {
        "sweep": settings["line-loss"]["sweep"],
        "bootstrap": {"resamples": 2000, "seed": 0},
    }
    # Groups keep their order, which decides on the sign of the margin.
    words = [("good", ["fine", "great"]), ("bad", ["poor"])]
    assert list(WORDS) == ["good", "bad"]
    assert settings["words"].items() >= {"prompt": "The film", "top": 8, "ends": [0, 1], "words": words}.items()
    assert settings["taylor"].items() >= {"prefixes": 2, "tolerance": 0.1, "words": words}.items()
    assert settings["taylor"]["models"] == ["base", "negative", "positive"]
    assert study.analysis_settings("distances") == {
        "models": ["positive", "base", "other"],
        "pairs": [("tuned", "positive", "base"), ("apart", "other", "base")],
    }
    price = study.analysis_settings("price")
    assert price["models"] == ["negative", "positive", "base"] and price["nucleus"] == "base"
    assert (price["points"], price["prefixes"], price["repeats"]) == (["negative=0.5+positive=0.5"], 20, 3)
    assert price["sampling"] == study.sampling("neutral")
    # As jobs get them.
    assert canonical(settings["words"])["words"] == [list(pair) for pair in words]


def test_an_analysis_depends_on_the_points_of_its_sweep_alone() -> None:
    names = ("words", "line-loss", "price")
    before = {name: full().analysis_settings(name) for name in names}
    config = full_config()
    config["sweeps"]["theta1"] |= {
        "label": "θ₁",
        "coordinate_labels": {"alpha": "α"},
        "scorers": ["sentiment", "perplexity"],
        "prompts": ["neutral", "more"],
    }
    assert {name: Study(config).analysis_settings(name) for name in names} == before
    config["sweeps"]["theta1"]["grid"]["alpha"] = [0, 0.5, 1, 2]
    changed = Study(config).analysis_settings("words")
    assert changed != before["words"]
    points = [entry.point.id for entry in sweep_from_settings(changed["sweep"]).points]
    assert points == ["negative=1", "negative=0.5+positive=0.5", "positive=1", "negative=-1+positive=2"]


def test_texts_are_compared_at_the_same_coordinates() -> None:
    study = full()
    texts = [f"texts/{space}/neutral/{point}.parquet" for space in ("weights", "logits") for point in
             ("positive=1", "negative=1")]  # fmt: skip
    assert study.analysis_inputs("side") == {
        "texts": results(*texts),
        "prompts": "results/small/prompts/neutral.parquet",
    }
    assert study.analysis_settings("side") == {"prefixes": 20, "sweeps": ["theta1", "ensemble"], "at": ["1", "0"]}


def test_barriers_are_set_by_scorer_sweeps_and_losses() -> None:
    study = full()
    assert study.analysis_settings("barriers") == {
        "sweeps": [study.sweep_settings("theta1")],
        "scorer": "perplexity",
        "statistic": {
            "name": "continuation_corpus",
            "columns": {"nll_continuation": 1},
            "per": "tokens_continuation",
            "pooled": True,
            "exponentiate": True,
            "least": 1,
        },
        "spaces": {"theta1": "weights"},
        "losses": [study.points_settings("theta1")],
        "seed": 0,
    }


# --- searches ---


def test_trials_share_runs_where_the_schedule_allows_it() -> None:
    study = full()
    runs = ["learning_rate=0.001+batch_size=2", "learning_rate=0.01+batch_size=2"]
    assert study.searches.trial_names() == runs
    assert study.searches.trial_metrics("search") == results(*(f"searches/search/{run}/metrics.json" for run in runs))
    settings = study.searches.trial_settings("search", runs[1])
    assert settings["checkpoints"] == [1, 2]
    assert settings["model"]["training"] == study.models.settings("positive")["training"] | {
        "learning_rate": 0.01,
        "batch_size": 2,
        "steps": 2,
    }
    assert study.searches.settings("search") == {
        "search": "search",
        "trials": [
            {"learning_rate": rate, "batch_size": 2, "steps": 2, "checkpoints": [1, 2]} for rate in (0.001, 0.01)
        ],
        "configured": {"learning_rate": 0.001, "batch_size": 2, "steps": 2},
    }


def test_trials_of_a_schedule_with_an_end_are_runs_of_their_own() -> None:
    config = full_config()
    config["models"]["positive"]["training"]["schedule"] = "cosine"
    # Another search with the same values: ids are constraints of a wildcard, each once.
    config["searches"]["again"] = config["searches"]["search"] | {"model": "negative"}
    study = Study(config)
    single = [f"learning_rate={rate}+batch_size=2+steps={steps}" for rate in ("0.001", "0.01") for steps in (1, 2)]
    assert study.searches.trial_names() == single
    assert study.searches.trial_settings("search", single[2])["checkpoints"] == [1]
    assert study.searches.trial_settings("search", single[2])["model"]["training"]["steps"] == 1
    assert len(study.searches.trial_metrics("again")) == 4
    assert study.searches.trial_settings("again", single[0])["model"]["start"] == {"model": "base"}


# --- claims ---


def test_claims_read_scores_tables_and_losses() -> None:
    study = full()
    compared = ["line-loss", "quiet-loss", "whole-plane-loss", "line-dev-loss", "quiet-dev-loss"]
    compared += ["starts-loss", "line-news-loss", "quiet-news-loss"]
    assert verdicts.inputs(study) == {
        "scores": results(
            "scores/neutral/ensemble/sentiment.parquet",
            "scores/neutral/theta1/perplexity.parquet",
            "scores/neutral/theta1/sentiment.parquet",
            "scores/neutral/theta3+beta=0/sentiment.parquet",
            "scores/neutral/theta3+beta=1/sentiment.parquet",
        ),
        "tables": results(
            *("tables/plane-loss.csv", "tables/distances.csv", "tables/words.csv", "tables/taylor_summary.csv"),
            "tables/strangers.csv",
            "tables/areas_clusters.csv",
            "tables/contributions.csv",
            "tables/groups.csv",
            *(f"tables/{name}.csv" for name in compared),
        ),
        "losses": results(*(f"losses/{name}.parquet" for name in ("plane-loss", *compared))),
        "judges": results("training/judge/metrics.json"),
    }
    settings = verdicts.settings(study)
    assert settings["study"] == "small" and settings["left_out"] == []
    assert [claim["name"] for claim in settings["claims"]] == list(full_config()["claims"])
    assert settings["tables"] == [
        "plane-loss",
        "distances",
        "words",
        "taylor",
        "strangers",
        "areas",
        "contributions",
        "groups",
        *compared,
    ]
    assert settings["losses"] == ["plane-loss", *compared]
    # All that may own a line of a point in question, and the scorers that are read.
    assert [sweep["name"] for sweep in settings["sweeps"]] == ["theta1", "theta3", "ensemble", "quiet"]
    assert [name for name, _ in settings["scorers"]] == ["sentiment", "perplexity"]
    assert study.targets.claims() == results("claims.md", "claims.json")


def test_a_study_without_claims_has_no_verdicts(study: Study) -> None:
    assert study.targets.claims() == [] and verdicts.inputs(study) == {
        "scores": [],
        "tables": [],
        "losses": [],
        "judges": [],
    }


def test_a_claim_about_one_prompt_set_reads_its_scores_alone() -> None:
    config = full_config()
    config["sweeps"]["theta1"]["prompts"] = ["more", "neutral"]
    assert not [path for path in verdicts.inputs(Study(config))["scores"] if "/more/" in path]


# --- figures ---


def test_figures_read_tables() -> None:
    study = full()
    tables = {name: figure.tables_behind(study) for name, figure in study.declared.figures.items()}
    assert tables == {
        "curves": results("tables/theta1.csv"),
        "both": results("tables/theta1.csv", "tables/ensemble.csv", "tables/price.csv", "tables/side.csv"),
        "map": results("tables/theta3.csv", "tables/plane-loss.csv"),
        "next": results("tables/words.csv"),
        "moves": results("tables/distances.csv"),
        "learning": results("training/base/loss.csv"),
        "tried": results("tables/search.csv"),
        "walls": results("tables/barriers.csv"),
        "tangent": results("tables/taylor.csv", "tables/taylor_summary.csv"),
        "trust": results("judges/critic/calibration.csv"),
        "rows": results("tables/theta3.csv"),
        "blocks": results("tables/parts.csv"),
        "atlas": results("tables/areas_places.csv", "tables/areas_clusters.csv"),
        "heat": results("tables/areas.csv", "tables/areas_places.csv", "tables/areas_clusters.csv"),
        "areas": results("tables/groups.csv", "tables/groups_pb.csv", "tables/heads.csv", "tables/heads_pb.csv"),
        "ways": results("tables/paths.csv"),
        "news": results("tables/strangers.csv", "tables/strangers_thresholds.csv"),
        "shares": results(
            "tables/contributions.csv", "tables/contributions_groups.csv", "tables/contributions_blocks.csv"
        ),
        "starts": results("tables/starts-loss.csv"),
        "compared": results(
            "tables/theta1.csv", "tables/theta3.csv", "tables/whole-plane-loss.csv", "tables/line-loss.csv"
        ),
    }
    judged = results("training/judge/metrics.json")
    assert study.declared.figures["curves"].inputs(study) == {"tables": tables["curves"], "judges": judged}
    assert study.declared.figures["both"].inputs(study) == {
        "tables": tables["both"][:2],
        "judges": judged,
        "cost": "results/small/tables/price.csv",
    }
    assert study.targets.figure("map") == results("figures/map.png", "figures/map.pdf", "figures/map.md")
    assert len(study.targets.figures()) == 3 * len(tables)


def test_tables_are_those_of_sweeps_with_texts_analyses_and_searches() -> None:
    names = ["theta1", "theta3", "ensemble", "words", "plane-loss", "line-loss", "quiet-loss", "quiet-dev-loss"]
    names += [
        "line-dev-loss",
        "parts",
        "line-news-loss",
        "quiet-news-loss",
        "whole-plane-loss",
        "ends-loss",
        "starts-loss",
        "products",
    ]
    names += ["areas", "areas_clusters", "areas_places"]
    names += ["groups", "groups_pb", "heads", "heads_pb", "paths"]
    names += ["strangers", "strangers_ranks", "strangers_thresholds"]
    names += ["contributions", "contributions_groups", "contributions_blocks"]
    names += ["barriers", "taylor", "taylor_summary", "distances", "price", "side", "half", "search"]
    study = full()
    assert study.targets.tables() == results(*(f"tables/{name}.csv" for name in names))
    assert study.targets.sweep_tables() == study.targets.tables()[:3]


def drawn_by(study: Study, name: str) -> dict[str, Any]:
    figure = study.declared.figures[name]
    return {"look": figure.look(), **figure.settings(study)}


def test_a_figure_is_set_by_how_it_looks() -> None:
    config = full_config()
    config["sweeps"]["theta1"] |= {"label": "θ₁", "coordinate_labels": {"alpha": "α"}}
    study = Study(config)
    settings = drawn_by(study, "both")
    assert settings["sweep_labels"] == {"theta1": "θ₁", "ensemble": "ensemble"}
    assert settings["coordinate_labels"] == {"alpha": "α"}
    # Through an analysis, too.
    assert drawn_by(study, "next")["coordinate_labels"] == {"alpha": "α"}
    assert drawn_by(study, "walls")["sweep_labels"] == {"theta1": "θ₁"}
    assert drawn_by(study, "learning").keys() == {"look", "models"}
    # What is written beside it does not draw it again.
    config["figures"]["both"] |= {"caption": "Told.", "paper": "§ 4.4"}
    del config["figures"]["both"]["texts"]
    assert drawn_by(Study(config), "both") == settings


def test_a_map_knows_its_coordinates_tables_and_landmarks_in_their_order() -> None:
    config = full_config()
    config["figures"]["map"]["markers"][0]["at"] = {"beta": 0, "alpha": 0}
    settings = canonical(drawn_by(Study(config), "map"))
    assert settings["coordinates"] == ["alpha", "beta"]
    assert [panel["table"] for panel in settings["panels"]] == [0, 1]
    assert settings["markers"] == [{"at": [["beta", 0], ["alpha", 0]], "label": "base"}]
    assert settings["lines"] == [{"coefficients": [["alpha", 1], ["beta", 1]], "label": "sum", "value": 1}]
    # Where all panels show a loss, there is no table of a sweep.
    del config["figures"]["map"]["panels"][0]
    assert drawn_by(Study(config), "map")["panels"][0]["table"] == 0


def test_the_text_beside_a_figure_tells_what_was_done() -> None:
    config = full_config()
    config["figures"]["both"] |= {"title": "Both", "caption": "Told.", "paper": "§ 4.4"}
    study = Study(config)
    settings = captions.figure_settings(study, "both")["text"]
    assert settings["words"] == {"title": "Both", "caption": "Told.", "paper": "§ 4.4"}
    assert [fact.split(" ")[0] for fact in settings["facts"]] == [
        "theta1",
        "ensemble",
        "texts:",
        "sentiment:",
        "sentiment",
        "price:",
    ]
    assert settings["facts"][4] == "sentiment in bf16, our reading"
    facts = {name: captions.figure_settings(study, name)["text"]["facts"] for name in config["figures"]}
    assert [fact.split(" ")[0] for fact in facts["map"]] == [
        "theta3",
        "texts:",
        "sentiment:",
        "sentiment",
        "plane-loss:",
    ]
    assert facts["tried"] == [
        "search: trainings of positive with each combination of learning rate (0.001, 0.01), batch size (2), number of "
        "steps (1, 2)"
    ]
    assert facts["learning"][0].startswith("base: 2 steps, of 2 sequences of ")
    assert facts["moves"][0].startswith("distances: norms of the weight differences tuned (positive − base), ")


def test_figures_are_no_rules_by_name() -> None:
    """Each figure becomes a target by its name, which Snakemake takes for that of a rule."""
    rules = {
        name
        for file in [ROOT / "workflow" / "Snakefile", *(ROOT / "workflow" / "rules").rglob("*.smk")]
        for name in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE)
    }
    assert {"all", "figures", "claims", "trial"} <= rules
    for path in (ROOT / "config").glob("*.yaml"):
        assert not rules & (yaml.safe_load(path.read_text()).get("figures") or {}).keys(), path


# --- what Snakemake plans ---


def dry_run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
    return subprocess.run(
        [*command, "--directory", str(folder), *arguments], capture_output=True, text=True, check=False
    )


def write_config(folder: Path, config: dict[str, Any], name: str = "small.yaml") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return str(path)


def planned(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The messages of all planned jobs."""
    assert result.returncode == 0, result.stdout + result.stderr
    return re.findall(r"^Job \d+: (.*)$", result.stdout + result.stderr, re.MULTILINE)


def words_of(jobs: list[str]) -> dict[str, int]:
    """How many messages begin with each word."""
    return dict(Counter(job.split(" ")[0] for job in jobs))


def test_a_mistake_in_the_config_is_one_clear_line(tmp_path: Path) -> None:
    config = copy.deepcopy(CONFIG)
    config["sweeps"]["theta1"]["origin"] = {"negativ": 1}
    result = dry_run(tmp_path, "--configfile", write_config(tmp_path, config))
    output = result.stdout + result.stderr
    assert result.returncode == 1
    assert "Traceback" not in output
    told = [line for line in output.splitlines() if "negativ" in line]
    assert told == ["small.yaml: sweeps.theta1.origin: model 'negativ' is not declared; did you mean 'negative'?"]
    assert not (tmp_path / "results").exists()


def test_another_study_replaces_the_default_and_shares_points(tmp_path: Path) -> None:
    # The default config is there, and must have no part in it.
    write_config(tmp_path / "config", yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), "config.yaml")
    jobs = planned(dry_run(tmp_path, "--configfile", write_config(tmp_path, CONFIG)))
    assert sorted(job for job in jobs if job.startswith(("Read corpus", "Read prompts", "Import", "Tabulate"))) == [
        "Import model gpt2-large",
        "Read corpus tiny",
        "Read prompts neutral",
        "Tabulate theta1",
        "Tabulate theta3",
    ]
    # Two of the points belong to both sweeps.
    assert Counter(jobs)["Merge positive=1 (neutral)"] == Counter(jobs)["Merge negative=1 (neutral)"] == 1
    merged = sorted(job for job in jobs if job.startswith("Merge "))
    assert merged == sorted(f"Merge {point} (neutral)" for point in POINTS)
    generated = sorted(job for job in jobs if job.startswith("Generate "))
    assert generated == sorted(f"Generate from neutral at {point}" for point in POINTS)
    # Each line once per scorer.
    assert Counter(job.split(" (")[0].split(" along ")[1] for job in jobs if job.startswith("Score ")) == {
        "theta1": 2,
        "theta3+beta=0": 2,
        "theta3+beta=1": 2,
    }


def test_values_on_the_command_line_override_the_default_config(tmp_path: Path) -> None:
    write_config(tmp_path / "config", CONFIG, "config.yaml")
    result = dry_run(tmp_path, "--config", "study=other", "device=cuda")
    output = result.stdout + result.stderr
    assert len(planned(result)) > 20
    assert "results/other/tables/theta1.csv" in output and "results/small" not in output


def test_the_quick_part_is_of_the_figures_that_the_study_names() -> None:
    config = full_config()
    with pytest.raises(WorkflowError, match="the study has no quick part; list the figures of one under its key quick"):
        Study(config).targets.quick()
    config["quick"] = ["map"]
    files = results("figures/map.png", "figures/map.pdf", "figures/map.md", "explorer-quick.html")
    assert Study(config).targets.quick() == files


def test_progress_tells_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = full()
    assert study.targets.progress().startswith("Not built yet: curves, ")
    for path in study.targets.figure("map"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    first, second = study.targets.progress().splitlines()
    assert first == "Figures in results/small/figures: map"
    assert "map" not in second and second.endswith("All of it: the same command without a target (make all)")
    assert ", the explorer of all sweeps, a summary. " in second
    Path("results/small/explorer-quick.html").touch()
    quick = study.targets.progress().splitlines()
    assert quick[1].endswith("open in a browser: results/small/explorer-quick.html") and quick[2] == second
    Path("results/small/explorer.html").touch()
    whole = study.targets.progress().splitlines()
    assert whole[1].endswith("open in a browser: results/small/explorer.html")
    assert "the explorer of all sweeps" not in whole[2] and len(whole) == 3


@pytest.mark.snakemake
@pytest.mark.slow
@pytest.mark.parametrize("target", ["all", "figures", "map", "claims"])
def test_targets_build_what_they_need(target: str, tmp_path: Path) -> None:
    jobs = planned(dry_run(tmp_path, target, "--configfile", write_config(tmp_path, full_config())))
    figures = full_config()["figures"]
    told = [*(f"Draw {name}" for name in figures), *(f"Describe {name}" for name in figures)]
    tables = [f"Describe table {Path(path).stem}" for path in Study(full_config()).targets.tables()]
    whole = {
        "all": [
            *told,
            *tables,
            "Show the exam of critic",
            "Test the claims",
            "Show the verdicts",
            "Summarise the study",
        ],
        "figures": told,
        "map": ["Draw map", "Describe map"],
        "claims": ["Test the claims"],
    }
    ends = ("Draw ", "Describe ", "Show ", "Test ", "Summarise ")
    assert sorted(job for job in jobs if job.startswith(ends)) == sorted(whole[target])
    if target == "map":
        # The six points of theta3 lie on its two lines and on that of theta1, which has a point of its own.
        words = {"Read": 2, "Train": 5, "Merge": 7, "Generate": 7, "Score": 6, "Texts": 1, "Loss": 1, "Tabulate": 2}
        assert words_of(jobs) == words | {"Draw": 1, "Describe": 1, "map": 1}
    if target == "all":
        assert sorted(job for job in jobs if job.startswith("Trial")) == [
            "Trial search: learning_rate=0.001+batch_size=2",
            "Trial search: learning_rate=0.01+batch_size=2",
        ]
        assert len([job for job in jobs if job.endswith("in logit space")]) == 3
        # Nothing reads it: it is not asked for.
        assert "Read corpus stream" not in jobs


@pytest.mark.snakemake
@pytest.mark.slow
def test_what_is_left_out_is_said_once_and_refused_as_a_target(tmp_path: Path) -> None:
    config = full_config()
    del config["models"]["other"], config["analyses"]["distances"]["pairs"]["tuned"]
    path = write_config(tmp_path, config)
    result = dry_run(tmp_path, "--configfile", path)
    assert not [job for job in planned(result) if "moves" in job or "distances" in job]
    lines = [line for line in result.stderr.splitlines() if "left out" in line]
    assert lines == [
        "analyses.distances.pairs.apart is left out: the study declares no model 'other'",
        "analyses.distances is left out: nothing is left of its pairs",
        "figures.moves is left out: analyses.distances is left out",
        "claims.near is left out: analyses.distances is left out",
    ]
    result = dry_run(tmp_path, "moves", "--configfile", path)
    assert result.returncode == 1
    told = "figures.moves cannot be built: analyses.distances is left out; declare what is missing in the study"
    assert told in result.stdout + result.stderr


def test_the_embedded_study_is_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").symlink_to(ROOT / "config")
    jobs = planned(dry_run(tmp_path))
    study = Study(read_study([ROOT / "config" / "config.yaml"]))
    generated = [sweep for sweep in study.sweeps.values() if sweep.prompts and sweep.space == "weights"]
    uses = {(entry.point.id, prompts) for sweep in generated for prompts in sweep.prompts for entry in sweep.points}
    merged = [job.removeprefix("Merge ") for job in jobs if job.startswith("Merge ")]
    # Once for each prompt set, whichever sweeps share the point, and once to measure the cost.
    cost = "base=1+negative=-1+positive=1 (generation-cost)"
    assert sorted(merged) == sorted([*(f"{point} ({prompts})" for point, prompts in uses), cost])
    assert jobs.count("Summarise the study") == jobs.count("Test the claims") == 1
    assert len([job for job in jobs if job.startswith("Draw ")]) == len(study.config["figures"])


def test_what_has_an_order_keeps_it_in_settings() -> None:
    config = copy.deepcopy(CONFIG)
    corpus = next(iter(config["corpora"]))
    for replace in ({"<br />": " ", "  ": " "}, {"  ": " ", "<br />": " "}):
        config["corpora"][corpus]["replace"] = replace
        study = Study(config)
        settings = canonical(study.data.corpus_settings(corpus))
        assert settings["corpus"]["replace"] == [list(pair) for pair in replace.items()]
    sweep = next(iter(config["sweeps"]))
    assert [name for name, _ in study.table_settings(sweep)["scorers"]] == list(CONFIG["scorers"])
    assert study.table_settings(sweep)["sweep"]["coordinates"] == list(CONFIG["sweeps"][sweep]["directions"])


def test_a_study_that_only_trains_has_no_explorer() -> None:
    trained = {key: CONFIG[key] for key in ("study", "corpora", "tokenizers")}
    study = Study(trained | {"models": {"base": CONFIG["models"]["base"]}})
    assert study.targets.explorer() == [] and not any(explorer.pages(study).values())
    # Whoever asks for the page gets a line from its script, as in test_explorer.
    assert [explorer.settings(study, page)["sweeps"] for page in explorer.pages(study)] == [[], []]
    assert study.path("models", "base") in study.targets.results()
