# expected: INIT305 | int64
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """Tied by functional call."""
    def __init__(self, v=500, d=128):
        super().__init__()
        self.tok = nn.Embedding(v, d)
        self.rnn = nn.LSTM(d, d, batch_first=True)
        self.ln = nn.LayerNorm(d)

    def forward(self, ids):
        h, _ = self.rnn(self.tok(ids))
        return F.linear(self.ln(h), self.tok.weight)
