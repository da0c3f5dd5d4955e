"""Everything foreign stays byte for byte: endings, indentation, encodings, odd characters."""

from __future__ import annotations

import ast
import codecs
import sys
import tokenize
from io import StringIO
from pathlib import Path

import pytest
from marked import KAIMING, PATH, XAVIER, finding, refusal, rewritten, unmarked

from initlint.fix.rewrite import rewrite, verify
from initlint.fix.text import comments_of, decode

SOURCE = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = «nn.Linear(3, 4)»
        self.fcs = nn.ModuleList([«nn.Linear(3, 4)» for _ in range(3)])

    def forward(self, x):
        return x
"""
ADDED = """\
        nn.init.xavier_normal_(self.fc.weight)
        for layer in self.fcs:
            nn.init.xavier_normal_(layer.weight)
"""
NAMES = ["fc.weight", ("fcs.0.weight", "fcs.1.weight")]
END = "for _ in range(3)])\n"


def expected(source: str) -> str:
    return unmarked(source)[0].replace(END, END + ADDED)


def done(source: bytes, sites_of: str) -> bytes:
    """The rewriting of `source`, whose text without its encoding is `sites_of` without marks."""
    _, sites = unmarked(sites_of)
    wanted = [finding(s, n, XAVIER) for s, n in zip(sites, NAMES, strict=True)]
    result = rewrite(source, PATH, wanted)
    assert result.refused == ()
    return result.source


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("unit", ["\t", "  ", "   "], ids=["tabs", "two", "three"])
def test_endings_and_indentation(newline: str, unit: str) -> None:
    source = SOURCE.replace("\n", newline).replace("    ", unit)
    after = expected(SOURCE).replace("\n", newline).replace("    ", unit)
    assert done(unmarked(source)[0].encode(), source) == after.encode()


def test_the_neighbour_s_ending_in_a_mixed_file() -> None:
    source = SOURCE.replace(END, END.replace("\n", "\r\n"))
    after = expected(SOURCE).replace(END + ADDED, (END + ADDED).replace("\n", "\r\n"))
    assert done(unmarked(source)[0].encode(), source) == after.encode()


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_no_newline_at_the_end(newline: str) -> None:
    source = SOURCE.partition("\n    def forward")[0].rstrip("\n").replace("\n", newline)
    after = source.replace("«", "").replace("»", "") + newline + ADDED.replace("\n", newline)
    assert done(unmarked(source)[0].encode(), source) == after.removesuffix(newline).encode()


def test_a_byte_order_mark() -> None:
    clean = codecs.BOM_UTF8 + unmarked(SOURCE)[0].encode()
    assert done(clean, SOURCE) == codecs.BOM_UTF8 + expected(SOURCE).encode()


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "iso-8859-15", "utf-8", "koi8-r"])
def test_an_encoding_of_its_own(encoding: str) -> None:
    word = "Größe" if encoding != "koi8-r" else "размер"
    source = f"# -*- coding: {encoding} -*-\n# {word}\n{SOURCE}{word} = '{word}'\n"
    assert done(unmarked(source)[0].encode(encoding), source) == expected(source).encode(encoding)


def test_an_encoding_whose_way_back_gives_other_bytes() -> None:
    source = b"# coding: utf-7\nx = '+AGE-'\n"
    (_, reason), *_ = rewrite(source, PATH, [finding(unmarked("«x»")[1][0], "w")]).refused
    assert "byte for byte" in reason


@pytest.mark.parametrize(
    "extra",
    [
        "\f\n\n",
        "x = 'a\\\nb'\n",
        "x = '''a\r\nb\rc\n'''\n",
        "x = '\x0b\x1c\u2028\x85'\n",
        "\n\n   \n\t\n",
        "x = (1,\n  # odd indentation\n      2)\n",
        "if 1 :  pass # trailing blank  \n",
        "größe = 'ß'  # ü\n",
    ],
    ids=[
        *("form feed", "continued string", "endings in a string", "separators in a string"),
        *("blank lines with blanks", "comment in brackets", "trailing blanks", "non-ASCII"),
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_odd_lines(extra: str, place: str) -> None:
    source = extra + SOURCE if place == "before" else SOURCE + extra
    assert done(unmarked(source)[0].encode(), source) == expected(source).encode()


@pytest.mark.parametrize(
    "source",
    [
        "from torch import nn\n\x0cfc = «nn.Linear(3, 4)»\n",
        "from torch import nn\rfc = «nn.Linear(3, 4)»\r",
        "\x0cfrom torch import nn\nfc = «nn.Linear(3, 4)»\n",
    ],
    ids=["form feed before a statement", "carriage returns", "form feed before the first line"],
)
def test_what_libcst_does_not_print_as_it_is_stays_as_it_is(source: str) -> None:
    assert refusal(source, ["weight"], calls=XAVIER) == "libcst does not print the file as it is"


def test_characters_of_two_bytes_before_the_call() -> None:
    source = "from torch import nn\nnetze = {'größe': 1}; größe = nn.ReLU\n"
    source += "größe, weite = nn.ReLU(), «nn.Linear(3, 4)»\n"
    last = rewritten(source, ["weight"], calls=XAVIER).splitlines()[-1]
    assert last == "nn.init.xavier_normal_(weite.weight)"


def test_every_comment_and_line_survives_in_order() -> None:
    source = SOURCE.replace("super().__init__()", "super().__init__()  # first\n        # second")
    before = unmarked(source)[0].splitlines()
    after = rewritten(source, NAMES).splitlines()
    remaining = iter(after)
    assert all(line in remaining for line in before)
    assert comments_of("\n".join(after)) == ["# first", "# second"]


LIBRARY = Path(ast.__file__).parent


@pytest.mark.parametrize("name", ["ast.py", "enum.py", "tokenize.py", "typing.py", "turtle.py"])
def test_comments_are_those_of_tokenize(name: str) -> None:
    content = (LIBRARY / name).read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(StringIO(content).readline)
    assert comments_of(content) == [t.string for t in tokens if t.type == tokenize.COMMENT]


def check(old: str, new: str, corrected: set[int] | None = None) -> None:
    verify(decode(old.encode()), decode(new.encode()), corrected or set())


class TestVerify:
    """What would keep a file from being replaced, shown on files that were spoilt by hand."""

    old = "x = 1  # one\ny = 2\n"

    def test_lines_may_be_added_anywhere(self) -> None:
        check(self.old, "a = 0\nx = 1  # one\nb = 0\ny = 2\nc = 0\n")

    def test_corrected_lines_may_differ(self) -> None:
        check(self.old, "x = 1  # one\ny = 3\n", corrected={2})

    def test_a_last_line_may_get_its_ending(self) -> None:
        check("x = 1", "x = 1\ny = 2")

    @pytest.mark.parametrize(
        ("new", "reason"),
        [
            ("x = 1  # one\ny = 3\n", "a line that the fix does not concern would change"),
            ("x = 1  # one\n", "a line that the fix does not concern would change"),
            ("y = 2\nx = 1  # one\n", "a line that the fix does not concern would change"),
            ("x = 1\ny = 2\n", "a comment would be lost"),
            ("x = 1  # one\ny = 2\n# two\n", "a comment would be lost"),
            ("x = 1  # one\ny = (2\n", "the file cannot be parsed"),
        ],
        ids=["changed", "missing", "swapped", "comment gone", "comment new", "broken"],
    )
    def test_refused(self, new: str, reason: str) -> None:
        with pytest.raises(Exception, match=reason):
            check(self.old, new)


def test_a_result_that_fails_its_verification_is_not_given_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules["initlint.fix.rewrite"]
    monkeypatch.setattr(module, "printed", lambda parsed, edits: "from torch import (")
    source = "from torch.nn import Linear\nfc = «Linear(3, 4)»\n"
    assert refusal(source, ["weight"], calls=KAIMING).startswith("the file cannot be parsed")
