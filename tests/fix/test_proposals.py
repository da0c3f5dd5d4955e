"""The edits of one finding's fix give the text that --fix writes for this finding alone."""

from pathlib import Path

import pytest

from initlint.fix.proposals import Proposals
from initlint.fix.rewrite import rewrite
from initlint.pipeline.asked import Options
from initlint.pipeline.judged import judged
from initlint.project.sourcefiles import Texts
from initlint.records import CHOICES, Preferences

PAIRS = sorted((Path(__file__).parents[1] / "pairs").glob("*.py"))


def applied(text, edits):
    lines = Texts({"x.py": text.encode()}).lines("x.py")
    lines = [f"{line}\n" for line in lines]
    if not text.endswith("\n"):
        lines[-1] = lines[-1].rstrip("\n")
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        lines[edit.start - 1 : edit.end - 1] = [edit.text]
    return "".join(lines)


@pytest.mark.parametrize("style", CHOICES["style"])
@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_as_fix_writes(path, style):
    text = path.read_text(encoding="utf-8")
    texts = Texts({str(path): text.encode()})
    report, _ = judged([str(path)], Options())
    wanted = Preferences(style=style)
    proposals = Proposals(texts, wanted)
    for finding in report.findings:
        edits = proposals.edits(finding)
        written = rewrite(text.encode(), str(path), [finding], wanted)
        if edits is None:
            assert finding.fix is None or written.refused or finding.fix.applicability == "display"
        else:
            assert applied(text, edits) == written.source.decode()
