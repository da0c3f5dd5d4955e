"""Parts of a module under names that code gives: setattr, __setattr__, add_module, _modules."""

import pytest

from initlint.reading import read

SOURCE = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        for i in range(2):
            {put}
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        for i in range(2):
            x = {got}(x).relu()
        return self.head(x)
"""
PUT = {
    "setattr": 'setattr(self, f"part{i}", nn.Linear(8, 8))',
    "its method": 'self.__setattr__(f"part{i}", nn.Linear(8, 8))',
    "the base's method": 'super().__setattr__("part%d" % i, nn.Linear(8, 8))',
    "add_module": 'self.add_module("part{}".format(i), nn.Linear(8, 8))',
    "_modules": 'self._modules[f"part{i}"] = nn.Linear(8, 8)',
}
GOT = {
    "getattr": 'getattr(self, f"part{i}")',
    "its method": 'self.__getattr__(f"part{i}")',
    "get_submodule": 'self.get_submodule(f"part{i}")',
    "_modules": 'self._modules[f"part{i}"]',
}


@pytest.mark.parametrize("got", GOT.values(), ids=GOT)
@pytest.mark.parametrize("put", PUT.values(), ids=PUT)
def test_parts_are_found_under_names_that_code_makes(put, got, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(SOURCE.format(put=put, got=got))
    found = {layer.layer: layer.following.activation for layer in read([str(path)]).layers}
    assert found == {"part0": "relu", "part1": "relu", "head": "output"}


@pytest.mark.parametrize("put", PUT.values(), ids=PUT)
def test_a_part_under_a_name_that_is_not_known_is_a_part(put, tmp_path):
    path = tmp_path / "net.py"
    source = SOURCE.format(put=put, got="self.head").replace("in range(2)", "in sizes")
    path.write_text(source.replace("(self):", "(self, sizes):"))
    # How the name begins, and a number of its own.
    assert {layer.layer for layer in read([str(path)]).layers} == {"part{0}", "head"}


TEXTS = {
    '"part{}".format(1)': "part1",
    '"{name}{0}".format(1, name="part")': "part1",
    '"part{:02d}".format(1)': "part01",
    '"{}{{}}".format("a")': "a{}",
    '"{0.real}".format(1)': None,
    '"{0[0]}".format("ab")': None,
    '"{!r}".format("a")': None,
    '"{:9999999999}".format(1)': None,
    '"{}".format(self.unknown)': None,
    '"{1}".format(1)': None,
    '"{".format(1)': None,
}


@pytest.mark.parametrize(("text", "name"), TEXTS.items(), ids=[str(n) for n in range(len(TEXTS))])
def test_texts_that_are_filled_in(text, name, tmp_path):
    path = tmp_path / "net.py"
    put = f"setattr(self, {text}, nn.Linear(8, 8))"
    path.write_text(SOURCE.format(put=put, got="self.head"))
    names = {layer.layer for layer in read([str(path)]).layers} - {"head"}
    assert names == {name} if name else not any("part" in found for found in names)


CONTAINERS = {
    'nn.ModuleDict([["a", nn.Linear(8, 8)], ("b", nn.Linear(8, 8))])': ["a", "b"],
    'nn.ModuleDict({"a": nn.Linear(8, 8)})\n        self.body.update([("b", nn.Linear(8, 8))])': [
        "a",
        "b",
    ],
    'nn.Sequential()\n        self.body.add_module("a", nn.Linear(8, 8))\n'
    "        self.body.append(nn.Linear(8, 8))": ["a", "1"],
    "nn.ModuleList([nn.Linear(8, 8)])\n        self.body.extend([nn.Linear(8, 8)])": ["0", "1"],
    "nn.ModuleList([nn.Linear(8, 8)])\n        self.body.insert(0, nn.Linear(8, 8))": ["0", "1"],
}
CONTAINED = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = {}

    def forward(self, x):
        for layer in self.body.children():
            x = layer(x).relu()
        return x
"""


@pytest.mark.parametrize(("made", "names"), CONTAINERS.items())
def test_members_of_containers_have_torchs_names(made, names, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(CONTAINED.format(made))
    assert [layer.layer for layer in read([str(path)]).layers] == [f"body.{n}" for n in names]
