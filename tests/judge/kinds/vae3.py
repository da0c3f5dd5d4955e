# expected: INIT101 | 4,64
import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Linear(64, 32)
        self.m = nn.Linear(32, 8)
        self.v = nn.Linear(32, 8)
        self.d = nn.Linear(8, 32)
        self.o = nn.Linear(32, 64)

    def sample(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + std * torch.randn_like(std)

    def forward(self, x):
        h = torch.tanh(self.e(x))
        mu, lv = self.m(h), self.v(h)
        z = self.sample(mu, lv)
        return torch.sigmoid(self.o(F.relu(self.d(z)))), mu, lv
