import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator
from safetensors.numpy import save_file

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study import verdicts
from lm_interpolation.study.config import declare, typed_overrides, with_typed_overrides
from lm_interpolation.study.kinds.base import tag
from lm_interpolation.study.kinds.catalog import FAMILIES
from lm_interpolation.study.local_models import check_files, check_sweep_models
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.schema import load_schema
from lm_interpolation.study.study import Study
from tests.reading import load_corpus, load_prompts

ROOT = Path(__file__).parents[2]
SHIPPED = [ROOT / "config" / name for name in ("config.yaml", "sst.yaml", "paper.yaml")]


TRAINING = {"steps": 2, "batch_size": 2, "block_length": 8, "learning_rate": 0.001}
SYNTHETIC = {"source": "synthetic", "kind": "reviews", "counts": {"train": 30, "dev": 30, "test": 30}}
ARCHITECTURE = {"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 1, "n_positions": 8}


def language_model(**start: Any) -> dict[str, Any]:
    return {"task": "language-model", "start": start, "data": {"corpus": "reviews"}, "training": dict(TRAINING)}


def small_config() -> dict[str, Any]:
    """A whole study that needs no file: a new dictionary each time."""
    scratch = {"architecture": dict(ARCHITECTURE), "tokenizer": "bpe"}
    return {
        "study": "small",
        "corpora": {"reviews": copy.deepcopy(SYNTHETIC)},
        "tokenizers": {"bpe": {"corpus": "reviews", "vocab_size": 300}},
        "models": {
            "base": language_model(**scratch),
            "positive": language_model(model="base"),
            "negative": language_model(model="base"),
            "other": language_model(**copy.deepcopy(scratch)),
            "judge": language_model(model="base") | {"task": "classifier"},
        },
        "prompts": {"neutral": {"source": "list", "texts": ["The film", "The book"]}},
        "generation": {"top_p": 0.9, "max_new_tokens": 4, "samples": 2},
        "scorers": {
            "sentiment": {"kind": "classifier", "model": "judge", "weights": {"positive": 1, "neutral": 0.5}},
            "perplexity": {"kind": "perplexity", "model": "base"},
            "distinct": {"kind": "distinct", "n": [1, 2]},
        },
        "sweeps": {
            "theta1": {
                "origin": {"negative": 1},
                "directions": {"alpha": {"positive": 1, "negative": -1}},
                "grid": {"alpha": [0, 0.5, 1]},
                "prompts": ["neutral"],
            },
            "theta3": {
                "origin": {"base": 1},
                "directions": {"alpha": {"positive": 1, "base": -1}, "beta": {"negative": 1, "base": -1}},
                "grid": {"alpha": {"start": 0, "stop": 1, "count": 3}, "beta": [0, 1]},
                "prompts": ["neutral"],
            },
        },
        "figures": {
            "curves": {
                "kind": "curves",
                "sweeps": ["theta1"],
                "panels": [{"scorer": "sentiment", "statistic": "score", "label": "Positive score"}],
            }
        },
    }


TARGETS = {
    "good": {"analysis": "starts-loss", "class": "positive", "centroid": ["warm"], "base": ["cold"]},
    "any": {"analysis": "starts-loss", "centroid": ["warm"], "base": ["cold"]},
}
WORDS = {"good": ["fine", "great"], "bad": ["poor"]}


def full_config() -> dict[str, Any]:
    """The small study with every kind of analysis, figure and claim."""
    config = small_config()
    config["corpora"]["stream"] = {
        "source": "hub",
        "id": "allenai/c4",
        "revision": "main",
        "files": {"train": "en/train-*.json.gz", "dev": "en/dev-*.json.gz"},
        "text": "text",
        "stream": True,
        "limit": {"dev": 10},
    }
    config["corpora"]["news"] = copy.deepcopy(SYNTHETIC)
    config["prompts"]["more"] = {"source": "list", "texts": ["The play", "The song"]}
    config["models"]["positive"]["training"]["schedule"] = "constant_with_warmup"
    config["models"]["critic"] = language_model(model="base") | {"task": "classifier", "exam": {"accuracy": 0.8}}
    for name in ("reader", "writer"):
        config["models"][name] = language_model(model="base") | {"data": {"corpus": "news"}}
    config["models"] |= {
        "cold": language_model(model="base"),
        "warm": language_model(model="cold"),
    }
    config["sweeps"] |= {
        "ensemble": config["sweeps"]["theta1"] | {"space": "logits"},
        "quiet": {key: value for key, value in config["sweeps"]["theta1"].items() if key != "prompts"},
    }
    config["sweeps"]["theta3"]["scorers"] = ["sentiment", "perplexity"]
    config["analyses"] = {
        "words": {"kind": "next_token", "sweep": "theta1", "prompt": "The film", "words": WORDS},
        "plane-loss": {"kind": "loss", "sweep": "theta3", "corpus": "reviews", "classes": ["positive"]},
        "line-loss": {"kind": "loss", "sweep": "theta1", "corpus": "reviews"},
        "quiet-loss": {"kind": "loss", "sweep": "quiet", "corpus": "reviews"},
        "quiet-dev-loss": {"kind": "loss", "sweep": "quiet", "corpus": "reviews", "split": "dev"},
        "line-dev-loss": {"kind": "loss", "sweep": "theta1", "corpus": "reviews", "split": "dev"},
        "parts": {"kind": "layers", "model": "positive", "base": "base", "corpus": "reviews", "classes": ["positive"]},
        "line-news-loss": {"kind": "loss", "sweep": "theta1", "corpus": "news"},
        "quiet-news-loss": {"kind": "loss", "sweep": "quiet", "corpus": "news"},
        "whole-plane-loss": {"kind": "loss", "sweep": "theta3", "corpus": "reviews"},
        "ends-loss": {
            "kind": "model_loss",
            "models": ["base", "positive"],
            "sets": ["ends"],
            "corpus": "reviews",
            "split": "dev",
            "limit": 5,
        },
        "starts-loss": {"kind": "model_loss", "sets": ["starts"], "corpus": "reviews", "classes": ["positive"]},
        "products": {"kind": "gram", "models": ["positive"], "base": "base"},
        "areas": {"kind": "regions", "base": "base", "sets": ["tuned"], "by": ["data", "task"]},
        "groups": {"kind": "region", "base": "base", "sets": ["tuned"], "by": "task", "limit": 6},
        "heads": {"kind": "region", "base": "base", "sets": ["judges"], "loss": "probe", "train_limit": 9},
        "paths": {"kind": "traverse", "sets": ["films", "papers"], "by": "task"},
        "strangers": {"kind": "intruders", "models": ["positive", "negative"], "base": "base"},
        "contributions": {
            "kind": "tuning_contribution",
            "model": "positive",
            "base": "base",
            "groups": {"good": {"corpus": "reviews", "class": "positive"}, "rest": {"corpus": "news"}},
            "against": "rest",
            "limit": 5,
        },
        "barriers": {"kind": "barrier", "sweeps": ["theta1"], "scorer": "perplexity", "losses": ["line-loss"]},
        "taylor": {"kind": "linearity", "sweep": "theta3", "prompts": "neutral", "prefixes": 2, "words": WORDS},
        "distances": {
            "kind": "norms",
            "pairs": {
                "tuned": {"model": "positive", "reference": "base"},
                "apart": {"model": "other", "reference": "base"},
            },
        },
        "price": {"kind": "cost", "sweep": "theta1", "at": [0.5], "prompts": "neutral"},
        "side": {"kind": "texts", "sweeps": ["theta1", "ensemble"], "prompts": "neutral", "at": [1, 0]},
        "half": {
            "kind": "precision",
            "sweep": "theta1",
            "at": [0],
            "prompts": "neutral",
            "threshold": 0.1,
            "reason": "For a test.",
        },
    }
    config["sets"] = {
        "ends": {"models": ["negative", "positive"]},
        "starts": {"models": ["cold", "warm"]},
        "tuned": {"sets": ["films", "papers"]},
        "films": {
            "models": ["negative", "positive"],
            "labels": {"data": "reviews", "task": "films"},
            "corpus": {"corpus": "reviews"},
        },
        "papers": {
            "models": ["reader", "writer"],
            "labels": {"data": "news", "task": "papers"},
            "corpus": {"corpus": "news"},
        },
        "judges": {"models": ["judge", "critic"], "corpus": {"corpus": "reviews"}},
    }
    config["scorers"]["sentiment"]["precision"] = "bf16"
    grid = {"learning_rate": [0.001, 0.01], "batch_size": [2], "steps": [1, 2]}
    config["searches"] = {"search": {"model": "positive", "grid": grid}}
    score = {"scorer": "sentiment", "statistic": "score", "label": "Score"}
    config["figures"] |= {
        "both": {
            "kind": "curves",
            "sweeps": ["theta1", "ensemble"],
            "overlay": True,
            "cost": "price",
            "texts": "side",
            "panels": [score],
        },
        "map": {
            "kind": "plane",
            "sweep": "theta3",
            "panels": [
                score | {"prompts": "neutral", "centre": 0.5},
                {"analysis": "plane-loss", "class": "positive", "statistic": "nll_text", "label": "NLL"},
            ],
            "markers": [{"label": "base", "at": {"alpha": 0, "beta": 0}}],
            "lines": [{"label": "sum", "coefficients": {"alpha": 1, "beta": 1}, "value": 1}],
        },
        "rows": {"kind": "slices", "sweep": "theta3", "prompts": "neutral", "along": "alpha", "panels": [score]},
        "next": {"kind": "words", "analysis": "words"},
        "moves": {"kind": "norms", "analysis": "distances"},
        "learning": {"kind": "training", "models": ["base"]},
        "tried": {"kind": "search", "searches": ["search"]},
        "walls": {"kind": "barrier", "analysis": "barriers"},
        "tangent": {"kind": "linearity", "analysis": "taylor"},
        "trust": {"kind": "calibration", "models": ["critic"]},
        "blocks": {"kind": "layers", "analysis": "parts", "class": "positive"},
        "atlas": {"kind": "tsne", "analysis": "areas"},
        "heat": {"kind": "similarity", "analysis": "areas"},
        "areas": {"kind": "region", "analyses": ["groups", "heads"]},
        "ways": {"kind": "traverse", "analysis": "paths"},
        "news": {"kind": "intruders", "analysis": "strangers"},
        "shares": {"kind": "tuning_contribution", "analysis": "contributions"},
        "starts": {"kind": "start", "panels": [{"label": "full", "targets": TARGETS}]},
        "compared": {
            "kind": "methods",
            "sweeps": ["theta1", "theta3"],
            "values": {"theta3": {"beta": [1]}},
            "prompts": "neutral",
            "score": score,
            "across": [
                {"scorer": "perplexity", "statistic": "continuation_corpus", "label": "Perplexity", "scale": "log"},
                {"losses": ["whole-plane-loss", "line-loss"], "statistic": "nll_token", "label": "NLL"},
            ],
        },
    }
    common = {"threshold": 0.5, "reason": "ours"}
    line = {"sweep": "theta1", "prompts": "neutral", "scorer": "sentiment"}
    config["compute"] = {"batch_size": {"train": 2}}
    config["claims"] = {
        "flat": {"test": "barrier", **line, "scorer": "perplexity", **common},
        "rises": {"test": "monotone", **line, "statistic": "score", "within": [0, 1], "direction": "rising", **common},
        "valley": {
            "test": "valley",
            "analysis": "plane-loss",
            "class": "positive",
            "statistic": "nll_text",
            **common,
        },
        "hill": {"test": "valley", **line, "sweep": "theta3", "statistic": "score", **common},
        "near": {"test": "norms", "analysis": "distances", "pair": "tuned", "against": "apart", **common},
        "spoken": {
            "test": "words",
            "analysis": "words",
            "group": "good",
            "within": [0, 1],
            "direction": "rising",
            **common,
        },
        "straight": {"test": "linear", "analysis": "taylor", "quantity": "logits", "column": "r2", **common},
        "fluent": {
            "test": "better",
            **line,
            "than": "ensemble",
            "score": {"scorer": "sentiment", "statistic": "score"},
            "statistic": "p_positive",
            "scale": "linear",
            "sign": "higher",
            **common,
        },
        "newer": {
            "test": "intruders",
            "analysis": "strangers",
            "model": "positive",
            "against": "negative",
            **common,
        },
        "grouped": {"test": "clusters", "analysis": "areas", "label": "task", **common},
        "alike": {
            "test": "difference",
            **line,
            "other": "ensemble",
            "statistic": "score",
            "within": [0, 1],
            "scale": "linear",
            **common,
        },
        "alone": {
            "test": "unmoved",
            **line,
            "sweep": "theta3",
            "along": "beta",
            "statistic": "score",
            "within": [0, 1],
            "scale": "linear",
            **common,
        },
    }
    config["claims"] |= {
        "lower": {"test": "barrier_ratio", "analysis": "line-loss", "other": "quiet-loss", **common},
        "kept": {
            "test": "share",
            "analysis": "plane-loss",
            "class": "positive",
            "statistic": "nll_text",
            "at": {"alpha": 0.5, "beta": 0},
            "from": {"alpha": 0, "beta": 0},
            "to": {"alpha": 1, "beta": 0},
            "sign": "higher",
            **common,
        },
        "below": {
            "test": "lower_loss",
            "point": {"analysis": "line-loss", "at": {"alpha": 0.5}},
            "baseline": {"analysis": "whole-plane-loss", "at": {"alpha": 0, "beta": 1}},
            "statistic": "nll_token",
            **common,
        },
        "chosen": {
            "test": "selected",
            "method": {"choose": ["line-dev-loss"], "measure": ["line-loss"]},
            "baseline": {"choose": ["quiet-dev-loss"], "measure": ["quiet-loss"]},
            "statistic": "nll_text",
            **common,
        },
        "told": {"test": "auc", "analysis": "contributions", "group": "good", "against": "rest", **common},
        "around": {"test": "region", "analysis": "groups", "compare": "in'-ex", **common},
        "warmer": {"test": "start_gain", "targets": TARGETS, "statistic": "nll_token", **common},
        "spares": {
            "test": "matched_loss",
            "method": {"target": "line-loss", "general": "line-news-loss"},
            "baseline": {"target": "quiet-loss", "general": "quiet-news-loss"},
            "statistic": "nll_token",
            **common,
        },
    }
    # No part of it shared with another one.
    return json.loads(json.dumps(config))


REMOVED = object()


def changed(path: str, value: Any, config: dict[str, Any] | None = None) -> dict[str, Any]:
    """The small study (or ``config``) with the value at a key path (``models/base/task``) set, or removed."""
    config = config or small_config()
    *parents, last = path.split("/")
    node: Any = config
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node[part]
    if value is REMOVED:
        del node[last]
    else:
        node[int(last) if isinstance(node, list) else last] = value
    return config


def error_of(config: Mapping[str, Any], check: Callable[[Mapping[str, Any]], Any] = Study) -> str:
    with pytest.raises(UserError) as caught:
        check(config)
    for line in caught.value.lines():
        # Readable: no word of pydantic's, no dump of half the config.
        assert line.isprintable() and len(line) < 400
        assert "Input should" not in line and "Field required" not in line and "Tag" not in line
    return str(caught.value)


def settled(config: Mapping[str, Any]) -> dict[str, Any]:
    """The resolved config, of which nothing was left out."""
    _, resolved, left_out = declare(config)
    assert left_out == {}
    return resolved


def test_the_small_study_holds() -> None:
    assert [line.id for line in Study(small_config()).lines.all.values()] == [
        "theta1",
        "theta3+beta=0",
        "theta3+beta=1",
    ]


def test_the_full_study_holds() -> None:
    resolved = settled(full_config())
    kinds = {kind: {spec["kind"] for spec in resolved[kind].values()} for kind in ("analyses", "figures")}
    branches = {section: {tag(kind, "kind") for kind in FAMILIES[section][1]} for section in kinds}
    assert kinds == branches
    assert Study(full_config()).left_out == {}


# --- what the schema says ---


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        # Unknown keys, at all depths and within alternatives.
        ("studdy", "small", ["unknown key 'studdy' at the top level", "did you mean 'study'?"]),
        ("models/base/training/step", 3, ["'step' at models.base.training", "did you mean 'steps'?"]),
        ("scorers/sentiment/weigths", {}, ["'weigths' at scorers.sentiment", "did you mean 'weights'?"]),
        (
            "generation/temperature",
            1,
            ["'temperature' at generation", "known keys: max_new_tokens, nucleus, precision, samples, seed, top_p"],
        ),
        (
            "sweeps/theta3/grid/alpha",
            {"start": 0, "stop": 1, "cnt": 3},
            ["'cnt' at sweeps.theta3.grid.alpha", "'count'?"],
        ),
        # Missing keys.
        ("study", REMOVED, ["key 'study' is missing at the top level"]),
        ("models/base/training/steps", REMOVED, ["key 'steps' is missing at models.base.training"]),
        ("scorers/sentiment/weights", REMOVED, ["key 'weights' is missing at scorers.sentiment"]),
        (
            "scorers/sentiment/kind",
            REMOVED,
            ["scorers.sentiment", "'kind' is missing", "classifier, perplexity, distinct"],
        ),
        ("models/base/training", REMOVED, ["models.base", "data needs training"]),
        ("models/base/data", REMOVED, ["models.base", "training needs data"]),
        (
            "models/base/start/tokenizer",
            REMOVED,
            ["key 'tokenizer' is missing at models.base.start; a start from architecture needs it"],
        ),
        (
            "models/base/start",
            {"hub": "gpt2"},
            ["key 'revision' is missing at models.base.start; a start from hub needs it"],
        ),
        # Wrong types.
        ("models/base/training/steps", "many", ['models.base.training.steps is "many"; give an integer']),
        ("models/base/training/steps", 1.5, ["models.base.training.steps is 1.5; give an integer"]),
        ("models/base/training/learning_rate", "1e-4", ["learning_rate", "a number without quotes, written as 1.0e-4"]),
        ("generation/samples", True, ["generation.samples is true; give an integer"]),
        ("models/base/start", None, ["models.base.start is null; give a mapping"]),
        ("corpora/reviews", ["x"], ['corpora.reviews is ["x"]; give a mapping']),
        ("prompts/neutral/texts/1", 1984, ["prompts.neutral.texts.1 is 1984; give a string (in quotes)"]),
        ("sweeps/theta1/grid/alpha", 0.5, ["sweeps.theta1.grid.alpha is 0.5; give a list or a mapping"]),
        ("sweeps/theta1/grid/alpha", [0, "half"], ['sweeps.theta1.grid.alpha.1 is "half"; give a number']),
        ("scorers/distinct/n", 3, ["scorers.distinct.n is 3; give a list"]),
        ("scorers/sentiment", None, ["scorers.sentiment is null; give a mapping"]),
        # Values out of range.
        ("device", "gpu", ['device is "gpu"; choose one of cpu, cuda']),
        (
            "scorers/sentiment/kind",
            "classfier",
            ["scorers.sentiment.kind", "choose one of classifier, perplexity, distinct"],
        ),
        ("generation/top_p", 1.5, ["generation.top_p is 1.5; give at most 1"]),
        ("generation/top_p", 0, ["generation.top_p is 0; give more than 0"]),
        ("generation/samples", 0, ["generation.samples is 0; give at least 1"]),
        ("sweeps/theta3/grid/alpha/count", 1, ["sweeps.theta3.grid.alpha.count is 1; give at least 2"]),
        ("sweeps/theta1/grid/alpha", [], ["sweeps.theta1.grid.alpha is empty; give at least one"]),
        ("sweeps/theta1/origin", {}, ["sweeps.theta1.origin is empty; give at least one"]),
        ("sweeps/theta1/grid/alpha", [0, float("nan")], ["sweeps.theta1.grid.alpha.1 is nan; give a finite number"]),
        ("models/base/training/learning_rate", float("inf"), ["learning_rate is inf; give a finite number"]),
        # Names.
        ("study", "a/b", ['study: "a/b" is not a name']),
        ("models/a=b", language_model(model="base"), ['models: "a=b" is not a name']),
        (
            "corpora/reviews/classes",
            {False: [0], "yes": [1]},
            ["corpora.reviews.classes", "key false", "put it in quotes"],
        ),
        # One start per model.
        (
            "models/base/start",
            {},
            ["models.base.start has none; give exactly one of hub, directory, model, architecture, arch"],
        ),
        ("models/base/start/model", "other", ["models.base.start has model and architecture; give exactly one of"]),
        (
            "models/base/start",
            {"hub": "gpt2", "revision": "e7da7f2", "directory": "gpt2"},
            ["hub and directory", "one of"],
        ),
        ("models/base/training/adam_beta2", 95, ["models.base.training.adam_beta2 is 95; give less than 1"]),
        (
            "sweeps/theta1/directions",
            {"point": {"positive": 1, "negative": -1}},
            ["column of the tables; choose another"],
        ),
        ("sweeps/theta1/prompts", ["neutral", "neutral"], ["sweeps.theta1.prompts", "list each once"]),
    ],
)
def test_schema_errors_name_key_and_remedy(path: str, value: Any, words: list[str]) -> None:
    message = error_of(changed(path, value), declare)
    for word in words:
        assert word in message


