"""Corpora and prompts as a study reads them: declared, checked, and made by what the script of the source calls."""

import importlib
from typing import Any

import pandas as pd

from lm_interpolation.data.sources.stream import load_stream as load_declared_stream
from lm_interpolation.study import local_models
from lm_interpolation.study.config import declare
from lm_interpolation.study.kinds.corpora.base import Corpus
from lm_interpolation.study.kinds.prompts.base import Prompts
from lm_interpolation.study.kinds.study_config import StudyConfig

LISTED = {"list": "listed"}
MODELS = {"base": {"task": "language-model", "start": {"hub": "gpt2", "revision": "main"}}}


def study_with(corpora: dict[str, Any], prompts: dict[str, Any]) -> StudyConfig:
    """A study of these corpora and prompts. Raises ``UserError`` for what does not hold."""
    return declare({"study": "own", "models": MODELS, "corpora": corpora, "prompts": prompts}).config


def check_corpus(spec: dict[str, Any], name: str) -> Corpus:
    """The declaration of a corpus. Raises ``UserError`` for what does not hold."""
    return study_with({name: spec}, {}).corpora[name]


def check_prompts(spec: dict[str, Any], name: str) -> Prompts:
    """The declaration of a set of prompts. Raises ``UserError`` for what does not hold."""
    return study_with({}, {name: spec}).prompts[name]


def check_files(corpora: dict[str, Any], prompts: dict[str, Any]) -> None:
    """Look for the files of a study. Raises ``UserError``."""
    local_models.check_files(study_with(corpora, prompts))


def class_names(spec: dict[str, Any]) -> list[str]:
    config = study_with({"mine": spec}, {})
    return config.corpora["mine"].class_names(config)


def corpus_files(spec: dict[str, Any]) -> list[str]:
    return check_corpus(spec, "mine").input_files()


def load_corpus(spec: dict[str, Any], name: str, hub_lock: str | None = None) -> dict[str, pd.DataFrame]:
    config, source = study_with({name: spec}, {}), spec["source"]
    corpus = config.corpora[name]
    load = getattr(importlib.import_module(f"lm_interpolation.data.sources.{source}"), f"load_{source}")
    arguments: list[Any] = [corpus.settings(name, config)["corpus"], name]
    if source == "hub":
        arguments.append(hub_lock)
    if source == "datasets":
        arguments.append(corpus.input_files())
    return load(*arguments)


def load_stream(spec: dict[str, Any], name: str, hub_lock: str | None = None) -> Any:
    config = study_with({name: spec}, {})
    return load_declared_stream(config.corpora[name].settings(name, config)["corpus"], name, hub_lock)


def load_prompts(spec: dict[str, Any], name: str) -> pd.DataFrame:
    prompts = check_prompts(spec, name)
    source = LISTED.get(spec["source"], spec["source"])
    load = getattr(importlib.import_module(f"lm_interpolation.data.prompt_sources.{source}"), f"load_{source}_prompts")
    return load(prompts.settings()["prompts"], name)
