"""A Python whose programs start with the heavy packages already imported, for tests that start many programs.

A job of a tiny study computes for a tenth of a second, and imports torch and transformers for four; a dry run imports
Snakemake for one. ``install`` writes a launcher that takes the place of ``sys.executable``: it asks a server
(``server.py``), which has imported these packages once, to fork, and passes arguments, environment, working directory
and standard streams on, signals to the child, and its exit status back. Modules of this repository are not imported
beforehand: each child imports those of its own study.

It differs from a separate Python in the parent (``os.getppid``), the session, the hash seed, and inherited files other
than the standard streams. Tests that depend on these, on faults at start (``sitecustomize``) or on kills do not use it;
the launcher itself runs the real Python if it sees a ``sitecustomize`` or options that it does not know.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent


def install(folder: Path) -> Path:
    """Write the launcher into ``folder``, where its servers keep their sockets; returns its path.

    Servers start when they are first needed and end with this process.
    """
    launcher = folder / "python"
    settings = {
        "PYTHON": sys.executable,
        "SERVER": str(HERE / "server.py"),
        "FOLDER": str(folder),
        "TESTS": os.getpid(),
    }
    lines = [f"{name} = {value!r}" for name, value in settings.items()]
    code = (HERE / "launcher.py").read_text(encoding="utf-8")
    launcher.write_text("\n".join([f"#!{sys.executable} -IS", *lines, code]), encoding="utf-8")
    launcher.chmod(0o755)
    return launcher
