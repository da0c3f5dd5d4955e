"""The reading engine as a whole: targets, bad input, other people's initialisation."""

import textwrap
from pathlib import Path

import pytest

from initlint import api
from initlint.reading import read
from initlint.reading.evaluate.handlers import HANDLERS

NET = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)
        self.b = nn.Linear(8, 8)
        self.c = nn.Linear(8, 2)

    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu())
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(name, text, encoding="utf-8"):
    Path(name).write_bytes(textwrap.dedent(text).encode(encoding))
    return name


def codes(*paths):
    return [finding.code for finding in api.check_all(paths, api.Options()).findings]


SILENT = {
    "a script fills what it makes": NET
    + "def fill(m):\n    nn.init.normal_(m.weight)\nnet = Net()\nnet.apply(fill)\n",
    "a script loads what it makes": NET + "net = Net()\nnet.load_state_dict(torch.load('x'))\n",
    "the constructor loads": NET.replace(
        "nn.Linear(8, 2)", "nn.Linear(8, 2)\n        self.load_state_dict(torch.load('x'))"
    ),
    "another class makes it": NET
    + "class Outer(nn.Module):\n    def __init__(self, x):\n        super().__init__()\n"
    "        self.net = unknown(Net())\n",
    "it is given away as a value": NET + "MODELS = register(Net)\n",
    "its framework fills it": NET
    + "from transformers import PreTrainedModel\nclass Model(PreTrainedModel):\n    pass\n",
    "an unknown function is handed the model": NET.replace(
        "nn.Linear(8, 2)", "nn.Linear(8, 2)\n        somebody(self)"
    ),
    "an unknown activation": NET.replace(".relu()", ".mystery()"),
    "a star import may mean anything": "from somewhere import *\n"
    + NET.replace("from torch import nn\n", ""),
    "two activations, nobody knows which": NET.replace(
        "return self.c", "x = x.relu() if self.flag else x.tanh()\n        return self.c"
    ).replace("(self.b(self.a(x).relu()).relu())", "(x)"),
    "a base from elsewhere that is no module": NET.replace("nn.Module", "Unknown"),
}


@pytest.mark.parametrize("source", SILENT.values(), ids=SILENT)
def test_silent_where_it_is_not_proved(source):
    assert codes(written("net.py", NET)) == ["INIT101"]
    assert codes(written("net.py", source)) == []


def test_a_script_in_another_file_that_fills_what_it_makes():
    written("net.py", NET)
    written("train.py", "from net import Net\nfrom torch import nn\nnet = Net()\nnet.apply(fill)\n")
    assert codes("net.py", "train.py") == []


FILLED_AFTERWARDS = {
    "by apply": "net.apply(fill)",
    "one by one": "nn.init.kaiming_normal_(net[0].weight)\nnn.init.kaiming_normal_(net[2].weight)",
    "in a loop": "for p in net.parameters():\n    p.data.normal_(0, 0.2)",
    "from a file": "net.load_state_dict(torch.load('net.pt'))",
    "in the main part": "if __name__ == '__main__':\n    net.apply(fill)",
    "by a function": "def all_(*m):\n    for n in m:\n        kaiming_normal_(n.weight)\n"
    "all_(net[0], net[2])",
}


@pytest.mark.parametrize("lines", FILLED_AFTERWARDS.values(), ids=FILLED_AFTERWARDS)
def test_a_script_that_fills_what_its_top_level_holds(lines):
    head = "import torch\nfrom torch import nn\nfrom torch.nn.init import kaiming_normal_\n"
    net = "net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())\n"
    fill = "def fill(m):\n    if isinstance(m, nn.Linear):\n        kaiming_normal_(m.weight)\n"
    assert codes(written("net.py", f"{head}{net}")) == ["INIT101"]
    assert codes(written("net.py", f"{head}{fill if 'fill' in lines else ''}{net}{lines}\n")) == []
    assert codes("net.py", written("other.py", f"{head}{net}")) == ["INIT101"]


MENTIONED = {
    "a comment": "# Net\n",
    "a list in a comment": "x = 1  # used in Net, AlexNet\n",
    "a docstring": '"""A net, see Net, 1998\n\n- Net\n"""\n',
    "an example": 'class A:\n    """How to:\n\n    >>> model = Net()\n    """\n',
}


@pytest.mark.parametrize("mention", MENTIONED.values(), ids=MENTIONED)
def test_who_is_mentioned_is_not_given_away(mention):
    assert codes(written("net.py", mention + NET)) == ["INIT101"]
    assert codes(written("net.py", NET), written("other.py", mention + "import torch\n"))
    assert codes(written("net.py", NET + "MODELS = [Net, '#']\n")) == []


