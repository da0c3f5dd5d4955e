"""Modules made of drawn parts: layers, activations, containers, forms of init, formatting."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

from hypothesis import strategies as st

ACTS = {
    "relu": "nn.ReLU()",
    "leaky_relu": "nn.LeakyReLU(0.2)",
    "tanh": "nn.Tanh()",
    "sigmoid": "nn.Sigmoid()",
    "gelu": "nn.GELU()",
    "silu": "nn.SiLU(inplace=False)",
    "selu": "nn.SELU()",
}
CALLS = {
    "relu": "torch.relu(%s)",
    "leaky_relu": "F.leaky_relu(%s, 0.2)",
    "tanh": "%s.tanh()",
    "sigmoid": "torch.sigmoid(%s)",
    "gelu": "F.gelu(%s)",
    "silu": "F.silu(%s)",
    "selu": "F.selu(%s)",
}
HEAD = """\
# größe: of the net
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


"""
XAVIER = "nn.init.xavier_uniform_(m.weight)"
INITS = {
    "none": ("", "", ""),
    "loop": ("", "for m in self.modules():\n    if isinstance(m, LAYER):\n        " + XAVIER, ""),
    "applied": (
        f"def init(m):\n    if isinstance(m, LAYER):\n        {XAVIER}\n\n\n",
        "self.apply(init)",
        "",
    ),
    "applied to biases": (
        "def init(m):\n    if isinstance(m, (LAYER, nn.GRU)):\n"
        "        nn.init.zeros_(m.bias)  # all\n\n\n",
        "self.apply(init)",
        "",
    ),
    "applied to others": (
        "def init(m):\n    if isinstance(m, nn.GRU):\n        pass\n\n\n",
        "self.apply(init)",
        "",
    ),
    "method": (
        "",
        "self.reset_parameters()",
        "\n    def reset_parameters(self):\n        self.n = 3\n",
    ),
}


@dataclass(frozen=True)
class Drawn:
    """A module's source, the name that is built, and the shape of its input."""

    source: str
    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Parts:
    """The layers as expressions, the activations by name, and the layer's class."""

    layers: tuple[str, ...]
    acts: tuple[str, ...]
    kind: str


def forward(lines: list[str]) -> str:
    body = "".join(f"        x = {line}\n" for line in lines)
    return f"\n    def forward(self, x):\n{body}        return x\n"


def module(body: str, rest: str, init: tuple[str, str, str], kind: str) -> str:
    before, inside, method = (text.replace("LAYER", kind) for text in init)
    head = "class Net(nn.Module):\n    def __init__(self, n=3):\n        super().__init__()\n"
    inner = indent(f"{body}\n{inside}".rstrip(), " " * 8)
    return f"{HEAD}{before}{head}{inner}\n{method}{rest}"


def attributes(parts: Parts, init: tuple[str, str, str]) -> str:
    body = "\n".join(f"self.l{i} = {layer}" for i, layer in enumerate(parts.layers))
    calls = [CALLS[act] % f"self.l{i}(x)" for i, act in enumerate(parts.acts)]
    return module(body, forward(calls), init, parts.kind)


def semicolons(parts: Parts, init: tuple[str, str, str]) -> str:
    body = "; ".join(f"self.l{i} = {layer}" for i, layer in enumerate(parts.layers))
    calls = [CALLS[act] % f"self.l{i}(x)" for i, act in enumerate(parts.acts)]
    return module(body, forward(calls), init, parts.kind)


def members(parts: Parts) -> list[str]:
    return [text for layer, act in zip(parts.layers, parts.acts, strict=True)
            for text in (layer, ACTS[act])]  # fmt: skip


def sequential(parts: Parts, init: tuple[str, str, str]) -> str:
    lines = "".join(f"    {member},  # one\n" for member in members(parts))
    body = f"self.net = nn.Sequential(\n{lines})"
    return module(body, forward(["self.net(x)"]), init, parts.kind)


def ordered(parts: Parts, init: tuple[str, str, str]) -> str:
    pairs = ", ".join(f'("m{i}", {text})' for i, text in enumerate(members(parts)))
    body = f"self.net = nn.Sequential(OrderedDict([{pairs}]))"
    return module(body, forward(["self.net(x)"]), init, parts.kind)


def appended(parts: Parts, init: tuple[str, str, str]) -> str:
    lines = [f"layers.append({text})" for text in members(parts)]
    body = "\n".join(["layers = []", *lines, "self.net = nn.Sequential(*layers)"])
    return module(body, forward(["self.net(x)"]), init, parts.kind)


