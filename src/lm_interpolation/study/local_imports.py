"""A study's own modules that one of its Python files imports; they count as code like the file itself."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from lm_interpolation.jobs.code import parse_code
from lm_interpolation.study.paths import is_file


def with_imports(file: str) -> list[str]:
    """``file``, and the modules beside it that it imports, directly or not. Others are not followed.

    ``file`` runs with its folder first on Python's search path. Imports that happen only at run time (``importlib``)
    are overlooked, and so are those in files that cannot be parsed.
    """
    # A linked file runs at the target of the link.
    start = Path(file).resolve() if Path(file).is_symlink() else Path(file)
    found: list[Path] = [start]
    # The list grows while it is read.
    for path in found:
        if path.suffix == ".py" and is_file(path):
            state = path.stat()
            found += [one for one in _beside(path, start.parent, state.st_mtime_ns, state.st_size) if one not in found]
    return [file, *map(str, found[1:])]


# Planning asks once per line of points.
@functools.cache
def _beside(path: Path, top: Path, modified: int, size: int) -> tuple[Path, ...]:
    """The modules in the folder ``top`` that a file imports."""
    try:
        tree = parse_code(path.read_bytes(), str(path))
    except (SyntaxError, ValueError):
        return ()
    found: dict[Path, None] = {}
    for folder, name in _imports(tree, path, top):
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            module = folder.joinpath(*parts[:length])
            found |= dict.fromkeys(one for one in (module.with_suffix(".py"), module / "__init__.py") if is_file(one))
    return tuple(found)


def _imports(tree: ast.Module, path: Path, top: Path) -> Iterator[tuple[Path, str]]:
    """(folder, dotted name) of everything that may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((top, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = path.parents[node.level - 1] if 0 < node.level <= len(path.parents) else top
            prefix = f"{node.module}." if node.module else ""
            yield from ((folder, f"{prefix}{alias.name}") for alias in node.names if alias.name != "*")
            if node.module:
                yield folder, node.module
