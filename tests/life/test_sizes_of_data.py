"""Layers whose width the constructor computes from data: they are judged, and named in fixes."""

import pytest

from initlint import api

SIZES = {
    "view": "self.features(torch.zeros(1, *shape)).view(1, -1).size(1)",
    "flatten": "self.features(torch.zeros(1, *shape)).flatten(1).size(-1)",
    "a method": "self.width(shape)",
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_layer_of_computed_width_is_judged(tmp_path, monkeypatch, size):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n\nclass Net(nn.Module):\n"
        "    def __init__(self, shape):\n        super().__init__()\n"
        "        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())\n"
        f"        self.fc = nn.Linear({size}, 512)\n"
        "        self.head = nn.Linear(512, 4)\n"
        "    def width(self, shape):\n"
        "        return self.features(torch.zeros(1, *shape)).view(1, -1).size(1)\n"
        "    def forward(self, x):\n"
        "        return self.head(torch.relu(self.fc(self.features(x).flatten(1))))\n"
    )
    found = {f.layer: f for f in api.check_all(["net.py"], api.Options()).findings}
    assert found["fc"].code == "INIT101"
    assert found["fc"].recommended.name == "kaiming_normal_"


def test_a_width_from_the_command_line_is_no_reason_for_silence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import argparse\nimport torch\nfrom torch import nn\n\nclass Net(nn.Module):\n"
        "    def __init__(self, width=64):\n        super().__init__()\n"
        "        self.a = nn.Linear(8, width)\n        self.b = nn.Linear(width, width)\n"
        "        self.c = nn.Linear(width, 4)\n"
        "    def forward(self, x):\n"
        "        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))\n\n"
        "net = Net(width=argparse.ArgumentParser().parse_args().width)\n"
    )
    found = {f.layer: f for f in api.check_all(["net.py"], api.Options()).findings}
    assert found["b"].code == "INIT101"
