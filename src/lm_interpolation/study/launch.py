"""Preparation and checks before Snakemake starts jobs, wherever this workflow lies and whoever imports it.

Only the Snakefile imports this module.
"""

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.jobs.places import FROM_SOURCE, SEARCH_PATH
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config import with_typed_overrides
from lm_interpolation.study.opening import anchored

if TYPE_CHECKING:
    # It cannot be the first import from Snakemake: it imports itself.
    from snakemake.workflow import Workflow

TRIGGERS = frozenset({"input", "mtime", "params"})
"""What makes jobs run again, as the profiles set it."""

# Character to the reason why no job runs if a folder's name contains it; all others are allowed.
_BARRED = {
    "{": "Snakemake takes what is in braces for a wildcard",
    "}": "Snakemake takes what is in braces for a wildcard",
    os.pathsep: "in Python's search path (PYTHONPATH) a folder ends there",
}


def prepare(folder: str) -> None:
    """Let Snakemake start jobs of the workflow in ``folder``, a path or a URI. Raises ``UserError`` if it cannot.

    Snakemake inserts the path of Python into shell commands without quotes, so it is quoted here. (A plain path does
    not change.) Jobs of a checkout find this package on ``PYTHONPATH``, which they inherit: its folder comes first
    there, so that no other package of the same name is found instead.
    """
    for path in (folder, str(SEARCH_PATH)) if Path(folder).is_absolute() else (str(SEARCH_PATH),):
        for character, reason in _BARRED.items():
            if character in path:
                named = next(
                    str(part) for part in [*reversed(Path(path).parents), Path(path)] if character in str(part)
                )
                raise UserError(f"the folder {named!r} has {character!r} in its name: {reason}; move or rename it")
    # Only once: as a module, a Snakefile can be read twice.
    if Path(sys.executable).exists():
        sys.executable = shlex.quote(sys.executable)
    # Not site-packages: packages there must not hide Python's own modules.
    if FROM_SOURCE:
        others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        ours = str(SEARCH_PATH)
        os.environ["PYTHONPATH"] = os.pathsep.join([ours, *(path for path in others if path not in ("", ours))])


def module_config(workflow: "Workflow", config: Mapping[str, Any]) -> dict[str, Any]:
    """The config that another workflow gives to this one, its module. Raises ``UserError`` if it gives none."""
    if not config:
        raise UserError(
            f"module {workflow.modifier.namespace}: no study; add config: config, or the part of it that declares one"
        )
    return anchored(with_typed_overrides(config, workflow.config_settings.config), workflow.configfiles)


def move_results(workflow: "Workflow", top: str) -> str:
    """The folder into which a module's ``prefix`` or ``replace_prefix`` moves the results in ``top``.

    Snakemake would put the prefix before all paths, including data and models of the importing workflow. So from here
    on it leaves paths alone, and paths of results begin with the returned folder.
    """
    from snakemake.path_modifier import PathModifier

    moved = workflow.modifier.path_modifier.replace_prefix(top)
    workflow.modifier.path_modifier = PathModifier(None, None, workflow)
    return moved


def odd_triggers(folder: str) -> Iterator[str]:
    """A line if the rerun triggers differ from those of our profiles, which do not come along with a module.

    Raises ``UserError`` if they would make Snakemake fail with a traceback; ``folder`` is the Snakefile's. The triggers
    come from the command line, because Snakemake sets them only after reading the Snakefile.
    """
    if "snakemake" not in Path(sys.argv[0]).parts[-2:]:
        return
    from snakemake.cli import parse_args

    # It names the profile again.
    with contextlib.redirect_stderr(io.StringIO()):
        _, options = parse_args(sys.argv[1:])
    triggers = {str(trigger) for trigger in options.rerun_triggers}
    if "code" in triggers and folder.startswith("git+file:"):
        # LocalGitFile.join of Snakemake 9.27.
        raise UserError(
            f"{folder}: Snakemake cannot look for changed code in a module of git+file; copy profiles/default, or "
            "give --rerun-triggers input mtime params"
        )
    if triggers != TRIGGERS:
        yield (
            f"jobs run again for {', '.join(sorted(triggers))}; this workflow needs {', '.join(sorted(TRIGGERS))}: "
            "take over profiles/default, or give --rerun-triggers input mtime params"
        )
