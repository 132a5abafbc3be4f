"""Corpora and prompts as a study reads them: declared, checked, and made by what the script of the source calls."""

import importlib
from typing import Any

import pandas as pd

from lm_interpolation.data.sources.stream import load_stream as load_declared_stream
from lm_interpolation.study.corpora import among, check_corpora, declared_corpora, declared_prompts
from lm_interpolation.study.kinds.corpora.base import Corpus
from lm_interpolation.study.kinds.prompts.base import Prompts

LISTED = {"list": "listed"}


def check_corpus(spec: dict[str, Any], name: str) -> Corpus:
    """The declaration of a corpus. Raises ``UserError`` for what does not hold."""
    corpora = declared_corpora({"corpora": {name: spec}})
    check_corpora(corpora)
    return corpora[name]


def check_prompts(spec: dict[str, Any], name: str) -> Prompts:
    """The declaration of a set of prompts. Raises ``UserError`` for what does not hold."""
    return declared_prompts({"prompts": {name: spec}})[name]


def class_names(spec: dict[str, Any]) -> list[str]:
    return check_corpus(spec, "mine").class_names(among({}))


def corpus_files(spec: dict[str, Any]) -> list[str]:
    return check_corpus(spec, "mine").input_files()


def load_corpus(spec: dict[str, Any], name: str, hub_lock: str | None = None) -> dict[str, pd.DataFrame]:
    corpus, source = check_corpus(spec, name), spec["source"]
    load = getattr(importlib.import_module(f"lm_interpolation.data.sources.{source}"), f"load_{source}")
    arguments: list[Any] = [corpus.settings(name, among({}))["corpus"], name]
    if source == "hub":
        arguments.append(hub_lock)
    if source == "datasets":
        arguments.append(corpus.input_files())
    return load(*arguments)


def load_stream(spec: dict[str, Any], name: str, hub_lock: str | None = None) -> Any:
    return load_declared_stream(check_corpus(spec, name).settings(name, among({}))["corpus"], name, hub_lock)


def load_prompts(spec: dict[str, Any], name: str) -> pd.DataFrame:
    prompts = check_prompts(spec, name)
    source = LISTED.get(spec["source"], spec["source"])
    load = getattr(importlib.import_module(f"lm_interpolation.data.prompt_sources.{source}"), f"load_{source}_prompts")
    return load(prompts.settings()["prompts"], name)
