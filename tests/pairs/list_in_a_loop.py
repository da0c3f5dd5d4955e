from torch import nn


class Net(nn.Module):
    def __init__(self, sizes=(28 * 28, 256, 128, 10)):
        super().__init__()
        layers = [nn.Flatten()]
        for i in range(len(sizes) - 2):
            layers.append(nn.Linear(sizes[i], sizes[i + 1]))
            layers.append(nn.ReLU())
        layers.append(nn.Linear(sizes[-2], sizes[-1]))
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)
