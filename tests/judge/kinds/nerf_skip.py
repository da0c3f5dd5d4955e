# expected: INIT101 | 5,63
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """NeRF: 8 layers, skip at 4 by concatenation."""
    def __init__(self, d=8, w=64, inp=63, skips=(4,)):
        super().__init__()
        self.skips = skips
        self.pts = nn.ModuleList([nn.Linear(inp, w)] + [nn.Linear(w + inp, w) if i in skips else nn.Linear(w, w) for i in range(d - 1)])
        self.sigma = nn.Linear(w, 1)
        self.rgb = nn.Linear(w, 3)

    def forward(self, x):
        h = x
        for i, layer in enumerate(self.pts):
            h = F.relu(layer(h))
            if i in self.skips:
                h = torch.cat([x, h], -1)
        return torch.cat([torch.sigmoid(self.rgb(h)), F.relu(self.sigma(h))], -1)
