"""Statements: what compiles each kind of them."""

from __future__ import annotations

import ast
from collections.abc import Callable

from initlint.reading.abstract.frames import Flow, Frame, ImpossibleError, Step
from initlint.reading.abstract.holders import CONTAINERS, Bound, Function, Instance, Listing, extend
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import UNKNOWN, External, Held, Slot, Tensor, Unknown, Value
from initlint.reading.evaluate.branches import called_to_exit, exits, if_step, match_step, try_step
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.compiled import block_of, code_of, evaluate
from initlint.reading.evaluate.expressions import binary
from initlint.reading.evaluate.loops import for_step, while_step
from initlint.reading.evaluate.names import is_dispatched, member_of, top_level
from initlint.reading.evaluate.subscripts import gone_through
from initlint.reading.evaluate.targets import target_of
from initlint.reading.fills.dropped import dropped
from initlint.reading.fills.handed import hand_to_decorators
from initlint.reading.fills.in_place import write_in_place
from initlint.reading.fills.rebound import rebinding
from initlint.reading.objects.altered import decorated
from initlint.reading.objects.classes import class_of, lookup, method_of
from initlint.reading.objects.containers import remove_item
from initlint.reading.objects.looking import only_looks
from initlint.reading.objects.module_methods import ask_module
from initlint.reading.reader import Reader, Stepper
from initlint.reading.sources.resolve import Import

_IN_PLACE = {ast.Mult: "mul_", ast.Div: "div_", ast.Add: "add_", ast.Sub: "sub_"}


def _expression(reader: Reader, node: ast.Expr) -> Step | None:
    value = node.value
    if isinstance(value, ast.Constant):
        return None
    if isinstance(value, (ast.Yield, ast.YieldFrom)):
        return lambda frame: _yield(reader, value, frame)
    step = dropped(reader, value)
    return _ending(reader, node, step) if called_to_exit(node) else step


def _ending(reader: Reader, node: ast.Expr, call: Callable[[Frame], None]) -> Step:
    """A call that may end the process: in a constructor, nothing comes after it."""

    def step(frame: Frame) -> Flow | None:
        call(frame)
        is_over = reader.constructing is not None and exits(reader, node, frame)
        return Flow.DEAD if is_over else None

    return step


def _yield(reader: Reader, node: ast.Yield | ast.YieldFrom, frame: Frame) -> None:
    value = evaluate(reader, node.value, frame) if node.value is not None else None
    if frame.yields is None:
        frame.yields = Listing()
    found = gone_through(reader, value) if isinstance(node, ast.YieldFrom) else [value]
    is_open = found is None or (type(value) is Listing and value.open)
    extend(frame.yields, found or (), is_open)


def _assign(reader: Reader, node: ast.Assign) -> Step:
    scaling = _as_scaling(node)
    if scaling is not None:
        return _augment(reader, scaling)
    code, targets = (
        code_of(reader, node.value),
        [target_of(reader, target) for target in node.targets],
    )
    only = node.targets[0] if len(targets) == 1 else None
    if isinstance(only, ast.Name) and only not in reader.globals:
        name = only.id
        noting = rebinding(reader, node, code)
        if noting is not None:
            return noting

        def bind(frame: Frame) -> None:
            frame.names[name] = value = code(frame)
            if type(value) is Instance:
                reader.life.bound(value, only)

        return bind

    def step(frame: Frame) -> None:
        value = code(frame)
        if type(value) is Instance:
            reader.life.bound(value, node.targets[0])
        for target in targets:
            target(value, frame)

    return step


def _annotate(reader: Reader, node: ast.AnnAssign) -> Step | None:
    if node.value is None:
        return None
    code, target = code_of(reader, node.value), target_of(reader, node.target)
    return lambda frame: target(code(frame), frame)


def _as_scaling(node: ast.Assign) -> ast.AugAssign | None:
    """`w.data = w.data * 0.1` as `w.data *= 0.1`, which does the same."""
    target, value = node.targets[0], node.value
    if not isinstance(target, ast.Attribute) or target.attr != "data" or len(node.targets) > 1:
        return None
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, (ast.Mult, ast.Div)):
        return None
    own = ast.unparse(target)
    if ast.unparse(value.left) == own:
        factor = value.right
    elif isinstance(value.op, ast.Mult) and ast.unparse(value.right) == own:
        factor = value.left
    else:
        return None
    return ast.copy_location(ast.AugAssign(target, value.op, factor), node)


def _augment(reader: Reader, node: ast.AugAssign) -> Step:
    old_of, right_of, target = (
        code_of(reader, node.target),
        code_of(reader, node.value),
        target_of(reader, node.target),
    )
    kind = type(node.op)

    def step(frame: Frame) -> None:
        old, right = old_of(frame), right_of(frame)
        if isinstance(old, Listing) and kind is ast.Add:
            found = gone_through(reader, right)
            extend(old, found or (), found is None or getattr(right, "open", False))
        elif isinstance(old, Instance) and old.torch in CONTAINERS:
            ask_module(reader, old, "extend", [right], {}, node)
        elif isinstance(old, (Slot, Held)) and kind in _IN_PLACE:
            write_in_place(reader, old, _IN_PLACE[kind], [right], {}, node)
        else:
            target(binary(reader, kind, old, right), frame)

    return step


def _delete(reader: Reader, node: ast.Delete, frame: Frame) -> None:
    for target in node.targets:
        if isinstance(target, ast.Name):
            frame.names.pop(target.id, None)
        elif isinstance(target, ast.Subscript):
            owner = evaluate(reader, target.value, frame)
            remove_item(reader, owner, evaluate(reader, target.slice, frame))
        elif isinstance(target, ast.Attribute):
            owner = evaluate(reader, target.value, frame)
            if isinstance(owner, Instance):
                owner.attrs.pop(target.attr, None)


