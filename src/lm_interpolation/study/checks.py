"""Constraints between the parts of a study, checked once all references are valid."""

from collections.abc import Iterator, Mapping
from typing import Any

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.model_folders import context_of
from lm_interpolation.study.judged import judged_problems
from lm_interpolation.study.kinds.base import Declaration, Problem
from lm_interpolation.study.kinds.study_config import StudyConfig


def check_entry(config: StudyConfig, section: str, name: str) -> Iterator[str]:
    """Lines on mistakes in one entry whose references are all valid."""
    path = f"{section}.{name}"
    if section in ("models", "sets") and (circle := _circle(config, section, name)):
        yield circle
        return
    if section == "sweeps":
        try:
            config.sweep(name)
        except UserError as error:
            yield from error.lines()
            return
    for place, words in nested_problems(config.section(section)[name], config, path):
        yield f"{place}: {words}"


def nested_problems(declaration: Any, config: StudyConfig, path: str) -> Iterator[Problem]:
    """Mistakes reported by a declaration and those nested in it, each with its full key path."""
    if isinstance(declaration, Declaration):
        for place, words in declaration.check(config):
            yield f"{path}.{place}" if place else path, words
        for name, field in type(declaration).model_fields.items():
            yield from nested_problems(getattr(declaration, name), config, f"{path}.{field.alias or name}")
    elif isinstance(declaration, Mapping):
        for key, value in declaration.items():
            yield from nested_problems(value, config, f"{path}.{key}")
    elif isinstance(declaration, list):
        for number, value in enumerate(declaration):
            yield from nested_problems(value, config, f"{path}.{number}")


def check_whole(config: StudyConfig) -> Iterator[str]:
    """Lines on mistakes in a study whose entries are all valid by themselves."""
    for name, model in config.models.items():
        if model.training:
            root = config.root_of(name)[1]
            yield from block_problems(name, model, context_of(root.architecture_declared()), "is declared")
    for name in config.experts:
        if name in config.models:
            yield f"experts.{name}: a model has this name, too; rename one"
    yield from _table_names(config)
    yield from _precisions(config)
    yield from judged_problems(config)
    if config.generation is None:
        yield from _without_generation(config)


def block_problems(name: str, model: Any, context: int | None, where: str) -> Iterator[str]:
    """Lines on a model that cannot read its training blocks; ``where`` says what sets its ``context``."""
    length = model.training.block_length
    if context is not None and length > context:
        yield (
            f"models.{name}.training.block_length: {length} exceeds the context of {context} tokens that {where}; "
            "lower it"
        )


def _circle(config: StudyConfig, section: str, name: str) -> str | None:
    """A line on models and sets that need each other in a circle, if the entry ``name`` is one or leads to one."""
    key = f".start.{config.models[name].start.KEY}" if section == "models" else ""
    ways = [[(section, name)]]
    seen = {(section, name)}
    while ways:
        way = ways.pop()
        for target in _needed(config, *way[-1]):
            if target in way:
                names = " <- ".join(entry for _, entry in [*way, target])
                return f"{section}.{name}{key}: {names} is a circle; break it"
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return None


def _needed(config: StudyConfig, section: str, name: str) -> list[tuple[str, str]]:
    """(section, name) of the models and sets that a model or a set is made of."""
    if section == "models":
        return config.models[name].start.needs()
    found = config.sets[name]
    return [*(("models", model) for model in found.models or []), *(("sets", other) for other in found.sets or [])]


def _table_names(config: StudyConfig) -> Iterator[str]:
    """Sweeps with texts, analyses and searches share one folder of tables, so names must differ."""
    owners: dict[str, str] = {}
    tables = [(f"sweeps.{name}", name) for name, sweep in config.sweeps.items() if sweep.prompts]
    tables += [
        (f"analyses.{name}", f"{name}{suffix}")
        for name, analysis in config.analyses.items()
        for suffix in analysis.table_suffixes()
    ]
    tables += [(f"searches.{name}", name) for name in config.searches]
    for path, table in tables:
        if table in owners:
            yield f"{path}: its table {table}.csv is that of {owners[table]} too; rename one"
        owners.setdefault(table, path)


def _precisions(config: StudyConfig) -> Iterator[str]:
    """A precision below fp32 must be compared with fp32 in some analysis."""
    compared = {name for analysis in config.analyses.values() for name in analysis.compared_scorers(config)}
    anywhere = any(analysis.COMPARES_PRECISIONS for analysis in config.analyses.values())
    chosen: dict[str, str] = {}
    if config.generation and not anywhere:
        chosen["generation"] = config.generation.precision
    for name, scorer in config.scorers.items():
        if name not in compared and scorer.judge():
            chosen[f"scorers.{name}"] = scorer.precision  # type: ignore[attr-defined]
    for path, precision in chosen.items():
        if precision != "fp32":
            yield (
                f"{path}.precision: {precision} is compared with fp32 nowhere; add an analysis of kind precision on a "
                "sweep that it is used for"
            )


def _without_generation(config: StudyConfig) -> Iterator[str]:
    """Entries that generate texts need the section ``generation``."""
    users = [f"sweeps.{name}" for name, sweep in config.sweeps.items() if sweep.prompts]
    users += [f"analyses.{name}" for name, analysis in config.analyses.items() if analysis.continued_prompts()]
    if users:
        yield f"key 'generation' is missing at the top level; {users[0]} generates texts"
