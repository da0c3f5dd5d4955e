"""Classes of the files read: method resolution order, members, and instances."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from initlint.reading import frameworks
from initlint.reading.holders import CONTAINERS, Function, Instance, Listing, Table, around
from initlint.reading.life import slots_of, twin
from initlint.reading.modules import Modules
from initlint.reading.outside import LOOKING, TRAINING
from initlint.reading.parts import key_of, may_hold, options_of
from initlint.reading.resolve import Module
from initlint.reading.state import Frame
from initlint.reading.submodules import children, is_part
from initlint.reading.torch_modules import ancestors, reset_of
from initlint.reading.values import UNKNOWN, External, Kind, Slot, Value
from initlint.torchlib import catalog

# Classes outside torch that are modules, by the last part of their names.
_KNOWN_BASES = {
    *("LightningModule", "PreTrainedModel", "BaseModule", "GradientCheckpointingLayer"),
    *("PyTorchModelHubMixin", "ModelMixin", "TorchModelV2"),
}
# Those that are not followed even where their own files are read: what they do to a model depends
# on its configuration, and all models derive from them.
_FRAMEWORK = ("PreTrainedModel",)
_DEEPEST = 3


@dataclass(slots=True, eq=False, repr=False)
class UserClass(Kind):
    """A class of the files read, with facts about it that were computed so far.

    `used` is True after another class was seen to instantiate it.
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


