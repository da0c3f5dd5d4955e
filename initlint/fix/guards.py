"""What guards a module's imports: a file that can do without torch must go on doing so."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initlint.fix.locate import Function, Position

Guard = ast.Try | ast.If | ast.With
_BLOCKS = ("body", "handlers", "orelse", "finalbody")


def is_import(statement: ast.AST, package: str = "") -> bool:
    """Whether a statement imports (something of `package`)."""
    match statement:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            modules = [module]
        case ast.ImportFrom():
            modules = [""]
        case _:
            return False
    return not package or any(module.partition(".")[0] == package for module in modules)


def guard_of(tree: ast.Module) -> Guard | None:
    """The statement that the file's first import of torch stands in, if all are guarded.

    A statement that imports torch in any case, by one way or another, is no guard; nor is what
    only type checkers see.
    """
    guards = []
    for statement in tree.body:
        if is_import(statement, "torch") or _imports(_fallbacks(statement)):
            return None
        if isinstance(statement, Guard) and _imports(statement.body):
            guards.append(statement)
    real = (guard for guard in guards if not _is_for_types(guard))
    return next(real, None)


def bindings(tree: ast.Module, end: Position) -> Iterator[tuple[ast.stmt, Position]]:
    """The statements that may bind a module's names, and up to where that is certain to hold.

    What a `try` or a `with` runs holds up to `end`, as does what stands in the module itself; what
    an `if` runs, in that branch.
    """
    for statement in tree.body:
        if isinstance(statement, ast.Try | ast.With):
            yield from ((inner, end) for inner in statement.body)
        elif isinstance(statement, ast.If) and not _is_for_types(statement):
            last = statement.body[-1]
            branch = (last.end_lineno or last.lineno, last.end_col_offset or 0)
            yield from ((inner, branch) for inner in statement.body)
        else:
            yield statement, end


def _imports(statements: Sequence[ast.AST]) -> bool:
    """Whether any of the statements imports torch when the module is imported."""
    return any(
        is_import(statement, "torch")
        or _imports([inner for block in _BLOCKS for inner in getattr(statement, block, ())])
        for statement in statements
        if not isinstance(statement, Function | ast.ClassDef)
    )


def _fallbacks(statement: ast.stmt) -> Sequence[ast.AST]:
    """What runs where a guarded import does not."""
    match statement:
        case ast.Try(handlers=handlers):
            return handlers
        case ast.If(orelse=orelse):
            return orelse
    return ()


def _is_for_types(guard: ast.stmt) -> bool:
    return isinstance(guard, ast.If) and ast.unparse(guard.test).endswith("TYPE_CHECKING")
