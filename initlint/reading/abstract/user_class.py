"""A class of the files read, as a value: its members, and the facts computed so far."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Function, Instance, around
from initlint.reading.abstract.values import External, Kind, Value
from initlint.reading.sources.resolve import Module


@dataclass(slots=True, eq=False, repr=False)
class UserClass(Kind):
    """A class of the files read, with facts about it that were computed so far.

    `used` is True after another class was seen to instantiate it. `altered` is True if code beside
    its constructor may fill what it makes, and None before anybody has asked.
    """

    node: ast.ClassDef
    module: Module
    closure: Frame | None
    members: dict[str, ast.AST] = field(default_factory=dict)
    order: list[Value] | None = None
    outside: list[External] | None = None
    torch: str | None = None
    stranger: str | None = None
    used: bool = False
    altered: bool | None = None
    made: list[Instance] = field(default_factory=list)
    functions: dict[int, Function] = field(default_factory=dict)

    def parts(self) -> Sequence[Value]:
        """The values that its methods use from the functions around the class."""
        return around(self.node, self.closure)

    def truth(self) -> bool | None:
        return True

    @property
    def name(self) -> str:
        """The name under which the class was written."""
        return self.node.name

    def __post_init__(self) -> None:
        self.members = dict(_members(self.node.body))


def _members(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    waiting = [*body][::-1]
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if not _is_overload(statement):
                yield statement.name, statement
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, statement.value
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if statement.value is not None:
                yield statement.target.id, statement.value
        elif isinstance(statement, (ast.If, ast.Try)):
            waiting += reversed([*statement.orelse, *statement.body])


def _is_overload(statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    names = {
        d.id if isinstance(d, ast.Name) else getattr(d, "attr", "")
        for d in statement.decorator_list
    }
    return bool(names & {"overload", "_overload_method", "setter", "unused"})
