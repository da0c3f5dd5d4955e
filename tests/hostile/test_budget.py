"""Source that asks for more work than it is long: reading ends within its budget, and says so."""

import textwrap
import tracemalloc
from pathlib import Path

import pytest

from initlint.reading import read
from initlint.reading.abstract import submodules
from initlint.reading.budget import SHARE, STEP, Budget
from initlint.reading.models import places
from initlint.reading.objects import classes as classes_of_files

# The units of 30,000 steps, a fifth of what a run over one file may take.
FEW = 30_000 * STEP
HEAD = "import copy, itertools, math, re\nimport torch\nfrom torch import nn\n\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def model(init="", forward="return torch.relu(self.f(x))", before=""):
    """A file with a class that has one layer, and these lines in its constructor."""
    return (
        f"{HEAD}{before}\nclass Net(nn.Module):\n    def __init__(self, n=3, m=None):\n"
        "        super().__init__()\n        self.f = nn.Linear(8, 8)\n"
        + textwrap.indent(init, " " * 8)
        + "\n    def forward(self, x):\n"
        + textwrap.indent(forward, " " * 8)
        + "\n"
    )


def reading(source):
    Path("net.py").write_text(source)
    return read(["net.py"])


def doubled(first, line, times=40):
    return first + "\n" + f"{line}\n" * times


def nested(times, call):
    """Classes, and functions, each of which calls the one before twice."""
    first = "class B0(nn.Module):\n    def forward(self, x):\n        return torch.relu(x)\n"
    rest = (
        f"class B{i}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.a = B{i - 1}()\n    def forward(self, x):\n        return {call}\n"
        for i in range(1, times + 1)
    )
    return first + "".join(rest)


