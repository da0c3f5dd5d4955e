"""Packages that not every run of the tests has: imported, or the test is skipped."""

import functools
import importlib
import importlib.util
from pathlib import Path

import pytest


@functools.cache
def _declared():
    """Lets torchvision's build for another torch be imported: its C++ operators are declared."""
    folder = Path(__file__).parent.parent / "benchmarks" / "public.py"
    spec = importlib.util.spec_from_file_location("public", folder)
    public = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(public)
    return public.import_torchvision()


def imported(name):
    """A module; skips the test where it cannot be imported."""
    try:
        _declared()
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        return pytest.skip(f"{name}: {error}")
