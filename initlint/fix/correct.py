"""From a finding to a corrected call: the existing initialiser replaced, its tensor kept."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from initlint.fix.edits import Correction, Loop
from initlint.fix.parsed import Parsed
from initlint.fix.spot import Function, Spot, dotted, is_pure, last_name
from initlint.fix.text import RefusedError, Text, TwiceError, comments_of
from initlint.recommend import calls
from initlint.records import Fix, Initializer

_INITIALISERS = {
    *("constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "ones"),
    *("orthogonal", "sparse", "trunc_normal", "uniform", "xavier_normal", "xavier_uniform"),
    "zeros",
}
_TWICE = "its tensor is made by an expression that must not be evaluated twice"
# Creators that draw values, with the arguments of torch.empty.
_DRAWS = {"torch.rand", "torch.randn"}
_METHODS = {"fill_", "normal_", "uniform_", "zero_"}
# Names for one of the matrices of a tensor, and of a recurrent one.
_PARTS, GATES = ("part", "gate", "matrix"), ("gate", "part", "matrix")
# Nodes that may enclose the call, because they do not change its values.
_HOLDERS = (
    *(ast.Expr, ast.Assign, ast.AnnAssign, ast.Return, ast.Lambda, ast.Call, ast.keyword),
    *(ast.List, ast.Tuple, ast.ListComp, ast.NamedExpr),
)
# From the tensor's source text to the new call.
_Tensor = Callable[[Initializer], str]
_PRIMARIES = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)


def correction(parsed: Parsed, fix: Fix) -> tuple[Correction | None, bool]:
    """The new call, None where it stands already, and whether it needs an import.

    Raises RefusedError.
    """
    text, spot = parsed.text, parsed.spot(fix.site, ast.BinOp)
    old = spot.chain[-1]
    new, needs_import = corrected(parsed, fix)
    assert isinstance(old, ast.Call | ast.BinOp)
    if ast.dump(_parsed_call(new)) == ast.dump(old):
        return None, False
    indent = text.indent(old.lineno)
    taken = len(text.before(old)) - len(indent)
    further = indent.removeprefix(text.indent(spot.statement.lineno))
    return Correction(spot.statement, old, new, further, taken), needs_import


def renaming(parsed: Parsed, fix: Fix) -> tuple[Correction, bool]:
    """The call's function under the name of another initialiser, and whether it needs an import.

    Raises RefusedError where the call does not name the present one.
    """
    text, spot = parsed.text, parsed.spot(fix.site)
    function, wanted = spot.call.func, fix.initializer
    module = _init_module(parsed, spot.call)
    written = text.segment(function)
    is_named = isinstance(function, ast.Name) and written in parsed.speller.functions()
    if module is None and not is_named:
        raise RefusedError(f"`{written}` is called here, which may be another function elsewhere")
    spelling = parsed.speller.spell(wanted, parsed.hidden(spot), spot.start, preferred=module)
    name = spelling.function(wanted.name)
    new = name + text.segment(spot.call)[len(written) :]
    return Correction(spot.statement, spot.call, new, function=name), spelling.needs_import


def parting(parsed: Parsed, fix: Fix, kept: bool) -> tuple[Correction, bool]:
    """A call for each of the matrices of its tensor, in a loop over these: the present one, `kept`,
    or that of the fix. And whether it needs an import.

    Raises RefusedError where the call is no statement of its own.
    """
    text, spot = parsed.text, parsed.spot(fix.site)
    call, statement = spot.call, spot.statement
    module = _init_module(parsed, call)
    if kept:
        is_function = module is not None or isinstance(call.func, ast.Name)
        if not is_function or not call.args or last_name(call.func) != fix.initializer.name:
            raise RefusedError(
                f"`{text.segment(call.func)}` is called here, not {fix.initializer.name}"
            )
        tensor = call.args[0]
    else:
        _written(parsed, spot, module is not None)
        _check_arguments(spot, call, module is not None)
        tensor = _tensor(call, module is not None)
    is_alone = isinstance(statement, ast.Expr) and statement.value is call
    if not is_alone or text.shares_line(statement) or comments_of(f"({text.segment(call)}\n)"):
        raise RefusedError("the call is no statement on a line of its own")
    if not isinstance(tensor, (ast.Name, ast.Attribute, ast.Subscript)):
        raise RefusedError(_TWICE)
    own = text.segment(tensor)
    loop = over_parts(parsed, spot, own, fix.parts, _PARTS if kept else GATES)
    if kept:
        begin, (start, end) = text.span(call)[0], text.span(tensor)
        written = text.segment(call)
        new = written[: start - begin] + loop.variable + written[end - begin :]
        return Correction(statement, call, new, loop=loop), False
    wanted, hidden = fix.initializer, parsed.hidden(spot)
    spelling = parsed.speller.spell(wanted, hidden, spot.start, preferred=module)
    new = calls.call(wanted, loop.variable, None, spelling.function, text.quote)
    new = _with_generator(parsed, call, new)
    return Correction(statement, call, new, loop=loop), spelling.needs_import


def over_parts(parsed: Parsed, spot: Spot, tensor: str, parts: int, names: Sequence[str]) -> Loop:
    """A loop over the matrices of a tensor. Raises RefusedError if none of `names` is free."""
    taken = parsed.names(spot.scope)
    name = next((n for n in names if n not in taken), "")
    if not name:
        raise RefusedError("there is no free name for the parts")
    return Loop(name, f"{tensor}.chunk({parts})")


def corrected(parsed: Parsed, fix: Fix) -> tuple[str, bool]:
    """The new call of the fix, and whether it needs an import."""
    spot = parsed.spot(fix.site, ast.BinOp)
    old, text = spot.chain[-1], parsed.text
    assert isinstance(old, ast.Call | ast.BinOp)
    call = _drawing(old)
    if call is None and isinstance(old, ast.BinOp):
        raise RefusedError(
            "something is computed with the values here, and no initialiser gives them"
        )
    module = None if call else _init_module(parsed, spot.call)
    tensor = _emptied(text, call) if call else _written(parsed, spot, module is not None)
    _check_use(spot)
    _check_arguments(spot, old, module is not None)
    if comments_of(f"({text.segment(old)}\n)"):
        raise RefusedError("there is a comment inside the call")
    wanted, hidden = fix.initializer, parsed.hidden(spot)
    spelling = parsed.speller.spell(wanted, hidden, spot.start, preferred=module)
    new = calls.call(wanted, tensor(wanted), None, spelling.function, text.quote)
    return _with_generator(parsed, old, new), spelling.needs_import


def _drawing(expression: ast.expr) -> ast.Call | None:
    """`torch.randn(3, 4)`, alone or times a number: what draws values as it makes the tensor."""
    match expression:
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=right):
            pairs = [(left, right)]
            if isinstance(expression.op, ast.Mult):
                pairs.append((right, left))
            found = (_drawing(drawn) for drawn, factor in pairs if is_pure(factor))
            return next((call for call in found if call), None)
        case ast.Call(func=function) if dotted(function) in _DRAWS:
            return expression
    return None


def _emptied(text: Text, call: ast.Call) -> _Tensor:
    """The tensor before anything is drawn into it."""
    if any(keyword.arg in ("generator", "out") for keyword in call.keywords):
        raise RefusedError("it is drawn by a generator of its own")
    written = text.segment(call)
    empty = "torch.empty" + written[len(text.segment(call.func)) :]

    def tensor(wanted: Initializer) -> str:
        if calls.counts_fans(wanted):
            raise TwiceError(_TWICE)
        return empty

    return tensor


def _written(parsed: Parsed, spot: Spot, of_module: bool) -> _Tensor:
    """The tensor as the present call names it."""
    filled = _tensor(spot.call, of_module)
    if isinstance(spot.call.func, ast.Attribute) and filled is spot.call.func.value:
        name = _same_tensor(filled)
        if isinstance(name, ast.Name) and name.id in _varying(spot):
            raise RefusedError(f"`{name.id}` may be a parameter of any kind here")
    return lambda wanted: _filled(parsed, wanted, filled)


def _same_tensor(tensor: ast.expr) -> ast.expr:
    """`p` for `p.data` and `p.detach()`."""
    while True:
        match tensor:
            case ast.Attribute(value=value, attr="data"):
                tensor = value
            case ast.Call(func=ast.Attribute(value=value, attr="detach"), args=[]):
                tensor = value
            case _:
                return tensor


def _varying(spot: Spot) -> set[str]:
    """The names that stand for many tensors: variables of loops over what is not written out."""
    loops = (node for node in spot.chain if isinstance(node, ast.For))
    return {
        name.id
        for loop in loops
        if not isinstance(loop.iter, ast.Tuple | ast.List)
        for name in ast.walk(loop.target)
        if isinstance(name, ast.Name)
    }


def _init_module(parsed: Parsed, call: ast.Call) -> str | None:
    """`nn.init` in `nn.init.normal_(w)`; None for a method of a tensor and for a bare name."""
    if not isinstance(call.func, ast.Attribute):
        return None
    name = dotted(call.func.value)
    known = name is not None and (parsed.speller.knows(name) or name.rpartition(".")[2] == "init")
    return name if known else None


def _tensor(call: ast.Call, of_module: bool) -> ast.expr:
    """The tensor that the call fills."""
    function, name = call.func, last_name(call.func)
    if isinstance(function, ast.Attribute) and not of_module and name in _METHODS:
        return function.value
    if (of_module or isinstance(function, ast.Name)) and name.removesuffix("_") in _INITIALISERS:
        if call.args and not isinstance(call.args[0], ast.Starred):
            return call.args[0]
        for keyword in call.keywords:
            if keyword.arg == "tensor":
                return keyword.value
    written = dotted(function) or name
    raise RefusedError(f"`{written}` gives the values here, and is not an initialiser to correct")


def _check_use(spot: Spot) -> None:
    holder = spot.chain[-2]
    if not isinstance(holder, _HOLDERS):
        raise RefusedError("something is computed with the values that the call gives")


def _check_arguments(spot: Spot, old: ast.expr, of_module: bool) -> None:
    """Raises RefusedError if the values are chosen by those who call the function."""
    scope = spot.scope
    if not isinstance(scope, Function) or scope.name == "__init__" or not isinstance(old, ast.Call):
        return
    arguments = scope.args
    places = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    first = places[0].arg if places else ""
    taken = {place.arg for place in places} - {first, spot.self_name}
    # The first argument of a function is the tensor; a method has it before its name.
    skipped = 1 if of_module or isinstance(old.func, ast.Name) else 0
    given = [*old.args[skipped:], *(keyword.value for keyword in old.keywords)]
    used = {node.id for value in given for node in ast.walk(value) if isinstance(node, ast.Name)}
    if name := next(iter(sorted(used & taken)), None):
        raise RefusedError(f"`{scope.name}` is told `{name}` by those who call it")


def _filled(parsed: Parsed, wanted: Initializer, tensor: ast.expr) -> str:
    written = parsed.text.segment(tensor)
    if not calls.counts_fans(wanted):
        return written
    effects = [node for node in ast.walk(tensor) if isinstance(node, ast.Call | ast.NamedExpr)]
    if any(not isinstance(e, ast.Call) or last_name(e.func) != "getattr" for e in effects):
        raise TwiceError(_TWICE)
    return written if isinstance(tensor, _PRIMARIES) else f"({written})"


def _with_generator(parsed: Parsed, call: ast.expr, new: str) -> str:
    """A generator that the old call draws from is kept."""
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        if keyword.arg == "generator":
            return f"{new[:-1]}, generator={parsed.text.segment(keyword.value)})"
    return new


def _parsed_call(new: str) -> ast.Call:
    try:
        expression = ast.parse(new, mode="eval").body
    except SyntaxError:
        expression = None
    if not isinstance(expression, ast.Call):
        raise RefusedError(f"its recommended call is no call: {new}")
    return expression
