"""The corpora and sets of prompts of a resolved configuration, as declarations."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from lm_interpolation.data.data_files import require_file
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.study.kinds.base import Declaration
from lm_interpolation.study.kinds.catalog import AnyCorpus, AnyPrompts
from lm_interpolation.study.kinds.corpora.base import Corpora, Corpus
from lm_interpolation.study.kinds.prompts.base import Prompts
from lm_interpolation.study.kinds.study_config import StudyConfig
from lm_interpolation.study.paths import system_errors

_CORPUS: TypeAdapter[Corpus] = TypeAdapter(AnyCorpus)
_PROMPTS: TypeAdapter[Prompts] = TypeAdapter(AnyPrompts)
# What resolving adds to a share of another corpus.
_RESOLVED = frozenset({"source", "offset", "label", "classes"})


def declared_corpora(config: Mapping[str, Any]) -> Corpora:
    """The corpora of ``config`` by name. Raises ``UserError`` for a key that a source lacks or does not know."""
    return {
        name: _declared(
            _CORPUS,
            {key: value for key, value in spec.items() if "split_from" not in spec or key not in _RESOLVED},
            f"corpora.{name}",
        )
        for name, spec in config["corpora"].items()
    }


def declared_prompts(config: Mapping[str, Any]) -> dict[str, Prompts]:
    """The sets of prompts of ``config`` by name. Raises ``UserError`` as ``declared_corpora`` does."""
    return {name: _declared(_PROMPTS, spec, f"prompts.{name}") for name, spec in config["prompts"].items()}


def check_corpora(corpora: Corpora) -> None:
    """Raise ``UserError`` for the first contradiction in a declared corpus."""
    for name, corpus in corpora.items():
        _check(corpus, f"corpora.{name}", corpora)


def check_declared_files(corpora: Corpora, prompts: Mapping[str, Prompts]) -> None:
    """Raise ``UserError`` for a file of a source that is not there, and for a pointer in its place."""
    entries: dict[str, Corpus | Prompts] = {f"corpora.{name}": corpus for name, corpus in corpora.items()}
    entries |= {f"prompts.{name}": source for name, source in prompts.items()}
    for place, entry in entries.items():
        for key, path in entry.checked_files(place):
            with error_prefix(key), system_errors():
                if not Path(path).is_file() and not Path(path).is_symlink():
                    raise UserError(f"no file {path}; correct the path (relative ones start at {Path.cwd()})")
                require_file(Path(path), key)


def among(corpora: Corpora) -> StudyConfig:
    """What corpora see of their study."""
    return cast(StudyConfig, SimpleNamespace(corpora=corpora))


def _check(declaration: Declaration, key: str, corpora: Corpora) -> None:
    for path, words in declaration.check(among(corpora)):
        raise UserError(f"{key}.{path}: {words}" if path else f"{key}: {words}")


def _declared(adapter: TypeAdapter[Any], spec: Mapping[str, Any], key: str) -> Any:
    try:
        return adapter.validate_python(spec)
    except ValidationError as failed:
        error = failed.errors()[0]
        path, source = ".".join([key, *map(str, error["loc"][1:])]), spec.get("source")
        match error["type"]:
            case "extra_forbidden" if source is None:
                words = ": a corpus that is split from another has no use for it; remove it"
            case "extra_forbidden":
                words = f": source {source} has no use for it; remove it"
            case "missing":
                words = f": missing; source {source} needs it"
            case "words":
                words = error["msg"]
            case _:
                words = f": {error['msg']}"
        raise UserError(f"{path}{words}") from None
