"""The command line: ``lm-interpolation PROGRAM ...``, or ``python -m lm_interpolation PROGRAM ...``."""

import sys
from importlib import import_module
from typing import NoReturn

from lm_interpolation import __version__

PROGRAMS = {
    "data": "download the data and models that a study lacks",
    "steer": "print continuations at any point of a study's sweeps",
    "export": "write a point as a Hugging Face folder",
    "report": "write the HTML report of a finished study",
    "verify": "compare a finished study with its manifest",
    "resume": "go on with a study whose Snakemake was killed",
    "adopt": "take copied results for what the records beside them say",
    "check": "read the config of a study, and say what is wrong with it",
    "import-mergekit": "translate a mergekit configuration to a sweep",
}
"""Name to what it does; each is ``main`` of a module of ``commands``, which has ``_`` for ``-``."""

_USAGE = "\n".join(
    [
        "usage: lm-interpolation PROGRAM ...",
        "",
        *(f"  {name:17}{what}" for name, what in PROGRAMS.items()),
        "",
        "lm-interpolation PROGRAM --help says more; --version prints the version.",
        "Status: 0 if all went well, 1 after an error, 2 if the arguments are wrong, 128 + its number after a signal.",
    ]
)


def main() -> NoReturn:
    """Run the program that the first argument names."""
    program = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if program in ("-h", "--help", "--version"):
        print(f"lm-interpolation {__version__}" if program == "--version" else _USAGE)
        sys.exit(0)
    if program not in PROGRAMS:
        print(f"error: there is no program {program!r}; choose one of {', '.join(PROGRAMS)}", file=sys.stderr)
        sys.exit(2)
    # After the arguments: some import much.
    from lm_interpolation.commands.program import run_program

    run_program(import_module(f"lm_interpolation.commands.{program.replace('-', '_')}").main, sys.argv[2:])


if __name__ == "__main__":
    main()