def test_models_called_alike_in_several_files_are_several():
    scaled = NET.replace(
        "        self.c", "        nn.init.normal_(self.a.weight, std={})\n        self.c"
    )
    one, other = written("p.py", scaled.format(0.3)), written("q.py", scaled.format(0.001))
    assert codes(one) == ["INIT101"]
    found = api.check_all([one, other], api.Options())
    assert {layer.model for layer in found.layers} == {"p.py:Net", "q.py:Net"}
    assert [f.code for f in found.findings if f.site.path == one] == ["INIT101"]
    assert "2 models" in str(found)


def test_parts_that_a_class_looks_up_in_their_module_are_no_models():
    written("net.py", NET)
    user = """
        from torch import nn
        import net as parts

        class User(nn.Module):
            def __init__(self, kind):
                super().__init__()
                self.part = getattr(parts, {})(8)
        """
    assert codes("net.py", written("user.py", user.format("kind"))) == []
    assert codes("net.py", written("user.py", user.format("'Other'"))) == ["INIT101"]
    # Torch's own module of a name is not the project's.
    Path("net.py").rename("nn.py")
    user = user.replace("import net as parts", "").replace("parts", "nn")
    assert codes("nn.py", written("user.py", user.format("kind"))) == ["INIT101"]


def test_what_a_function_builds_is_read_as_it_builds_it():
    source = NET.replace("__init__(self)", "__init__(self, act)").replace("self.a =", "self.act =")
    source = source.replace("nn.Linear(8, 8)\n        self.b", "act()\n        self.b", 1)
    source = source.replace(
        "self.b(self.a(x).relu()).relu()", "self.act(self.b(self.act(self.c(x))))"
    )
    source = source.replace("self.c(self.act", "(self.act").replace(
        "nn.Linear(8, 2)", "nn.Linear(8, 8)"
    )
    source = source.replace("self.act(self.c(x))", "self.act(self.d(self.act(self.c(x))))")
    source = source.replace("self.c =", "self.d = nn.Linear(8, 8)\n        self.c =")
    source = source.replace("return (", "return self.e(").replace(
        "self.c =", "self.e = nn.Linear(8, 2)\n        self.c ="
    )
    assert codes(written("net.py", source)) == []
    assert (
        codes(written("net.py", source + "def net():\n    return Net(nn.Tanh)\n"))
        == ["INIT103"] * 2
    )


def test_models_of_the_top_level():
    text = "from torch import nn\nmodel = nn.Sequential({})\n"
    layers = ", ".join(["nn.Linear(8, 8), nn.ReLU()"] * 3)
    assert codes(written("net.py", text.format(layers))) == ["INIT101"] * 2


def test_classes_of_several_files():
    written("blocks.py", "from torch import nn\nclass Act(nn.ReLU):\n    pass\n")
    source = NET.replace("import torch\n", "import torch\nfrom blocks import Act\n")
    source = source.replace("self.c = ", "self.act = Act()\n        self.c = ")
    source = source.replace("self.a(x).relu()", "self.act(self.a(x))")
    assert codes("blocks.py", written("net.py", source)) == ["INIT101"]


def test_sizes_that_are_names():
    source = NET.replace("__init__(self)", "__init__(self, dim, out)")
    source = source.replace("nn.Linear(8, 8)", "nn.Linear(dim, dim)")
    found = read([written("net.py", source)])
    assert [layer.nominal for layer in found.layers] == [True, True, False]
    assert codes("net.py") == ["INIT101"]
    # Xavier's share of the std it needs depends on a proportion that is not known.
    more = "nn.init.xavier_normal_(self.b.weight)\n        self.d = nn.Linear(out, dim)"
    xavier = (
        source.replace("nn.Linear(dim, dim)", "nn.Linear(dim, out)")
        .replace("nn.Linear(8, 2)", f"nn.Linear(8, 2)\n        {more}")
        .replace("self.c(self.b", "self.c(self.d(self.b")
        .replace(".relu())\n", ".relu()).relu())\n")
    )
    written("net.py", xavier)
    found = api.check_all(["net.py"], api.Options()).findings
    assert [(finding.code, finding.layer) for finding in found] == [("INIT101", "d")]


