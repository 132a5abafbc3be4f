"""Reading a study's configuration: schema, defaults, and the checks that a schema cannot express.

Used by the Snakefile, so it imports nothing heavy. Every error names the key path and says what to do.
"""

import copy
import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators
from pydantic import TypeAdapter

from lm_interpolation.claims.claim_kinds import KINDS, check_claim, claim_needs
from lm_interpolation.figures.series import check_count
from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_compatible
from lm_interpolation.models.model_folders import check_folder, context_of, model_files, read_json, text_config
from lm_interpolation.models.tokenizer_files import check_same_tokenizer
from lm_interpolation.points.algebra import Point, Sweep, build_sweep, decimal
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.config_values import check_sizes, check_values
from lm_interpolation.study.config_values import show as _show
from lm_interpolation.study.corpora import (
    among,
    check_corpora,
    check_declared_files,
    declared_corpora,
    declared_prompts,
)
from lm_interpolation.study.declared import declared
from lm_interpolation.study.kinds.catalog import AnyScorer
from lm_interpolation.study.kinds.scorers.base import Scorer
from lm_interpolation.study.kinds.study_config import StudyConfig
from lm_interpolation.study.names import check_names

SCHEMA = WORKFLOW / "schemas" / "config.schema.yaml"

# How people call JSON Schema's types.
_SCORER: TypeAdapter[Scorer] = TypeAdapter(AnyScorer)
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
}


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """JSON Schema's ``pattern``: its ``$``, unlike Python's, does not match before a line break at the end."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator = validators.extend(Draft202012Validator, {"pattern": _pattern})


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
        # Of more digits than Python reads: not a number that a setting could have.
        if len(value) < 1000 and re.fullmatch(pattern, value):
            return number(value)
    return value


def resolve(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """``config`` checked against the schema, with all defaults filled in; and what is left out of it, with the reason.

    Left out is what needs a model that the study does not declare: a sweep, and each analysis, search, figure and claim
    that rests on it (key path to reason). So whoever has no second pretrained model deletes it, and keeps the rest. A
    name that resembles a declared one is taken for a misspelling. Raises ``UserError`` for any mistake.
    """
    schema = load_schema()
    resolved = extended(config)
    check_values(resolved, "")
    error = min(_Validator(schema).iter_errors(resolved), key=_rank, default=None)
    if error is not None:
        raise UserError(_explain(_meant(error)))
    check_names(resolved)
    _fill_defaults(resolved, schema, schema)
    _share_out(resolved["corpora"])
    left_out = _leave_out(resolved)
    check_sizes(resolved)
    _check_references(resolved)
    _check_counts(declared(resolved))
    for name, claim in resolved["claims"].items():
        if f"claims.{name}" not in left_out:
            _check_claim_names(resolved, f"claims.{name}", claim)
    return resolved, left_out


def _check_counts(study: StudyConfig) -> None:
    """Raise ``UserError`` for a figure of more series than can be told apart."""
    for name, figure in study.figures.items():
        with error_prefix(f"config: figures.{name}"):
            check_count(figure.series(study))


def extended(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``config`` on top of the file that it ``extends``: mappings key by key, null removes a key."""
    path = config.get("extends")
    if path is None:
        return copy.deepcopy(dict(config))
    if not isinstance(path, str):
        raise UserError(f"config: extends is {_show(path)}; give the path of a file")
    if not Path(path).is_file():
        raise UserError(f"config: extends: no file {path}; correct the path (relative ones start at {Path.cwd()})")
    base = read_config(path)
    if "extends" in base:
        raise UserError(f"{path}: extends another file itself; give a plain configuration")
    own = {key: value for key, value in config.items() if key != "extends"}
    return _merged(base, own)


def _merged(base: Any, own: Any, path: str = "") -> Any:
    if not isinstance(base, Mapping) or not isinstance(own, Mapping):
        return copy.deepcopy(own)
    merged = {}
    # In the order of the base, so that an override does not move what it overrides.
    for key in dict.fromkeys([*base, *own]):
        place = f"{path}.{key}" if path else str(key)
        if key not in own:
            merged[key] = copy.deepcopy(base[key])
        elif own[key] is not None:
            merged[key] = _merged(base.get(key), own[key], place)
        elif key not in base:
            raise UserError(f"config: {place}: null removes nothing; {_hint(str(key), map(str, base), 'there are')}")
    return merged


def _share_out(specs: dict[str, dict[str, Any]]) -> None:
    """Check the corpora, and give each that is split from another the keys of a corpus of its own, in place.

    ``source`` becomes ``split``, ``offset`` is the sum of the shares declared before, and the classes are the parent's.
    Raises ``UserError`` for a corpus that does not hold.
    """
    with error_prefix("config"):
        corpora = declared_corpora({"corpora": specs})
    for name, spec in specs.items():
        if "split_from" in spec and not (spec["split_from"] in corpora and corpora[spec["split_from"]].is_share()):
            whole = [known for known, corpus in corpora.items() if not corpus.is_share()]
            _known(spec["split_from"], whole, f"corpora.{name}.split_from", "corpus")
    with error_prefix("config"):
        check_corpora(corpora)
    for name, spec in specs.items():
        if "split_from" in spec:
            share = corpora[name].settings(name, among(corpora))["corpus"]
            spec |= {"source": "split", "offset": share["offset"]}
            if "classes" in share:
                spec |= {"label": "label", "classes": share["classes"]}