# --- what the schema cannot say ---


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        # Names that point to nothing.
        ("sweeps/theta1/origin", {"negativ": 1}, ["sweeps.theta1", "model 'negativ' is not declared", "'negative'?"]),
        ("sweeps/theta1/prompts", ["neutrl"], ["sweeps.theta1.prompts", "'neutrl' is not declared", "'neutral'?"]),
        ("figures/curves/sweeps", ["theta"], ["figures.curves.sweeps", "sweep 'theta' is not declared"]),
        ("figures/curves/panels/0/scorer", "sentimnt", ["figures.curves.panels.0.scorer", "did you mean 'sentiment'?"]),
        (
            "sweeps/theta1/coordinate_labels",
            {"gamma": "γ"},
            ["sweeps.theta1.coordinate_labels", "coordinate 'gamma' is not declared", "declared: alpha"],
        ),
        ("sweeps/theta1/scorers", ["sentimnt"], ["sweeps.theta1.scorers", "did you mean 'sentiment'?"]),
        ("scorers/perplexity/model", "jugde", ["scorers.perplexity.model", "model 'jugde'", "did you mean 'judge'?"]),
        ("scorers/sentiment/weights", {"postive": 1}, ["scorers.sentiment.weights", "did you mean 'positive'?"]),
        (
            "scorers/sentiment/labels",
            {"LABEL_0": "positive"},
            ["scorers.sentiment.labels", "'LABEL_0' is not declared"],
        ),
        ("models/positive/start/model", "bas", ["models.positive.start.model", "did you mean 'base'?"]),
        ("models/base/start/tokenizer", "bp", ["models.base.start.tokenizer", "did you mean 'bpe'?"]),
        ("models/base/data/corpus", "review", ["models.base.data.corpus", "did you mean 'reviews'?"]),
        ("models/base/data/class", "positiv", ["models.base.data.class", "did you mean 'positive'?"]),
        ("tokenizers/bpe/corpus", "reviws", ["tokenizers.bpe.corpus", "did you mean 'reviews'?"]),
        # Sums.
        ("sweeps/theta1/origin", {"negative": 0.9}, ["sweeps.theta1.origin", "{negative: 0.9} sum to 0.9, not to 1"]),
        ("sweeps/theta1/directions/alpha/positive", 2, ["sweeps.theta1.directions.alpha", "sum to 1, not to 0"]),
        ("sweeps/theta1/origin", {"negative": "one/2"}, ["sweeps.theta1.origin.negative: one/2 is not a usable coeff"]),
        ("sweeps/theta1/origin", {"negative": "1/2"}, ["sweeps.theta1.origin", "{negative: 0.5} sum to 0.5, not to 1"]),
        ("sweeps/theta1/grid/alpha", [0, 1, 0.0], ["sweeps.theta1.grid.alpha", "0 is listed twice; remove one"]),
        ("sweeps/theta1/grid", {"beta": [0]}, ["sweeps.theta1.grid", "['beta']", "['alpha']"]),
        # Kinds that do not fit.
        ("sweeps/theta1/origin", {"judge": 1}, ["sweeps.theta1", "'judge' is a classifier; choose a language model"]),
        (
            "scorers/sentiment/model",
            "base",
            ["scorers.sentiment.model", "'base' is a language model; choose a classifier"],
        ),
        ("scorers/perplexity/model", "judge", ["scorers.perplexity.model", "'judge' is a classifier"]),
        ("models/judge/data/class", "positive", ["models.judge.data.class", "a classifier needs all classes"]),
        (
            "figures/curves/sweeps",
            ["theta3"],
            ["figures.curves.sweeps: 'theta3' has 2 directions; choose a sweep of one direction"],
        ),
        ("figures/curves/panels/0/statistic", "scor", ["panels.0.statistic", "'scor' is not a statistic of sentiment"]),
        (
            "figures/curves/panels/0/statistic",
            "p_good",
            ["'p_good'", "choose one of score, p_negative, p_neutral, p_positive"],
        ),
        ("figures/curves/panels/0", {"scorer": "distinct", "statistic": "distinct_3", "label": "d"}, ["'distinct_3'"]),
        (
            "figures/curves/panels/0",
            {"scorer": "perplexity", "statistic": "mean", "label": "p"},
            ["choose one of continuation_mean"],
        ),
        # Origins of models.
        ("models/base/start", {"model": "positive"}, ["models.base.start.model: base <- positive <- base is a circle"]),
        ("models/base/start", {"model": "base"}, ["models.base.start.model: base <- base is a circle"]),
        (
            "models/other/start",
            {"model": "judge"},
            ["models.other.start.model: 'judge' is a classifier; choose a language model or an encoder"],
        ),
        ("models/base/start", {"directory": "gpt2"}, ["models.base", "as a model of its own"]),
        (
            "models/base/start/architecture/vocab_size",
            9,
            ["architecture.vocab_size", "the tokenizer decides; remove it"],
        ),
        (
            "models/lost",
            {"task": "language-model", "start": {"model": "base"}},
            ["models.lost", "hub, directory, mean, greedy, align or adapter"],
        ),
        # Sources.
        ("corpora/reviews/path", "x", ["corpora.reviews.path: source synthetic has no use for it; remove it"]),
        ("corpora/reviews/counts", REMOVED, ["key 'counts' is missing at corpora.reviews; source synthetic needs it"]),
        (
            "prompts/neutral/source",
            "text",
            [
                "key 'path' is missing at prompts.neutral; source text needs it",
                "prompts.neutral.texts: source text has no",
            ],
        ),
        # Models that cannot be combined.
        (
            "models/negative/start",
            {"architecture": ARCHITECTURE | {"n_embd": 16}, "tokenizer": "bpe"},
            ["sweeps.theta1", "'negative' and 'positive' differ in n_embd (16 and 8)", "declare them alike"],
        ),
    ],
)
def test_contradictions_name_key_and_remedy(path: str, value: Any, words: list[str]) -> None:
    message = error_of(changed(path, value))
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        # Kinds.
        (
            "analyses/words/kind",
            "loss",
            ["analyses.words.prompt: kind loss has no use for it; remove it", "key 'corpus' is missing at"],
        ),
        (
            "analyses/words/kind",
            "losses",
            ["analyses.words.kind is", "loss, next_token, linearity, norms, cost, texts, barrier"],
        ),
        (
            "figures/map/kind",
            REMOVED,
            ["figures.map: key 'kind' is missing; choose one of curves, plane, words, norms"],
        ),
        ("figures/map/panels/0/prompts", REMOVED, ["figures.map.panels.0: scorer needs prompts; add prompts"]),
        ("figures/map/panels/1/analysis", REMOVED, ["figures.map.panels.1 has none; give exactly one of"]),
        ("figures/map/panels/0/analysis", "plane-loss", ["figures.map.panels.0 has scorer and analysis; give exactly"]),
        # Numbers of things.
        ("analyses/words/ends", [0], ["analyses.words.ends has 1 entries; give at least 2"]),
        ("analyses/words/ends", [0, 0.5, 1], ["analyses.words.ends has 3 entries; give at most 2"]),
        ("analyses/taylor/words/third", ["so"], ["analyses.taylor.words has 3 entries; give at most 2"]),
        ("analyses/words/words/good", [], ["analyses.words.words.good is empty; give at least one"]),
        ("analyses/words/words/good", ["fine", "fine"], ["analyses.words.words.good", "list each once"]),
        ("searches/search/grid/steps", [], ["searches.search.grid.steps is empty; give at least one"]),
        ("searches/search/grid/batch_size", [2, 2], ["searches.search.grid.batch_size", "list each once"]),
        ("searches/search/grid/learning_rate", [0], ["searches.search.grid.learning_rate.0 is 0; give more than 0"]),
        # Names that point to nothing.
        ("analyses/words/sweep", "theta", ["analyses.words.sweep: sweep 'theta' is not declared"]),
        ("analyses/plane-loss/sweep", "theta", ["analyses.plane-loss.sweep: sweep 'theta' is not declared"]),
        ("analyses/plane-loss/corpus", "revews", ["analyses.plane-loss.corpus", "did you mean 'reviews'?"]),
        ("analyses/plane-loss/classes", ["positiv"], ["analyses.plane-loss.classes", "did you mean 'positive'?"]),
        ("analyses/taylor/prompts", "neutrl", ["analyses.taylor.prompts: prompt set 'neutrl' is not declared"]),
        ("analyses/side/sweeps", ["theta"], ["analyses.side.sweeps: sweep 'theta' is not declared"]),
        ("analyses/side/prompts", "more", ["analyses.side.prompts: sweep 'theta1' has no prompts 'more'"]),
        (
            "analyses/side/sweeps",
            ["theta3"],
            ["analyses.side.sweeps: 'theta3' has 2 directions; choose a sweep of one"],
        ),
        ("analyses/side/sweeps", ["quiet"], ["analyses.side.sweeps: sweep 'quiet' has no prompts, so there are no"]),
        ("analyses/side/at", [0, 2], ["analyses.side.at: 2 is not on the grid of sweep 'theta1'; add it there"]),
        ("figures/both/texts", "price", ["figures.both.texts: 'price' is of kind cost; choose one of kind texts"]),
        ("analyses/price/prompts", "neutrl", ["analyses.price.prompts: prompt set 'neutrl' is not declared"]),
        ("analyses/barriers/sweeps", ["theta"], ["analyses.barriers.sweeps: sweep 'theta' is not declared"]),
        ("analyses/barriers/scorer", "perplexty", ["analyses.barriers.scorer", "did you mean 'perplexity'?"]),
        ("analyses/barriers/losses", ["loss"], ["analyses.barriers.losses: analysis 'loss' is not declared"]),
        ("searches/search/model", "positve", ["searches.search.model", "did you mean 'positive'?"]),
        ("generation/nucleus", "bas", ["generation.nucleus", "did you mean 'base'?"]),
        ("figures/both/cost", "prise", ["figures.both.cost: analysis 'prise' is not declared; did you mean 'price'?"]),
        ("figures/map/sweep", "theta", ["figures.map.sweep: sweep 'theta' is not declared"]),
        ("figures/map/panels/0/scorer", "sentimnt", ["figures.map.panels.0.scorer", "did you mean 'sentiment'?"]),
        ("figures/map/panels/0/prompts", "neutrl", ["figures.map.panels.0.prompts", "did you mean 'neutral'?"]),
        ("figures/map/panels/1/analysis", "plane", ["figures.map.panels.1.analysis: analysis 'plane' is not"]),
        ("figures/map/panels/1/class", "positiv", ["figures.map.panels.1.class", "did you mean 'positive'?"]),
        ("figures/map/markers/0/at", {"alpha": 0}, ["figures.map.markers.0.at: has ['alpha']", "name the same"]),
        ("figures/map/lines/0/coefficients", {"gamma": 1}, ["figures.map.lines.0.coefficients: has ['gamma']"]),
        ("figures/next/analysis", "word", ["figures.next.analysis: analysis 'word' is not declared"]),
        ("figures/learning/models", ["bas"], ["figures.learning.models: model 'bas' is not declared"]),
        ("figures/tried/searches", ["serch"], ["figures.tried.searches: search 'serch' is not declared"]),
        ("claims/rises/sweep", "theta", ["claims.rises.sweep: sweep 'theta' is not declared"]),
        ("claims/alike/other", "ensembl", ["claims.alike.other: sweep 'ensembl'", "did you mean 'ensemble'?"]),
        ("claims/fluent/than", "ensembl", ["claims.fluent.than: sweep 'ensembl'", "did you mean 'ensemble'?"]),
        ("claims/fluent/score/scorer", "sentimnt", ["claims.fluent.score.scorer", "did you mean 'sentiment'?"]),
        ("claims/fluent/score/statistic", "scor", ["claims.fluent.score.statistic: 'scor' is not a statistic"]),
        ("figures/map/lines/0/coefficients", {"alpha": 0, "beta": 0}, ["coefficients: are all 0"]),
        ("figures/map/panels/0/limit", 3, ["figures.map.panels.0.centre: goes with scale: linear and without a limit"]),
        ("claims/rises/scorer", "sentimnt", ["claims.rises.scorer", "did you mean 'sentiment'?"]),
        ("claims/rises/prompts", "neutrl", ["claims.rises.prompts", "did you mean 'neutral'?"]),
        ("claims/rises/statistic", "scor", ["claims.rises.statistic: 'scor' is not a statistic of sentiment"]),
        ("claims/spoken/group", "god", ["claims.spoken.group: group 'god' is not declared; did you mean 'good'?"]),
        (
            "claims/near/against",
            "apartt",
            ["claims.near.against: pair 'apartt' is not declared; did you mean 'apart'?"],
        ),
        (
            "claims/valley/class",
            "negative",
            ["claims.valley.class: class 'negative' is not declared; declared: positive"],
        ),
        ("claims/valley/analysis", "loss", ["claims.valley.analysis: analysis 'loss' is not declared"]),
        # Kinds that do not fit.
        ("analyses/words/sweep", "theta3", ["analyses.words.sweep: 'theta3' has 2 directions; choose a sweep of one"]),
        ("analyses/taylor/sweep", "theta1", ["analyses.taylor.sweep: 'theta1' has 1 directions", "of 2 directions"]),
        ("analyses/price/sweep", "theta3", ["analyses.price.sweep: 'theta3' has 2 directions"]),
        ("analyses/barriers/sweeps", ["theta3"], ["analyses.barriers.sweeps: 'theta3' has 2 directions"]),
        ("analyses/barriers/losses", ["plane-loss"], ["analyses.barriers.losses: 'theta3' has 2 directions"]),
        ("analyses/barriers/sweeps", ["quiet"], ["analyses.barriers.sweeps: sweep 'quiet' has no prompts"]),
        (
            "analyses/barriers/losses",
            ["words"],
            ["barriers.losses: 'words' is of kind next_token; choose one of kind loss"],
        ),
        (
            "analyses/barriers/scorer",
            "sentiment",
            ["analyses.barriers.scorer: 'sentiment' has no perplexity, whose logarithm could have a barrier"],
        ),
        *(
            (f"analyses/{name}/sweep", "ensemble", [f"analyses.{name}.sweep: 'ensemble' is in the space of logits"])
            for name in ("words", "plane-loss", "price")
        ),
        ("sweeps/theta3/space", "logits", ["analyses.plane-loss.sweep: 'theta3' is in the space of logits"]),
        (
            "sweeps/theta3/origin",
            {"base": 2, "other": -1},
            ["analyses.taylor.sweep: the origin of 'theta3' is not a single"],
        ),
        ("analyses/words/ends", [0, 0.75], ["analyses.words.ends: 0.75 is not on the grid of sweep 'theta1'; add it"]),
        ("analyses/words/ends", [1, 1.0], ["analyses.words.ends: both are 1; choose two values"]),
        ("analyses/price/at", [2], ["analyses.price.at: 2 is not on the grid of sweep 'theta1'; add it there"]),
        ("sweeps/quiet", None, ["sweeps.quiet is null; give a mapping"]),
        ("analyses/words/top", 34, ["figures.next: 34 series in one figure cannot be told apart; draw at most 33"]),
        ("searches/search/grid/learning_rate", [0.001 * n for n in range(1, 41)], ["figures.tried: 40 series in one"]),
        (
            "analyses/distances/pairs",
            {f"pair {n}": {"model": "positive", "reference": "base"} for n in range(50)},
            ["figures.moves: 50 series in one figure"],
        ),
        ("analyses/distances/pairs/tuned/reference", "judge", ["pairs.tuned.reference: 'judge' is a classifier"]),
        ("analyses/distances/pairs/tuned/reference", "positive", ["pairs.tuned: compares 'positive' with itself"]),
        ("analyses/line-loss/corpus", "stream", ["analyses.line-loss.split: the stream 'stream' has no test split"]),
        ("tokenizers/bpe/corpus", "stream", ["tokenizers.bpe.corpus: 'stream' is a stream; choose a corpus"]),
        (
            "models/base/training/processes",
            3,
            ["models.base.training.batch_size: 2 cannot be divided over 3 processes"],
        ),
        ("models/judge/training/processes", 2, ["models.judge.training.processes: a classifier trains in one process"]),
        (
            "searches/search/grid/batch_size",
            [2, 3],
            ["searches.search.grid.batch_size: 3 cannot be divided over 1 proc"],
        ),
        ("searches/search/model", "judge", ["searches.search.model: 'judge' is a classifier; choose a language model"]),
        ("generation/nucleus", "judge", ["generation.nucleus: 'judge' is a classifier; choose a language model"]),
        (
            "figures/both/sweeps",
            ["theta1", "quiet"],
            ["figures.both.sweeps: sweep 'quiet' has no prompts", "give it some"],
        ),
        ("figures/both/cost", "words", ["figures.both.cost: 'words' is of kind next_token; choose one of kind cost"]),
        ("figures/both/overlay", False, ["figures.both.cost: is drawn beside one row of panels; set overlay: true"]),
        (
            "figures/map/sweep",
            "theta1",
            ["figures.map.sweep: 'theta1' has 1 directions; choose a sweep of 2 directions"],
        ),
        (
            "figures/map/panels/0/scorer",
            "distinct",
            ["'distinct' does not score sweep 'theta3'", "sweeps.theta3.scorers"],
        ),
        ("figures/map/panels/0/prompts", "more", ["sweep 'theta3' has no prompts 'more'", "sweeps.theta3.prompts"]),
        ("figures/map/panels/1/analysis", "line-loss", ["'line-loss' is along sweep 'theta1', not 'theta3'"]),
        ("figures/map/panels/1/analysis", "taylor", ["'taylor' is of kind linearity; choose one of kind loss"]),
        (
            "figures/map/panels/1/class",
            REMOVED,
            ["figures.map.panels.1: key 'class' is missing; choose one of positive"],
        ),
        ("analyses/plane-loss/classes", REMOVED, ["figures.map.panels.1.class: 'plane-loss' takes all texts together"]),
        ("figures/map/panels/1/statistic", "nll", ["1.statistic: 'nll' is not a statistic of a loss", "nll_token"]),
        (
            "figures/next/analysis",
            "taylor",
            ["figures.next.analysis: 'taylor' is of kind linearity", "kind next_token"],
        ),
        ("figures/moves/analysis", "taylor", ["figures.moves.analysis: 'taylor' is of kind linearity", "kind norms"]),
        ("figures/learning/models", ["judge"], ["figures.learning.models: 'judge' is a classifier"]),
        (
            "claims/flat/scorer",
            "sentiment",
            ["claims.flat.scorer: 'sentiment' has no perplexity, whose logarithm could have a barrier"],
        ),
        ("claims/rises/sweep", "theta3", ["claims.rises.sweep: 'theta3' has 2 directions; choose a sweep of one"]),
        ("claims/rises/sweep", "quiet", ["claims.rises.sweep: sweep 'quiet' has no prompts"]),
        ("claims/rises/prompts", "more", ["claims.rises.prompts: sweep 'theta1' has no prompts 'more'"]),
        ("claims/hill/scorer", "distinct", ["claims.hill.scorer: scorer 'distinct' does not score sweep 'theta3'"]),
        (
            "claims/hill/sweep",
            "theta1",
            ["claims.hill.sweep: 'theta1' has 1 directions; choose a sweep of 2 directions"],
        ),
        ("claims/valley/analysis", "line-loss", ["claims.valley.analysis: 'theta1' has 1 directions"]),
        (
            "claims/straight/analysis",
            "words",
            ["claims.straight.analysis: 'words' is of kind next_token", "kind linearity"],
        ),
        # A claim by itself (tests/claims/test_claims.py has the rest).
        ("claims/rises/test", "monoton", ['claims.rises.test is "monoton"; choose one of barrier, monotone, stable']),
        ("claims/rises/within", [1, 0], ["claims.rises.within is [1, 0]; give two numbers, the lower one first"]),
        ("claims/rises/group", "good", ["claims.rises.group: test monotone has no use for it; remove it"]),
        ("claims/rises/direction", "up", ['claims.rises.direction is "up"; choose one of rising, falling']),
        ("claims/rises/reason", REMOVED, ["key 'reason' is missing at claims.rises"]),
        # Tables of the same name.
        (
            "searches/words",
            full_config()["searches"]["search"],
            ["searches.words: its table words.csv is that of analyses.words too; rename one"],
        ),
        (
            "searches/taylor_summary",
            full_config()["searches"]["search"],
            ["searches.taylor_summary: its table taylor_summary.csv is that of analyses.taylor too; rename one"],
        ),
        (
            "analyses/theta1",
            full_config()["analyses"]["line-loss"],
            ["analyses.theta1: its table theta1.csv is that of sweeps.theta1 too; rename one"],
        ),
    ],
)
def test_contradictions_of_experiments_name_key_and_remedy(path: str, value: Any, words: list[str]) -> None:
    message = error_of(changed(path, value, full_config()))
    for word in words:
        assert word in message


