"""Notebooks: cells get their calls, and every other byte stays."""

from __future__ import annotations

import codecs
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marked import PATH, ZEROS, finding, unmarked

from initlint.fix.notebook import rewrite_file
from initlint.project import notebooks
from initlint.records import Finding, Preferences

NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = «nn.Linear(3, 4)»  # größer
        self.fc2 = «nn.Linear(4, 5)»

    def forward(self, x):
        return self.fc2(self.fc1(x))"""
LINES = [
    "        nn.init.zeros_(self.fc1.weight)",
    "        nn.init.zeros_(self.fc2.weight)",
]
FILLED = NET.replace("\n\n    def forward", "\n".join(["", *LINES, "", "    def forward"]))


def cell(source: str, kind: str = "code", lines: bool = True) -> dict[str, Any]:
    written = source.splitlines(keepends=True) if lines else source
    outputs = {"outputs": [{"data": {"image/png": "iVBORw0K" * 9, "x": [1, 1.50, {}]}}]}
    return {
        "cell_type": kind,
        "metadata": {},
        "source": written,
        **(outputs if kind == "code" else {}),
    }


def dumped(cells: list[dict[str, Any]], **options: Any) -> bytes:
    content = {"cells": cells, "metadata": {"a": []}, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(content, **{"indent": 1, "ensure_ascii": False, **options}) + "\n").encode()


def findings(marked: list[str]) -> list[Finding]:
    """One for each mark, at its place in the text of all code cells."""
    _, sites = unmarked("\n".join(marked) + "\n")
    return [finding(site, f"fc{n}.weight", ZEROS) for n, site in enumerate(sites, 1)]


def rewritten(source: bytes, found: list[Finding]) -> tuple[bytes, list[str]]:
    result = rewrite_file(source, "net.ipynb", [moved(f) for f in found], Preferences())
    return result.source, [reason for _, reason in result.refused]


def moved(found: Finding) -> Finding:
    from dataclasses import replace

    assert found.fix
    return replace(found, fix=replace(found.fix, site=replace(found.fix.site, path="net.ipynb")))


IMPORTS = "%matplotlib inline\nimport torch\nfrom torch import nn"
LAYOUTS: dict[str, dict[str, Any]] = {
    "as jupyter writes it": {},
    "indented by four": {"indent": 4},
    "on one line": {"indent": None},
    "compact": {"indent": None, "separators": (",", ":")},
    "escaped": {"ensure_ascii": True},
}


@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("lines", [True, False], ids=["list of lines", "one string"])
def test_only_the_cell_changes(options: dict[str, Any], lines: bool) -> None:
    def notebook(net: str) -> bytes:
        clean = unmarked(net)[0]
        return dumped(
            [
                cell("# Title ü\ntext", "markdown"),
                cell(IMPORTS),
                cell(clean, lines=lines),
                cell(""),
            ],
            **options,
        )

    new, reasons = rewritten(notebook(NET), findings([IMPORTS, NET, ""]))
    assert reasons == []
    wanted = notebook(FILLED)
    assert new == wanted


@pytest.mark.parametrize("blank", ["", " \n"], ids=["", "and blanks"])
def test_a_byte_order_mark(blank: str) -> None:
    def notebook(net: str) -> bytes:
        content = dumped([cell(IMPORTS), cell(unmarked(net)[0])])
        return codecs.BOM_UTF8 + blank.encode() + content

    assert rewritten(notebook(NET), findings([IMPORTS, NET])) == (notebook(FILLED), [])


def test_an_import_goes_into_the_cell_of_the_imports() -> None:
    cells = ["import torch", "x = 1", NET.replace("nn.Module", "torch.nn.Module")]
    found = findings(cells)
    source = dumped([cell(unmarked(text)[0]) for text in cells])
    new, reasons = rewritten(source, found[:1])
    assert reasons == []
    sources = ["".join(c["source"]) for c in json.loads(new)["cells"]]
    assert sources[:2] == ["import torch", "x = 1"]
    assert "torch.nn.init.zeros_(self.fc1.weight)" in sources[2]


def test_magics_stay() -> None:
    cells = ["!pip install torch\nfrom torch import nn\n%time x = 1", f"%%time\n{NET}"]
    source = dumped([cell(unmarked(text)[0]) for text in cells])
    new, reasons = rewritten(source, findings(cells))
    assert reasons == []
    assert new == dumped([cell(cells[0]), cell(unmarked(f"%%time\n{FILLED}")[0])])


def test_calls_at_the_end_of_a_cell() -> None:
    cells = ["from torch import nn", "net = nn.Sequential(«nn.Linear(3, 4)»)", "net"]
    (found,) = findings(cells)
    wanted = finding(found.fix.site, "0.weight", ZEROS)  # type: ignore[union-attr]
    new, reasons = rewritten(dumped([cell(unmarked(c)[0]) for c in cells]), [wanted])
    assert reasons == []
    filled = "net = nn.Sequential(nn.Linear(3, 4))\nnn.init.zeros_(net[0].weight)"
    assert new == dumped([cell(cells[0]), cell(filled), cell("net")])


REFUSED = {
    "carriage returns": (
        dumped([cell("from torch import nn"), cell(unmarked(NET)[0].replace("\n", "\r\n"))]),
        "the cell's lines end with carriage returns",
    ),
    "no notebook": (
        b'{"cells": 3}',
        "is not a notebook of format 4; convert it by jupyter nbconvert",
    ),
    "no JSON": (b"cells", "is not a notebook: Expecting value: line 1 column 1 (char 0)"),
}


@pytest.mark.parametrize(("source", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(source: bytes, reason: str) -> None:
    new, reasons = rewritten(source, findings(["from torch import nn", NET])[:1])
    assert new == source and set(reasons) == {reason}


texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.dictionaries(texts, values, max_size=4), st.sampled_from([None, 0, 1, 3]), st.booleans())
def test_whatever_else_it_holds_stays(extra: Any, width: int | None, escaped: bool) -> None:
    def notebook(net: str) -> bytes:
        other = {**extra, **cell(unmarked(net)[0]), "metadata": extra}
        return dumped([cell(IMPORTS), other], indent=width, ensure_ascii=escaped)

    new, reasons = rewritten(notebook(NET), findings([IMPORTS, NET]))
    assert reasons == [] and new == notebook(FILLED)


def test_a_python_file_is_rewritten_as_one() -> None:
    source = f"from torch import nn\n\n\n{NET}\n"
    clean, sites = unmarked(source)
    found = [finding(site, f"fc{n}.weight", ZEROS) for n, site in enumerate(sites, 1)]
    result = rewrite_file(clean.encode(), PATH, found, Preferences())
    assert result.source.decode() == unmarked(f"from torch import nn\n\n\n{FILLED}\n")[0]


def test_the_text_of_the_cells_is_what_is_read() -> None:
    source = dumped([cell(IMPORTS), cell(unmarked(NET)[0])])
    new, _ = rewritten(source, findings([IMPORTS, NET]))
    assert notebooks.parsed(new).text.endswith(f"{unmarked(FILLED)[0]}\n")
