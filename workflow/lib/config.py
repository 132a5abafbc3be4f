"""Reading a study's configuration: schema, defaults, and the checks that a schema cannot express.

Used by the Snakefile, so it imports nothing heavy. Every error names the key path and says what to do.
"""

import copy
import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from workflow.lib.checkpoints import Checkpoint, check_compatible
from workflow.lib.corpora import check_corpus, check_prompts, class_names, corpus_files, prompt_files
from workflow.lib.points import Sweep, build_sweep
from workflow.lib.runtime import UserError, error_prefix

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"

# How people call JSON Schema's types.
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
}


def load_schema() -> dict[str, Any]:
    """The JSON schema of the configuration."""
    with open(SCHEMA) as handle:
        return yaml.safe_load(handle)


def typed_overrides(value: Any) -> Any:
    """``value`` of Snakemake's ``--config`` with numbers and booleans again: nested ones arrive there as text."""
    if isinstance(value, Mapping):
        return {key: typed_overrides(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed_overrides(item) for item in value]
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for number, pattern in ((int, r"[-+]?\d+"), (float, r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")):
        if re.fullmatch(pattern, value):
            return number(value)
    return value


def resolve(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` checked against the schema, with all defaults filled in. Raises ``UserError``."""
    schema = load_schema()
    resolved = copy.deepcopy(dict(config))
    _check_values(resolved, "")
    error = min(Draft202012Validator(schema).iter_errors(resolved), key=_rank, default=None)
    if error is not None:
        raise UserError(_explain(_meant(error)))
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


def _check_values(value: Any, path: str) -> None:
    """Refuse what YAML can write and JSON Schema overlooks: NaN, infinity, and keys that are not strings (``no:``)."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise UserError(f"config: {path or 'the top level'}: key {_show(key)} is no string; put it in quotes")
            _check_values(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_values(item, f"{path}.{index}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"config: {path} is {value}; give a finite number")


def _rank(error: ValidationError) -> tuple[int, list[Any], int]:
    """Order of errors, the most telling first: outer before inner, a misspelt key before the one that it leaves out."""
    path = list(error.absolute_path)
    return len(path), path, {"type": 0, "additionalProperties": 1, "oneOf": 2}.get(str(error.validator), 3)


def _meant(error: ValidationError) -> ValidationError:
    """The error within that alternative of a ``oneOf`` which the value's type and constants (``kind``) single out."""
    while error.validator == "oneOf" and error.context:
        alternatives: dict[Any, list[ValidationError]] = {}
        for inner in error.context:
            alternatives.setdefault(inner.schema_path[0], []).append(inner)
        fitting = [
            errors
            for errors in alternatives.values()
            if not any(inner.validator == "const" or (inner.validator == "type" and not inner.path) for inner in errors)
        ]
        if len(fitting) != 1:
            return error
        error = min(fitting[0], key=_rank)
    return error


def _explain(error: ValidationError) -> str:
    """One line with the key path, what is wrong, and the remedy."""
    path = ".".join(map(str, error.absolute_path)) or "the top level"
    value: Any = error.instance
    wanted: Any = error.validator_value
    shown = _show(value)
    match error.validator:
        case "additionalProperties":
            known = sorted(error.schema["properties"]) if isinstance(error.schema, Mapping) else []
            unknown = sorted(map(str, set(value) - set(known)))[0]
            return f"config: unknown key {unknown!r} at {path}; {_hint(unknown, known, 'known keys:')}"
        case "required":
            missing = next(key for key in wanted if key not in value)
            return f"config: key {missing!r} is missing at {path}; add it (see config/README.md)"
        case "dependentRequired":
            key, missing = next((k, n) for k, needs in wanted.items() if k in value for n in needs if n not in value)
            return f"config: {path}: {key} needs {missing}; add {missing} or remove {key}"
        case "oneOf":
            return f"config: {path}{_explain_alternatives(value, wanted)}"
        case "type":
            return f"config: {path} is {shown}; give {_wanted(value, [wanted] if isinstance(wanted, str) else wanted)}"
        case "enum":
            return f"config: {path} is {shown}; choose one of {', '.join(map(str, wanted))}"
        case "minProperties" | "minItems":
            return f"config: {path} is empty; give at least one"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" as bound:
            words = {"minimum": "at least", "maximum": "at most"}.get(bound) or (
                "more than" if bound == "exclusiveMinimum" else "less than"
            )
            return f"config: {path} is {shown}; give {words} {wanted}"
        case "pattern":
            return f"config: {path}: {shown} is not a name of the form {wanted}; rename it"
        case "not":
            return f"config: {path}: {shown} is a column of the tables; choose another name"
        case "uniqueItems":
            return f"config: {path} is {shown}; list each once"
        case _:
            return f"config: {path}: {error.message}; see config/README.md"


def _explain_alternatives(value: Any, alternatives: Iterable[Mapping[str, Any]]) -> str:
    """What is wrong with a value that fits none of ``alternatives``, or more than one; follows its path."""
    alternatives = list(alternatives)
    if all(alternative.keys() == {"required"} for alternative in alternatives):
        keys = [alternative["required"][0] for alternative in alternatives]
        given = " and ".join(key for key in keys if key in value) or "none"
        return f" has {given}; give exactly one of {', '.join(keys)}"
    types = list(dict.fromkeys(alternative["type"] for alternative in alternatives))
    if not isinstance(value, Mapping) or "object" not in types:
        return f" is {_show(value)}; give {_wanted(value, types)}"
    # Only scorers have several alternatives of one type; `kind` tells them apart.
    kinds = [alternative["properties"]["kind"]["const"] for alternative in alternatives]
    if "kind" not in value:
        return f": key 'kind' is missing; choose one of {', '.join(kinds)}"
    return f".kind is {_show(value['kind'])}; choose one of {', '.join(kinds)}"


def _show(value: Any) -> str:
    """``value`` much as it stands in the file, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _wanted(value: Any, types: list[str]) -> str:
    """Names of the types that ``value`` should have had, with a hint where it only looks like one in YAML."""
    wanted = " or ".join(_TYPES[name] for name in types if name != "integer" or "number" not in types)
    if types == ["string"] and not isinstance(value, list | Mapping | None):
        return f"{wanted} (in quotes)"
    if isinstance(value, str) and {"number", "integer"} & set(types):
        try:
            float(value)
        except ValueError:
            return wanted
        # YAML 1.1 takes 1e-4 for a string: an exponent needs a point before it and a sign.
        return f"{wanted} without quotes" + (", written as 1.0e-4" if "e" in value.lower() else "")
    return wanted


def _hint(name: str, names: Iterable[str], introduction: str) -> str:
    """The name that ``name`` may be a misspelling of, or all of them."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"{introduction} {', '.join(names) or 'none'}"


def _known(name: str, names: Iterable[str], path: str, kind: str) -> None:
    """Raise ``UserError`` unless ``name`` is one of ``names``."""
    names = list(names)
    if name not in names:
        raise UserError(f"config: {path}: {kind} {name!r} is not declared; {_hint(name, names, 'declared:')}")


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
        if scorer["kind"] == "classifier":
            _check_classes(config, name, scorer)
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
        for sweep in figure["sweep_labels"]:
            _known(sweep, figure["sweeps"], f"figures.{name}.sweep_labels", "sweep")
        coordinates = [coordinate for sweep in figure["sweeps"] for coordinate in config["sweeps"][sweep]["directions"]]
        for coordinate in figure["coordinate_labels"]:
            _known(coordinate, coordinates, f"figures.{name}.coordinate_labels", "coordinate")
        for index, panel in enumerate(figure["panels"]):
            path = f"figures.{name}.panels.{index}"
            _known(panel["scorer"], config["scorers"], f"{path}.scorer", "scorer")
            _check_statistic(config, panel, f"{path}.statistic")


def _check_model(config: Mapping[str, Any], name: str, model: Mapping[str, Any]) -> None:
    path, start, data = f"models.{name}", model["start"], model.get("data")
    for key in ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"):
        if key in start.get("architecture", {}):
            raise UserError(f"config: {path}.start.architecture.{key}: the tokenizer decides; remove it")
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
            raise UserError(
                f"config: {path}.data.corpus: {data['corpus']!r} has no classes to tell apart; declare them"
            )
    if "model" in start:
        seen = [name]
        while "model" in config["models"][seen[-1]]["start"]:
            parent = config["models"][seen[-1]]["start"]["model"]
            _known(parent, config["models"], f"models.{seen[-1]}.start.model", "model")
            if config["models"][parent]["task"] == "classifier":
                raise UserError(
                    f"config: models.{seen[-1]}.start.model: {parent!r} is a classifier; start from a language model"
                )
            if parent in seen:
                raise UserError(f"config: {path}.start.model: {' <- '.join([*seen, parent])} is a circle; break it")
            seen.append(parent)
    architecture = _root(config, name).get("architecture", {})
    context = architecture.get("n_positions", architecture.get("max_position_embeddings"))
    if context is not None and model["training"]["block_length"] > context:
        raise UserError(
            f"config: {path}.training.block_length: {model['training']['block_length']} exceeds the context of "
            f"{context} tokens that the architecture declares; lower it"
        )


def _check_classes(config: Mapping[str, Any], name: str, scorer: Mapping[str, Any]) -> None:
    """Check names of classes where they are known: an imported classifier's are in its files only."""
    data = config["models"][scorer["model"]].get("data")
    if data is None:
        return
    for label in scorer.get("labels", {}):
        _known(label, class_names(config["corpora"][data["corpus"]]), f"scorers.{name}.labels", "class")
    for class_name in scorer["weights"]:
        _known(class_name, _classes(config, scorer), f"scorers.{name}.weights", "class")


def _classes(config: Mapping[str, Any], scorer: Mapping[str, Any]) -> list[str]:
    """Names of the classes that a classifier trained here has as a scorer; empty if it is imported."""
    data, labels = config["models"][scorer["model"]].get("data"), scorer.get("labels", {})
    return [labels.get(name, name) for name in class_names(config["corpora"][data["corpus"]])] if data else []


def _check_statistic(config: Mapping[str, Any], panel: Mapping[str, Any], path: str) -> None:
    scorer, statistic = config["scorers"][panel["scorer"]], panel["statistic"]
    if scorer["kind"] == "classifier":
        classes = _classes(config, scorer)
        if not classes and statistic.startswith("p_"):
            return
        known = ["score", *(f"p_{name}" for name in classes or ["<class>"])]
    elif scorer["kind"] == "perplexity":
        known = ["continuation_mean", "continuation_corpus", "text_mean", "text_corpus"]
    else:
        known = [f"distinct_{n}" for n in scorer["n"]]
    if statistic not in known:
        choices = f"choose one of {', '.join(known)}"
        raise UserError(f"config: {path}: {statistic!r} is no statistic of {panel['scorer']}; {choices}")


def build_sweeps(config: Mapping[str, Any]) -> dict[str, Sweep]:
    """All sweeps of a resolved config. Raises ``UserError`` naming the key of a sweep that is not affine."""
    with error_prefix("config"):
        return {name: build_sweep(name, spec) for name, spec in config["sweeps"].items()}


def check_files(config: Mapping[str, Any]) -> None:
    """Raise ``UserError`` for the first declared data file or local model that is not there."""
    for path, file in _declared_files(config):
        if not Path(file).is_file():
            raise UserError(f"config: {path}: no file {file}; correct the path (relative ones start at {Path.cwd()})")
    for name, model in config["models"].items():
        if "directory" in model["start"] and not _is_pickled(Path(model["start"]["directory"])):
            with error_prefix(f"config: models.{name}.start.directory"):
                Checkpoint.open(Path(model["start"]["directory"]))


def _is_pickled(directory: Path) -> bool:
    """Whether weights are there as pickle only: the import reads them, but their headers cannot be looked at."""
    return any(directory.glob("pytorch_model*.bin")) and not any(directory.glob("*.safetensors"))


def _declared_files(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, corpus in config["corpora"].items():
        for file in corpus_files(corpus):
            yield f"corpora.{name}.{'files' if 'files' in corpus else 'path'}", file
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
        local = {model: directory for model, directory in local.items() if not _is_pickled(directory)}
        if len(local) > 1:
            with error_prefix(f"config: sweeps.{sweep.name}"):
                check_compatible(local)
        first, reference = next(iter(declared.items()), ("", {}))
        for model, root in declared.items():
            for key, one, two in _differences(reference, root):
                raise UserError(
                    f"config: sweeps.{sweep.name}: models {first!r} and {model!r} differ in {key} "
                    f"({_show(one)} and {_show(two)}) and cannot be combined; declare them alike"
                )


def _differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(key, value, value) of what two declared architectures with tokenizers do not share."""
    pairs = [({"tokenizer": start["tokenizer"]} | start["architecture"]) for start in (one, two)]
    for key in dict.fromkeys([*pairs[0], *pairs[1]]):
        if pairs[0].get(key) != pairs[1].get(key):
            yield key, pairs[0].get(key), pairs[1].get(key)


def _root(config: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    start = config["models"][model]["start"]
    while "model" in start:
        start = config["models"][start["model"]]["start"]
    return start
