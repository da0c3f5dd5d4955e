"""Every test here runs in an empty folder of its own."""

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
