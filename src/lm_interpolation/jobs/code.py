"""Digests of Python code, by its syntax tree: better words change none."""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Fields of a syntax tree that say how the code was written, or (ctx) what its place in the tree says.
_SPELLING = frozenset({"type_comment", "kind", "type_ignores", "ctx"})


@functools.cache
def code_digest(path: Path) -> str:
    """The ``tree_digest`` of a file."""
    return tree_digest(syntax_tree(path))


@functools.cache
def syntax_tree(path: Path) -> ast.Module:
    """The tree of a file (see ``parse_code``)."""
    return parse_code(path.read_bytes(), str(path))


def tree_digest(tree: ast.Module) -> str:
    """The first 16 hex digits of the sha256 of the code in a tree: comments and docstrings do not count."""
    found: list[str] = []
    _add_code(tree, found)
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]


def parse_code(code: bytes, name: str) -> ast.Module:
    """The syntax tree of ``code`` without what only type checkers read: nothing that runs depends on it.

    Raises ``SyntaxError`` or ``ValueError`` if ``code``, called ``name``, is no Python.
    """
    tree = ast.parse(code, name)
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING")
    ]
    return tree


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of statements within a compound statement."""
    for field in ("body", "orelse", "finalbody"):
        yield getattr(statement, field, [])
    for part in (*getattr(statement, "handlers", []), *getattr(statement, "cases", [])):
        yield part.body


def _add_code(value: Any, found: list[str]) -> None:
    """Append a tree as text, the same in every version of Python: without positions, docstrings and empty fields."""
    if isinstance(value, ast.AST):
        kind = type(value)
        found.append(kind.__name__)
        for field in _fields(kind.__name__):
            part = getattr(value, field, None)
            if part is not None and part != []:
                found.append(f"({field}")
                _add_code(part, found)
                found.append(")")
    elif isinstance(value, list):
        for part in value:
            # Docstrings, of attributes too: such a statement does nothing.
            if not (
                isinstance(part, ast.Expr)
                and isinstance(part.value, ast.Constant)
                and isinstance(part.value.value, str)
            ):
                _add_code(part, found)
    else:
        found.append(repr(value))


@functools.cache
def _fields(kind: str) -> tuple[str, ...]:
    """The fields of a kind of node that count."""
    return tuple(field for field in getattr(ast, kind)._fields if field not in _SPELLING)
