"""The command line on the real api and the example models."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import torch
from safetensors.torch import load_file

from initlint.cli import main as cli

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "tests/output/schemas/report.json").read_text())


@pytest.fixture
def lenet(tmp_path, monkeypatch):
    shutil.copy(ROOT / "docs/examples/lenet.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lenet.py"


@pytest.fixture
def initlint(capsys):
    def run(line):
        code = cli.main(line.split())
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_check(lenet, initlint):
    code, out, err = initlint("check lenet.py:LeNet")
    assert code == 1
    assert [line for line in out.splitlines() if "^" in line] == [
        f"   |                      {'^' * 19}"
    ]
    assert "nn.init.kaiming_normal_(self.conv2.weight" in out
    assert err == "Found 1 finding in 1 model; 1 fixable with --fix.\n"


def test_json_holds_to_its_schema(lenet, initlint):
    _, out, _ = initlint("check lenet.py:LeNet --output-format json")
    content = json.loads(out)
    jsonschema.validate(content, SCHEMA)
    assert [entry["layer"] for entry in content["layers"]] == [
        *("conv1", "conv2", "fc1", "fc2", "fc3")
    ]
    assert [entry["layer"] for entry in content["findings"]] == ["conv2"]


def test_select_and_ignore(lenet, initlint):
    assert initlint("check lenet.py --ignore INIT101 -q") == (0, "", "")
    assert initlint("check lenet.py --select INIT102 -q") == (0, "", "")
    assert initlint("check lenet.py --select default-before-rectifier")[0] == 1


def test_suppression(lenet, initlint):
    text = lenet.read_text().replace("nn.Conv2d(6, 16, 5)", "nn.Conv2d(6, 16, 5)  # noqa: INIT101")
    lenet.with_name("other.py").write_text(lenet.read_text())
    lenet.write_text(f"# initlint: ignore[INIT102]\n{text}")
    _, out, _ = initlint("check lenet.py other.py --output-format concise")
    assert "lenet.py" not in out
    assert "other.py" in out


def test_diff_then_fix_then_nothing(lenet, initlint):
    before = lenet.read_bytes()
    code, diff, _ = initlint("check --trace lenet.py --diff")
    assert code == 1
    assert diff.count("\n+        nn.init.kaiming_normal_(self.conv") == 1
    assert lenet.read_bytes() == before
    code, out, err = initlint("check --trace lenet.py --fix")
    assert (code, out) == (0, "")
    assert err.startswith("Fixed 1 finding in 1 file.\nNo findings")
    after = lenet.read_bytes()
    assert initlint("check lenet.py --diff") == (0, "", "Would fix nothing.\n")
    assert initlint("check --trace lenet.py --fix")[0] == 0
    assert lenet.read_bytes() == after


def test_a_file_that_cannot_be_written_keeps_no_other_from_it(lenet, initlint):
    source = lenet.read_bytes()
    for name in ("a.py", "b.py"):
        lenet.with_name(name).write_bytes(source)
    lenet.with_name("b.py").chmod(0o444)
    code, out, err = initlint("check a.py b.py lenet.py --fix --output-format concise")
    reason = "the file is read-only; make it writable and run again"
    assert code == 2
    assert err == (
        f"initlint: error: b.py: {reason}\n"
        "Fixed 2 findings in 2 files.\n1 finding remains in 1 model.\n"
    )
    assert [line.partition(":")[0] for line in out.splitlines()] == ["b.py"]
    assert out.count(f"(not fixed: {reason})") == 1
    assert lenet.with_name("b.py").read_bytes() == source
    assert b"kaiming" in lenet.with_name("a.py").read_bytes()
    assert b"kaiming" in lenet.read_bytes()


@pytest.mark.parametrize("names", ["lenet.py link.py", "lenet.py:LeNet link.py:LeNet"])
def test_a_file_of_two_names_is_fixed_once(lenet, initlint, names):
    Path("link.py").symlink_to("lenet.py")
    code, out, err = initlint(f"check {names} --fix")
    assert (code, out) == (0, "") and "in 1 file.\n" in err
    assert lenet.read_bytes().count(b"kaiming_normal_(self.conv") == 1


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_git_applies_the_patch_whatever_the_encodings(lenet, encoding):
    source = lenet.read_text().replace("(self.conv1(x)), 2)", "(self.conv1(x)), 2)  # größer")
    lenet.write_bytes(f"# coding: {encoding}\n{source}".encode(encoding))
    command = [sys.executable, "-m", "initlint", "check", "lenet.py", "--diff"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert shown.returncode == 1 and "größer".encode(encoding) in shown.stdout
    subprocess.run(["git", "apply", "-"], input=shown.stdout, check=True)
    assert lenet.read_bytes().count(b"kaiming_normal_(self.conv") == 1


def test_suppressed_findings_are_not_fixed(lenet, initlint):
    lenet.write_text(f"# initlint: skip-file\n{lenet.read_text()}")
    assert initlint("check lenet.py --diff") == (0, "", "Would fix nothing.\n")


def test_what_is_not_suppressed_is_fixed(lenet, initlint):
    text = lenet.read_text().replace("nn.Conv2d(3, 6, 5)", "nn.Conv2d(3, 6, 5)  # noqa: INIT101")
    lenet.write_text(text)
    code, out, err = initlint("check lenet.py --fix")
    assert (code, out) == (0, "")
    assert err.startswith("Fixed 1 finding in 1 file.")
    assert "conv1.weight" not in lenet.read_text()


def test_apply_writes_weights(lenet, initlint):
    for name in ("a.safetensors", "b.safetensors"):
        code, out, err = initlint(f"apply lenet.py:LeNet --seed 3 --scope all --out {name}")
        assert code == 0
        assert "1.00×" in out
        assert err.endswith(f"Filled 10 parameters; 0 kept.\nWritten to {name}.\n")
    first, second = load_file("a.safetensors"), load_file("b.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["conv1.weight"].std().item() == pytest.approx(0.163, rel=0.15)


def test_apply_writes_a_file_with_the_rights_that_others_have(lenet, initlint):
    before = os.umask(0o027)
    try:
        initlint("apply lenet.py:LeNet --out a.safetensors")
        new = Path("a.safetensors").stat().st_mode & 0o777
        Path("a.safetensors").chmod(0o600)
        initlint("apply lenet.py:LeNet --out a.safetensors")
        assert (new, Path("a.safetensors").stat().st_mode & 0o777) == (0o640, 0o600)
    finally:
        os.umask(before)
    assert {path.name for path in Path().glob("*.*") if path.is_file()} == {
        "a.safetensors",
        "lenet.py",
    }


@pytest.mark.parametrize("name", ["lenet.py", "weights.pt", "weights", ".safetensors"])
def test_apply_writes_over_no_file_of_another_kind(lenet, initlint, name):
    source = lenet.read_bytes()
    code, _, err = initlint(f"apply lenet.py:LeNet --out {name}")
    assert code == 2 and err.startswith(f"initlint: error: --out {name}: the file is written in")
    assert lenet.read_bytes() == source and len(list(lenet.parent.glob("*.*"))) == 1


def test_apply_leaves_biases_alone_if_told_to(lenet, initlint):
    assert initlint("apply lenet.py:LeNet --skip *.bias --out a.safetensors")[0] == 0
    assert load_file("a.safetensors")["fc1.bias"].any()


REFUSED = [
    ("check lenet.py:LeNt", "lenet.py:LeNt: there is no LeNt in lenet; did you mean LeNet?"),
    ("check lent.py:LeNet", "lent.py: no such file"),
    ("check lent.py", "lent.py: no such file or folder"),
    ("check lenet.py:LeNet --arg clases=3", "lenet.py:LeNet: takes no argument clases"),
    ("apply lenet.py:LeNt", "lenet.py:LeNt: there is no LeNt in lenet"),
    ("apply lenet.py:LeNet --device foo", "device foo: torch knows no such device"),
    ("apply lenet.py:LeNet --only fc", "only fc: no parameter or module has that name; did you"),
    ("apply lenet.py:LeNet --skip *.bais", "skip *.bais: no parameter or module has that name"),
]


@pytest.mark.parametrize(("line", "reason"), REFUSED)
def test_what_cannot_be_done_is_one_line(lenet, initlint, line, reason):
    code, out, err = initlint(line)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("initlint: error: ")
    assert reason in err
