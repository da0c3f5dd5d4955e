"""What code asks of modules and parameters, how many satisfied it, and which were never asked."""

import pytest

from initlint.reading import read

BLOCKS = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.blocks = nn.ModuleList([Block(8), Block(8)])
"""
FORWARD = """
    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x
"""


def asked_in(body, after="", before=""):
    found = read(["net.py"], {"net.py": before + BLOCKS + body + FORWARD + after})
    assert not found.unanalysed
    return found.tests


def counts(test):
    return test.kind, test.subject, test.over, test.held, test.unsure


LOOP = """        for m in self.{method}():
            if isinstance(m, nn.Conv2d):
                nn.init.zeros_(m.weight)
"""


def test_a_loop_over_all_modules_asks_each_once():
    (test,) = asked_in(LOOP.format(method="modules"))
    assert counts(test) == ("class", "module", 9, 3, 0)
    assert test.wanted == ("torch.nn.Conv2d",) and test.missed == () and test.fills
    assert test.within == "__init__" and test.text == "isinstance(m, nn.Conv2d)"


def test_a_loop_over_children_misses_what_lies_deeper():
    (test,) = asked_in(LOOP.format(method="children"))
    assert counts(test) == ("class", "module", 2, 1, 0)
    assert test.missed == ("Conv2d",) and test.asked == ("Conv2d", "ModuleList")


def test_what_other_code_fills_is_not_missed():
    (test,) = asked_in(
        LOOP.format(method="children")
        + "        for block in self.blocks:\n            nn.init.ones_(block.conv.weight)\n"
    )
    assert test.missed == ()


def test_recursion_asks_all():
    after = """

def fill(module):
    for m in module.children():
        if isinstance(m, nn.Conv2d):
            nn.init.zeros_(m.weight)
        else:
            fill(m)
"""
    (test,) = asked_in("        fill(self)\n", after)
    assert (test.held, test.missed, test.within) == (3, (), "fill")


CALLBACK = """

def fill(m):
    name = m.__class__.__name__
    if name.find("Conv") != -1:
        nn.init.zeros_(m.weight)
    elif type(m) == nn.BatchNorm2d:
        nn.init.ones_(m.weight)
    elif hasattr(m, "wieght"):
        nn.init.ones_(m.wieght)
"""


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_callbacks_of_apply(where):
    if where == "inside":
        found = asked_in("        self.apply(fill)\n", CALLBACK)
    else:
        found = asked_in("", CALLBACK + "\nnet = Net()\nnet.apply(fill)\n")
    assert [counts(test) for test in found[:2]] == [
        ("class_name", "module", 9, 3, 0),
        ("class", "module", 6, 2, 0),
    ]
    assert counts(found[2])[:4] == ("attribute", "module", 4, 0)
    assert [test.exact for test in found] == [False, True, False]


def test_names_of_parameters():
    (test,) = asked_in("""        for name, p in self.named_parameters():
            if name == "conv.weight":
                nn.init.zeros_(p)
""")
    assert counts(test) == ("name", "parameter", 10, 0, 0)
    assert test.exact and "blocks.0.conv.weight" in test.asked


def test_dimensions_of_parameters():
    (test,) = asked_in("""        for p in self.parameters():
            if p.dim() > 4:
                nn.init.zeros_(p)
""")
    assert counts(test) == ("shape", "parameter", 10, 0, 0)


@pytest.mark.parametrize(
    ("loop", "subject"),
    [
        ("for m in self._modules:", "name"),
        ("for m in self.named_modules():", "pair"),
        ("for m in self.parameters():", "parameter"),
    ],
)
def test_a_loop_over_something_else(loop, subject):
    body = f"        {loop}\n            if isinstance(m, nn.Conv2d):\n"
    (test,) = asked_in(body + "                nn.init.zeros_(m.weight)\n")
    assert test.subject == subject and test.held == 0 and test.over


def test_negated_questions_guard_what_follows():
    (test,) = asked_in("""        for m in self.children():
            if not isinstance(m, nn.Linear):
                continue
            nn.init.zeros_(m.weight)
""")
    assert (test.held, test.fills) == (0, True)


def test_a_forward_asks_nothing():
    found = read(
        ["net.py"],
        {
            "net.py": BLOCKS
            + FORWARD.replace(
                "x = block(x)", "if isinstance(block, Block):\n                x = block(x)"
            )
        },
    )
    assert found.tests == ()


def test_one_that_another_model_satisfies_is_known_in_all():
    after = """

class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 8)
        self.apply(fill)

    def forward(self, x):
        return self.head(x)


def fill(m):
    if isinstance(m, nn.Linear):
        nn.init.zeros_(m.weight)
"""
    found = asked_in("        self.apply(fill)\n", after)
    assert {test.model: (test.held, test.elsewhere) for test in found} == {
        "Net": (0, True),
        "Other": (1, True),
    }
