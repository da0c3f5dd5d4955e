"""Methods that initialise a module, and that nothing calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import External, Slot
from initlint.reading.fills.filling import fills
from initlint.reading.known import frameworks
from initlint.reading.models.life import slots_of
from initlint.reading.objects.classes import has_heirs, lookup, order_of, outside_of
from initlint.reading.reader import Reader
from initlint.records import Call
from initlint.torchlib.draws import ARGUMENTS, UNWRITTEN

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAMES = {
    *("reset_parameters", "reset_params", "reset_weights", "init_weights", "init_weight"),
    *("initialize_weights", "initialise_weights", "init_parameters", "init_params"),
    *("initialize_parameters", "weights_init", "weight_init", "initialize", "initialise"),
    *("init_layers", "param_init"),
}


# What the names of other methods that initialise begin with, `init_film_layers`, or say in the
# middle: `lets_init_weights`.
_OTHERS = re.compile(
    r"_*(init|initiali[sz]e|reset)_|\w*_(init|initiali[sz]e|reset)_(\w+_)?(weight|param|layer)"
)
# Methods of modules that give all their parameters, or the modules that hold them.
_WALKS = ("parameters", "named_parameters", "modules", "named_modules", "apply")
# Base classes of other packages whose constructors call no such method.
_PLAIN = re.compile(
    r"(torch\.nn|abc|typing)\.|(pytorch_)?lightning\.(\w+\.)*LightningModule$"
    r"|torch_geometric\.nn\.(\w+\.)*MessagePassing$"
)


class Uncalled:
    """Finds methods that initialise and that no code of the files names."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        # For each name the classes whose methods use it of `self`, once somebody asks; an empty
        # name where something else is asked for it.
        self._users: dict[str, frozenset[str]] = {}

    def of(self, model: str, modules: Sequence[Instance], is_whole: bool) -> list[Call]:
        """The records of such methods of the classes of a model's modules.

        `is_whole` says that all that code does with the model was followed.
        """
        found: dict[ast.AST, Call] = {}
        methods: dict[UserClass, list[tuple[str, UserClass, _Function]]] = {}
        for module in modules:
            if isinstance(module.cls, UserClass):
                if module.cls not in methods:
                    methods[module.cls] = list(self._unreached(module.cls))
                for name, owner, node in methods[module.cls]:
                    reason = self._reason(module, name, node, is_whole)
                    if reason and node not in found and not self._is_used(name, module.cls):
                        site = owner.module.source.site(node)
                        found[node] = Call(
                            model, name, name, site, owner.name, (), "uncalled", reason
                        )
        root = modules[0]
        if isinstance(root.cls, UserClass) and self._lacks_start(root.cls, root, modules):
            site = root.cls.module.source.site(root.cls.members["__init__"])
            reason = "made by itself, its layers keep PyTorch's default"
            name = frameworks.STARTS[0]
            found[root.cls.node] = Call(
                model, name, name, site, root.cls.name, (), "uncalled", reason
            )
        return list(found.values())

    def _lacks_start(self, cls: UserClass, root: Instance, modules: Sequence[Instance]) -> bool:
        """Whether the constructor of a model of transformers never calls post_init."""
        reader = self._reader
        is_model = frameworks.is_pretrained(reader, cls) and "__init__" in cls.members
        if not is_model or has_heirs(reader, cls) or (root, root) in reader.hooked:
            return False
        if not all(_is_known(base) for base in outside_of(reader, cls)):
            return False
        if self._is_named_in_another(cls):
            # That model is initialised with all its parts.
            return False
        hooked = {module for _, module in reader.hooked}
        return any(
            module.torch and module not in hooked and module.cls is None and _is_default(module)
            for module in modules
        )

    def _is_named_in_another(self, cls: UserClass) -> bool:
        """Whether a method of another class names this one, so that it may make it for a part."""
        word = cls.name.encode()
        return any(
            isinstance(inner, ast.Name) and inner.id == cls.name
            for module in self._reader.program.modules
            if word in module.source.words
            for other in module.source.tree.body
            if isinstance(other, ast.ClassDef) and other is not cls.node
            for method in other.body
            if isinstance(method, ast.FunctionDef)
            for statement in method.body
            for inner in ast.walk(statement)
        )

    def _unreached(self, cls: UserClass) -> Iterator[tuple[str, UserClass, _Function]]:
        """The initialising methods of a class that were not followed."""
        outside = outside_of(self._reader, cls)
        if frameworks.is_pretrained(self._reader, cls) or not all(map(_is_plain, outside)):
            return
        for name in {
            n for c in order_of(self._reader, cls) if isinstance(c, UserClass) for n in c.members
        }:
            is_usual = name.strip("_").lower() in _NAMES
            if not is_usual and not _OTHERS.match(name):
                continue
            member = lookup(self._reader, cls, name)
            node = member[1] if member is not None else None
            is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            if member is None or not is_function or node in self._reader.reached:
                continue
            assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            is_plain = is_usual or self._fills_weights(cls, node)
            if not node.decorator_list and fills(node.body) and is_plain:
                yield name, member[0], node

    def _reason(self, module: Instance, name: str, node: _Function, is_whole: bool) -> str:
        """What is not filled because a method is not called; empty if that may be meant."""
        named = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
        held = [slot for holder, slot in slots_of(module) if holder is module]
        empty = [s.name for s in held if s.draw is UNWRITTEN]
        if named.isdisjoint(_WALKS):
            empty = [each for each in empty if each in named]
        if empty:
            return f"{', '.join(empty)} stay memory that nothing writes"
        slots = [slot for _, slot in slots_of(module)]
        is_default = bool(slots) and all(slot.draw.default for slot in slots)
        if is_default and (is_whole or name.startswith("_")):
            return "all layers keep PyTorch's default"
        return ""

    def _fills_weights(self, cls: UserClass, node: _Function) -> bool:
        """Whether a method that takes nothing fills weights, itself or by another method."""
        if calls_init(node):
            return _is_bare(node)
        called = {
            n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and _is_self(n.value)
        }
        members = [lookup(self._reader, cls, name) for name in called]
        helpers = [found[1] for found in members if found is not None]
        return _is_bare(node) and any(isinstance(h, _FUNCTIONS) and calls_init(h) for h in helpers)

    def _is_used(self, name: str, cls: UserClass) -> bool:
        """Whether code calls or names a method of this name that may be the one of a class."""
        if name not in self._users:
            word = name.encode()
            modules = [m for m in self._reader.program.modules if word in m.source.words]
            self._users[name] = frozenset(u for m in modules for u in _users(m.source.tree, name))
        lineage = {c.name for c in order_of(self._reader, cls) if isinstance(c, UserClass)}
        return not self._users[name].isdisjoint({"", *lineage})


