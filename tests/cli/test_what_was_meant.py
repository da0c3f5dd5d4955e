"""An ill-formed target, an unknown rule or a broken file is told in one line what to write."""

from pathlib import Path

import pytest

import initlint
from initlint.cli import main as cli

NET = """from torch import nn

class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return self.fc(x)

class Head(LeNet):
    def forward(self, x):
        return x
"""


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Runs a command line that fails; gives its one line on stderr."""
    monkeypatch.chdir(tmp_path)
    Path("lenet.py").write_text(NET)

    def run(*words):
        assert cli.main(list(words)) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and "internal error" not in err
        return err.removeprefix("initlint: error: ").removesuffix("\n")

    return run


TARGETS = {
    "apply lenet.py": "lenet.py: name a model in it, as lenet.py:LeNet; it also has Head",
    "apply gone.py": "gone.py: name a model in it, as gone.py:Net",
    "apply lenet": "lenet: name a model, as path/net.py:Net or package.module:Net",
    "apply .": ".: name a model, as path/net.py:Net or package.module:Net",
    "check lenet.py::LeNet": "lenet.py::LeNet: it has more than one colon; write lenet.py:LeNet",
    "check lenet.py:LeNet:x": "lenet.py:LeNet:x: it has more than one colon; write lenet.py:LeNet",
    "check lenet.py:": "lenet.py:: no name after the colon; name a model in it, as lenet.py:LeNet",
    "check :Net": ":Net: no file or module before the colon; name a model, as path/net.py:Net",
    "check lenet.py:2x": "lenet.py:2x: 2x is not a name; name a model, as path/net.py:Net",
    "check foo.bar:Net": "foo.bar:Net: there is no module foo here; for a file write its path",
    "check lenet.py:Nope": "lenet.py:Nope: there is no Nope in lenet; it has LeNet, Head",
    "check lenet.py:Lenet": "lenet.py:Lenet: there is no Lenet in lenet; did you mean LeNet?",
    "check lenet.py:LeNet.forward": "is a method; name the class, as lenet.py:LeNet",
}


@pytest.mark.torch
@pytest.mark.parametrize("line,expected", TARGETS.items(), ids=TARGETS)
def test_an_ill_formed_target_is_told_what_to_write(said, line, expected):
    assert expected in said(*line.split())


RULES = {
    "check lenet.py --select TEAM101": "rules of your own need --rules FOLDER",
    "check lenet.py --ignore F": "F is another linter's; initlint's begin with INIT",
    "check lenet.py --select F401": "F401 is a rule of another linter; initlint's begin with INIT",
    "check lenet.py --select TOR101": "TOR101 is a rule of another linter",
    "check lenet.py --select defalt-before-rectifier": "did you mean default-before-rectifier?",
    "check lenet.py --select 7": "`initlint rule --list` lists all rules",
    "rule INIT1": "INIT1 is a group of rules: name one of them, INIT101 or INIT102",
    "rule init": "init is a group of rules",
    "rule lenet.py": "there is no rule 'lenet.py'; `initlint rule --list` lists all rules",
    "rule F401": "F401 is a rule of another linter",
    "rule INIT199": "did you mean INIT",
    "check lenet.py --select xavier": "`initlint rule --list` lists all rules",
}


@pytest.mark.parametrize("line,expected", RULES.items(), ids=RULES)
def test_a_rule_that_is_not_there_is_told_what_may_be_meant(said, line, expected):
    assert expected in said(*line.split())


def test_fix_is_an_option_of_check(said):
    assert "did you mean `initlint check --fix lenet.py`?" in said("fix", "lenet.py")


BROKEN = {
    "null byte": (b"from torch import nn\nx = 1\0\n", ":2:6: a null byte: it is no Python"),
    "syntax": (b"import torch\nx = = 1\n", ":2:5: SyntaxError: invalid syntax (correct it, or"),
    "latin": (b"import torch\nx = '\xe9'\n", ":2:6: byte 0xe9 is not UTF-8: save the file as"),
    "after é": ("import torch\nx = 'é".encode() + b"\xff'\n", ":2:7: byte 0xff is not UTF-8"),
    "mark": (b"\xef\xbb\xbfimport torch \0", ":1:14: a null byte"),
}


@pytest.mark.parametrize("data,expected", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_with_line_column_and_remedy(said, data, expected):
    Path("net.py").write_bytes(data)
    line = said("check", "net.py")
    assert f"net.py{expected}" in line
    assert "leave it out with exclude" in line or "declare its encoding" in line


def test_a_declared_encoding_is_no_fault(tmp_path):
    path = tmp_path / "net.py"
    path.write_bytes(b"# coding: latin-1\nimport torch\nx = '\xe9'\n")
    assert initlint.check(path).unanalysed == ()


@pytest.mark.torch
def test_errors_of_python_speak_python():
    from torch import nn

    with pytest.raises(initlint.InitlintError) as error:
        initlint.check(nn.Bilinear)
    assert "give args={'in1_features': ..., 'in2_features': ...," in str(error.value)
    assert "--arg" not in str(error.value)
    with pytest.raises(initlint.InitlintError, match="nothing to fill: use apply_"):
        initlint.materialize(nn.Linear(2, 3))


@pytest.mark.torch
def test_errors_of_the_command_line_name_its_options(said):
    line = said("check", "torch.nn:Bilinear")
    assert "give --arg in1_features=VALUE --arg in2_features=VALUE" in line


def test_only_public_names_are_listed():
    listed = dir(initlint)
    assert set(listed) == {*initlint.__all__, "__version__"}
    assert all(hasattr(initlint, name) for name in listed)


@pytest.mark.torch
def test_a_filled_model_is_told_by_what_was_filled():
    from torch import nn

    model = nn.Sequential(*[m for _ in range(5) for m in (nn.Linear(64, 64), nn.ReLU())])
    report = initlint.apply_(model, seed=0)
    count = sum(one.status == "filled" for one in report.outcomes)
    assert count > 0
    assert repr(report).startswith(f"<Report: Filled {count} parameters; ")
    assert "kept" in repr(report)
    page = report._repr_html_()
    assert f"Filled {count} parameters" in page and page.count("<tr>") == count + 1
