"""Dropout before a layer: half or more of it is no case for larger weights."""

import pytest
import torch

import initlint

NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64)
            self.d, self.out = nn.Linear(64, 64), nn.Linear(64, 4)
            self.drop = {drop}
            {fill}

        def forward(self, x):
            x = {call}(torch.relu(self.a(x)))
            x = {call}(torch.relu(self.b(x)))
            x = {call}(torch.relu(self.c(x)))
            x = {call}(torch.relu(self.d(x)))
            return self.out(x)
"""
DROPS = {
    "nn.Dropout(0.5)": [],
    "nn.Dropout()": [],
    "nn.AlphaDropout(0.7)": ["b", "c", "d"],
    "nn.Dropout(p=0.8)": [],
    "nn.Dropout1d(0.5)": [],
    "nn.Dropout(0.4)": ["b", "c", "d"],
    "nn.Dropout(0.0)": ["b", "c", "d"],
    "nn.Dropout(1)": ["b", "c", "d"],
    "nn.Identity()": ["b", "c", "d"],
}


def net(drop="nn.Dropout(0.5)", fill="pass", call="self.drop"):
    return NET.format(drop=drop, fill=fill, call=call)


def reported(judge, source):
    return [name.removesuffix(".weight") for name in judge(source, torch.zeros(2, 64)).codes]


@pytest.mark.parametrize(("drop", "names"), DROPS.items(), ids=DROPS)
def test_the_default_behind_half_or_more(judge, drop, names):
    assert reported(judge, net(drop)) == names


def test_the_functional_form(judge):
    call = "(lambda x: F.dropout(x, 0.5, self.training))"
    assert reported(judge, net("nn.Identity()", call=call)) == []
    call = "(lambda x: F.dropout(x, 0.5, False))"
    assert reported(judge, net("nn.Identity()", call=call)) == ["b", "c", "d"]


def test_a_dropout_further_back_does_not_count(judge):
    source = net().replace("x = self.drop(torch.relu(self.c(x)))", "x = torch.relu(self.c(x))")
    assert reported(judge, source) == ["d"]


ALL = "[nn.init.{}(m.weight) for m in (self.a, self.b, self.c, self.d)]"


def test_the_gain_that_keeps_the_signal_is_accepted_and_so_is_that_of_the_activation(judge):
    # With 0.5, Xavier is He's gain times √(1 - p); with 0.3 it is 0.85 of that.
    for drop in ("nn.Dropout(0.5)", "nn.Dropout(0.3)"):
        assert reported(judge, net(drop, ALL.format("xavier_normal_"))) == []
        assert reported(judge, net(drop, ALL.format("kaiming_normal_"))) == []
    assert reported(judge, net("nn.Dropout(0.0)", ALL.format("xavier_normal_")))


def test_weights_that_are_too_large_are_reported_all_the_same(judge):
    assert reported(judge, net(fill=ALL.format("normal_"))) == ["a", "b", "c", "d"]


def test_show_layers_says_why():
    from initlint.output.silence import silence

    source = "import torch\nfrom torch import nn\n" + net().replace("\n    ", "\n")
    layers = initlint.check(source).layers
    assert silence(layers[1], {}) == "dropout leaves out half of its input"
    assert [layer.dropped for layer in layers] == [0, 0.5, 0.5, 0.5, 0.5]
