"""Reading the config of a study from its files, for the workflow and the command-line programs."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError, short_path
from lm_interpolation.study.config import typed_overrides
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.extending import laid_over
from lm_interpolation.study.paths import is_file

DEFAULT = "config/config.yaml"
"""The file that is read where none is named, relative to the working directory."""

PathLike = str | os.PathLike[str]


def read_study(files: Sequence[PathLike], overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The config in ``files``, each laid over the previous ones (see ``extending``).

    ``overrides`` come from ``--config``. ``extends`` is relative to the file that contains it; the result has it
    relative to the working directory. Raises ``UserError`` if a file cannot be read or extends a missing one.
    """
    if list(map(str, files)) == [DEFAULT] and not Path(DEFAULT).is_file():
        raise UserError(f"no {DEFAULT} in {Path.cwd()}; name the file of a study with --configfile")
    config: dict[str, Any] = {}
    for file in files:
        read = read_config(short_path(file))
        if "extends" in read:
            read["extends"] = _found(read["extends"], file)
        config = laid_over(config, read)
    return laid_over(config, typed_overrides(overrides or {}))


def _found(extends: Any, file: PathLike) -> Any:
    """The value of ``extends`` in ``file``, with paths that hold from the working directory."""
    if isinstance(extends, list):
        return [_found(path, file) for path in extends]
    return extended_file(extends, file) if isinstance(extends, str) else extends


def extended_file(extends: str, file: PathLike) -> str:
    """The file that ``file`` extends, relative to the working directory if it lies below.

    If ``file`` is a link, the extended file lies beside the link or beside its target.

    Raises ``UserError`` if it does not exist, with the right spelling if ``extends`` is relative to the working
    directory, as it was until version 0.1.
    """
    folder = Path(file).absolute().parent
    for place in (folder, Path(file).resolve().parent):
        if is_file(path := place / extends):
            return short_path(os.path.normpath(path))
    shown = short_path(file)
    if is_file(extends):
        right = os.path.relpath(extends, folder)
        raise UserError(
            f"{shown}: extends is relative to this file, not to the working directory: write extends: {right}"
        )
    raise UserError(f"{shown}: extends: no file {extends}; correct the path (relative ones start at {folder})")


def anchored(config: Mapping[str, Any], files: Sequence[PathLike]) -> dict[str, Any]:
    """A copy of ``config``, a part of the contents of ``files``, with ``extends`` as in ``read_study``.

    A module gets its config from the importing workflow, which does not say which file it came from. An ``extends``
    that none of the files contains is relative to the working directory.
    """
    extends = config.get("extends")
    origin = next((file for file in reversed(files) if extends in _extended(read_config(file))), None)
    if extends is None or origin is None:
        return dict(config)
    return {**config, "extends": _found(extends, origin)}


def _extended(value: Any) -> Iterator[Any]:
    """All values of ``extends`` anywhere in a config file."""
    if isinstance(value, Mapping):
        yield value.get("extends")
        for item in value.values():
            yield from _extended(item)
