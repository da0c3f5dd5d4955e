"""Initialisation that stands there already is extended; what runs later is reckoned with."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent, indent

import pytest
from marked import PATH, ZEROS, again, finding, rewritten, unmarked

from initlint.fix.rewrite import rewrite
from initlint.fix.text import comments_of
from initlint.records import Initializer

HEAD = """\
import torch
from torch import nn


"""
CLASS = """\
class Net(nn.Module):
    def __init__(self, n=2):
        super().__init__()
        self.conv = «nn.Conv2d(3, 4, 5)»
"""


def method(name: str, body: str, called: str = "") -> str:
    """A class with a method that its constructor calls."""
    call = f"        {called or f'self.{name}()'}\n"
    return f"{HEAD}{CLASS}{call}\n    def {name}(self):\n{indent(dedent(body), ' ' * 8)}"


def applied(body: str, call: str = "self.apply(init)", parameter: str = "m") -> str:
    """A class that applies a function to all its modules."""
    function = f"def init({parameter}):\n{indent(dedent(body), ' ' * 4)}\n\n"
    return f"{HEAD}{function}{CLASS}        {call}\n"


EXTENDED = {
    "reset_parameters": (method("reset_parameters", "pass\n"), "nn.init.zeros_(self.conv.weight)"),
    "init_weights": (method("init_weights", "self.n = 1\n"), "nn.init.zeros_(self.conv.weight)"),
    "_init_weights": (method("_init_weights", "pass  # n\n"), "nn.init.zeros_(self.conv.weight)"),
    "method with loops": (
        method("reset_parameters", "for m in self.modules():\n    print(m)\n    # all\n"),
        "nn.init.zeros_(self.conv.weight)",
    ),
}


@pytest.mark.parametrize(("source", "line"), EXTENDED.values(), ids=EXTENDED)
@pytest.mark.parametrize("style", ["init", "method", "apply"])
def test_a_called_method_is_extended(source: str, line: str, style: str) -> None:
    result = rewritten(source, ["conv.weight"], calls=ZEROS, types=("Conv2d",), style=style)
    assert result == f"{unmarked(source)[0]}        {line}\n"
    assert again(source, result, ["conv.weight"], calls=ZEROS, style=style) == result


PASSED_OVER = {
    "nobody calls it": method("reset_parameters", "pass\n", "self.n = 1"),
    "it is called with an argument": method(
        "reset_parameters", "pass\n", "self.reset_parameters(n)"
    ),
    "it may leave early": method("reset_parameters", "if self.n:\n    return\nself.n = 1\n"),
    "it loads weights": method("reset_parameters", "self.load_state_dict(torch.load('a'))\n"),
    "it is a method of another kind": method("build", "pass\n"),
    "it is called before the layer is made": HEAD
    + CLASS.replace("        self.conv", "        self.reset_parameters()\n        self.conv")
    + "\n    def reset_parameters(self):\n        pass\n",
}


@pytest.mark.parametrize("source", PASSED_OVER.values(), ids=PASSED_OVER)
def test_a_method_is_left_alone_where(source: str) -> None:
    result = rewritten(source, ["conv.weight"], calls=ZEROS)
    constructor, _, rest = result.partition("\n    def ")[2].partition("\n    def ")
    assert constructor.rstrip().endswith("nn.init.zeros_(self.conv.weight)")
    assert "zeros_" not in rest


ARMS = {
    "an arm for the type is added": (
        applied("if isinstance(m, nn.Linear):\n    pass  # none\n"),
        "    elif isinstance(m, nn.Conv2d):\n        nn.init.zeros_(m.weight)\n",
    ),
    "an arm is added to several": (
        applied(
            "if isinstance(m, nn.Linear):\n    pass\n"
            "elif isinstance(m, (nn.GRU, nn.LSTM)):\n    pass\n"
        ),
        "    elif isinstance(m, nn.Conv2d):\n        nn.init.zeros_(m.weight)\n",
    ),
    "the arm of the type is extended": (
        applied("if isinstance(m, nn.Conv2d):\n    nn.init.zeros_(m.bias)\n"),
        "        nn.init.zeros_(m.weight)\n",
    ),
    "the arm of several types is narrowed": (
        applied("if isinstance(m, (nn.Conv2d, nn.Linear)):\n    nn.init.zeros_(m.bias)\n"),
        "        if isinstance(m, nn.Conv2d):\n            nn.init.zeros_(m.weight)\n",
    ),
    "the arm of types joined by or is narrowed": (
        applied("if isinstance(m, nn.Conv2d) or isinstance(m, nn.Linear):\n    pass\n"),
        "        if isinstance(m, nn.Conv2d):\n            nn.init.zeros_(m.weight)\n",
    ),
    "a method that is applied": (
        HEAD + CLASS + "        self.apply(self._init)\n\n    def _init(self, module):\n"
        "        if isinstance(module, nn.Linear):\n            pass\n",
        "        elif isinstance(module, nn.Conv2d):\n            nn.init.zeros_(module.weight)\n",
    ),
    "the hook of transformers": (
        HEAD + CLASS + "        self.post_init()\n\n    def _init_weights(self, module):\n"
        "        if isinstance(module, nn.Linear):\n            pass\n",
        "        elif isinstance(module, nn.Conv2d):\n            nn.init.zeros_(module.weight)\n",
    ),
}


@pytest.mark.parametrize(("source", "arm"), ARMS.values(), ids=ARMS)
@pytest.mark.parametrize("style", ["init", "method", "apply"])
def test_a_callback_is_extended(source: str, arm: str, style: str) -> None:
    wanted = {"calls": ZEROS, "types": ("Conv2d",), "style": style}
    result = rewritten(source, ["conv.weight"], **wanted)
    clean = unmarked(source)[0]
    assert arm in result and result.replace(arm, "", 1) == clean
    assert comments_of(result) == comments_of(clean)
    assert again(source, result, ["conv.weight"], **wanted) == result


ALONE = {
    "its test is by name": applied("if m.__class__.__name__.find('Linear') != -1:\n    pass\n"),
    "it has an else": applied("if isinstance(m, nn.Linear):\n    pass\nelse:\n    print(m)\n"),
    "it returns early": applied(
        "if isinstance(m, nn.GRU):\n    return\nelif isinstance(m, nn.Linear):\n    pass\n"
    ),
    "it has no arms": applied("print(m)\n"),
    "it loops": applied(
        "for p in m.parameters():\n    pass\nif isinstance(m, nn.Linear):\n    pass\n"
    ),
    "it takes more than a module": applied(
        "if isinstance(m, nn.Linear):\n    pass\n", parameter="m, std"
    ),
    "it is bound by partial": applied(
        "if isinstance(m, nn.Linear):\n    pass\n", "self.apply(partial(init))"
    ),
    "the type is tested with another": applied(
        "if isinstance(m, nn.Linear) and m.bias is None:\n    pass\n"
    ),
    "it is applied to a part": applied(
        "if isinstance(m, nn.Linear):\n    pass\n", "self.conv.apply(init)"
    ),
}


@pytest.mark.parametrize("source", ALONE.values(), ids=ALONE)
def test_a_callback_is_left_alone_where(source: str) -> None:
    result = rewritten(source, ["conv.weight"], calls=ZEROS, types=("Conv2d",))
    call = "        nn.init.zeros_(self.conv.weight)\n"
    assert result == unmarked(source)[0] + call


def test_an_arm_takes_no_part_where_the_type_does_not_decide() -> None:
    source = applied("if isinstance(m, nn.Linear):\n    pass\n")
    assert rewritten(source, ["conv.weight"], calls=ZEROS).endswith("zeros_(self.conv.weight)\n")


LATER = (
    HEAD
    + """\
