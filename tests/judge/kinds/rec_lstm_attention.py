# expected: nothing | 2,7,20
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(20, 32, num_layers=3, bidirectional=True, batch_first=True, dropout=0.2)
        self.attn = nn.Linear(64, 1)
        self.fc = nn.Linear(64, 4)

    def forward(self, x):
        states, (h, c) = self.lstm(x)
        weights = F.softmax(self.attn(states), dim=1)
        return self.fc((weights * states).sum(dim=1))
