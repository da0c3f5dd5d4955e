"""Every rule's card is true: bad speaks, its fix gives good, and what is left alone is silent."""

import re
from pathlib import Path

import pytest

from initlint import api, catalog

RULES = list(catalog.rules().values())
IDS = [rule.code for rule in RULES]
FENCE = re.compile(r"^```python[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def examples(rule, heading):
    return FENCE.findall(rule.sections[heading])


@pytest.fixture(params=[True, False], ids=["traced", "read"])
def trace(request):
    """Both engines say the same of every example."""
    return request.param


def report_on(source, folder, trace):
    path = Path(folder) / "net.py"
    path.write_text(source)
    return path, api.check(str(path), trace=trace)


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_bad_raises_exactly_its_code(rule, tmp_path, trace):
    for source in examples(rule, "Bad"):
        _, report = report_on(source, tmp_path, trace)
        assert {finding.code for finding in report.findings} == {rule.code}
        assert not report.unanalysed


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_good_is_silent(rule, tmp_path, trace):
    for source in examples(rule, "Good"):
        _, report = report_on(source, tmp_path, trace)
        assert report.findings == () and report.layers and not report.unanalysed


@pytest.mark.parametrize("rule", [r for r in RULES if r.fixable], ids=lambda rule: rule.code)
def test_fixing_bad_gives_good(rule, tmp_path, trace):
    for bad, good in zip(examples(rule, "Bad"), examples(rule, "Good"), strict=True):
        path, _ = report_on(bad, tmp_path, trace)
        fixed = api.fix_all([str(path)], api.Options(trace=trace), unsafe=True, write=True)
        assert path.read_text() == good
        assert fixed.report.findings == () and not fixed.refused


def reasons(rule):
    return [text.strip() for text in FENCE.split(rule.sections["Leave alone"])[::2] if text.strip()]


CASES = [
    pytest.param(rule, source, id=f"{rule.code}: {reason}")
    for rule in RULES
    for reason, source in zip(reasons(rule), examples(rule, "Leave alone"), strict=True)
]


@pytest.mark.parametrize(("rule", "source"), CASES)
def test_left_alone(rule, source, tmp_path, trace):
    _, report = report_on(source, tmp_path, trace)
    assert report.findings == () and report.layers and not report.unanalysed


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_every_case_left_alone_has_its_reason(rule):
    assert len(reasons(rule)) == len(examples(rule, "Leave alone")) >= 3


def test_a_rule_is_one_card_and_one_function(tmp_path, monkeypatch):
    """A rule added from outside is found without an edit to any other file."""
    from initlint import judge
    from initlint.judge.model import Check

    def speaks(model):
        for layer in model.layers:
            yield layer, f"{layer.layer} is there"

    monkeypatch.setattr(judge, "_checks", lambda: (Check("INIT101", speaks),))
    _, report = report_on(examples(RULES[0], "Good")[0], tmp_path, True)
    assert {finding.message for finding in report.findings} == {"fc1 is there", "fc2 is there"}
