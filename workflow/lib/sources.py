"""Which source files and pinned packages a script depends on, read off its imports.

Snakemake does not see imported modules, and its ``code`` trigger goes by modification times. So the digests of the
files and the pins found here are among the parameters of each rule: an edit or an upgrade reruns exactly the stages
that use it. (Were the files inputs, a dozen for each job, they would take much of the time in which Snakemake plans.)
"""

import ast
import functools
import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The folder of the Snakefile."""

LOCK = ROOT / "requirements.lock"

_PACKAGE = "workflow.lib"
# Modules that only check, or keep records: what they do ends a job or changes nothing. An edit in them, or in what only
# they import (generation, scoring), does not import and train everything again.
_ASIDE = frozenset({"workflow.lib.probing", "workflow.lib.records"})
# Import names that differ from the name of the distribution.
_DISTRIBUTIONS = {"yaml": "pyyaml", "huggingface_hub": "huggingface-hub", "myst_parser": "myst-docutils"}


@functools.cache
def source_files(script: str) -> tuple[str, ...]:
    """Paths, relative to ``ROOT``, of ``workflow/scripts/<script>`` and of the modules it imports, directly or not."""
    return tuple(sorted(_walk(ROOT / "workflow" / "scripts" / script)[0]))


@functools.cache
def source_digests(script: str) -> dict[str, str]:
    """``source_files`` with the first 16 hex digits of each one's sha256."""
    return {file: _digest(ROOT / file) for file in source_files(script)}


@functools.cache
def pinned_packages(script: str) -> dict[str, str]:
    """Package to version, from the lock file, of what the script's sources import and what those packages rest on.

    Only packages of ``requirements.in`` count: the many that come along with them (for progress bars, downloads, ...)
    do not decide on results, and an upgrade of one must not retrain models.
    """
    pins, requires, direct = _read_lock()
    found: set[str] = set()
    queue = [_DISTRIBUTIONS.get(name, name) for name in _walk(ROOT / "workflow" / "scripts" / script)[1]]
    while queue:
        package = queue.pop()
        if package in pins and package not in found:
            found.add(package)
            queue.extend(requires.get(package, ()))
    return {package: pins[package] for package in sorted(found & direct)}


# Many scripts share most modules: each module is read once.
@functools.cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _walk(script: Path) -> tuple[set[str], set[str]]:
    """Our files (relative to ``ROOT``) and the outside top-level packages that ``script`` reaches by imports."""
    files: set[str] = set()
    outside: set[str] = set()
    queue = [script]
    while queue:
        path = queue.pop()
        name = str(path.relative_to(ROOT))
        if name in files:
            continue
        files.add(name)
        for module in _imports(path):
            if module in _ASIDE:
                continue
            if module.startswith(f"{_PACKAGE}."):
                queue.append(ROOT / (module.replace(".", "/") + ".py"))
            else:
                outside.add(module.split(".")[0])
    return files, outside


@functools.cache
def _imports(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(_without_type_checking(ast.parse(path.read_text(), str(path)))):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == _PACKAGE:
            modules.update(f"{_PACKAGE}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return modules


def _without_type_checking(tree: ast.Module) -> ast.Module:
    """``tree`` without what only type checkers read: nothing that runs depends on it."""
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING")
    ]
    return tree


@functools.cache
def _read_lock() -> tuple[dict[str, str], dict[str, set[str]], set[str]]:
    """Pins, package to the packages it requires, and the direct ones, from the ``# via`` comments of pip-compile."""
    pins: dict[str, str] = {}
    requires: dict[str, set[str]] = {}
    direct: set[str] = set()
    package = ""
    for line in LOCK.read_text().splitlines():
        if pin := re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==(\S+)", line):
            package = pin[1].lower()
            pins[package] = pin[2]
        elif line.endswith("-r requirements.in"):
            direct.add(package)
        elif via := re.match(r"\s+#\s+(?:via\s+)?(?!via$)([A-Za-z0-9_.-]+)$", line):
            requires.setdefault(via[1].lower(), set()).add(package)
    # The Trainer runs on accelerate, which transformers declares as an extra.
    requires["transformers"].add("accelerate")
    # Templates of torch.compile, which nothing here calls.
    requires["torch"].discard("jinja2")
    return pins, requires, direct