def _leave_out(config: dict[str, Any]) -> dict[str, str]:
    """Remove from ``config`` what needs a model that is not declared; returns key path to reason."""
    left_out: dict[str, str] = {}

    def missing(needs: Iterable[tuple[str, str]]) -> str | None:
        """Why the first of ``needs``, (section, name), that cannot be had cannot be had."""
        for section, name in needs:
            if section != "models":
                if f"{section}.{name}" in left_out:
                    return f"{section}.{name} is left out"
            elif name not in config["models"] and not difflib.get_close_matches(name, config["models"], n=1):
                return f"the study declares no model {name!r}"
        return None

    def sift(path: str, entries: dict[str, Any] | list[str], needs: Callable[[str], Iterable[tuple[str, str]]]) -> None:
        for name in list(entries):
            reason = missing(needs(name))
            if reason:
                left_out[f"{path}.{name}"] = reason
                if isinstance(entries, dict):
                    del entries[name]
                else:
                    entries.remove(name)

    sweeps, analyses, searches, figures = (config[key] for key in ("sweeps", "analyses", "searches", "figures"))
    sift("sweeps", sweeps, lambda name: [("models", model) for model in _models_of_sweep(sweeps[name])])
    # Of analyses of several things, those that can be had; barriers last, which rest on other analyses.
    for name, analysis in analyses.items():
        if analysis["kind"] == "norms":
            needs_of_pair = {label: _pair_models(pair) for label, pair in analysis["pairs"].items()}
            sift(f"analyses.{name}.pairs", analysis["pairs"], needs_of_pair.__getitem__)
    simple = {name: spec for name, spec in analyses.items() if "sweep" in spec}
    sift("analyses", simple, lambda name: [("sweeps", simple[name]["sweep"])])
    compared = {name: spec for name, spec in analyses.items() if spec["kind"] == "texts"}
    sift("analyses", compared, lambda name: [("sweeps", sweep) for sweep in compared[name]["sweeps"]])
    for name, analysis in analyses.items():
        if analysis["kind"] == "barrier":
            sift(f"analyses.{name}.sweeps", analysis["sweeps"], lambda sweep: [("sweeps", sweep)])
            sift(f"analyses.{name}.losses", analysis["losses"], lambda loss: [("analyses", loss)])
    for name, analysis in list(analyses.items()):
        part = {"norms": "pairs", "barrier": "sweeps"}.get(analysis["kind"])
        if part and not analysis[part]:
            left_out[f"analyses.{name}"] = f"nothing is left of its {part}"
        if f"analyses.{name}" in left_out:
            del analyses[name]
    sift("searches", searches, lambda name: [("models", searches[name]["model"])])
    sift("figures", figures, lambda name: _needs_of_figure(figures[name]))
    claims = config["claims"]
    for name, claim in claims.items():
        with error_prefix("config"):
            check_claim(name, claim)
    # Claims stay: a verdict says that they were not tested, and why.
    sift("claims", dict(claims), lambda name: _needs_of_claim(claims[name]))
    return left_out


def _models_of_sweep(sweep: Mapping[str, Any]) -> list[str]:
    return [model for part in (sweep["origin"], *sweep["directions"].values()) for model in part]


def _pair_models(pair: Mapping[str, str]) -> list[tuple[str, str]]:
    return [("models", pair["model"]), ("models", pair["reference"])]


