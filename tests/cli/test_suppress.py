"""Comments that silence findings, and those that look like it."""

import linecache
from dataclasses import replace

import pytest
from handmade import CONV_SITE, all_layers, finding, layer, live_finding, rules

from initlint import api
from initlint.project.sourcefiles import Texts
from initlint.project.suppress import filter_report, idle, suppressed, suppressions
from initlint.records import Report, Site


def found_at(line, end_line=None):
    return finding(site=Site("net.py", line, 5, end_line or line, 9))


SILENT = [
    "x = f()  # noqa",
    "x = f()  #noqa",
    "x = f()  # NOQA",
    "x = f()  # noqa: INIT101",
    "x = f()  # noqa:INIT101",
    "x = f()  # noqa : INIT101",
    "x = f()  # noqa: init101",
    "x = f()  # noqa: INIT1",
    "x = f()  # noqa: E501, INIT101",
    "x = f()  # noqa: E501 INIT101",
    "x = f()  # noqa: INIT101 the paper does so",
    "x = f()  # noqa: default-before-rectifier",
    "x = f()  # type: ignore  # noqa: INIT101",
    "x = f()  # initlint: ignore[INIT101]",
    "x = f()  # initlint: ignore[default-before-rectifier] the paper does so",
    "x = f()  # initlint: ignore[INIT205, INIT101]",
    "x = f()  # initlint:ignore[INIT1]",
    "x = f()  # initlint: ignore[INIT2]  # initlint: ignore[INIT101]",
    "x = f()  # initlint: ignore",
    "x = f()  # initlint:ignore",
    "x = f()  # initlint: ignore the paper does so",
    "x = f()  # INITLINT: Ignore  # noqa: E501",
]
SPEAKING = [
    "x = f()",
    "x = f()  # noqa: E501",
    "x = f()  # noqa: INIT102",
    "x = f()  # noqa: INIT2",
    "x = f()  # noqa:",
    "x = f()  # noqa: the paper does so",
    "x = f()  # noqa: I know",
    "x = f()  # noqa: explicit-scale-off",
    "x = f()  # noqable",
    "x = f()  # flake8: noqa",
    "x = f('# noqa')",
    "x = f('# initlint: ignore[INIT101]')",
    "x = f()  # initlint: ignore[]",
    "x = f()  # initlint: ignore[ALL]",
    "x = f()  # initlint: ignored",
    "x = f()  # initlint: ignore INIT101",
    "x = f()  # initlint ignore",
    "x = f()  # initlint: ignore[INIT102]",
    "x = f()  # mentions initlint: in passing",
    "# noqa",
]


@pytest.mark.parametrize("line", SILENT)
def test_silent(line):
    assert suppressed(found_at(1), [line])


@pytest.mark.parametrize("line", SPEAKING)
def test_speaking(line):
    assert not suppressed(found_at(1), [line])


FAULTY = [
    "# initlint: ignore INIT101",
    "# initlint: ignore: INIT101",
    "# initlint: ignore (INIT101)",
    "# initlint: ignore[",
    "# initlint: ignore[]",
    "# initlint: ignored[INIT101]",
    "# initlint: ignore default-before-rectifier",
    "# initlint: noqa",
    "# initlint: disable=INIT101",
    "# initlint: skip-files",
    "# initlint ignore",
    "# initlint ignore[INIT101]",
    "# noqa: INIT-101",
    "# noqa: E501, INIT",
    "# type: ignore  # initlint: off",
]
HARMLESS = [
    "# initlint: ignore",
    "# initlint: ignore[INIT101] because",
    "# noqa: E501, INIT101",
    "# noqa: initial value",
    "# noqa",
    "# initlint reports this",
    "# see initlint's docs",
]


@pytest.mark.parametrize("comment", FAULTY)
def test_a_comment_that_is_not_understood_has_a_fault(comment):
    (found,) = suppressions([f"x = f()  {comment}"]).comments
    assert comment in found.fault or "initlint: off" in found.fault
    assert "; write # " in found.fault
    assert not suppressed(found_at(1), [f"x = f()  {comment}"])


@pytest.mark.parametrize("comment", HARMLESS)
def test_other_comments_have_none(comment):
    assert [c.fault for c in suppressions([f"x = f()  {comment}"]).comments if c.fault] == []


STATEMENT = ["x = 1", "y = f(", "    1,", "    2,", ")", "z = 3"]


def commented(number, comment="# initlint: ignore[INIT101]"):
    return [f"{line}  {comment}" if n == number else line for n, line in enumerate(STATEMENT, 1)]


@pytest.mark.parametrize(
    "comment", ["# noqa: INIT101", "# initlint: ignore[INIT101]", "# initlint: ignore"]
)
@pytest.mark.parametrize(
    ("number", "silent"), [(1, False), (2, True), (3, True), (4, True), (5, True), (6, False)]
)
def test_comment_on_any_line_of_the_call(number, silent, comment):
    assert suppressed(found_at(2, 5), commented(number, comment)) is silent


def test_comment_of_another_line_of_the_statement():
    assert not suppressed(found_at(3), commented(2))
    assert suppressed(found_at(3), commented(3))


ABOVE = "# initlint: ignore[INIT101] on purpose"


