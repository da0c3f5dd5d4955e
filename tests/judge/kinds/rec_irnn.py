# expected: nothing | 2,9,16
from torch import nn


class Net(nn.Module):
    """IRNN: identity."""
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(16, 64, nonlinearity="relu", batch_first=True)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.001)
        self.fc = nn.Linear(64, 1)

    def forward(self, x):
        out, h = self.rnn(x)
        return self.fc(out[:, -1])