def _needs_of_figure(figure: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, section in (("sweeps", "sweeps"), ("models", "models"), ("searches", "searches")):
        for name in figure.get(key, []):
            yield section, name
    if "sweep" in figure:
        yield "sweeps", figure["sweep"]
    for key in ("analysis", "cost", "texts"):
        if key in figure:
            yield "analyses", figure[key]
    for panel in figure.get("panels", []):
        if "analysis" in panel:
            yield "analyses", panel["analysis"]


def _needs_of_claim(claim: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for section, names in claim_needs(claim).items():
        if section in ("sweeps", "analyses"):
            for name in names:
                yield section, name
    for key in ("pair", "against"):
        if key in claim:
            yield f"analyses.{claim['analysis']}.pairs", claim[key]


def _fill_defaults(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> None:
    """Set the schema's defaults in ``value``, which is valid, in place."""
    schema = _expanded(schema, root)
    for branch in schema.get("oneOf", []):
        if _Validator({**branch, "$defs": root["$defs"]}).is_valid(value):
            _fill_defaults(value, branch, root)
    if isinstance(value, list):
        for item in value:
            _fill_defaults(item, schema.get("items", {}), root)
    if not isinstance(value, dict):
        return
    properties = schema.get("properties", {})
    for key, part in properties.items():
        default = _expanded(part, root).get("default")
        if key not in value and default is not None:
            value[key] = copy.deepcopy(default)
    additional = schema.get("additionalProperties")
    for key in value:
        if key in properties:
            _fill_defaults(value[key], properties[key], root)
        elif isinstance(additional, dict):
            _fill_defaults(value[key], additional, root)


def _expanded(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """``schema`` with the definition that it refers to, if it does."""
    return {**root["$defs"][schema["$ref"].rsplit("/", 1)[1]], **schema} if "$ref" in schema else schema


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
        case "minProperties" | "minItems" | "maxProperties" | "maxItems" as bound:
            found = f"has {len(value)} entries" if len(value) else "is empty"
            count = "one" if wanted == 1 else str(wanted)
            return f"config: {path} {found}; give {'at least' if bound.startswith('min') else 'at most'} {count}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" as bound:
            words = {"minimum": "at least", "maximum": "at most"}.get(bound) or (
                "more than" if bound == "exclusiveMinimum" else "less than"
            )
            return f"config: {path} is {shown}; give {words} {wanted}"
        case "pattern":
            return f"config: {path}: {shown} is not a name of the form {wanted}; rename it"
        case "maxLength":
            return f"config: {path}: {shown} has {len(value)} characters; give at most {wanted}"
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
    # Of several alternatives of one type, `kind` tells which is meant.
    kinds = [alternative["properties"]["kind"]["const"] for alternative in alternatives]
    if "kind" not in value:
        return f": key 'kind' is missing; choose one of {', '.join(kinds)}"
    return f".kind is {_show(value['kind'])}; choose one of {', '.join(kinds)}"


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
    if close:
        return f"did you mean {close[0]!r}?"
    return f"{introduction} {', '.join(names[:40]) or 'none'}{', ...' if len(names) > 40 else ''}"


def _known(name: str, names: Iterable[str], path: str, kind: str) -> None:
    """Raise ``UserError`` unless ``name`` is one of ``names``."""
    names = list(names)
    if name not in names:
        raise UserError(f"config: {path}: {kind} {name!r} is not declared; {_hint(name, names, 'declared:')}")


def _check_references(config: Mapping[str, Any]) -> None:
    """Names that point to nothing, keys that do not fit each other."""
    with error_prefix("config"):
        declared_prompts(config)
    corpora = declared_corpora(config)
    for name, tokenizer in config["tokenizers"].items():
        _known(tokenizer["corpus"], config["corpora"], f"tokenizers.{name}.corpus", "corpus")
        if corpora[tokenizer["corpus"]].is_stream():
            raise UserError(
                f"config: tokenizers.{name}.corpus: {tokenizer['corpus']!r} is a stream; choose a corpus that is stored"
            )
    for name, model in config["models"].items():
        _check_model(config, name, model)
    for name, scorer in config["scorers"].items():
        if "model" in scorer:
            path, task = f"scorers.{name}.model", "classifier" if scorer["kind"] == "classifier" else "language-model"
            _known(scorer["model"], config["models"], path, "model")
            found = config["models"][scorer["model"]]["task"]
            if found != task:
                raise UserError(f"config: {path}: {scorer['model']!r} is a {found}; choose a {task}")
        if scorer["kind"] == "classifier" and (classes := _trained_classes(config, scorer)):
            _check_classes(name, scorer, classes)
    for name, sweep in config["sweeps"].items():
        for model in _models_of_sweep(sweep):
            _known_language_model(config, model, f"sweeps.{name}")
        for prompts in sweep["prompts"]:
            _known(prompts, config["prompts"], f"sweeps.{name}.prompts", "prompt set")
        for scorer in sweep.get("scorers", []):
            _known(scorer, config["scorers"], f"sweeps.{name}.scorers", "scorer")
        for coordinate in sweep["coordinate_labels"]:
            _known(coordinate, sweep["directions"], f"sweeps.{name}.coordinate_labels", "coordinate")
    _check_table_names(config)
    if "nucleus" in config["generation"]:
        _known_language_model(config, config["generation"]["nucleus"], "generation.nucleus")
    for name, analysis in config["analyses"].items():
        _check_analysis(config, f"analyses.{name}", analysis)
    _check_precisions(config)
    for name, search in config["searches"].items():
        _known_language_model(config, search["model"], f"searches.{name}.model")
        if "data" not in config["models"][search["model"]]:
            raise UserError(
                f"config: searches.{name}.model: {search['model']!r} is not trained here; choose one that is"
            )
        for batch_size in search["grid"]["batch_size"]:
            processes = config["models"][search["model"]]["training"]["processes"]
            _check_batch(config, processes, batch_size, f"searches.{name}.grid.batch_size")
    for name in config["quick"]:
        _known(name, config["figures"], "quick", "figure")
    for name, figure in config["figures"].items():
        _check_figure(config, f"figures.{name}", figure)


def _check_table_names(config: Mapping[str, Any]) -> None:
    """Sweeps with texts, analyses and searches share the folder of tables."""
    owners: dict[str, str] = {}
    for section in ("sweeps", "analyses", "searches"):
        for name, spec in config[section].items():
            if section == "sweeps" and not spec["prompts"]:
                continue
            summary = [f"{name}_summary"] if spec.get("kind") == "linearity" else []
            for table in (name, *summary):
                if table in owners:
                    raise UserError(
                        f"config: {section}.{name}: its table {table}.csv is that of {owners[table]} too; rename one"
                    )
                owners[table] = f"{section}.{name}"


def _known_language_model(config: Mapping[str, Any], name: str, path: str) -> None:
    _known(name, config["models"], path, "model")
    if config["models"][name]["task"] != "language-model":
        raise UserError(f"config: {path}: {name!r} is a classifier; choose a language model")


def _known_sweep(config: Mapping[str, Any], name: str, path: str, directions: int, texts: bool = False) -> None:
    """Raise ``UserError`` unless the sweep is declared, with so many directions and, if asked for, with texts."""
    _known(name, config["sweeps"], path, "sweep")
    sweep = config["sweeps"][name]
    if len(sweep["directions"]) != directions:
        has, needed = len(sweep["directions"]), "one direction" if directions == 1 else f"{directions} directions"
        raise UserError(f"config: {path}: {name!r} has {has} directions; choose a sweep of {needed}")
    if texts and not sweep["prompts"]:
        raise UserError(f"config: {path}: sweep {name!r} has no prompts, so there are no texts to score; give it some")


def _in_weights(config: Mapping[str, Any], sweep: str, path: str) -> None:
    if config["sweeps"][sweep]["space"] != "weights":
        raise UserError(f"config: {path}: {sweep!r} is in the space of logits; choose a sweep in that of weights")


def _known_analysis(config: Mapping[str, Any], name: str, path: str, kind: str) -> None:
    _known(name, config["analyses"], path, "analysis")
    found = config["analyses"][name]["kind"]
    if found != kind:
        raise UserError(f"config: {path}: {name!r} is of kind {found}; choose one of kind {kind}")


def _scored(config: Mapping[str, Any], sweep: str, scorer: str, path: str) -> None:
    """Raise ``UserError`` unless the scorer is declared and scores the texts of the sweep."""
    _known(scorer, config["scorers"], path, "scorer")
    if scorer not in config["sweeps"][sweep].get("scorers", config["scorers"]):
        raise UserError(
            f"config: {path}: scorer {scorer!r} does not score sweep {sweep!r}; add it to sweeps.{sweep}.scorers"
        )


def _prompted(config: Mapping[str, Any], sweep: str, prompts: str, path: str) -> None:
    _known(prompts, config["prompts"], path, "prompt set")
    if prompts not in config["sweeps"][sweep]["prompts"]:
        raise UserError(
            f"config: {path}: sweep {sweep!r} has no prompts {prompts!r}; add them to sweeps.{sweep}.prompts"
        )


def _check_analysis(config: Mapping[str, Any], path: str, analysis: Mapping[str, Any]) -> None:
    match analysis["kind"]:
        case "loss":
            _known(analysis["sweep"], config["sweeps"], f"{path}.sweep", "sweep")
            _in_weights(config, analysis["sweep"], f"{path}.sweep")
            _known(analysis["corpus"], config["corpora"], f"{path}.corpus", "corpus")
            corpora = declared_corpora(config)
            if corpora[analysis["corpus"]].is_stream() and analysis["split"] == "test":
                raise UserError(f"config: {path}.split: the stream {analysis['corpus']!r} has no test split; use dev")
            for name in analysis.get("classes", []):
                _known(name, corpora[analysis["corpus"]].class_names(among(corpora)), f"{path}.classes", "class")
        case "next_token":
            _known_sweep(config, analysis["sweep"], f"{path}.sweep", 1)
            _in_weights(config, analysis["sweep"], f"{path}.sweep")
            _on_grid(config, analysis["sweep"], analysis["ends"], f"{path}.ends")
            if len(set(analysis["ends"])) == 1:
                raise UserError(f"config: {path}.ends: both are {analysis['ends'][0]}; choose two values")
        case "linearity":
            _known_sweep(config, analysis["sweep"], f"{path}.sweep", 2)
            _in_weights(config, analysis["sweep"], f"{path}.sweep")
            _known(analysis["prompts"], config["prompts"], f"{path}.prompts", "prompt set")
            if len(Point.of(config["sweeps"][analysis["sweep"]]["origin"]).models) != 1:
                raise UserError(
                    f"config: {path}.sweep: the origin of {analysis['sweep']!r} is no single model; change it"
                )
        case "norms":
            for label, pair in analysis["pairs"].items():
                for key in ("model", "reference"):
                    _known_language_model(config, pair[key], f"{path}.pairs.{label}.{key}")
                if pair["model"] == pair["reference"]:
                    raise UserError(f"config: {path}.pairs.{label}: compares {pair['model']!r} with itself; name two")
        case "cost":
            _known_sweep(config, analysis["sweep"], f"{path}.sweep", 1)
            _in_weights(config, analysis["sweep"], f"{path}.sweep")
            _known(analysis["prompts"], config["prompts"], f"{path}.prompts", "prompt set")
            _on_grid(config, analysis["sweep"], analysis["at"], f"{path}.at")
        case "precision":
            _known_sweep(config, analysis["sweep"], f"{path}.sweep", 1, texts=True)
            _in_weights(config, analysis["sweep"], f"{path}.sweep")
            _prompted(config, analysis["sweep"], analysis["prompts"], f"{path}.prompts")
            _on_grid(config, analysis["sweep"], analysis["at"], f"{path}.at")
            models = judges(config, analysis["sweep"])
            if not models:
                raise UserError(
                    f"config: {path}.sweep: no model scores the texts of {analysis['sweep']!r}; choose another"
                )
            precisions = [config["generation"]["precision"], *(config["scorers"][name]["precision"] for name in models)]
            if set(precisions) == {"fp32"}:
                raise UserError(
                    f"config: {path}: generation and scorers of {analysis['sweep']!r} are all in fp32; remove it, or "
                    "choose another precision there"
                )
        case "texts":
            for sweep in analysis["sweeps"]:
                # The table has a column per sweep, beside these.
                if sweep in ("row", "prompt", "coordinate"):
                    raise UserError(f"config: {path}.sweeps: {sweep!r} is a column of the table; rename that sweep")
                _known_sweep(config, sweep, f"{path}.sweeps", 1, texts=True)
                _prompted(config, sweep, analysis["prompts"], f"{path}.prompts")
                _on_grid(config, sweep, analysis["at"], f"{path}.at")
        case "barrier":
            for sweep in analysis["sweeps"]:
                _known_sweep(config, sweep, f"{path}.sweeps", 1, texts=True)
                _scored(config, sweep, analysis["scorer"], f"{path}.scorer")
                _on_grid(config, sweep, [0, 1], f"{path}.sweeps")
            if config["scorers"][analysis["scorer"]]["kind"] != "perplexity":
                raise UserError(f"config: {path}.scorer: {analysis['scorer']!r} is no scorer of perplexity; choose one")
            for loss in analysis["losses"]:
                _known_analysis(config, loss, f"{path}.losses", "loss")
                _known_sweep(config, config["analyses"][loss]["sweep"], f"{path}.losses", 1)
                _on_grid(config, config["analyses"][loss]["sweep"], [0, 1], f"{path}.losses")
            along = [config["analyses"][loss]["sweep"] for loss in analysis["losses"]]
            if len(set(along)) != len(along):
                raise UserError(f"config: {path}.losses: two are along one sweep; give one of each sweep")


def judges(config: Mapping[str, Any], sweep: str) -> list[str]:
    """Names of the scorers of a sweep that are models."""
    chosen = config["sweeps"][sweep].get("scorers", config["scorers"])
    return [name for name, scorer in config["scorers"].items() if name in chosen and "model" in scorer]


def _check_precisions(config: Mapping[str, Any]) -> None:
    """Raise ``UserError`` if a precision below fp32 is not compared with fp32 anywhere."""
    sweeps = [spec["sweep"] for spec in config["analyses"].values() if spec["kind"] == "precision"]
    compared = {name for sweep in sweeps for name in judges(config, sweep)}
    chosen = {} if sweeps else {"generation": config["generation"]["precision"]}
    for name, scorer in config["scorers"].items():
        if name not in compared:
            chosen[f"scorers.{name}"] = scorer.get("precision", "fp32")
    for path, precision in chosen.items():
        if precision != "fp32":
            raise UserError(
                f"config: {path}.precision: {precision} is compared with fp32 nowhere; add an analysis of kind "
                "precision on a sweep that it is used for"
            )


def _on_grid(config: Mapping[str, Any], sweep: str, values: Iterable[float], path: str) -> None:
    """Raise ``UserError`` unless the sweep of one direction has points at all ``values`` of its coordinate."""
    with error_prefix("config"):
        points = build_sweep(sweep, config["sweeps"][sweep]).points
    known = {entry.coordinates[0][1] for entry in points}
    for value in values:
        if decimal(value) not in known:
            raise UserError(f"config: {path}: {value} is not on the grid of sweep {sweep!r}; add it there")


def _check_figure(config: Mapping[str, Any], path: str, figure: Mapping[str, Any]) -> None:
    match figure["kind"]:
        case "curves":
            for sweep in figure["sweeps"]:
                _known_sweep(config, sweep, f"{path}.sweeps", 1, texts=True)
            for index, panel in enumerate(figure["panels"]):
                for part, where in ((panel, f"{path}.panels.{index}"), (panel.get("x"), f"{path}.panels.{index}.x")):
                    if part:
                        for sweep in figure["sweeps"]:
                            _scored(config, sweep, part["scorer"], f"{where}.scorer")
                        _check_statistic(config, part, f"{where}.statistic")
            prompts = [config["sweeps"][sweep]["prompts"] for sweep in figure["sweeps"]]
            if figure["overlay"] and len(set(prompts[0]).intersection(*prompts)) != 1:
                raise UserError(f"config: {path}.overlay: the sweeps need exactly one prompt set in common; set false")
            if "texts" in figure:
                _known_analysis(config, figure["texts"], f"{path}.texts", "texts")
            if "cost" in figure:
                _known_analysis(config, figure["cost"], f"{path}.cost", "cost")
                if not figure["overlay"]:
                    raise UserError(f"config: {path}.cost: is drawn beside one row of panels; set overlay: true")
        case "plane":
            _known_sweep(config, figure["sweep"], f"{path}.sweep", 2)
            for index, panel in enumerate(figure["panels"]):
                where = f"{path}.panels.{index}"
                if "scorer" in panel:
                    _scored(config, figure["sweep"], panel["scorer"], f"{where}.scorer")
                    _prompted(config, figure["sweep"], panel["prompts"], f"{where}.prompts")
                    _check_statistic(config, panel, f"{where}.statistic")
                else:
                    _check_loss_panel(config, figure["sweep"], panel, where)
                if "centre" in panel and ("limit" in panel or panel["scale"] == "log"):
                    raise UserError(f"config: {where}.centre: goes with scale: linear and without a limit; remove one")
            for index, line in enumerate(figure["lines"]):
                if not any(line["coefficients"].values()):
                    raise UserError(f"config: {path}.lines.{index}.coefficients: are all 0; give one that is not")
            coordinates = config["sweeps"][figure["sweep"]]["directions"]
            for key, part in (("markers", "at"), ("lines", "coefficients")):
                for index, item in enumerate(figure[key]):
                    if set(item[part]) != set(coordinates):
                        raise UserError(
                            f"config: {path}.{key}.{index}.{part}: has {sorted(item[part])}, but the coordinates of "
                            f"{figure['sweep']!r} are {sorted(coordinates)}; name the same"
                        )
        case "training":
            for model in figure["models"]:
                _known_language_model(config, model, f"{path}.models")
                if "data" not in config["models"][model]:
                    raise UserError(f"config: {path}.models: {model!r} is not trained here; choose one that is")
        case "search":
            for search in figure["searches"]:
                _known(search, config["searches"], f"{path}.searches", "search")
        case kind:
            _known_analysis(config, figure["analysis"], f"{path}.analysis", {"words": "next_token"}.get(kind, kind))


def _check_loss_panel(config: Mapping[str, Any], sweep: str, panel: Mapping[str, Any], path: str) -> None:
    _known_analysis(config, panel["analysis"], f"{path}.analysis", "loss")
    analysis = config["analyses"][panel["analysis"]]
    if analysis["sweep"] != sweep:
        raise UserError(
            f"config: {path}.analysis: {panel['analysis']!r} is along sweep {analysis['sweep']!r}, not {sweep!r}; "
            "choose one of this sweep"
        )
    if "classes" in analysis:
        if "class" not in panel:
            raise UserError(f"config: key 'class' is missing at {path}; choose one of {', '.join(analysis['classes'])}")
        _known(panel["class"], analysis["classes"], f"{path}.class", "class")
    elif "class" in panel:
        raise UserError(f"config: {path}.class: {panel['analysis']!r} takes all texts together; remove it")
    _loss_statistic(panel["statistic"], f"{path}.statistic")


def _loss_statistic(statistic: str, path: str) -> None:
    if statistic not in ("nll_text", "nll_token"):
        raise UserError(f"config: {path}: {statistic!r} is no statistic of a loss; choose one of nll_text, nll_token")


def _check_claim_names(config: Mapping[str, Any], path: str, claim: Mapping[str, Any]) -> None:
    needs, kind = claim_needs(claim), KINDS[claim["test"]]
    for analysis in needs["analyses"]:
        _known_analysis(config, analysis, f"{path}.analysis", str(kind.analysis))
        spec = config["analyses"][analysis]
        if "sweep" in spec:
            _known_sweep(config, spec["sweep"], f"{path}.analysis", kind.coordinates)
        for key, names in (("group", spec.get("words")), ("pair", spec.get("pairs")), ("against", spec.get("pairs"))):
            if key in claim and names is not None:
                _known(claim[key], names, f"{path}.{key}", key)
        if "class" in claim:
            _known(claim["class"], spec.get("classes", []), f"{path}.class", "class")
    for key in ("sweep", "than", "other"):
        if key in claim:
            _known_sweep(config, claim[key], f"{path}.{key}", kind.coordinates, texts=True)
    for sweep, prompts, scorer in needs["scores"]:
        _scored(config, sweep, scorer, f"{path}.scorer" if scorer == claim["scorer"] else f"{path}.score.scorer")
        _prompted(config, sweep, prompts, f"{path}.prompts")
        if claim["test"] == "barrier" and config["scorers"][scorer]["kind"] != "perplexity":
            raise UserError(f"config: {path}.scorer: {scorer!r} is no scorer of perplexity; choose one")
    for part, where in ((claim, path), (claim.get("score"), f"{path}.score")):
        if part and "scorer" in part and "statistic" in part:
            _check_statistic(config, part, f"{where}.statistic")


def _check_model(config: Mapping[str, Any], name: str, model: Mapping[str, Any]) -> None:
    path, start, data = f"models.{name}", model["start"], model.get("data")
    for key in ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"):
        if key in start.get("architecture", {}):
            raise UserError(f"config: {path}.start.architecture.{key}: the tokenizer decides; remove it")
    if "tokenizer" in start:
        _known(start["tokenizer"], config["tokenizers"], f"{path}.start.tokenizer", "tokenizer")
    if "special_tokens" in start and (model["task"] == "classifier" or not {"hub", "directory"} & set(start)):
        raise UserError(
            f"config: {path}.start.special_tokens: is for language models from the hub or a directory; those that are "
            "trained from them inherit it; remove it here"
        )
    if data is None:
        if "hub" not in start and "directory" not in start:
            raise UserError(f"config: {path}: has no data and training, so start must be hub or directory")
        return
    if "hub" in start or "directory" in start:
        raise UserError(f"config: {path}: declare the model that training starts from as a model of its own")
    _known(data["corpus"], config["corpora"], f"{path}.data.corpus", "corpus")
    classes = _class_names(config, data["corpus"])
    if "class" in data:
        _known(data["class"], classes, f"{path}.data.class", "class")
    if model["task"] == "classifier":
        if "class" in data:
            raise UserError(f"config: {path}.data.class: a classifier needs all classes; remove it")
        if len(classes) < 2:
            raise UserError(
                f"config: {path}.data.corpus: {data['corpus']!r} has no classes to tell apart; declare them"
            )
    seen = [name]
    while (link := _parent_key(config["models"][seen[-1]]["start"])) is not None:
        parent, where = config["models"][seen[-1]]["start"][link], f"models.{seen[-1]}.start.{link}"
        _known(parent, config["models"], where, "model")
        if config["models"][parent]["task"] == "classifier":
            raise UserError(f"config: {where}: {parent!r} is a classifier; start from a language model")
        if parent in seen:
            raise UserError(f"config: {path}.start.{link}: {' <- '.join([*seen, parent])} is a circle; break it")
        seen.append(parent)
    if model["task"] == "classifier" and model["training"]["processes"] > 1:
        raise UserError(f"config: {path}.training.processes: a classifier trains in one process; remove it")
    _check_batch(config, model["training"]["processes"], model["training"]["batch_size"], f"{path}.training.batch_size")
    _check_block(name, model, context_of(root_of(config, name)[1].get("architecture", {})), "is declared")


def _check_block(name: str, model: Mapping[str, Any], context: int | None, where: str) -> None:
    """Raise ``UserError`` unless a model can read the blocks that it is to be trained on."""
    length = model["training"]["block_length"]
    if context is not None and length > context:
        raise UserError(
            f"config: models.{name}.training.block_length: {length} exceeds the context of {context} tokens that "
            f"{where}; lower it"
        )


def _check_batch(config: Mapping[str, Any], processes: int, batch_size: int, path: str) -> None:
    """Raise ``UserError`` unless a batch can be dealt out to the processes, and in parts to each."""
    at_once = config["compute"]["batch_size"].get("train", 0)
    share, rest = divmod(batch_size, processes)
    if rest or (at_once and share > at_once and share % at_once):
        parts = f"{processes} processes" + (
            f" with {at_once} sequences at once (compute.batch_size.train)" if at_once else ""
        )
        raise UserError(f"config: {path}: {batch_size} cannot be divided over {parts}; choose a multiple")


def _check_classes(name: str, scorer: Mapping[str, Any], classes: Iterable[str], kind: str = "class") -> None:
    """Check names of classes against ``classes``, those of the scorer's model; ``kind`` is how the error calls them."""
    for label in scorer.get("labels", {}):
        _known(label, classes, f"scorers.{name}.labels", kind)
    for class_name in scorer["weights"]:
        _known(class_name, _relabelled(classes, scorer), f"scorers.{name}.weights", kind)


def _class_names(config: Mapping[str, Any], corpus: str) -> list[str]:
    corpora = declared_corpora(config)
    return corpora[corpus].class_names(among(corpora))


def _relabelled(classes: Iterable[str], scorer: Mapping[str, Any]) -> list[str]:
    """``classes`` of the scorer's model by the names that they have as scores."""
    labels = scorer.get("labels", {})
    return [labels.get(name, name) for name in classes]


def _trained_classes(config: Mapping[str, Any], scorer: Mapping[str, Any]) -> list[str]:
    """Names of the classes of a scorer's model that is trained here; empty if it is imported."""
    data = config["models"][scorer["model"]].get("data")
    return _class_names(config, data["corpus"]) if data else []


def _check_statistic(config: Mapping[str, Any], panel: Mapping[str, Any], path: str) -> None:
    scorer, statistic = config["scorers"][panel["scorer"]], panel["statistic"]
    if scorer["kind"] == "classifier":
        classes = _relabelled(_trained_classes(config, scorer), scorer)
        if not classes and statistic.startswith("p_"):
            return
        known = ["score", *(f"p_{name}" for name in classes or ["<class>"])]
    else:
        known = [statistic.name for statistic in _SCORER.validate_python(scorer).statistics()]
    if statistic not in known:
        choices = f"choose one of {', '.join(known)}"
        raise UserError(f"config: {path}: {statistic!r} is no statistic of {panel['scorer']}; {choices}")


def build_sweeps(config: Mapping[str, Any]) -> dict[str, Sweep]:
    """All sweeps of a resolved config. Raises ``UserError`` naming the key of a sweep that is not affine."""
    with error_prefix("config"):
        return {name: build_sweep(name, spec) for name, spec in config["sweeps"].items()}


def check_files(config: Mapping[str, Any]) -> None:
    """Raise ``UserError`` for the first declared data file or local model that is not there or not as declared."""
    with error_prefix("config"):
        check_declared_files(declared_corpora(config), declared_prompts(config))
    for name, scorer in config["scorers"].items():
        for key, words in _SCORER.validate_python(scorer).file_problems():
            raise UserError(f"config: scorers.{name}.{key}: {words}")
    for name, model in config["models"].items():
        if "directory" in model["start"]:
            directory = Path(model["start"]["directory"])
            with error_prefix(f"config: models.{name}.start.directory"):
                settings = check_folder(directory, model["task"])
                if not _is_pickled(directory):
                    Checkpoint.open(directory)
            _check_imported_classes(config, name, directory, settings)
            for trained, spec in config["models"].items():
                if "training" in spec and root_of(config, trained)[0] == name:
                    _check_block(trained, spec, context_of(settings), f"{directory / 'config.json'} names")


def _check_imported_classes(
    config: Mapping[str, Any], model: str, directory: Path, settings: Mapping[str, Any]
) -> None:
    """Check names of classes in the scorers that ``model`` is the judge of, where ``settings``, its own, name them."""
    id2label = settings.get("id2label")
    if id2label:
        for name, scorer in config["scorers"].items():
            if scorer["kind"] == "classifier" and scorer["model"] == model:
                kind = f"class (id2label in {directory / 'config.json'})"
                _check_classes(name, scorer, list(map(str, id2label.values())), kind)


def _is_pickled(directory: Path) -> bool:
    """Whether weights are there as pickle only: the import reads them, but their headers cannot be looked at."""
    return not any(file.suffix == ".safetensors" for file in model_files(directory))


def _has_its_tensors(directory: Path) -> bool:
    """Whether the headers in a folder tell the tensors of the language model that is imported from it."""
    path = directory / "config.json"
    return not _is_pickled(directory) and text_config(read_json(path, ""), path) is None


def check_sweep_models(config: Mapping[str, Any], sweeps: Mapping[str, Sweep]) -> list[str]:
    """Raise ``UserError`` if models of one sweep cannot be combined, as far as that is known before training.

    Fine-tuning keeps shapes and tokenizer, so the ancestors decide: declared architectures are compared as declared,
    local directories by their files. The merge itself checks the actual weights again. Returns lines on how models
    differ in what does not matter.
    """
    notes: list[str] = []
    for sweep in sweeps.values():
        roots = {model: root_of(config, model)[1] for model in sweep.models}
        declared = {model: root for model, root in roots.items() if "architecture" in root}
        local = {model: Path(root["directory"]) for model, root in roots.items() if "directory" in root}
        local = {model: directory for model, directory in local.items() if _has_its_tensors(directory)}
        if len(local) > 1:
            with error_prefix(f"config: sweeps.{sweep.name}"):
                if sweep.space == "weights":
                    check_compatible(local, notes.append)
                else:
                    check_same_tokenizer(local)
        first, reference = next(iter(declared.items()), ("", {}))
        for model, root in declared.items():
            # Logits can be added whatever the architecture.
            counting = (d for d in _differences(reference, root) if sweep.space == "weights" or d[0] == "tokenizer")
            for key, one, two in counting:
                raise UserError(
                    f"config: sweeps.{sweep.name}: models {first!r} and {model!r} differ in {key} "
                    f"({_show(one)} and {_show(two)}) and cannot be combined; declare them alike"
                )
    return list(dict.fromkeys(notes))


def _differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(key, value, value) of what two declared architectures with tokenizers do not share."""
    pairs = [({"tokenizer": start["tokenizer"]} | start["architecture"]) for start in (one, two)]
    for key in dict.fromkeys([*pairs[0], *pairs[1]]):
        if pairs[0].get(key) != pairs[1].get(key):
            yield key, pairs[0].get(key), pairs[1].get(key)


def root_of(config: Mapping[str, Any], model: str) -> tuple[str, Mapping[str, Any]]:
    """The model, and its start, that decides on the architecture and the tokenizer of ``model``."""
    start = config["models"][model]["start"]
    while (key := _parent_key(start)) is not None:
        model = start[key]
        start = config["models"][model]["start"]
    return model, start


def _parent_key(start: Mapping[str, Any]) -> str | None:
    """The key of ``start`` that names another model of the study."""
    return next((key for key in ("model", "architecture_of") if key in start), None)