def looped(parts: Parts, init: tuple[str, str, str]) -> str:
    body = (
        f"layers = []\nfor _ in range(n):\n    layers += [{parts.layers[0]}, {ACTS[parts.acts[0]]}]"
        "\nself.net = nn.Sequential(*layers)"
    )
    return module(body, forward(["self.net(x)"]), init, parts.kind)


def comprehension(parts: Parts, init: tuple[str, str, str]) -> str:
    body = f"self.layers = nn.ModuleList([{parts.layers[0]} for _ in range(n)])"
    call = CALLS[parts.acts[0]] % "layer(x)"
    loop = f"        for layer in self.layers[:-1]:\n            x = {call}\n"
    rest = f"\n    def forward(self, x):\n{loop}        return self.layers[-1](x)\n"
    return module(body, rest, init, parts.kind)


def added(parts: Parts, init: tuple[str, str, str]) -> str:
    body = "\n".join(
        f'self.add_module("l{i}", {layer})' if i % 2 else f'setattr(self, "l" + "{i}", {layer})'
        for i, layer in enumerate(parts.layers)
    )
    calls = [CALLS[act] % f"self.l{i}(x)" for i, act in enumerate(parts.acts)]
    return module(body, forward(calls), init, parts.kind)


def helper(parts: Parts, init: tuple[str, str, str]) -> str:
    calls = "\n".join(f"self.l{i} = self._made()" for i in range(3))
    rest = f"\n    def _made(self):\n        return {parts.layers[0]}\n"
    lines = [CALLS[parts.acts[0]] % f"self.l{i}(x)" for i in range(3)]
    return module(calls, rest + forward(lines), init, parts.kind)


def blocks(parts: Parts, init: tuple[str, str, str]) -> str:
    block = (
        "class Block(nn.Module):\n    def __init__(self, act):\n        super().__init__()\n"
        f"        self.layer = {parts.layers[0]}\n        self.act = act\n"
        f"{forward(['self.act(self.layer(x))'])}\n\n"
    )
    made = ", ".join(f"Block({ACTS[act]})" for act in parts.acts)
    body = f"self.net = nn.Sequential({made})"
    source = module(body, forward(["self.net(x)"]), init, parts.kind)
    return source.replace("class Net", f"{block}class Net")


def returned(parts: Parts, init: tuple[str, str, str]) -> str:
    text = f"def Net():\n    return nn.Sequential({', '.join(members(parts))})\n"
    return HEAD + text


def assembled(parts: Parts, init: tuple[str, str, str]) -> str:
    text = f"def Net():\n    model = nn.Sequential({', '.join(members(parts))})\n    return model\n"
    return HEAD + text


def bare(parts: Parts, init: tuple[str, str, str]) -> str:
    drawn = ("torch.randn(32, 32) * 0.02", "nn.init.normal_(torch.empty(32, 32), std=0.002)")
    body = "\n".join(f"self.w{i} = nn.Parameter({drawn[i % 2]})" for i in range(len(parts.acts)))
    calls = [CALLS[act] % f"(x @ self.w{i})" for i, act in enumerate(parts.acts)]
    return module(body, forward(calls), ("", "", ""), parts.kind)


FORMS = (
    *(attributes, semicolons, sequential, ordered, appended, looped, comprehension, added),
    *(helper, blocks, returned, assembled, bare),
)


@st.composite
def modules(draw: st.DrawFn) -> Drawn:
    """A module that can be built, in a form that the rewriter knows."""
    form = draw(st.sampled_from(FORMS))
    linear = form is bare or draw(st.booleans())
    bias = draw(st.sampled_from(["", ", bias=True"]))
    count = draw(st.integers(2, 5))
    few = draw(st.lists(st.sampled_from(sorted(ACTS)), min_size=1, max_size=2))
    acts = draw(st.lists(st.sampled_from(few), min_size=count, max_size=count))
    size = "32, 32" if linear else "16, 16, 3, padding=1"
    kind = "nn.Linear" if linear else "nn.Conv2d"
    parts = Parts((f"{kind}({size}{bias})",) * count, tuple(acts), kind)
    source = form(parts, INITS[draw(st.sampled_from(sorted(INITS)))])
    if draw(st.booleans()):
        source = source.replace("    ", "\t")
    if draw(st.booleans()):
        source = source.replace("\n", "\r\n")
    return Drawn(source, "Net", (4, 32) if linear else (4, 16, 6, 6))
