"""Errors that initialisers raise within a `try`: what comes behind them there is not run."""

from __future__ import annotations

import textwrap

import pytest

import initlint

NET = """\
import contextlib
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8, bias=False)
        self.norm = nn.LayerNorm(8)
        self.act = nn.ReLU()
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.act(self.norm(self.fc(x))))

def seven(tensor):
    nn.init.constant_(tensor, 7.0)

net = Net()
"""
ALL = {"fc.weight", "norm.weight", "norm.bias", "head.weight", "head.bias"}
# What ends as sevens.
CAUGHT = {
    "every parameter, and 1-D ones fail": (
        """
        for name, p in net.named_parameters():
            seven(p)
            try:
                nn.init.xavier_normal_(p.data)
            except:
                pass
        """,
        {"norm.weight", "norm.bias", "head.bias"},
    ),
    "the handler fills": (
        """
        for name, p in net.named_parameters():
            try:
                if 'bias' in name:
                    nn.init.constant_(p, 0.0)
                elif 'weight' in name:
                    nn.init.kaiming_normal_(p)
            except Exception as e:
                if 'weight' in name:
                    p.data.fill_(7)
                continue
        """,
        {"norm.weight"},
    ),
    "what stands behind the error": (
        """
        for m in net.modules():
            try:
                nn.init.xavier_uniform_(m.weight)
                seven(m.weight)
                seven(m.bias)
            except (AttributeError, ValueError):
                pass
        """,
        {"fc.weight", "head.weight", "head.bias"},
    ),
    "a bias that is not there": (
        """
        for m in (net.fc, net.head):
            try:
                m.bias.data.fill_(7)
                m.weight.data.fill_(7)
            except AttributeError:
                pass
        """,
        {"head.weight", "head.bias"},
    ),
    "an attribute that is not there": (
        """
        for m in (net.fc, net.norm):
            try:
                m.gain.data.fill_(1)
                m.weight.data.fill_(7)
            except AttributeError:
                m.bias = nn.Parameter(torch.full((8,), 7.0)) if m is net.norm else m.bias
        """,
        {"norm.bias"},
    ),
    "the else of a try": (
        """
        for p in net.parameters():
            try:
                nn.init.orthogonal_(p)
            except ValueError:
                pass
            else:
                seven(p)
        """,
        {"fc.weight", "head.weight"},
    ),
    "the finally of a try": (
        """
        for p in net.parameters():
            try:
                nn.init.orthogonal_(p)
            except ValueError:
                pass
            finally:
                seven(p)
        """,
        ALL,
    ),
    "in a function that is called there": (
        """
        def fill(p):
            nn.init.xavier_normal_(p)
            seven(p)

        for p in net.parameters():
            try:
                fill(p)
            except ValueError:
                pass
        """,
        {"fc.weight", "head.weight"},
    ),
    "in a callback": (
        """
        def fill(m):
            try:
                nn.init.kaiming_uniform_(m.weight)
                seven(m.bias)
            except Exception:
                pass

        net.apply(fill)
        """,
        {"head.bias"},
    ),
    "suppressed": (
        """
        for p in net.parameters():
            with contextlib.suppress(ValueError):
                nn.init.xavier_normal_(p)
                seven(p)
        """,
        {"fc.weight", "head.weight"},
    ),
    "an error that is raised by hand": (
        """
        for p in net.parameters():
            with contextlib.suppress(ValueError):
                if p.dim() < 2:
                    raise ValueError(p.shape)
                seven(p)
        """,
        {"fc.weight", "head.weight"},
    ),
    "the gain of an activation that torch does not know": (
        """
        try:
            gain = nn.init.calculate_gain("gelu")
            seven(net.fc.weight)
        except ValueError:
            gain = 1.0
        seven(net.head.weight)
        """,
        {"head.weight"},
    ),
    "a write to a leaf, then without gradients": (
        """
        for p in net.parameters():
            try:
                p.fill_(1.0)
            except RuntimeError:
                with torch.no_grad():
                    p.fill_(7.0)
        """,
        ALL,
    ),
    "one handler within another": (
        """
        for p in net.parameters():
            try:
                try:
                    nn.init.xavier_normal_(p)
                except KeyError:
                    seven(p)
            except ValueError:
                seven(p)
        """,
        {"norm.weight", "norm.bias", "head.bias"},
    ),
    "an error that ends a loop": (
        """
        try:
            for p in net.parameters():
                nn.init.xavier_normal_(p)
                seven(p)
        except ValueError:
            pass
        """,
        {"fc.weight"},
    ),
    "nothing fails": (
        """
        for p in net.parameters():
            try:
                nn.init.normal_(p)
                seven(p)
            except ValueError:
                nn.init.zeros_(p)
        """,
        ALL,
    ),
    "a view has two dimensions": (
        """
        for p in net.parameters():
            try:
                nn.init.xavier_normal_(p.view(1, -1) if p.dim() < 2 else p)
                seven(p)
            except ValueError:
                pass
        """,
        ALL,
    ),
}


def source(code):
    return NET + textwrap.dedent(code)


@pytest.mark.parametrize(("code", "expected"), CAUGHT.values(), ids=CAUGHT)
def test_what_a_try_fills_is_known(folder, code, expected):
    (folder / "net.py").write_text(source(code))
    report = initlint.check("net.py")
    filled = {p.name for p in report.parameters if p.history[-1].mean == 7.0}
    assert filled == expected
    assert not [finding for finding in report.findings if finding.code == "INIT205"]


@pytest.mark.torch
@pytest.mark.parametrize(("code", "expected"), CAUGHT.values(), ids=CAUGHT)
def test_running_the_code_gives_the_same(code, expected):
    names = {}
    exec(source(code), names)
    net = names["net"]
    assert {name for name, p in net.named_parameters() if bool((p == 7).all())} == expected
