# expected: nothing | 4,8
import torch
import torch.nn.functional as F
from torch import nn


class Policy(nn.Module):
    def __init__(self, s=8, a=2, h=64):
        super().__init__()
        self.l1 = nn.Linear(s, h)
        self.mean = nn.Linear(h, a)
        self.log_std = nn.Linear(h, a)

    def forward(self, s):
        x = F.relu(self.l1(s))
        return self.mean(x), torch.clamp(self.log_std(x), -20, 2)

    def sample(self, s):
        m, l = self.forward(s)
        n = torch.distributions.Normal(m, l.exp())
        z = n.rsample()
        return torch.tanh(z), n.log_prob(z).sum(-1)
