"""Limits on the size of files and functions, and on nesting, so that each can be read at once."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 40
MAX_NESTING = 3

FOLDERS = ("chalicelib", "local", "infra", "bench", "scripts")
PEERS = ROOT / "bench/peers"  # Written as their users write.
FILES = [
    ROOT / "app.py",
    *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if PEERS not in path.parents),
]

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def functions(module: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(module) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Return the lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def nesting(node: ast.AST) -> int:
    """Return how deep blocks are nested in `node`. An elif is as deep as its if; a function inside counts apart."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, nesting(child) + (isinstance(child, BLOCKS) and not is_elif))
    return deepest


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_file_is_within_the_limits(path: pathlib.Path) -> None:
    text = path.read_text()
    module = ast.parse(text)
    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert {f.name: body_lines(f) for f in functions(module) if body_lines(f) > MAX_FUNCTION_LINES} == {}
    assert {f.name: nesting(f) for f in functions(module) if nesting(f) > MAX_NESTING} == {}
    assert nesting(module) <= MAX_NESTING


@pytest.mark.parametrize(
    ("source", "depth"),
    [
        ("def f():\n  for a in b:\n    if a: pass\n    elif b: pass\n    elif c: pass", 2),
        ("def f():\n  for a in b:\n    if a: pass\n    else:\n      if c: pass\n      d()", 3),
        ("def f():\n  try: pass\n  except E:\n    while a:\n      with b: pass", 3),
        ("def f():\n  if a:\n    def g():\n      if b: pass", 1),
    ],
)
def test_nesting_counts_blocks_in_blocks(source: str, depth: int) -> None:
    function = next(functions(ast.parse(source)))
    assert nesting(function) == depth


def test_lines_are_counted_without_the_docstring() -> None:
    (function,) = functions(ast.parse('def f():\n  """One.\n\n  Two.\n  """\n  a = 1\n\n  return a'))
    assert body_lines(function) == 3
