# expected: INIT305 | 4,64
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 256)
        self.o = nn.Linear(256, 10)
        nn.init.normal_(self.o.weight)

    def forward(self, x):
        return self.o(F.relu(self.a(x)))


def main():
    net = Net()
    loss = nn.CrossEntropyLoss()
    x, y = torch.randn(8, 64), torch.randint(10, (8,))
    loss(net(x), y).backward()


if __name__ == "__main__":
    main()