def test_models_that_are_imported_are_not_trained_here(tmp_path: Path) -> None:
    imported = {"task": "language-model", "start": {"hub": "gpt2", "revision": "main"}}
    message = error_of(changed("models/positive", imported, full_config()))
    assert "searches.search.model: 'positive' is not trained here; choose one that is" in message
    config = changed("models/other", imported, full_config())
    config["figures"]["learning"]["models"] = ["other"]
    assert "figures.learning.models: 'other' is not trained here; choose one that is" in error_of(config)


def test_sweeps_are_overlaid_on_the_one_prompt_set_in_common() -> None:
    config = changed("sweeps/theta1/prompts", ["more", "neutral"], full_config())
    Study(config)
    config["sweeps"]["ensemble"]["prompts"] = ["neutral", "more"]
    message = error_of(config)
    assert "figures.both.overlay: the sweeps need exactly one prompt set in common; set false" in message
    config["sweeps"]["ensemble"]["prompts"] = ["more"]
    config["sweeps"]["theta1"]["prompts"] = ["neutral"]
    del config["analyses"]["side"], config["figures"]["both"]["texts"], config["claims"]["alike"]
    assert message in error_of(config)


def test_two_losses_along_one_sweep_have_no_barriers_of_their_own() -> None:
    config = full_config()
    config["analyses"]["second"] = dict(config["analyses"]["line-loss"])
    config["analyses"]["barriers"]["losses"].append("second")
    assert "analyses.barriers.losses: two are along one sweep; give one of each sweep" in error_of(config)


