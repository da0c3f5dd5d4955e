"""Small nets drawn at random: the source of each, how it is initialised, and its task."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import drawn_parts
from drawn_parts import FAMILIES
from drawn_tasks import SCALES, Data, Training

ACTIVATIONS = {
    "relu": ("F.relu({})", "nn.ReLU()"),
    "leaky_relu": ("F.leaky_relu({}, 0.2)", "nn.LeakyReLU(0.2)"),
    "elu": ("F.elu({})", "nn.ELU()"),
    "selu": ("F.selu({})", "nn.SELU()"),
    "gelu": ("F.gelu({})", "nn.GELU()"),
    "silu": ("F.silu({})", "nn.SiLU()"),
    "mish": ("F.mish({})", "nn.Mish()"),
    "softplus": ("F.softplus({})", "nn.Softplus()"),
    "hardswish": ("F.hardswish({})", "nn.Hardswish()"),
    "tanh": ("torch.tanh({})", "nn.Tanh()"),
    "softsign": ("F.softsign({})", "nn.Softsign()"),
    "sigmoid": ("torch.sigmoid({})", "nn.Sigmoid()"),
}
# Right for some activations, wrong for others; PyTorch's default is drawn apart.
INITIALISERS = (
    'kaiming_normal_({}, nonlinearity="relu")',
    'kaiming_uniform_({}, mode="fan_out", nonlinearity="relu")',
    'kaiming_normal_({}, a=0.2, nonlinearity="leaky_relu")',
    "kaiming_uniform_({}, a=5)",
    "xavier_uniform_({})",
    "xavier_normal_({})",
    'xavier_normal_({}, gain=nn.init.calculate_gain("tanh"))',
    "xavier_uniform_({}, gain=0.2)",
    "orthogonal_({})",
    "orthogonal_({}, gain=2**0.5)",
    "normal_({}, std=0.01)",
    "normal_({}, std=0.02)",
    "normal_({}, std=0.1)",
    "normal_({}, std=0.3)",
    "normal_({})",
    "uniform_({}, -0.1, 0.1)",
    "uniform_({}, -0.5, 0.5)",
    "uniform_({})",
    "trunc_normal_({}, std=0.02)",
)
RIGHT = {
    "leaky_relu": 'kaiming_normal_({}, a=0.2, nonlinearity="leaky_relu")',
    "tanh": 'xavier_normal_({}, gain=nn.init.calculate_gain("tanh"))',
    "softsign": "xavier_normal_({})",
    "sigmoid": "xavier_normal_({})",
    "selu": 'kaiming_normal_({}, nonlinearity="linear")',
}
_KAIMING = 'kaiming_normal_({}, nonlinearity="relu")'


@dataclass(frozen=True)
class Net:
    """One net: `source` defines `Net`; the other fields say what was drawn."""

    number: int
    family: str
    activation: str
    norm: str
    depth: int
    width: int
    own: str
    scale: str
    task: str
    how: Training
    source: str
    data: Callable[[], Data]


@dataclass
class Draw:
    """What is drawn before a family makes its source of it."""

    random: random.Random
    activation: str
    norm: str
    scale: str
    width: int
    depth: int = 0
    task: str = ""

    def act(self, value: str) -> str:
        """The activation of an expression."""
        return ACTIVATIONS[self.activation][0].format(value)

    @property
    def module(self) -> str:
        """The activation as a module."""
        return ACTIVATIONS[self.activation][1]

    def deep(self, least: int, most: int) -> int:
        """A depth, as often between 2 and 4 as between 4 and 8; kept as that of the net."""
        self.depth = min(most, int(least * (most / least) ** (1.06 * self.random.random())))
        return self.depth

    def one_of(self, *given: str) -> str:
        return self.random.choice(given)


def drawn(number: int, seed: int = 0) -> Net:
    """The net of this number: always the same one for the same seed."""
    rng = random.Random(f"{seed}/{number}")
    family = rng.choice(list(FAMILIES))
    norm = rng.choice(("none", "none", "none", "batch", "layer"))
    draw = Draw(
        rng,
        rng.choice(list(ACTIVATIONS)),
        norm,
        rng.choice(SCALES),
        rng.choice((24, 32, 48)),
    )
    made = FAMILIES[family](draw)
    own = _own(draw)
    optimiser = rng.choice(("sgd", "adam"))
    rate = rng.choice((0.02, 0.05) if optimiser == "sgd" else (2e-3, 4e-3))
    how = Training(optimiser, rate, made.steps, made.batch)
    return Net(
        number,
        family,
        draw.activation,
        draw.norm,
        draw.depth,
        draw.width,
        own.format("weight"),
        draw.scale,
        draw.task,
        how,
        _source(made, own, rng),
        made.data,
    )


def _own(draw: Draw) -> str:
    """The net's own initialiser, with a place for the weight; empty for PyTorch's default."""
    kind = draw.random.random()
    if kind < 0.45:
        return ""
    if kind < 0.65:
        return RIGHT.get(draw.activation, _KAIMING)
    return draw.random.choice(INITIALISERS)


def _source(made: drawn_parts.Made, own: str, rng: random.Random) -> str:
    """The file: imports, blocks, the class `Net`, and its initialisation in one of three ways."""
    lines = ["import math", "", "import torch", "from torch import nn"]
    lines += ["from torch.nn import functional as F", "", ""]
    bias = rng.random() < 0.5
    way = "parameters" if made.recurrent else rng.choice(("apply", "modules", "parameters"))
    kinds = "(nn.Linear, nn.Conv2d, nn.ConvTranspose2d)"
    calls = [f"nn.init.{own.format('m.weight')}", *(["nn.init.zeros_(m.bias)"] * bias)]
    inside: list[str] = []
    if own and way == "apply":
        lines += ["def initialise(m):", f"    if isinstance(m, {kinds}):"]
        lines += [*(f"        {call}" for call in calls), "", ""]
        inside = ["self.apply(initialise)"]
    elif own and way == "modules":
        inside = ["for m in self.modules():", f"    if isinstance(m, {kinds}):"]
        inside += [f"        {call}" for call in calls]
    elif own:
        inside = ["for p in self.parameters():", "    if p.dim() > 1:"]
        inside += [f"        nn.init.{own.format('p')}"]
    lines += [*made.before, "class Net(nn.Module):", "    def __init__(self):"]
    lines += ["        super().__init__()"]
    lines += [f"        {line}" for line in (*made.layers, *inside, *made.after)]
    lines += ["", "    def forward(self, x):", *(f"        {line}" for line in made.forward), ""]
    return "\n".join(lines)
