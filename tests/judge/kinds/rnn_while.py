# expected: nothing | 2,5,8
from torch import nn


class Net(nn.Module):
    def __init__(self, n=8, h=32):
        super().__init__()
        self.a = nn.Linear(n, h)
        self.b = nn.Linear(h, h)
        self.out = nn.Linear(h, 4)
        self.h = h

    def forward(self, x):
        state, t = None, 0
        while t < x.shape[1]:
            z = self.a(x[:, t])
            if state is not None:
                z = z + self.b(state)
            state = z.tanh()
            t += 1
        return self.out(state)
