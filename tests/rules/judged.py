"""Judges a source by one rule, in either engine."""

from initlint import api


def found(tmp_path, source, code, trace=False):
    """The findings of one rule in a file with this source, which has to be analysed as a whole."""
    path = tmp_path / "net.py"
    path.write_text(source)
    report = api.check_all([str(path)], api.Options(trace=trace, codes=frozenset({code})))
    assert report.layers or report.findings, "nothing was judged"
    assert not any("bug in initlint" in gap.reason for gap in report.unanalysed)
    return report.findings


def lines(tmp_path, source, code, trace=False):
    """The texts of the lines that a rule reports."""
    text = source.splitlines()
    sites = [finding.site for finding in found(tmp_path, source, code, trace)]
    return {text[site.line - 1].strip() for site in sites}
