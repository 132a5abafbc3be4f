"""Which source code and pinned packages a script depends on, according to its imports.

Snakemake does not see imported modules, and its ``code`` trigger relies on modification times. So the parameters of
each rule include digests of the code and the pins found here: an edit or an upgrade reruns exactly the stages that use
it. (As inputs, a dozen per job, the files would take up much of Snakemake's planning time.)

Digests cover the syntax tree without comments and docstrings, so rewording reruns nothing.
"""

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lm_interpolation.jobs.code import blocks, code_digest, syntax_tree
from lm_interpolation.jobs.places import LOCK, SEARCH_PATH, WORKFLOW

_PACKAGE = "lm_interpolation"
# Modules that only check or keep records: they can fail a job, but never change a result. Editing them, or modules that
# only they import (generation, scoring), does not import and train everything again.
_ASIDE = frozenset({"lm_interpolation.models.probing", "lm_interpolation.jobs.records", "lm_interpolation.data.gated"})
# Import names that differ from the distribution's name.
_DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "huggingface_hub": "huggingface-hub",
    "array_api_compat": "array-api-compat",
    "myst_parser": "myst-docutils",
    "sklearn": "scikit-learn",
}


@functools.cache
def source_modules(script: str) -> tuple[str, ...]:
    """Names of our modules that ``script``, a path below ``workflow/scripts``, imports, directly or not.

    Raises ``ValueError`` for imports that cannot be followed: relative imports, and imports from a package itself.
    """
    return tuple(sorted(_walk(script)[0]))


@functools.cache
def source_digests(script: str) -> dict[str, str]:
    """The script, and its ``source_modules``, each with the first 16 hex digits of the sha256 of its code."""
    paths = {script: _script(script)} | {module: _file(module) for module in source_modules(script)}
    return {name: code_digest(path) for name, path in paths.items()}


def module_digests(modules: Iterable[str]) -> dict[str, str]:
    """Digests of some of our modules (named without the package) and of all of ours that they import.

    For what a job imports by its name, so that ``source_digests`` of its script cannot find it.
    """
    found: dict[str, str] = {}
    for module in modules:
        found |= _module_digests(module)
    return dict(sorted(found.items()))


@functools.cache
def _module_digests(module: str) -> dict[str, str]:
    name = f"{_PACKAGE}.{module}"
    return {found: code_digest(_file(found)) for found in {name, *_reached(_file(name))[0]}}


@functools.cache
def pinned_packages(script: str) -> dict[str, str]:
    """Package to version, from the lock file, for the packages that the script's sources import and their requirements.

    Only packages in ``requirements.in`` count: their many dependencies (for progress bars, downloads, ...) do not
    affect results, and upgrading one must not retrain models.
    """
    pins, requires, direct = _read_lock()
    found: set[str] = set()
    queue = [_DISTRIBUTIONS.get(name, name) for name in _walk(script)[1]]
    while queue:
        package = queue.pop()
        if package in pins and package not in found:
            found.add(package)
            queue.extend(requires.get(package, ()))
    return {package: pins[package] for package in sorted(found & direct)}


def _walk(script: str) -> tuple[set[str], set[str]]:
    """Our modules and the external top-level packages that ``script`` reaches through imports."""
    return _reached(_script(script))


def _reached(path: Path) -> tuple[set[str], set[str]]:
    ours: set[str] = set()
    outside: set[str] = set()
    queue = [path]
    while queue:
        for module in _imports(queue.pop()):
            if module.split(".")[0] != _PACKAGE:
                outside.add(module.split(".")[0])
            elif module not in _ASIDE | ours:
                ours.add(module)
                queue.append(_file(module))
    return ours, outside


def _script(script: str) -> Path:
    return WORKFLOW / "scripts" / script


def _file(module: str) -> Path:
    return (SEARCH_PATH / module.replace(".", "/")).with_suffix(".py")


# Scripts share most modules, so each module is read once.
@functools.cache
def _imports(path: Path) -> frozenset[str]:
    """The modules that a file imports anywhere; our own packages do not count, only their modules."""
    modules: set[str] = set()
    for node in _statements(syntax_tree(path).body):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise ValueError(f"{path}, line {node.lineno}: relative import; write out its package")
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            modules.update(
                within if node.module.split(".")[0] == _PACKAGE and not _file(node.module).exists() else [node.module]
            )
    for module in modules:
        if module.split(".")[0] == _PACKAGE and not _file(module).exists():
            raise ValueError(f"{path}: imports {module}, which is no module of ours; import from the module itself")
    return frozenset(modules)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements of a file, including nested ones. (Most nodes are expressions, which cannot import.)"""
    for statement in body:
        yield statement
        for block in blocks(statement):
            yield from _statements(block)


@functools.cache
def _read_lock() -> tuple[dict[str, str], dict[str, set[str]], set[str]]:
    """Pins, package to required packages, and direct requirements, from the ``# via`` comments of pip-compile."""
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
    # For templates of torch.compile, which nothing here calls.
    requires["torch"].discard("jinja2")
    return pins, requires, direct
