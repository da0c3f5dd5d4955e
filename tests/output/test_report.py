"""What a report is in a session and a notebook: one line, and a table."""

from html.parser import HTMLParser

import pytest
from handmade import CLEAN, FOUND, finding, full_report

from initlint.api import Report
from initlint.output import phrases
from initlint.records import Unanalysed


def of_api(report):
    return Report(report.layers, report.findings, report.unanalysed)


class Cells(HTMLParser):
    """The text of all cells and items, and the names of all tags."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.tags = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        assert attrs == []
        self.tags.add(tag)
        if tag in ("td", "li"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


@pytest.mark.parametrize("report", [CLEAN, FOUND, full_report()], ids=["clean", "found", "full"])
def test_repr_is_one_line(project, report):
    said = repr(of_api(report))
    assert "\n" not in said and len(said) < 160
    assert said.startswith("<Report: ") and said.endswith(">")


def test_repr_of_a_finding_is_short():
    assert len(repr(finding())) < 400 and "message=" in repr(finding())


def test_table_of_a_report(project):
    shown = Cells(of_api(full_report())._repr_html_())
    assert {"table", "th", "td", "li"} <= shown.tags
    assert shown.cells[0].startswith("net.py:8:21") and "fixable with --fix" in shown.cells[5]
    assert sum(cell.startswith("INIT") for cell in shown.cells) == 3


def test_names_are_text():
    found = finding("<script>alert(1)</script>", model="<b>\x1b&", message="a < b\n<i>")
    gap = Unanalysed("<img src=x>", "no <b>reason</b>")
    shown = Cells(Report((), (found,), (gap,))._repr_html_())
    assert not {"script", "b", "i", "img"} & shown.tags
    assert any("<script>" in cell for cell in shown.cells)


def test_parts_that_were_not_analysed_for_one_reason_share_a_line():

    alike = [Unanalysed(f"net.py:N{i}", f"net.py: N{i}: nobody makes it") for i in range(5)]
    other = Unanalysed("net.py:Other", "net.py: Other: gave up after 3 steps")
    assert phrases.gaps([*alike, other]) == [
        "5 parts, each: nobody makes it (net.py:N0, net.py:N1, net.py:N2 and 2 more)",
        "net.py: Other: gave up after 3 steps",
    ]
    assert phrases.gaps(alike[:2]) == ["net.py: N0: nobody makes it", "net.py: N1: nobody makes it"]
