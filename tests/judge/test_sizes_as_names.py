"""Sizes that are only names: no number, verdict or fix depends on a ratio that nobody knows."""

import re
import textwrap

import pytest

import initlint

HEAD = "import math\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
CHAIN = """
    class Net(nn.Module):
        def __init__(self, {sizes}):
            super().__init__()
            self.first = nn.Linear(seen, wide)
            self.narrow, self.widen = nn.Linear(wide, narrow), nn.Linear(narrow, wide)
            self.even, self.last = nn.Linear(wide, wide), nn.Linear(wide, out)
            for layer in self.children():
                {fill}

        def forward(self, x):
            for layer in (self.first, self.narrow, self.widen, self.even):
                x = {activation}(layer(x))
            return self.last(x)
"""
NAMES = "seen, wide, narrow, out"
KNOWN = "seen=8, wide=256, narrow=64, out=4"


def _chain(activation: str, fill: str = "pass", sizes: str = NAMES) -> str:
    return HEAD + textwrap.dedent(CHAIN.format(activation=activation, fill=fill, sizes=sizes))


def _reported(report: object) -> dict[str, str]:
    return {finding.layer: finding.message for finding in report.findings}


# Every size of these is a name; what is needed counts two of them in the first, one in the last.
BY_TWO = (
    ("torch.tanh", "pass"),
    ("torch.sigmoid", "pass"),
    ("torch.tanh", "nn.init.normal_(layer.weight, std=0.05 / math.sqrt(layer.in_features))"),
    ("torch.tanh", "nn.init.kaiming_normal_(layer.weight, a=9)"),
)
BY_ONE = (
    ("torch.relu", "pass", "0.41×"),
    ("torch.relu", "nn.init.kaiming_uniform_(layer.weight, a=5)", "0.20×"),
    ("torch.relu", "nn.init.normal_(layer.weight, std=0.1 / math.sqrt(layer.in_features))", "0.07"),
    ("F.gelu", "pass", "0.38×"),
)


@pytest.mark.parametrize(("activation", "fill"), BY_TWO)
def test_what_counts_two_names_is_not_judged(activation, fill):
    found = initlint.check(_chain(activation, fill))
    assert not {"narrow", "widen"} & {f.layer for f in found.findings if f.code != "INIT304"}
    needed = {layer.layer: layer.uneven for layer in found.layers}
    assert needed == {"first": True, "narrow": True, "widen": True, "even": False, "last": True}


@pytest.mark.parametrize(("activation", "fill"), BY_TWO)
def test_it_is_where_the_sizes_are_numbers(activation, fill):
    found = _reported(initlint.check(_chain(activation, fill, KNOWN)))
    assert {"narrow", "even"} & found.keys()


@pytest.mark.parametrize(("activation", "fill", "ratio"), BY_ONE)
def test_what_counts_one_name_is_judged_with_its_ratio(activation, fill, ratio):
    named, known = (_reported(initlint.check(_chain(activation, fill, s))) for s in (NAMES, KNOWN))
    for layer in ("narrow", "widen", "even"):
        assert ratio in named[layer] and ratio in known[layer]


def test_a_width_of_its_own_is_a_ratio_of_one():
    sizes = "seen, wide, out, narrow"
    text = _chain("torch.tanh", sizes=sizes).replace("wide, narrow)", "wide, wide + wide // 2)")
    text = text.replace("nn.Linear(narrow,", "nn.Linear(wide + wide // 2,")
    assert {"narrow", "widen", "even"} <= _reported(initlint.check(text)).keys()


def _numbers(message: str) -> list[str]:
    plain = re.sub(r"INIT\d+|\S+:\d+|\dd\b|in line \d+|\[\d+\]|std 0.55/√width", "", message)
    return re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", plain)


BLOCKS = """
    class Block(nn.Module):
        def __init__(self, wide):
            super().__init__()
            self.norm = nn.LayerNorm(wide)
            self.up, self.down = nn.Linear(wide, 4 * wide), nn.Linear(4 * wide, wide)
            for layer in (self.up, self.down):
                nn.init.normal_(layer.weight, std=0.02 / math.sqrt(wide))

        def forward(self, x):
            return x + self.down(F.gelu(self.up(self.norm(x))))


    class Net(nn.Module):
        def __init__(self, {sizes}):
            super().__init__()
            self.first = nn.Linear(seen, wide)
            self.blocks = nn.Sequential(*(Block(wide) for _ in range(12)))
            self.last = nn.Linear(wide, 3)

        def forward(self, x):
            return self.last(self.blocks(self.first(x)))
"""
TRANSPOSED = """
    class Net(nn.Module):
        def __init__(self, {sizes}):
            super().__init__()
            self.up = nn.ConvTranspose2d({first}, 4 * wide, 4, 1, 0)
            self.out = nn.ConvTranspose2d(4 * wide, 2 * wide, 4, 2, 1)
            self.last = nn.ConvTranspose2d(2 * wide, 3, 4, 2, 1)
            for layer in self.children():
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

        def forward(self, z):
            return torch.tanh(self.last(torch.relu(self.out(torch.relu(self.up(z))))))
"""


