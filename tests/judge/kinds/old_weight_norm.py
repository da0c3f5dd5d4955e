# expected: nothing | 2,16,12
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.ModuleList(
            nn.utils.weight_norm(nn.Conv1d(16, 16, 3, padding=1)) for _ in range(6)
        )

    def forward(self, x):
        for l in self.l:
            x = F.leaky_relu(l(x), 0.1)
        return x
