# expected: nothing | 2,16,12
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Sequential(
            *[
                m
                for _ in range(6)
                for m in (
                    nn.utils.parametrizations.weight_norm(nn.Conv1d(16, 16, 3, padding=1)),
                    nn.LeakyReLU(0.1),
                )
            ]
        )

    def forward(self, x):
        return self.l(x)
