"""No kind of value is forgotten by the walks over nested values, and none by unknown functions."""

import ast
import copy
import dataclasses
import textwrap

import pytest

from initlint import api
from initlint.reading import read
from initlint.reading.abstract import holders, values
from initlint.reading.abstract.copies import copied
from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.parts import count_parts, key_of, parts_of, reached, rebuilt
from initlint.reading.abstract.user_class import UserClass
from initlint.torchlib.draws import UNCLEAR

# Types of fields in which no value lies.
NO_PARTS = {
    *(
        "str",
        "bool",
        "int",
        "bool | None",
        "Shape",
        "Draw",
        "Op",
        "Module",
        "Site | None",
        "tuple[int, ...]",
    ),
    *("Fraction | float", "tuple[tuple[str, Fraction], ...]"),
    *("ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda", "ast.ClassDef"),
}
# Links back to what holds or made a value, and what a class keeps for itself.
LINKS = {
    *("Slot.holder", "Slot.home", "Slot.site", "Slot.origin", "Instance.site", "Instance.owner"),
    *(
        "Instance.overrides",
        "Instance.templates",
        "Instance.calls",
        "Instance.questions",
        "Function.module",
        "Function.owner",
    ),
    *("Function.signature", "Super.owner"),
    *("UserClass.members", "UserClass.order", "UserClass.torch", "UserClass.made"),
    *("UserClass.functions", "UserClass.outside", "UserClass.stranger"),
    *("Listing.whole", "Instance.questions", "Slot.resumed"),
}
INNER = values.Slot(None, "inner", None, UNCLEAR)


def _kinds(kind: type = values.Kind) -> list[type]:
    """All kinds of values, whichever module defines them."""
    return [found for below in kind.__subclasses__() for found in (below, *_kinds(below))]


def _held(annotation: str, node: ast.AST) -> object:
    """A value of a field of this type that holds `INNER`."""
    if annotation.startswith(("list", "tuple")):
        return [INNER] if annotation.startswith("list") else (INNER,)
    if annotation.startswith("dict"):
        return {"name": INNER}
    return INNER


def _made(kind: type, field: dataclasses.Field, node: ast.AST) -> values.Value:
    """A value of a kind that holds `INNER` in this field, and nothing in the others."""
    plain = {"tuple[Value, ...]": (), "dict[str, Value]": {}}
    given = {
        other.name: plain.get(str(other.type))
        for other in dataclasses.fields(kind)
        if other.default is dataclasses.MISSING and other.default_factory is dataclasses.MISSING
    }
    given["node" if "node" in given else "name"] = node if "node" in given else "f"
    given = {name: v for name, v in given.items() if name in kind.__dataclass_fields__}
    if field.name == "closure":
        given["closure"] = Frame(None, names={"x": INNER})
    else:
        given[field.name] = _held(str(field.type), node)
    return kind(**given)


FIELDS = [
    (kind, field)
    for kind in _kinds()
    if dataclasses.is_dataclass(kind)
    for field in dataclasses.fields(kind)
    if str(field.type) not in NO_PARTS and f"{kind.__name__}.{field.name}" not in LINKS
]


def _name(kind_or_field) -> str:
    return getattr(kind_or_field, "__name__", "") or kind_or_field.name


def test_there_are_kinds_with_parts():
    assert len({kind for kind, _ in FIELDS}) >= 11


def test_all_kinds_but_five_are_dataclasses_whose_fields_are_looked_at():
    others = {kind for kind in _kinds() if not dataclasses.is_dataclass(kind)}
    unknown = {values.Unknown, values.Foreign, values.Sampled}
    assert others == {*unknown, values.Plain, values.Compared}
    assert INNER in values.Unknown((INNER,)).parts()
    assert INNER in values.Sampled((INNER,), ("",)).parts()


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=_name)
def test_a_kind_yields_every_value_that_it_holds(kind, field):
    text = "class C:\n def f(self): return x" if kind is UserClass else "lambda: x"
    node = ast.parse(text).body[0]
    value = _made(kind, field, node if kind is UserClass else node.value)
    assert INNER in parts_of(value)
    assert INNER in list(reached([value]))


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=_name)
def test_a_kind_is_rebuilt_with_other_parts(kind, field):
    node = ast.parse("class C: pass" if kind is UserClass else "lambda: x").body[0]
    value = _made(kind, field, node if kind is UserClass else node.value)
    parts = [copy.copy(part) if part is INNER else part for part in parts_of(value)]
    twin = rebuilt(value, parts)
    if field.name == "closure":
        assert twin is value
    else:
        assert list(map(id, parts_of(twin))) == list(map(id, parts))
        assert INNER in parts_of(value)


