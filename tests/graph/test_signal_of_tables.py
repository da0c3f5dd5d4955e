"""The gradient of tables that all examples share, and of those that they do not, against runs."""

import pytest
import torch
from torch import nn

import initlint

BATCH, LENGTH, WIDTH, WORDS = 4, 49, 64, 50


class Net(nn.Module):
    """Tokens and something that is added to them."""

    def __init__(self, added):
        super().__init__()
        self.added = added
        self.tokens, self.table = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.body, self.last = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WORDS)
        self.register_buffer("places", torch.arange(LENGTH)[None])

    def forward(self, ids):
        x = self.tokens(ids) + self.added(self, ids)
        return self.last(torch.relu(self.body(x)))


def _range(ids):
    return torch.arange(ids.shape[1])


# Examples share a row of the first ones: its gradient is the sum of so many.
TABLES = {
    "places": (lambda net, ids: net.table(_range(ids)), BATCH),
    "places of one example": (lambda net, ids: net.table(_range(ids))[None], BATCH),
    "places in a buffer": (lambda net, ids: net.table(net.places[:, : ids.shape[1]]), BATCH),
    "places behind a layer": (lambda net, ids: net.body(net.table(_range(ids))), BATCH),
    "one row for all": (lambda net, ids: net.table(_range(ids)[:1]), BATCH * LENGTH),
    "places for each": (lambda net, ids: net.table(_range(ids).expand_as(ids)), 1),
    "kinds": (lambda net, ids: net.table(torch.zeros_like(ids)), 1),
    "the word before": (lambda net, ids: net.table(ids.roll(1, 1) % LENGTH), 1),
    "places repeated": (lambda net, ids: net.table(_range(ids)).repeat(len(ids), 1, 1), BATCH),
    "one of each example": (lambda net, ids: net.table(ids[:, :1] % LENGTH), LENGTH),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_gradient_of_a_table(name):
    torch.manual_seed(0)
    added, times = TABLES[name]
    ids = torch.randint(WORDS, (BATCH, LENGTH))
    report = initlint.profile(Net(added), ids)
    rows = {row.parameter: row for row in report.rows}
    table, tokens = rows["table.weight"], rows["tokens.weight"]
    for found in ("predicted_gradient", "measured_gradient"):
        share = getattr(table, found) / getattr(tokens, found)
        if name == "places behind a layer":
            share *= 3**0.5
        assert share == pytest.approx(times**0.5, rel=0.2), found
