"""Class decorators that only look at a class are gone through once, not followed for each class."""

import textwrap

import pytest

from initlint import api
from initlint.reading import engine, read

NET = """
class Net{number}(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 4)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))
"""
HEAD = "import inspect\nimport torch\nfrom torch import nn\n"

# What is written above the class, by the source of the decorator.
LOOKING = {
    "a docstring": ("@said", "def said(cls):\n    cls.__doc__ = 'a net'\n    return cls\n"),
    "made by a call": (
        "@said('a net')",
        "def said(text):\n    def inner(cls):\n        cls.__doc__ = text\n        return cls\n"
        "    return inner\n",
    ),
    "with and without a call": (
        "@said",
        "def said(cls=None, *, text=''):\n    def inner(cls):\n        return told(cls, text)\n"
        "    if cls:\n        return inner(cls)\n    return inner\n"
        "def told(cls, text):\n    if hasattr(cls, 'forward') and not isinstance(cls, str):\n"
        "        cls.__doc__ = text + cls.__init__.__doc__\n    return cls\n",
    ),
    "a function that looks, by a keyword": (
        "@said",
        "def said(cls):\n    words = told(1, parent=cls)\n    words.append('x')\n    return cls\n"
        "def told(n, parent=None):\n    return [inspect.getsource(parent)[:n]]\n",
    ),
    "a private mark": ("@said", "def said(cls):\n    cls.__backends = ['torch']\n    return cls\n"),
    "one that calls itself": (
        "@said",
        "def said(cls):\n    depth(cls)\n    return cls\n"
        "def depth(kind):\n    return 1 + depth(kind.__base__) if kind.__base__ else 0\n",
    ),
}
DOING = {
    "a table": ("@said", "KNOWN = {}\ndef said(cls):\n    KNOWN['a'] = cls\n    return cls\n"),
    "a list": ("@said", "KNOWN = []\ndef said(cls):\n    KNOWN.append(cls)\n    return cls\n"),
    "a list of names": (
        "@said",
        "KNOWN = []\ndef said(cls):\n    KNOWN.append(cls.__name__)\n    return cls\n",
    ),
    "a list, by a function": (
        "@said",
        "KNOWN = []\ndef keep(word):\n    KNOWN.append(word)\n"
        "def said(cls):\n    keep(cls.__name__)\n    return cls\n",
    ),
    "a table of a function's own": (
        "@said('a')",
        "KNOWN = {}\ndef said(name):\n    def inner(cls):\n        KNOWN[name] = cls\n"
        "        return cls\n    return inner\n",
    ),
    "a name of the file": ("@said", "def said(cls):\n    global K\n    K = cls\n    return cls\n"),
    "another constructor": (
        "@said",
        "def said(cls):\n    cls.__init__ = print\n    return cls\n",
    ),
    "another constructor, by setattr": (
        "@said",
        "def said(cls):\n    setattr(cls, '__init__', print)\n    return cls\n",
    ),
    "another constructor, by the dictionary": (
        "@said",
        "def said(cls):\n    cls.__dict__['__init__'] = print\n    return cls\n",
    ),
    "another forward, in a function": (
        "@said",
        "def said(cls):\n    change(cls)\n    return cls\n"
        "def change(kind):\n    kind.forward = print\n",
    ),
    "an heir": ("@said", "def said(cls):\n    class Heir(cls):\n        pass\n    return Heir\n"),
    "a function": ("@said", "def said(cls):\n    return lambda: cls()\n"),
    "an object that holds it": (
        "@said",
        "class Held:\n    def __init__(self, c):\n        self.c = c\ndef said(cls):\n"
        "    Held(cls)\n    return cls\n",
    ),
    "a method of the class": ("@said", "def said(cls):\n    cls.register()\n    return cls\n"),
    "another name": ("@said", "def said(cls):\n    kept = cls\n    kept.x = 1\n    return cls\n"),
    "nothing is given back": ("@said", "def said(cls):\n    cls.__doc__ = ''\n"),
    "an unknown function": ("@said", "def said(cls):\n    unknown(cls)\n    return cls\n"),
    "a method of an object": (
        "@zoo.said",
        "class Zoo:\n    def __init__(self):\n        self.all = []\n    def said(self, cls):\n"
        "        self.all.append(cls)\n        return cls\nzoo = Zoo()\n",
    ),
    "stars": (
        "@said",
        "KNOWN = []\ndef keep(*all):\n    KNOWN.extend(all)\n"
        "def said(cls):\n    keep(cls)\n    return cls\n",
    ),
    "a default": (
        "@said",
        "def said(cls):\n    def later(kept=cls):\n        return kept\n    return cls\n",
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def readers(monkeypatch):
    made = []
    interpreter = engine.interpreter

    def noted(program):
        made.append(interpreter(program))
        return made[-1]

    monkeypatch.setattr(engine, "interpreter", noted)
    return made


def written(folder, line, code, number=1):
    nets = "".join(f"\n\n{line}{NET.format(number=n)}" for n in range(number))
    (folder / "net.py").write_text(HEAD + textwrap.dedent(code) + nets)
    return ["net.py"]


@pytest.mark.parametrize(("line", "code"), LOOKING.values(), ids=LOOKING)
def test_a_decorator_that_looks_is_known_as_one(folder, readers, line, code):
    read(written(folder, line, code))
    assert set(readers[0].looking.values()) == {True}
    report = api.check_all(["net.py"], api.Options())
    assert [finding.code for finding in report.findings] == ["INIT101"]


@pytest.mark.parametrize(("line", "code"), DOING.values(), ids=DOING)
def test_one_that_does_more_is_followed(folder, readers, line, code):
    read(written(folder, line, code))
    assert not any(readers[0].looking.values())


def test_it_costs_nothing_for_each_class(folder):
    line, code = LOOKING["with and without a call"]
    steps = [read(written(folder, said, code, 40)).spent for said in ("", line)]
    assert steps[1] - steps[0] < 200


def test_what_a_table_of_classes_makes_and_fills_counts(folder):
    line, code = DOING["a table of a function's own"]
    fill = "\nnet = KNOWN['a']()\nfor m in net.modules():\n    if isinstance(m, nn.Linear):\n"
    written(folder, line, code)
    with (folder / "net.py").open("a") as file:
        file.write(fill + "        nn.init.kaiming_normal_(m.weight)\n")
    assert api.check_all(["net.py"], api.Options()).findings == ()
