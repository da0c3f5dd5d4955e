"""--update-golden is for a person who looks at the change, not for CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_update_golden_is_refused_in_ci():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--update-golden",
        "--collect-only",
        "-q",
        "tests/cli",
    ]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "CI": "true"}, capture_output=True, text=True
    )
    assert done.returncode == 4
    assert "--update-golden is refused where CI is set" in done.stdout + done.stderr
