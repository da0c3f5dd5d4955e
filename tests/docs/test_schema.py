"""docs/settings.schema.json says of every setting what project/config.py accepts."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from initlint.project import config
from initlint.records import CHOICES, FORMATS, InitlintError

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "settings.schema.json").read_text(encoding="utf-8"))
GOOD = {
    "a rule": 'select = ["INIT1", "default-before-rectifier"]',
    "none": "ignore = []",
    "a style": 'style = "method"',
    "a format": 'output-format = "sarif"',
    "a file": 'baseline = "known.json"',
    "files": 'per-file-ignores = {"tests/**" = ["INIT1"]}',
}
BAD = {
    "unknown key": "selekt = []",
    "underscores": "extend_select = []",
    "a text for a list": 'select = "INIT1"',
    "numbers": "ignore = [101]",
    "unknown style": 'style = "inside"',
    "unknown format": 'output-format = "xml"',
    "a list of formats": 'output-format = ["full"]',
    "an empty name": 'baseline = ""',
    "too many": f"paths = {['a'] * 1001}",
    "too long": f'models = ["{"a" * 4097}"]',
    "a list for files": "per-file-ignores = []",
    "a text for rules": 'per-file-ignores = {"tests/**" = "INIT1"}',
}


def accepted_by_both(text, tmp_path):
    """Whether the schema and the program accept the settings."""
    file = tmp_path / "pyproject.toml"
    file.write_text(f"[tool.initlint]\n{text}\n", encoding="utf-8")
    table = tomllib.loads(file.read_text(encoding="utf-8"))["tool"]["initlint"]
    answers = []
    for check in (lambda: jsonschema.validate(table, SCHEMA), lambda: config.load(file)):
        try:
            check()
            answers.append(True)
        except (jsonschema.ValidationError, InitlintError):
            answers.append(False)
    return answers


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_keys_are_those_of_the_program():
    assert set(SCHEMA["properties"]) == set(config.KEYS)
    assert all(entry["description"].endswith(".") for entry in SCHEMA["properties"].values())


def test_the_values_are_those_of_the_program():
    wanted = {**CHOICES, "output-format": FORMATS}
    found = {key: entry["enum"] for key, entry in SCHEMA["properties"].items() if "enum" in entry}
    assert found == {key: list(values) for key, values in wanted.items()}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_good_settings(text, tmp_path):
    assert accepted_by_both(text, tmp_path) == [True, True]


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bad_settings(text, tmp_path):
    assert accepted_by_both(text, tmp_path) == [False, False]
