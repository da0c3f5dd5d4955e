"""The three forms of new calls, and what stays a call at the end of the constructor."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent, indent
from typing import Any

import pytest
import torch
from forms import FORMS, TAIL, Form
from marked import ONES, ZEROS, again, fixed, rewritten
from test_fix_forms import HALF, parameters_of

HEAD = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n=2):
        super().__init__()
"""
CONV = "self.conv = «nn.Conv2d(3, 4, 5)»"
BOTH = f"{CONV}\nself.fc = «nn.Linear(3, 4)»"
LAYERS = ("conv.weight", "fc.weight")


def net(body: str, head: str = HEAD, tail: str = TAIL) -> str:
    return f"{head}{indent(dedent(body).strip(), ' ' * 8)}\n{tail}"


METHODS = {
    "one layer": (
        net("self.fc = «nn.Linear(3, 4)»"),
        ("fc.weight",),
        """
        self.fc = nn.Linear(3, 4)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.zeros_(self.fc.weight)
""",
    ),
    "annotated as the constructor": (
        net(BOTH, HEAD.replace("n=2)", "n: int = 2) -> None")),
        LAYERS,
        """
        self.fc = nn.Linear(3, 4)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.fc.weight)
""",
    ),
    "loops and tests": (
        net(
            "self.fcs = nn.ModuleList([«nn.Linear(3, 4)» for _ in range(n)])\n"
            "self.down = «nn.Linear(3, 4)» if n else None"
        ),
        (("fcs.0.weight", "fcs.1.weight"), "down.weight"),
        """
        self.down = nn.Linear(3, 4) if n else None
        self.reset_parameters()

    def reset_parameters(self):
        for layer in self.fcs:
            nn.init.zeros_(layer.weight)
        if self.down is not None:
            nn.init.zeros_(self.down.weight)
""",
    ),
    "before weights are loaded": (
        net("self.fc = «nn.Linear(3, 4)»\nif n > 2:\n    self.load_state_dict(n)\nself.n = n"),
        ("fc.weight",),
        """
        self.fc = nn.Linear(3, 4)
        self.reset_parameters()
        if n > 2:
            self.load_state_dict(n)
        self.n = n

    def reset_parameters(self):
        nn.init.zeros_(self.fc.weight)
""",
    ),
    "a part in a branch stays there": (
        net(f"if n:\n    self.fc = «nn.Linear(3, 4)»\n{CONV}"),
        ("fc.weight", "conv.weight"),
        """
        if n:
            self.fc = nn.Linear(3, 4)
            nn.init.zeros_(self.fc.weight)
        self.conv = nn.Conv2d(3, 4, 5)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.zeros_(self.conv.weight)
""",
    ),
    "a dataclass": (
        net(
            "self.fc = «nn.Linear(3, 4)»",
            HEAD.replace("__init__(self, n=2)", "__post_init__(self)"),
        ),
        ("fc.weight",),
        """
        self.fc = nn.Linear(3, 4)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.zeros_(self.fc.weight)
""",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "names", "after"), METHODS.values(), ids=METHODS)
def test_method(before: str, names: tuple[Any, ...], after: str) -> None:
    result = rewritten(before, names, calls=ZEROS, style="method")
    assert result.endswith(f"{after.removeprefix(chr(10))}{TAIL}")
    assert again(before, result, names, calls=ZEROS, style="method") == result


STAYS = {
    "a subclass has such a method": net(
        "self.fc = «nn.Linear(3, 4)»",
        tail="\nclass Other(Net):\n    def reset_parameters(self):\n        pass\n",
    ),
    "it would hide the base's": net(
        "self.fc = «nn.Linear(3, 4)»", HEAD.replace("nn.Module", "nn.Linear")
    ),
    "the base is not known": net("self.fc = «nn.Linear(3, 4)»", HEAD.replace("nn.Module", "Base")),
    "the name is taken": net(
        "self.fc = «nn.Linear(3, 4)»", tail="\n    def reset_parameters(self, std):\n        pass\n"
    ),
    "not made in the constructor": net(
        "self.fc = «nn.Linear(3, 4)»", HEAD.replace("__init__(self", "build(self")
    ),
    "it names a local variable": net(
        "torch_nn = nn\nself.fc = «torch_nn.Linear(3, 4)» if n else torch_nn.Identity()"
    ),
}


@pytest.mark.parametrize("source", STAYS.values(), ids=STAYS)
def test_calls_stay_in_the_constructor_where(source: str) -> None:
    result = rewritten(source, ["fc.weight"], calls=ZEROS, style="method")
    assert result == rewritten(source, ["fc.weight"], calls=ZEROS)


APPLY = net(BOTH)
FUNCTION = """\
import torch
from torch import nn


def init_weights(module):
    if isinstance(module, nn.Conv2d):
        nn.init.zeros_(module.weight)
    elif isinstance(module, nn.Linear):
        nn.init.ones_(module.weight)


class Net(nn.Module):
    def __init__(self, n=2):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 5)
        self.fc = nn.Linear(3, 4)
        self.apply(init_weights)

    def forward(self, x):
        return x
"""


def test_apply() -> None:
    wanted: Mapping[str, Any] = {
        "calls": (ZEROS, ONES),
        "types": ("Conv2d", "Linear"),
        "style": "apply",
    }
    assert rewritten(APPLY, LAYERS, **wanted) == FUNCTION
    assert again(APPLY, FUNCTION, LAYERS, **wanted) == FUNCTION