def init(m):
    if isinstance(m, nn.Linear):
        «nn.init.ones_(m.weight)»


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = «nn.Linear(3, 3)»


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block() for _ in range(3)])
        self.apply(init)
        self.n = 3  # blocks
"""
)


def later(source: str, names: tuple[str, ...], model: str = "Net") -> tuple[str, list[str]]:
    """The rewriting where the first mark is the call that fills the layers of the second."""
    clean, (present, made) = unmarked(source)
    current = Initializer("ones_", {}, 0.0, site=present)
    wanted = replace(finding(made, names, ZEROS), current=current, model=f"{PATH}:{model}")
    result = rewrite(clean.encode(), PATH, [wanted])
    return result.source.decode(), [reason for _, reason in result.refused]


def test_calls_come_after_what_would_undo_them() -> None:
    names = tuple(f"blocks.{i}.fc.weight" for i in range(3))
    result, reasons = later(LATER, names)
    call = "        for block in self.blocks:\n            nn.init.zeros_(block.fc.weight)\n"
    assert result == unmarked(LATER)[0] + call and reasons == []


def test_calls_come_after_it_one_by_one_for_some_members() -> None:
    result, reasons = later(LATER, ("blocks.0.fc.weight", "blocks.2.fc.weight"))
    lines = [f"        nn.init.zeros_(self.blocks[{i}].fc.weight)\n" for i in (0, 2)]
    assert result == unmarked(LATER)[0] + "".join(lines) and reasons == []


def test_calls_come_after_a_later_loop_of_the_same_constructor() -> None:
    source = HEAD + dedent("""\
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            layers = []
            layers.append(«nn.Linear(3, 3)»)
            self.net = nn.Sequential(*layers)
            for m in self.net:
                «nn.init.ones_(m.weight)»
    """)
    clean, (made, present) = unmarked(source)
    current = Initializer("ones_", {}, 0.0, site=present)
    wanted = replace(finding(made, "net.0.weight", ZEROS), current=current)
    result = rewrite(clean.encode(), PATH, [wanted])
    assert result.refused == ()
    assert result.source.decode() == f"{clean}        nn.init.zeros_(self.net[0].weight)\n"


UNDONE = {
    "the class is not the model": (LATER, "Outer", "`init`, which `Net` calls, would undo it"),
    "it may leave early": (
        LATER.replace("self.n = 3  # blocks", "if self.n:\n            return"),
        "Net",
        "`init` would undo it, and calls cannot follow that",
    ),
    "its line is shared": (
        LATER.replace("self.n = 3  # blocks", "self.n = 3; self.m = 4 ;"),
        "Net",
        "`init` would undo it, and shares its line",
    ),
}


@pytest.mark.parametrize(("source", "model", "reason"), UNDONE.values(), ids=UNDONE)
def test_refused_where(source: str, model: str, reason: str) -> None:
    result, reasons = later(source, ("blocks.0.fc.weight",), model)
    assert result == unmarked(source)[0] and reasons == [reason]


def test_calls_come_before_what_is_loaded_after_it() -> None:
    load = "        self.load_state_dict(torch.load('a'))"
    source = LATER.replace("        self.n = 3  # blocks", load)
    result, reasons = later(source, ("blocks.0.fc.weight",))
    call = "        nn.init.zeros_(self.blocks[0].fc.weight)\n"
    assert result == unmarked(source)[0].replace(load, call + load) and reasons == []


def test_refused_where_its_layers_are_members_of_no_one_list() -> None:
    names = tuple(f"blocks.{i}.fc.{j}.weight" for i in range(3) for j in range(3))
    result, reasons = later(LATER, names)
    assert reasons == [
        "a later call would undo it, and its layers are not members of a single list"
    ]
    assert result == unmarked(LATER)[0]
