"""docs/site.py: the pages that it adds to the site, and links that work there."""

import importlib.util
import logging
import re
from pathlib import Path

import pytest
import yaml

from initlint.judge import load

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("site_of_docs", ROOT / "docs" / "site.py")
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("usage.md", "[a](fixing.md#x)", "[a](fixing.md#x)"),
        ("usage.md", "[a](../rules/README.md)", "[a](rules/index.md)"),
        ("usage.md", "[a](../rules/INIT101.md#why)", "[a](rules/INIT101.md#why)"),
        ("usage.md", "[a](../SECURITY.md)", "[a](security.md)"),
        ("usage.md", "[a](../tests/fill) b", "a b"),
        ("index.md", "![a](docs/pictures/digits.svg)", "![a](pictures/digits.svg)"),
        (
            "index.md",
            "[a](docs/usage.md) [b](rules/README.md)",
            "[a](usage.md) [b](rules/index.md)",
        ),
        (
            "rules/index.md",
            "[a](INIT101.md) [b](../docs/rules.md)",
            "[a](INIT101.md) [b](../rules.md)",
        ),
        ("rules/INIT101.md", "[a](INIT102.md)", "[a](INIT102.md)"),
        ("contributing.md", "[a](docs/rules.md)", "[a](rules.md)"),
        ("usage.md", "[a](https://x.org/y) [b](#c)", "[a](https://x.org/y) [b](#c)"),
        (
            "usage.md",
            "```python\n[a](../SECURITY.md)\n```\n",
            "```python\n[a](../SECURITY.md)\n```\n",
        ),
    ],
)
def test_links(page, text, expected, monkeypatch):
    # As long as no address is known.
    monkeypatch.setattr(site, "home", lambda: "")
    assert site.linked(text, page) == expected


def test_a_file_that_is_no_page_is_linked_in_the_repository(monkeypatch):
    monkeypatch.setattr(site, "home", lambda: "https://example.org/initlint")
    new = site.linked("[a](../tests/fill)", "usage.md")
    assert new == "[a](https://example.org/initlint/blob/main/tests/fill)"


def test_a_link_to_nothing_is_a_warning(caplog):
    """A warning ends the strict build."""
    with caplog.at_level(logging.WARNING):
        site.linked("[a](../nothing.py)", "usage.md")
    assert "docs/usage.md: ../nothing.py: there is no such file" in caplog.text


def test_every_rule_has_a_page():
    pages = site.cards()
    assert set(pages) == {f"rules/{code}.md" for code in load().cards}
    assert all(text.startswith("# ") and "\n## Why\n" in text for text in pages.values())


def test_every_page_is_in_the_navigation():
    """What is not there would be built and found by nobody."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"\S+\.md", yaml.dump(yaml.safe_load(text)["nav"])))
    own = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert named == own | (set(site.ELSEWHERE) - {"rules/index.md"})


def test_the_files_behind_pages_exist():
    assert [file for file in site.ELSEWHERE.values() if not (ROOT / file).is_file()] == []
