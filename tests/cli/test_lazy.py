"""What may be imported when: no torch to ask for help, no libcst where nothing is rewritten."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "numpy", "libcst", "safetensors", "matplotlib")
RUN = "from initlint.cli.main import main; main({!r})"


def imported(code):
    """Which heavy packages a fresh interpreter has imported after running `code`."""
    tail = (
        f"\nimport sys\nprint('\\n', *[n for n in {HEAVY!r} if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + tail], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


LIGHT = {
    "import": "import initlint",
    "version": "import initlint; initlint.__version__",
    "records": "from initlint import Layer, Finding, Following, Initializer, Site, InitlintError",
    "report": "from initlint import Report; str(Report())",
    "public names": "import initlint; dir(initlint); initlint.check; initlint.fix; initlint.apply_",
    "command line": "import initlint.cli.main",
    "no command": RUN.format([]),
    "help": RUN.format(["--help"]),
    "help of check": RUN.format(["check", "--help"]),
    "help of apply": RUN.format(["apply", "--help"]),
    "a card": RUN.format(["rule", "INIT101"]),
    "all cards": RUN.format(["rule", "--all", "--output-format", "json"]),
    "usage error": RUN.format(["check", "--nonsense"]),
    "unknown rule": RUN.format(["check", "net.py:Net", "--select", "INIT9"]),
    "wrong input": RUN.format(["check", "net.py:Net", "--input", "x"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT)
def test_nothing_heavy(code):
    assert imported(code) == set()


@pytest.mark.parametrize(
    "options", [[], ["--show-layers"], ["--output-format", "gitlab"]], ids=" ".join
)
def test_reading_a_file_imports_nothing_heavy(options):
    code = RUN.format(["check", "docs/examples/lenet.py", "-q", *options])
    assert imported(code) == set()


@pytest.mark.parametrize("form", ["json", "sarif", "rdjson"])
def test_libcst_is_imported_where_edits_are_shown(form):
    line = ["check", "-q", "--output-format", form]
    assert imported(RUN.format([*line, "docs/examples/lenet.py"])) == {"libcst"}
    assert imported(RUN.format([*line, "initlint/records.py"])) == set()


def test_repairing_what_was_read_needs_no_torch(tmp_path):
    path = shutil.copy(ROOT / "docs/examples/lenet.py", tmp_path)
    assert imported(RUN.format(["check", path, "-q", "--fix"])) == {"libcst"}
    assert "kaiming_normal_" in Path(path).read_text()


def test_checking_rewrites_nothing():
    assert "libcst" not in imported(RUN.format(["check", "docs/examples/lenet.py:LeNet", "-q"]))


@pytest.mark.parametrize("name", [pytest.param("torch", marks=pytest.mark.torch), "libcst"])
def test_this_test_can_fail(name):
    assert name in imported(f"import initlint, {name}")
    sneaking = f"import sys; sys.path.insert(0, '.'); exec('import initlint, {name}')"
    assert name in imported(sneaking)


def test_models_are_built_in_a_process_of_their_own():
    assert imported(RUN.format(["check", "docs/examples/lenet.py:LeNet", "-q"])) == set()


@pytest.mark.torch
def test_this_test_sees_what_the_python_api_imports():
    code = "import initlint; initlint.check('docs/examples/lenet.py:LeNet')"
    assert "torch" in imported(code)


# Without torch

BLOCK = """
import sys
class Blocker:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, Blocker())
"""
NEEDS = "needs torch, which is not installed; pip install torch --index-url https://download.pytorch.org/whl/cpu"


def without_torch(code, folder=ROOT):
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "check docs/examples/lenet.py:LeNet",
        "check docs/examples/lenet.py:LeNet --diff",
        "check --trace docs/examples/lenet.py -q",
        "apply docs/examples/lenet.py:LeNet",
    ],
)
def test_without_torch_the_command_line_says_what_to_install(line):
    done = without_torch(f"from initlint.cli.main import run; run({line.split()!r})")
    assert done.returncode == 2, done.stderr
    (said,) = [text for text in done.stderr.splitlines() if "error" in text]
    assert said.startswith("initlint: error: ") and said.endswith(NEEDS)


def test_without_torch_an_ill_formed_target_is_told_what_to_write():
    done = without_torch("from initlint.cli.main import run; run(['apply', 'gone.py'])")
    assert done.stderr == "initlint: error: gone.py: name a model in it, as gone.py:Net\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        "check('docs/examples/lenet.py:LeNet')",
        "check('docs/examples/lenet.py', trace=True)",
        "check(lambda: None)",
        "fix('docs/examples/lenet.py', trace=True)",
        "apply_(None)",
        "materialize(lambda: None)",
    ],
)
def test_without_torch_the_python_api_says_what_to_install(call):
    done = without_torch(f"import initlint; initlint.{call}")
    assert done.stderr.splitlines()[-1].startswith("initlint.records.InitlintError: ")
    assert done.stderr.splitlines()[-1].endswith(NEEDS)


@pytest.mark.slow
def test_without_torch_files_beside_a_model_are_read():
    targets = ["docs/examples/lenet.py:LeNet", "docs/examples/lenet.py"]
    done = without_torch(f"from initlint.cli.main import run; run(['check', *{targets!r}])")
    assert done.returncode == 2 and "INIT101" in done.stdout
