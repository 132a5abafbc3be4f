"""Opening the study for ``steer`` and ``export``, and announcing it."""

import os
from collections.abc import Sequence
from pathlib import Path

from lm_interpolation.commands.program import Parser, say
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config import declare
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.opening import DEFAULT, read_study
from lm_interpolation.texts.steering import OpenStudy, Place, describe_place

CONFIGS = Path("config")
"""Where the files of studies lie, relative to the working directory, as all paths of a study."""


class PointParser(Parser):
    """The arguments that ``steer`` and ``export`` share."""

    def __init__(self, program: str, description: str, examples: str) -> None:
        super().__init__(program, description, f"examples:\n{examples}")
        study = self.add_mutually_exclusive_group()
        study.add_argument(
            "--config",
            nargs="+",
            default=[],
            metavar="FILE",
            help=f"the study's file, or several, each laid over those before it (default: {DEFAULT})",
        )
        study.add_argument("--study", metavar="NAME", help="name of a study, whose file lies in config/")
        self.add_argument("--results", metavar="DIR", help="folder of the study's results (default: results/<study>)")
        self.add_directory()
        self.add_argument("--sweep", metavar="NAME", help="default: the first one with the coordinates of the point")


def open_study(
    files: Sequence[str] = (), name: str | None = None, results: str | None = None, directory: str | None = None
) -> OpenStudy:
    """The study in ``files``, or the one called ``name`` in the folder ``config``; by default the embedded one.

    Each file is laid over those before it.
    ``results`` is the folder of its results, by default ``results/<study>``. ``directory`` becomes the working
    directory, to which paths in the config are relative; the other paths are relative to the current directory. Data
    files need not exist. Raises ``UserError`` if no file, or more than one, declares such a study, or if the config is
    invalid.
    """
    if directory is not None:
        files = [str(Path(file).absolute()) for file in files]
        results = None if results is None else str(Path(results).absolute())
        os.chdir(directory)
    paths = tuple(map(Path, files)) or (_file_of(name) if name else Path(DEFAULT),)
    for path in paths:
        if not path.is_file():
            known = _known_studies()
            raise UserError(f"{path}: no such file; give a study's file with --config (studies here: {known})")
    config = read_study(paths)
    try:
        declared, plain, left_out = declare(config)
    except UserError as error:
        raise error.at(", ".join(map(str, paths))) from None
    folder = Path(results) if results else Path("results", declared.study)
    return OpenStudy(paths, declared, plain, left_out, declared.built_sweeps(), folder)


def _studies() -> tuple[list[tuple[str, Path]], list[str]]:
    """(name, file) of the studies in the folder ``config``, and the errors of files that cannot be read."""
    declared, broken = [], []
    for path in sorted(CONFIGS.glob("*.yaml")):
        try:
            name = read_config(path).get("study")
        except UserError as error:
            broken.append(str(error))
            continue
        if name is not None:
            declared.append((str(name), path))
    return declared, broken


def _known_studies() -> str:
    declared, broken = _studies()
    known = ", ".join(f"{name} ({path})" for name, path in declared) or f"none in {CONFIGS.absolute()}"
    return "; ".join([known, *broken])


def _file_of(name: str) -> Path:
    files = [path for study, path in _studies()[0] if study == name]
    if not files:
        raise UserError(f"no study {name!r} in {CONFIGS}/*.yaml; there are: {_known_studies()}")
    if len(files) > 1:
        raise UserError(f"study {name!r} is declared in {' and '.join(map(str, files))}; choose one with --config")
    return files[0]


def announce(study: OpenStudy, places: Sequence[Place]) -> None:
    """Print what was requested, and where it comes from."""
    say(f"study {study.name} ({study.file}), models in {study.results / 'models'}")
    for place in places:
        say(describe_place(study, place))
    for others in dict.fromkeys(place.others for place in places if place.others):
        say(f"also with these coordinates: {', '.join(others)} (choose with --sweep)")
