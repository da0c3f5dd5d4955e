"""Hostile input of later finds: deep holders, long lines, long lists of suppressions, odd names."""

import io
import sys
from pathlib import Path

import pytest

from initlint.cli import main as cli
from initlint.reading import read
from initlint.reading.budget import STEP

HEAD = "import torch\nfrom torch import nn\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def checked(capsys, *options):
    """The exit code, the standard output and the standard error of a check."""
    code = cli.main(["check", "--isolated", "--no-cache", *options])
    return code, *capsys.readouterr()


def holders(count):
    """Classes of which each has a layer and holds the next one."""
    classes = (
        f"class C{i}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.f = nn.Linear(8, 8)\n        self.n = C{i + 1}()\n"
        "    def forward(self, x):\n        return self.n(torch.relu(self.f(x)))\n"
        for i in range(count)
    )
    last = f"class C{count}(nn.Module):\n    def forward(self, x):\n        return x\n"
    return HEAD + "".join(classes) + last


def heirs(count):
    """Classes of which each adds a layer to the constructor and the forward of the one before."""
    first = (
        "class C0(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.f0 = nn.Linear(8, 8)\n"
        "    def forward(self, x):\n        return torch.relu(self.f0(x))\n"
    )
    return (
        HEAD
        + first
        + "".join(
            f"class C{i}(C{i - 1}):\n    def __init__(self):\n        super().__init__()\n"
            f"        self.f{i} = nn.Linear(8, 8)\n    def forward(self, x):\n"
            f"        return torch.relu(self.f{i}(super().forward(x)))\n"
            for i in range(1, count)
        )
    )


def reading(source):
    Path("net.py").write_text(source)
    return read(["net.py"])


def test_layers_of_deeply_nested_modules_are_kept_apart():
    layers = reading(holders(45)).layers
    assert sorted({layer.layer.count("n.") for layer in layers}) == list(range(45))
    assert all(layer.model == "C0" and layer.current.std for layer in layers)


@pytest.mark.parametrize("source", [holders(90), heirs(80)], ids=["holders", "heirs"])
def test_calls_that_are_nested_too_deeply_are_a_gap(source):
    gaps = reading(source).unanalysed
    assert gaps
    assert any("nested more than 60 deep" in gap.reason for gap in gaps)


def test_classes_that_all_cost_much_are_bounded_together():
    few, many = reading(heirs(300)), reading(heirs(600))
    # The source of the second is twice as long, and the base of a run is paid once.
    assert many.spent - few.spent <= 1.3 * few.spent
    assert many.spent <= STEP * (150_000 + len(heirs(600)) // 2 + 100_000) * 1.2


def one_line(count):
    layers = "; ".join(f"self.f{i} = nn.Linear(8, 8)" for i in range(count))
    steps = "; ".join(f"x = torch.relu(self.f{i}(x))" for i in range(count))
    return (
        f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        {layers}\n    def forward(self, x):\n        {steps}; return x\n"
    )


def test_findings_on_one_long_line_show_a_part_of_it(capsys):
    Path("net.py").write_text(one_line(200))
    code, out, _ = checked(capsys, "net.py")
    lines = out.splitlines()
    assert code == 1
    assert max(map(len, lines)) < 500
    marked = [
        (lines[n - 1], line)
        for n, line in enumerate(lines)
        if line.strip(" |^") == "" and "^" in line
    ]
    # The first layer sees the data: its scale is no finding.
    assert len(marked) == 199
    for text, mark in marked:
        assert text[mark.index("^") : mark.rindex("^") + 1] == "nn.Linear(8, 8)"


def test_a_long_list_of_suppressions_is_counted(capsys):
    codes = ",".join(f"INIT{i}" for i in range(5000))
    Path("net.py").write_text(
        one_line(1).replace("nn.Linear(8, 8)", f"nn.Linear(8, 8)  # noqa: {codes}")
    )
    _, _, err = checked(capsys, "net.py")
    assert len(err.splitlines()) < 150
    assert "more suppressions do nothing" in err
    assert err.count("did you mean") <= 20


@pytest.mark.parametrize("name", ["", ".", "..", "folder/", "/"])
def test_standard_input_needs_the_name_of_a_file(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(one_line(1).encode())))
    code, out, err = checked(capsys, "--stdin-filename", name, "-")
    assert (code, out) == (2, "")
    assert "--stdin-filename" in err
    assert "internal error" not in err


