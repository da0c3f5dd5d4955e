"""The families of nets that are drawn: for each the lines of its source, and its task."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import drawn_tasks as tasks
from drawn_tasks import Data

if TYPE_CHECKING:
    from drawn_nets import Draw


@dataclass
class Made:
    """Lines of a net's source: blocks before it, its layers, its forward; and its task."""

    layers: list[str]
    forward: list[str]
    data: Callable[[], Data]
    before: list[str] = field(default_factory=list)
    steps: int = 240
    batch: int = 32
    recurrent: bool = False
    after: tuple[str, ...] = ()


def _norm(draw: Draw, features: int, images: bool = False) -> str:
    if draw.norm == "batch":
        return f"nn.BatchNorm{'2' if images else '1'}d({features})"
    return f"nn.GroupNorm(1, {features})" if images else f"nn.LayerNorm({features})"


def _hidden(draw: Draw, make: str, count: int, images: bool = False) -> list[str]:
    """The hidden layers, and their norms where there are any."""
    lines = [f"self.hidden = nn.ModuleList({make} for _ in range({count}))"]
    if draw.norm != "none":
        norm = _norm(draw, _features(make), images)
        lines.append(f"self.norms = nn.ModuleList({norm} for _ in range({count}))")
    return lines


def _features(make: str) -> int:
    return int(make.split("(")[1].split(",")[1].strip(" )"))


def _through(draw: Draw) -> list[str]:
    """The lines of forward that pass x through the hidden layers."""
    if draw.norm == "none":
        return ["for layer in self.hidden:", f"    x = {draw.act('layer(x)')}"]
    return [
        "for layer, norm in zip(self.hidden, self.norms):",
        f"    x = {draw.act('norm(layer(x))')}",
    ]


def mlp(draw: Draw) -> Made:
    depth, width = draw.deep(2, 40), draw.width
    draw.task = draw.one_of("digits", "digits", "regression")
    into, out = (64, 10) if draw.task == "digits" else (8, 1)
    make = tasks.digits if draw.task == "digits" else tasks.regression
    data = functools.partial(make, draw.scale)
    if draw.random.random() < 0.3 and draw.norm == "none":
        entries = [f"nn.Linear({into}, {width})", draw.module]
        entries += [f"nn.Linear({width}, {width})", draw.module] * (depth - 2)
        entries += [f"nn.Linear({width}, {out})"]
        listed = [f"    {entry}," for entry in entries]
        return Made(["self.net = nn.Sequential(", *listed, ")"], ["return self.net(x)"], data)
    layers = [f"self.first = nn.Linear({into}, {width})"]
    layers += _hidden(draw, f"nn.Linear({width}, {width})", depth - 2)
    layers += [f"self.last = nn.Linear({width}, {out})"]
    forward = [f"x = {draw.act('self.first(x)')}", *_through(draw), "return self.last(x)"]
    return Made(layers, forward, data)


def cnn(draw: Draw) -> Made:
    depth, width = draw.deep(2, 20), draw.random.choice((6, 8))
    draw.width, draw.task = width, "digits"
    stride = draw.random.choice((1, 2))
    pooled = draw.random.random() < 0.5
    size = 8 // stride
    layers = [f"self.first = nn.Conv2d(1, {width}, 3, stride={stride}, padding=1)"]
    layers += _hidden(draw, f"nn.Conv2d({width}, {width}, 3, padding=1)", depth - 2, True)
    layers += [f"self.last = nn.Linear({width if pooled else width * size * size}, 10)"]
    flat = "x.mean((2, 3))" if pooled else "x.flatten(1)"
    forward = [f"x = {draw.act('self.first(x)')}", *_through(draw), f"return self.last({flat})"]
    data = functools.partial(tasks.digits, draw.scale, (1, 8, 8))
    return Made(layers, forward, data, steps=160)


