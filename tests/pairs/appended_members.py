from torch import nn


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.net = nn.Sequential()
        self.net.add_module("fc1", nn.Linear(10, width))
        self.net.add_module("act1", nn.Tanh())
        self.net.append(nn.Linear(width, width))
        self.net.append(nn.Tanh())
        self.net.append(nn.Linear(width, width))
        self.net.append(nn.Tanh())
        self.net.add_module("fc2", nn.Linear(width, 1))

    def forward(self, x):
        return self.net(x)
