"""Statistics of models as a study declares them: on which texts they are taken, and what needs them."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_interpolation.points.statistic_folders import statistics_of, with_statistics
from lm_interpolation.study.config import declare
from lm_interpolation.study.kinds.methods.method import MethodSpec
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study
from tests.tiny_study import change, errors_of, tiny_study

SWEEP = {
    "method": "fisher",
    "origin": {"base": 1},
    "directions": {"gamma": {"positive": 0.5, "negative": 0.5, "base": -1}},
    "grid": {"gamma": [0, 0.5, 1]},
    "prompts": ["neutral"],
}
MERGED = "fisher@base=0.5+negative=0.25+positive=0.25"


def study_config(**changes: Any) -> dict[str, Any]:
    """The tiny study with two statistics, methods that need them, and sweeps; ``changes`` by their key paths."""
    config = tiny_study()
    config["statistics"] = {"information": {"kind": "fisher"}, "inputs": {"kind": "gram", "limit": 4}}
    config["methods"] = {
        "fisher": {"base": "base", "combine": {"by": "fisher", "statistic": "information"}},
        "regmean": {"base": "base", "combine": {"by": "regmean", "statistic": "inputs"}},
    }
    config["sweeps"] = copy.deepcopy({"fisher": SWEEP, "regmean": SWEEP | {"method": "regmean"}})
    config["analyses"] = {"fisher-loss": {"kind": "loss", "sweep": "fisher", "corpus": "reviews"}}
    for section in ("searches", "figures", "claims", "quick"):
        config.pop(section, None)
    change(config, changes)
    return config


def test_each_model_is_measured_on_what_it_learnt_from() -> None:
    study = Study(study_config(models__negative__data__limit=10))
    folder = "results/tiny/"
    assert study.model_statistics.inputs("information", "positive") == {
        "model": f"{folder}models/positive",
        "corpus": f"{folder}corpora/reviews/train.parquet",
    }
    assert study.model_statistics.settings("information", "positive") == {"classes": ["positive"], "limit": 256}
    # No text that it has not learnt from.
    assert study.model_statistics.settings("information", "negative") == {"classes": ["negative"], "limit": 10}
    assert study.model_statistics.settings("inputs", "negative") == {"classes": ["negative"], "limit": 4}
    assert study.model_statistics.settings("inputs", "base") == {"classes": [], "limit": 4}
    assert (study.model_statistics.names("fisher"), study.model_statistics.names("gram")) == (
        ["information"],
        ["inputs"],
    )
    assert not {"sentiment-judge", "grammar-judge"} & set(study.model_statistics.models())


def test_a_named_corpus_is_that_of_all_models() -> None:
    own = {"kind": "fisher", "corpus": "reviews", "classes": ["positive", "negative"], "split": "dev", "limit": 7}
    study = Study(study_config(statistics__information=own))
    for model in ("base", "positive", "negative"):
        assert (
            study.model_statistics.inputs("information", model)["corpus"] == "results/tiny/corpora/reviews/dev.parquet"
        )
        found = study.model_statistics.settings("information", model)
        assert found == {"classes": ["positive", "negative"], "limit": 7}


def test_points_and_losses_need_the_statistics_of_their_models_but_not_of_the_base() -> None:
    study = Study(study_config())
    folder = "results/tiny/statistics/"
    files = [f"{folder}information/{model}.safetensors" for model in ("negative", "positive")]
    assert study.method_files(MERGED) == files
    assert study.method_files("fisher@positive=1") == files[1:]
    assert study.method_files(MERGED.replace("fisher", "regmean"))[0] == f"{folder}inputs/negative.safetensors"
    assert study.sweep_files("fisher") == {"files": files}
    assert study.analysis_inputs("fisher-loss")["files"] == files
    settings = study.method_settings(MERGED)["recipe"]["stages"]
    assert settings == [{"module": "fisher", "settings": {"statistic": f"{folder}information"}}]
    assert study.sweep_settings("fisher")["method"]["recipe"]["stages"] == settings
    inner = study.method_settings(MERGED.replace("fisher", "regmean"))["recipe"]["stages"][0]["settings"]
    assert inner == {"statistic": f"{folder}inputs", "off_diagonal": 0.6}
    # Where a module's prefix has moved the results.
    study.top = "elsewhere/results/tiny"
    assert study.method_files(MERGED) == [f"elsewhere/{file}" for file in files]
    assert study.method_settings(MERGED)["recipe"]["stages"][0]["settings"]["statistic"].startswith("elsewhere/")


def test_all_models_of_a_method_without_a_base_have_statistics() -> None:
    config = study_config(sweeps__fisher__directions={"gamma": {"positive": 1, "negative": -1}})
    change(config, {"sweeps__fisher__origin": {"negative": 1}, "methods__fisher": {"combine": SPEC["combine"]}})
    study = Study(config)
    files = [f"results/tiny/statistics/information/{model}.safetensors" for model in ("negative", "positive")]
    assert study.sweep_files("fisher") == {"files": files}


SPEC = {"base": "base", "combine": {"by": "fisher", "statistic": "information"}}


def test_a_method_names_its_statistics_until_they_have_a_place() -> None:
    method = MethodSpec.model_validate(SPEC).built("m")
    assert statistics_of(method) == ["information"] and method.convex
    placed = with_statistics(method, Path("here"))
    assert placed.recipe["stages"][0]["settings"] == {"statistic": "here/information"}
    assert statistics_of(placed) == []
    other = MethodSpec.model_validate({"base": "base", "combine": "stock"}).built("m")
    assert with_statistics(other, "here") is other


def test_the_factor_off_the_diagonal_may_vary() -> None:
    change_of_sweep = {"gamma": [1], "off": [0, 0.5, 1]}
    config = study_config(methods__regmean__combine__off_diagonal="off", sweeps__regmean__grid=change_of_sweep)
    points = declare(config).config.sweep("regmean").points
    assert points[1].point.id == "regmean~off=0.5@negative=0.5+positive=0.5"


def test_without_its_corpus_a_statistic_is_left_out_with_what_needs_it(tmp_path: Path) -> None:
    """In a study that extends another one."""
    own = study_config(statistics__information__corpus="elsewhere")
    inherited = {key: own.pop(key) for key in ("statistics", "methods", "sweeps", "analyses")}
    for path, config in (("base.yaml", inherited), ("study.yaml", own | {"extends": "base.yaml"})):
        (tmp_path / path).write_text(yaml.safe_dump(config), encoding="utf-8")
    found = declare(read_study([tmp_path / "study.yaml"]))
    assert found.left_out == {
        "statistics.information": "the study declares no corpus 'elsewhere'",
        "methods.fisher": "statistics.information is left out",
        "sweeps.fisher": "methods.fisher is left out",
        "analyses.fisher-loss": "sweeps.fisher is left out",
    }
    assert list(found.config.sweeps) == ["regmean"]


def test_training_texts_of_a_stream_are_not_there() -> None:
    stream = {"source": "hub", "id": "someone/texts", "revision": "main", "text": "text", "stream": True}
    stream |= {"files": {"train": "train.jsonl", "dev": "dev.jsonl"}, "limit": {"dev": 10}}
    config = study_config(models__positive__data={"corpus": "stream"})
    config["corpora"]["stream"] = stream
    line = (
        "config: sweeps.fisher.method: statistic 'information' needs training texts, but model 'positive' learnt from "
        "the stream 'stream', of which none are stored; set statistics.information.split to dev, or name a corpus there"
    )
    assert line in errors_of(config)
    change(config, {"statistics__information__split": "dev", "statistics__inputs__split": "dev"})
    inputs = Study(config).model_statistics.inputs("information", "positive")
    assert inputs["corpus"] == "results/tiny/corpora/stream/dev.parquet"
    change(config, {"statistics__information": {"kind": "fisher", "corpus": "stream"}})
    line = "config: statistics.information.split: the stream 'stream' has no stored training texts; use dev"
    assert line in errors_of(config)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"models__mean": {"task": "language-model", "start": {"mean": ["positive", "negative"]}}}
            | {"sweeps__fisher__directions__gamma": {"mean": 1, "base": -1}},
            "config: sweeps.fisher.method: statistic 'information' needs texts, but model 'mean' has no training data; "
            "name a corpus at statistics.information.corpus",
        ),
        (
            {"methods__fisher__combine__statistic": "inputs"},
            "config: methods.fisher.combine.statistic: 'inputs' is of kind gram; choose one of kind fisher",
        ),
        (
            {"methods__fisher__combine__statistic": "informaton"},
            "config: methods.fisher.combine.statistic: statistic 'informaton' is not declared; did you mean "
            "'information'?",
        ),
        (
            {"methods__fisher__combine": "fisher"},
            "config: methods.fisher.combine: fisher needs more than its name; write {by: fisher, statistic: ...}",
        ),
        (
            {"methods__regmean__combine__off_diagonal": 1.5},
            "config: methods.regmean.combine.off_diagonal is 1.5; give at most 1",
        ),
        (
            {"sweeps__fisher__grid": {"gamma": [-1]}},
            "config: sweeps.fisher: method fisher: its combination takes no coefficient below 0, but they are "
            "{negative: -0.5, positive: -0.5}; correct them",
        ),
        (
            {"statistics__information__kind": "fishr"},
            'config: statistics.information.kind is "fishr"; choose one of fisher, gram',
        ),
        ({"statistics__information__limit": 0}, "config: statistics.information.limit is 0; give at least 1"),
        (
            {"statistics__information__split": "test"},
            'config: statistics.information.split is "test"; choose one of train, dev',
        ),
        (
            {"statistics__information__classes": ["positive"]},
            "config: statistics.information: classes needs corpus; add corpus or remove classes",
        ),
        (
            {"statistics__information": {"kind": "fisher", "corpus": "reviews", "classes": ["positiv"]}},
            "config: statistics.information.classes: class 'positiv' is not declared; did you mean 'positive'?",
        ),
        (
            {"statistics__information__corpus": "review"},
            "config: statistics.information.corpus: corpus 'review' is not declared; did you mean 'reviews'?",
        ),
    ],
)
def test_mistakes(changes: dict[str, Any], line: str) -> None:
    assert line in errors_of(study_config(**changes))