def _is_known(base: External) -> bool:
    """Whether a base class outside the files does not call post_init itself."""
    last = base.name.rpartition(".")[2]
    return last in ("PreTrainedModel", "GenerationMixin") or base.name.startswith("torch.nn.")


def _is_default(module: Instance) -> bool:
    """Whether a layer has a weight that torch's constructor drew."""
    weight = module.attrs.get("weight")
    return isinstance(weight, Slot) and weight.draw.default


def _is_bare(node: _Function) -> bool:
    """Whether a method takes nothing and gives nothing.

    `init_hidden` makes a state, and gives it; such methods are called from outside.
    """
    spec = node.args
    if len(spec.posonlyargs) + len(spec.args) + len(spec.kwonlyargs) > 1 or spec.vararg:
        return False
    returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
    return all(value is None for value in returned)


def calls_init(node: ast.AST) -> bool:
    """Whether a function names an initialiser of torch.nn.init."""
    attributes = [each for each in ast.walk(node) if isinstance(each, ast.Attribute)]
    return any(each.attr in ARGUMENTS and _is_init(each.value) for each in attributes)


def _is_init(node: ast.expr) -> bool:
    """Whether an expression is the module torch.nn.init."""
    return (getattr(node, "attr", "") or getattr(node, "id", "")) == "init"


def _is_plain(base: External) -> bool:
    """Whether a base class outside the files calls no such method."""
    return bool(_PLAIN.match(base.name))


def _users(tree: ast.AST, name: str) -> Iterator[str]:
    """The classes whose methods use a name of `self`, with those that they inherit from.

    An empty name for any other use. What a method of this name itself uses does not count.
    """
    waiting: list[tuple[ast.AST, tuple[str, ...]]] = [(tree, ())]
    while waiting:
        node, owners = waiting.pop()
        if isinstance(node, ast.ClassDef):
            bases = (getattr(b, "id", "") or getattr(b, "attr", "") for b in node.bases)
            owners = (node.name, *filter(None, bases))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            continue
        if isinstance(node, ast.Attribute) and node.attr == name:
            yield from owners if owners and _is_self(node.value) else ("",)
        is_named = isinstance(node, ast.Name) and node.id == name
        if is_named or (isinstance(node, ast.Constant) and node.value == name):
            yield ""
        waiting += [(inner, owners) for inner in ast.iter_child_nodes(node)]


def _is_self(node: ast.expr) -> bool:
    """Whether an expression is `self`, or `super()`."""
    called = node.func if isinstance(node, ast.Call) else node
    return isinstance(called, ast.Name) and called.id in ("self", "super")
