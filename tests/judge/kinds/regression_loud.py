# expected: nothing | 4,64
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.o = nn.Linear(64, 1)
        nn.init.normal_(self.o.weight, std=0.2)

    def forward(self, x):
        return self.o(F.relu(self.a(x)))


def main():
    net = Net()
    x, y = torch.randn(8, 64), torch.rand(8, 1)
    F.mse_loss(net(x), y).backward()


if __name__ == "__main__":
    main()