# What is read as if the lines were not there.
HARMLESS = {
    "lists added": doubled("s = [1, 2]", "s = s + s"),
    "lists added in place": doubled("s = [1, 2]", "s += s"),
    "lists extended": doubled("s = [1, 2]", "s.extend(s)"),
    "lists repeated": doubled("s = [1, 2]", "s = s * 2"),
    "lists sliced into themselves": doubled("s = [1, 2]", "s[0:0] = s"),
    "lists chained": doubled("s = [1, 2]", "s = list(itertools.chain(s, s))"),
    "lists with stars": doubled("s = [1, 2]", "s = [*s, *s]"),
    "lists sorted": doubled("s = [1, 2]", "s = sorted(s + s)"),
    "lists of pairs": doubled("s = [1, 2]", "s = list(zip(s + s, s + s))", 20),
    "tuples with stars": doubled("s = (1, 2)", "s = (*s, *s)"),
    "tuples added": doubled("s = (1, 2)", "s = s + s"),
    "tables of tables": doubled("s = {1: 2}", "s = {**s, len(s): s}", 200),
    "texts added": doubled("s = 'ab'", "s = s + s"),
    "texts joined": doubled("s = 'ab'", "s = s.join([s, s])"),
    "texts replaced": doubled("s = 'ab'", "s = s.replace('a', s)"),
    "texts filled in": doubled("s = 'ab'", "s = '%s%s' % (s, s)"),
    "texts in texts": doubled("s = 'ab'", "s = f'{s}{s}'"),
    "texts formatted": doubled("s = 'ab'", "s = '{0}{0}'.format(s)"),
    "texts filled up": "s = 'a'.zfill(10**12) + f'{1:999999999}' + '%*d' % (10**9, 1)",
    "texts of widths": "s = '%999d' * 3000 % tuple(range(3000))",
    "texts of numbers": "s = hex(10**9**9) + bin(1 << 10**9) + str(7**10**8)",
    "texts of tuples": doubled("t = (1,)", "t = (t, t)") + "s = '%s' % (t,)\nu = f'{t}' + str(t)",
    "bytes": doubled("s = b'ab'", "s = s + s") + "s = 'ab'.encode() * 10**12",
    "tuples of tuples": doubled("t = (1,)", "t = (t, t)")
    + "u = t == (t, t)\nd = {t: 1}\nd[t] = t in d",
    "equal tuples": doubled("t, u = (1,), (1,)", "t, u = (t, t), (u, u)")
    + "v = t if t == u else u",
    "tuples joined": doubled("t, u = (1,), (2,)", "t, u = (t, t), (u, u)")
    + "if m.a:\n    t = u\nv = t if m.b else u",
    "lists of lists": doubled("t = [1]", "t = [t, t]")
    + "foo(t)\ncopy.deepcopy(t)\nv = len(t) or t",
    "a list of itself": "t = []\nt.append(t)\nfoo(t)\nu = copy.deepcopy(t)\nv = t == u",
    "an object of itself": "class O:\n    pass\no = O()\no.o = o\nfoo(o)\nu = copy.deepcopy(o)",
    "kinds of kinds": doubled("t = int", "t = (t, t)") + "v = isinstance(3, t)",
    "partial functions": doubled("t = int", "t = functools.partial(t, t)"),
    "powers": "s = 9 ** 9 ** 9 + 2 ** -(10 ** 9) + (-8) ** 0.5 + 0 ** -1",
    "powers of powers": doubled("s = 7", "s = s ** 7"),
    "shifts": "s = 1 << 10 ** 10 | 5 >> 10 ** 30",
    "products": doubled("s = 3", "s = s * s", 90),
    "rounding": "s = round(5, -10 ** 9) + round(5, -(10 ** 400))",
    "factorials": "s = math.factorial(10 ** 8) + math.comb(10 ** 9, 10 ** 8) + pow(7, 10 ** 9)",
    "products of many": "s = math.prod(range(1, 900)) + math.prod([10 ** 18] * 900)",
    "numbers of texts": "s = int('9' * 9000) + int('f' * 9000, 16) + float('9' * 9000)",
    "numbers of no end": "s = int(1e400) + int(float('nan')) + math.ceil(math.inf) + round(1e400)",
    "a long number": f"s = 0x{'f' * 100_000} + 1\nt = -0b{'1' * 9000} % 7",
    "symbolic powers": "s = m ** 10 ** 9 * (3 * m) ** (10 ** 9) * m ** 1e400 * m ** float('nan')",
    "symbolic products": doubled("s = 3 * m.a", "s = s * s * 7"),
    "symbolic sums": doubled("s = m.a", "s = s * 3 + s // 7 + n"),
    "symbolic fractions": doubled("s = m.a", "s = s * 1000003 / 1000033", 400),
    "names of names": "s = m\nfor i in range(1000):\n    s = s.next.item[i]",
    "patterns": "s = re.split('(a|a)*b', 'a' * 40) + re.findall('(a+)+$', 'a' * 40 + 'b')",
    "compiled patterns": "s = re.compile('(.*)*x').sub('', 'a' * 99)",
    "patterns of counts": "s = re.match('(a?){64}a{64}', 'a' * 64)",
    "comprehensions": "s = [0 for a in range(999) for b in range(999) for c in range(999)]",
    "comprehensions of tables": "s = {(a, b): 0 for a in range(999) for b in range(999)}",
    "comprehensions that keep nothing": "s = [0 for a in range(99) for b in range(99) if a > 100]",
    "ranges": "for i in range(10 ** 30):\n    pass\ns = list(range(10 ** 400))",
    "a loop that may end": "while True:\n    if m.a:\n        break\n    n = n + 1",
    "a loop that nothing ends": "while 1:\n    n = n + 1\nself.g = nn.Linear(8, 8)",
    "loops in loops": "while m.a:\n    while m.b:\n        while m.c:\n            n = [n, n]",
}


@pytest.mark.parametrize("lines", HARMLESS.values(), ids=HARMLESS)
def test_values_are_small_by_construction(lines):
    found = reading(model(lines))
    assert found.broken == found.unanalysed == ()
    assert {"relu"} <= {layer.following.activation for layer in found.layers}
    assert found.spent < 2 * FEW


