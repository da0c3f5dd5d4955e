from torch import nn


class Block(nn.Module):
    def __init__(self, width, act_layer=nn.ReLU):
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.act = act_layer()
        if isinstance(self.act, nn.Tanh):
            nn.init.xavier_normal_(self.fc.weight, gain=nn.init.calculate_gain("tanh"))
        elif isinstance(self.act, nn.GELU):
            nn.init.normal_(self.fc.weight, std=1.534 / self.fc.in_features**0.5)

    def forward(self, x):
        return self.act(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = Block(64)
        self.b = Block(64, nn.Tanh)
        self.c = Block(64, act_layer=nn.GELU)

    def forward(self, x):
        return self.c(self.b(self.a(x)))
