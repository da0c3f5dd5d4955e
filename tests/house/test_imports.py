"""What imports what: rooms import downwards only, and no file imports in a circle."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "initlint"
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imported(statement: ast.stmt) -> set[str]:
    """The files of the package that a statement imports."""
    if isinstance(statement, ast.Import):
        return {alias.name for alias in statement.names} & FILES.keys()
    if isinstance(statement, ast.ImportFrom) and statement.module in FILES:
        inner = {f"{statement.module}.{alias.name}" for alias in statement.names}
        # A name of a package may be one of its files.
        return (
            inner & FILES.keys()
            if inner <= FILES.keys()
            else {statement.module} | inner & FILES.keys()
        )
    return set()


def imports(name: str, everywhere: bool) -> set[str]:
    """The files that a file imports: when it is imported itself, or anywhere in it."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else tree.body
    return {found for node in nodes for found in imported(node)} - {name}


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def test_no_file_imports_itself_through_others():
    graph = {name: imports(name, everywhere=False) for name in FILES if room(name)}
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", ["pipeline", "profile"])
def test_no_file_of_a_room_imports_itself_even_from_within_functions(name):
    inside = {file for file in FILES if room(file) == name}
    graph = {file: imports(file, everywhere=True) & inside for file in inside}
    list(TopologicalSorter(graph).static_order())


def test_rooms_import_downwards():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text.partition("## The life")[0], re.MULTILINE)
    rooms = {room(name) for name in FILES} - {"", "__main__", "_version"}
    assert set(table) == rooms
    upwards = {
        (name, found)
        for name in FILES
        if room(name) in rooms
        for found in imports(name, everywhere=True)
        if room(found) in rooms and table.index(room(found)) < table.index(room(name))
    }
    assert upwards == set()


def test_the_rooms_of_reading_are_those_that_the_page_describes():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)/` \|", text.partition("## Inside `reading/`")[2], re.MULTILINE)
    inner = {
        path.name for path in (PACKAGE / "reading").iterdir() if (path / "__init__.py").exists()
    }
    assert set(table) == inner


# The version is written when the package is built.
@pytest.mark.parametrize("name", sorted(FILES.keys() - {"initlint._version"}))
def test_the_first_line_says_what_lives_in_a_file(name):
    assert ast.get_docstring(ast.parse(FILES[name].read_text(encoding="utf-8")))
