"""The list of hooks, the settings and the documents agree."""

from pathlib import Path

import pytest
import yaml

from initlint.project import config

ROOT = Path(__file__).parents[2]
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


def test_hooks():
    assert list(HOOKS) == ["initlint", "initlint-fix", "initlint-trace"]
    assert all(hook["require_serial"] for hook in HOOKS.values())


@pytest.mark.parametrize("name", ["initlint", "initlint-fix"])
def test_reading_hooks_take_files_and_notebooks(name):
    assert HOOKS[name]["language"] == "python"
    assert HOOKS[name]["types_or"] == ["python", "jupyter"]


def test_trace_hook_is_of_the_active_environment():
    assert HOOKS["initlint-trace"]["language"] == "system"
    assert HOOKS["initlint-trace"]["pass_filenames"] is False


def test_every_hook_is_documented():
    text = (ROOT / "docs/hooks.md").read_text()
    assert [name for name in HOOKS if f"`{name}`" not in text] == []


def test_every_setting_is_documented():
    text = (ROOT / "docs/usage.md").read_text()
    assert [key for key in config.KEYS if key not in text] == []


def test_workflows_in_the_documents_are_yaml():
    blocks = (ROOT / "docs/hooks.md").read_text().split("```yaml\n")[1:]
    assert len(blocks) == 6
    for block in blocks:
        yaml.safe_load(block.split("```")[0])


def test_settings_in_the_documents_are_settings(tmp_path):
    block = (ROOT / "docs/usage.md").read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / "pyproject.toml").write_text(block)
    shown = config.load(tmp_path / "pyproject.toml")
    assert all(getattr(shown, key.replace("-", "_")) for key in config.KEYS)
