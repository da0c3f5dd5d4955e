# expected: INIT106 | 2,6,16
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(16, 64, batch_first=True)
        self.o = nn.Linear(64, 4)
        nn.init.normal_(self.rnn.weight_hh_l0)

    def forward(self, x):
        return self.o(self.rnn(x)[0][:, -1])
