from collections import OrderedDict

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(OrderedDict([
            ('conv0', nn.Conv2d(3, 16, 3)),
            ('act0', nn.LeakyReLU(0.2)),
            ('conv1', nn.Conv2d(16, 16, 3)),
            ('act1', nn.LeakyReLU(0.2)),
        ]))
        nn.init.kaiming_normal_(
            self.features.conv1.weight, a=0.2, mode='fan_in', nonlinearity='leaky_relu'
        )

    def forward(self, x):
        return self.features(x)
