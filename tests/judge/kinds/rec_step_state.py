# expected: nothing | 2,16 2,32
import torch
import torch.nn.functional as F
from torch import nn


class Cell(nn.Module):
    def __init__(self, n=16, h=32):
        super().__init__()
        self.i2h = nn.Linear(n + h, h)
        self.i2o = nn.Linear(n + h, 4)

    def forward(self, x, hidden):
        both = torch.cat((x, hidden), 1)
        return F.log_softmax(self.i2o(both), 1), torch.tanh(self.i2h(both))
