"""The prefixes of other linters' codes, and what is said of such a code."""

import json
import subprocess
import sys

import pytest

from initlint.judge import load
from initlint.judge.unknown import advice, of_others


def test_all_prefixes_of_the_installed_ruff_are_known():
    asked = [sys.executable, "-m", "ruff", "linter", "--output-format", "json"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("ruff is not installed for this Python")
    prefixes = set()
    for linter in json.loads(listed.stdout):
        parts = [linter["prefix"], *(part["prefix"] for part in linter.get("categories", ()))]
        # C4, C90 and T10 are the letters and the first digits.
        prefixes |= {part.rstrip("0123456789") for part in parts} - {""}
    assert prefixes - of_others() == set()


@pytest.mark.parametrize("code", ["F401", "TOR101", "WPS432", "TCH001", "C0114", "R0903", "YTT1"])
def test_codes_of_others_are_told_as_such(code):
    assert f"{code} is a rule of another linter" in advice(code, load().cards)


@pytest.mark.parametrize("code", ["TEAM101", "XYZ1", "FOO"])
def test_codes_of_nobody_are_not(code):
    assert "another" not in advice(code, load().cards)