def test_apply_serves_all_layers_of_a_type() -> None:
    source = net("self.a = «nn.Linear(3, 4)»\nself.b = «nn.Linear(3, 4, bias=False)»")
    names = ("a.weight", "b.weight")
    result = rewritten(
        source, names, calls=ZEROS, types=("Linear", "Linear"), style="apply", bias="zeros"
    )
    assert result.count("zeros_") == 2 and result.count("self.apply") == 1
    assert (
        "        if module.bias is not None:\n            nn.init.zeros_(module.bias)\n" in result
    )
    assert not parameters_of(result)["a.bias"].any()


def test_apply_goes_above_the_comment_of_the_class() -> None:
    source = net(CONV, HEAD.replace("class", "# A net.\nclass").replace("n=2)", "n=2) -> None"))
    result = rewritten(source, ["conv.weight"], calls=ZEROS, types=("Conv2d",), style="apply")
    start, _, rest = result.partition("# A net.\nclass Net")
    assert start.endswith("def init_weights(module: nn.Module) -> None:\n"
                          "    if isinstance(module, nn.Conv2d):\n"
                          "        nn.init.zeros_(module.weight)\n\n\n")  # fmt: skip
    assert rest.count("self.apply(init_weights)") == 1


KEPT = {
    "other layers of the type need another call": (net(CONV), ""),
    "the type has another name here": (net(CONV.replace("nn.Conv2d", "conv_of")), "Conv2d"),
    "the type is a local variable": (net(f"nn = n\n{CONV}"), "Conv2d"),
    "the name is taken": (net(CONV, HEAD.replace("class", "init_weights = 1\nclass")), "Conv2d"),
    "the weight is one of several": (net("self.conv = «nn.LSTM(3, 4)»"), "LSTM"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "type_"), KEPT.values(), ids=KEPT)
def test_types_do_not_decide_where(source: str, type_: str) -> None:
    name = "conv.weight_ih_l0" if type_ == "LSTM" else "conv.weight"
    head = "import torch.nn as torch_nn\n" if "nn = n" in source else ""
    result = rewritten(head + source, [name], calls=ZEROS, types=(type_,), style="apply")
    assert result == rewritten(head + source, [name], calls=ZEROS)


BIASES = {
    "has one": ("nn.Linear(3, 4)", ("nn.init.zeros_(self.fc.bias)",)),
    "says that it has one": ("nn.Conv1d(3, 4, 5, bias=True)", ("nn.init.zeros_(self.fc.bias)",)),
    "has none": ("nn.Linear(3, 4, bias=False)", ()),
    "has none by position": ("nn.Linear(3, 4, False)", ()),
    "may have one": (
        "nn.Linear(3, 4, bias=n > 1)",
        ("if self.fc.bias is not None:", "    nn.init.zeros_(self.fc.bias)"),
    ),
    "hands on its arguments": (
        "nn.Linear(3, 4, **{})",
        ("if self.fc.bias is not None:", "    nn.init.zeros_(self.fc.bias)"),
    ),
    "has a bias of another kind": ("nn.LSTM(3, 4)", ()),
}


@pytest.mark.parametrize(("layer", "lines"), BIASES.values(), ids=BIASES)
def test_biases(layer: str, lines: tuple[str, ...]) -> None:
    source = net(f"self.fc = «{layer}»")
    name = "fc.weight_ih_l0" if "LSTM" in layer else "fc.weight"
    without = rewritten(source, [name], calls=ONES)
    result = rewritten(source, [name], calls=ONES, bias="zeros")
    added = indent("".join(f"{line}\n" for line in lines), " " * 8)
    assert result == without.replace(TAIL, f"{added}{TAIL}")
    values = parameters_of(result)
    assert not lines or "fc.bias" not in values or not values["fc.bias"].any()
    assert again(source, result, [name], calls=ONES, bias="zeros") == result


def test_biases_of_a_run_share_its_loop() -> None:
    body = "\n".join(f"self.{name} = «nn.Linear(3, 4)»" for name in "abc")
    result = rewritten(net(body), [f"{n}.weight" for n in "abc"], calls=ONES, bias="zeros")
    assert result.endswith(
        "        for layer in (self.a, self.b, self.c):\n"
        "            nn.init.ones_(layer.weight)\n"
        f"            nn.init.zeros_(layer.bias)\n{TAIL}"
    )
    assert (
        again(net(body), result, [f"{n}.weight" for n in "abc"], calls=ONES, bias="zeros") == result
    )


@pytest.mark.parametrize("style", ["method", "apply"])
@pytest.mark.parametrize("form", FORMS, ids=[form.id for form in FORMS])
def test_every_form_has_the_same_effect_in_every_style(form: Form, style: str) -> None:
    types = [""] * len(form.names)
    result = fixed(form.before, form.names, calls=HALF, types=types, style=style, bias="zeros")
    assert result.refused == () or {reason for _, reason in result.refused} == {
        "the statement that makes it shares its line with other code"
    }
    named = {n for names in form.names for n in ([names] if isinstance(names, str) else names)}
    values = parameters_of(result.source.decode())
    filled = {n for n, value in values.items() if bool((value == torch.tensor(0.5)).all())}
    assert filled == (named if not result.refused else set())
