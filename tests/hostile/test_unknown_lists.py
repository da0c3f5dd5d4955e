"""Lists of modules whose elements reading does not know: a gap, never "no weights"."""

import pytest

from initlint.reading import read

FORWARD = """
    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x
"""
GENERATOR = """
    def halves(self, n):
        if n == 0:
            yield nn.Linear(8, 8)
        else:
            yield from self.halves(n - 1)
            yield from self.halves(n - 1)
"""


def model(made, before="", methods=""):
    return (
        f"import torch\nfrom torch import nn\n{before}\n\nclass Net(nn.Module):\n"
        f"    def __init__(self):\n        super().__init__()\n        self.layers = {made}\n"
        f"{methods}{FORWARD}"
    )


UNKNOWN = {
    "a generator that calls itself too often": model(
        "nn.ModuleList(self.halves(12))", methods=GENERATOR
    ),
    "a list that a function of another file fills": model(
        "nn.ModuleList(L)", "from elsewhere import fill\nL = []\nfill(L)\n"
    ),
}


@pytest.mark.parametrize("source", UNKNOWN.values(), ids=UNKNOWN)
def test_modules_that_are_not_known_are_a_gap(source):
    found = read(["net.py"], {"net.py": source})
    assert found.layers == ()
    (gap,) = found.unanalysed
    assert gap.target == "net.py:Net"
    assert "are not known" in gap.reason


FILLED = {
    "a list": model("nn.ModuleList(L)", "L = []\nL.append(nn.Linear(8, 8))\n"),
    "a dict": model("nn.ModuleDict(D).values()", "D = {}\nD['a'] = nn.Linear(8, 8)\n"),
}


@pytest.mark.parametrize("source", FILLED.values(), ids=FILLED)
def test_what_the_top_level_fills_is_followed(source):
    found = read(["net.py"], {"net.py": source})
    assert [layer.following.activation for layer in found.layers] == ["relu"]
    assert found.unanalysed == ()


def test_a_generator_that_ends_is_followed():
    found = read(["net.py"], {"net.py": model("nn.ModuleList(self.halves(3))", methods=GENERATOR)})
    assert (len(found.layers), found.unanalysed) == (8, ())


def test_an_empty_list_beside_a_layer_is_no_gap():
    source = model("nn.ModuleList([])\n        self.fc = nn.Linear(8, 8)")
    assert read(["net.py"], {"net.py": source}).unanalysed == ()


HOLLOW = {
    "an empty list": ("nn.ModuleList([])", "layers"),
    "a list that is filled later": ("nn.ModuleList()", "layers"),
    "parts by a function of another file": ("nn.Sequential(*build())", "layers"),
    "a part by a function of another file": ("[build()]\n        self.body = build()", "body"),
}


@pytest.mark.parametrize(("made", "part"), HOLLOW.values(), ids=HOLLOW)
def test_a_model_without_a_layer_that_is_known_is_a_gap(made, part):
    source = model(made, "from elsewhere import build\n")
    source += "    def encode(self, x):\n        return self.body(x)\n"
    found = read(["net.py"], {"net.py": source})
    assert found.layers == ()
    assert [gap.reason for gap in found.unanalysed] == [
        f"net.py: Net: the modules in {part} are only known when the code runs"
    ]


QUIET = {
    "a loss": "    def forward(self, x, y):\n        return (x - y).pow(2).mean()\n",
    "parts that are given": (
        "    def __init__(self, body):\n        super().__init__()\n        self.body = body\n"
        "    def forward(self, x):\n        return self.body(x)\n"
    ),
    "a number from elsewhere": (
        "    def __init__(self):\n        super().__init__()\n        self.scale = number()\n"
        "    def forward(self, x):\n        return x * self.scale\n"
    ),
}


@pytest.mark.parametrize("body", QUIET.values(), ids=QUIET)
def test_a_module_that_makes_no_layers_is_no_gap(body):
    source = f"from torch import nn\nfrom elsewhere import number\n\nclass Net(nn.Module):\n{body}"
    assert read(["net.py"], {"net.py": source}).unanalysed == ()
