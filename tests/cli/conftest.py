"""An api made by hand for the command line, and a way to run the one on the other."""

from dataclasses import dataclass, field

import pytest
from handmade import CLEAN

from initlint import api
from initlint.cli import main as cli
from initlint.fill import filling
from initlint.project.sourcefiles import Texts
from initlint.records import Report


@dataclass
class Fake:
    """Stands for the api: gives what it is told to and keeps what it was asked."""

    report: Report = CLEAN
    diff: str = ""
    files: tuple = ()
    error: BaseException | None = None
    asked: dict = field(default_factory=dict)
    seen: dict = field(default_factory=dict)

    def answer(self, **asked):
        self.asked = asked
        texts = Texts(asked["options"].texts)
        self.seen = {path: texts.lines(path) for path in asked["options"].texts}
        if self.error is not None:
            raise self.error
        return self.report

    def check_all(self, targets, options):
        return self.answer(targets=targets, options=options)

    def fix_all(self, targets, options, *, unsafe, write):
        report = self.answer(targets=targets, options=options, unsafe=unsafe, write=write)
        return api.Fixed(report, self.files, self.diff, 2 * len(self.files), ())

    def apply_target(self, target, options, **rest):
        return self.answer(target=target, options=options, **rest)


@pytest.fixture
def fake(monkeypatch, project):
    made = Fake()
    for room, name in ((api, "check_all"), (api, "fix_all"), (filling, "apply_target")):
        monkeypatch.setattr(room, name, getattr(made, name))
    return made


@pytest.fixture
def initlint(fake, capsys):
    """Runs a command line on the fake api; gives exit code, stdout and stderr."""

    def run(line, **answer):
        vars(fake).update(answer)
        code = cli.main(line.split() if isinstance(line, str) else line)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
