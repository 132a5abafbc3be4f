"""Code that gives the results of earlier code, byte by byte: after such a change no finished study reruns.

Each job's settings hold digests of its code. A change that moves code, or adds what older studies do not use, changes
digests although it changes no result. workflow/same_results.json lists such changes: script, digest of its code now,
and what differed in the code before. The settings of a job then name the code before. An entry holds for exactly the
code that it names; with the next edit it is out of use, and jobs rerun as ever.

``python -m lm_interpolation.study.same_results REVISION SCRIPT...`` writes entries for scripts (paths below
workflow/scripts; none: all) whose results are those of a git revision. That they are is for its user to show: finish a
study with the code of the revision, make it again with this code, and compare (``make verify``).
"""

import functools
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.places import ROOT, WORKFLOW
from lm_interpolation.jobs.settings import CODE, to_text
from lm_interpolation.study.sources import pinned_packages, source_digests

FILE = WORKFLOW / "same_results.json"

Code = Mapping[str, Mapping[str, str]]
"""Packages with their versions, and sources with their digests."""


def code_of(script: str) -> dict[str, dict[str, str]]:
    """The code of ``script``, or that of earlier code that gives the same results, if an entry says so."""
    code = current_code(script)
    entry = _entries().get(script, {}).get(digest(code))
    return code if entry is None else {part: _before(code[part], entry.get(part, {})) for part in CODE}


def current_code(script: str) -> dict[str, dict[str, str]]:
    """The packages and the sources of ``script`` as they are."""
    return dict(zip(CODE, (pinned_packages(script), source_digests(script)), strict=True))


def digest(code: Code) -> str:
    """The first 16 hex digits of the sha256 of ``code``."""
    return hashlib.sha256(to_text(code).encode()).hexdigest()[:16]


def difference(code: Code, before: Code) -> dict[str, dict[str, str | None]]:
    """What to replace in ``code`` to get ``before``; None stands for what was not there."""
    found: dict[str, dict[str, str | None]] = {}
    for part in CODE:
        names = sorted(code[part].keys() | before[part].keys())
        changed = {name: before[part].get(name) for name in names if code[part].get(name) != before[part].get(name)}
        if changed:
            found[part] = changed
    return found


def _before(code: Mapping[str, str], changed: Mapping[str, str | None]) -> dict[str, str]:
    first = next(iter(code), None)
    merged = {name: value for name, value in {**code, **changed}.items() if value is not None}
    # As in ``source_digests``: the script first, then by name.
    order = sorted(merged, key=lambda name: (name != first or "/" not in name, name))
    return {name: merged[name] for name in order}


@functools.cache
def _entries() -> dict[str, dict[str, dict[str, dict[str, str | None]]]]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def scripts() -> list[str]:
    """All scripts of the workflow, as paths below its folder of scripts."""
    folder = WORKFLOW / "scripts"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))


_PRINT_CODE = """
import json, sys
from lm_interpolation.study import settings
print(json.dumps({script: settings._code(script) for script in sys.argv[1:]}))
"""


def code_at(revision: str, chosen: list[str]) -> dict[str, dict[str, dict[str, str]]]:
    """The code of scripts as the settings of jobs name it at a git revision; scripts that it lacks are left out."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
        there = [script for script in chosen if (Path(folder) / "workflow" / "scripts" / script).is_file()]
        command = [sys.executable, "-c", _PRINT_CODE, *there]
        done = subprocess.run(command, cwd=folder, env={"PYTHONPATH": f"{folder}/src"}, capture_output=True, check=True)
    return {script: json.loads(text) for script, text in json.loads(done.stdout).items()}


def main(arguments: list[str]) -> None:
    """Write the entries for a revision and scripts."""
    revision, *named = arguments
    entries = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    for script, before in code_at(revision, named or scripts()).items():
        code = current_code(script)
        entries.pop(script, None)
        if changed := difference(code, before):
            entries[script] = {digest(code): changed}
    lines = [f"{json.dumps(script)}: {json.dumps(entry)}" for script, entry in sorted(entries.items())]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