def residual(draw: Draw) -> Made:
    depth = draw.deep(2, 20)
    images = draw.random.random() < 0.3
    width = draw.width = 8 if images else draw.width
    make = (
        f"nn.Conv2d({width}, {width}, 3, padding=1)" if images else f"nn.Linear({width}, {width})"
    )
    norm = [] if draw.norm == "none" else [f"        self.norm = {_norm(draw, width, images)}"]
    inner = "x" if draw.norm == "none" else "self.norm(x)"
    whole = f"x + self.b({draw.act(f'self.a({inner})')})"
    if draw.random.random() < 0.3:
        whole = draw.act(whole)
    draw.task = "digits" if images else draw.one_of("digits", "regression")
    into, out = (64, 10) if draw.task == "digits" else (8, 1)
    first = (
        f"nn.Conv2d(1, {width}, 3, stride=2, padding=1)"
        if images
        else f"nn.Linear({into}, {width})"
    )
    before = [
        *("class Block(nn.Module):", "    def __init__(self):", "        super().__init__()"),
        *(f"        self.a = {make}", f"        self.b = {make}", *norm, ""),
        *("    def forward(self, x):", f"        return {whole}", "", ""),
    ]
    layers = [f"self.first = {first}"]
    layers += [f"self.blocks = nn.Sequential(*[Block() for _ in range({depth})])"]
    layers += [f"self.last = nn.Linear({width}, {out})"]
    forward = ["x = self.blocks(self.first(x))"]
    forward += [f"return self.last({draw.act('x')}{'.mean((2, 3))' if images else ''})"]
    if images:
        data = functools.partial(tasks.digits, draw.scale, (1, 8, 8))
        return Made(layers, forward, data, before, 160)
    task = tasks.digits if draw.task == "digits" else tasks.regression
    return Made(layers, forward, functools.partial(task, draw.scale), before)


_ATTENTION = """class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Linear({w}, {w})
        self.k = nn.Linear({w}, {w})
        self.v = nn.Linear({w}, {w})
        self.o = nn.Linear({w}, {w})

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (f(x).view(b, t, 4, c // 4).transpose(1, 2) for f in (self.q, self.k, self.v))
        scores = (q @ k.transpose(-2, -1) / math.sqrt(c // 4)).softmax(-1)
        return self.o((scores @ v).transpose(1, 2).reshape(b, t, c))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.up = nn.Linear({w}, {u})
        self.down = nn.Linear({u}, {w})
{norms}
    def forward(self, x):
{steps}
        return x


"""


def transformer(draw: Draw) -> Made:
    depth, width = draw.deep(1, 6), draw.random.choice((24, 32))
    draw.width, draw.norm = width, draw.one_of("pre", "pre", "post", "none")
    feed = f"self.down({draw.act('self.up({})')})"
    parts = {
        "pre": ("x + {}", "self.{}(x)"),
        "post": ("self.{}(x + {})", "x"),
        "none": ("x + {}", "x"),
    }
    steps = []
    for norm, part in (("one", "self.attention({})"), ("two", feed)):
        outer, inner = parts[draw.norm]
        body = part.replace("{}", inner.format(norm))
        whole = outer.replace("{}", norm, 1) if draw.norm == "post" else outer
        steps.append(f"        x = {whole.replace('{}', body)}")
    norms = (
        ""
        if draw.norm == "none"
        else "".join(f"        self.{name} = nn.LayerNorm({width})\n" for name in ("one", "two"))
    )
    blocks = _ATTENTION.format(w=width, u=2 * width, norms=norms, steps="\n".join(steps))
    final = "self.norm(x)" if draw.norm == "pre" else "x"
    draw.task = draw.one_of("digits", "recall")
    length = 8 if draw.task == "digits" else 12
    out = 10 if draw.task == "digits" else 6
    enter = f"nn.Linear(8, {width})" if draw.task == "digits" else f"nn.Embedding(6, {width})"
    layers = [f"self.enter = {enter}"]
    layers += [f"self.place = nn.Parameter(0.5 * torch.randn({length}, {width}))"]
    layers += [f"self.blocks = nn.Sequential(*[Block() for _ in range({depth})])"]
    layers += [f"self.norm = nn.LayerNorm({width})"] * (draw.norm == "pre")
    layers += [f"self.last = nn.Linear({width}, {out})"]
    forward = ["x = self.blocks(self.enter(x) + self.place)", f"x = {final}"]
    forward += [
        "return self.last(x.mean(1))" if draw.task == "digits" else "return self.last(x[:, -1])"
    ]
    data: Callable[[], Data] = functools.partial(tasks.digits, draw.scale, (8, 8))
    if draw.task == "recall":
        draw.scale, data = "symbols", functools.partial(tasks.recalled, length)
    return Made(layers, forward, data, blocks.split("\n")[:-1], 160)


