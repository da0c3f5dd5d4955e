"""Scripts that choose one of many models by its name: each is followed, or named as a gap."""

import pytest

from initlint import api

NET = """\
from torch import nn

class Net{n}(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, {n} + 2)
        )

    def forward(self, x):
        return self.body(x)
"""
SCRIPT = """\
import argparse
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--net")
parser.add_argument("--gpu", action="store_true")
args = parser.parse_args()
{choice}
if args.gpu:
    net = net.{asked}()
optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
for images, labels in []:
    loss = net(images).sum()
    loss.backward()
    optimiser.step()
"""


def written(folder, count, asked="cuda"):
    """A repository of so many models, and the script that chooses among them, and asks one."""
    choice = ""
    for n in range(count):
        (folder / f"net{n}.py").write_text(NET.format(n=n))
        choice += f"{'el' if n else ''}if args.net == 'net{n}':\n"
        choice += f"    from net{n} import Net{n}\n    net = Net{n}()\n"
    (folder / "train.py").write_text(SCRIPT.format(choice=choice, asked=asked))
    return api.check(".")


@pytest.mark.parametrize("count", [1, 8, 45])
def test_each_of_many_models_is_judged(folder, count):
    report = written(folder, count)
    assert [finding.code for finding in report.findings] == ["INIT101"] * count
    assert report.unanalysed == ()


@pytest.fixture
def few(monkeypatch):
    """No more than eight models are told apart."""
    monkeypatch.setattr("initlint.reading.abstract.joins.MOST_MADE", 8)
    monkeypatch.setattr("initlint.reading.abstract.parts.MOST_MADE", 8)


def test_a_method_that_every_module_has_fills_none_of_more_models_than_are_told_apart(folder, few):
    report = written(folder, 12)
    assert [finding.code for finding in report.findings] == ["INIT101"] * 12


def test_more_models_than_are_told_apart_are_a_gap(folder, few):
    report = written(folder, 12, "made_ready")
    assert report.findings == ()
    assert {gap.reason.partition(": ")[2].partition(": ")[2] for gap in report.unanalysed} == {
        "made_ready gets it at train.py:46, is not read, and may fill it"
    }


GENERIC = """\
import enum
from abc import ABC
from typing import Any, Generic, TypeVar
from torch import nn

T = TypeVar("T")

class Base(Generic[T], nn.Module, ABC):
    pass

class Middle(Generic[T], Base[T]):
    pass

class Kind(enum.Enum):
    SOFT = nn.Tanh
    HARD = nn.ReLU

class Net(Middle[{given}]):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(64, 64), {kind}(), nn.Linear(64, 64), {kind}(), nn.Linear(64, 10)
        )

    def forward(self, x):
        return self.body(x)
"""


@pytest.mark.parametrize("given", ["Any", "T", "dict[str, int]"])
def test_a_class_in_brackets_is_the_class(folder, given):
    (folder / "net.py").write_text(GENERIC.format(given=given, kind="nn.ReLU"))
    report = api.check_all(["net.py"], api.Options())
    assert [finding.layer for finding in report.findings] == ["body.2"]
    assert report.unanalysed == ()


@pytest.mark.parametrize("kind", ["Kind['HARD'].value", "Kind.HARD.value"])
def test_a_member_of_an_enumeration_by_its_name(folder, kind):
    (folder / "net.py").write_text(GENERIC.format(given="Any", kind=kind))
    report = api.check_all(["net.py"], api.Options())
    assert [finding.layer for finding in report.findings] == ["body.2"]


TWINS = """\
from torch import nn
from critic import Critic

class Policy(nn.Module):
    def __init__(self, share=False):
        super().__init__()
        if share:
            self.critic, self.target = Critic(share), Critic(share)
        else:
            self.critic, self.target = Critic(None), Critic(None)
        self.target.load_state_dict(self.critic.state_dict())

    def forward(self, x):
        return self.critic(x)
"""


def test_a_copy_of_the_default_is_the_default(folder):
    code = NET.format(n=0).replace("Net0", "Critic").replace("(self):", "(self, kind):")
    (folder / "critic.py").write_text(code)
    (folder / "policy.py").write_text(TWINS)
    report = api.check(".")
    assert {finding.code for finding in report.findings} == {"INIT101"}
    assert all("keeps PyTorch's default" in finding.message for finding in report.findings)
