"""What takes more than two seconds is shown on stderr, on a terminal alone. No test waits."""

import io
import sys

import pytest

from initlint.cli import terminal


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


class Late:
    """A timer whose time comes at once."""

    def __init__(self, seconds, do):
        assert seconds == 2.0
        self.start = do

    def cancel(self):
        pass

    def join(self):
        pass


class Never(Late):
    """A timer that is cancelled before its time comes."""

    def __init__(self, seconds, do):
        super().__init__(seconds, lambda: None)


@pytest.fixture
def stderr(monkeypatch):
    def replaced(stream, term="xterm"):
        monkeypatch.setenv("TERM", term)
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return replaced


def shown(stream, timer=Late, **options):
    with terminal.working("reading 3 [bold]files", timer=timer, **options):
        pass
    return stream.getvalue()


def test_long_work_is_shown_and_wiped_away(stderr):
    text = shown(stderr(Terminal()))
    assert "initlint: reading 3 [bold]files" in text
    # The line is erased and the cursor shown again.
    assert text.endswith("\x1b[?25h\r\x1b[1A\x1b[2K") or "\x1b[2K" in text.rpartition("reading")[2]
    assert "\x1b[?25h" in text


def test_short_work_is_not_shown(stderr):
    assert shown(stderr(Terminal()), Never) == ""


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_nothing_is_shown_elsewhere(stderr, term):
    assert shown(stderr(io.StringIO(), term)) == ""
    assert term == "xterm" or shown(stderr(Terminal(), term)) == ""


def test_quiet_shows_nothing(stderr):
    assert shown(stderr(Terminal()), quiet=True) == ""


def test_an_error_wipes_it_away_too(stderr):
    stream = stderr(Terminal())
    with pytest.raises(KeyboardInterrupt), terminal.working("reading", timer=Late):
        raise KeyboardInterrupt
    assert "\x1b[?25h" in stream.getvalue()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("net.py", "reading 1 file"),
        ("net.py net.py:Net", "reading 1 file, building 1 model"),
        ("a.b:C c.d:E", "building 2 models"),
        ("--trace net.py", "building the models of 1 file"),
        ("--fix net.py", "reading 1 file"),
    ],
)
def test_what_is_said(initlint, monkeypatch, project, line, said):
    (project / "net.py").touch()
    seen = []
    real = terminal.working

    def working(what, quiet=False):
        seen.append(what)
        return real(what, quiet)

    monkeypatch.setattr(terminal, "working", working)
    initlint(f"check {line}")
    assert seen == [said]
