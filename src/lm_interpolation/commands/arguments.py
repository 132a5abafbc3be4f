"""Arguments of Snakemake: our programs take the same arguments and read them as it does."""

import argparse
import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemake.cli import parse_args, parse_config
from snakemake.common import SNAKEFILE_CHOICES
from snakemake.exceptions import WorkflowError

from lm_interpolation.commands.program import Parser
from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.opening import DEFAULT, read_study
from lm_interpolation.study.study import Study

_EPILOG = """\
Give it the arguments that the study is run with, among them --configfile FILE and --directory DIR; all others of
Snakemake are taken, too (snakemake --help). Without --snakefile it takes the Snakefile here, or else that of the
installed package.
"""


class Run:
    """A run of Snakemake, past or future, with ``arguments``.

    Attributes:
        arguments: for Snakemake, relative to the folder where this object is created.
        options: the options that the arguments and the profile set.
        folder: the working directory of its jobs, absolute.
        snakefile: absolute.
        files: the config files in the order in which they are read; relative to ``folder`` if that is the current
            folder.
    """

    def __init__(self, program: str, description: str, arguments: Sequence[str]) -> None:
        """Raises ``UserError`` if Snakemake does not know an argument, or if there is no such folder."""
        if {"-h", "--help"} & set(arguments):
            usage = f"lm-interpolation {program} [argument of Snakemake ...]"
            Parser(program, description, _EPILOG, usage).parse_args(["--help"])
        self.arguments = list(arguments)
        self.options = options = _read(self.arguments)
        self.folder = Path(options.directory or ".").resolve()
        if not self.folder.is_dir():
            raise UserError(f"--directory {options.directory}: no such folder; run the study there first")
        here = next((path for path in SNAKEFILE_CHOICES if path.exists()), None)
        self.snakefile = Path(options.snakefile or here or WORKFLOW / "Snakefile").absolute()
        if not (options.snakefile or here):
            self.arguments += ["--snakefile", str(self.snakefile)]
        files = list(map(str, options.configfile or []))
        if options.directory:
            files = [str(Path(file).absolute()) for file in files]
        self.files = files or [DEFAULT]

    def overrides(self) -> dict[str, Any]:
        """The values of ``--config``. Raises ``UserError`` if it is not a list of ``key=value``."""
        pairs = self.options.config
        try:
            return dict(parse_config(pairs))
        except ValueError as error:
            raise UserError(f"--config {' '.join(pairs or [])}: {error}; write key=value") from None

    def enter(self) -> None:
        """Change to ``folder``."""
        os.chdir(self.folder)

    def study(self) -> Study:
        """The study as the Snakefile reads it. Call this in ``folder``. Raises ``UserError``."""
        for file in self.files:
            if not Path(file).is_file():
                raise UserError(f"{file}: there is no such config file; config/ has those of the included studies")
        config = read_study(self.files, self.overrides())
        try:
            return Study(config, self.files if self.options.configfile else [])
        except UserError as error:
            raise error.at(", ".join(self.files)) from None


def _read(arguments: list[str]) -> argparse.Namespace:
    # Suppresses its message about the profile, which does not matter here.
    with contextlib.redirect_stderr(io.StringIO()) as told:
        try:
            _, options = parse_args(arguments)
        except WorkflowError as error:
            raise UserError(str(error)) from None
        except SystemExit as end:
            # It also exits after --version.
            if not end.code:
                raise
            # Drop the name of the program, which is ours.
            raise UserError(told.getvalue().strip().splitlines()[-1].rpartition(": error: ")[2]) from None
    return options