@pytest.mark.parametrize(
    ("lines", "line", "silent"),
    [
        pytest.param([ABOVE, "x = f()", "y = f()"], 2, True, id="statement below"),
        pytest.param([ABOVE, "x = f()", "y = f()"], 3, False, id="not the one after"),
        pytest.param([ABOVE, "x = g(", "    f(),", ")"], 3, True, id="all of the statement"),
        pytest.param([ABOVE, "", "# why", "x = f()"], 4, True, id="over comments and blanks"),
        pytest.param(["# why", ABOVE, "x = f()"], 3, True, id="below a comment"),
        pytest.param(["if y:", f"    {ABOVE}", "    x = f()"], 3, True, id="indented"),
        pytest.param(["x = g(", f"    {ABOVE}", "    f(),", "    f(),", ")"], 3, True, id="inside"),
        pytest.param(
            ["x = g(", f"    {ABOVE}", "    f(),", "    f(),", ")"], 4, False, id="inside: one line"
        ),
        pytest.param(["x = f()", ABOVE], 1, False, id="below"),
        pytest.param(["x = f()", ABOVE, ""], 1, False, id="at the end of the file"),
        pytest.param(["# noqa: INIT101", "x = f()"], 2, False, id="noqa is for its own line"),
        pytest.param(["x = '''", ABOVE, "'''", "y = f()"], 4, False, id="inside a string"),
    ],
)
def test_comment_on_a_line_of_its_own(lines, line, silent):
    assert suppressed(found_at(line), lines) is silent


@pytest.mark.parametrize(
    "lines",
    [
        ["# initlint: skip-file", "x = f()"],
        ["x = f()", "# initlint: skip-file"],
        ["x = g(", "    f(),", "    # initlint:skip-file", ")"],
        ['"""Doc."""  # initlint: skip-file', "x = f()"],
    ],
)
def test_skip_file(lines):
    assert suppressed(found_at(2), lines)


@pytest.mark.parametrize("lines", [["x = '# initlint: skip-file'"], ["# initlint: skip-files"], []])
def test_no_skip_file(lines):
    assert not suppressed(found_at(1), lines)


def test_file_that_cannot_be_tokenised_keeps_what_was_read():
    assert suppressed(found_at(1), ["x = f()  # noqa", "y = ("])
    assert not suppressed(found_at(2), ["x = f()  # noqa", "y = (", "  '"])


def test_live_models_have_no_comments():
    assert not suppressed(live_finding(), ["x = f()  # initlint: skip-file"])


def test_a_comment_that_is_not_understood_is_reported(project):
    with_comment(project, "# initlint: ignore INIT101")
    report = filter_report(Report(findings=(finding(),)))
    assert report.findings
    (said,) = idle(report, lambda path: (), rules().values())
    assert (said.site.line, said.what) == (CONV_SITE.line, "comment")
    assert said.reason.startswith("is not understood: # initlint: ignore INIT101; write # initlint")


@pytest.mark.parametrize("rule", ["INIT102", "default-before-rectifier"])
def test_the_comment_to_write_names_the_rule_that_was_meant(project, rule):
    with_comment(project, f"# initlint: ignore {rule}")
    report = filter_report(Report(findings=(finding(),)))
    (said,) = idle(report, lambda path: (), rules().values())
    assert f"write # initlint: ignore[{rule}], or ignore for all rules" in said.reason


# Whole reports


def with_comment(project, comment):
    path = project / "net.py"
    lines = path.read_text().splitlines()
    lines[CONV_SITE.line - 1] += f"  {comment}"
    path.write_text("\n".join(lines))


def test_filter_report(project):
    with_comment(project, "# noqa: INIT101")
    other = finding(site=replace(CONV_SITE, line=9, end_line=9))
    report = api.Report(all_layers(), (finding(), other, live_finding()))
    filtered = filter_report(report)
    assert filtered.findings == (other, live_finding())
    assert filtered.layers == all_layers()
    assert type(filtered) is api.Report


def test_filter_report_sees_changes_of_the_file(project):
    report = Report(findings=(finding(),))
    assert filter_report(report) == report
    with_comment(project, "# noqa: INIT101")
    assert filter_report(report).findings == ()


def test_filter_report_sees_text_that_stands_for_the_file(project):
    lines = [f"{line}  # noqa\n" for line in (project / "net.py").read_text().splitlines()]
    texts = Texts({"net.py": "".join(lines).encode()})
    assert filter_report(Report(findings=(finding(),), texts=texts)).findings == ()


def test_filter_report_sees_what_was_typed_into_a_session(project, monkeypatch):
    typed = (1, None, ["x = f()  # noqa\n"], "<typed>")
    monkeypatch.setitem(linecache.cache, "<typed>", typed)
    found = replace(found_at(1), site=Site("<typed>", 1, 5, 1, 8))
    assert filter_report(Report(findings=(found,))).findings == ()


def test_filter_report_keeps_what_it_cannot_read(project):
    gone = finding(site=replace(CONV_SITE, path="gone.py"))
    assert filter_report(Report(findings=(gone,))).findings == (gone,)


def test_filter_report_reads_other_encodings(project):
    source = "# coding: latin-1\ngröße = f()  # noqa: INIT101 für später\n"
    (project / "net.py").write_bytes(source.encode("latin-1"))
    assert filter_report(Report(findings=(found_at(2),))).findings == ()


def test_the_settings_are_looked_up_once_for_all_comments_of_a_file(project):
    source = "".join(f"x = f()  # noqa: INIT{number}\n" for number in range(500))
    texts = Texts({"net.py": source.encode()})
    report = Report(layers=(layer(site=Site("net.py", 1, 5, 1, 8)),), texts=texts)
    asked = []

    def codes(path):
        asked.append(path)
        return {"INIT101"}

    assert list(idle(report, codes, rules().values()))
    assert asked == ["net.py"]
