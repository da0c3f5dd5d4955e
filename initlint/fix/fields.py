"""Layers that are made for the fields of a dataclass: filled where the instance is complete."""

from __future__ import annotations

import ast

from initlint.fix.locate import Spot, last_name
from initlint.fix.text import RefusedError

_METHOD = "__post_init__"


def as_made_in_method(spot: Spot) -> Spot:
    """The spot of a field's layer as if `__post_init__` began by making it.

    Raises RefusedError where the layer is no field's, or need not be the one that is kept.
    """
    owner, statement = spot.scope, spot.statement
    assert isinstance(owner, ast.ClassDef)
    factory = _factory(spot, statement)
    if factory is None or not any(_is_dataclass(each) for each in owner.decorator_list):
        raise RefusedError("it is made in the body of a class, not in a method")
    assert isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Call)
    if not _is_inner(statement.value):
        raise RefusedError("the caller may hand in another module for this field")
    methods = [s for s in owner.body if isinstance(s, ast.FunctionDef) and s.name == _METHOD]
    if not methods or not methods[0].args.args:
        raise RefusedError(f"the dataclass has no `{_METHOD}` to put the call into")
    return _moved(spot, statement, methods[0], factory)


def _factory(spot: Spot, statement: ast.stmt) -> ast.expr | None:
    """What the field's factory makes, if the layer is part of that."""
    match statement:
        case ast.AnnAssign(target=ast.Name(), value=ast.Call(keywords=keywords) as call):
            for keyword in keywords:
                found = keyword.value
                if keyword.arg == "default_factory" and isinstance(found, ast.Lambda):
                    held = last_name(call.func) == "field" and spot.holds(found.body)
                    return found.body if held else None
    return None


def _is_inner(call: ast.Call) -> bool:
    """Whether the constructor takes no value for a field."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    match given.get("init"):
        case ast.Constant(value=False):
            return True
    return False


def _is_dataclass(decorator: ast.expr) -> bool:
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return last_name(name) == "dataclass"


def _moved(spot: Spot, field: ast.AnnAssign, method: ast.FunctionDef, factory: ast.expr) -> Spot:
    assert isinstance(field.target, ast.Name)
    instance = ast.Name(method.args.args[0].arg, ast.Load())
    made = ast.Assign([ast.Attribute(instance, field.target.id, ast.Store())], factory)
    # Its indentation is what that of new calls is taken from.
    ast.copy_location(made, method.body[0])
    arguments = {name: getattr(method, name) for name in method._fields}
    copy = ast.FunctionDef(**{**arguments, "body": [made, *method.body]})
    ast.copy_location(copy, method)
    around = spot.chain[: spot.chain.index(field)]
    within = spot.chain[spot.chain.index(factory) :]
    return Spot((*around, copy, made, *within))
