from torch import nn


class VGG(nn.Module):
    cfg = [16, 16, "M", 32, 32, "M"]

    def __init__(self, num_classes=10):
        super().__init__()
        self.features = self._make_layers(self.cfg)
        self.classifier = nn.Linear(32, num_classes)

    def forward(self, x):
        out = self.features(x)
        out = out.mean((2, 3))
        return self.classifier(out)

    def _make_layers(self, cfg):
        layers = []
        in_channels = 3
        for x in cfg:
            if x == "M":
                layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
            else:
                layers += [nn.Conv2d(in_channels, x, kernel_size=3, padding=1),
                           nn.ReLU(inplace=True)]
                in_channels = x
        return nn.Sequential(*layers)
