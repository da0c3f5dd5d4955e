"""Existing init calls: corrected in place with their tensor kept, or left alone with a reason."""

from __future__ import annotations

import ast

import pytest
from marked import GAIN, KAIMING, PATH, STD, XAVIER, finding, fixed, refusal, rewritten, unmarked

from initlint.fix.rewrite import rewrite
from initlint.fix.text import Text
from initlint.records import Initializer

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn.init import xavier_uniform_\n\n"

CASES = [
    (
        "function of nn.init",
        XAVIER,
        "«nn.init.kaiming_uniform_(self.fc.weight)»",
        "nn.init.xavier_normal_(self.fc.weight)",
    ),
    (
        "arguments replaced",
        XAVIER,
        "«nn.init.kaiming_uniform_(self.w, a=math.sqrt(5))»",
        "nn.init.xavier_normal_(self.w)",
    ),
    (
        "spelled in full",
        XAVIER,
        "«torch.nn.init.normal_(m.weight, std=1)»",
        "torch.nn.init.xavier_normal_(m.weight)",
    ),
    (
        "imported by name",
        XAVIER,
        "xavier_uniform_(a); «xavier_uniform_(self.fc.weight)»",
        "xavier_uniform_(a); nn.init.xavier_normal_(self.fc.weight)",
    ),
    (
        "deprecated name",
        XAVIER,
        "«nn.init.xavier_uniform(self.fc.weight)»",
        "nn.init.xavier_normal_(self.fc.weight)",
    ),
    (
        "initialiser of another library",
        XAVIER,
        "«trunc_normal_(m.weight, std=0.02)»",
        "nn.init.xavier_normal_(m.weight)",
    ),
    (
        "tensor by keyword",
        XAVIER,
        "«nn.init.normal_(std=0.1, tensor=m.weight)»",
        "nn.init.xavier_normal_(m.weight)",
    ),
    (
        "method of the data",
        XAVIER,
        "«self.fc.weight.data.normal_(0, 1)»",
        "nn.init.xavier_normal_(self.fc.weight.data)",
    ),
    (
        "method of a member",
        XAVIER,
        "«self.net[0].weight.uniform_(-1, 1)»",
        "nn.init.xavier_normal_(self.net[0].weight)",
    ),
    (
        "tensor made on the spot",
        XAVIER,
        "self.w = nn.Parameter(«torch.empty(3, 4).normal_()»)",
        "self.w = nn.Parameter(nn.init.xavier_normal_(torch.empty(3, 4)))",
    ),
    (
        "tensor named twice",
        STD,
        "«nn.init.normal_(m.weight)»",
        "nn.init.normal_(m.weight, std=1.534 / m.weight[0].numel() ** 0.5)",
    ),
    (
        "tensor from getattr named twice",
        STD,
        "«nn.init.normal_(getattr(m, name))»",
        "nn.init.normal_(getattr(m, name), std=1.534 / getattr(m, name)[0].numel() ** 0.5)",
    ),
    (
        "tensor that needs parentheses",
        STD,
        "«nn.init.normal_(a if b else c)»",
        "nn.init.normal_((a if b else c), std=1.534 / (a if b else c)[0].numel() ** 0.5)",
    ),
    (
        "gain by name",
        GAIN,
        "«nn.init.xavier_normal_(m.weight)»",
        'nn.init.xavier_normal_(m.weight, gain=nn.init.calculate_gain("tanh"))',
    ),
    (
        "generator kept",
        XAVIER,
        "«nn.init.normal_(m.weight, generator=self.rng)»",
        "nn.init.xavier_normal_(m.weight, generator=self.rng)",
    ),
    (
        "inside a lambda",
        XAVIER,
        "model.apply(lambda m: «nn.init.normal_(m.weight)»)",
        "model.apply(lambda m: nn.init.xavier_normal_(m.weight))",
    ),
    (
        "on a line with others",
        XAVIER,
        "if m: «nn.init.normal_(m.weight)»; m.bias.data.zero_()  # both",
        "if m: nn.init.xavier_normal_(m.weight); m.bias.data.zero_()  # both",
    ),
    (
        "result returned",
        XAVIER,
        "def f(m):\n    return «nn.init.normal_(m.weight)»",
        "def f(m):\n    return nn.init.xavier_normal_(m.weight)",
    ),
    (
        "several lines become one",
        XAVIER,
        "«nn.init.normal_(\n    m.weight,\n    std=0.02,\n)»\nx = 1",
        "nn.init.xavier_normal_(m.weight)\nx = 1",
    ),
    (
        "attribute chain over several lines",
        XAVIER,
        "(\n    «m.weight\n    .data\n    .normal_()»\n)",
        "(\n    nn.init.xavier_normal_(m.weight\n    .data)\n)",
    ),
    (
        "two on one line",
        XAVIER,
        "«nn.init.normal_(a)»; «nn.init.normal_(b)»",
        "nn.init.xavier_normal_(a); nn.init.xavier_normal_(b)",
    ),
    (
        "values drawn where the tensor is made",
        XAVIER,
        "self.w = nn.Parameter(«torch.randn(3, 4, device=device)»)",
        "self.w = nn.Parameter(nn.init.xavier_normal_(torch.empty(3, 4, device=device)))",
    ),
    (
        "values drawn and scaled",
        XAVIER,
        "self.w = nn.Parameter(«torch.randn(3, n) * 0.02»)",
        "self.w = nn.Parameter(nn.init.xavier_normal_(torch.empty(3, n)))",
    ),
    (
        "values scaled from the left",
        XAVIER,
        "self.w = nn.Parameter(«scale * torch.rand((3, n))»)",
        "self.w = nn.Parameter(nn.init.xavier_normal_(torch.empty((3, n))))",
    ),
    (
        "values divided",
        XAVIER,
        "self.w = nn.Parameter(«torch.randn(3, n) / n ** 0.5»)",
        "self.w = nn.Parameter(nn.init.xavier_normal_(torch.empty(3, n)))",
    ),
    (
        "too long for a line",
        KAIMING,
        "«nn.init.normal_(self.a_rather_long_name.of_an_attribute.weight, std=0.02)»",
        "nn.init.kaiming_normal_(\n"
        "    self.a_rather_long_name.of_an_attribute.weight, "
        'mode="fan_in", nonlinearity="relu"\n)',
    ),
    (
        "characters of two bytes before it",
        XAVIER,
        "ü = 'ß'; «nn.init.normal_(größe.weight)»",
        "ü = 'ß'; nn.init.xavier_normal_(größe.weight)",
    ),
]


