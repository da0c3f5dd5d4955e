# expected: nothing | 4,784
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(784, 10)

    def forward(self, x):
        return self.l(x.flatten(1))


def train():
    net = Net()
    opt = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(3):
        F.cross_entropy(net(torch.randn(8, 784)), torch.randint(10, (8,))).backward()
        opt.step()
