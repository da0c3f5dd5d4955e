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
