"""New code as nodes of libcst: calls in their loops and tests, long ones broken as black does."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import libcst as cst

from initlint.fix.edits import WIDTH, Correction, Function, Header, Insertion, Loop, Test
from initlint.fix.sequential import over_run, within
from initlint.fix.text import RefusedError

# A run of layers as long as this shares a loop.
_RUN = 3
_EMPTY = cst.Module([])
parsed = lru_cache(maxsize=1024)(cst.parse_expression)
_SUITES = (cst.BaseSuite, cst.Else, cst.Finally, cst.ExceptHandler, cst.ExceptStarHandler)


class Writer(NamedTuple):
    """Makes statements for a block that is indented by `indent`; `unit` is one level.

    `newline` is the ending of its lines where it is not the one that most lines of the file have.
    """

    unit: str
    indent: str
    newline: str | None

    def statements(self, insertions: Iterable[Insertion]) -> list[cst.BaseStatement]:
        """The calls in the order of their layers; neighbours in the same loop share it."""
        ordered = sorted(insertions, key=lambda insertion: insertion.order)
        return self._nested(_looped(ordered), 0)

    def _nested(self, calls: Sequence[Insertion], depth: int) -> list[cst.BaseStatement]:
        inner = self._deeper(depth)
        new: list[cst.BaseStatement] = []
        last: Header | None = None
        for header, group in groupby(calls, key=lambda c: next(iter(c.headers[depth:]), None)):
            if header is None:
                new += [inner.line([inner.call(each.call.text())]) for each in group]
            else:
                body = self._nested(list(group), depth + 1)
                node = inner.compound(header, body)
                if _continues(last, header):
                    new[-1] = as_alternative(new[-1], node)
                else:
                    new.append(node)
            last = header
        return new

    def _deeper(self, depth: int) -> Writer:
        return self._replace(indent=self.indent + self.unit * depth)

    def compound(self, header: Header, body: Sequence[cst.BaseStatement]) -> Any:
        """A loop, a test or a function with its body."""
        block = self.block(body)
        match header:
            case Loop(variable, over):
                return cst.For(cst.Name(variable), self._over(header, over), block)
            case Test():
                return cst.If(parsed(header.condition), block)
            case Function():
                annotation = (
                    cst.Annotation(parsed(header.annotation)) if header.annotation else None
                )
                return cst.FunctionDef(
                    cst.Name(header.name),
                    cst.Parameters([cst.Param(cst.Name(header.parameter), annotation)]),
                    block,
                    returns=cst.Annotation(cst.Name("None")) if header.returns else None,
                    # A method has an empty line above it.
                    leading_lines=self.empty(1) if self.indent else (),
                )

    def _over(self, loop: Loop, over: str | tuple[str, ...]) -> cst.BaseExpression:
        """The iterable of a loop; members that do not fit on the line go below."""
        if isinstance(over, str):
            return parsed(over)
        elements = [cst.Element(parsed(member)) for member in over]
        if self.width + len(loop.text()) <= WIDTH:
            return cst.Tuple(elements)
        below = self._below(self.unit)
        if self.width + len(self.unit) + len(", ".join(over)) > WIDTH:
            commas = [cst.Comma(whitespace_after=self._below(""))]
            commas = [cst.Comma(whitespace_after=below)] * (len(over) - 1) + commas
            pairs = zip(elements, commas, strict=True)
            elements = [element.with_changes(comma=comma) for element, comma in pairs]
            return cst.Tuple(elements, [cst.LeftParen(below)], [cst.RightParen()])
        return cst.Tuple(elements, [cst.LeftParen(below)], [cst.RightParen(self._below(""))])

    def line(self, statements: Sequence[cst.BaseSmallStatement]) -> cst.SimpleStatementLine:
        """A line of small statements."""
        *others, last = statements
        ended = last.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
        return cst.SimpleStatementLine([*others, ended], trailing_whitespace=self._end())

    def block(self, body: Sequence[cst.BaseStatement]) -> cst.IndentedBlock:
        """A block of statements below a head."""
        return cst.IndentedBlock(body, self._end(), indent=self.unit)

    def empty(self, count: int) -> list[cst.EmptyLine]:
        """Empty lines."""
        return [cst.EmptyLine(indent=False, newline=cst.Newline(self.newline))] * count

    def added_import(self) -> cst.SimpleStatementLine:
        """`from torch import nn`."""
        names = [cst.ImportAlias(cst.Name("nn"))]
        return self.line([cst.ImportFrom(cst.Name("torch"), names)])

    def joined(self, held: Sequence[Any], insertions: Sequence[Insertion]) -> list[Any]:
        """Statements of a line with calls behind the last of them, after semicolons."""
        new = list(held)
        for insertion in sorted(insertions, key=lambda insertion: insertion.order):
            semicolon = new[-1].semicolon
            between = cst.Semicolon(whitespace_after=cst.SimpleWhitespace(" "))
            new[-1] = new[-1].with_changes(semicolon=between)
            new.append(cst.Expr(parsed(insertion.call.text()), semicolon=semicolon))
        return new

    def call(self, text: str) -> cst.Expr:
        """A call as a statement, on as many lines as it needs."""
        return cst.Expr(self._laid_out(text, 0, ""))

    def corrected(self, correction: Correction) -> cst.BaseExpression:
        """The call in the place of another one, after which its line is indented further.

        Of a call that only gets another function, that function.
        """
        if correction.function:
            return parsed(correction.function)
        return self._laid_out(correction.text, correction.taken, correction.indent)

    def _laid_out(self, text: str, taken: int, indent: str) -> cst.BaseExpression:
        """A call; `taken` columns of its first line, indented by `indent` more, hold other code."""
        call = parsed(text)
        if self.width + len(indent) + taken + len(text) <= WIDTH or not isinstance(call, cst.Call):
            return call
        below, closing = self._below(indent + self.unit), self._below(indent)
        together = ", ".join(_EMPTY.code_for_node(_bare(each)) for each in call.args)
        arguments = [_bare(each) for each in call.args]
        if self.width + len(indent + self.unit) + len(together) <= WIDTH:
            arguments[-1] = arguments[-1].with_changes(whitespace_after_arg=closing)
            return call.with_changes(whitespace_before_args=below, args=arguments)
        commas = [below] * (len(arguments) - 1) + [closing]
        arguments = [
            each.with_changes(comma=cst.Comma(whitespace_after=after))
            for each, after in zip(arguments, commas, strict=True)
        ]
        return call.with_changes(whitespace_before_args=below, args=arguments)

    @property
    def width(self) -> int:
        """The columns that the indentation takes."""
        return len(self.indent.expandtabs(4))

    def _end(self) -> cst.TrailingWhitespace:
        return cst.TrailingWhitespace(newline=cst.Newline(self.newline))

    def _below(self, indent: str) -> cst.ParenthesizedWhitespace:
        return cst.ParenthesizedWhitespace(
            first_line=self._end(), indent=True, last_line=cst.SimpleWhitespace(indent)
        )


def _bare(argument: cst.Arg) -> cst.Arg:
    return argument.with_changes(comma=cst.MaybeSentinel.DEFAULT)


def assigned(statement: cst.Return, name: str) -> cst.Assign:
    """`return value` as `name = value`."""
    assert statement.value is not None
    space = statement.whitespace_after_return
    after = cst.SimpleWhitespace(" ") if isinstance(space, cst.MaybeSentinel) else space
    target = cst.AssignTarget(cst.Name(name), whitespace_after_equal=after)
    return cst.Assign([target], statement.value, statement.semicolon)


def kept_names(statement: Any, drops: Sequence[bool]) -> Any:
    """An import without the names that are dropped, and with one comma fewer for each."""
    names = list(statement.names)
    kept = [name for name, dropped in zip(names, drops, strict=True) if not dropped]
    kept[-1] = kept[-1].with_changes(comma=names[-1].comma)
    return statement.with_changes(names=kept)


def _continues(last: Header | None, header: Header) -> bool:
    """Whether a test of a module's type follows another one, of which it is the alternative."""
    return (
        isinstance(last, Test)
        and isinstance(header, Test)
        and last.of_type
        and header.of_type
        and last.subject == header.subject
    )


