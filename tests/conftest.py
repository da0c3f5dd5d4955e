"""What a run of the tests needs and leaves out, and fixtures that several folders share.

A test module that imports torch carries the marker `torch`; without torch it is not collected.
Two variables of the environment say what has to be there, and a run fails where it is not:

    INITLINT_TEST_EXPECTS=torch,timm    these packages can be imported
    INITLINT_TEST_DEVICES=cpu,cuda      the tests marked `gpu` run as well; else they are skipped
"""

import os
import re
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from handmade import SOURCES
from imports import imports_torch

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"
TORCH = find_spec("torch") is not None
DEVICES = ("cpu", "cuda")
NO_GPU = "no CUDA device"
LEFT_OUT = pytest.StashKey[str]()
MISSING = re.compile(r"could not import|No module named|not installed")


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
    if "PYTEST_XDIST_WORKER" in os.environ:
        # xdist's workers ignore Ctrl-C, and so would everything that the tests start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--update-golden") and os.environ.get("CI"):
        raise pytest.UsageError("--update-golden is refused where CI is set: look at the change")
    for name in listed("INITLINT_TEST_EXPECTS"):
        if find_spec(name) is None:
            raise pytest.UsageError(f"INITLINT_TEST_EXPECTS names {name}, which is not installed")
    for name in devices():
        if name not in DEVICES:
            known = ", ".join(DEVICES)
            raise pytest.UsageError(f"INITLINT_TEST_DEVICES names {name}; write some of {known}")
        if name == "cuda" and not cuda_is_here():
            raise pytest.UsageError("INITLINT_TEST_DEVICES names cuda, and torch finds no GPU here")


def listed(variable):
    return [name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()]


def devices():
    return listed("INITLINT_TEST_DEVICES") or ["cpu"]


def cuda_is_here():
    if not TORCH:
        return False
    import torch

    return torch.cuda.is_available()


# What is collected


def pytest_sessionstart(session):
    """Says what is left out, under -q too, where pytest prints no header."""
    lines = [f"devices: {', '.join(devices())} (INITLINT_TEST_DEVICES)"]
    if not TORCH:
        count = sum(map(imports_torch, TESTS.rglob("test_*.py")))
        lines.append(f"torch is not installed: the {count} modules that import it are left out")
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for line in lines if reporter else ():
        reporter.write_line(line)


def pytest_ignore_collect(collection_path):
    path = collection_path
    if not TORCH and path.match("test_*.py") and path.is_relative_to(TESTS) and imports_torch(path):
        return True
    return None  # as pytest decides


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.path.is_relative_to(TESTS) and imports_torch(item.path):
            item.add_marker("torch")
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and "cuda" not in devices():
        why = "not asked for, by INITLINT_TEST_DEVICES=cpu,cuda" if cuda_is_here() else NO_GPU
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=why))
        config.stash[LEFT_OUT] = f"skipped: {why} (tests marked gpu: {len(marked)})"


def pytest_terminal_summary(terminalreporter, config):
    """Says it under -q too, where pytest does not say why a test is skipped."""
    if LEFT_OUT in config.stash:
        terminalreporter.write_line(config.stash[LEFT_OUT])


# No silent skip


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return failed_where_missing((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return failed_where_missing((yield))


def failed_where_missing(report):
    """In CI a test that is skipped because a package is missing has failed."""
    if os.environ.get("CI") and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        if MISSING.search(reason):
            report.outcome = "failed"
            report.longrepr = f"in CI nothing may be missing: {reason}"
    return report


# Fixtures


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