BROKEN = {
    "syntax": (b"class Net(:\n", "net.py:1:11: SyntaxError"),
    "indentation": (b"if x:\npass\n", "net.py:2:1: SyntaxError"),
    "no encoding": (b"import torch\nx = '\xff'\n", "net.py:2:6: byte 0xff is not UTF-8"),
    "a null byte": (b"import torch\nx = 1\0\n", "net.py"),
    "too deep": (b"import torch\nx = " + b"(" * 5000 + b")" * 5000, "net.py"),
    "deep but of no interest": (b"x = " + b"-" * 100_000 + b"1", "net.py"),
    "5 MB of numbers": (b"import torch\nx = [" + b"1234567, " * 600_000 + b"]\n", "net.py: cannot"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_parsed_is_named_and_the_rest_is_read(content, reason):
    Path("net.py").write_bytes(content)
    found = read(["net.py", written("good.py", NET)])
    (broken,) = found.broken
    assert broken.target == "net.py" and broken.reason.startswith(reason)
    assert "\n" not in broken.reason and len(found.layers) == 3


def test_unreadable_files_are_named():
    Path("loop.py").symlink_to("loop.py")
    found = read(["missing.py", "loop.py", written("good.py", NET)])
    assert [gap.target for gap in found.broken] == ["missing.py", "loop.py"]
    assert len(found.layers) == 3


FINE = {
    "empty": b"",
    "a BOM": b"\xef\xbb\xbf" + NET.encode(),
    "CRLF": NET.replace("\n", "\r\n").encode(),
    "Latin-1": b"# -*- coding: latin-1 -*-\n# \xe9\n" + NET.encode(),
    "5 MB": NET.encode() + b"x = [" + b"1234567, " * 100_000 + b"'" + b"1" * 4_000_000 + b"']\n",
}


@pytest.mark.parametrize("content", FINE.values(), ids=FINE)
def test_what_can_be_parsed(content):
    Path("net.py").write_bytes(content)
    found = read(["net.py"])
    assert found.broken == found.unanalysed == ()
    assert len(found.layers) == (3 if content else 0)


ENDLESS = {
    "a class of itself": NET.replace("nn.Linear(8, 2)", "Net()"),
    "two classes of one another": NET.replace("nn.Linear(8, 2)", "Other()")
    + "class Other(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.net = Net()\n    def forward(self, x):\n        return self.net(x)\n",
    "a function of itself": NET.replace("self.c(", "deep(")
    + "def deep(x):\n    return deep(deep(x))\n",
    "a base of itself": "from torch import nn\nclass A(B):\n    pass\nclass B(A):\n    pass\n",
    "a loop without end": NET.replace(
        "return", "while True:\n            x = x + 1\n        return"
    ),
    "two lists that items go to and fro between": NET.replace(
        "nn.Linear(8, 2)",
        "nn.Linear(8, 2)\n"
        "        few, many = [1, 2], [3, 4]\n"
        "        while len(few) > 0 and len(many) > 0:\n"
        "            one, other = few.pop(), many.pop()\n"
        "            if torch.rand(1) < one:\n"
        "                few.append(other)\n"
        "            else:\n"
        "                many.append(other)\n",
    ),
    "a name of itself": "from torch import nn\na = b\nb = a\nclass N(a, nn.Module):\n    pass\n",
    "files of one another": "from net import *\nfrom net import Net\n",
    "a huge power": NET.replace("nn.Linear(8, 2)", "nn.Linear(10 ** 10 ** 10, 9 ** 9 ** 9)"),
    "a number that is squared without end": NET.replace(
        "return", "n = 3\n        for _ in range(900):\n            n = n * n\n        return"
    ),
    "a text of texts": NET.replace(
        "nn.Linear(8, 2)",
        "nn.Linear(8, 2)\n        s = 'a' * 9999\n        s = ','.join([s] * 9999)"
        "\n        s = s.replace('a', s).replace('a', s)",
    ),
    "texts of great width": NET.replace(
        "nn.Linear(8, 2)", "nn.Linear(8, 2)\n        s = '%99999999999d' % 1 + f'{1:99999999999d}'"
    ),
    "a pattern that never matches": NET.replace(
        "nn.Linear(8, 2)", "nn.Linear(8, 2)\n        import re; re.split('(a+)+b', 'a' * 190)"
    ),
    "a huge list": NET.replace("nn.Linear(8, 2)", "nn.Sequential(*[nn.ReLU()] * 10 ** 9)"),
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_read_all_the_same(source):
    found = read([written("net.py", source)])
    assert found.broken == found.unanalysed == ()


def test_a_list_of_things_to_do_is_gone_through_to_its_end():
    """Its length stays what it is for a while, but nothing is undecided."""
    layers = "\n        ".join(
        (
            "todo, found = [120], []",
            "while len(todo) > 0:",
            "    left = todo.pop()",
            "    found.append(nn.Linear(8, 8))",
            "    if left > 1:",
            "        todo.append(left - 1)",
            "self.more = nn.Sequential(*found)",
            "self.c = nn.Linear(8, 2)",
        )
    )
    source = NET.replace("self.c = nn.Linear(8, 2)", layers).replace(
        "return self.c(", "return self.c(self.more("
    )
    source = source.rstrip() + ")\n"
    assert len(read([written("net.py", source)]).layers) == 123


def test_nothing_is_executed():
    source = NET + "open('ran', 'w').close()\nraise SystemExit(3)\n"
    assert codes(written("net.py", source)) and not Path("ran").exists()


def test_processes_give_the_same_answer():
    functions = "".join(f"def net{i}():\n    return Net(n={i + 1})\n" for i in range(9))
    source = NET.replace("__init__(self)", "__init__(self, n=1)").replace("8, 2", "8, 2 * n")
    paths = [written(f"net{i}.py", source + functions) for i in range(3)]
    assert read(paths, jobs=3)._replace(spent=0) == read(paths, jobs=1)._replace(spent=0)


def test_data_kept_from_another_call_is_not_followed():
    keeping = NET.replace("return self.c(", "self.kept = x\n        return self.c(").replace(
        "self.a(x)", "self.a(x * torch.sigmoid(x + other(self.kept)))"
    )
    outer = "class Outer(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    outer += "        self.net = Net()\n    def forward(self, x):\n        y = self.net(x)\n"
    outer += "        return y + self.net.kept * self.net.kept + self.net(y).relu()\n"
    found = read([written("net.py", keeping + outer)])
    assert found.broken == found.unanalysed == () and found.layers


def test_attention_whose_weights_are_drawn_by_a_method_of_the_users():
    written(
        "net.py",
        """
        from torch import nn

        class Attention(nn.MultiheadAttention):
            def _reset_parameters(self):
                nn.init.normal_(self.in_proj_weight, std=0.01)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.attention = Attention(16, 2)

            def forward(self, x):
                return self.attention(x, x, x)[0]
        """,
    )
    drawn = {
        layer.parameter: layer.current.name
        for layer in read(["net.py"]).layers
        if layer.model == "Net"
    }
    assert drawn["attention.in_proj_weight"] == "normal_"


def test_a_bilinear_layer_ends_the_prediction():
    written(
        "net.py",
        """
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Bilinear(64, 64, 64)
                self.b = nn.Bilinear(64, 64, 64)
                self.c = nn.Linear(64, 8)

            def forward(self, x, y):
                x = self.a(x, y).relu()
                return self.c(self.b(x, x).relu())
        """,
    )
    # Its result is no sum of independent products, so that nobody knows what signal follows.
    assert api.check_all(["net.py"], api.Options()).findings == ()


LENGTHS = """\
import torch
from torch import nn

class Mlp(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.depth, self.before = depth, nn.Linear(16, 16)
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(depth))

    def forward(self, x):
        x = self.before(x)
        for i, layer in enumerate(self.layers):
            x = layer(x).relu() if i < self.depth - 1 else layer(x)
        return x

class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Mlp(3)

    def forward(self, x):
        return self.inner(x)

class Second(nn.Module):
    def __init__(self):
        super().__init__()
        self.other = Mlp({})

    def forward(self, x):
        return self.other(x)
"""


def test_containers_of_one_line_are_fixed_from_their_ends_if_they_are_as_long():
    written("net.py", LENGTHS.format(3))
    done = api.fix_all(["net.py"], api.Options(), unsafe=False, write=True)
    assert not done.report.findings
    assert "for layer in self.layers[:-1]:" in Path("net.py").read_text()


def test_containers_of_several_lengths_are_not_fixed_by_number():
    written("net.py", LENGTHS.format(2))
    done = api.fix_all(["net.py"], api.Options(), unsafe=True, write=True)
    assert [finding.fix for finding in done.report.findings] == [None]
    assert Path("net.py").read_text() == LENGTHS.format(2)


def test_both_tables_of_known_functions_are_registered():
    known = set(HANDLERS)
    assert {"builtins.isinstance", "copy.deepcopy", "torch.nn.Parameter"} <= known
    assert {"builtins.len", "builtins.zip"} <= known
