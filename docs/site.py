"""Hooks of mkdocs: the pages that lie outside of docs/, those of the rules, and links."""

from __future__ import annotations

import logging
import os
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from initlint.judge import load
from initlint.output import card
from initlint.output.project import home

ROOT = Path(__file__).resolve().parents[1]
# Pages whose text is a file outside of docs/.
ELSEWHERE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "code_of_conduct.md": "CODE_OF_CONDUCT.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "rules/index.md": "rules/README.md",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_FENCED = re.compile(r"(^ *(`{3,})[^\n]*\n.*?^ *\2 *$)", re.DOTALL | re.MULTILINE)
_log = logging.getLogger("mkdocs.site")


def cards() -> Mapping[str, str]:
    """The page of each rule: its place in docs/ and its text."""
    rules = load().cards.values()
    return {f"rules/{rule.code}.md": card.render([rule], "markdown") for rule in rules}


def linked(text: str, page: str) -> str:
    """The text of a page with links between files of the repository turned into links of the site.

    Code is left alone. Files that are no pages are linked to in the repository if its address is
    known.
    """
    pieces = _FENCED.split(text)
    # Split by two groups: text, fenced block, its fence.
    pieces = [piece for number, piece in enumerate(pieces) if number % 3 != 2]
    pieces[::2] = [_LINK.sub(lambda found: _link(found, page), piece) for piece in pieces[::2]]
    return "".join(pieces)


def _link(found: re.Match[str], page: str) -> str:
    image, text, link, anchor = found.groups(default="")
    target = _target(link, page)
    return f"{image}[{text}]({target}{anchor})" if target else text


def _target(link: str, page: str) -> str:
    source = ELSEWHERE.get(page) or (page if page.startswith("rules/") else f"docs/{page}")
    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if not os.path.lexists(ROOT / file):
        _log.warning("%s: %s: there is no such file", source, link)
    to = next((name for name, text in ELSEWHERE.items() if text == file), None)
    if file.startswith("docs/"):
        to = file.removeprefix("docs/")
    elif re.fullmatch(r"rules/[A-Z]+\d+\.md", file):
        to = file
    if to is None:
        return f"{home()}/blob/main/{file}" if home() else ""
    return posixpath.relpath(to, posixpath.dirname(page) or ".")


def on_config(config: Any) -> Any:
    """Take the address of the repository from the package, and the rules into the index."""
    if home():
        config.repo_url, config.repo_name = home(), "Source"
    pages = ["rules/index.md", *({page.split("/")[1][:-3]: page} for page in cards())]
    for section in config.nav:
        if "Rules" in section:
            section["Rules"] = pages
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages whose text lies outside of docs/."""
    from mkdocs.structure.files import File

    texts = {page: (ROOT / file).read_text(encoding="utf-8") for page, file in ELSEWHERE.items()}
    for page, text in (*texts.items(), *cards().items()):
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn the page's links into links of the site."""
    return linked(markdown, page.file.src_uri)
