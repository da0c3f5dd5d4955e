"""The public names of the package."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import initlint
from initlint import api, records
from initlint.fill import filling
from initlint.profile import profiling, result


@pytest.mark.parametrize("name", initlint.__all__)
def test_public_names_are_those_of_their_rooms(name):
    rooms = {"apply_": filling, "materialize": filling, "profile": profiling, "Profile": result}
    home = rooms.get(name, api if name in ("Fixed", "Report", "check", "fix") else records)
    assert getattr(initlint, name) is getattr(home, name)


def test_public_names_are_listed():
    assert {*initlint.__all__, "__version__"} <= set(dir(initlint))


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="module 'initlint' has no attribute 'chekc'"):
        initlint.chekc  # noqa: B018
    with pytest.raises(ImportError):
        importlib.import_module("initlint.chekc")


def test_the_version_is_one_of_python():
    """tests/house/test_wheel.py compares it with that of the wheel."""
    assert re.match(r"\d+\.\d+(\.\d+)?(\.dev\d+)?(\+[a-z\d.]+)?$", initlint.__version__)


ORDERS = {
    "room first": "import initlint.fix, initlint; initlint.fix.__code__",
    "function first": "import initlint; initlint.fix.__code__; import initlint.fix as room;"
    "initlint.fix.__code__",
    "by name": "import initlint.fix; from initlint import fix; fix.__code__",
    "room by name": "from initlint.fix import rewrite; import initlint; initlint.fix.__code__",
}


@pytest.mark.parametrize("code", ORDERS.values(), ids=ORDERS)
def test_fix_is_the_function_whatever_was_imported(code):
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_str_of_a_report_is_text():
    assert isinstance(str(initlint.Report()), str)