def recurrent(draw: Draw) -> Made:
    kind = draw.one_of("RNN", "RNN", "GRU", "LSTM", "written")
    width = draw.width
    draw.norm, draw.activation = "none", "tanh"
    draw.task = draw.one_of("digits", "recall")
    draw.depth = 8 if draw.task == "digits" else draw.random.choice((8, 16, 24))
    into, out = (8, 10) if draw.task == "digits" else (width, 6)
    data: Callable[[], Data] = functools.partial(tasks.digits, draw.scale, (8, 8))
    layers, forward = [], []
    if draw.task == "recall":
        draw.scale, data = "symbols", functools.partial(tasks.recalled, draw.depth)
        layers, forward = [f"self.table = nn.Embedding(6, {width})"], ["x = self.table(x)"]
    if kind == "written":
        layers += [
            f"self.enter = nn.Linear({into}, {width})",
            f"self.again = nn.Linear({width}, {width})",
        ]
        forward += [f"h = torch.zeros(x.size(0), {width})", "for t in range(x.size(1)):"]
        forward += ["    h = torch.tanh(self.enter(x[:, t]) + self.again(h))"]
    else:
        deep = draw.random.choice((1, 1, 2))
        extra = ', nonlinearity="relu"' if kind == "RNN" and draw.random.random() < 0.3 else ""
        draw.activation = "relu" if extra else "tanh"
        layers += [
            f"self.rnn = nn.{kind}({into}, {width}, num_layers={deep}, batch_first=True{extra})"
        ]
        forward += ["h = self.rnn(x)[0][:, -1]"]
    layers += [f"self.last = nn.Linear({width}, {out})"]
    forward += ["return self.last(h)"]
    return Made(layers, forward, data, recurrent=kind != "written")


def autoencoder(draw: Draw) -> Made:
    half = draw.deep(1, 8)
    draw.depth, draw.task = 2 * half, "autoencoder"
    sizes = [24, *[draw.width] * (half - 1), 12, *[draw.width] * (half - 1), 24]
    entries: list[str] = []
    for place, (into, out) in enumerate(itertools.pairwise(sizes)):
        entries.append(f"nn.Linear({into}, {out})")
        last = place == len(sizes) - 2
        entries += [] if last or draw.norm == "none" else [_norm(draw, out)]
        entries += [] if last else [draw.module]
    entries += [] if draw.scale == "unit" else draw.random.choice(([], ["nn.Sigmoid()"]))
    listed = [f"    {entry}," for entry in entries]
    data = functools.partial(tasks.restored, draw.scale)
    return Made(["self.net = nn.Sequential(", *listed, ")"], ["return self.net(x)"], data)


def generator(draw: Draw) -> Made:
    """The part of a GAN that makes images of codes."""
    width, extra = draw.random.choice((8, 12)), draw.random.randrange(4)
    draw.scale = draw.one_of("unit", "unit", "0..1")
    draw.width, draw.task, draw.depth = width, "generator", 3 + extra
    entries = [f"nn.Linear(16, {4 * width})", f"nn.Unflatten(1, ({width}, 2, 2))"]
    into = width
    for _ in range(extra):
        entries += [draw.module, f"nn.Conv2d({width}, {width}, 3, padding=1)"]
    for out in (width, 1):
        entries += [] if draw.norm == "none" else [_norm(draw, into, True)]
        entries += [draw.module, f"nn.ConvTranspose2d({into}, {out}, 4, stride=2, padding=1)"]
    listed = [f"    {entry}," for entry in [*entries, "nn.Tanh()"]]
    data = functools.partial(tasks.generated, draw.scale)
    layers = ["self.net = nn.Sequential(", *listed, ")"]
    return Made(layers, ["return self.net(x)"], data, steps=160)


