"""LSTMs that recall a symbol some steps back, by the bias that their forget gates begin with.

python tests/benchmarks/forget.py
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

import initlint

SYMBOLS, UNITS = 6, 32
OPTIMISERS = {
    "Adam 0.004": lambda parameters: torch.optim.Adam(parameters, 4e-3),
    "SGD 0.5": lambda parameters: torch.optim.SGD(parameters, 0.5, momentum=0.9),
}


class Recall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, 16)
        self.cell = nn.LSTM(16, UNITS, batch_first=True)
        self.out = nn.Linear(UNITS, SYMBOLS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.cell(self.embed(x))[0])


def accuracy(back: int, steps: int, optimiser: str, bias: float | None, seed: int) -> float:
    """The share of symbols, in percent, that are recalled `back` steps later; None: the default."""
    torch.manual_seed(seed)
    model = Recall()
    if bias is not None:
        inputs = torch.zeros(1, 9, dtype=torch.long)
        initlint.apply_(model, inputs, seed=seed, forget_bias=bias, only="cell.bias*")
    step = OPTIMISERS[optimiser](model.parameters())
    source = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = torch.randint(SYMBOLS, (32, back + 8), generator=source)
        found = model(x)[:, back:]
        step.zero_grad()
        F.cross_entropy(found.reshape(-1, SYMBOLS), x[:, :-back].reshape(-1)).backward()
        step.step()
    x = torch.randint(SYMBOLS, (400, back + 8), generator=source)
    with torch.no_grad():
        return (model(x)[:, back:].argmax(-1) == x[:, :-back]).float().mean().item() * 100


def main() -> None:
    torch.set_num_threads(1)
    for back, steps in ((5, 300), (10, 600)):
        for optimiser in OPTIMISERS:
            cells = (
                " / ".join(f"{accuracy(back, steps, optimiser, bias, s):.0f}" for s in range(5))
                for bias in (None, 0.0, 1.0, 2.0)
            )
            print(f"| {back} | {optimiser} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
