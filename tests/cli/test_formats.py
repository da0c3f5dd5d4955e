"""`--output-format` several times: one format is printed, the others go to files."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from handmade import FOUND

SEVERAL = "--output-format concise --output-format sarif=out.sarif --output-format junit=out.xml"


def test_one_is_printed_and_the_others_are_written(initlint):
    code, out, _ = initlint(f"check net.py:Net {SEVERAL}", report=FOUND)
    assert code == 1 and len(out.splitlines()) == 3
    assert len(json.loads(Path("out.sarif").read_text())["runs"][0]["results"]) == 3
    assert ElementTree.parse("out.xml").getroot().tag == "testsuites"


def test_a_file_alone_leaves_what_is_printed(initlint):
    plain = initlint("check net.py:Net", report=FOUND)
    assert initlint("check net.py:Net --output-format json=out.json", report=FOUND) == plain
    assert len(json.loads(Path("out.json").read_text())["findings"]) == 3


def test_each_file_is_what_would_be_printed(initlint):
    for form in ("full", "concise", "json", "github", "gitlab", "sarif", "junit", "rdjson"):
        printed = initlint(f"check net.py:Net --output-format {form}", report=FOUND)[1]
        initlint(f"check net.py:Net --output-format {form}=out", report=FOUND)
        assert Path("out").read_text() == printed, form


def test_json_in_a_file_has_the_parameters(initlint, fake):
    initlint("check net.py:Net --output-format json=out.json", report=FOUND)
    assert fake.asked["options"].parameters
    initlint("check net.py:Net --output-format sarif=out.json", report=FOUND)
    assert not fake.asked["options"].parameters


def test_with_output_file(initlint):
    line = (
        "check net.py:Net --output-file a.txt --output-format concise --output-format json=a.json"
    )
    assert initlint(line, report=FOUND)[:2] == (1, "")
    assert Path("a.txt").read_text().count("INIT") >= 3 and Path("a.json").exists()


def test_statistics_are_printed_beside_a_file(initlint):
    line = "check net.py:Net --statistics --output-format json=a.json"
    code, out, _ = initlint(line, report=FOUND)
    assert code == 1 and "default-before-rectifier" in out and Path("a.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--output-format full --output-format json", "full and json cannot both be printed"),
        ("--output-format json=a --output-format sarif=a", "two formats go to a; name two files"),
        ("--output-format json=", "json= names no file"),
        ("--output-format xml=a", "'xml' is not one of 'full', 'concise', 'json'"),
        ("--output-format =a", "'' is not one of"),
        ("--diff --output-format json=a", "--output-format has no effect here: --diff prints"),
        ("--output-format json=no/where", "--output-format"),
    ],
)
def test_what_cannot_be_is_one_line(initlint, options, said):
    code, _, err = initlint(f"check net.py:Net {options}", report=FOUND)
    assert code == 2 and said in err.splitlines()[-1] and not Path("a").exists()


def test_the_shell_completes_formats():
    words = {"COMP_WORDS": "initlint check --output-format s", "COMP_CWORD": "3"}
    environ = {**os.environ, **words, "_INITLINT_COMPLETE": "bash_complete"}
    code = "import sys; sys.argv[0] = 'initlint'; from initlint.cli.main import run; run()"
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.stdout.split() == ["plain,sarif"], done.stderr


def test_a_link_is_refused(initlint):
    Path("link").symlink_to("elsewhere")
    code, _, err = initlint("check net.py:Net --output-format json=link", report=FOUND)
    assert code == 2 and "--output-format" in err and not Path("elsewhere").exists()