def test_a_barrier_lies_between_0_and_1() -> None:
    config = changed("sweeps/theta1/grid/alpha", [0, 0.5], full_config())
    del config["analyses"]["words"], config["figures"]["next"], config["claims"]["spoken"]
    assert "analyses.barriers.sweeps: 1 is not on the grid of sweep 'theta1'; add it there" in error_of(config)
    config["analyses"]["barriers"]["sweeps"] = ["steps"]
    config["sweeps"]["steps"] = config["sweeps"]["theta1"] | {"grid": {"alpha": [0, 1]}}
    assert "analyses.barriers.losses: 1 is not on the grid of sweep 'theta1'; add it there" in error_of(config)


def test_a_sweep_without_texts_has_no_table() -> None:
    config = full_config()
    config["analyses"]["quiet"] = config["analyses"]["line-loss"] | {"sweep": "quiet"}
    assert Study(config).targets.tables().count("results/small/tables/quiet.csv") == 1


def test_the_quick_part_names_figures() -> None:
    assert "quick: figure 'curve' is not declared; did you mean 'curves'?" in error_of(
        changed("quick", ["curve"], full_config())
    )


def test_a_sweep_is_no_other_column_of_the_texts() -> None:
    config = full_config()
    config["sweeps"]["prompt"] = dict(config["sweeps"]["theta1"])
    config["analyses"]["side"]["sweeps"].append("prompt")
    assert "analyses.side.sweeps: 'prompt' is a column of the table; rename that sweep" in error_of(config)