def test_the_share_of_sigmoids_and_of_faint_branches_is_said_without_numbers():
    (sigmoids,) = (
        f for f in initlint.check(_chain("torch.sigmoid")).findings if f.code == "INIT304"
    )
    assert _numbers(sigmoids.message) == ["4"]
    assert "hardly any of the gradient" in sigmoids.message
    known = initlint.check(_chain("torch.sigmoid", sizes=KNOWN)).findings
    assert any("at most 0.0" in f.message for f in known if f.code == "INIT304")
    faint = HEAD + textwrap.dedent(BLOCKS)
    (named,) = initlint.check(faint.format(sizes="seen, wide")).findings
    assert named.code == "INIT301" and _numbers(named.message) == ["11"]
    (known,) = initlint.check(faint.format(sizes="seen=8, wide=256")).findings
    assert "have std 0.0012" in known.message or "have std 0.0013" in known.message


DEEP = """
    class Net(nn.Module):
        def __init__(self, {sizes}):
            super().__init__()
            self.first = nn.Linear(seen, wide)
            self.inner = nn.ModuleList([nn.Linear(wide, wide) for _ in range(6)])
            self.last = nn.Linear(wide, out)

        def forward(self, x):
            x = torch.relu(self.first(x))
            for layer in self.inner:
                x = torch.relu(layer(x))
            return self.last(x)
"""


def test_a_predicted_gradient_is_said_where_all_sizes_are_numbers():
    text = HEAD + textwrap.dedent(DEEP)
    (named,) = initlint.check(text.format(sizes="seen, wide, out")).findings
    (known,) = initlint.check(text.format(sizes="seen=8, wide=256, out=4")).findings
    assert "0.41×" in named.message and "predicted gradient" not in named.message
    assert "0.41×" in known.message and "predicted gradient" in known.message


@pytest.mark.parametrize(
    ("sizes", "first", "numbers"),
    [
        ("noise, wide", "noise", []),
        ("wide", "32 * wide", ["2.83"]),
    ],
)
def test_transposed_fans_that_are_names(sizes, first, numbers):
    text = HEAD + textwrap.dedent(TRANSPOSED).format(sizes=sizes, first=first)
    found = [f for f in initlint.check(text).findings if f.layer == "up" and f.code == "INIT201"]
    assert [n for f in found for n in _numbers(f.message)] == numbers


def test_groups_that_are_names_are_no_slope():
    text = """
    class Net(nn.Module):
        def __init__(self, wide{}, groups{}):
            super().__init__()
            self.a = nn.Conv2d(wide, wide, 3, groups=groups)
            self.b = nn.Conv2d(wide, 4 * wide, 3, groups=wide)
            self.c, self.d = nn.Conv2d(4 * wide, wide, 1), nn.Conv2d(wide, wide, 1)
            for layer in self.children():
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

        def forward(self, x):
            return self.d(F.relu(self.c(F.relu(self.b(F.relu(self.a(x)))))))
    """
    text = HEAD + textwrap.dedent(text)
    assert initlint.check(text.format("", "")).findings == ()
    assert {f.code for f in initlint.check(text.format("=64", "=4")).findings} == {"INIT202"}


def test_a_fix_has_no_number_of_a_name():
    text = """
    class Net(nn.Module):
        def __init__(self, count{0}, wide{0}, narrow{0}):
            super().__init__()
            self.w = nn.Parameter(torch.empty(count, wide, narrow))
            self.v = nn.Parameter(torch.empty(count, narrow, wide))
            nn.init.kaiming_normal_(self.w)
            nn.init.kaiming_normal_(self.v)

        def forward(self, x):
            return torch.bmm(F.relu(torch.bmm(x, self.w)), self.v)
    """
    text = HEAD + textwrap.dedent(text)
    named = initlint.check(text.format("")).findings
    assert {f.code for f in named} == {"INIT203"} and not any(f.fix for f in named)
    assert all(f.fix for f in initlint.check(text.format("=16")).findings)
