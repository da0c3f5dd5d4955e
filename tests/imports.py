"""Which test modules import torch, directly or through a module of initlint or of these tests."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
# Helpers beside the tests, which pytest puts on the path.
HELPERS = {path.stem: path for path in [*TESTS.glob("*.py"), *TESTS.glob("*/*.py")]}
NEEDED = frozenset({"torch", "safetensors", "torchvision", "timm"})  # of no use without torch


@cache
def imports_torch(path: Path) -> bool:
    """True if importing this file imports torch; imports inside functions do not count."""
    left, seen = [path], {path}
    while left:
        names = _names(left.pop())
        if any(name.partition(".")[0] in NEEDED for name in names):
            return True
        new = {file for name in names for file in _files(name)} - seen
        left += new
        seen |= new
    return False


@cache
def _names(path: Path) -> frozenset[str]:
    return frozenset(_imported(ast.parse(path.read_bytes()).body))


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    """The dotted names that these statements import when the module is imported."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # `from package import name` imports package.name too where that is a module.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imported(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))
            yield from _imported(list(inner))


def _files(name: str) -> Iterator[Path]:
    """The files of initlint or of these tests that importing a dotted name runs."""
    first, *rest = name.split(".")
    if first != "initlint":
        if first in HELPERS:
            yield HELPERS[first]
        return
    folder = TESTS.parent / first
    yield folder / "__init__.py"
    for part in rest:
        folder /= part
        files = (folder / "__init__.py", folder.with_suffix(".py"))
        yield from (path for path in files if path.is_file())
