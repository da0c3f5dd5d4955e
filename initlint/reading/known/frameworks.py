"""What frameworks do to a model: the hook `_init_weights` of transformers, those of a Trainer."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from initlint.reading.abstract.frames import ImpossibleError
from initlint.reading.abstract.holders import Bound, Function, Instance, Listing, Table
from initlint.reading.abstract.submodules import modules_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Slot, Value
from initlint.reading.evaluate.attributes import attribute
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.visits import Visit
from initlint.reading.fills.writes import walked
from initlint.reading.objects.classes import lookup, method_of, outside_of
from initlint.reading.reader import Reader
from initlint.reading.sources.files import Source
from initlint.reading.sources.resolve import Module, bind
from initlint.records import Site

_BASE = "PreTrainedModel"
HOOK = "_init_weights"
# Methods of a model by which its parts are initialised.
STARTS = ("post_init", "init_weights")
# The hook of PreTrainedModel itself, which models override or call by super(): that of
# transformers 4.56 to 5.23 (Apache 2.0), in the words that decide. It stands in for the class's own
# file, since the rest of that file depends on the configuration and on what is installed. An LSTM,
# whose gates it fills by Xavier, stands here as filled by torch's own reset.
_TEXT = b"""
from torch import nn

def _init_weights(self, module):
    std = self.config.initializer_range
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d,
                           nn.ConvTranspose1d, nn.ConvTranspose2d)):
        module.weight.data.normal_(mean=0.0, std=std)
        if module.bias is not None:
            module.bias.data.zero_()
    elif isinstance(module, nn.LSTM):
        module.reset_parameters()
    elif isinstance(module, nn.Embedding):
        module.weight.data.normal_(mean=0.0, std=std)
        if module.padding_idx is not None:
            module.weight.data[module.padding_idx].zero_()
    elif isinstance(module, nn.MultiheadAttention):
        module._reset_parameters()
    elif (isinstance(module, (nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))
          or "LayerNorm" in module.__class__.__name__
          or "RMSNorm" in module.__class__.__name__):
        if hasattr(module, "weight") and module.weight is not None:
            module.weight.data.fill_(1.0)
        if hasattr(module, "bias") and module.bias is not None:
            module.bias.data.zero_()
"""


class _Stub(Source):
    """The text above; what it does is done where the user's code calls it."""

    place: Site | None = None

    def site(self, node: ast.AST) -> Site:
        """The line of the user's code that has called the hook."""
        return self.place or super().site(node)


@cache
def _stub() -> Module:
    source = _Stub("transformers/modeling_utils.py", _TEXT)
    module = Module(source, ("transformers", "modeling_utils"))
    bind(module, source.tree.body)
    return module


def is_pretrained(reader: Reader, cls: UserClass | None) -> bool:
    """Whether a class derives from transformers' PreTrainedModel."""
    bases = outside_of(reader, cls) if cls is not None else ()
    return any(base.name.rpartition(".")[2] == _BASE for base in bases)


def initialise(reader: Reader, model: Instance, node: ast.AST | None) -> None:
    """What `post_init()` does: call the hook once for every module, from the innermost outwards.

    A part that is such a model itself has its own hook, and was initialised when it was made.
    """
    found = list(_with_models(reader, model))
    reader.budget.elements(len(found))
    walk = Listing([module for _, module, _ in found], whole=model)
    reader.hooking = model
    try:
        _visit_all(reader, found, walk, model, node)
    finally:
        reader.hooking = None


def _visit_all(
    reader: Reader,
    found: Sequence[tuple[str, Instance, tuple[Instance, ...]]],
    walk: Listing,
    model: Instance,
    node: ast.AST | None,
) -> None:
    for (path, module, models), _ in zip(found, walked(reader, walk, walk.items), strict=True):
        # Equal modules are one object here: that one was initialised is known of it in its model.
        if any((each, module) in reader.hooked for each in models):
            continue
        reader.hooked.add((model, module))
        reader.visits.append(Visit(module, module, path))
        try:
            hook = attribute(reader, models[0], HOOK)
            if isinstance(hook, Bound):
                call(reader, hook, [module], {}, node)
            else:
                default(reader, models[0], module, node)
        finally:
            reader.visits.pop()


