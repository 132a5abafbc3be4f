import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator
from safetensors.numpy import save_file

from workflow.lib.config import build_sweeps, check_files, check_sweep_models, load_schema, resolve, typed_overrides
from workflow.lib.corpora import load_corpus, load_prompts
from workflow.lib.runtime import UserError
from workflow.lib.study import Study

ROOT = Path(__file__).parents[1]
SHIPPED = [ROOT / "config" / name for name in ("config.yaml", "sst.yaml")]

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
                "sweeps": ["theta1"],
                "panels": [{"scorer": "sentiment", "statistic": "score", "label": "Positive score"}],
            }
        },
    }


REMOVED = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The small study with the value at a key path (``models/base/task``) set, or removed."""
    config = small_config()
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
    message = str(caught.value)
    assert "\n" not in message
    # Readable: no word of JSON Schema's, no dump of half the config.
    assert "given schemas" not in message and "is not of type" not in message and len(message) < 400
    return message


def test_the_small_study_holds() -> None:
    assert [line.id for line in Study(small_config()).lines.values()] == ["theta1", "theta3,beta=0", "theta3,beta=1"]


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
            ["'temperature' at generation", "known keys: max_new_tokens, samples, seed, top_p"],
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
        ("models/base/start/tokenizer", REMOVED, ["models.base.start", "architecture needs tokenizer"]),
        ("models/base/start", {"hub": "gpt2"}, ["models.base.start", "hub needs revision"]),
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
            ["models.base.start has none; give exactly one of hub, directory, model, architecture"],
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
    message = error_of(changed(path, value), resolve)
    for word in words:
        assert word in message


# --- what the schema cannot say ---


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        # Names that point to nothing.
        ("sweeps/theta1/origin", {"negativ": 1}, ["sweeps.theta1", "model 'negativ' is not declared", "'negative'?"]),
        ("sweeps/theta1/directions/alpha/zz", 0, ["sweeps.theta1", "'zz' is not declared", "declared: base, judge"]),
        ("sweeps/theta1/prompts", ["neutrl"], ["sweeps.theta1.prompts", "'neutrl' is not declared", "'neutral'?"]),
        ("figures/curves/sweeps", ["theta"], ["figures.curves.sweeps", "sweep 'theta' is not declared"]),
        ("figures/curves/panels/0/scorer", "sentimnt", ["figures.curves.panels.0.scorer", "did you mean 'sentiment'?"]),
        ("figures/curves/sweep_labels", {"theta3": "x"}, ["figures.curves.sweep_labels", "'theta3' is not declared"]),
        ("figures/curves/coordinate_labels", {"gamma": "γ"}, ["figures.curves.coordinate_labels", "'gamma'", "alpha"]),
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
        ("sweeps/theta1/grid/alpha", [0, 1, 0.0], ["sweeps.theta1.grid.alpha", "0 is listed twice; remove one"]),
        ("sweeps/theta1/grid", {"beta": [0]}, ["sweeps.theta1.grid", "['beta']", "['alpha']"]),
        # Kinds that do not fit.
        ("sweeps/theta1/origin", {"judge": 1}, ["sweeps.theta1", "'judge' is a classifier", "combine language models"]),
        ("sweeps/theta1/space", "logits", ["sweeps.theta1.space", "logits is reserved", "use weights"]),
        ("scorers/sentiment/model", "base", ["scorers.sentiment.model", "'base' is a language-model", "a classifier"]),
        ("scorers/perplexity/model", "judge", ["scorers.perplexity.model", "'judge' is a classifier"]),
        ("models/judge/data/class", "positive", ["models.judge.data.class", "a classifier needs all classes"]),
        ("figures/curves/sweeps", ["theta3"], ["figures.curves.sweeps", "'theta3' is a plane"]),
        ("figures/curves/panels/0/statistic", "scor", ["panels.0.statistic", "'scor' is no statistic of sentiment"]),
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
        ("models/other/start", {"model": "judge"}, ["models.other.start.model: 'judge' is a classifier; start from a"]),
        ("models/base/start", {"directory": "gpt2"}, ["models.base", "as a model of its own"]),
        (
            "models/base/start/architecture/vocab_size",
            9,
            ["architecture.vocab_size", "the tokenizer decides; remove it"],
        ),
        ("models/lost", {"task": "language-model", "start": {"model": "base"}}, ["models.lost", "hub or directory"]),
        # Sources.
        ("corpora/reviews/path", "x", ["corpora.reviews.path: source synthetic has no use for it; remove it"]),
        ("corpora/reviews/counts", REMOVED, ["corpora.reviews.counts: missing; source synthetic needs it"]),
        ("prompts/neutral/source", "text", ["prompts.neutral.path: missing; source text needs it"]),
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
    assert f"corpora.more.files: no file {tmp_path}/data.csv; correct the path" in error_of(
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
    config = resolve(changed("prompts/neutral/texts/1", " "))
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
    assert study.imported() == ["positive", "negative"]
    assert [Path(path).name for path in study.model_files("positive")] == [
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


def test_models_fine_tuned_from_local_ones_count_as_those(tmp_path: Path) -> None:
    config = with_directories(save_model(tmp_path / "a"), save_model(tmp_path / "b", width=6))
    config["models"]["tuned"] = language_model(model="negative")
    config["sweeps"]["theta1"] |= {"origin": {"tuned": 1}, "directions": {"alpha": {"positive": 1, "tuned": -1}}}
    assert "n_embd is 4 and 6" in error_of(config)


def test_classes_of_an_imported_classifier_are_not_known_yet(tmp_path: Path) -> None:
    config = changed("models/judge", {"task": "classifier", "start": {"directory": str(save_model(tmp_path / "a"))}})
    config["scorers"]["sentiment"] |= {"labels": {"LABEL_2": "good"}, "weights": {"good": 1}}
    config["figures"]["curves"]["panels"][0]["statistic"] = "p_good"
    Study(config)


# --- defaults ---


def test_defaults_are_filled_in_at_every_depth() -> None:
    config = small_config()
    original = copy.deepcopy(config)
    resolved = resolve(config)
    assert config == original

    assert resolved["device"] == "cpu"
    assert resolved["compute"] == {
        "threads": {"train": 1, "generate": 1, "score": 1},
        "batch_size": {"generate": 128, "score": 64},
    }
    assert resolved["tables"] == {"resamples": 2000, "seed": 0}
    assert resolved["corpora"]["reviews"]["seed"] == 0 and "limit" not in resolved["corpora"]["reviews"]
    training = resolved["models"]["base"]["training"]
    assert training["steps"] == 2 and training["schedule"] == "linear" and training["eval_steps"] == 100
    assert "training" not in resolved["corpora"] and "data" in resolved["models"]["base"]
    assert resolved["scorers"]["sentiment"]["text"] == "full"
    assert resolved["scorers"]["perplexity"] == {"kind": "perplexity", "model": "base"}
    assert resolved["sweeps"]["theta1"]["space"] == "weights"
    assert resolved["figures"]["curves"]["panels"][0]["scale"] == "linear"
    assert resolved["figures"]["curves"]["sweep_labels"] == {}


def test_given_values_are_kept_and_resolving_twice_changes_nothing() -> None:
    config = changed("models/base/training/schedule", "cosine")
    config["compute"] = {"threads": {"train": 3}}
    resolved = resolve(config)
    assert resolved["models"]["base"]["training"]["schedule"] == "cosine"
    assert resolved["compute"]["threads"] == {"train": 3, "generate": 1, "score": 1}
    assert resolve(resolved) == resolved


def test_defaults_are_not_shared() -> None:
    config = small_config()
    config["figures"]["more"] = copy.deepcopy(config["figures"]["curves"])
    figures = resolve(config)["figures"]
    figures["more"]["sweep_labels"]["theta1"] = "changed"
    assert figures["curves"]["sweep_labels"] == {}


def test_optional_parts_may_be_left_out() -> None:
    config = small_config()
    del config["figures"]
    resolved = resolve(config)
    assert resolved["figures"] == {} and Study(config).figures() == []


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
OPEN = ("/models/additionalProperties/start/architecture",)


def test_the_schema_is_valid_and_explains_every_key() -> None:
    schema = load_schema()
    Draft202012Validator.check_schema(schema)
    properties = [
        (f"{path}/{name}", part)
        for path, part in subschemas(schema)
        for name, part in part.get("properties", {}).items()
    ]
    assert len(properties) > 100
    assert [path for path, part in properties if not str(part.get("description", "")).strip().endswith(".")] == []


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
def test_shipped_configs_hold(path: Path) -> None:
    config = yaml.safe_load(path.read_text())
    resolved = resolve(config)
    sweeps = build_sweeps(resolved)
    check_sweep_models(resolved, sweeps)
    assert resolved["study"] == {"config": "demo"}.get(path.stem, path.stem)
    assert {"theta1", "theta2"} <= sweeps.keys()


def test_the_embedded_study_reads_no_file() -> None:
    resolved = resolve(yaml.safe_load(SHIPPED[0].read_text()))
    check_files(resolved)
    assert Study(resolved).imported() == []


def test_overrides_on_the_command_line_are_typed() -> None:
    words = {"c": "The film: was", "d": "yes", "e": "1.2.3", "f": "'tis"}
    text = {"a": ["1", "-2.5", "1e-4", "true", "False"], "b": words}
    typed = {"a": [1, -2.5, 1e-4, True, False], "b": text["b"]}
    assert typed_overrides(text) == typed
    assert [type(value) for value in typed_overrides(text)["a"]] == [int, float, float, bool, bool]
