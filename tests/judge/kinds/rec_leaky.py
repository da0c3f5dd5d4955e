# expected: nothing | 2,9,16
import torch
from torch import nn


class Net(nn.Module):
    """Echo-like leaky recurrence."""
    def __init__(self, n=64):
        super().__init__()
        self.win = nn.Linear(16, n)
        self.w = nn.Linear(n, n, bias=False)
        nn.init.orthogonal_(self.w.weight, gain=0.95)
        self.out = nn.Linear(n, 2)

    def forward(self, x):
        h = torch.zeros(x.size(0), 64)
        for u in x.transpose(0, 1):
            h = 0.7 * h + 0.3 * torch.tanh(self.win(u) + self.w(h))
        return self.out(h)
