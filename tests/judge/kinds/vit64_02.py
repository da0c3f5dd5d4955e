# expected: INIT301 | 2,3,16,16
import torch
from torch import nn


def init(m):
    if isinstance(m, nn.Linear):
        nn.init.trunc_normal_(m.weight, std=0.02)
    if isinstance(m, nn.MultiheadAttention):
        nn.init.trunc_normal_(m.in_proj_weight, std=0.02)


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.n1 = nn.LayerNorm(d)
        self.at = nn.MultiheadAttention(d, 4, batch_first=True)
        self.n2 = nn.LayerNorm(d)
        self.m = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

    def forward(self, x):
        y = self.n1(x)
        x = x + self.at(y, y, y, need_weights=False)[0]
        return x + self.m(self.n2(x))


class ViT(nn.Module):
    def __init__(self, d=64, depth=6):
        super().__init__()
        self.patch = nn.Conv2d(3, d, 4, 4)
        self.pos = nn.Parameter(torch.zeros(1, 16, d))
        nn.init.trunc_normal_(self.pos, std=0.02)
        self.blocks = nn.Sequential(*[Block(d) for _ in range(depth)])
        self.n = nn.LayerNorm(d)
        self.head = nn.Linear(d, 10)
        self.apply(init)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) + self.pos
        return self.head(self.n(self.blocks(x)).mean(1))
