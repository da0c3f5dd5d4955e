"""What a statement assigns the new layer to, and the steps from there to the layer."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from initlint.fix.locate import Scope, Spot, dotted, is_pure, last_name
from initlint.fix.member import CONTAINERS, Attribute, Each, Handed, Item, Path, Step
from initlint.fix.text import RefusedError, Text

# The names that a new variable of a scope must not take.
Taken = Callable[[Scope], frozenset[str]]


@dataclass(frozen=True)
class Target:
    """`base` is an expression as text; `components` is how qualified names of parameters spell it
    (None for a part that is not known), without what stands for the instance itself.

    `lasting` says that base names the same thing until something assigns to it: an attribute of
    the instance, as opposed to a local variable or the last member of a list that grows.
    """

    base: str
    components: tuple[str | None, ...]
    lasting: bool
    steps: tuple[Step, ...] = ()

    @property
    def pattern(self) -> tuple[str | Handed | None, ...]:
        """How the qualified names of the layer's parameters end, before the parameter's own."""
        return (*self.components, *_pattern(self.steps))

    def then(self, steps: Sequence[Step]) -> Target:
        """This target with more steps."""
        return Target(self.base, self.components, self.lasting, (*self.steps, *steps))


def _pattern(steps: Sequence[Step]) -> list[str | Handed | None]:
    parts: list[str | Handed | None] = []
    for step in steps:
        match step:
            case Attribute(name):
                parts.append(name)
            case Item(_, component):
                parts.append(component)
            case Each():
                parts.append(None)
            case Handed():
                parts.append(step)
    return parts


class Naming:
    """Finds the target of one spot's statement."""

    def __init__(self, spot: Spot, text: Text, own_classes: frozenset[str], taken: Taken) -> None:
        self._spot = spot
        self._text = text
        self._taken = taken
        self._path = Path(spot, text, own_classes)

    def target(self) -> Target:
        """Raises RefusedError if the statement gives the layer no name."""
        match self._spot.statement:
            case ast.Assign(targets=targets, value=value):
                return self._assigned(self._first(targets), value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                return self._assigned(target, value)
            case ast.AugAssign(target=target, op=ast.Add(), value=value) if self._spot.holds(value):
                return self._passing(target).then(self._path.appended(value))
            case ast.Expr(value=ast.Call() as call):
                return self._by_call(call)
            case ast.Expr(value=ast.Tuple(elts=calls)):
                return self._among(calls)
            case ast.Return(value=ast.expr() as value):
                return self._returned(value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                raise RefusedError("it is made in a decorator or a default argument")
        kind = type(self._spot.statement).__name__.lower()
        raise RefusedError(f"the {kind} statement that makes it gives it no name")

    def _returned(self, value: ast.expr) -> Target:
        """What is returned is given to a variable, which is returned instead."""
        wanted = ("layer",) if value is self._spot.call else ("model", "module", "network")
        taken = self._taken(self._spot.scope)
        for name in wanted:
            if name not in taken:
                return Target(name, (), lasting=False).then(self._path.steps(value))
        raise RefusedError("it is returned without a name, and the names to give it are taken")

    def _among(self, calls: list[ast.expr]) -> Target:
        """Calls with commas between them, or one with a stray comma after it."""
        for call in calls:
            if isinstance(call, ast.Call) and self._spot.holds(call):
                return self._by_call(call)
        raise RefusedError("it is made in an expression that is not a call")

    def _first(self, targets: list[ast.expr]) -> ast.expr:
        """Of the targets of a chained assignment, an attribute of the instance if there is one."""
        return next((t for t in targets if isinstance(t, ast.Attribute)), targets[0])

    def _assigned(self, target: ast.expr, value: ast.expr) -> Target:
        if not self._spot.holds(value):
            raise RefusedError("it is made in the target of an assignment")
        if isinstance(target, ast.Tuple | ast.List):
            return self._unpacked(target, value)
        return self._named(target).then(self._path.steps(value))

    def _unpacked(self, targets: ast.Tuple | ast.List, value: ast.expr) -> Target:
        if (
            isinstance(value, ast.Tuple | ast.List)
            and len(value.elts) == len(targets.elts)
            and not any(isinstance(e, ast.Starred) for e in [*value.elts, *targets.elts])
        ):
            pairs = zip(targets.elts, value.elts, strict=True)
            return next(self._assigned(t, v) for t, v in pairs if self._spot.holds(v))
        raise RefusedError("it is unpacked into several names")

    def _named(self, expression: ast.expr) -> Target:
        name = dotted(expression)
        if name is None:
            return self._passing(expression)
        root, *components = name.split(".")
        if root != self._spot.self_name:
            return Target(name, (), lasting=False)
        return Target(name, tuple(components), lasting=bool(components))

    def _passing(self, expression: ast.expr) -> Target:
        """An expression that is safe to use right after the statement, and only there."""
        text = self._text.segment(expression)
        if not is_pure(expression) or "\n" in text or "\r" in text:
            raise RefusedError("what it is assigned to cannot be evaluated a second time")
        return Target(text, (), lasting=False)

    def _by_call(self, call: ast.Call) -> Target:
        function = call.func
        if call.keywords or any(isinstance(a, ast.Starred) for a in call.args):
            return self._super_call(call)
        match function, call.args:
            case ast.Name("setattr"), [owner, name, member] if self._spot.holds(member):
                return self._by_name(owner, name, member)
            case ast.Attribute(owner, "add_module" | "register_module" | "register_parameter"), [
                name,
                member,
            ] if self._spot.holds(member):
                return self._by_name(owner, name, member)
            case ast.Attribute(owner, "append"), [member] if self._spot.holds(member):
                return self._passing(owner).then([Item("-1"), *self._path.steps(member)])
            case ast.Attribute(owner, "extend"), [members] if self._spot.holds(members):
                return self._passing(owner).then(self._path.appended(members))
            case ast.Attribute(owner, "insert"), [
                ast.Constant(value=int(index)),
                member,
            ] if self._spot.holds(member):
                return self._passing(owner).then([Item(str(index)), *self._path.steps(member)])
        return self._super_call(call)

    def _by_name(self, owner: ast.expr, name: ast.expr, member: ast.expr) -> Target:
        steps = self._path.steps(member)
        match name:
            case ast.Constant(value=str(written)) if written.isidentifier() and dotted(owner):
                owned = ast.Attribute(owner, written, ast.Load())
                return self._named(owned).then(steps)
        base = f"getattr({self._passing(owner).base}, {self._passing(name).base})"
        return Target(base, (), lasting=False).then(steps)

    def _super_call(self, call: ast.Call) -> Target:
        """`super().__init__(members…)` in a class derived from a container of torch's."""
        owner, function = self._spot.owner, call.func
        bases = {last_name(base) for base in owner.bases} & CONTAINERS if owner else set()
        match function:
            case ast.Attribute(ast.Call(func=ast.Name("super")), "__init__") if len(bases) == 1:
                steps = self._path.container(bases.pop(), call)
                return Target(self._spot.self_name or "self", (), lasting=True).then(steps)
        name = ast.unparse(function)
        raise RefusedError(f"it is handed to `{name}`, which does not say where it goes")