# What is given up, and in which class.
TOO_MUCH = {
    "loops": ("Net", model("for i in range(999):\n    for j in range(40):\n        pass")),
    "a loop that ends late": ("Net", model("while n < 10 ** 9:\n    n = n + 1")),
    "a loop that never ends": (
        "Net",
        model("while True:\n    n = n + 1\n    if n == 0:\n        break"),
    ),
    "modules doubled": ("Net", model(doubled("s = nn.Linear(8, 8)", "s = nn.Sequential(s, s)")
                                     + "self.s = s", "return self.s(x)")),
    "copies doubled": ("Net", model(doubled("s = nn.Linear(8, 8)",
                                            "s = nn.Sequential(s, copy.deepcopy(s))"))),
    "modules of nothing doubled": ("Net", model(doubled("s = nn.Sequential()",
                                    "s = nn.Sequential(s, s)") + "self.s = s", "return self.s(x)")),
    "methods doubled": ("Net", model("", "return self.g20(self.f(x))")
        + "    def g0(self, x):\n        return torch.relu(x)\n"
        + "".join(f"    def g{i}(self, x):\n        return self.g{i - 1}(x) + self.g{i - 1}(x)\n"
                  for i in range(1, 21))),
    "calls doubled": ("Net", model("self.a = B30()", "return self.a(self.f(x))",
                                   nested(30, "self.a(self.a(x))"))),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "source"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_is_given_up_is_named(name, source):
    found = reading(source)
    assert f"net.py:{name}" in [gap.target for gap in found.unanalysed]
    assert all("gave up after" in gap.reason for gap in found.unanalysed)
    assert found.spent < 40 * FEW


def test_the_loop_is_named():
    source = model("for i in range(999):\n    for j in range(99):\n        pass")
    (gap,) = reading(source).unanalysed
    # A quarter of what a run over this file may take.
    steps = (150_000 + len(source) // 2) // 4
    assert gap.reason == f"net.py: Net: gave up after {steps:,} steps, in the loop at net.py:10"


def test_a_run_over_many_files_may_take_more_than_one_over_a_long_file():
    long, many, tiny = (
        Budget(sizes).left for sizes in ([60_000], [6_000] * 10, [6_000, *[10] * 9])
    )
    assert long == (150_000 + 30_000) * STEP
    assert many == long + 9 * 20_000 * STEP
    # A crowd of files with nothing in them buys nothing.
    assert tiny < long
    # Half of what the files bring is kept for the classes, which come after the scripts.
    budget = Budget([6_000] * 10)
    assert budget.end == (150_000 + 30_000 + 90_000) * STEP // 4
    budget.begin_classes()
    budget.begin()
    assert budget.end == (150_000 + 30_000 + 180_000) * STEP // 4


def test_no_class_gets_more_than_its_share_however_many_files_there_are():
    assert Budget([6_000] * 1000).end == SHARE * STEP


def test_one_class_does_not_starve_the_others():
    loop = "for i in range(999):\n    for j in range(999):\n        self.q = i + j"
    greedy = model(loop).partition("class Net")[2]
    many = "".join(f"class Greedy{i}{greedy}" for i in range(40))
    found = reading(HEAD + many + model().partition("\n\n")[2])
    assert len(found.unanalysed) == 40
    assert [x.following.activation for x in found.layers if x.model == "Net"] == ["relu"]
    # The share of each is less than that of the one before, once the run's are being used up.
    assert found.spent < 10 * FEW


def test_a_call_with_the_same_data_is_drawn_once():
    functions = "def g0(x):\n    return torch.relu(x)\n" + "".join(
        f"def g{i}(x):\n    return g{i - 1}(x) + g{i - 1}(x)\n" for i in range(1, 41)
    )
    found = reading(model("", "return g40(self.f(x))", functions))
    assert [layer.following.activation for layer in found.layers] == ["relu"]
    assert found.unanalysed == () and found.spent < FEW / 20


def test_half_a_module_is_none():
    big = model("for i in range(999):\n    for j in range(99):\n        pass").replace("Net", "Big")
    outer = "class Outer(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    outer += "        self.big = Big()\n    def forward(self, x):\n        return self.big(x)\n"
    found = reading(big + outer + outer.replace("Outer", "Other"))
    assert {gap.target for gap in found.unanalysed} == {
        f"net.py:{n}" for n in ("Big", "Outer", "Other")
    }


ENDS = {
    "an error": "raise NotImplementedError",
    "an exit": "import sys\nsys.exit(0)",
    "an exit of os": "import os\nos._exit(1)",
    "the built-in exit": "exit()",
}


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_a_constructor_that_ends_before_its_layers_is_named(ends):
    found = reading(model(ends))
    assert found.layers == ()
    assert [gap.reason for gap in found.unanalysed] == [
        "net.py: Net: its constructor raises an error, as far as it can be read"
    ]


SIZES = ["1e400", "-1e400", "10 ** 400", "float('nan')", "-3", "2 ** 63", f"0x{'f' * 400}", "1e300"]


@pytest.mark.parametrize("size", SIZES)
def test_sizes_that_no_tensor_has_are_unknown(size):
    layers = [
        f"nn.Linear({size}, 3)",
        f"nn.Linear(3, {size})",
        f"nn.Bilinear({size}, 3, 3)",
        f"nn.Conv2d({size}, {size}, {size}, groups={size})",
        f"nn.ConvTranspose2d(3, {size}, ({size}, 1))",
        f"nn.LSTM({size}, {size}, {size})",
        f"nn.MultiheadAttention({size}, 2)",
        f"nn.Parameter(torch.randn({size}, 3))",
        f"nn.Linear(m * {size}, 3)",
    ]
    lines = "\n".join(f"self.l{place} = {layer}" for place, layer in enumerate(layers))
    calls = "".join(f"self.l{place}(" for place in range(7)) + "x" + ")" * 7
    found = reading(model(lines, f"return torch.relu(self.f(self.l8(x @ self.l7))) + {calls}"))
    assert found.unanalysed == () and len(found.layers) >= 10


# Sources of about n parts each.
def layers(n):
    lines = "\n".join(f"self.l{i} = nn.Linear(8, 8)" for i in range(n))
    return model(lines, "\n".join(f"x = torch.relu(self.l{i}(x))" for i in range(n)) + "\nreturn x")


def classes(n):
    one = model().partition("\n\n")[2]
    return HEAD + "".join(one.replace("Net", f"Net{i}") for i in range(n))


def heirs(n):
    return model() + "".join(
        f"class C{i}({f'C{i - 1}' if i else 'Net'}):\n    pass\n" for i in range(n)
    )


def diamonds(n):
    return model() + "".join(
        f"class A{i}({f'D{i - 1}' if i else 'Net'}): pass\n"
        f"class B{i}({f'D{i - 1}' if i else 'Net'}): pass\nclass D{i}(A{i}, B{i}): pass\n"
        for i in range(n)
    )


def holders(n):
    return model() + "".join(
        f"class C{i}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.n = {f'C{i - 1}' if i else 'Net'}()\n"
        "    def forward(self, x):\n        return self.n(x)\n"
        for i in range(n)
    )


def conditions(n):
    lines = (f"if self.q{i}:\n    x = torch.relu(self.f(x))\n" for i in range(n))
    return model("", "".join(lines) + "return x")


def lists(n):
    lines = (f"v{i} = [x]\nif self.a{i}:\n    v{i}.append(x)\n" for i in range(n))
    return model("", "".join(lines) + "return torch.relu(self.f(x))")


def ladder(n):
    lines = (f"elif m.k == {i}:\n    x = torch.relu(self.f(x))\n" for i in range(n))
    return model("self.k = m", "if self.m:\n    pass\n" + "".join(lines) + "return x")


def functions(n):
    return model() + "".join(f"def f{i}():\n    return nn.Sequential(Net())\n" for i in range(n))


def appended(n):
    return model(
        "self.s = nn.ModuleList()\n" + "self.s.append(nn.ReLU())\n" * n,
        "for part in self.s:\n    x = part(x)\nreturn self.f(x)",
    )


GROWING = (layers, classes, heirs, diamonds, holders, conditions, lists, functions, appended)


@pytest.mark.parametrize("source", GROWING)
def test_the_cost_grows_as_the_source_does(source):
    few, more, most = (reading(source(n)) for n in (25, 50, 100))
    assert few.unanalysed == more.unanalysed == ()
    # A hundred calls within each other are not followed to the end, which is said.
    deep = ["net.py: C99: calls nested more than 60 deep were not followed"]
    assert [gap.reason for gap in most.unanalysed] == (deep if source is holders else [])
    # Twice what was added may cost a little more than twice as much, and not four times.
    assert most.spent - more.spent <= 2.6 * (more.spent - few.spent)


@pytest.mark.parametrize("source", (holders, heirs, classes))
def test_modules_that_lie_in_each_other_are_listed_once(source, monkeypatch):
    listed = []
    each_module = submodules.each_module

    def counted(*args):
        for pair in each_module(*args):
            listed.append(pair)
            yield pair

    for place in (submodules, places):
        monkeypatch.setattr(place, "each_module", counted)
    counts = []
    for n in (40, 80):
        listed.clear()
        reading(source(n))
        counts.append(len(listed))
    # Twice the source; four times as much if each listed all that the ones before it hold.
    assert counts[1] < 3 * counts[0]


def test_a_long_line_of_classes_looks_at_each_base_once(monkeypatch):
    asked = []
    kind_of = classes_of_files._module_kind
    monkeypatch.setattr(
        classes_of_files, "_module_kind", lambda name: (asked.append(name), kind_of(name))[1]
    )
    found = reading(heirs(50))
    assert found.unanalysed == ()
    assert len(asked) <= 2 * 51


@pytest.mark.slow
def test_memory():
    source = model(
        HARMLESS["lists added"] + HARMLESS["texts joined"] + HARMLESS["tuples of tuples"]
    )
    tracemalloc.start()
    try:
        reading(source + TOO_MUCH["modules doubled"][1].replace("Net", "Other"))
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


DENSE = {
    "numbers": b"x = [" + b"1," * 400_000 + b"]",
    "signs": b"x = " + b"[~1]," * 200_000,
    "lines": b"import torch\n" + b"1\n" * 410_000,
}


@pytest.mark.parametrize("data", DENSE.values(), ids=DENSE)
def test_a_file_that_is_data_is_named(data):
    Path("net.py").write_bytes(data)
    found = read(["net.py"])
    (gap,) = found.broken
    assert gap.reason == (
        "net.py: cannot be read: more than 400,000 words and marks, which is data, not code"
    )


DEEP = {
    "sums": model(f"n = {' + '.join(['n'] * 3000)}"),
    "calls": model(f"n = n{'.a()' * 900}"),
    "lists": model("t = [1]\n" + "t = [t]\n" * 900 + "foo(t)\nu = t == [t]\ncopy.deepcopy(t)"),
    "conditions": ladder(900),
    "ladders at the top": "import torch\nif a:\n    pass\n" + "elif b:\n    pass\n" * 900 + model(),
    "parentheses": model(f"n = {'(' * 150}n{')' * 150}"),
    "texts in texts": model("n = f'{f\"{n}\"}'"),
    "heirs, last first": "\n".join(heirs(400).split("class ")[:1])
    + "".join(f"class {part}" for part in heirs(400).split("class ")[1:][::-1]),
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_what_is_nested_deeply_is_read_or_named(source):
    found = reading(source)
    assert not any("bug" in gap.reason for gap in found.unanalysed)
    assert found.layers or found.unanalysed or found.broken
