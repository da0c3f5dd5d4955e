"""What a run of the tests needs: torch by import, packages and devices by name, no silent skip."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from imports import TESTS, imports_torch

SKIPPING = """import pytest

def test_needed():
    pytest.importorskip("no_such_package")

@pytest.mark.skipif(True, reason="no_such_package is not installed")
def test_needed_as_well():
    pass

@pytest.mark.skipif(True, reason="there is no SIGKILL here")
def test_elsewhere():
    pass
"""
MODULE = 'import pytest\n\npytest.importorskip("no_such_package")\n'


@pytest.fixture
def run(tmp_path):
    """Runs one test file under this suite's conftest; gives exit code and output."""

    def ran(source="def test_nothing():\n    pass\n", **variables):
        (tmp_path / "test_made.py").write_text(source)
        ours = ("CI", "INITLINT_TEST_EXPECTS", "INITLINT_TEST_DEVICES", "PYTEST_ADDOPTS")
        left = {name: value for name, value in os.environ.items() if name not in ours}
        path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider"],
            cwd=tmp_path,
            env=left | {"PYTHONPATH": path} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    return ran


IMPORTS = {
    "directly": ("import torch\n", True),
    "a part of it": ("from torch.nn import functional as F\n", True),
    "a room of initlint": ("from initlint.fill import apply\n", True),
    "a function of a room": ("from initlint.fill.apply import bias_of\n", True),
    "a helper of the tests": ("from oracle import followings\n", True),
    "models of others": ("import timm\n", True),
    "in a try": ("try:\n    import torch\nexcept ImportError:\n    torch = None\n", True),
    "in a class": ("class Holder:\n    import torch\n", True),
    "a name that begins like it": ("import torchlib\n", False),
    "a room that needs none": ("from initlint import api, cli, records\n", False),
    "in a function": ("def test():\n    import torch\n", False),
    "for type checkers": ("if TYPE_CHECKING:\n    import torch\n", False),
    "in a text": ('NET = """\nimport torch\n"""\n', False),
}


@pytest.mark.parametrize(("source", "expected"), IMPORTS.values(), ids=IMPORTS)
def test_which_modules_import_torch(source, expected, tmp_path):
    path = tmp_path / "test_made.py"
    path.write_text(source)
    assert imports_torch(path) is expected


def test_modules_of_this_suite_are_found():
    found = {path.name for path in TESTS.rglob("test_*.py") if imports_torch(path)}
    assert {"test_apply.py", "test_capture.py", "test_engines.py", "test_public.py"} <= found
    assert not {"test_main.py", "test_discover.py", Path(__file__).name} & found


def test_names_of_modules_are_unique():
    """pytest imports each module by its name alone."""
    names = [path.name for path in TESTS.rglob("*.py") if not path.match("*/pairs/**/*.py")]
    once = {name for name in names if names.count(name) == 1}
    assert {name for name in names if name.startswith("test_")} <= once


def test_no_test_is_loose():
    assert list(TESTS.glob("test_*.py")) == []


@pytest.mark.slow
def test_what_is_expected_must_be_there(run):
    assert run(INITLINT_TEST_EXPECTS="pytest, libcst")[0] == 0
    code, output = run(INITLINT_TEST_EXPECTS="pytest,no_such_package")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "INITLINT_TEST_EXPECTS names no_such_package, which is not installed" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("devices", "said"), [("cpu,tpu", "names tpu; write some of cpu, cuda"), ("cuda", "no GPU")]
)
def test_a_device_that_is_not_here_is_an_error(run, devices, said):
    code, output = run(INITLINT_TEST_DEVICES=devices, CUDA_VISIBLE_DEVICES="")
    assert code == pytest.ExitCode.USAGE_ERROR and said in output


@pytest.mark.slow
def test_a_gpu_is_used_only_where_it_is_named(run):
    text = "import pytest\n\n@pytest.mark.gpu\ndef test_it():\n    assert False\n"
    code, output = run(text, CUDA_VISIBLE_DEVICES="")
    assert code == pytest.ExitCode.OK
    assert "devices: cpu (INITLINT_TEST_DEVICES)" in output and "1 skipped" in output
    assert "skipped: no CUDA device (tests marked gpu: 1)" in output


@pytest.mark.slow
def test_in_ci_a_missing_package_is_a_failure(run):
    code, output = run(SKIPPING)
    assert code == 0 and "3 skipped" in output
    code, output = run(SKIPPING, CI="true")
    assert code == 1 and "1 failed, 1 skipped, 1 error" in output
    assert "in CI nothing may be missing: " in output


@pytest.mark.slow
def test_in_ci_a_module_that_skips_itself_is_an_error(run):
    assert run(MODULE)[0] == pytest.ExitCode.NO_TESTS_COLLECTED
    code, output = run(MODULE, CI="true")
    assert code == pytest.ExitCode.INTERRUPTED and "no_such_package" in output
