"""Nets drawn at random: both engines say the same of them, and a fix leaves nothing to fix."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import drawn_nets

import initlint


def _class(source: str) -> type[torch.nn.Module]:
    module = ModuleType("drawn")
    exec(compile(source, "<drawn>", "exec"), module.__dict__)
    return module.__dict__["Net"]


def _said(report: initlint.Report) -> list[tuple[str, str]]:
    """Code and parameter of all findings; lines are known only where the source was read."""
    return sorted((x.code, name) for x in report.findings for name in x.parameters)


@pytest.mark.parametrize("number", range(48))
def test_both_engines_say_the_same_and_the_fix_leaves_nothing_to_fix(number):
    source = drawn_nets.drawn(number).source
    read, traced = initlint.check(source), initlint.check(_class(source))
    assert _said(read) == _said(traced)
    assert not read.unanalysed
    assert not traced.unanalysed
    fixed = initlint.fix(source, unsafe=True)
    assert not fixed.refused
    assert [x.code for x in fixed.findings if x.fix] == []
    assert _said(initlint.check(_class(fixed.source))) == _said(fixed.report)


def test_a_number_and_a_seed_always_draw_the_same_net():
    assert drawn_nets.drawn(7).source == drawn_nets.drawn(7).source
    assert len({drawn_nets.drawn(i).source for i in range(20)}) > 15
    assert drawn_nets.drawn(7, seed=1).source != drawn_nets.drawn(7).source


@pytest.mark.parametrize("family", sorted(drawn_nets.FAMILIES))
def test_each_family_runs_on_the_data_of_its_task(family):
    net = next(x for x in map(drawn_nets.drawn, range(200)) if x.family == family)
    data = net.data()
    result = _class(net.source)()(data.train[0][:8])
    assert data.loss(result, data.train[1][:8]).ndim == 0
    assert data.score(result, data.train[1][:8]).ndim == 0
