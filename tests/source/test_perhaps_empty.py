"""A list or dict that an undecided condition fills may be empty: both ways are followed."""

import textwrap

import pytest

from initlint import api

HEAD = """\
from torch import nn
from somewhere import available, missing

"""
NET = """

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        demand(["scipy", "vision"])
        self.a = nn.Linear(3, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 2)

    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu())
"""
FAILED = {
    "a loop that appends": """\
        failed = []
        for name in names:
            if not available(name):
                failed.append(name)
        if failed:
            raise ImportError(", ".join(failed))
        """,
    "a loop that adds": """\
        failed = []
        for name in names:
            if not available(name):
                failed += [name]
        if failed:
            raise ImportError
        """,
    "a dict": """\
        failed = {}
        for name in names:
            if not available(name):
                failed[name] = 1
        if failed:
            raise ImportError
        """,
    "a comprehension": """\
        failed = [name for name in names if not available(name)]
        if failed:
            raise ImportError(failed)
        """,
    "a generator that a list takes": """\
        failed = list(name for name in names if not available(name))
        if failed:
            raise ImportError(failed)
        """,
    "a dict comprehension": """\
        if {name: 1 for name in names if not available(name)}:
            raise ImportError
        """,
    "its length": """\
        failed = [name for name in names if not available(name)]
        if len(failed) > 0:
            raise ImportError
        """,
    "two ways out of a function": """\
        if failures(names):
            raise ImportError

    def failures(names):
        if missing:
            return []
        return names
        """,
    "a copy": """\
        failed = [name for name in names if not available(name)]
        again = failed[:]
        if again:
            raise ImportError
        """,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(folder, code):
    text = "def demand(names):\n" + textwrap.indent(textwrap.dedent(code), "    ")
    text = text.replace("    def failures", "def failures")
    (folder / "net.py").write_text(HEAD + text + NET)
    return api.check_all(["net.py"], api.Options())


@pytest.mark.parametrize("code", FAILED.values(), ids=FAILED)
def test_a_constructor_that_may_raise_is_followed(folder, code):
    found = report(folder, code)
    assert found.unanalysed == ()
    assert [finding.code for finding in found.findings] == ["INIT101"]


RAISES = {
    "what is appended for certain": "failed = []\nfor n in names:\n    failed.append(n)\n"
    "if failed:\n    raise ImportError\n",
    "a comprehension without a condition": "if [n for n in names]:\n    raise ImportError\n",
    "a condition that holds": "if [n for n in names if n != 'x']:\n    raise ImportError\n",
    "a dict": "if {n: 1 for n in names}:\n    raise ImportError\n",
}


@pytest.mark.parametrize("code", RAISES.values(), ids=RAISES)
def test_one_that_raises_for_certain_is_not_analysed(folder, code):
    (gap,) = report(folder, code).unanalysed
    assert "raises an error" in gap.reason
