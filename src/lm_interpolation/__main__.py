"""The command line: ``lm-interpolation PROGRAM ...``, or ``python -m lm_interpolation PROGRAM ...``."""

import sys
from importlib import import_module
from typing import NoReturn

PROGRAMS = {
    "steer": "print continuations at any point of a study's sweeps",
    "export": "write a point as a Hugging Face folder",
    "report": "write the HTML report of a finished study",
    "verify": "compare a finished study with its manifest",
    "resume": "go on with a study whose Snakemake was killed",
    "adopt": "take copied results for what the records beside them say",
    "check": "read config files, and say what is wrong with them",
}
"""Name to what it does; each is ``main`` of a module of ``commands``."""


def main() -> NoReturn:
    """Run the program that the first argument names."""
    program = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if program in ("-h", "--help"):
        lines = [f"  {name:8}{what}" for name, what in PROGRAMS.items()]
        print("\n".join(["usage: lm-interpolation PROGRAM ...", "", *lines, "", "PROGRAM --help says more."]))
        sys.exit(0)
    if program not in PROGRAMS:
        sys.exit(f"error: there is no program {program!r}; choose one of {', '.join(PROGRAMS)}")
    # After the arguments: some import much.
    from lm_interpolation.commands.program import run_program

    run_program(import_module(f"lm_interpolation.commands.{program}").main, sys.argv[2:])


if __name__ == "__main__":
    main()
