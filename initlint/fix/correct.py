"""From a finding to a corrected call: the existing initialiser replaced, its tensor kept."""

from __future__ import annotations

import ast

from initlint.fix.layout import call_lines
from initlint.fix.locate import Spot, dotted, last_name
from initlint.fix.parsed import Parsed
from initlint.fix.text import Edit, RefusedError, comments_of
from initlint.records import Fix

_INITIALISERS = {
    *("constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "ones"),
    *("orthogonal", "sparse", "trunc_normal", "uniform", "xavier_normal", "xavier_uniform"),
    "zeros",
}
_METHODS = {"fill_", "normal_", "uniform_", "zero_"}
# What may stand around the call: it must not go on computing with the values.
_HOLDERS = (
    *(ast.Expr, ast.Assign, ast.AnnAssign, ast.Return, ast.Lambda, ast.Call, ast.keyword),
    *(ast.List, ast.Tuple, ast.ListComp, ast.NamedExpr),
)
_PRIMARIES = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)


def correction(parsed: Parsed, fix: Fix) -> tuple[Edit | None, bool]:
    """The new call, None where it stands already, and whether it needs an import.

    Raises RefusedError.
    """
    spot = parsed.spot(fix.site)
    call, text = spot.call, parsed.text
    module = _init_module(parsed, call)
    tensor = _tensor(call, module is not None)
    _check_use(spot)
    if comments_of(f"({text.segment(call)}\n)"):
        raise RefusedError("a comment stands inside the call")
    spelling = parsed.speller.spell(fix.call, parsed.hidden(spot), preferred=module)
    new = _with_generator(parsed, call, _filled(parsed, spelling.call, tensor))
    if ast.dump(_parsed_call(new)) == ast.dump(call):
        return None, False
    start, end = text.span(call)
    before = text.before(call)
    indent = before[: len(before) - len(before.lstrip())]
    lines = call_lines(new, indent, parsed.indent_unit, taken=len(before) - len(indent))
    lines[0] = lines[0][len(indent) :]
    last = call.end_lineno or call.lineno
    return Edit(start, end, text.newline.join(lines), call.lineno, last), (spelling.needs_import)


def _init_module(parsed: Parsed, call: ast.Call) -> str | None:
    """`nn.init` in `nn.init.normal_(w)`; None for a method of a tensor and for a bare name."""
    if not isinstance(call.func, ast.Attribute):
        return None
    name = dotted(call.func.value)
    known = name is not None and (parsed.speller.knows(name) or name.rpartition(".")[2] == "init")
    return name if known else None


def _tensor(call: ast.Call, of_module: bool) -> ast.expr:
    """What the call fills."""
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
    raise RefusedError(f"`{written}` gives the values here, and is no initialiser to correct")


def _check_use(spot: Spot) -> None:
    holder = spot.chain[-2]
    if not isinstance(holder, _HOLDERS):
        raise RefusedError("something is computed with the values that the call gives")


def _filled(parsed: Parsed, template: str, tensor: ast.expr) -> str:
    written = parsed.text.segment(tensor)
    if template.count("{weight}") > 1:
        calls = [node for node in ast.walk(tensor) if isinstance(node, ast.Call | ast.NamedExpr)]
        if any(not isinstance(c, ast.Call) or last_name(c.func) != "getattr" for c in calls):
            raise RefusedError(
                "its tensor is made by an expression that must not be evaluated twice"
            )
    if not isinstance(tensor, _PRIMARIES) and ("{weight}[" in template or "{weight}." in template):
        written = f"({written})"
    return template.replace("{weight}", written)


def _with_generator(parsed: Parsed, call: ast.Call, new: str) -> str:
    """A generator that the old call draws from is kept."""
    for keyword in call.keywords:
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
