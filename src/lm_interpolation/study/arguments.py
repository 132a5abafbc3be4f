"""Arguments of Snakemake, read as it reads them by programs of ours that are given the same."""

import argparse
import contextlib
import io
from collections.abc import Sequence
from typing import Any

from snakemake.cli import parse_args, parse_config
from snakemake.exceptions import WorkflowError

from lm_interpolation.jobs.runtime import UserError


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """What ``arguments`` and the profile set. Raises ``UserError`` if Snakemake does not know them."""
    # It tells of the profile, of which nothing matters here.
    with contextlib.redirect_stderr(io.StringIO()) as told:
        try:
            _, options = parse_args(list(arguments))
        except WorkflowError as error:
            raise UserError(str(error)) from None
        except SystemExit as end:
            # After --help, too.
            if not end.code:
                raise
            # Without the name of the program, which is ours.
            raise UserError(told.getvalue().strip().splitlines()[-1].rpartition(": error: ")[2]) from None
    return options


def config_files(options: argparse.Namespace) -> list[str]:
    """The config files that are read, in this order."""
    return [str(file) for file in options.configfile or ["config/config.yaml"]]


def read_overrides(pairs: Sequence[str] | None) -> dict[str, Any]:
    """What ``--config`` sets. Raises ``UserError`` if that is no list of ``key=value``."""
    try:
        return dict(parse_config(pairs))
    except ValueError as error:
        raise UserError(f"--config {' '.join(pairs or [])}: {error}; write key=value") from None
