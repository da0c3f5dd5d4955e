from torch import nn


class Base(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.stem = nn.Linear(16, width)
        self.act = nn.ReLU()

    def features(self, x):
        return self.act(self.stem(x))

    def forward(self, x):
        return self.features(x)


class WithHead(Base):
    def __init__(self, width=64, classes=10):
        super().__init__(width)
        self.hidden = nn.Linear(width, width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.act(self.hidden(self.features(x))))