def test_a_list_that_lies_in_itself_is_copied():
    inner = holders.Listing()
    inner.items.append((inner, holders.Table({"a": inner})))
    twin = copied(inner, None, None)
    assert twin is not inner
    assert twin.items[0][0] is twin is twin.items[0][1].items["a"]
    assert len(list(reached([inner]))) == 3


def test_values_that_hold_one_another_many_times_are_copied_once():
    value: values.Value = (1,)
    for _ in range(200):
        value = (value, value)
    assert count_parts(value, 1000) == 1001
    assert copied(value, None, None) is not None
    assert key_of(value) != key_of(value)


HEAD = """\
import copy
from functools import partial
import torch
from torch import nn
import elsewhere
from elsewhere import fill, flag, Bag
"""
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(64, 64)
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 2)
{}
    def forward(self, x):
        x = self.first(x)
        return self.c(self.b(self.a(x).relu()).relu())
"""


def _source(lines: str) -> str:
    return HEAD + NET.format(textwrap.indent(textwrap.dedent(lines).strip(), " " * 8))


RELEASED = [
    "fill({'a': [self.a], 'b': (self.b,)})",
    "fill({self.a: 'relu', self.b: 'relu'})",
    "fill({p: 1 for p in self.parameters()})",
    "fill({(self.a, self.b): 1}.items())",
    "for layer, _ in {self.a: 1, self.b: 1}.items():\n    fill(layer)",
    "fill(*[self.a], **{'b': self.b})",
    "fill([m for m in self.modules() if isinstance(m, nn.Linear)])",
    "fill(nn.Sequential(self.a, self.b)[0:2])",
    "def layers():\n    yield self.a\n    yield self.b\nfill(layers())",
    "every = [self.a, self.b] * 5\nfill(every[flag]); fill(every[elsewhere.index()])",
    "many = [self.a, self.b, *(nn.Linear(i, 8) for i in range(1, 9))]\nfill(many[flag])",
    "fill(layers=dict(a=self.a, b=self.b))",
    "fill(self.a if flag else self.b); fill(self.b if flag else self.a)",
    "fill(self.a if flag() else elsewhere.layer(), self.b)",
    "fill(dict(self.named_parameters()))",
    "fill(self.state_dict())",
    "fill(self.state_dict().values())",
    "fill(self.__dict__)",
    "fill(vars(self))",
    "fill(self._modules)",
    "fill(locals())",
    "fill(lambda: self)",
    "fill(lambda layers=(self.a, self.b): layers)",
    "def inner():\n    return self\nfill(inner)",
    "def inner():\n    return other()\ndef other():\n    return self\nfill(inner)",
    "class Inner:\n    def layers(inner):\n        return self\nfill(Inner())",
    "fill(self.apply)",
    "fill(self.modules)",
    "fill(self.forward)",
    "fill(partial(print, self.a, b=self.b))",
    "fill(filter(None, [self.a, self.b]))",
    "fill(frozenset([self.a, self.b]))",
    "fill(map(lambda m: m.weight, [self.a, self.b]))",
    "fill(iter([self.a, self.b]))",
    "fill(Bag(self.a, self.b))",
    "fill(torch.optim.SGD(self.parameters(), lr=1))",
    "fill(nn.DataParallel(self))",
    "layers = [self.a] if flag else [self.b]\nfill(layers)\nfill(self.b, self.a)",
    "elsewhere.get_layers(self)",
    "elsewhere.log_and_check(self)",
    "[self.a, self.b][flag].weight.fill_(0)\nfill(self)",
    "made = self if flag else elsewhere.layer(); made.apply(fill)",
    "made = self if flag else elsewhere.layer(); fill(made.layers[0])",
    "nn.Module.apply(self, fill)",
    "exec('fill(self)')",
    "torch.nn.utils.vector_to_parameters(flag, self.parameters())",
]


@pytest.mark.parametrize("lines", RELEASED)
def test_an_unknown_function_may_fill_all_that_it_can_reach(lines):
    report = api.check(_source(lines))
    assert report.findings == ()
    unknown = {layer.parameter for layer in report.layers if layer.current.name == "unknown"}
    assert {"a.weight", "b.weight"} <= unknown


KEPT = [
    "pass",
    "table = {}\ntable[1:2, (0, slice(3))] = 1\ntable[[1]] = 2",
    "print(self)",
    "import logging; logging.getLogger('x').info('made %s', self)",
    "import warnings; warnings.warn(str(self))",
    "len(list(self.parameters()))",
    "fill(self.c)",
    "fill(lambda: 3)",
    "fill('self', 8, None)",
    "copies = copy.deepcopy([self.a, self.b]); fill(copies)",
    "self.register_state_dict_pre_hook(self.forward)",
    "self.__dict__['name'] = 'net'",
]


@pytest.mark.parametrize("lines", KEPT)
def test_what_an_unknown_function_cannot_reach_is_judged(lines):
    found = api.check(_source(lines)).findings
    assert {finding.parameter for finding in found} == {"a.weight", "b.weight"}


COPIES = [
    "x, y = copy.deepcopy((self.a, self.b)); nn.init.zeros_(x.weight)",
    "x, y = copy.deepcopy([self.a, self.b]); nn.init.zeros_(x.weight)",
    "x = copy.deepcopy({'a': self.a})['a']; nn.init.zeros_(x.weight)",
    "x = copy.deepcopy([({'a': self.a},)])[0][0]['a']; nn.init.zeros_(x.weight)",
    "x = copy.deepcopy(partial(print, self.a)).args[0]; nn.init.zeros_(x.weight)",
    "x = [*copy.deepcopy({self.a: 1})][0]; nn.init.zeros_(x.weight)",
    "x = copy.deepcopy(self.a.weight); nn.init.zeros_(x)",
    "x = copy.deepcopy(self.a.weight.data); x.zero_()",
]


def _current(lines: str) -> str:
    layers = read(["net.py"], {"net.py": _source(lines)}).layers
    return next(layer.current.name for layer in layers if layer.parameter == "a.weight")


@pytest.mark.parametrize("lines", COPIES)
def test_copies_are_copies(lines):
    assert _current(lines) == "kaiming_uniform_"


def test_a_shallow_copy_holds_the_same_layers():
    assert _current("x = copy.copy([self.a]); nn.init.zeros_(x[0].weight)") == "zeros_"


MAYBE = [
    "if not flag:\n    nn.init.zeros_(self.a.weight)\n    nn.init.zeros_(self.b.weight)",
    "if flag:\n    nn.init.zeros_(self.a.weight)\n    nn.init.zeros_(self.b.weight)",
    "if flag is None:\n    fill(self)",
    "if flag == 'kaiming':\n    fill(self)",
    "if flag in ('kaiming', 'xavier'):\n    fill(self)",
    "if elsewhere.flag:\n    fill(self)",
    "if isinstance(flag, str):\n    fill(self)",
    "if callable(flag):\n    pass\nelse:\n    fill(self)",
    "if dict(flag):\n    fill(self)",
    "if bool(flag):\n    pass\nelse:\n    fill(self)",
    "flag or fill(self)",
    "flag and fill(self)",
    "fill(self) if flag else None",
    "None if flag else fill(self)",
    "while flag:\n    fill(self)",
    "if torch.backends.cudnn.enabled:\n    pass\nelse:\n    fill(self)",
]


@pytest.mark.parametrize("lines", MAYBE)
def test_a_constant_of_a_file_that_is_not_read_may_be_true_or_false(lines):
    assert api.check(_source(lines)).findings == ()


WAYS = [
    "if flag:\n    return self.c(self.b(self.n(self.a(x)).relu()).relu())",
    "if not flag:\n    return self.c(self.b(self.n(self.a(x)).relu()).relu())",
    "if x.sum() > 0:\n    return self.c(self.b(self.n(self.a(x)).relu()).relu())",
    "if flag:\n    x = self.n(self.a(x))\nelse:\n    x = self.a(x)\nreturn self.b(x.relu()).relu()",
]


def _forward(lines: str) -> str:
    made = _source("self.n = nn.LayerNorm(64)")
    return made.replace("first(x)\n", "first(x)\n" + textwrap.indent(lines, " " * 8) + "\n")


@pytest.mark.parametrize("lines", WAYS)
def test_a_layer_that_may_be_normalised_is_not_reported(lines):
    assert api.check(_forward(lines)).findings == ()


def test_a_layer_that_is_used_without_a_normalisation_in_any_case_is_reported():
    lines = "y = self.a(x).relu()\nif flag:\n    y = y + self.n(self.a(x)).relu()\n"
    lines += "return self.c(self.b(y).relu())"
    assert "a.weight" in [finding.parameter for finding in api.check(_forward(lines)).findings]


KNOWN = [
    "if nn.ReLU:\n    pass\nelse:\n    fill(self)",
    "if torch.relu is None:\n    fill(self)",
    "if len:\n    pass\nelse:\n    fill(self)",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    fill(self)",
]


@pytest.mark.parametrize("lines", KNOWN)
def test_a_known_function_is_true(lines):
    assert len(api.check(_source(lines)).findings) == 2