def default(reader: Reader, model: Instance, module: Value, node: ast.AST | None) -> None:
    """What the hook of PreTrainedModel itself does with a module."""
    stub = _stub()
    assert isinstance(stub.source, _Stub)
    stub.source.place = reader.site(node) if node is not None else None
    definition = stub.names[HOOK]
    assert isinstance(definition, ast.FunctionDef)
    call(reader, Function(definition, stub, None, None), [model, module], {}, node)


def _with_models(
    reader: Reader, model: Instance
) -> Iterator[tuple[str, Instance, tuple[Instance, ...]]]:
    """Every module, innermost first, with its name and the models around it, the nearest first."""
    models: dict[str, tuple[Instance, ...]] = {}
    found = []
    for path, module in modules_of(model):
        holder = path.rpartition(".")[0]
        while holder not in models and path:
            # A key of a ModuleDict with a dot, for which torch raises an error.
            holder = holder.rpartition(".")[0]
        above = models[holder] if path else ()
        is_model = module is model or is_pretrained(reader, module.cls)
        models[path] = (module, *above) if is_model else above
        found.append((path, module, models[path]))
    return reversed(found)


# What Lightning's Trainer calls of a model before it trains it, in this order.
_TRAINER_HOOKS = (
    *("configure_sharded_model", "configure_model", "setup"),
    *("on_fit_start", "on_train_start"),
)


def set_up(reader: Reader, model: Instance) -> None:
    """What Lightning's Trainer lets a model do to itself before training begins."""
    bases = outside_of(reader, model.cls)
    if not any(base.name.rpartition(".")[2] == "LightningModule" for base in bases):
        return
    for name in _TRAINER_HOOKS:
        found = lookup(reader, model.cls, name)
        hook = method_of(reader, *found) if found is not None else None
        if isinstance(hook, Function):
            outer, reader.constructing = reader.constructing, model
            try:
                call(reader, Bound(hook, model), ["fit"] if name == "setup" else [], {})
            except ImpossibleError:
                continue
            finally:
                reader.constructing = outer


def coverage(reader: Reader, root: Instance) -> Callable[[str, Slot], str]:
    """A function that says of a parameter, and the name of its module, whether a hook fills it.

    It is covered or missed, or empty where no hook was followed for its model.
    """
    if not reader.hooked:
        return lambda path, slot: ""
    found = list(_with_models(reader, root))
    models = {path: around for path, _, around in found}
    # By its place: forward may put another parameter there.
    covered = {
        (m, s.holder, s.name)
        for m in dict.fromkeys(m for around in models.values() for m in around)
        for s in reader.covered.get(m, ())
        if isinstance(s, Slot)
    }
    tied = {name for path, module, _ in found for name in _tied(reader, path, module)}

    def hook_of(path: str, slot: Slot) -> str:
        if f"{path}.{slot.name}" in tied:
            # It is filled under the other name, too.
            return ""
        around = [m for m in models.get(path, ()) if (m, m) in reader.hooked]
        if not any((m, slot.holder) in reader.hooked for m in around):
            # Another method makes its module, after the hook has run.
            return ""
        is_covered = any((m, slot.holder, slot.name) in covered for m in around)
        return "covered" if is_covered else "missed"

    return hook_of


def _tied(reader: Reader, path: str, model: Instance) -> Iterator[str]:
    """The names of the parameters that a model of transformers 5 ties: `_tied_weights_keys`."""
    if model.cls is None or not is_pretrained(reader, model.cls):
        return
    keys = attribute(reader, model, "_tied_weights_keys")
    for pair in keys.items.items() if isinstance(keys, Table) else ():
        yield from (f"{path}.{name}".lstrip(".") for name in pair if isinstance(name, str))


def hooked_classes(reader: Reader, classes: Sequence[UserClass]) -> set[Value]:
    """The classes of models that the hook was followed for."""
    models = (cls for cls in classes if is_pretrained(reader, cls))
    return {cls for cls in models if any((made, made) in reader.hooked for made in cls.made)}
