"""Real files, every layer or any call in them fixed: nothing breaks, nothing foreign moves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path

import pytest
from marked import PATH, finding

from initlint.fix.members import Handed
from initlint.fix.names import Naming
from initlint.fix.parsed import Parsed, parse
from initlint.fix.rewrite import rewrite
from initlint.fix.spot import last_name
from initlint.fix.text import RefusedError, comments_of
from initlint.records import CHOICES, Finding, Preferences, Site

PACKAGES = {
    "torchvision": "models/**/*.py",
    "timm": "**/*.py",
    "transformers": "models/**/modeling_*.py",
    "torch": "nn/modules/*.py",
}
LIBRARY = sorted(Path(ast.__file__).parent.glob("*.py"))
KINDS = ("insert", "correct")
_LAYER = re.compile(r"^(Linear|Conv[123]d|ConvTranspose[123]d|Embedding|Parameter)$")


def files(package: str) -> list[Path]:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    return sorted(Path(spec.origin).parent.glob(PACKAGES[package]))


def layers(parsed: Parsed, pattern: re.Pattern[str] = _LAYER) -> Iterator[Finding]:
    """A finding for each layer made in a file, with the name that a model would give it."""
    text = parsed.text
    for node in ast.walk(parsed.tree):
        if isinstance(node, ast.Call) and pattern.match(last_name(node.func)):
            assert node.end_lineno is not None and node.end_col_offset is not None
            start, end = text.span(node)
            first = start - text.offset(node.lineno, 0) + 1
            last = end - text.offset(node.end_lineno, 0) + 1
            site = Site(PATH, node.lineno, first, node.end_lineno, last)
            bare = last_name(node.func) == "Parameter"
            yield finding(site, ".".join([*names(parsed, site), *([] if bare else ["weight"])]))


def names(parsed: Parsed, site: Site) -> list[str]:
    try:
        target = Naming(parsed.spot(site), parsed.text, parsed.own_classes, parsed.names).target()
    except RefusedError:
        return ["model", "x"]
    parts = ["fn" if isinstance(part, Handed) else part or "0" for part in target.pattern]
    return ["model", *parts]


@pytest.mark.corpus
@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_layer_of(package: str) -> None:
    fixed, refused = 0, []
    for path in files(package):
        source = path.read_bytes()
        wanted = list(layers(parse(source)))
        result = rewrite(source, PATH, wanted)
        fixed += len(result.fixed)
        refused += [(path, f.fix.site.line, why) for f, why in result.refused if f.fix]
        check(source, result.source)
    assert not [
        why
        for *_, why in refused
        if "line that the fix does not concern" in why or "comment" in why
    ]
    assert fixed >= 0.95 * (fixed + len(refused)), refused


def typed(source: bytes) -> list[Finding]:
    """The same findings, where all layers of a linear or convolutional type want the call."""
    parsed = parse(source)
    found = []
    for each in layers(parsed):
        assert each.fix
        name = last_name(parsed.spot(each.fix.site).call.func)
        decided = name if name.startswith(("Conv", "Linear")) else ""
        found.append(replace(each, fix=replace(each.fix, of_type=decided)))
    return found


def in_style(package: str, style: str) -> int:
    """Fix every layer of a package's files in one style; a second run must change nothing."""
    wanted, fixed = Preferences(style=style, bias="zeros"), 0
    for path in files(package):
        source = path.read_bytes()
        result = rewrite(source, PATH, typed(source), wanted)
        compile(result.source, PATH, "exec", dont_inherit=True)
        fixed += len(result.fixed)
        if result.source != source:
            again = rewrite(result.source, PATH, typed(result.source), wanted)
            assert again.source == result.source, path
    return fixed


@pytest.mark.torch
@pytest.mark.parametrize("style", CHOICES["style"])
def test_every_style_in_the_modules_of_torch(style: str) -> None:
    assert in_style("torch", style) > 10


@pytest.mark.corpus
@pytest.mark.parametrize("style", ["method", "apply"])
@pytest.mark.parametrize("package", ["timm", "torchvision", "transformers"])
def test_every_style_in(package: str, style: str) -> None:
    assert in_style(package, style) > 100


def check(before: bytes, after: bytes) -> None:
    """Parses, keeps every line and comment, and is left alone by a second run."""
    old, new = parse(before), parse(after)
    compile(after, PATH, "exec", dont_inherit=True)
    assert comments_of(new.text.content) == comments_of(old.text.content)
    remaining = iter(new.text.lines)
    assert all(any(map(partial(stays, line), remaining)) for line in old.text.lines)
    if before != after:
        assert rewrite(after, PATH, list(layers(new))).source == after


def stays(line: str, found: str) -> bool:
    """Whether a line is still there: what it returns named, or calls put behind a semicolon."""
    named = re.sub(r"^(\s*)return\b", r"\1\\w+ =", re.escape(line).replace(r"\ ", " "))
    code = line.partition("  #")[0].rstrip("\r\n")
    return (
        found in (line, line + "\n")
        or found.startswith(f"{code}; ")
        or bool(re.fullmatch(named, found))
    )


def any_call(paths: Sequence[Path]) -> int:
    """Take every call for a layer, and every other one for an initialiser."""
    fixed = 0
    for path in paths:
        source = path.read_bytes()
        wanted = [
            finding(f.fix.site, f.parameters, kind=kind)
            for f, kind in zip(layers(parse(source), re.compile("")), cycle(KINDS), strict=False)
            if f.fix
        ]
        result = rewrite(source, PATH, wanted)
        assert len(result.fixed) + len(result.refused) == len(wanted)
        compile(result.source, PATH, "exec", dont_inherit=True)
        fixed += len(result.fixed)
    return fixed


@pytest.mark.slow
def test_calls_of_all_kinds_are_fixed_or_refused() -> None:
    assert any_call([path for path in LIBRARY if path.stem in {"ast", "enum", "shutil"}]) > 20


@pytest.mark.corpus
def test_all_calls_of_the_standard_library() -> None:
    assert any_call(LIBRARY) > 1000