def critic(draw: Draw) -> Made:
    """The part of a GAN that tells true images from false ones."""
    width, extra = draw.random.choice((8, 16)), draw.random.randrange(5)
    draw.width, draw.task, draw.depth = width, "critic", 3 + extra
    layers = [f"self.first = nn.Conv2d(1, {width}, 4, stride=2, padding=1)"]
    layers += _hidden(draw, f"nn.Conv2d({width}, {width}, 3, padding=1)", extra + 1, True)
    layers += [f"self.last = nn.Linear({16 * width}, 1)"]
    forward = [f"x = {draw.act('self.first(x)')}", *_through(draw)]
    forward += ["return self.last(x.flatten(1))"]
    data = functools.partial(tasks.judged, draw.scale)
    return Made(layers, forward, data, steps=160)


def field_net(draw: Draw) -> Made:
    """A coordinate net, mostly on positional encodings."""
    depth, width = draw.deep(2, 10), draw.width
    draw.scale, draw.task, draw.norm = "waves", "field", "none"
    waves = draw.random.choice((0, 4, 6))
    layers = [f"self.first = nn.Linear({2 + 4 * waves}, {width})"]
    layers += _hidden(draw, f"nn.Linear({width}, {width})", depth - 2)
    layers += [f"self.last = nn.Linear({width}, 1)"]
    coded = f"[f(2**k * math.pi * x) for k in range({waves}) for f in (torch.sin, torch.cos)]"
    forward = [f"waves = {coded}", "x = torch.cat([x, *waves], 1)"] if waves else []
    forward += [f"x = {draw.act('self.first(x)')}", *_through(draw)]
    forward += [draw.one_of("return torch.sigmoid(self.last(x))", "return self.last(x)")]
    return Made(layers, forward, functools.partial(tasks.places, draw.scale))


def policy(draw: Draw) -> Made:
    depth, width = draw.deep(2, 5), draw.width
    kind = draw.one_of("tanh", "softmax")
    draw.task, draw.norm = f"policy, {kind}", draw.one_of("none", "none", "layer")
    layers = [f"self.first = nn.Linear(6, {width})"]
    layers += _hidden(draw, f"nn.Linear({width}, {width})", depth - 2)
    layers += [f"self.last = nn.Linear({width}, {2 if kind == 'tanh' else 4})"]
    small = draw.random.random() < 0.3
    after = ("nn.init.orthogonal_(self.last.weight, 0.01)",) if small else ()
    forward = [f"x = {draw.act('self.first(x)')}", *_through(draw)]
    end = "torch.tanh({})" if kind == "tanh" else "torch.softmax({}, -1)"
    forward += [f"return {end.format('self.last(x)')}"]
    data = functools.partial(tasks.actions, draw.scale, kind)
    return Made(layers, forward, data, after=after)


def points(draw: Draw) -> Made:
    """A sum, mean or maximum over a set of points."""
    depth, width = draw.deep(2, 6), draw.random.choice((24, 32))
    draw.width, draw.task, draw.norm = width, "set", "none"
    count = draw.random.choice((8, 16, 32, 64, 128))
    pool = draw.one_of("x.sum(1)", "x.sum(1)", "x.mean(1)", "x.amax(1)")
    layers = [f"self.first = nn.Linear(2, {width})"]
    layers += _hidden(draw, f"nn.Linear({width}, {width})", depth - 1)
    layers += [f"self.after = nn.Linear({width}, {width})", f"self.last = nn.Linear({width}, 4)"]
    forward = [f"x = {draw.act('self.first(x)')}", *_through(draw), f"x = {pool}"]
    forward += [f"x = {draw.act('self.after(x)')}", "return self.last(x)"]
    return Made(layers, forward, functools.partial(tasks.sets, draw.scale, count))


FAMILIES: dict[str, Callable[[Draw], Made]] = {
    "MLP": mlp,
    "CNN": cnn,
    "residual": residual,
    "transformer": transformer,
    "recurrent": recurrent,
    "autoencoder": autoencoder,
    "GAN generator": generator,
    "GAN critic": critic,
    "coordinate net": field_net,
    "policy": policy,
    "set": points,
}
