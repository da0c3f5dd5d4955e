"""The edits of a file: calls, the headers around them, and their places."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from initlint.fix.spelling import Spelling
from initlint.recommend import calls
from initlint.records import Initializer
from initlint.safe.shown import reach

# The columns that a line should not pass.
WIDTH = 100


class Loop(NamedTuple):
    """`for variable in over:`, where `over` is an expression or the members of a tuple."""

    variable: str
    over: str | tuple[str, ...]

    def text(self) -> str:
        """The header as a line of source."""
        over = self.over if isinstance(self.over, str) else f"({', '.join(self.over)})"
        return f"for {self.variable} in {over}:"

    def renamed(self, old: str, new: str) -> Loop:
        """The same: a loop that is written out names its members only once."""
        return self


class Test(NamedTuple):
    """`if subject is not None:`, or another test of one expression."""

    subject: str
    before: str = ""
    after: str = " is not None"

    def text(self) -> str:
        """The header as a line of source."""
        return f"if {self.condition}:"

    @property
    def condition(self) -> str:
        """The test as an expression."""
        return f"{self.before}{self.subject}{self.after}"

    def renamed(self, old: str, new: str) -> Test:
        """The same test of what `new` names in place of `old`."""
        if self.subject == old or self.subject.startswith((f"{old}.", f"{old}[")):
            return self._replace(subject=new + self.subject[len(old) :])
        return self

    @property
    def of_type(self) -> bool:
        """Whether it tests the value of a name or an attribute."""
        return self.before == "isinstance("


def is_instance(subject: str, classes: Iterable[str]) -> Test:
    """The test that `subject` is one of some classes."""
    names = tuple(classes)
    found = names[0] if len(names) == 1 else f"({', '.join(names)})"
    return Test(subject, "isinstance(", f", {found})")


class Function(NamedTuple):
    """The head of a function or method with one parameter."""

    name: str
    parameter: str
    annotation: str = ""
    returns: bool = False

    def text(self) -> str:
        """The header as a line of source."""
        annotation = f": {self.annotation}" if self.annotation else ""
        returns = " -> None" if self.returns else ""
        return f"def {self.name}({self.parameter}{annotation}){returns}:"

    def renamed(self, old: str, new: str) -> Function:
        """The same."""
        return self


Header = Loop | Test | Function


@dataclass(frozen=True)
class Filling:
    """The call that fills `owner.parameter`; without a parameter, `owner` is the tensor.

    `linear` says that the call takes its fans from the owner, torch's own nn.Linear. `recipe` is
    the call on any tensor.
    """

    owner: str
    parameter: str
    linear: bool
    recipe: str
    initializer: Initializer = field(compare=False)
    spelling: Spelling = field(compare=False)
    quote: str = field(compare=False)

    @classmethod
    def of(
        cls,
        initializer: Initializer,
        owner: str,
        parameter: str,
        linear: bool,
        spelling: Spelling,
        quote: str,
    ) -> Filling:
        """The filling, its recipe with it."""
        recipe = calls.call(initializer, "x", None, spelling.function, quote)
        named = linear and parameter == "weight" and calls.counts_fans(initializer)
        return cls(owner, parameter, named, recipe, initializer, spelling, quote)

    @property
    def tensor(self) -> str:
        """The tensor to fill."""
        return reach(self.owner, [self.parameter]) if self.parameter else self.owner

    @property
    def fans(self) -> Mapping[str, str]:
        """Expressions for the fans of the tensor."""
        return calls.features(self.owner) if self.linear else calls.counted(self.tensor)

    def text(self) -> str:
        """The call as it reads on one line."""
        found, spelled = self.initializer, self.spelling.function
        return calls.call(found, self.tensor, self.fans, spelled, self.quote)

    def renamed(self, old: str, new: str) -> Filling:
        """The same for what is called `new` instead."""
        return replace(self, owner=new) if self.owner == old else self


class Invocation(NamedTuple):
    """A call of a function or method of ours, as it is written."""

    written: str
    owner: str = ""
    parameter: str = ""

    @property
    def tensor(self) -> str:
        """A key that distinguishes it from other calls at its place."""
        return self.written

    def text(self) -> str:
        """The call."""
        return self.written

    def renamed(self, old: str, new: str) -> Invocation:
        """The same."""
        return self


class Member(NamedTuple):
    """The `place` of a layer among the members of a Sequential, the expression `base`.

    `alike` are the places of all members of its class, which is `written` so; `length` is the
    number of all members.
    """

    base: str
    place: int
    written: str
    alike: tuple[int, ...]
    length: int


class Insertion(NamedTuple):
    """A call within `headers` (loops, tests, functions, outermost first), next to a statement.

    `place` is after or before the statement, joined (behind a semicolon on its line) or arm (the
    first header becomes the last `elif` of the statement, an `if`). `order` is the position of the
    layer that it fills and what comes first of one layer. `variable` is a name that is free for a
    loop over several layers; `member` is the layer's place in a Sequential.
    """

    anchor: ast.stmt
    order: tuple[int, str, int]
    headers: tuple[Header, ...]
    call: Filling | Invocation
    variable: str = ""
    place: str = "after"
    member: Member | None = None

    def lines(self) -> list[str]:
        """The headers and the call as lines of source, without indentation."""
        return [*(header.text() for header in self.headers), self.call.text()]


class Correction(NamedTuple):
    """The call `text` in place of the expression `old` of a statement.

    The line on which `old` begins is indented by `indent` more than the statement, and has
    `taken` columns of other code before it. With `function`, only the function that `old` calls
    becomes another one. With `loop`, the statement, which is the call alone, moves into that loop.
    """

    anchor: ast.stmt
    old: ast.expr
    text: str
    indent: str = ""
    taken: int = 0
    function: str = ""
    loop: Loop | None = None


class NamedResult(NamedTuple):
    """What a statement returns is given a name first, and that is returned after the calls."""

    anchor: ast.Return
    name: str


class Import(NamedTuple):
    """`from torch import nn` before or after the line of a statement.

    Without a statement, it comes after the first `comments` lines of the file.
    """

    anchor: ast.stmt | None
    before: bool = False
    comments: int = 0


class Removal(NamedTuple):
    """Names taken out of an import, the whole statement if all are dropped.

    `closing` says that one of two empty lines, which would come to meet then, goes too.
    """

    anchor: ast.Import | ast.ImportFrom
    drops: tuple[bool, ...]
    closing: bool = False


Edit = Insertion | Correction | NamedResult | Import | Removal
