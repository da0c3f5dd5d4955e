# expected: INIT013 | int64[2,8]
import torch.nn.functional as F
from torch import nn


class A(nn.Module):
    def __init__(self, d, L):
        super().__init__()
        self.n = nn.LayerNorm(d)
        self.q = nn.Linear(d, d)
        self.k = nn.Linear(d, d)
        self.v = nn.Linear(d, d)
        self.o = nn.Linear(d, d)
        for l in (self.q, self.k, self.v, self.o):
            nn.init.trunc_normal_(l.weight, std=0.02)
        nn.init.trunc_normal_(self.v.weight, std=0.02 / (2 * L) ** 0.5)

    def forward(self, x):
        y = self.n(x)
        return x + self.o(
            F.scaled_dot_product_attention(
                self.q(y)[:, None], self.k(y)[:, None], self.v(y)[:, None]
            )[:, 0]
        )


class Net(nn.Module):
    def __init__(self, d=256, L=8):
        super().__init__()
        self.e = nn.Embedding(100, d)
        self.a = nn.ModuleList(A(d, L) for _ in range(L))
        self.n = nn.LayerNorm(d)
        self.h = nn.Linear(d, 100)

    def forward(self, i):
        x = self.e(i)
        for a in self.a:
            x = a(x)
        return self.h(self.n(x))
