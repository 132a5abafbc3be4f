"""Reading a study's configuration: schema, defaults, and the checks that a schema cannot express.

Used by the Snakefile, so it imports nothing heavy. Every error names the key path and says what to do.
"""

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from workflow.lib.checkpoints import Checkpoint, check_compatible
from workflow.lib.corpora import check_corpus, check_prompts, class_names, corpus_files, prompt_files
from workflow.lib.points import Sweep, build_sweep
from workflow.lib.runtime import UserError, error_prefix

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"

def load_schema() -> dict[str, Any]:
    """The JSON schema of the configuration."""
    with open(SCHEMA) as handle:
        return yaml.safe_load(handle)


def resolve(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` checked against the schema, with all defaults filled in. Raises ``UserError``."""
    schema = load_schema()
    resolved = copy.deepcopy(dict(config))
    validator = Draft202012Validator(schema)
    error = best_match(validator.iter_errors(resolved))
    if error is not None:
        raise UserError(_explain(error))
    _fill_defaults(resolved, schema, schema)
    _check_references(resolved)
    return resolved


def _fill_defaults(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> None:
    """Set the schema's defaults in ``value``, which is valid, in place."""
    if "$ref" in schema:
        schema = {**root["$defs"][schema["$ref"].rsplit("/", 1)[1]], **schema}
    for branch in schema.get("oneOf", []):
        if Draft202012Validator({**branch, "$defs": root["$defs"]}).is_valid(value):
            _fill_defaults(value, branch, root)
    if isinstance(value, list):
        for item in value:
            _fill_defaults(item, schema.get("items", {}), root)
    if not isinstance(value, dict):
        return
    properties = schema.get("properties", {})
    for key, part in properties.items():
        if key not in value and "default" in part:
            value[key] = copy.deepcopy(part["default"])
    additional = schema.get("additionalProperties")
    for key in value:
        if key in properties:
            _fill_defaults(value[key], properties[key], root)
        elif isinstance(additional, dict):
            _fill_defaults(value[key], additional, root)


def _explain(error: ValidationError) -> str:
    """One line with the key path, what is wrong, and the remedy."""
    path = ".".join(map(str, error.absolute_path)) or "the top level"
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))[0]
        close = difflib.get_close_matches(unknown, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys are {', '.join(known)}"
        return f"config: unknown key {unknown!r} at {path}; {hint}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"config: key {missing!r} is missing at {path}; see config/README.md"
    if error.validator == "dependentRequired":
        return f"config: {path}: {error.message}; give both or neither"
    if error.validator == "oneOf" and path.endswith(".start"):
        return f"config: {path}: give exactly one of hub, directory, model and architecture"
    if error.validator == "type":
        return f"config: {path} is {error.instance!r}, but must be of type {error.validator_value}; correct it"
    if error.validator == "enum":
        return f"config: {path} is {error.instance!r}; choose one of {', '.join(map(str, error.validator_value))}"
    return f"config: {path}: {error.message}; see config/README.md"


def _known(name: str, names: Iterable[str], path: str, kind: str) -> None:
    """Raise ``UserError`` unless ``name`` is one of ``names``."""
    names = sorted(names)
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"declared are {', '.join(names) or 'none'}"
        raise UserError(f"config: {path}: {kind} {name!r} is not declared; {hint}")


def _check_references(config: Mapping[str, Any]) -> None:
    """Names that point to nothing, keys that do not fit each other."""
    for name, corpus in config["corpora"].items():
        with error_prefix("config"):
            check_corpus(corpus, name)
    for name, prompts in config["prompts"].items():
        with error_prefix("config"):
            check_prompts(prompts, name)
    for name, tokenizer in config["tokenizers"].items():
        _known(tokenizer["corpus"], config["corpora"], f"tokenizers.{name}.corpus", "corpus")
    for name, model in config["models"].items():
        _check_model(config, name, model)
    for name, scorer in config["scorers"].items():
        if "model" in scorer:
            path, task = f"scorers.{name}.model", "classifier" if scorer["kind"] == "classifier" else "language-model"
            _known(scorer["model"], config["models"], path, "model")
            found = config["models"][scorer["model"]]["task"]
            if found != task:
                raise UserError(f"config: {path}: {scorer['model']!r} is a {found}; choose a {task}")
    for name, sweep in config["sweeps"].items():
        for part in (sweep["origin"], *sweep["directions"].values()):
            for model in part:
                _known(model, config["models"], f"sweeps.{name}", "model")
                if config["models"][model]["task"] != "language-model":
                    raise UserError(f"config: sweeps.{name}: {model!r} is a classifier; combine language models")
        for prompts in sweep["prompts"]:
            _known(prompts, config["prompts"], f"sweeps.{name}.prompts", "prompt set")
        if sweep["space"] == "logits":
            raise UserError(f"config: sweeps.{name}.space: logits is reserved and not available yet; use weights")
    for name, figure in config["figures"].items():
        for sweep in figure["sweeps"]:
            _known(sweep, config["sweeps"], f"figures.{name}.sweeps", "sweep")
            if len(config["sweeps"][sweep]["directions"]) != 1:
                raise UserError(f"config: figures.{name}.sweeps: {sweep!r} is a plane; curves need one direction")
        for index, panel in enumerate(figure["panels"]):
            path = f"figures.{name}.panels.{index}"
            _known(panel["scorer"], config["scorers"], f"{path}.scorer", "scorer")
            _check_statistic(config, panel, f"{path}.statistic")


def _check_model(config: Mapping[str, Any], name: str, model: Mapping[str, Any]) -> None:
    path, start, data = f"models.{name}", model["start"], model.get("data")
    if "tokenizer" in start:
        _known(start["tokenizer"], config["tokenizers"], f"{path}.start.tokenizer", "tokenizer")
    if data is None:
        if "hub" not in start and "directory" not in start:
            raise UserError(f"config: {path}: has no data and training, so start must be hub or directory")
        return
    if "hub" in start or "directory" in start:
        raise UserError(f"config: {path}: declare the model that training starts from as a model of its own")
    _known(data["corpus"], config["corpora"], f"{path}.data.corpus", "corpus")
    corpus = config["corpora"][data["corpus"]]
    classes = class_names(corpus)
    if "class" in data:
        _known(data["class"], classes, f"{path}.data.class", "class")
    if model["task"] == "classifier":
        if "class" in data:
            raise UserError(f"config: {path}.data.class: a classifier needs all classes; remove it")
        if len(classes) < 2:
            raise UserError(f"config: {path}.data.corpus: {data['corpus']!r} has no classes to tell apart; declare them")
    if "model" in start:
        seen = [name]
        while "model" in config["models"][seen[-1]]["start"]:
            parent = config["models"][seen[-1]]["start"]["model"]
            _known(parent, config["models"], f"models.{seen[-1]}.start.model", "model")
            if parent in seen:
                raise UserError(f"config: {path}.start.model: {' <- '.join([*seen, parent])} is a circle; break it")
            seen.append(parent)


def _check_statistic(config: Mapping[str, Any], panel: Mapping[str, Any], path: str) -> None:
    scorer = config["scorers"][panel["scorer"]]
    if scorer["kind"] == "classifier":
        if panel["statistic"] == "score" or panel["statistic"].startswith("p_"):
            return
        known = ["score", "p_<class>"]
    elif scorer["kind"] == "perplexity":
        known = ["continuation_mean", "continuation_corpus", "text_mean", "text_corpus"]
    else:
        known = [f"distinct_{n}" for n in scorer["n"]]
    if panel["statistic"] not in known:
        raise UserError(f"config: {path}: {panel['statistic']!r} is no statistic of {panel['scorer']}; use one of {known}")


def build_sweeps(config: Mapping[str, Any]) -> dict[str, Sweep]:
    """All sweeps of a resolved config. Raises ``UserError`` naming the key of a sweep that is not affine."""
    with error_prefix("config"):
        return {name: build_sweep(name, spec) for name, spec in config["sweeps"].items()}


def check_files(config: Mapping[str, Any]) -> None:
    """Raise ``UserError`` for the first declared data file or local model that is not there."""
    for path, file in _declared_files(config):
        if not Path(file).exists():
            raise UserError(f"config: {path}: no file {file}; correct the path (relative ones start at {Path.cwd()})")
    for name, model in config["models"].items():
        if "directory" in model["start"]:
            with error_prefix(f"config: models.{name}.start.directory"):
                Checkpoint.open(Path(model["start"]["directory"]))


def _declared_files(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, corpus in config["corpora"].items():
        for file in corpus_files(corpus):
            yield f"corpora.{name}", file
    for name, prompts in config["prompts"].items():
        for file in prompt_files(prompts):
            yield f"prompts.{name}.path", file


def check_sweep_models(config: Mapping[str, Any], sweeps: Mapping[str, Sweep]) -> None:
    """Raise ``UserError`` if models of one sweep cannot be combined, as far as that is known before training.

    Fine-tuning keeps shapes and tokenizer, so the ancestors decide: declared architectures are compared as declared,
    local directories by their files. The merge itself checks the actual weights again.
    """
    for sweep in sweeps.values():
        roots = {model: _root(config, model) for model in sweep.models}
        declared = {model: root for model, root in roots.items() if "architecture" in root}
        local = {model: Path(root["directory"]) for model, root in roots.items() if "directory" in root}
        if len(local) > 1:
            with error_prefix(f"config: sweeps.{sweep.name}"):
                check_compatible(local)
        first = next(iter(declared), None)
        for model, root in declared.items():
            for key in ("architecture", "tokenizer"):
                if root[key] != declared[first][key]:
                    raise UserError(
                        f"config: sweeps.{sweep.name}: models {first!r} and {model!r} differ in {key} "
                        f"({declared[first][key]} and {root[key]}) and cannot be combined; declare them alike"
                    )


def _root(config: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    start = config["models"][model]["start"]
    while "model" in start:
        start = config["models"][start["model"]]["start"]
    return start
