from torch import nn


class Net(nn.Module):
    def __init__(self, width=32, use_bias=True, extra=True, down=True):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, bias=use_bias)
        self.conv2 = nn.Conv2d(width, width, 3, bias=use_bias) if extra else nn.Identity()
        if down:
            self.down = nn.Conv2d(width, width, 3, stride=2)
        else:
            self.down = None
        self.act = nn.ReLU()

    def forward(self, x):
        x = self.act(self.conv2(self.act(self.conv(x))))
        if self.down is not None:
            x = self.act(self.down(x))
        return x
