"""Every rule's card is true: bad is reported, its fix gives good, what is left alone is silent.

With `--rules FOLDER` the examples of the rules in that folder are run as well.
"""

import re

import pytest

from initlint import api
from initlint.judge import cards, load
from initlint.project.select import Selection
from initlint.records import InitlintError

FENCE = re.compile(r"^```python[^\n]*\n.*?^```", re.DOTALL | re.MULTILINE)


def pytest_generate_tests(metafunc):
    """One test for each rule, or for each example that it leaves alone."""
    names = metafunc.fixturenames
    try:
        rules = load(metafunc.config.getoption("--rules"))
    except InitlintError as error:
        raise pytest.UsageError(str(error)) from None
    wanted = [card for card in rules.cards.values() if card.fix or "fixable" not in names]
    name = "fixable" if "fixable" in names else "rule"
    if "spared" in names:
        cases = [
            pytest.param(card, source, id=f"{card.code}: {reason}")
            for card in wanted
            for reason, source in zip(
                reasons(card), cards.examples(card, "Leave alone"), strict=True
            )
        ]
        metafunc.parametrize(("rule", "spared"), cases)
    elif name in names:
        metafunc.parametrize(name, wanted, ids=[card.code for card in wanted])


@pytest.fixture(
    params=[
        pytest.param(True, id="traced", marks=pytest.mark.torch),
        pytest.param(False, id="read"),
    ]
)
def trace(request):
    """Both engines say the same of every example."""
    return request.param


@pytest.fixture
def judge(request, tmp_path, trace):
    """Writes an example to a file; gives the file, and how it is judged: by default, and the rule.

    A rule that is off by default has to be switched on.
    """
    rules = load(request.config.getoption("--rules"))

    def judged(source, rule):
        path = tmp_path / "net.py"
        path.write_text(source)
        codes = Selection.default(rules).codes() | {rule.code}
        return path, api.Options(trace=trace, codes=codes, rules=rules)

    return judged


def reasons(rule):
    """What stands above each example that is left alone."""
    *above, _last = FENCE.split(rule.sections["Leave alone"])
    return [text.strip() for text in above]


def report_on(path, options):
    return api.check_all([str(path)], options)


def test_bad_raises_exactly_its_code(rule, judge):
    for source in cards.examples(rule, "Bad"):
        report = report_on(*judge(source, rule))
        assert {finding.code for finding in report.findings} == {rule.code}
        assert not report.unanalysed


def test_good_is_silent(rule, judge):
    for source in cards.examples(rule, "Good"):
        report = report_on(*judge(source, rule))
        assert report.findings == () and report.layers and not report.unanalysed


def test_fixing_bad_gives_good(fixable, judge):
    examples = (cards.examples(fixable, heading) for heading in ("Bad", "Good"))
    for bad, good in zip(*examples, strict=True):
        path, options = judge(bad, fixable)
        applied = {finding.fix.applicability for finding in report_on(path, options).findings}
        assert applied == {fixable.fix}
        fixed = api.fix_all([str(path)], options, unsafe=True, write=True)
        assert path.read_text() == good
        assert fixed.report.findings == () and not fixed.refused


def test_left_alone(rule, spared, judge):
    report = report_on(*judge(spared, rule))
    assert report.findings == () and report.layers and not report.unanalysed


def test_a_rule_leaves_several_cases_alone():
    for rule in load().cards.values():
        assert len(reasons(rule)) >= 3, rule.code
