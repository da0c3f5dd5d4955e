# expected: nothing | 2,3,16,16
from torch import nn


class Net(nn.Module):
    """Global and local skips, PixelShuffle tail (EDSR)."""
    def __init__(self, c=32, n=8):
        super().__init__()
        self.head = nn.Conv2d(3, c, 3, padding=1)
        self.body = nn.ModuleList([nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.ReLU(True), nn.Conv2d(c, c, 3, padding=1)) for _ in range(n)])
        self.after = nn.Conv2d(c, c, 3, padding=1)
        self.tail = nn.Sequential(nn.Conv2d(c, 4 * c, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(c, 3, 3, padding=1))

    def forward(self, x):
        h = y = self.head(x)
        for block in self.body:
            y = y + block(y).mul(0.1)
        return self.tail(self.after(y) + h)
