from torch import nn


class Net(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 64),
            nn.ReLU(),
            *[nn.Sequential(nn.Linear(64, 64), nn.ReLU()) for _ in range(depth)],
            nn.Linear(64, 1),
        )
        for block in self.net[2:-1]:
            nn.init.kaiming_normal_(block[0].weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x):
        return self.net(x)