def test_an_empty_name_of_settings_is_an_error(capsys):
    Path("net.py").write_text(one_line(1))
    code = cli.main(["check", "--config", "", "net.py"])
    assert code == 2
    assert "--config names no file" in capsys.readouterr().err


def test_a_file_name_with_a_line_break_is_named_once(capsys):
    Path("a\n::error::x.py").write_text("class \n")
    code, _, err = checked(capsys, ".")
    assert code == 2
    assert err.startswith("initlint: error: a\\n::error::x.py:1:7: SyntaxError")
    assert err.count("error::x.py") == 1


DOTTED = {
    "a key": 'self.d = nn.ModuleDict({"a.b": nn.Linear(8, 8)})',
    "keys and dots alone": 'self.d = nn.ModuleDict({".": nn.Linear(8, 8), "..": nn.ReLU()})',
    "a key in a key": 'self.d = nn.ModuleDict({"a.b": nn.ModuleDict({"c.d": nn.ReLU()})})',
    "add_module": 'self.add_module("a.b.c", nn.Linear(8, 8))',
    "setattr": 'setattr(self, ".a", nn.Sequential(nn.Linear(8, 8)))',
    "an attribute of the same name": (
        'self.a = nn.Linear(8, 8)\n        self.add_module("a.b", nn.Linear(8, 8))'
    ),
}


@pytest.mark.parametrize("base", ["nn.Module", "PreTrainedModel"])
@pytest.mark.parametrize("statement", DOTTED.values(), ids=DOTTED)
def test_names_of_modules_with_dots_are_no_error(statement, base, capsys):
    """torch refuses such a name; nothing is told of its model that could be wrong."""
    Path("net.py").write_text(
        f"{HEAD}from transformers import PreTrainedModel\n\n"
        f"class Net({base}):\n    def __init__(self, config):\n        super().__init__(config)\n"
        f"        {statement}\n        self.post_init()\n"
        "    def _init_weights(self, module):\n        pass\n"
        "    def forward(self, x):\n        return torch.relu(x)\n"
    )
    code, _, err = checked(capsys, "net.py")
    assert code in (0, 1) and "internal error" not in err and "bug in initlint" not in err


CHAINS = {
    "operands": "x = " + " and ".join(["k"] * 20_000),
    "parts of an import": "import a" + ".b" * 20_000,
    "parts of an import from": "from a" + ".b" * 20_000 + " import c",
    "parts of another name": "import a" + ".b" * 20_000 + " as c",
    "texts": 'x = ("a" ' + '"a" ' * 20_000 + ")",
    "patterns": "match k:\n    case " + " | ".join(map(str, range(20_000))) + ":\n        pass",
}


@pytest.mark.parametrize("option", ["--fix", "--diff", "--output-format=json"])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_a_chain_that_libcst_would_nest_ends_no_process(chain, option, capsys):
    net = (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.f, self.g = nn.Linear(8, 8), nn.Linear(8, 8)\n"
        "    def forward(self, x):\n        return torch.relu(self.g(torch.relu(self.f(x))))\n"
    )
    source = f"{HEAD}{net}\n\n{chain}\n"
    Path("net.py").write_text(source)
    code, out, err = checked(capsys, option, "net.py")
    assert code in (0, 1) and "internal error" not in out + err
    if code == 1 and option == "--fix":
        assert Path("net.py").read_text() == source
