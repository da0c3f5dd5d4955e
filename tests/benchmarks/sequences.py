"""Training tasks on sequences: character language models of many kinds, and recall."""

from __future__ import annotations

import argparse
import functools
import inspect
import math

import torch
from tasks import ROWS, Task, classified, trained
from torch import nn
from torch.nn import functional as F

LENGTH, WIDTH, HEADS = 32, 48, 4


@functools.cache
def text() -> tuple[torch.Tensor, int]:
    """The characters of a module of Python's library, as numbers, and how many there are."""
    source = inspect.getsource(argparse)
    known = {letter: place for place, letter in enumerate(sorted(set(source)))}
    return torch.tensor([known[letter] for letter in source]), len(known)


def language(steps: int, rate: float = 2e-3):
    """A score: the mean loss at the end of training to predict the next character."""

    def score(model: nn.Module, seed: int) -> float:
        letters, _ = text()

        def loss(index: torch.Tensor) -> torch.Tensor:
            rows = letters[index[:, None] + torch.arange(LENGTH + 1)]
            return F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

        return trained(model, loss, len(letters) - LENGTH - 1, steps, seed, rate, size=16)

    return score


class Attention(nn.Module):
    def __init__(self, bias: bool = True, divided: bool = True) -> None:
        super().__init__()
        self.divided = divided
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH, bias=bias) for _ in range(3))
        self.o = nn.Linear(WIDTH, WIDTH, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            part(x).view(x.shape[0], -1, HEADS, WIDTH // HEADS).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        scores = q @ k.transpose(-1, -2)
        if self.divided:
            scores = scores / math.sqrt(WIDTH // HEADS)
        mask = torch.ones(x.shape[1], x.shape[1]).tril()
        scores = scores.masked_fill(mask == 0, -1e9)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
        return self.o(mixed)


class Root(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


class Gelu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.gelu(self.up(x)))


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up = (nn.Linear(WIDTH, 2 * WIDTH, bias=False) for _ in range(2))
        self.down = nn.Linear(2 * WIDTH, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Relu(nn.Module):
    """T5's feed-forward layer."""

    def __init__(self) -> None:
        super().__init__()
        self.wi = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.wo = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.wo(F.relu(self.wi(x)))


class Experts(nn.Module):
    """Four experts in stacked tensors, of which a small router mixes the two best."""

    def __init__(self, count: int = 4) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, count, bias=False)
        self.up = nn.Parameter(torch.empty(count, WIDTH, 2 * WIDTH))
        self.down = nn.Parameter(torch.empty(count, 2 * WIDTH, WIDTH))
        for value, std in ((self.router.weight, 0.02), (self.up, 0.02), (self.down, 0.01)):
            nn.init.normal_(value, std=std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shares = self.router(x).softmax(-1)
        best = shares * (shares >= shares.topk(2, -1)[0][..., -1:])
        hidden = F.silu(torch.einsum("btd,edf->btef", x, self.up))
        return (torch.einsum("btef,efd->bted", hidden, self.down) * best[..., None]).sum(2)


class Decoder(nn.Module):
    """A transformer: `post` normalises after the addition; `init` is its own initialisation."""

    def __init__(self, layer, norm, init=None, depth=3, post=False, tied=False, **attention):
        super().__init__()
        count = text()[1]
        self.post = post
        self.embed, self.place = nn.Embedding(count, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.attentions = nn.ModuleList(Attention(**attention) for _ in range(depth))
        self.layers = nn.ModuleList(layer() for _ in range(depth))
        self.norms = nn.ModuleList(norm() for _ in range(2 * depth))
        self.norm, self.out = norm(), nn.Linear(WIDTH, count, bias=False)
        if tied:
            self.out.weight = self.embed.weight
        if init is not None:
            init(self)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) + self.place(torch.arange(tokens.shape[1]))
        for place, (attention, layer) in enumerate(zip(self.attentions, self.layers, strict=True)):
            first, second = self.norms[2 * place], self.norms[2 * place + 1]
            if self.post:
                x = first(x + attention(x))
                x = second(x + layer(x))
            else:
                x = x + attention(first(x))
                x = x + layer(second(x))
        return self.out(self.norm(x))


def gpt2(model: nn.Module) -> None:
    """Std 0.02, and by 1/sqrt(2 L) smaller what writes into the stream (Radford 2019)."""
    writers = [attention.o for attention in model.attentions]
    writers += [layer.down for layer in model.layers if hasattr(layer, "down")]
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            small = math.sqrt(2 * len(model.layers)) if module in writers else 1
            nn.init.normal_(module.weight, std=0.02 / small)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)


def llama(model: nn.Module) -> None:
    """torchtitan's: truncated normal of 0.02, depth-scaled outputs, head 1/sqrt(width)."""
    depth = 0.02 / math.sqrt(2 * len(model.layers))
    nn.init.normal_(model.embed.weight)
    nn.init.normal_(model.place.weight, std=0.02)
    for attention, layer in zip(model.attentions, model.layers, strict=True):
        for linear in (attention.q, attention.k, attention.v, layer.gate):
            nn.init.trunc_normal_(linear.weight, std=0.02)
        for linear in (attention.o, layer.up, layer.down):
            nn.init.trunc_normal_(linear.weight, std=depth)
    nn.init.trunc_normal_(model.out.weight, std=WIDTH**-0.5)


def t5(model: nn.Module) -> None:
    """The scale of q makes up for q·kᵀ that is not divided (Raffel 2020)."""
    nn.init.normal_(model.embed.weight)
    for attention, layer in zip(model.attentions, model.layers, strict=True):
        nn.init.normal_(attention.q.weight, std=(WIDTH * WIDTH // HEADS) ** -0.5)
        for linear in (attention.k, attention.v, attention.o, layer.wi):
            nn.init.normal_(linear.weight, std=WIDTH**-0.5)
        nn.init.normal_(layer.wo.weight, std=(4 * WIDTH) ** -0.5)


class StateSpace(nn.Module):
    """Mamba in small: a selective recurrence whose steps begin between 0.001 and 0.1."""

    def __init__(self, states: int = 4, depth: int = 2) -> None:
        super().__init__()
        count = text()[1]
        self.embed, self.out = nn.Embedding(count, WIDTH), nn.Linear(WIDTH, count, bias=False)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(depth))
        self.into = nn.ModuleList(nn.Linear(WIDTH, 2 * WIDTH, bias=False) for _ in range(depth))
        self.select = nn.ModuleList(nn.Linear(WIDTH, 2 * states, bias=False) for _ in range(depth))
        self.steps = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(depth))
        self.back = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(depth))
        rates = torch.arange(1.0, states + 1).log().repeat(WIDTH, 1)
        self.rates = nn.ParameterList(nn.Parameter(rates.clone()) for _ in range(depth))
        self.norm = nn.LayerNorm(WIDTH)
        for linear in self.steps:
            step = torch.exp(torch.rand(WIDTH) * math.log(100) + math.log(0.001))
            linear.bias.data.copy_(step + torch.log(-torch.expm1(-step)))
            nn.init.uniform_(linear.weight, -(WIDTH**-0.5), WIDTH**-0.5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        for place, norm in enumerate(self.norms):
            u, gate = self.into[place](norm(x)).chunk(2, -1)
            u = F.silu(u)
            write, read = self.select[place](u).chunk(2, -1)
            step = F.softplus(self.steps[place](u))
            decay = torch.exp(-step[..., None] * self.rates[place].exp())
            state, seen = torch.zeros_like(decay[:, 0]), []
            for time in range(tokens.shape[1]):
                given = (step[:, time] * u[:, time])[..., None] * write[:, time, None]
                state = decay[:, time] * state + given
                seen.append((state * read[:, time, None]).sum(-1))
            x = x + self.back[place](torch.stack(seen, 1) * F.silu(gate))
        return self.out(self.norm(x))


class Recurrent(nn.Module):
    def __init__(self, kind=nn.LSTM) -> None:
        super().__init__()
        count = text()[1]
        self.embed, self.cell = nn.Embedding(count, WIDTH), kind(WIDTH, 64, 2, batch_first=True)
        self.out = nn.Linear(64, count)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.cell(self.embed(tokens))[0])


class Identity(nn.Module):
    """A recurrence of relu that starts as the identity (IRNN, Le 2015)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.x, self.h = nn.Linear(8, width), nn.Linear(width, width, bias=False)
        nn.init.normal_(self.x.weight, std=0.001)
        nn.init.zeros_(self.x.bias)
        nn.init.eye_(self.h.weight)
        self.out = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = F.relu(self.x(x[:, 0]))
        for time in range(1, x.shape[1]):
            h = F.relu(self.x(x[:, time]) + self.h(h))
        return self.out(h)


def decoder(*args, **options):
    return lambda: Decoder(*args, **options)


def _language(name: str, make, steps: int = 200) -> Task:
    return Task(name, make, language(steps), shapes=(LENGTH,))


def _norm() -> nn.Module:
    return nn.LayerNorm(WIDTH)


TASKS = (
    _language("nanoGPT", decoder(Gelu, _norm, gpt2)),
    _language("char-LM GPT-2, tied", decoder(Gelu, _norm, gpt2, tied=True)),
    _language("pre-LN GPT, torch default", decoder(Gelu, _norm)),
    _language("post-LN GPT, torch default", decoder(Gelu, _norm, post=True)),
    _language("MoE LM", decoder(Experts, _norm)),
    _language("torchtitan Llama", decoder(Gated, Root, llama, bias=False)),
    _language("char-LM T5", decoder(Relu, Root, t5, bias=False, divided=False)),
    _language("Mamba", StateSpace, 100),
    _language("char-LM LSTM", Recurrent),
    _language("char-LM GRU", lambda: Recurrent(nn.GRU)),
    Task("IRNN identity", Identity, classified(250, 0.003, ROWS), "accuracy", (ROWS,)),
)