def test_a_scorer_that_a_sweep_does_without_is_told_where_it_is_used() -> None:
    config = changed("sweeps/theta1/scorers", ["sentiment"], full_config())
    assert "analyses.barriers.scorer: scorer 'perplexity' does not score sweep 'theta1'" in error_of(config)
    del config["analyses"]["barriers"], config["figures"]["walls"]
    config["figures"]["curves"]["panels"][0]["x"] = {"scorer": "distinct", "statistic": "distinct_1", "label": "d"}
    assert "figures.curves.panels.0.x.scorer: scorer 'distinct' does not score sweep 'theta1'" in error_of(config)
    config["figures"]["curves"]["panels"][0]["x"] = {"scorer": "sentiment", "statistic": "scor", "label": "s"}
    assert "figures.curves.panels.0.x.statistic: 'scor' is not a statistic of sentiment" in error_of(config)


def test_a_circle_is_found_from_outside_of_it() -> None:
    config = changed("models/base/start", {"model": "positive"})
    config["models"]["positive"]["start"] = {"model": "negative"}
    config["models"]["negative"]["start"] = {"model": "positive"}
    assert "models.base.start.model: base <- positive <- negative <- positive is a circle" in error_of(config)


def test_models_of_two_tokenizers_cannot_be_combined() -> None:
    config = changed("models/negative", language_model(architecture=dict(ARCHITECTURE), tokenizer="own"))
    config["tokenizers"]["own"] = {"corpus": "reviews", "vocab_size": 300}
    message = error_of(config)
    assert "sweeps.theta1: models 'negative' and 'positive' differ in tokenizer (\"own\" and \"bpe\")" in message


def test_models_of_one_architecture_and_two_seeds_can_be_combined() -> None:
    Study(changed("sweeps/theta1/origin", {"other": 1}))


# --- files ---


def csv_corpus(tmp_path: Path, content: bytes = b"text,label\ngood,1\nbad,0\n") -> dict[str, Any]:
    (tmp_path / "data.csv").write_bytes(content)
    files = {split: str(tmp_path / "data.csv") for split in ("train", "dev", "test")}
    return {"source": "csv", "files": files, "text": "text", "label": "label", "classes": {"good": [1], "bad": [0]}}


@pytest.mark.parametrize(
    ("key", "spec", "path"),
    [
        ("corpora/more", {"source": "sst", "path": "absent"}, "corpora.more.path: no file absent/train.txt"),
        ("corpora/more", {"source": "sst", "path": "here.txt"}, "corpora.more.path: no file here.txt/train.txt"),
        ("prompts/more", {"source": "text", "path": "absent.txt"}, "prompts.more.path: no file absent.txt"),
        ("prompts/more", {"source": "text", "path": "folder"}, "prompts.more.path: no file folder"),
    ],
)
def test_missing_files_are_told_before_anything_runs(
    key: str, spec: dict[str, Any], path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("here.txt").touch()
    message = error_of(changed(key, spec))
    assert path in message and f"correct the path (relative ones start at {tmp_path})" in message


def test_a_missing_data_file_is_told_before_anything_runs(tmp_path: Path) -> None:
    spec = csv_corpus(tmp_path)
    Study(changed("corpora/more", spec))
    (tmp_path / "data.csv").unlink()
    assert f"corpora.more.files.train: no file {tmp_path}/data.csv; correct the path" in error_of(
        changed("corpora/more", spec)
    )


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"text,stars\ngood,1\n", "data.csv: no column 'label'"),
        (b"text,label\ngood,1\nfine,1\n", "corpora.more.classes.bad: empty class"),
        (b"text,label\ngood,1\nb\xe4d,0\n", "data.csv:3: byte 0xe4"),
        (b"text,label\ngood,1\nbad,7\n", "data.csv:3: label '7' is in no class"),
    ],
)
def test_mistakes_in_data_name_file_or_key(content: bytes, place: str, tmp_path: Path) -> None:
    spec = csv_corpus(tmp_path, content)
    Study(changed("corpora/more", spec))
    assert place in error_of(spec, lambda spec: load_corpus(spec, "more"))


def test_labels_of_trees_are_0_to_4(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.txt").write_text("(3 (2 Good) (2 .))\n(7 (2 Bad) (2 .))\n")
    spec = {"source": "sst", "path": str(tmp_path)}
    assert f"{tmp_path}/train.txt:2: label 7 outside 0..4" in error_of(spec, lambda spec: load_corpus(spec, "more"))


def test_an_empty_prompt_is_named() -> None:
    config = settled(changed("prompts/neutral/texts/1", " "))
    message = error_of(config["prompts"]["neutral"], lambda spec: load_prompts(spec, "neutral"))
    assert "prompts.neutral.texts[1]: empty prompt; write one or remove it" in message


# --- local models ---


def save_model(directory: Path, width: int = 4, words: tuple[str, ...] = ("a", "b")) -> Path:
    """A model directory as far as config checks read it: headers, config, tokenizer."""
    directory.mkdir()
    config = {"model_type": "gpt2", "n_embd": width, "vocab_size": len(words), "tie_word_embeddings": True}
    (directory / "config.json").write_text(json.dumps(config))
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = {"model": {"type": "BPE", "vocab": vocabulary, "merges": []}, "added_tokens": []}
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer))
    save_file({"transformer.wte.weight": np.zeros((len(words), width), np.float32)}, directory / "model.safetensors")
    return directory