def as_alternative(test: Any, other: Any) -> Any:
    """A test with another one after it, as `elif`."""
    orelse = as_alternative(test.orelse, other) if test.orelse else other
    return test.with_changes(orelse=orelse)


def _looped(insertions: Sequence[Insertion]) -> list[Insertion]:
    """The same, with one loop for a run of layers that are all filled in the same way."""
    layers = [tuple(group) for _, group in groupby(insertions, key=lambda i: i.call.owner)]
    found: list[Insertion] = []
    for recipe, run in groupby(layers, key=_recipe):
        same = list(run)
        if recipe:
            gathered, same = _over_sequentials(same)
            found += gathered
        if len(same) < _RUN or not recipe:
            found += [insertion for layer in same for insertion in layer]
            continue
        owners = tuple(layer[0].call.owner for layer in same)
        variable = same[0][0].variable
        for insertion in same[0]:
            inner = tuple(h.renamed(owners[0], variable) for h in insertion.headers)
            headers = _within(Loop(variable, owners), inner)
            call = insertion.call.renamed(owners[0], variable)
            found.append(insertion._replace(headers=headers, call=call))
    return found


def _over_sequentials(
    layers: Sequence[tuple[Insertion, ...]],
) -> tuple[list[Insertion], list[tuple[Insertion, ...]]]:
    """The calls on layers of which a loop takes exactly those of a Sequential, and the others."""
    gathered: list[Insertion] = []
    left: list[tuple[Insertion, ...]] = []
    for _, group in groupby(layers, key=lambda layer: layer[0].member and layer[0].member.base):
        same = list(group)
        headers = over_run(same)
        if headers is None:
            left += same
        else:
            gathered += [within(insertion, headers) for insertion in same[0]]
    return gathered, left


