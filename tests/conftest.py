"""The option --update-golden, and fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest
from handmade import SOURCES

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden/ from what comes out now"
    )
    parser.addoption(
        "--rules",
        action="append",
        default=[],
        metavar="FOLDER",
        help="run tests/rules/test_examples.py over the rules of this folder as well",
    )


def pytest_configure(config):
    if config.getoption("--update-golden") and os.environ.get("CI"):
        raise pytest.UsageError("--update-golden is refused where CI is set: look at the change")


@pytest.fixture
def golden(request):
    """Compares text with a file of tests/golden/, or writes that file under --update-golden."""

    def compare(text, name):
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"run pytest --update-golden: {name}"

    return compare


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The working directory, with the files that the hand-made reports speak of."""
    for name, text in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def kept(tmp_path_factory, monkeypatch):
    """A cache of its own for each test, which nothing in its working directory can reach."""
    folder = tmp_path_factory.mktemp("kept")
    monkeypatch.setenv("INITLINT_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    return folder
