"""converge: what the rebuilt models say decides which edits stay."""

from dataclasses import replace

import pytest

from initlint.fix.converge import Before, converge
from initlint.records import Finding, Fix, Following, Initializer, InitlintError, Report, Site

SOURCE = b"""from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)
        self.b = nn.Linear(8, 8)
"""
SIGNATURES = {"net.py:Net": {"a.weight": (8, 8), "b.weight": (8, 8)}}
CALL = Initializer("kaiming_normal_", {"nonlinearity": "relu"})


def finding(name, line):
    site = Site("net.py", line, 18, line, 33)
    return Finding(
        code="INIT101",
        name="default-before-rectifier",
        severity="warning",
        message=name,
        site=site,
        model="net.py:Net",
        layer=name,
        parameter=f"{name}.weight",
        following=Following("relu"),
        current=None,
        recommended=None,
        fix=Fix("insert", site, CALL, "safe"),
        parameters=(f"{name}.weight",),
    )


A, B = finding("a", 7), finding("b", 8)
BEFORE = Before(Report(findings=(A, B)), SIGNATURES)


def converged(rebuild):
    return converge([A, B], {"net.py": SOURCE}, rebuild, BEFORE)


def test_clean_models_let_every_edit_stay():
    outcome = converged(lambda texts: (Report(), SIGNATURES))
    assert outcome.fixed == (A, B) and outcome.refused == ()
    [(path, old, new)] = outcome.files
    assert (path, old) == ("net.py", SOURCE)
    assert new.startswith(SOURCE) and new.count(b"kaiming_normal_") == 2


def test_an_edit_that_does_not_help_is_left_out_and_the_others_stay():
    outcome = converged(lambda texts: (Report(findings=(B,)), SIGNATURES))
    assert outcome.fixed == (A,)
    assert [(f, reason) for f, reason in outcome.refused] == [
        (B, "the layer would still be reported after the rewrite")
    ]
    assert b"self.a.weight" in outcome.files[0][2] and b"self.b.weight" not in outcome.files[0][2]


def fails(texts):
    raise InitlintError("net.py:9: cannot be imported")


HARMFUL = {
    "another state dict": (lambda texts: (Report(), {"net.py:Net": {}}), "another state dict"),
    "a model that cannot be built": (fails, "cannot be imported"),
    "another layer is spoilt": (
        lambda texts: (Report(findings=(finding("c", 9),)), SIGNATURES),
        "would spoil c.weight",
    ),
}


@pytest.mark.parametrize(("rebuild", "reason"), HARMFUL.values(), ids=HARMFUL)
def test_harm_leaves_the_file_as_it_was(rebuild, reason):
    outcome = converged(rebuild)
    assert outcome.files == () and outcome.fixed == ()
    assert {f.parameter for f, _ in outcome.refused} == {"a.weight", "b.weight"}
    assert all(reason in why for _, why in outcome.refused)
    assert outcome.report is BEFORE.report


def test_what_cannot_be_placed_is_refused_without_building_anything():
    lost = finding("a", 2)
    outcome = converge([lost], {"net.py": SOURCE}, fails, BEFORE)
    assert outcome.files == () and [f for f, _ in outcome.refused] == [lost]


def test_models_of_two_files_may_share_a_name():
    other = replace(A, site=replace(A.site, path="other.py"))
    outcome = converged(lambda texts: (Report(findings=(other,)), SIGNATURES))
    assert outcome.fixed == () and {reason for _, reason in outcome.refused} == {
        "the rewrite would spoil a.weight"
    }
    before = Before(Report(findings=(A, B, other)), SIGNATURES)
    rebuilt = (Report(findings=(other,)), SIGNATURES)
    assert converge([A, B], {"net.py": SOURCE}, lambda _: rebuilt, before).fixed == (A, B)


TWO = {"net.py:Net": SIGNATURES["net.py:Net"], "other.py:Net": {"a.weight": (8, 8)}}


def test_a_file_that_fails_does_not_keep_others_from_being_written():
    other = replace(
        A,
        model="other.py:Net",
        site=replace(A.site, path="other.py"),
        fix=replace(A.fix, site=replace(A.fix.site, path="other.py")),
    )
    broken = {"net.py:Net": SIGNATURES["net.py:Net"]}

    def rebuild(texts):
        return Report(), broken if "other.py" in texts else TWO

    sources = {"net.py": SOURCE, "other.py": SOURCE}
    outcome = converge([A, other], sources, rebuild, Before(Report(findings=(A, other)), TWO))
    assert [path for path, *_ in outcome.files] == ["net.py"] and outcome.fixed == (A,)
    assert [finding for finding, _ in outcome.refused] == [other]
