"""How a program of the command line runs, and ends."""

import io
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.texts.steering import in_words_of_make


def run_program(main: Callable[[Sequence[str]], None], arguments: Sequence[str]) -> NoReturn:
    """Run ``main(arguments)``; errors of the user and of the system are one line each."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Models may write what a terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    # Ended by SIGTERM, too, it removes what it has half written; and it ends in silence when nobody reads on.
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
