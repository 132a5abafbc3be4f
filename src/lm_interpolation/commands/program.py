"""How a command-line program reads its arguments, runs, and exits."""

import argparse
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from lm_interpolation.jobs.runtime import UserError


class Parser(argparse.ArgumentParser):
    """Arguments of ``lm-interpolation PROGRAM``; a mistake in them prints one line and exits with status 2."""

    def __init__(self, program: str, description: str, epilog: str = "", usage: str | None = None) -> None:
        super().__init__(
            prog=f"lm-interpolation {program}",
            usage=usage,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def add_directory(self) -> None:
        self.add_argument(
            "-d", "--directory", metavar="DIR", help="working directory of the study (default: the present one)"
        )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {in_words_of_make(message)}; {self.prog} --help shows how\n")


def run_program(main: Callable[[Sequence[str]], None], arguments: Sequence[str]) -> NoReturn:
    """Run ``main(arguments)``; user errors and system errors print one line each and exit with status 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Models may write characters that a terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    # On SIGTERM, too, it removes half-written files. It exits silently when nobody reads its output any more.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        main(arguments)
    except UserError as error:
        sys.exit(in_words_of_make(f"error: {error}"))
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    sys.exit(0)


def say(text: str) -> None:
    """Print a line for people on stderr."""
    print(in_words_of_make(text), file=sys.stderr, flush=True)


def in_words_of_make(text: str) -> str:
    """``text`` with options spelled as for ``make steer`` or ``make export`` if one of these was used: ``SWEEP=``."""
    if "ASKED_POINT" not in os.environ:
        return text
    options = r"--(config|study|sweep|point|prompt|to)\b(?: (?=[A-Z]{2}))?"
    return re.sub(options, lambda option: option[1].upper() + "=", text)