def names(source: str) -> list[str]:
    return ["fc.weight"] * source.count("«")


cases = pytest.mark.parametrize(
    ("call", "before", "after"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)


@cases
def test_corrected(call: Initializer, before: str, after: str) -> None:
    result = rewritten(f"{HEAD}{before}\n", names(before), calls=call, kind="correct")
    assert result == f"{HEAD}{after}\n"


@cases
def test_a_second_run_changes_nothing(call: Initializer, before: str, after: str) -> None:
    found = names(before)
    marked = _marked(after, len(found))
    assert rewritten(f"{HEAD}{marked}\n", found, calls=call, kind="correct") == f"{HEAD}{after}\n"


def _marked(source: str, count: int) -> str:
    """The first `count` corrected calls of a source, marked."""
    text = Text(source, "utf-8")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    spans = [text.span(call) for call in calls if "nn.init." in ast.unparse(call.func)]
    marks = [mark for start, end in sorted(spans)[:count] for mark in ((end, "»"), (start, "«"))]
    for offset, mark in sorted(marks, reverse=True):
        source = source[:offset] + mark + source[offset:]
    return source


REFUSALS = [
    (
        "not an initialiser",
        XAVIER,
        "self.w = nn.Parameter(«torch.eye(3)»)",
        "`torch.eye` gives the values here, and is not an initialiser to correct",
    ),
    (
        "method that does not fill",
        XAVIER,
        "«self.w.data.copy_(other)»",
        "`self.w.data.copy_` gives the values here, and is not an initialiser to correct",
    ),
    (
        "the user's own function",
        XAVIER,
        "«init_weights(self.w)»",
        "`init_weights` gives the values here, and is not an initialiser to correct",
    ),
    (
        "no tensor",
        XAVIER,
        "«nn.init.normal_(*args)»",
        "`nn.init.normal_` gives the values here, and is not an initialiser to correct",
    ),
    (
        "scaled afterwards by a method",
        XAVIER,
        "«self.w.data.normal_()».mul_(0.1)",
        "something is computed with the values that the call gives",
    ),
    (
        "scaled afterwards by an operator",
        XAVIER,
        "self.w = nn.Parameter(«torch.empty(3, 4).normal_()» * 0.1)",
        "something is computed with the values that the call gives",
    ),
    (
        "one row of it taken",
        XAVIER,
        "w = «torch.empty(3, 4).normal_()»[0]",
        "something is computed with the values that the call gives",
    ),
    (
        "comment inside",
        XAVIER,
        "«nn.init.normal_(\n    m.weight,\n    std=0.02,  # as in GPT-2\n)»",
        "there is a comment inside the call",
    ),
    (
        "tensor with an effect named twice",
        STD,
        "«nn.init.normal_(next(weights))»",
        "its tensor is made by an expression that must not be evaluated twice",
    ),
    (
        "tensor with a walrus named twice",
        STD,
        "«nn.init.normal_((w := m.weight))»",
        "its tensor is made by an expression that must not be evaluated twice",
    ),
    (
        "drawn by a generator of its own",
        XAVIER,
        "w = «torch.randn(3, 4, generator=g)»",
        "it is drawn by a generator of its own",
    ),
    (
        "tensor made on the spot named twice",
        STD,
        "w = «torch.randn(3, 4) * 0.02»",
        "its tensor is made by an expression that must not be evaluated twice",
    ),
    (
        "number divided by a draw",
        XAVIER,
        "w = «0.1 / torch.randn(3, 4)»",
        "something is computed with the values here, and no initialiser gives them",
    ),
    (
        "drawn and shifted",
        XAVIER,
        "w = «torch.randn(3, 4) + 1»",
        "something is computed with the values here, and no initialiser gives them",
    ),
]


@pytest.mark.parametrize(
    ("call", "source", "reason"), [pytest.param(*case[1:], id=case[0]) for case in REFUSALS]
)
def test_left_alone(call: Initializer, source: str, reason: str) -> None:
    assert refusal(f"{HEAD}{source}\n", ["fc.weight"], calls=call, kind="correct") == reason


def test_a_call_that_is_right_already_keeps_its_form() -> None:
    source = f"{HEAD}«nn.init.xavier_normal_( m.weight )»\n"
    assert rewritten(source, ["fc.weight"], calls=XAVIER, kind="correct") == unmarked(source)[0]


def test_calls_inside_one_another_are_both_refused() -> None:
    source = f"{HEAD}«nn.init.normal_(«nn.init.zeros_(w)»)»\n"
    result = fixed(source, ["w", "w"], calls=XAVIER, kind="correct")
    assert result.source.decode() == unmarked(source)[0]
    assert len(result.refused) == 2


def test_two_findings_that_agree_correct_once() -> None:
    clean, (site,) = unmarked(f"{HEAD}«nn.init.normal_(m.weight)»\n")
    both = [finding(site, name, XAVIER, "correct") for name in ("a.weight", "b.weight")]
    result = rewrite(clean.encode(), PATH, both)
    assert result.source.decode() == f"{HEAD}nn.init.xavier_normal_(m.weight)\n"
    assert result.fixed == tuple(both)


def test_insertions_and_corrections_in_one_run() -> None:
    source = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = «nn.Linear(3, 4)»
        self.b = nn.Linear(4, 5)
        «nn.init.normal_(self.b.weight)»
"""
    clean, (made, drawn) = unmarked(source)
    result = rewrite(
        clean.encode(),
        PATH,
        [finding(drawn, "b.weight", XAVIER, "correct"), finding(made, "a.weight", XAVIER)],
    )
    assert result.refused == ()
    assert result.source.decode().splitlines()[-2:] == [
        "        nn.init.xavier_normal_(self.b.weight)",
        "        nn.init.xavier_normal_(self.a.weight)",
    ]