class Classes(Modules):
    """Reads classes and makes objects of them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.classes: dict[ast.ClassDef, UserClass] = {}
        self.enumerations: dict[tuple[UserClass, str], Instance] = {}
        # The names of all classes that others inherit from, once somebody asks.
        self._bases: set[str] | None = None

    def evaluate(self, node: ast.AST, frame: Frame) -> Value:
        """The value of an expression."""
        raise NotImplementedError

    def class_of(self, node: ast.ClassDef, module: Module) -> UserClass:
        """The class that a statement at the top level of a file defines."""
        if node not in self.classes:
            self.classes[node] = UserClass(node, module, None)
        return self.classes[node]

    def order(self, cls: UserClass) -> list[Value]:
        """A class and those it inherits from, nearest first; the last ones may lie outside."""
        if cls.order is None:
            cls.order = [cls]
            try:
                found = [cls, *self._inherited(cls)]
            except BaseException:
                cls.order = None
                raise
            cls.order = found if len(cls.node.bases) == 1 else _last_of_each(found)
        return cls.order

    def _inherited(self, cls: UserClass) -> list[Value]:
        """The method resolution orders of a class's bases, one after the other."""
        frame = Frame(cls.module, cls.closure)
        found: list[Value] = []
        for node in cls.node.bases:
            base = self.evaluate(node, frame)
            if isinstance(base, UserClass) and base.name in _FRAMEWORK:
                base = External(f"transformers.{base.name}")
            order = self.order(base) if isinstance(base, UserClass) else [base]
            self.budget.elements(len(order) // (32 if len(cls.node.bases) == 1 else 4))
            found += order
        return found

    def torch_base(self, cls: UserClass) -> str:
        """The name of the torch class that a class derives from; empty if it is not a module."""
        if cls.torch is None:
            kinds = [_module_kind(value.name) for value in self.outside_of(cls)]
            found = [kind for kind in kinds if kind]
            cls.torch = next((kind for kind in found if kind != "Module"), "".join(found[:1]))
        return cls.torch

    def outside_of(self, cls: UserClass) -> list[External]:
        """The classes outside the files that a class inherits from, nearest first.

        A class with one base has those of its base: in a long line of classes each is gone through
        once.
        """
        if cls.outside is None:
            order = self.order(cls)
            base = order[1] if len(order) > 1 and len(cls.node.bases) == 1 else None
            if isinstance(base, UserClass) and base.outside is not None:
                cls.outside = base.outside
            else:
                cls.outside = [value for value in order if isinstance(value, External)]
        return cls.outside

    def stranger_of(self, cls: UserClass) -> str:
        """The first base class of a class that is not read, and may do anything; empty if none."""
        if cls.stranger is None:
            cls.stranger = next(filter(None, map(_stranger, self.order(cls))), "")
        return cls.stranger

    def hold(self, instance: Instance, name: str, value: Value) -> None:
        """Set an attribute; what a base class that is not read can reach, it may fill."""
        super().hold(instance, name, value)
        if self.hooking is not None and isinstance(value, Slot):
            self.covered.add((self.hooking, value))
        if not instance.torch and instance.cls is not None and (is_part(value) or may_hold(value)):
            stranger = self.stranger_of(instance.cls)
            if stranger:
                who = f"{stranger}, a base class of {instance.cls.name},"
                if self.outside:
                    self.life.give([value], who, None)
                self.lost([value], {})

    def heirs_of(self, parts: Collection[Value], classes: Sequence[UserClass]) -> set[Value]:
        """Those of `classes` that are among `parts`, or inherit from one that is."""
        known: dict[Value, bool] = {}
        for cls in classes:
            order = self.order(cls)
            base = order[1] if len(order) > 1 and len(cls.node.bases) == 1 else None
            if base in known:
                known[cls] = cls in parts or known[base]
            else:
                known[cls] = any(one in parts for one in order if isinstance(one, UserClass))
        return {cls for cls in classes if known[cls]}

    def member(
        self, cls: UserClass, name: str, after: UserClass | None = None
    ) -> tuple[UserClass, ast.AST] | None:
        """The class that defines a member, and its node; with `after`, what super() sees."""
        order = self.order(cls)
        self.budget.elements(len(order) // 32)
        start = order.index(after) + 1 if after is not None and after in order else 0
        for base in order[start:]:
            if isinstance(base, UserClass) and name in base.members:
                return base, base.members[name]
        return None

    def method(self, owner: UserClass, node: ast.AST) -> Value:
        """A class's member of this name: a function, or the value assigned to the name."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return self.function(owner, node)
        return self.constant_of(owner, node)

    def constant_of(self, owner: UserClass, node: ast.AST) -> Value:
        """A class's member other than a method: a constant, or another class."""
        if isinstance(node, ast.ClassDef):
            return UserClass(node, owner.module, owner.closure)
        return self.evaluate(node, Frame(owner.module, owner.closure))

    def is_enum(self, cls: UserClass) -> bool:
        """Whether a class is an enumeration."""
        names = [base.name for base in self.outside_of(cls)]
        return any(name.startswith("enum.") for name in names)

    def enumerated(self, cls: UserClass, name: str, value: Value) -> Instance:
        """The member of an enumeration of this name, the same object at each access."""
        if (cls, name) not in self.enumerations:
            member = Instance(cls, "")
            member.attrs.update(name=name, value=value)
            self.enumerations[cls, name] = member
        return self.enumerations[cls, name]

    def function(self, owner: UserClass, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
        """A function defined in a class."""
        found = owner.functions.get(id(node))
        if found is None:
            found = Function(node, owner.module, owner.closure, owner)
            owner.functions[id(node)] = found
        return found

    def is_instance(self, value: Instance, wanted: Value) -> bool | None:
        """Whether an object is an instance of a class; None if that is not known."""
        if isinstance(wanted, tuple):
            answers = [self.is_instance(value, one) for one in wanted]
            return True if True in answers else (None if None in answers else False)
        if isinstance(wanted, UserClass):
            return value.cls is not None and wanted in self.order(value.cls)
        if not isinstance(wanted, External):
            return None
        name = wanted.name.rpartition(".")[2]
        if not wanted.name.startswith("torch."):
            return False
        return bool(value.torch) and name in ancestors(value.torch)

    def construct(
        self,
        cls: UserClass,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None,
    ) -> Value:
        """A new object of a class; equal modules made by the same line are one object."""
        kind = self.torch_base(cls)
        if not kind:
            return self._plain_object(cls, args, kwargs)
        if self.constructing is not None:
            cls.used = cls.used or self.constructing.cls is not cls
        if self.active.count(cls) >= _DEEPEST:
            return UNKNOWN
        key = (
            cls,
            node,
            self.arms,
            tuple(map(key_of, args)),
            tuple((name, key_of(value)) for name, value in kwargs.items()),
        )
        instance = self.memo.get(key)
        if instance is None:
            instance = Instance(cls, kind, self.site(node), arms=self.arms)
            self.memo[key] = instance
            try:
                self.build(instance, args, kwargs)
                if self.constructing is None:
                    frameworks.set_up(self, instance)
            except BaseException:
                # A module whose constructor was given up is not usable.
                del self.memo[key]
                raise
        return self._born(instance, node) if self.outside else instance

    def _born(self, origin: Instance, node: ast.AST | None) -> Instance:
        """A model that code outside of modules makes, which has parameters of its own."""
        self.budget.elements(sum(1 for _ in slots_of(origin)))
        made = twin(origin, self.life.of)
        self.life.born(made, origin, node, self.frames[-1].module.path)
        return made

    def build(self, instance: Instance, args: Sequence[Value], kwargs: Mapping[str, Value]) -> None:
        """Run the constructor of a module."""
        cls: UserClass = instance.cls
        outer, self.constructing = self.constructing, instance
        self.active.append(cls)
        try:
            found = self.member(cls, "__init__")
            method = None if found is None else self.method(*found)
            if type(method) is Function:
                self.follow(method, [instance, *args], kwargs)
            elif method is not None:
                self.call(method, [instance, *args], kwargs)
            elif _is_dataclass(cls):
                self._fill_fields(instance, args, kwargs)
            else:
                self.furnish(instance, args, kwargs)
        finally:
            self.active.pop()
            self.constructing = outer
        cls.made.append(instance)
        claim(instance)

    def furnish(
        self,
        instance: Instance,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None = None,
    ) -> None:
        """Run torch's constructor; then the class's own `reset_parameters`, if it has one."""
        super().furnish(instance, args, kwargs, node)
        name = reset_of(instance.torch)
        found = self.member(instance.cls, name) if name and instance.cls is not None else None
        if found is not None:
            self.call(self.method(*found), [instance], {})

    def surely_lacks(self, instance: Instance, name: str) -> bool:
        """Whether an object of a class of the files certainly has no attribute of this name."""
        cls = instance.cls
        if self.drawing or not isinstance(cls, UserClass) or name.startswith("_"):
            return False
        if instance.torch != "Module" and instance.torch not in CONTAINERS:
            return False
        order = self.order(cls)
        bases = [base.name for base in order if isinstance(base, External)]
        is_read = len(bases) + sum(isinstance(b, UserClass) for b in order) == len(order)
        if not is_read or not all(base.startswith("torch.nn.") for base in bases):
            return False
        if instance is self.constructing and self.has_heirs(cls):
            # What they add is there when the constructor that they call needs it.
            return False
        return not any(isinstance(one, UserClass) and is_open(one.node) for one in order)

    def has_heirs(self, cls: UserClass) -> bool:
        """Whether some class of the files may inherit from this one, by its name."""
        if self._bases is None:
            self._bases = {
                name
                for module in self.program.modules
                if module.source.hinted
                for node in module.source.tree.body
                if isinstance(node, ast.ClassDef)
                for base in node.bases
                if (name := getattr(base, "id", "") or getattr(base, "attr", ""))
            }
        return cls.name in self._bases

    def _plain_object(
        self, cls: UserClass, args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> Value:
        bases = [v for v in self.order(cls)[1:] if not isinstance(v, UserClass)]
        names = [v.name.rpartition(".")[2] for v in bases if isinstance(v, External)]
        if any("Enum" in name or name in ("dict", "list", "Function") for name in names):
            return self.lost(args, kwargs)
        instance = Instance(cls, "")
        if self.active.count(cls) >= _DEEPEST:
            return UNKNOWN
        self.active.append(cls)
        found = self.member(cls, "__init__")
        if found is not None:
            self.call(self.method(*found), [instance, *args], kwargs)
        elif _is_dataclass(cls) or "NamedTuple" in names:
            self._fill_fields(instance, args, kwargs)
        self.active.pop()
        return instance

    def _fill_fields(
        self, instance: Instance, args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> None:
        """Run the constructor of a dataclass."""
        names: dict[str, tuple[UserClass, ast.AST | None]] = {}
        for base in reversed(self.order(instance.cls)):
            if isinstance(base, UserClass):
                for statement in base.node.body:
                    if isinstance(statement, ast.AnnAssign) and isinstance(
                        statement.target, ast.Name
                    ):
                        names[statement.target.id] = (base, statement.value)
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        for name, (base, default) in names.items():
            if name in given:
                instance.attrs[name] = given[name]
            elif default is not None:
                frame = Frame(base.module, base.closure)
                instance.attrs[name] = self._field_default(default, frame)
            else:
                instance.attrs[name] = UNKNOWN
        after = self.member(instance.cls, "__post_init__")
        if after is not None:
            self.call(self.method(*after), [instance], {})

    def _field_default(self, node: ast.AST, frame: Frame) -> Value:
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name == "field":
                for keyword in node.keywords:
                    value = self.evaluate(keyword.value, frame)
                    if keyword.arg == "default":
                        return value
                    if keyword.arg == "default_factory":
                        return self.call(value, [], {})
                return UNKNOWN
        return self.evaluate(node, frame)


# Functions that give an object attributes under names that the code computes.
_NAMING = ("add_module", "register_module", "register_buffer", "register_parameter")


@lru_cache(maxsize=1024)
def is_open(node: ast.ClassDef) -> bool:
    """Whether objects of a class may have attributes that no line of it names."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id in ("setattr", "vars", "exec", "locals"):
            return True
        if isinstance(inner, ast.Attribute) and inner.attr == "__dict__":
            return True
        if isinstance(inner, ast.FunctionDef) and inner.name in ("__getattr__", "__getattribute__"):
            return True
        if isinstance(inner, ast.Call) and getattr(inner.func, "attr", "") in _NAMING:
            is_named = bool(inner.args) and isinstance(inner.args[0], ast.Constant)
            if not is_named:
                return True
    return False


def _last_of_each(order: list[Value]) -> list[Value]:
    """The last of several places counts, so that a shared base comes after all that have it."""
    keys = [id(value) if isinstance(value, UserClass) else key_of(value) for value in order]
    keep = {key: place for place, key in enumerate(keys)}
    return [value for place, value in enumerate(order) if keep[keys[place]] == place]


# Framework bases that initialise the weights of a model and of all its submodules.
_FILLING = ("PreTrainedModel", "BaseModule", "ModelMixin")


def is_filled(outside: Sequence[External]) -> bool:
    """Whether one of the classes that a class inherits from fills weights by rules of its own."""
    return any(value.name.rpartition(".")[2] in _FILLING for value in outside)


def _is_dataclass(cls: UserClass) -> bool:
    for decorator in cls.node.decorator_list:
        node = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
        if name == "dataclass":
            return True
    return False


def _module_kind(name: str) -> str:
    """The torch class that a class outside the files read is, or derives from."""
    package, last = name.partition(".")[0], name.rpartition(".")[2]
    if name.startswith("torch.") and (".nn." in name or name.startswith("torch.nn")):
        return "Module" if last in ("Module", "ScriptModule") else last
    if package == "torch" or last in _KNOWN_BASES:
        return "Module" if last in _KNOWN_BASES or last == "ScriptModule" else ""
    return ""


# Bases that leave what a class of the files holds as it is.
_HARMLESS = {
    *(sys.stdlib_module_names | LOOKING | TRAINING),
    *("builtins", "torch", "typing_extensions"),
}


def _stranger(base: Value) -> str:
    """The name of a base class if it is not read, and may do anything with what an heir holds."""
    if isinstance(base, UserClass):
        return ""
    if not isinstance(base, External):
        return "something that is not known"
    return "" if base.name.partition(".")[0] in _HARMLESS else base.name.lstrip(".")


def is_layer(instance: Instance) -> bool:
    """Whether a module is a weighted layer of torch's, or derived from one."""
    operation = catalog.operation_of_module(instance.torch)
    return operation is not None and operation.role == "weighted"


def claim(instance: Instance) -> None:
    """Every layer that a module holds, not through another class, is its own from now on."""
    waiting = [("", instance)]
    seen: set[int] = set()
    while waiting:
        prefix, holder = waiting.pop()
        for name, part in children(holder):
            path = f"{prefix}.{name}" if prefix else name
            if id(part) in seen or part.owner is not None:
                continue
            seen.add(id(part))
            if is_layer(part):
                part.owner = (instance, path)
                for child, inner in children(part):
                    inner.owner = (instance, f"{path}.{child}")
            elif part.cls is None:
                waiting.append((path, part))


def nested(value: Value, depth: int = 0) -> Iterator[Instance]:
    """All modules in a value: those in lists and tables, and those that hold others."""
    for option in options_of(value):
        if isinstance(option, Instance):
            yield option
        elif isinstance(option, (Listing, tuple)) and depth < _DEEPEST:
            for item in option if isinstance(option, tuple) else option.items:
                yield from nested(item, depth + 1)
        elif isinstance(option, Table) and depth < _DEEPEST:
            for item in option.items.values():
                yield from nested(item, depth + 1)
