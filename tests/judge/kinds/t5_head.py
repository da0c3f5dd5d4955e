# expected: INIT305 | int64[2,8]
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, vocab=500, d=128):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.f = nn.Linear(d, d)
        self.n = nn.LayerNorm(d)
        self.head = nn.Linear(d, vocab, bias=False)
        nn.init.normal_(self.emb.weight)
        nn.init.normal_(self.head.weight)

    def forward(self, ids):
        return self.head(self.n(F.relu(self.f(self.emb(ids)))))