def _within(loop: Loop, inner: tuple[Header, ...]) -> tuple[Header, ...]:
    """The loop inside the functions around it."""
    outside = sum(isinstance(header, Function) for header in inner)
    return (*inner[:outside], loop, *inner[outside:])


def _recipe(layer: Sequence[Insertion]) -> tuple[object, ...]:
    """The calls on a layer without its name; () if they cannot be in a loop."""
    first = layer[0]
    owner = first.call.owner
    looped = any(isinstance(header, Loop) for each in layer for header in each.headers)
    if not first.variable or looped or not first.call.parameter or owner.isidentifier():
        return ()
    return tuple(
        (tuple(h.renamed(owner, "") for h in each.headers), each.call.renamed(owner, ""))
        for each in layer
    )


class Swap(NamedTuple):
    """The expression `old` of a statement of ast, and the node in its place.

    With `in_call`, the node takes the place of the function that `old` calls.
    """

    statement: ast.stmt
    old: ast.expr
    new: cst.BaseExpression
    in_call: bool = False


def swapped(statement: Any, swaps: Sequence[Swap]) -> Any:
    """The statement with all replacements. Raises RefusedError if an expression is not found."""
    if not swaps:
        return statement
    found = _Expressions(statement)
    statement.visit(found)
    new: dict[int, cst.BaseExpression] = {}
    for swap in swaps:
        old = found.node(swap)
        if swap.in_call:
            new[id(old)] = old.with_changes(func=swap.new)
            continue
        # The parentheses around an expression are part of it in libcst, not in ast.
        new[id(old)] = swap.new.with_changes(lpar=old.lpar, rpar=old.rpar)
    return statement.visit(_Replacing(new))


class _Expressions(cst.CSTVisitor):
    """The calls and operations of a statement's own expressions, by where they end."""

    def __init__(self, root: cst.CSTNode) -> None:
        super().__init__()
        self._root = root
        self._found: list[cst.Call | cst.BinaryOperation] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        inner = isinstance(node, (*_SUITES, cst.If, cst.MatchCase)) and node is not self._root
        return not inner

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.Call | cst.BinaryOperation):
            self._found.append(original_node)

    def node(self, swap: Swap) -> cst.Call | cst.BinaryOperation:
        """The node for an expression: of several alike, the one at the same place in the order."""
        wanted = ast.dump(swap.old)
        alike = [node for node in _own(swap.statement) if ast.dump(node) == wanted]
        alike.sort(key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
        nodes = [node for node in self._found if _dumped(node) == wanted]
        index = next(i for i, node in enumerate(alike) if node is swap.old)
        if len(nodes) != len(alike):
            raise RefusedError("libcst reads the statement differently from Python")
        return nodes[index]


def _own(statement: ast.stmt) -> Iterator[ast.expr]:
    """The calls and operations of a statement, without those of the statements inside it."""
    pending = list(ast.iter_child_nodes(statement))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            continue
        if isinstance(node, ast.Call | ast.BinOp):
            yield node
        pending += ast.iter_child_nodes(node)


def _dumped(node: cst.BaseExpression) -> str:
    code = _EMPTY.code_for_node(node)
    try:
        return ast.dump(ast.parse(f"({code}\n)", mode="eval").body)
    except SyntaxError:
        # Inside an f-string the quotes of the string around may be missing.
        return ""


class _Replacing(cst.CSTTransformer):
    """Puts nodes in the places of others."""

    def __init__(self, new: Mapping[int, cst.BaseExpression]) -> None:
        super().__init__()
        self._new = new

    def on_visit(self, node: cst.CSTNode) -> bool:
        return id(node) not in self._new

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        return self._new.get(id(original_node), updated_node)
