# expected: INIT201 | 2,64,4
import torch
import torch.nn.functional as F
from torch import nn


class Voc(nn.Module):
    def __init__(self):
        super().__init__()
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(64 // 2**i, 64 // 2 ** (i + 1), 16, 8, 4) for i in range(4)
        )
        self.out = nn.Conv1d(4, 1, 7, padding=3)
        for m in self.ups:
            nn.init.kaiming_normal_(m.weight, a=0.1)

    def forward(self, x):
        for m in self.ups:
            x = F.leaky_relu(m(x), 0.1)
        return torch.tanh(self.out(x))
