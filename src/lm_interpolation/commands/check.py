"""Say what is wrong with a study's config files before anything is planned: ``lm-interpolation check --help``.

Snakemake reads config files before anything of ours runs. It names neither the file nor the line of a mistake, and some
files make it fail with a traceback.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from lm_interpolation.commands.program import Parser, say
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.opening import DEFAULT, read_study

EXAMPLES = """\
examples:
  lm-interpolation check
  lm-interpolation check config/sst.yaml --files
  lm-interpolation check study.yaml machine.yaml
"""


def main(arguments: Sequence[str]) -> None:
    """Raise ``UserError`` for the first file that cannot be read, or for the mistakes in the study."""
    parser = Parser("check", "Read the config of a study, and say what is wrong with it.", EXAMPLES)
    parser.add_argument(
        "config", nargs="*", metavar="FILE", help=f"each is laid over those before it (default: {DEFAULT})"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--syntax", action="store_true", help="only whether each file can be read")
    what.add_argument("--files", action="store_true", help="also whether data files and local models are there")
    parser.add_directory()
    options = parser.parse_args(arguments)
    files: list[str] = options.config or [DEFAULT]
    if options.directory is not None:
        files = [str(Path(file).absolute()) for file in options.config] or [DEFAULT]
        os.chdir(options.directory)
    if options.syntax:
        for file in files:
            read_config(file)
        return
    config = read_study(files)
    # Imported only now: a file that cannot be read should fail at once.
    from lm_interpolation.study.config import declare
    from lm_interpolation.study.study import Study

    try:
        if options.files:
            study = Study(config, options.config)
            resolved, left_out, sweeps = study.config, study.left_out, study.sweeps
            notes = study.notes
        else:
            declared, resolved, left_out = declare(config)
            sweeps, notes = declared.built_sweeps(), []
    except UserError as error:
        raise error.at(", ".join(files)) from None
    for path, reason in left_out.items():
        say(f"{path} is left out: {reason}")
    for note in notes:
        say(note)
    points = len({(sweep.space, entry.point) for sweep in sweeps.values() for entry in sweep.points})
    print(f"{', '.join(files)}: study {resolved['study']}, {len(resolved['models'])} models, {points} points")
