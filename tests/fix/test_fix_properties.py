"""Generated modules: whatever they are made of, the right weights are filled and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marked import HALF, again, fixed, unmarked

from initlint.fix.text import comments_of

SPELLINGS = [
    "import torch\nfrom torch import nn\n",
    "import torch\nimport torch.nn as nn\n",
    "import torch\nfrom torch import nn\nfrom torch.nn import init\n\ninit.ones_(torch.empty(1))\n",
    "import torch\nfrom torch import nn\nfrom torch.nn.init import zeros_\n",
]


@dataclass(frozen=True)
class Made:
    """An expression or statement with marks, and for each mark the names of what it makes."""

    text: str
    names: tuple[tuple[str, ...], ...]

    def under(self, prefixes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """The names as members called `prefixes`; several where a loop makes them."""
        return tuple(tuple(f"{p}.{n}" for p in prefixes for n in names) for names in self.names)


def together(members: Sequence[Made], prefixes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    pairs = zip(members, prefixes, strict=True)
    return tuple(names for member, prefix in pairs for names in member.under([prefix]))


LAYERS = [
    "nn.Linear(3, 4)",
    "nn.Linear( 3,4,bias = False )",
    "nn.Conv2d(3, 4, kernel_size=(3, 1))",
    "nn.ConvTranspose1d(\n    3,  # größe «in»\n    4, 5,\n)".replace("«", "<").replace("»", ">"),
    "torch.nn.Embedding(3, 4)",
]
layer = st.sampled_from(LAYERS).map(lambda text: Made(f"«{text}»", (("weight",),)))
other = st.sampled_from(["nn.ReLU()", "nn.Flatten(1)", "nn.Dropout(p=0.1)"]).map(
    lambda text: Made(text, ())
)


@st.composite
def literal(draw: st.DrawFn, members: st.SearchStrategy[Made]) -> Made:
    found = draw(st.lists(members, min_size=1, max_size=4))
    kind = draw(st.sampled_from(["Sequential", "ModuleList", "ModuleDict", "OrderedDict"]))
    numbers = [str(index) for index in range(len(found))]
    texts = [made.text for made in found]
    keys = [f"m{number}" for number in numbers]
    pairs = list(zip(keys, texts, strict=True))
    if kind == "Sequential":
        comma = draw(st.sampled_from(["", ","]))
        return Made(f"nn.Sequential({', '.join(texts)}{comma})", together(found, numbers))
    if kind == "ModuleList":
        return Made(f"nn.ModuleList([{', '.join(texts)}])", together(found, numbers))
    if kind == "ModuleDict":
        items = ", ".join(f'"{key}": {text}' for key, text in pairs)
        return Made(f"nn.ModuleDict({{{items}}})", together(found, keys))
    items = ", ".join(f'("{key}", {text})' for key, text in pairs)
    return Made(f"nn.Sequential(OrderedDict([{items}]))", together(found, keys))


@st.composite
def repeated(draw: st.DrawFn, members: st.SearchStrategy[Made]) -> Made:
    member, last = draw(members), draw(members)
    run = f"{member.text} for _ in range(2)"
    names = member.under(["0", "1"])
    kind = draw(st.sampled_from(["list", "generator", "starred", "pairs", "dict"]))
    if kind == "starred":
        text = f"nn.Sequential(*[{run}], {last.text})"
        return Made(text, names + last.under(["2"]))
    if kind == "pairs":
        text = f"nn.Sequential(*[m for _ in range(2) for m in ({member.text}, {last.text})])"
        return Made(text, member.under(["0", "2"]) + last.under(["1", "3"]))
    if kind == "dict":
        return Made(f'nn.ModuleDict({{k: {member.text} for k in "01"}})', names)
    brackets = "[]" if kind == "list" else "()"
    return Made(f"nn.ModuleList({brackets[0]}{run}{brackets[1]})", names)


module = st.recursive(
    st.one_of(layer, layer, other),
    lambda members: st.one_of(literal(members), repeated(members)),
    max_leaves=6,
)

STATEMENTS = {
    "attribute": "self.{name} = {made}",
    "annotated": "self.{name}: nn.Module = {made}",
    "chained": "made = self.{name} = {made}",
    "branch": "if n:\n    self.{name} = {made}\n    # of n",
    "else": "if not n:\n    pass\nelse:\n    self.{name} = {made}",
    "local": "made = {made}\nself.{name} = made",
    "add_module": 'self.add_module("{name}", {made})',
    "computed": 'setattr(self, "{name}"[:1] + "{name}"[1:], {made})',
    "optional": "self.{name} = {made} if n else None",
    "loop": "for i in range(n):\n    setattr(self, f'{name}_{{i}}', {made})  # each",
    "list": "many = []\nfor _ in range(n):\n    many += [{made}, nn.ReLU()]\n"
    "self.{name} = nn.Sequential(*many)",
    "appended": "many = nn.ModuleList()\nfor _ in range(n):\n    many.append({made})\n\n"
    "self.{name} = many",
}


@st.composite
def statement(draw: st.DrawFn, name: str) -> Made:
    made = draw(module)
    kind = draw(st.sampled_from(sorted(STATEMENTS)))
    text = STATEMENTS[kind].format(name=name, made=made.text)
    prefixes = {
        "loop": [f"{name}_0", f"{name}_1"],
        "list": [f"{name}.0", f"{name}.2"],
        "appended": [f"{name}.0", f"{name}.1"],
    }
    return Made(text, made.under(prefixes.get(kind, [name])))


@dataclass(frozen=True)
class Source:
    text: str
    names: tuple[tuple[str, ...], ...]


@st.composite
def source(draw: st.DrawFn) -> Source:
    count = draw(st.integers(1, 4))
    statements = [draw(statement(f"a{index}")) for index in range(count)]
    between = st.sampled_from(["\n", "\n\n", "\n# größer\n", "\nself.size = n\n"])
    body = "".join(made.text + draw(between) for made in statements)
    body += draw(st.sampled_from(["", "self.eval()\n", "return\n", "# end\n"]))
    forward = draw(st.sampled_from(["", "\n    def forward(self, x):\n        return x\n"]))
    text = (
        f"from collections import OrderedDict\n{draw(st.sampled_from(SPELLINGS))}\n\n"
        "class Net(nn.Module):\n    def __init__(self, n=2):\n        super().__init__()\n"
        f"{indent(body, ' ' * 8)}{forward}"
    )
    if draw(st.booleans()):
        text = text.replace("    ", "\t")
    if draw(st.booleans()):
        text = text.rstrip()
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return Source(text.replace("\n", newline), tuple(n for s in statements for n in s.names))


def values_of(text: str) -> dict[str, torch.Tensor]:
    namespace: dict[str, object] = {}
    exec(compile(text, "net.py", "exec"), namespace)
    return dict(namespace["Net"]().named_parameters())  # type: ignore[operator]


def check(made: Source) -> None:
    clean, _ = unmarked(made.text)
    result = fixed(made.text, made.names, calls=HALF)
    after = result.source.decode()
    assert [reason for _, reason in result.refused] == []
    ast.parse(after)
    assert comments_of(after) == comments_of(clean)
    remaining = iter(after.splitlines())
    assert all(line in remaining for line in clean.splitlines())
    assert again(made.text, after, made.names, calls=HALF) == after
    old, new = values_of(clean), values_of(after)
    assert [(k, v.shape) for k, v in new.items()] == [(k, v.shape) for k, v in old.items()]
    filled = {name for name, value in new.items() if bool((value == 0.5).all())}
    assert filled == {name for names in made.names for name in names}


slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=60, deadline=None, suppress_health_check=slow)
@given(source())
def test_generated_modules(made: Source) -> None:
    check(made)


@pytest.mark.corpus
@settings(max_examples=1000, deadline=None, suppress_health_check=slow)
@given(source())
def test_a_thousand_generated_modules(made: Source) -> None:
    check(made)
