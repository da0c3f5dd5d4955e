"""Classes of the files read: method resolution order, members, and what lies outside."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Sequence
from functools import lru_cache

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import CONTAINERS, Function, Instance
from initlint.reading.abstract.parts import key_of, may_hold
from initlint.reading.abstract.submodules import is_part
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import External, Kept, Slot, Value
from initlint.reading.evaluate.compiled import evaluate
from initlint.reading.fills.initial import lost
from initlint.reading.objects.torch_modules import ancestors
from initlint.reading.reader import Reader
from initlint.reading.sources.outside import LOOKING, TRAINING
from initlint.reading.sources.resolve import Module

# Classes outside torch that are modules, by the last part of their names.
_KNOWN_BASES = {
    *("LightningModule", "PreTrainedModel", "BaseModule", "GradientCheckpointingLayer"),
    *("PyTorchModelHubMixin", "ModelMixin", "TorchModelV2", "MessagePassing"),
}
# Those that are not followed even where their own files are read: what they do to a model depends
# on its configuration, and all models derive from them.
_FRAMEWORK = ("PreTrainedModel",)


def class_of(reader: Reader, node: ast.ClassDef, module: Module) -> UserClass:
    """The class that a statement at the top level of a file defines."""
    if node not in reader.classes:
        reader.classes[node] = UserClass(node, module, None)
    return reader.classes[node]


def order_of(reader: Reader, cls: UserClass) -> list[Value]:
    """A class and those it inherits from, nearest first; the last ones may lie outside."""
    if cls.order is None:
        cls.order = [cls]
        try:
            found = [cls, *_inherited(reader, cls)]
        except BaseException:
            cls.order = None
            raise
        cls.order = found if len(cls.node.bases) == 1 else _last_of_each(found)
    return cls.order


def _inherited(reader: Reader, cls: UserClass) -> list[Value]:
    """The method resolution orders of a class's bases, one after the other."""
    frame = Frame(cls.module, cls.closure)
    found: list[Value] = []
    for node in cls.node.bases:
        base = evaluate(reader, node, frame)
        if isinstance(base, UserClass) and base.name in _FRAMEWORK:
            base = External(f"transformers.{base.name}")
        order = order_of(reader, base) if isinstance(base, UserClass) else [base]
        reader.budget.elements(len(order) // (32 if len(cls.node.bases) == 1 else 4))
        found += order
    return found


def torch_base(reader: Reader, cls: UserClass) -> str:
    """The name of the torch class that a class derives from; empty if it is not a module."""
    if cls.torch is None:
        kinds = [_module_kind(value.name) for value in outside_of(reader, cls)]
        found = [kind for kind in kinds if kind]
        cls.torch = next((kind for kind in found if kind != "Module"), "".join(found[:1]))
    return cls.torch


def outside_of(reader: Reader, cls: UserClass) -> list[External]:
    """The classes outside the files that a class inherits from, nearest first.

    A class with one base has those of its base: in a long line of classes each is gone through
    once.
    """
    if cls.outside is None:
        order = order_of(reader, cls)
        base = order[1] if len(order) > 1 and len(cls.node.bases) == 1 else None
        if isinstance(base, UserClass) and base.outside is not None:
            cls.outside = base.outside
        else:
            cls.outside = [value for value in order if isinstance(value, External)]
    return cls.outside


def stranger_of(reader: Reader, cls: UserClass) -> str:
    """The first base class of a class that is not read, and may do anything; empty if none."""
    if cls.stranger is None:
        cls.stranger = next(filter(None, map(_stranger, order_of(reader, cls))), "")
    return cls.stranger


def hold(reader: Reader, instance: Instance, name: str, value: Value) -> None:
    """Set an attribute; a bare parameter now has its holder and its name.

    What a base class that is not read can reach, it may fill.
    """
    if reader.outside and (is_part(value) or is_part(instance.attrs.get(name))):
        reader.life.rebuild(instance)
    slot = value.slot if isinstance(value, Kept) else value
    if isinstance(slot, Slot) and not slot.name:
        slot.holder, slot.name = instance, name
    instance.attrs[name] = value
    reader.altered += instance is not reader.constructing
    if reader.hooking is not None and isinstance(value, Slot):
        reader.covered[reader.hooking].add(value)
    if not instance.torch and instance.cls is not None and (is_part(value) or may_hold(value)):
        stranger = stranger_of(reader, instance.cls)
        if stranger:
            who = f"{stranger}, a base class of {instance.cls.name},"
            if reader.outside:
                reader.life.give([value], who, None)
            lost(reader, [value], {})


def name_of(instance: Instance, name: Value, written: ast.AST | None) -> str:
    """The name of a part; of one that is only known when the code runs, how it begins.

    Of `f"fc{i}"`, `"fc%d" % i`, `"fc{}".format(i)` and `"fc" + str(i)` that is fc; a number comes
    after it, so that the parts of a module have names of their own.
    """
    if isinstance(name, str):
        return name
    texts = [n.value for n in ast.walk(written) if isinstance(n, ast.Constant)] if written else []
    begin = next((text for text in texts if isinstance(text, str)), "")
    found = _BEGINS.match(begin)
    return f"{found[0] if found else ''}{{{len(instance.attrs)}}}"


# The part of a text before its first placeholder that may begin a name.
_BEGINS = re.compile(r"[A-Za-z_]\w{0,60}(?=$|[%{])")


def argument_at(node: ast.AST | None, place: int) -> ast.expr | None:
    """The text of an argument that is given by its place."""
    return node.args[place] if isinstance(node, ast.Call) and len(node.args) > place else None


def heirs_of(reader: Reader, parts: Collection[Value], classes: Sequence[UserClass]) -> set[Value]:
    """Those of `classes` that are among `parts`, or inherit from one that is."""
    known: dict[Value, bool] = {}
    for cls in classes:
        order = order_of(reader, cls)
        base = order[1] if len(order) > 1 and len(cls.node.bases) == 1 else None
        if base in known:
            known[cls] = cls in parts or known[base]
        else:
            known[cls] = any(one in parts for one in order if isinstance(one, UserClass))
    return {cls for cls in classes if known[cls]}


def lookup(
    reader: Reader, cls: UserClass, name: str, after: UserClass | None = None
) -> tuple[UserClass, ast.AST] | None:
    """The class that defines a member, and its node; with `after`, what super() sees."""
    order = order_of(reader, cls)
    reader.budget.elements(len(order) // 32)
    start = order.index(after) + 1 if after is not None and after in order else 0
    for base in order[start:]:
        if isinstance(base, UserClass) and name in base.members:
            return base, base.members[name]
    return None


def method_of(reader: Reader, owner: UserClass, node: ast.AST) -> Value:
    """A class's member of this name: a function, or the value assigned to the name."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return function_in(owner, node)
    return constant_of(reader, owner, node)


def constant_of(reader: Reader, owner: UserClass, node: ast.AST) -> Value:
    """A class's member other than a method: a constant, or another class."""
    if isinstance(node, ast.ClassDef):
        return UserClass(node, owner.module, owner.closure)
    return evaluate(reader, node, Frame(owner.module, owner.closure))


def is_enum(reader: Reader, cls: UserClass) -> bool:
    """Whether a class is an enumeration."""
    names = [base.name for base in outside_of(reader, cls)]
    return any(name.startswith("enum.") for name in names)


def enumerated(reader: Reader, cls: UserClass, name: str, value: Value) -> Instance:
    """The member of an enumeration of this name, the same object at each access."""
    if (cls, name) not in reader.enumerations:
        member = Instance(cls, "")
        member.attrs.update(name=name, value=value)
        reader.enumerations[cls, name] = member
    return reader.enumerations[cls, name]


def function_in(owner: UserClass, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    """A function defined in a class."""
    found = owner.functions.get(id(node))
    if found is None:
        found = Function(node, owner.module, owner.closure, owner)
        owner.functions[id(node)] = found
    return found


def is_instance(reader: Reader, value: Instance, wanted: Value) -> bool | None:
    """Whether an object is an instance of a class; None if that is not known."""
    if isinstance(wanted, tuple):
        answers = [is_instance(reader, value, one) for one in wanted]
        return True if True in answers else (None if None in answers else False)
    if isinstance(wanted, UserClass):
        return value.cls is not None and wanted in order_of(reader, value.cls)
    if not isinstance(wanted, External):
        return None
    name = wanted.name.rpartition(".")[2]
    if not wanted.name.startswith("torch."):
        return False
    return bool(value.torch) and name in ancestors(value.kind())


def surely_lacks(reader: Reader, instance: Instance, name: str) -> bool:
    """Whether an object of a class of the files certainly has no attribute of this name."""
    cls = instance.cls
    if reader.drawing or not isinstance(cls, UserClass) or name.startswith("_"):
        return False
    if instance.torch != "Module" and instance.torch not in CONTAINERS:
        return False
    order = order_of(reader, cls)
    bases = [base.name for base in order if isinstance(base, External)]
    is_read = len(bases) + sum(isinstance(b, UserClass) for b in order) == len(order)
    if not is_read or not all(base.startswith("torch.nn.") for base in bases):
        return False
    if instance is reader.constructing and has_heirs(reader, cls):
        # What they add is there when the constructor that they call needs it.
        return False
    return not any(isinstance(one, UserClass) and is_open(one.node) for one in order)


def has_heirs(reader: Reader, cls: UserClass) -> bool:
    """Whether some class of the files may inherit from this one, by its name."""
    if reader.bases is None:
        reader.bases = {
            name
            for module in reader.program.modules
            if module.source.hinted
            for node in module.source.tree.body
            if isinstance(node, ast.ClassDef)
            for base in node.bases
            if (name := getattr(base, "id", "") or getattr(base, "attr", ""))
        }
    return cls.name in reader.bases


# Functions that give an object attributes under names that the code computes.
_TABLES = ("__dict__", "_modules", "_parameters", "_buffers", "__setattr__")
_NAMING = ("add_module", "register_module", "register_buffer", "register_parameter")


@lru_cache(maxsize=1024)
def is_open(node: ast.ClassDef) -> bool:
    """Whether objects of a class may have attributes that no line of it names."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id in ("setattr", "vars", "exec", "locals"):
            return True
        if isinstance(inner, ast.Attribute) and inner.attr in _TABLES:
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
