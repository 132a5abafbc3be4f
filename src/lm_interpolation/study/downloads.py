"""What can be downloaded for studies, which the file config/data.yaml declares, and which of it a study lacks.

It is no part of a study: a study names files, wherever they come from, and whoever has them links them. So what is
declared here concerns every study that names one of these files, and no job depends on it.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from annotated_types import MinLen
from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from lm_interpolation.jobs.runtime import UserError, short_path
from lm_interpolation.study.config import Problems
from lm_interpolation.study.config_errors import describe
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.config_values import check_values, show
from lm_interpolation.study.kinds.base import Declaration, Maybe, Name, Text
from lm_interpolation.study.kinds.corpora.base import Corpus
from lm_interpolation.study.kinds.prompts.base import Prompts
from lm_interpolation.study.kinds.study_config import StudyConfig

DOWNLOADS = "config/data.yaml"
"""The file with the declarations, relative to the working directory, as all paths of a study."""


def _words(text: str) -> PydanticCustomError:
    return PydanticCustomError("words", text.replace("{", "{{").replace("}", "}}"))


def _web(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or not PurePosixPath(parts.path).name:
        raise _words(f" is {show(url)}; give the address of a file, https://...")
    return url


def _digest(digest: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise _words(f" is {show(digest)}; give 64 hex digits in lower case, as sha256sum prints them")
    return digest


def _inside(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.name:
        raise _words(f": {show(path)} leads out of the working directory; give the path of a file in it")
    return path


Inside = Annotated[str, AfterValidator(_inside)]
"""The path of a file below the working directory."""


class Download(Declaration):
    """One file on the web, and the files of studies that are made of it."""

    ONE_OF: ClassVar[tuple[str, ...]] = ("path", "members", "tables")

    url: Annotated[str, AfterValidator(_web)] = Field(description="Address of the file.")
    sha256: Maybe[Annotated[str, AfterValidator(_digest)]] = Field(
        default=None,
        description="Its sha256; a file with another one is refused, and only with it a download continues.",
    )
    path: Maybe[Inside] = Field(default=None, description="Where the file goes as it is.")
    members: Maybe[Annotated[dict[Inside, Text], MinLen(1)]] = Field(
        default=None, description="Files to the members of the zip or tar archive that they are."
    )
    tables: Maybe[Annotated[dict[Inside, Text], MinLen(1)]] = Field(
        default=None,
        description=(
            "Files to folders of the archive with one text per file, called <id>_<rating>.txt; the file is their table."
        ),
    )

    def outputs(self) -> list[str]:
        """The files that are made of it."""
        return [self.path] if self.path is not None else [*(self.members or {}), *(self.tables or {})]


class DataSet(Declaration):
    """Files that belong together: one source, one licence."""

    about: Text = Field(description="What it is, and its page.")
    licence: Text = Field(description="Its licence, shown before a download.")
    files: Annotated[list[Download], MinLen(1)] = Field(description="Its downloads.")


class Catalogue(Declaration):
    """All that can be downloaded."""

    downloads: dict[Name, DataSet] = Field(description="Data sets by name.")

    def origins(self) -> dict[str, tuple[str, Download]]:
        """File (its normalised path) to the name of its data set and the download that it is made of."""
        return {
            os.path.normpath(path): (name, download)
            for name, dataset in self.downloads.items()
            for download in dataset.files
            for path in download.outputs()
        }


def read_catalogue(file: str | os.PathLike[str]) -> Catalogue:
    """The declarations in ``file``. Raises ``UserError`` if it cannot be read, or for mistakes in it."""
    content = read_config(file)
    lines = check_values(content, "")
    if not lines:
        try:
            catalogue = Catalogue.model_validate(content)
        except ValidationError as error:
            lines = describe(error.errors(include_url=False), Catalogue)
        else:
            lines = list(_twice(catalogue))
    if lines:
        raise UserError(*lines).at(str(file))
    return catalogue


def _twice(catalogue: Catalogue) -> Iterator[str]:
    owners: dict[str, str] = {}
    for name, dataset in catalogue.downloads.items():
        for number, download in enumerate(dataset.files):
            place = f"downloads.{name}.files.{number}"
            for path in map(os.path.normpath, download.outputs()):
                if path in owners:
                    yield f"{place}: {path} is made by {owners[path]} already; remove it from one"
                owners[path] = place


def make_data(files: Sequence[str | os.PathLike[str]]) -> str:
    """The command that downloads what the study in these config files lacks; without files, the embedded one."""
    named = " ".join(map(short_path, files))
    return "make data" + (f' CONFIG="{named}"' if len(files) > 1 else f" CONFIG={named}" if files else "")


def downloadable() -> frozenset[str]:
    """The normalised paths of all files that ``DOWNLOADS`` declares; none without such a file. Raises ``UserError``."""
    return frozenset(read_catalogue(DOWNLOADS).origins()) if Path(DOWNLOADS).is_file() else frozenset()


def lacking(config: StudyConfig) -> dict[str, str]:
    """Files that corpora and prompts name and that are not there, each with the first key path that names it.

    Raises ``UserError`` for a folder or glob of documents without files, which cannot be downloaded.
    """
    problems = Problems([])
    found: dict[str, str] = {}

    def look(key: str, declared: Corpus | Prompts) -> None:
        for place, path in declared.checked_files(key):
            # A link that leads nowhere is somebody's mistake, which the study's own check names.
            if not Path(path).exists() and not Path(path).is_symlink():
                found.setdefault(path, place)

    for name, corpus in config.corpora.items():
        problems.keep(look, f"corpora.{name}", corpus)
    for name, prompts in config.prompts.items():
        problems.keep(look, f"prompts.{name}", prompts)
    if problems.lines:
        raise UserError(*problems.lines)
    return found


def chosen(missing: Mapping[str, str], file: str | os.PathLike[str]) -> dict[str, tuple[DataSet, list[Download]]]:
    """The data sets that ``file`` declares and the ``missing`` files need, with the downloads for these.

    ``missing`` is as ``lacking`` returns it. Raises ``UserError`` for files that no download makes, one line each.
    """
    if not missing:
        return {}
    if not Path(file).exists() and Path(file) != Path(DOWNLOADS):
        raise UserError(f"config: {file}: no such file; correct --downloads")
    catalogue = read_catalogue(file) if Path(file).exists() else Catalogue(downloads={})
    origins = catalogue.origins()
    alone = [(path, key) for path, key in missing.items() if os.path.normpath(path) not in origins]
    if alone:
        remedy = f"and {file} declares no download of it: put it there, correct the path, or declare it"
        raise UserError(*(f"config: {key}: no file {path}, {remedy}" for path, key in alone))
    needed = {os.path.normpath(path) for path in missing}
    return {
        name: (dataset, files)
        for name, dataset in catalogue.downloads.items()
        if (files := [download for download in dataset.files if needed & {*map(os.path.normpath, download.outputs())}])
    }
