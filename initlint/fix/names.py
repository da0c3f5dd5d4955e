"""Finds the name of a new layer: in its statement, and in the model's parameter names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from initlint.fix.members import CONTAINERS, Attribute, Each, Handed, Item, Path, Step
from initlint.fix.spot import Scope, Spot, dotted, is_pure, last_name
from initlint.fix.text import RefusedError, Text
from initlint.safe.shown import access

Pattern = Sequence[str | None]

PARAMETER = {"Parameter", "UninitializedParameter"}
# Torch modules with submodules, whose weights are not their own attributes.
_COMPOSITE = re.compile(r"^(MultiheadAttention|Transformer\w*)$")
_SINGLE = re.compile(
    r"^(Linear|Bilinear|Conv[123]d|ConvTranspose[123]d|Embedding|EmbeddingBag"
    r"|RNN|LSTM|GRU|RNNCell|LSTMCell|GRUCell|PReLU|\w+Norm\w*)$"
)
_REPARAMETRISED = {"parametrizations", "weight_g", "weight_v", "weight_orig"}
_FEW = 4


class Tail(NamedTuple):
    """What to append to the member's expression, and to the base before a step into `Handed`.

    `sure` is False where the names do not confirm the path, so that only the place right after
    the statement is known to be right. `derived` is True where the path rests on the names.
    """

    attributes: tuple[str, ...]
    inside: tuple[str, ...] = ()
    sure: bool = True
    derived: bool = False


def tails(
    call: ast.Call, parameters: Sequence[str], pattern: Sequence[str | Handed | None]
) -> list[Tail]:
    """For each distinct parameter that `call` makes, what follows the pattern in its name.

    Raises RefusedError where the names contradict the source, or fit it in two ways.
    """
    kind = last_name(call.func)
    if kind.startswith("Lazy"):
        raise RefusedError("a lazy layer may have no weight yet where the constructor ends")
    names = [parameter.split(".") for parameter in parameters]
    if any(_REPARAMETRISED.intersection(name) for name in names):
        raise RefusedError("its weight is reparametrised: other tensors make it up")
    found = [_tail(kind, name, pattern) for name in names]
    if len({tail.inside for tail in found}) > 1:
        raise RefusedError("the function it is passed to keeps it in several places")
    return list(dict.fromkeys(found))


def _tail(kind: str, name: list[str], pattern: Sequence[str | Handed | None]) -> Tail:
    handed = [part for part in pattern if isinstance(part, Handed)]
    own = 0 if kind in PARAMETER else 1
    if handed:
        return _inside(handed, name, pattern, own)
    known = [part for part in pattern if not isinstance(part, Handed)]
    if _COMPOSITE.match(kind) and (not known or None in known):
        raise RefusedError(f"it is not known which weight of `{kind}` is meant")
    if _ends_with(name[: len(name) - own], known):
        return Tail(tuple(name[len(name) - own :]))
    if not _SINGLE.match(kind) and own:
        return _deeper(kind, name, known)
    return Tail(tuple(name[len(name) - own :]), sure=False)


def _deeper(kind: str, name: list[str], pattern: Pattern) -> Tail:
    """A weight of a module that the constructor itself made inside."""
    rests = [
        name[end:] for end in range(len(pattern), len(name)) if _ends_with(name[:end], pattern)
    ]
    if len(rests) != 1:
        qualified = ".".join(name)
        raise RefusedError(f"the model's name `{qualified}` does not say where in it the weight is")
    return Tail(tuple(rests[0]), derived=True)


def _inside(
    handed: list[Handed], name: list[str], pattern: Sequence[str | Handed | None], own: int
) -> Tail:
    """A layer that was given to a call: the qualified name says where that put it."""
    cut = pattern.index(handed[0])
    before = [part for part in pattern[:cut] if not isinstance(part, Handed)]
    after = [part for part in pattern[cut + 1 :] if not isinstance(part, Handed)]
    callee = handed[0].callee
    if len(handed) > 1 or not before or None in after:
        raise RefusedError(f"it is passed to `{callee}`, which keeps it in an unknown place")
    end = len(name) - own - len(after)
    inner = name[:end]
    gaps = [
        inner[start:] for start in range(len(before), end + 1) if _ends_with(inner[:start], before)
    ]
    if not _ends_with(name[: len(name) - own], after) or len(gaps) != 1:
        raise RefusedError(f"it is passed to `{callee}`, which keeps it in an unknown place")
    return Tail(tuple(name[len(name) - own :]), tuple(gaps[0]), derived=True)


def _ends_with(name: list[str], pattern: Pattern) -> bool:
    if len(pattern) > len(name):
        return False
    end = name[len(name) - len(pattern) :]
    return all(part is None or part == found for part, found in zip(pattern, end, strict=True))


# The names that a new variable of a scope must not take.
Taken = Callable[[Scope], frozenset[str]]


class Target(NamedTuple):
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

    def __init__(
        self,
        spot: Spot,
        text: Text,
        own_classes: frozenset[str],
        taken: Taken,
        alike: Collection[int] = (),
    ) -> None:
        self._spot = spot
        self._text = text
        self._taken = taken
        self._path = Path(spot, text, own_classes, alike)

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
        """Assign the returned value to a variable, and return the variable."""
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
            raise RefusedError("its assignment target cannot be evaluated a second time")
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
        raise RefusedError(f"it is passed to `{name}`, which does not say where it goes")


def narrowed(
    target: Target, call: ast.Call, names: Sequence[str], spared: Sequence[str]
) -> list[Target]:
    """The target without the members called `spared`. Raises RefusedError."""
    if not spared:
        return [target]
    loops = [i for i, step in enumerate(target.steps) if isinstance(step, Each)]
    each = target.steps[loops[0]] if len(loops) == 1 else None
    refused = _sparing(spared)
    if not isinstance(each, Each) or each.run is None or _is_handed(target):
        raise RefusedError(refused)
    own = 0 if last_name(call.func) in PARAMETER else 1
    # The parts of the name that come after the loop's, the parameter's own among them.
    later = own + len(target.pattern) - 1 - target.pattern.index(None)
    chosen = sorted({_member(name, later, refused) for name in names})
    others = sorted({_member(name, later, refused) for name in spared})
    steps = _without(each.run, chosen, others, refused)
    if steps is None:
        return [_with(target, loops[0], Item(str(index), str(index))) for index in chosen[:_FEW]]
    return [_with(target, loops[0], steps)]


def _sparing(spared: Sequence[str]) -> str:
    """Why no call can be written where the line also makes the `spared`."""
    # Of a bare Sequential the model's name is not known here: [8].weight.
    names = [access("", name).removeprefix("model") for name in spared[:_FEW]]
    shown = ", ".join(names) + (", …" if len(spared) > _FEW else "")
    stay = "stay as they are" if len(spared) > 1 else "stays as it is"
    return f"the line also makes {shown}, which {stay}: fill the others in a loop of their own"


def _without(
    run: tuple[int, int, int], chosen: list[int], others: list[int], refused: str
) -> Each | None:
    """The loop over `chosen` alone; None if they are not adjacent."""
    before, after, step = run
    members = sorted({*chosen, *others})
    if members != list(range(before, before + step * len(members), step)):
        raise RefusedError(refused)
    front = members.index(chosen[0])
    back = len(members) - 1 - members.index(chosen[-1])
    if front + back == len(others):
        return Each.of_run(before + step * front, after + step * back, step)
    if len(chosen) > _FEW:
        raise RefusedError(refused)
    return None


def _member(name: str, later: int, refused: str) -> int:
    parts = name.split(".")
    index = parts[-1 - later] if later < len(parts) else ""
    if not index.isdigit():
        raise RefusedError(refused)
    return int(index)


def _is_handed(target: Target) -> bool:
    return any(isinstance(part, Handed) for part in target.pattern)


def _with(target: Target, index: int, step: Step) -> Target:
    steps = (*target.steps[:index], step, *target.steps[index + 1 :])
    return target._replace(steps=steps)