def with_directories(positive: Path, negative: Path) -> dict[str, Any]:
    config = small_config()
    for name, path in (("positive", positive), ("negative", negative)):
        config["models"][name] = {"task": "language-model", "start": {"directory": str(path)}}
    del config["sweeps"]["theta3"]
    return config


def test_local_models_of_one_shape_can_be_combined(tmp_path: Path) -> None:
    study = Study(with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b")))
    assert study.models.imported() == ["positive", "negative"]
    assert [Path(path).name for path in study.models.files("positive")] == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_a_model_directory_needs_weights(tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    (tmp_path / "b" / "model.safetensors").unlink()
    message = error_of(config)
    assert f"models.negative.start.directory: {tmp_path}/b: no weights (model.safetensors); save the model" in message
    config["models"]["negative"]["start"]["directory"] = str(tmp_path / "c")
    assert f"models.negative.start.directory: {tmp_path}/c: no such directory" in error_of(config)


def test_local_models_of_two_shapes_cannot_be_combined(tmp_path: Path) -> None:
    message = error_of(with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b", width=6)))
    assert "sweeps.theta1: models negative" in message and "n_embd is 6 and 4" in message and "; use models" in message


def test_local_models_of_two_tokenizers_cannot_be_combined(tmp_path: Path) -> None:
    message = error_of(with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b", words=("a", "c"))))
    assert "sweeps.theta1: models negative" in message
    assert "tokenizers differ in their vocabulary; save the tokenizer" in message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model_type": ["gpt2"]}, "model_type is ['gpt2']; give the name of an architecture"),
        ({"dtype": ["float32"]}, "dtype is ['float32']; give the name of a number format"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings is 'no'; give true or false"),
        ({"vocab_size": 10**12}, "vocab_size is 1000000000000, but transformer.wte.weight has 2 rows"),
        ({"vocab_size": "2"}, "vocab_size is '2'; give a positive whole number"),
        ({"n_positions": [64]}, "n_positions is [64]; give a positive whole number"),
        ({"max_position_embeddings": 0}, "max_position_embeddings is 0; give a positive whole number"),
        ({"id2label": ["good", "bad"]}, "id2label is ['good', 'bad']; give a mapping"),
        ({"text_config": "gpt2"}, "text_config is 'gpt2'; give a mapping"),
    ],
)
def test_values_of_a_models_configuration_are_of_their_kind(values: dict[str, Any], words: str, tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    path = tmp_path / "b" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    assert f"models.negative.start.directory: {path}: {words}" in error_of(config)


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def with_header(header: bytes, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def edit_entry(**values: Any) -> Callable[[Path], Any]:
    def edit(path: Path) -> None:
        header, data = header_of(path)
        header["transformer.wte.weight"] |= values
        path.write_bytes(with_header(json.dumps(header).encode(), data))

    return edit


def sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.write((40 << 30).to_bytes(8, "little"))
        file.truncate((40 << 30) + 8)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (edit_entry(data_offsets=[-32, 0]), "damaged header"),
        (edit_entry(data_offsets=["a", "b"]), "damaged header"),
        (edit_entry(data_offsets=[0, 16, 32]), "damaged header"),
        (edit_entry(data_offsets=[True, 33]), "damaged header"),
        (edit_entry(shape=[-2, -4]), "damaged header"),
        (edit_entry(shape=10**9), "damaged header"),
        (edit_entry(dtype=["F32"]), "damaged header"),
        (edit_entry(shape=[10**18, 10**18]), "byte range and shape disagree"),
        (edit_entry(shape=[1, 4], data_offsets=[16, 32]), "begins at byte"),
        (lambda path: path.write_bytes(with_header(b"[" * 10**6)), "damaged header (RecursionError"),
        (lambda path: path.write_bytes(with_header(b"[1, 2]")), "damaged header"),
        (sparse, "has a header of 42949672960 bytes, where safetensors allows 100000000"),
    ],
)
def test_headers_of_weights_are_not_believed(edit: Callable[[Path], Any], words: str, tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    edit(tmp_path / "b" / "model.safetensors")
    message = error_of(config)
    assert f"models.negative.start.directory: {tmp_path}/b/model.safetensors: " in message and words in message


@pytest.mark.parametrize(
    "weight_map",
    [
        {"transformer.wte.weight": "../a/model.safetensors"},
        {"transformer.wte.weight": "/etc/passwd"},
        {"transformer.wte.weight": "shards/model.safetensors"},
        {"transformer.wte.weight": ".."},
        {"a": 1, "b": "x"},
        {"a": ["x"]},
        ["x"],
        {},
    ],
)
def test_an_index_names_files_of_its_folder(weight_map: Any, tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    (tmp_path / "b" / "model.safetensors").unlink()
    index = tmp_path / "b" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    message = error_of(config)
    assert f"models.negative.start.directory: {index}: " in message
    assert "which is not the name of a file beside it" in message or "has no weight_map" in message


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors.index.json"])
def test_deep_json_is_told(file: str, tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    if "index" in file:
        (tmp_path / "b" / "model.safetensors").unlink()
    (tmp_path / "b" / file).write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    assert f"{tmp_path}/b/{file}: not valid JSON (maximum recursion depth exceeded" in error_of(config)


def test_a_damaged_tokenizer_is_told(tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    (tmp_path / "b" / "tokenizer.json").write_text('{"model": []}')
    assert f"{tmp_path}/b: damaged tokenizer" in error_of(config)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("nowhere"), Path.mkdir])
def test_a_file_of_a_local_model_is_one(make: Callable[[Path], Any], tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    make(tmp_path / "b" / "added_tokens.json")
    assert f"models.negative.start.directory: {tmp_path}/b/added_tokens.json: " in error_of(config)


def test_adapters_and_gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = with_directories(save_model(Path("a")), save_model(Path("b")))
    (Path("b") / "adapter_config.json").write_text('{"base_model_name_or_path": "some/base"}')
    assert "directory: b: has both the weights of a model and an adapter" in error_of(config)
    (Path("b") / "model.safetensors").rename(Path("b") / "adapter_model.safetensors")
    assert "directory: b: holds an adapter only, of some/base; merge the two" in error_of(config)
    (Path("b") / "adapter_config.json").unlink()
    (Path("b") / "q4.gguf").touch()
    assert "directory: b: holds weights as GGUF only (q4.gguf); name it as gguf_file" in error_of(config)


def test_what_lies_beside_a_local_model_is_no_input(tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    before = Study(config).models.files("negative")
    for name in ("README.md", "training_args.bin", "trainer_state.json", "consolidated.safetensors", "tf_model.h5"):
        (tmp_path / "b" / name).write_text("x")
    os.mkfifo(tmp_path / "b" / "notes.txt")
    assert Study(config).models.files("negative") == before
    (tmp_path / "b" / "chat_template.jinja").write_text("x")
    assert Study(config).models.files("negative") == sorted([*before, f"{tmp_path}/b/chat_template.jinja"])


def test_the_shards_of_an_index_are_inputs(tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    (tmp_path / "b" / "model.safetensors").rename(tmp_path / "b" / "part.safetensors")
    index = {"weight_map": {"transformer.wte.weight": "part.safetensors"}}
    (tmp_path / "b" / "model.safetensors.index.json").write_text(json.dumps(index))
    names = {Path(path).name for path in Study(config).models.files("negative")}
    assert names == {"config.json", "tokenizer.json", "part.safetensors", "model.safetensors.index.json"}


def test_harmless_differences_of_local_models_are_told_once(tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    assert Study(config).notes == []
    path = tmp_path / "b" / "config.json"
    for folder, token in (("a", 0), ("b", 1)):
        path = tmp_path / folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": token}))
    config["sweeps"]["again"] = config["sweeps"]["theta1"]
    assert Study(config).notes == [
        "models negative and positive can be combined, though config.json differs: eos_token_id is 1 and 0"
    ]


def test_rounding_is_measured_of_imported_models_that_others_do_not_start_from(tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b"))
    assert Study(config).models.rounding_references() == {"negative": "positive", "positive": "negative"}
    # A child shares the rounding of its parent.
    config["models"]["tuned"] = language_model(model="negative")
    config["sweeps"]["theta1"] |= {"origin": {"tuned": 1}, "directions": {"alpha": {"negative": 1, "tuned": -1}}}
    assert Study(config).models.rounding_references() == {}
    config["sweeps"]["theta1"] |= {"space": "logits", "origin": {"positive": 1}}
    config["sweeps"]["theta1"]["directions"] = {"alpha": {"negative": 1, "positive": -1}}
    assert Study(config).models.rounding_references() == {}


def test_models_fine_tuned_from_local_ones_count_as_those(tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b", width=6))
    config["models"]["tuned"] = language_model(model="negative")
    config["sweeps"]["theta1"] |= {"origin": {"tuned": 1}, "directions": {"alpha": {"positive": 1, "tuned": -1}}}
    assert "n_embd is 4 and 6" in error_of(config)


def with_imported_judge(directory: Path) -> dict[str, Any]:
    config = changed("models/judge", {"task": "classifier", "start": {"directory": str(directory)}})
    config["scorers"]["sentiment"] |= {"labels": {"LABEL_2": "good"}, "weights": {"good": 1}}
    config["figures"]["curves"]["panels"][0]["statistic"] = "p_good"
    return config


def test_classes_of_an_imported_classifier_are_those_in_its_files(tmp_path: Path) -> None:
    directory = save_model(tmp_path / "a")
    config = with_imported_judge(directory)
    # As long as the files do not name them.
    Study(config)
    settings = json.loads((directory / "config.json").read_text())
    labels = {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    (directory / "config.json").write_text(json.dumps(settings | {"id2label": labels}))
    Study(config)
    config["scorers"]["sentiment"]["weights"] = {"goood": 1}
    kind = f"class (id2label in {directory}/config.json)"
    assert f"scorers.sentiment.weights: {kind} 'goood' is not declared; did you mean 'good'?" in error_of(config)
    config["scorers"]["sentiment"] |= {"labels": {"LABEL_3": "good"}, "weights": {"LABEL_2": 1}}
    assert f"scorers.sentiment.labels: {kind} 'LABEL_3' is not declared; did you mean" in error_of(config)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"num_labels": 1}, "the head has one output"),
        ({"id2label": {"0": "LABEL_0"}}, "the head has one output"),
        ({"problem_type": "regression"}, "problem_type is regression"),
    ],
)
def test_an_imported_judge_has_classes(values: dict[str, Any], reason: str, tmp_path: Path) -> None:
    directory = save_model(tmp_path / "a")
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    config = with_imported_judge(directory)
    assert f"models.judge.start.directory: {path}: {reason}: this model gives each text a number" in error_of(config)
    # Several labels at once are classes.
    path.write_text(json.dumps({"problem_type": "multi_label_classification", "vocab_size": 2, "model_type": "gpt2"}))
    Study(config)


# --- files that are not YAML ---


def test_a_slip_in_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("study: own\n")
    bad.write_text("study: own\nsweeps:\n  theta1: {a: 1\n")
    command = [sys.executable, "-m", "lm_interpolation", "check", "--syntax", str(good)]
    assert subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stderr == ""
    for file, message in ((bad, f"error: {bad}: not a YAML file: "), (tmp_path / "lost.yaml", "No such file")):
        done = subprocess.run([*command, str(file)], cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1
        assert file is not bad or "line 4" in done.stderr


# --- defaults ---


def test_defaults_are_filled_in_at_every_depth() -> None:
    config = small_config()
    original = copy.deepcopy(config)
    resolved = settled(config)
    assert config == original

    assert resolved["device"] == "cpu"
    assert resolved["compute"] == {
        "threads": {"train": 1, "generate": 1, "score": 1},
        "batch_size": {"generate": 256, "score": 64},
    }
    assert resolved["tables"] == {"resamples": 2000, "seed": 0}
    assert resolved["corpora"]["reviews"]["seed"] == 0 and "limit" not in resolved["corpora"]["reviews"]
    training = resolved["models"]["base"]["training"]
    assert training["steps"] == 2 and training["schedule"] == "linear" and training["eval_steps"] == 100
    assert "training" not in resolved["corpora"] and "data" in resolved["models"]["base"]
    assert resolved["scorers"]["sentiment"]["text"] == "full"
    assert resolved["scorers"]["perplexity"] == {
        "kind": "perplexity",
        "model": "base",
        "precision": "fp32",
        "too_long": "error",
    }
    assert resolved["sweeps"]["theta1"]["space"] == "weights"
    assert resolved["figures"]["curves"]["panels"][0]["scale"] == "linear"
    assert resolved["sweeps"]["theta1"]["coordinate_labels"] == {} and resolved["sweeps"]["theta1"]["anchors"] == []
    assert resolved["analyses"] == resolved["searches"] == resolved["claims"] == {}
    # Those of definitions that several kinds share, too.
    figure = resolved["figures"]["curves"]
    assert (figure["title"], figure["caption"], figure["paper"]) == ("", "", "")
    assert (figure["panel_width"], figure["panel_height"], figure["dpi"], figure["overlay"]) == (3.6, 2.8, 200, False)
    assert "columns" not in figure


def test_defaults_are_those_of_the_kind() -> None:
    resolved = settled(full_config())
    analyses, figures = resolved["analyses"], resolved["figures"]
    assert (analyses["words"]["top"], analyses["words"]["ends"]) == (8, [0, 1])
    assert analyses["plane-loss"] == full_config()["analyses"]["plane-loss"] | {"split": "test", "too_long": "error"}
    assert (analyses["taylor"]["prefixes"], analyses["taylor"]["tolerance"]) == (2, 0.1)
    assert (analyses["price"]["prefixes"], analyses["price"]["repeats"]) == (20, 3)
    assert figures["next"]["scale"] == "linear" and "scale" not in figures["walls"]
    assert [panel["scale"] for panel in figures["map"]["panels"]] == ["linear", "linear"]
    assert "limit" not in figures["map"]["panels"][0]


def test_given_values_are_kept_and_resolving_twice_changes_nothing() -> None:
    config = changed("models/base/training/schedule", "cosine")
    config["compute"] = {"threads": {"train": 3}}
    resolved = settled(config)
    assert resolved["models"]["base"]["training"]["schedule"] == "cosine"
    assert resolved["compute"]["threads"] == {"train": 3, "generate": 1, "score": 1}
    assert settled(resolved) == resolved


def test_defaults_are_not_shared() -> None:
    config = small_config()
    sweeps = settled(config)["sweeps"]
    sweeps["theta1"]["coordinate_labels"]["alpha"] = "changed"
    assert sweeps["theta3"]["coordinate_labels"] == {}


def test_optional_parts_may_be_left_out() -> None:
    config = small_config()
    del config["figures"], config["sweeps"]["theta1"]["prompts"]
    resolved = settled(config)
    assert resolved["figures"] == {} and Study(config).targets.figures() == []
    assert resolved["sweeps"]["theta1"]["prompts"] == [] and Study(config).scored_sweeps() == ["theta3"]


# --- the schema itself ---


def subschemas(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All schemas within a schema, with their places."""
    yield path, schema
    for keyword in ("properties", "$defs"):
        for name, part in schema.get(keyword, {}).items():
            yield from subschemas(part, f"{path}/{name}")
    for keyword in ("items", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(keyword), Mapping):
            yield from subschemas(schema[keyword], f"{path}/{keyword}")
    for index, part in enumerate(schema.get("oneOf", [])):
        yield from subschemas(part, f"{path}/{index}")


# Mappings whose keys the user names, and those of another program (the architecture of a transformers config).
OPEN = ("/Architecture",)


def test_the_schema_is_valid_and_explains_every_key() -> None:
    schema = load_schema()
    Draft202012Validator.check_schema(schema)
    properties = [
        (f"{path}/{name}", part)
        for path, part in subschemas(schema)
        for name, part in part.get("properties", {}).items()
    ]
    assert len(properties) > 100
    shared = {f"#/$defs/{name}": part.get("description", "") for name, part in schema["$defs"].items()}
    told = {path: part.get("description") or shared.get(part.get("$ref"), "") for path, part in properties}
    assert [path for path, text in told.items() if not text.strip().endswith(".")] == []


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    closed = 0
    for path, part in subschemas(load_schema()):
        if part.get("type") != "object" and "properties" not in part:
            continue
        if "properties" in part and path not in OPEN:
            assert part["additionalProperties"] is False, path
            closed += 1
        elif path not in OPEN:
            assert isinstance(part["additionalProperties"], Mapping), path
    assert closed > 15


def test_defaults_of_the_schema_are_valid() -> None:
    schema = load_schema()
    for path, part in subschemas(schema):
        if "default" in part:
            validator = Draft202012Validator({**part, "$defs": schema["$defs"]})
            assert validator.is_valid(part["default"]), path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_hold(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    declared, resolved, left_out = declare(read_study([path]))
    assert left_out == {}
    check_sweep_models(declared, declared.built_sweeps())
    assert resolved["study"] == {"config": "demo"}.get(path.stem, path.stem)
    assert {"theta1", "theta2", "theta3", "ensemble", "plane", "unrelated"} <= declared.sweeps.keys()
    targets = {"fig3", "fig4", "fig5", "fig6", "fig7", "fig8", "fig9", "fig10", "fig11", "table2", "barrier"}
    beyond = {"attributes", "sentiment-slices", "topic-slices", "methods", "density", "layers", "sizes", "rules"}
    beyond |= {"tuco", "tuning-contribution", "lora-curves", "intruders"}
    assert resolved["figures"].keys() == targets | {"linearity"} | (beyond if path.stem == "config" else set())
    assert len(resolved["claims"]) >= 12


# --- a config on top of another ---


def extending(tmp_path: Path, base: Any, **own: Any) -> dict[str, Any]:
    path = tmp_path / "base.yaml"
    path.write_text(base if isinstance(base, str) else yaml.safe_dump(base, sort_keys=False))
    return {"extends": str(path), **own}


def test_a_config_overrides_what_it_extends_key_by_key(tmp_path: Path) -> None:
    base = small_config()
    sweeps = {"theta1": {"grid": {"alpha": [0, 1]}}, "theta3": None, "theta2": base["sweeps"]["theta1"]}
    config = extending(tmp_path, base, study="own", sweeps=sweeps, figures=None)
    resolved = settled(config)
    assert "extends" not in resolved and resolved["study"] == "own"
    # Entries in the order of the base; lists as a whole, null removes.
    assert list(resolved["sweeps"]) == ["theta1", "theta2"] and list(resolved)[:2] == ["study", "device"]
    expected = settled(changed("sweeps/theta1/grid/alpha", [0, 1]))["sweeps"]["theta1"]
    assert resolved["sweeps"]["theta1"] == expected
    assert resolved["figures"] == {}


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("a: [", ["base.yaml: not a YAML file", "fix it"]),
        ("- a", ["base.yaml: is not a mapping", "give a configuration"]),
        ("extends: other.yaml", ["base.yaml", "extends another file itself"]),
        ({"study": "small", "sweps": {}}, ["unknown key 'sweps' at the top level", "did you mean 'sweeps'?"]),
    ],
)
def test_what_is_extended_is_a_plain_configuration(base: Any, words: list[str], tmp_path: Path) -> None:
    message = error_of(extending(tmp_path, base, study="own"))
    for word in words:
        assert word in message


def test_what_is_extended_is_a_path() -> None:
    assert (
        error_of(small_config() | {"extends": 3}) == "config: extends is 3; give the path of a file, or a list of paths"
    )


@pytest.mark.parametrize("path", ["absent.yaml", "."])
def test_what_is_extended_must_be_there(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    message = error_of(small_config() | {"extends": path})
    assert f"extends: no file {path}; correct the path (relative ones start at {tmp_path})" in message


# --- what is left out ---


def without(*models: str) -> dict[str, Any]:
    """The full study without some of its models."""
    config = full_config()
    for model in models:
        del config["models"][model]
    return config


def test_what_needs_an_undeclared_model_is_left_out() -> None:
    config = without("other")
    config["sweeps"]["unrelated"] = {
        "origin": {"base": 1},
        "directions": {"alpha": {"other": 1, "base": -1}},
        "grid": {"alpha": [0, 1]},
        "prompts": ["neutral"],
    }
    config["analyses"] |= {
        "far-loss": {"kind": "loss", "sweep": "unrelated", "corpus": "reviews"},
        "far-walls": {"kind": "barrier", "sweeps": ["unrelated"], "scorer": "perplexity"},
        "far-side": {"kind": "texts", "sweeps": ["theta1", "unrelated"], "prompts": "neutral", "at": [0]},
    }
    config["analyses"]["barriers"]["sweeps"].append("unrelated")
    config["analyses"]["barriers"]["losses"].append("far-loss")
    config["searches"]["far"] = {**config["searches"]["search"], "model": "other"}
    config["figures"] |= {
        "far": {**config["figures"]["curves"], "sweeps": ["theta1", "unrelated"]},
        "far-walls": {"kind": "barrier", "analysis": "far-walls"},
        "far-tried": {"kind": "search", "searches": ["search", "far"]},
        "far-learning": {"kind": "training", "models": ["base", "other"]},
    }
    config["claims"]["far"] = config["claims"]["rises"] | {"sweep": "unrelated"}
    _, resolved, left_out = declare(config)
    unknown, sweep = "the study declares no model 'other'", "sweeps.unrelated is left out"
    assert left_out == {
        "sweeps.unrelated": unknown,
        "analyses.distances.pairs.apart": unknown,
        "analyses.far-loss": sweep,
        "analyses.far-side": sweep,
        "analyses.far-walls.sweeps.unrelated": sweep,
        "analyses.far-walls": "nothing is left of its sweeps",
        "analyses.barriers.sweeps.unrelated": sweep,
        "analyses.barriers.losses.far-loss": "analyses.far-loss is left out",
        "searches.far": unknown,
        "figures.far": sweep,
        "figures.far-walls": "analyses.far-walls is left out",
        "figures.far-tried": "searches.far is left out",
        "figures.far-learning": unknown,
        "claims.near": "analyses.distances.pairs.apart is left out",
        "claims.far": sweep,
    }
    whole = settled(full_config())
    for section in ("sweeps", "searches", "figures"):
        assert resolved[section] == whole[section], section
    # Of analyses of several things, the rest; claims stay, to be reported as not tested.
    assert list(resolved["analyses"]["distances"]["pairs"]) == ["tuned"]
    assert resolved["analyses"]["barriers"] == whole["analyses"]["barriers"]
    assert resolved["analyses"].keys() == whole["analyses"].keys()
    assert resolved["claims"].keys() == config["claims"].keys()
    study = Study(config)
    settings = verdicts.settings(study)
    assert [claim["name"] for claim in settings["claims"]] == [name for name in whole["claims"] if name != "near"]
    assert [(claim["name"], reason) for claim, reason in settings["left_out"]] == [
        ("near", "analyses.distances.pairs.apart is left out"),
        ("far", sweep),
    ]


def test_an_analysis_without_any_of_its_parts_is_left_out() -> None:
    config = without("other")
    del config["analyses"]["distances"]["pairs"]["tuned"]
    left_out = declare(config).left_out
    assert left_out["analyses.distances"] == "nothing is left of its pairs"
    assert left_out["figures.moves"] == "analyses.distances is left out"


def test_a_name_that_resembles_a_declared_model_is_misspelt() -> None:
    # "positve" resembles "positive", "zz" nothing.
    message = error_of(changed("analyses/distances/pairs/tuned/model", "positve", full_config()))
    assert "analyses.distances.pairs.tuned.model: model 'positve' is not declared; did you mean 'positive'?" in message
    config = full_config()
    # Its comparison with fp32 is left out, too.
    config["scorers"]["sentiment"]["precision"] = "fp32"
    left_out = declare(changed("sweeps/theta1/directions/alpha/zz", 0, config)).left_out
    assert left_out["sweeps.theta1"] == "the study declares no model 'zz'"
    assert left_out["analyses.words"] == left_out["figures.both"] == "sweeps.theta1 is left out"


def test_models_of_other_sections_are_not_left_out() -> None:
    assert "scorers.perplexity.model: model 'zz' is not declared" in error_of(changed("scorers/perplexity/model", "zz"))
    message = error_of(changed("generation/nucleus", "zz"))
    assert "generation.nucleus: model 'zz' is not declared; declared: base, judge" in message


def test_a_claim_that_is_left_out_is_checked_by_itself() -> None:
    config = without("other")
    config["claims"]["near"]["threshhold"] = 1
    assert "unknown key 'threshhold' at claims.near; did you mean 'threshold'?" in error_of(config)


# --- anchors, spaces ---


def test_anchors_are_points_beside_the_grid() -> None:
    sweep = declare(changed("sweeps/theta3/anchors", [{"alpha": 3, "beta": 0.25}])).config.sweep("theta3")
    assert "base=-2.25+negative=0.25+positive=3" in [entry.point.id for entry in sweep.points]
    message = error_of(changed("sweeps/theta3/anchors", [{"alpha": 3}]))
    assert "sweeps.theta3.anchors.0: has ['alpha'], but the directions are ['alpha', 'beta']; name the same" in message


def test_an_ensemble_needs_one_tokenizer_but_not_one_architecture() -> None:
    config = changed("models/negative/start", {"architecture": ARCHITECTURE | {"n_embd": 16}, "tokenizer": "bpe"})
    config["sweeps"]["theta1"]["space"] = "logits"
    del config["sweeps"]["theta3"]
    Study(config)
    config["tokenizers"]["own"] = {"corpus": "reviews", "vocab_size": 300}
    config["models"]["negative"]["start"]["tokenizer"] = "own"
    assert "sweeps.theta1: models 'negative' and 'positive' differ in tokenizer" in error_of(config)


def test_layers_need_one_architecture_that_is_known() -> None:
    config = changed("sweeps/theta1/space", "layers")
    study = Study(config)
    assert study.sweeps["theta1"].space == "layers"
    config["models"]["negative"]["start"] = {"architecture": ARCHITECTURE | {"n_embd": 16}, "tokenizer": "bpe"}
    del config["sweeps"]["theta3"]
    assert "sweeps.theta1: models 'negative' and 'positive' differ in n_embd (16 and 8)" in error_of(config)
    for model in ("negative", "positive"):
        architecture = {"model_type": "opt", "max_position_embeddings": 8}
        config["models"][model]["start"] = {"architecture": architecture, "tokenizer": "bpe"}
    words = "choose models of gpt2, llama, mistral, qwen2"
    unknown = f"the architecture of 'negative' 'opt' has no layers that are known here; {words}"
    assert f"sweeps.theta1.space: layers, but {unknown}" in error_of(config)
    config["sweeps"]["theta1"]["space"] = "weights"
    Study(config)


def test_layers_of_local_models_need_one_architecture_that_is_known(tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b", width=6))
    config["sweeps"]["theta1"]["space"] = "layers"
    assert "n_embd is 6 and 4" in error_of(config)
    for name in "cd":
        settings = json.loads((save_model(tmp_path / name) / "config.json").read_text())
        (tmp_path / name / "config.json").write_text(json.dumps(settings | {"model_type": "gpt_neo"}))
    config = with_directories(tmp_path / "c", tmp_path / "d")
    Study(config)
    config["sweeps"]["theta1"]["space"] = "layers"
    assert "sweeps.theta1.space: layers, but the architecture of 'negative'" in error_of(config)


def test_an_architecture_may_be_that_of_another_model() -> None:
    config = changed("models/other/start", {"architecture_of": "positive"})
    config["sweeps"]["theta1"]["origin"] = {"other": 1}
    study = Study(config)
    assert study.models.inputs("other")["like"] == "results/small/models/positive"
    config["models"]["other"]["training"]["block_length"] = 9
    assert "models.other.training.block_length: 9 exceeds the context of 8 tokens" in error_of(config)


def test_a_block_fits_into_the_context_of_an_imported_model(tiny_gpt2: Path) -> None:
    config = small_config()
    config["models"]["base"] = {"task": "language-model", "start": {"directory": str(tiny_gpt2)}}
    config["models"]["negative"]["training"] = config["models"]["negative"]["training"] | {"block_length": 33}
    message = "models.negative.training.block_length: 33 exceeds the context of 32 tokens that"
    assert message in error_of(config)


@pytest.mark.parametrize(
    ("model", "start"), [("base", {"special_tokens": "bos"}), ("judge", {"hub": "a/b", "revision": "main"})]
)
def test_special_tokens_are_chosen_where_a_language_model_is_imported(model: str, start: dict[str, str]) -> None:
    config = full_config()
    if "hub" in start:
        config["models"][model] = {"task": "classifier", "start": start | {"special_tokens": "none"}}
    else:
        config["models"][model]["start"] |= start
    reason = "is for language models" if "hub" in start else "a start from architecture has no use for it"
    assert f"models.{model}.start.special_tokens: {reason}; remove it" in error_of(config)


def test_the_embedded_study_reads_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    declared, resolved, _ = declare(read_study([SHIPPED[0]]))
    check_files(declared)
    assert all(model["start"].keys().isdisjoint(("hub", "directory")) for model in resolved["models"].values())


def test_overrides_on_the_command_line_are_typed() -> None:
    words = {"c": "The film: was", "d": "yes", "e": "1.2.3", "f": "'tis"}
    text = {"a": ["1", "-2.5", "1e-4", "true", "False"], "b": words}
    typed = {"a": [1, -2.5, 1e-4, True, False], "b": text["b"]}
    assert typed_overrides(text) == typed
    assert [type(value) for value in typed_overrides(text)["a"]] == [int, float, float, bool, bool]


def test_overrides_are_typed_in_the_part_of_a_config_that_a_module_gets() -> None:
    said = {"steering": {"models": {"base": {"training": {"steps": "5"}}}, "tables": {"resamples": "7"}}}
    config = {"study": "5", "models": {"base": {"training": {"steps": "5", "seed": "5"}}}, "tables": {"resamples": 8}}
    expected = copy.deepcopy(config)
    expected["models"]["base"]["training"]["steps"] = 5
    assert with_typed_overrides(config, said) == expected
    assert with_typed_overrides({"steering": config}, said) == {"steering": expected}
    assert with_typed_overrides(config, {}) == config
