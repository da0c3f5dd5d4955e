"""Arguments without an effect are an error, as on the command line; documented names exist."""

import re
from pathlib import Path

import pytest

import initlint

NET = "from torch import nn\n\nnet = nn.Sequential(nn.Linear(3, 3))\n"


@pytest.mark.parametrize("target", ["net.py", ".", NET], ids=["file", "folder", "text"])
@pytest.mark.parametrize(
    ("inputs", "args", "said"),
    [
        ((), {"width": 3}, "args has no effect here: no model is built"),
        (([1, 2],), {}, "inputs have no effect here: no model is built"),
    ],
    ids=["args", "inputs"],
)
def test_check_of_what_is_read(tmp_path, monkeypatch, target, inputs, args, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    with pytest.raises(initlint.InitlintError, match=said):
        initlint.check(target, *inputs, args=args)
    assert not initlint.check(target).findings


def test_every_documented_name_can_be_imported():
    page = Path(__file__).parents[2] / "docs" / "api.md"
    names = re.findall(r"^::: initlint\.[\w.]*\.(\w+)$", page.read_text(encoding="utf-8"), re.M)
    assert len(names) > 10 and set(names) <= set(initlint.__all__)
    for name in names:
        assert hasattr(initlint, name)
