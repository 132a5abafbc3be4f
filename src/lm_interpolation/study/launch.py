"""What must hold before Snakemake starts jobs from this folder, whatever its name and whatever ``PYTHONPATH`` holds.

Imported by the Snakefile before all else of ours.
"""

import os
import shlex
import sys
from pathlib import Path

from lm_interpolation.jobs.places import SEARCH_PATH
from lm_interpolation.jobs.runtime import UserError

# Character to why no job runs with it in the name of the folder; any other may be there.
_BARRED = {
    "{": "Snakemake takes what is in braces for a wildcard",
    "}": "Snakemake takes what is in braces for a wildcard",
    os.pathsep: "in Python's search path (PYTHONPATH) a folder ends there",
}


def prepare(folder: str) -> None:
    """Let Snakemake start jobs from ``folder``, that of the Snakefile. Raises ``UserError`` if it cannot.

    Snakemake puts the path of Python into commands of a shell as it is: it gets it quoted here. (On a plain path that
    changes nothing.) Jobs look for this package on ``PYTHONPATH``, which they inherit: its folder is put first there,
    so that no other package of its name is taken for it.
    """
    for character, reason in _BARRED.items():
        if character in folder:
            raise UserError(f"the folder {folder!r} has {character!r} in its name: {reason}; move or rename it")
    # Once: a Snakefile can be read twice, as a module.
    if Path(sys.executable).exists():
        sys.executable = shlex.quote(sys.executable)
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = str(SEARCH_PATH)
    os.environ["PYTHONPATH"] = os.pathsep.join([ours, *(path for path in others if path not in ("", ours))])
