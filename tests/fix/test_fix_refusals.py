"""Layers that are left alone, each with the reason that the user reads."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent, indent

import pytest
from forms import HEAD, TAIL
from marked import KAIMING, PATH, XAVIER, Names, finding, fixed, refusal, unmarked

from initlint.fix.rewrite import rewrite
from initlint.records import Site

# Bodies of a constructor.
BODIES: list[tuple[str, Names, str, str]] = [
    (
        "lambda",
        "fc.weight",
        "self.make = lambda: «nn.Linear(3, 4)»",
        "it is made inside a lambda, where no statement can follow",
    ),
    (
        "lambda in a container",
        "fcs.0.weight",
        "self.fcs = Lazy(lambda: «nn.Linear(3, 4)»)",
        "it is made inside a lambda, where no statement can follow",
    ),
    (
        "walrus",
        "fc.weight",
        "self.fc = (fc := «nn.Linear(3, 4)»)",
        "it is named by `:=` inside an expression, where no statement fits",
    ),
    (
        "yielded",
        "fc.weight",
        "yield «nn.Linear(3, 4)»",
        "the expr statement that makes it gives it no name",
    ),
    (
        "head of a loop",
        "fc.weight",
        "for fc in [«nn.Linear(3, 4)»]:\n    self.fc = fc",
        "the for statement that makes it gives it no name",
    ),
    (
        "condition",
        "fc.weight",
        "if «nn.Linear(3, 4)»:\n    pass",
        "the if statement that makes it gives it no name",
    ),
    (
        "context manager",
        "fc.weight",
        "with «nn.Linear(3, 4)» as fc:\n    self.fc = fc",
        "the with statement that makes it gives it no name",
    ),
    (
        "assertion",
        "fc.weight",
        "assert «nn.Linear(3, 4)»",
        "the assert statement that makes it gives it no name",
    ),
    (
        "returned from a line of a branch",
        "0.weight",
        "if n: return «nn.Linear(3, 4)»",
        "the statement that makes it shares its line with other code",
    ),
    (
        "returned where all names are taken",
        "0.weight",
        "layer = 1\nreturn «nn.Linear(layer, 4)»",
        "it is returned without a name, and the names to give it are taken",
    ),
    (
        "frozen by its method",
        "fc.weight",
        "self.fc = «nn.Linear(3, 4)»\nself.fc.requires_grad_(False)",
        "it is frozen: its weights are not meant to be trained",
    ),
    (
        "frozen by its weight",
        "fc.weight",
        "self.fc = «nn.Linear(3, 4)»\nself.fc.weight.requires_grad = False",
        "it is frozen: its weights are not meant to be trained",
    ),
    (
        "frozen with what is around it",
        "net.0.weight",
        "self.net = nn.Sequential(«nn.Linear(3, 4)»)\n"
        "for p in self.net.parameters():\n    p.requires_grad = False",
        "it is frozen: its weights are not meant to be trained",
    ),
    (
        "frozen with the whole model",
        "fc.weight",
        "self.fc = «nn.Linear(3, 4)»\nfor p in self.parameters():\n    p.requires_grad_(False)",
        "it is frozen: its weights are not meant to be trained",
    ),
    (
        "wrapped by LoRA",
        "fc.base.weight",
        "self.fc = LoRALinear(«nn.Linear(3, 4)», rank=2)",
        "it is passed to `LoRALinear`, which wraps its weight",
    ),
    (
        "quantised",
        "fc.base.weight",
        "self.fc = quantize_dynamic(«nn.Linear(3, 4)»)",
        "it is passed to `quantize_dynamic`, which wraps its weight",
    ),
    (
        "two starred runs around it",
        "net.3.weight",
        "self.net = nn.Sequential(*a, «nn.Linear(3, 4)», *b)",
        "starred members are before and after it, so its index is not known",
    ),
    (
        "comprehension between starred runs",
        "net.3.weight",
        "self.net = nn.Sequential(*a, *[«nn.Linear(3, 4)» for _ in range(n)])",
        "starred members are before and after it, so its place is not known",
    ),
    (
        "starred conditional list",
        "net.0.weight",
        "self.net = nn.Sequential(*([«nn.Linear(3, 4)»] if n else []))",
        "it is made inside a starred expression that is not a comprehension",
    ),
    (
        "filtered list",
        "net.0.weight",
        "self.net = nn.Sequential(*filter(None, [«nn.Linear(3, 4)», None]))",
        "it is made inside a starred expression that is not a comprehension",
    ),
    (
        "repeated list is one shared layer",
        "fcs.0.weight",
        "self.fcs = nn.ModuleList([«nn.Linear(3, 4)»] * n)",
        "it is made inside a starred expression that is not a comprehension",
    ),
    (
        "argument of a comprehension's source",
        "fcs.0.weight",
        "self.fcs = nn.ModuleList([fc for fc in clones(«nn.Linear(3, 4)»)])",
        "it is made in the head of a comprehension",
    ),
    (
        "flattened pairs with a condition",
        "net.0.weight",
        """
        self.net = nn.Sequential(
            *[m for _ in range(n) for m in («nn.Linear(3, 3)», nn.ReLU()) if use(m)]
        )
        """,
        "it is made in the head of a comprehension",
    ),
    (
        "extended by an unknown number",
        "fcs.0.weight",
        "self.fcs.extend([«nn.Linear(3, 4)» for _ in range(n)])",
        "the number of members added after it is not known",
    ),
    (
        "something unknown appended after it",
        "net.0.weight",
        "layers += [«nn.Linear(3, 4)», *others]",
        "the number of members added after it is not known",
    ),
    (
        "added as it is",
        "net.0.weight",
        "layers += «make_layers(3, 4)»",
        "the number of members added after it is not known",
    ),
    (
        "in the index of what is added to",
        "net.0.weight",
        "layers[«len(layers)»] += [nn.ReLU()]",
        "the augassign statement that makes it gives it no name",
    ),
    (
        "inserted at a computed place",
        "net.0.weight",
        "layers.insert(n, «nn.Linear(3, 4)»)",
        "it is passed to `layers.insert`, which does not say where it goes",
    ),
    (
        "handed to an unknown method",
        "fc.weight",
        "self.add(«nn.Linear(3, 4)»)",
        "it is passed to `self.add`, which does not say where it goes",
    ),
    (
        "handed to the constructor of an unknown base",
        "fc.weight",
        "super().__init__(«nn.Linear(3, 4)»)",
        "it is passed to `super().__init__`, which does not say where it goes",
    ),
    (
        "handed to a function, kept in a local variable",
        "net.0.fn.weight",
        "block = Residual(«nn.Linear(3, 4)»)",
        "it is passed to `Residual`, which keeps it in an unknown place",
    ),
    (
        "handed on twice",
        "block.a.b.weight",
        "self.block = Outer(Inner(«nn.Linear(3, 4)»))",
        "it is passed to `Outer`, which keeps it in an unknown place",
    ),
    (
        "copied into several places",
        ("fcs.0.weight", "fcs.1.weight"),
        "self.fcs = clones(«nn.Linear(3, 4)», 2)",
        "the function it is passed to keeps it in several places",
    ),
    (
        "handed on, and the names do not fit",
        "other.weight",
        "self.block = Residual(«nn.Linear(3, 4)»)",
        "it is passed to `Residual`, which keeps it in an unknown place",
    ),
    (
        "handed on, and the names fit twice",
        "block.block.weight",
        "self.block = Residual(«nn.Linear(3, 4)»)",
        "it is passed to `Residual`, which keeps it in an unknown place",
    ),
    (
        "handed on, then replaced",
        "block.fn.weight",
        "self.block = Residual(«nn.Linear(3, 4)»)\nself.block = Other(self.block)",
        "a later statement changes where it is kept",
    ),
    (
        "weight norm",
        "fc.parametrizations.weight.original1",
        "self.fc = weight_norm(«nn.Linear(3, 4)»)",
        "its weight is reparametrised: other tensors make it up",
    ),
    (
        "weight norm, old style",
        "fc.weight_v",
        "self.fc = weight_norm(«nn.Linear(3, 4)»)",
        "its weight is reparametrised: other tensors make it up",
    ),
    (
        "lazy layer",
        "fc.weight",
        "self.fc = «nn.LazyLinear(4)»",
        "a lazy layer may have no weight yet where the constructor ends",
    ),
    (
        "attention in a local variable",
        "net.0.out_proj.weight",
        "attention = «nn.MultiheadAttention(8, 2)»",
        "it is not known which weight of `MultiheadAttention` is meant",
    ),
    (
        "unknown layer that the model names otherwise",
        "body.weight",
        "self.fc = «make_layer(3, 4)»",
        "the model's name `body.weight` does not say where in it the weight is",
    ),
    (
        "arms of the same class",
        "fc.weight",
        "self.fc = «nn.Linear(3, 4)» if n else nn.Linear(3, 5)",
        "it is one arm of a conditional expression that cannot be told from the other",
    ),
    (
        "other arm made elsewhere",
        "fc.weight",
        "self.fc = «nn.Linear(3, 4)» if n else given",
        "it is one arm of a conditional expression that cannot be told from the other",
    ),
    (
        "other arm perhaps a subclass",
        "fc.weight",
        "self.fc = «nn.Linear(3, 4)» if n else MyLinear(3, 4)",
        "it is one arm of a conditional expression that cannot be told from the other",
    ),
    (
        "other arm a number",
        "gamma",
        "self.gamma = «nn.Parameter(torch.ones(3))» if n else 1.0",
        "it is one arm of a conditional expression that cannot be told from the other",
    ),
    (
        "test of a conditional expression",
        "fc.weight",
        "self.fc = a if «nn.Linear(3, 4)» else b",
        "it is made in the test of a conditional expression",
    ),
    (
        "given layer or a new one",
        "fc.weight",
        "self.fc = given or «nn.Linear(3, 4)»",
        "it is made inside an expression that gives it no name",
    ),
    (
        "method called on it",
        "fc.weight",
        "self.fc = «nn.Linear(3, 4)».forward",
        "it is made inside an expression that gives it no name",
    ),
    (
        "result of a method kept instead",
        "fc.weight",
        "self.w = «nn.Linear(3, 4)».state_dict()",
        "a method is called on it where it is made, and the result kept instead",
    ),
    (
        "unpacked",
        "a.weight",
        "self.a, self.b = clones(«nn.Linear(3, 4)»)",
        "it is unpacked into several names",
    ),
    (
        "assigned under a key with an effect",
        "fcs.0.weight",
        "self.fcs[next(keys)] = «nn.Linear(3, 4)»",
        "its assignment target cannot be evaluated a second time",
    ),
    (
        "registered under a name with an effect",
        "fc.weight",
        "self.add_module(names.pop(), «nn.Linear(3, 4)»)",
        "its assignment target cannot be evaluated a second time",
    ),
    (
        "computed key of a ModuleDict",
        "heads.a.weight",
        "self.heads = nn.ModuleDict({key: «nn.Linear(3, 4)»})",
        "its key in the dict is not a plain string",
    ),
    (
        "computed name in an OrderedDict",
        "net.a.weight",
        "self.net = nn.Sequential(OrderedDict([(key, «nn.Linear(3, 4)»)]))",
        "its name in the OrderedDict is not a plain string",
    ),
    (
        "name that is not an identifier",
        "net.fc-1.weight",
        'self.net = nn.Sequential(OrderedDict([("fc-1", «nn.Linear(3, 4)»)]))',
        'its name "fc-1" is not an identifier',
    ),
    (
        "OrderedDict of something unknown",
        "net.fc.weight",
        "self.net = nn.Sequential(OrderedDict(named(«nn.Linear(3, 4)»)))",
        "its OrderedDict is not written as a list of pairs or a dict",
    ),
    (
        "container given by keyword",
        "fcs.0.weight",
        "self.fcs = nn.ModuleList(modules=[«nn.Linear(3, 4)»])",
        "it is passed to `ModuleList` by keyword",
    ),
    (
        "every loop variable taken",
        "fcs.0.weight",
        """
        layer = module = member = the_layer = n
        self.fcs = nn.ModuleList([«nn.Linear(3, 4)» for _ in range(n)])
        """,
        "all the names that a loop over its members could use are taken",
    ),
]

# Whole modules.
MODULES: list[tuple[str, Names, str, str]] = [
    (
        "decorator",
        "fc.weight",
        "@register(«nn.Linear(3, 4)»)\ndef f():\n    pass\n",
        "it is made in a decorator or a default argument",
    ),
    (
        "default argument",
        "fc.weight",
        "def f(fc=«nn.Linear(3, 4)»):\n    pass\n",
        "it is made in a decorator or a default argument",
    ),
    (
        "body of a class",
        "fc.weight",
        "class Net(nn.Module):\n    fc = «nn.Linear(3, 4)»\n",
        "it is made in the body of a class, not in a method",
    ),
    (
        "base of a class",
        "fc.weight",
        "class Net(base(«nn.Linear(3, 4)»)):\n    pass\n",
        "the classdef statement that makes it gives it no name",
    ),
    (
        "nn is a parameter",
        "fc.weight",
        "def f(nn):\n    fc = «nn.Linear(3, 4)»\n",
        "the file has no name for torch.nn.init, and `nn` means something else",
    ),
    (
        "nn is a variable of the function around",
        "fc.weight",
        "def f():\n    nn = 3\n\n    def g():\n        fc = «Linear(3, 4)»\n",
        "the file has no name for torch.nn.init, and `nn` means something else",
    ),
    (
        "nn defined by the file itself",
        "fc.weight",
        "nn = namespace()\nfc = «nn.Linear(3, 4)»\n",
        "the file has no name for torch.nn.init, and `nn` means something else",
    ),
]


@pytest.mark.parametrize(
    ("names", "body", "reason"),
    [pytest.param(*case[1:], id=case[0]) for case in BODIES],
)
def test_in_a_constructor(names: Names, body: str, reason: str) -> None:
    source = f"{HEAD}{indent(dedent(body).strip(), ' ' * 8)}\n{TAIL}"
    assert refusal(source, [names]) == reason


@pytest.mark.parametrize(
    ("names", "source", "reason"), [pytest.param(*case[1:], id=case[0]) for case in MODULES]
)
def test_in_a_module(names: Names, source: str, reason: str) -> None:
    prefix = "" if source.startswith("nn =") else "from torch import nn\n\n\n"
    assert refusal(prefix + source, [names]) == reason


SOURCE = f"{HEAD}        self.fc = «nn.Linear(3, 4)»\n{TAIL}"


def reasons(source: bytes, *findings: object) -> list[str]:
    result = rewrite(source, PATH, findings)  # type: ignore[arg-type]
    assert result.source == source
    assert result.fixed == ()
    return [reason for _, reason in result.refused]


def test_findings_of_another_file() -> None:
    clean, (site,) = unmarked(SOURCE)
    elsewhere = finding(replace(site, path="other.py"), "fc.weight")
    assert reasons(clean.encode(), elsewhere) == ["its fix belongs into other.py"]


def test_a_site_where_no_call_is() -> None:
    clean, _ = unmarked(SOURCE)
    wrong = finding(Site(PATH, 3, 1, 3, 4), "fc.weight")
    beyond = finding(Site(PATH, 300, 1, 300, 4), "fc.weight")
    text = "there is no call at {}: the file is not the one that was read"
    assert reasons(clean.encode(), wrong, beyond) == [text.format("3:1"), text.format("300:1")]


def test_a_fix_for_show() -> None:
    clean, (site,) = unmarked(SOURCE)
    shown = finding(site, "fc.weight", applicability="display")
    assert reasons(clean.encode(), shown) == ["its fix is a proposal to read, not to apply"]


def test_an_unknown_kind_of_fix() -> None:
    clean, (site,) = unmarked(SOURCE)
    odd = finding(site, "fc.weight", kind="remove")
    assert reasons(clean.encode(), odd) == ["a fix of the kind 'remove' is not known"]


def test_two_findings_that_disagree_are_both_refused() -> None:
    clean, (site,) = unmarked(SOURCE)
    both = [finding(site, "fc.weight", KAIMING), finding(site, "fc.weight", XAVIER)]
    reason = "another finding wants another call for the same weight"
    assert reasons(clean.encode(), *both) == [reason, reason]


def test_a_refusal_leaves_the_other_findings_alone() -> None:
    body = "self.a = «nn.Linear(3, 4)»\n        self.b = a or «nn.Linear(3, 5)»"
    result = fixed(f"{HEAD}        {body}\n{TAIL}", ["a.weight", "b.weight"])
    assert [f.parameter for f in result.fixed] == ["a.weight"]
    assert [f.parameter for f, _ in result.refused] == ["b.weight"]
    assert b"kaiming_normal_(self.a.weight" in result.source


def test_findings_without_a_fix_are_passed_over() -> None:
    clean, (site,) = unmarked(SOURCE)
    spoken = replace(finding(site, "fc.weight"), fix=None)
    assert reasons(clean.encode(), spoken) == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"def f(:\n", "the file cannot be parsed"),
        (b"x = '\0'\n", "the file cannot be parsed"),
        (b"# coding: nonsense\n", "the file cannot be decoded"),
        (b"x = '\xff'\n", "the file cannot be decoded"),
        (b"x = " + b"(" * 500 + b")" * 500, "the file cannot be parsed"),
    ],
    ids=["syntax error", "null byte", "unknown encoding", "wrong encoding", "too deep"],
)
def test_files_that_cannot_be_read(source: bytes, reason: str) -> None:
    (found,) = reasons(source, finding(Site(PATH, 1, 1, 1, 2), "fc.weight"))
    assert found.startswith(reason)
