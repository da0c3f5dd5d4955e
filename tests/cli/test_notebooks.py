"""Notebooks as Python: magics, cells that are none, and the way back to cell and line."""

import ast
import json

import pytest

from initlint import api
from initlint.project.notebooks import Broken, parsed
from initlint.project.sourcefiles import Texts
from initlint.records import InitlintError, Site


def source(*cells, **metadata):
    made = [
        {"cell_type": kind, "metadata": {}, "source": text}
        for kind, text in (cell if isinstance(cell, tuple) else ("code", cell) for cell in cells)
    ]
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4}).encode()


def python(cell):
    """What a single cell becomes, line by line, with the proof that it is Python."""
    notebook = parsed(source(cell))
    assert notebook.broken == ()
    ast.parse(notebook.text)
    return notebook.text


MAGICS = [
    ("%matplotlib inline\nx = 1", "pass\nx = 1\n"),
    ("!pip install torch", "pass\n"),
    ("!pip install \\\n  torch \\\n  timm\nx = 1", "pass\n\n\nx = 1\n"),
    ("if a:\n    !ls\n", "if a:\n    pass\n\n"),
    ("files = !ls\nfiles", "pass\nfiles\n"),
    ("a, b = %timeit -o f()", "pass\n"),
    ("nn.Linear?", "pass\n"),
    ("nn.Linear??\nx = 1", "pass\nx = 1\n"),
    ("?nn.Linear", "pass\n"),
    ("%time x = f(')", "pass\n"),
    ("!echo 'it", "pass\n"),
    ("%%time\nx = 1", "\nx = 1\n"),
    ("\n%%capture out\nx = 1", "\n\nx = 1\n"),
    ("%%bash\nls | grep 'a", "\n\n"),
    ("%%writefile net.py\nimport torch", "\n\n"),
    ("%autoreload 2\n!ls\n%cd ..\nx = 1", "pass\npass\npass\nx = 1\n"),
]
KEPT = [
    "x = (7\n     % 3)",
    "text = '''\n%matplotlib inline\n!ls\n'''",
    "x = a != b",
    "# why?",
    "await f()",
    "x = 1;",
    "",
]


@pytest.mark.parametrize(("cell", "expected"), MAGICS)
def test_magics(cell, expected):
    assert python(cell) == expected


@pytest.mark.parametrize("cell", KEPT)
def test_python_is_kept(cell):
    assert python(cell) == f"{cell}\n"


def test_lines_end_as_they_may():
    assert python("a = 1\r\nb = 2\rc = 3") == "a = 1\nb = 2\nc = 3\n"
    assert python(["a = 1\n", "b = 2"]) == "a = 1\nb = 2\n"


def test_way_back():
    notebook = parsed(source(("markdown", "# Nets"), "a = 1\nb = 2", ("raw", "x"), "c = 3\n", "d"))
    assert notebook.text == "a = 1\nb = 2\nc = 3\n\nd\n"
    assert [notebook.locate(line) for line in range(1, 6)] == [(2, 1), (2, 2), (4, 1), (4, 2),
                                                              (5, 1)]  # fmt: skip
    assert notebook.lines(4) == ["c = 3", ""]
    assert notebook.lines(5) == ["d"]


def test_cell_that_is_no_python_is_left_out_alone():
    notebook = parsed(source("import torch", "x = 1\ny = (", "z = 3"))
    assert notebook.text == "import torch\n\n\nz = 3\n"
    assert notebook.broken == (Broken(2, 2, "'(' was never closed"),)
    assert notebook.locate(4) == (3, 1)


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"language": "julia"}},
        {"language_info": {"name": "R"}, "kernelspec": {"language": "python"}},
    ],
)
def test_other_languages(metadata):
    assert parsed(source("x <- 1", **metadata)).text == ""


@pytest.mark.parametrize(
    "metadata",
    [{}, {"kernelspec": {"language": "Python"}}, {"language_info": {"name": "python"}},
     {"kernelspec": None}, {"language_info": {"version": 3}}],
)  # fmt: skip
def test_python_by_any_sign(metadata):
    assert parsed(source("x = 1", **metadata)).text == "x = 1\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a notebook"),
        (b"{", "is not a notebook"),
        (b"\xff\xfe\x00", "is not a notebook"),
        (b"[" * 100_000, "is not a notebook"),
        (b"[]", "is not a notebook of format 4"),
        (b'{"worksheets": []}', "is not a notebook of format 4; convert it by jupyter nbconvert"),
        (b'{"cells": {}}', "is not a notebook of format 4"),
    ],
)
def test_what_is_no_notebook(tmp_path, content, reason):
    path = tmp_path / "n.ipynb"
    path.write_bytes(content)
    with pytest.raises(InitlintError) as error:
        Texts().notebook(str(path))
    assert str(error.value).startswith(f"{path}: {reason}")
    assert Texts().lines(str(path)) == []


@pytest.mark.parametrize("cell", [None, 3, "x", {}, {"cell_type": "code", "source": 3},
                                  {"cell_type": "code", "source": [1, "x = 1"]}])  # fmt: skip
def test_odd_cells_do_no_harm(cell):
    parsed(json.dumps({"cells": [cell, {"cell_type": "code", "source": "y = 2"}]}).encode())


def test_missing_notebook():
    with pytest.raises(InitlintError, match=r"gone.ipynb: cannot be read: No such file"):
        Texts().notebook("gone.ipynb")


def test_cells_bigger_than_a_screen_take_no_time():
    many = parsed(source("\n".join(f"!echo {n}" for n in range(200))))
    assert many.text == "pass\n" * 200


def test_site_in_its_cell(tmp_path):
    path = str(tmp_path / "n.ipynb")
    (tmp_path / "n.ipynb").write_bytes(source("a = 1\nb = 2", "c = 3\nd = (\n 4)"))
    texts = Texts()
    assert texts.lines(path) == ["a = 1", "b = 2", "c = 3", "d = (", " 4)"]
    assert texts.in_cell(Site(path, 4, 5, 5, 4)) == (2, Site(path, 2, 5, 3, 4))
    assert texts.in_cell(Site("net.py", 4, 5, 5, 4)) == (0, Site("net.py", 4, 5, 5, 4))


NETWORK = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(256, 256)
        self.b = nn.Linear(256, 256)
        self.c = nn.Linear(256, 10)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))
"""


def test_messages_name_the_cell_of_another_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fills = "net = Net()\nfor p in net.parameters():\n    nn.init.normal_(p, std=1e-3)"
    cells = source("import torch\nfrom torch import nn", NETWORK, fills)
    (tmp_path / "n.ipynb").write_bytes(cells)
    messages = [finding.message for finding in api.check("n.ipynb").findings]
    assert messages and all("at n.ipynb:cell 3:3 " in message for message in messages)


def test_what_was_not_analysed_names_the_cell_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = "from torch import nn\nnet = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))"
    cells = source(made, "from lib import start", "x = 1\nstart(net)")
    (tmp_path / "my net.ipynb").write_bytes(cells)
    (gap,) = api.check("my net.ipynb").unanalysed
    assert "start gets it at my net.ipynb:cell 3:2, is not read" in gap.reason