def _return(reader: Reader, node: ast.Return) -> Step:
    code = code_of(reader, node.value) if node.value is not None else None

    def step(frame: Frame) -> Flow:
        frame.returns.append(None if code is None else code(frame))
        return Flow.RETURN

    return step


def _declare(reader: Reader, node: ast.Global) -> Step:
    names = tuple(node.names)

    def step(frame: Frame) -> None:
        if frame.names is not frame.module.values:
            frame.outer += names
            frame.names.update({n: top_level(reader, frame.module, n) for n in names})

    return step


def _define(reader: Reader, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
    # What is defined at the top level of a file finds its names there in any case.
    closure = None if frame.names is frame.module.values else frame
    is_known = not is_dispatched(node)
    function = Function(node, frame.module, closure)
    frame.names[node.name] = decorated(reader, function, node, frame) if is_known else UNKNOWN
    hand_to_decorators(reader, function, node, frame)


def _define_class(reader: Reader, node: ast.ClassDef, frame: Frame) -> None:
    at_top = frame.names is frame.module.values
    cls = class_of(reader, node, frame.module) if at_top else UserClass(node, frame.module, frame)
    frame.names[node.name] = cls
    for decorator in reversed(node.decorator_list):
        # What it gives back stands for the class; that it enters the class in a table counts.
        if only_looks(reader, decorator, frame):
            continue
        function = evaluate(reader, decorator, frame)
        if isinstance(function, (Function, Bound)):
            given = call(reader, function, [cls], {}, decorator)
            if isinstance(given, UserClass) and given is not cls:
                # Another class takes its name, which may begin in another way.
                cls.altered = True


def _import(reader: Reader, node: ast.Import, frame: Frame) -> None:
    for alias in node.names:
        whole = alias.name if alias.asname else alias.name.split(".")[0]
        found = reader.program.imported(frame.module, Import(whole, None, 0))
        frame.names[alias.asname or whole] = UNKNOWN if found is None else found


def _import_from(reader: Reader, node: ast.ImportFrom, frame: Frame) -> None:
    for alias in node.names:
        entry = Import(node.module or "", alias.name, node.level)
        found = reader.program.imported(frame.module, entry)
        value = UNKNOWN if found is None else member_of(reader, found, alias.name)
        frame.names[alias.asname or alias.name] = value


def _with(reader: Reader, node: ast.With | ast.AsyncWith) -> Step:
    body = block_of(reader, node.body)
    items = [
        (code_of(reader, item.context_expr), target_of(reader, item.optional_vars))
        for item in node.items
    ]
    switches = any(_called(item) in _SWITCHING for item in node.items)
    suppresses = any(_called(item) in _SUPPRESSING for item in node.items)

    def step(frame: Frame) -> Flow | None:
        is_ungraded = switches
        for context, target in items:
            value = _entered(reader, context(frame))
            is_open = isinstance(value, (Unknown, Tensor, External))
            is_ungraded = is_ungraded or is_open
            target(UNKNOWN if is_open else value, frame)
        reader.ungraded += is_ungraded
        # In `with suppress(AttributeError)` an error ends nothing.
        reader.trying += suppresses
        reader.guarded += suppresses
        try:
            flow = body(frame)
            return None if suppresses and flow is Flow.DEAD else flow
        except ImpossibleError:
            if not suppresses:
                raise
            return None
        finally:
            reader.ungraded -= is_ungraded
            reader.trying -= suppresses
            reader.guarded -= suppresses

    return step


def _entered(reader: Reader, context: Value) -> Value:
    """What `with` binds: what a generator yields first, or what `__enter__` gives."""
    if isinstance(context, Listing):
        return context.items[0] if context.items else UNKNOWN
    if isinstance(context, Instance) and context.cls is not None:
        found = lookup(reader, context.cls, "__enter__")
        if found is not None:
            return call(reader, method_of(reader, *found), [context], {})
    return context


# Contexts of torch's that may switch gradients off; those in which an error ends nothing.
_SWITCHING = ("no_grad", "inference_mode", "set_grad_enabled", "enable_grad")
_SUPPRESSING = ("suppress", "raises")


def _called(item: ast.withitem) -> str:
    """The last name of the function that gives a context; empty if no function does."""
    called = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
    return getattr(called, "attr", "") or getattr(called, "id", "")


STATEMENTS: dict[type[ast.AST], Stepper] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AugAssign: _augment,
    ast.AnnAssign: _annotate,
    ast.Return: _return,
    ast.Delete: lambda reader, node: lambda frame: _delete(reader, node, frame),
    ast.If: if_step,
    ast.For: for_step,
    ast.AsyncFor: for_step,
    ast.While: while_step,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: try_step,
    ast.FunctionDef: lambda reader, node: lambda frame: _define(reader, node, frame),
    ast.AsyncFunctionDef: lambda reader, node: lambda frame: _define(reader, node, frame),
    ast.ClassDef: lambda reader, node: lambda frame: _define_class(reader, node, frame),
    ast.Import: lambda reader, node: lambda frame: _import(reader, node, frame),
    ast.ImportFrom: lambda reader, node: lambda frame: _import_from(reader, node, frame),
    ast.Global: _declare,
    ast.Raise: lambda reader, node: lambda frame: Flow.DEAD,
    ast.Break: lambda reader, node: lambda frame: Flow.BREAK,
    ast.Continue: lambda reader, node: lambda frame: Flow.CONTINUE,
    ast.Match: match_step,
}
