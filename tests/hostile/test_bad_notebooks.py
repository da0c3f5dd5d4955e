"""Notebooks that no Jupyter wrote: read as far as they go, never harmed, one line where not."""

import json
from pathlib import Path

import pytest
from hostile_nets import NET

from initlint.cli import main as cli

WRONG = [None, True, 0, -1.5, "", "x", [], [[]], [None], {}, {"a": []}, ["x = 1", 3], "\ud800"]


def code(text, **more):
    return {"cell_type": "code", "metadata": {}, "outputs": [], "source": text, **more}


def notebook(*cells, **more):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


@pytest.fixture
def ran(tmp_path, monkeypatch, capfd):
    """Checks and repairs a notebook; gives exit codes, and the content before and after."""
    monkeypatch.chdir(tmp_path)

    def run(content):
        source = content if isinstance(content, bytes) else json.dumps(content).encode()
        codes = []
        for flags in ([], ["--diff"], ["--output-format", "json"], ["--fix"]):
            Path("n.ipynb").write_bytes(source)
            codes.append(cli.main(["check", "--isolated", *flags, "n.ipynb"]))
            err = capfd.readouterr().err
            assert "internal error" not in err
            # What is not read is named.
            assert codes[-1] != 2 or "initlint: error: n.ipynb: " in err or "cell" in err
            assert not [
                p for p in Path.cwd().iterdir() if p.name not in ("n.ipynb", ".initlint_cache")
            ]
        return codes, source, Path("n.ipynb").read_bytes()

    return run


def without_code(content):
    """A notebook without the source of its code cells; NaN is equal to itself."""
    found = json.loads(content, parse_constant=str)
    for cell in found["cells"]:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            cell["source"] = ""
    return found


@pytest.mark.slow
@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("field", ["cells", "metadata", "nbformat", "nbformat_minor", "extra"])
def test_every_field_of_the_notebook(field, value, ran):
    (plain, *_, fixing), before, after = ran(notebook(code(NET), **{field: value}))
    if field == "cells":
        assert before == after
    else:
        assert (plain, fixing) == (1, 0)
        assert b"kaiming_normal_" in after
        assert without_code(before) == without_code(after)


@pytest.mark.slow
@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("field", ["cell_type", "metadata", "outputs", "source", "execution_count"])
def test_every_field_of_a_cell(field, value, ran):
    (plain, *_), before, after = ran(notebook(code("y = 2", **{field: value}), code(NET)))
    assert plain in (1, 2)
    assert without_code(before) == without_code(after)
    assert b"kaiming_normal_" in after


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_every_cell(value, ran):
    _, before, after = ran(notebook(value, code(NET)))
    assert b"kaiming_normal_" in after
    assert without_code(before) == without_code(after)


@pytest.mark.parametrize("missing", ["cell_type", "metadata", "outputs", "source"])
def test_fields_that_are_missing(missing, ran):
    cell = code("y = 2")
    del cell[missing]
    _, before, after = ran(notebook(cell, code(NET)))
    assert b"kaiming_normal_" in after
    assert without_code(before) == without_code(after)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["language_info", "kernelspec"])
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_languages(key, value, ran):
    for entry in (value, {"name": value, "language": value}):
        ran(notebook(code(NET), metadata={key: entry}))


DEEP = '{"cells": [%s], "metadata": {}, "nbformat": 4, "nbformat_minor": 5, "x": %s}'
CELL = json.dumps(code(NET))


@pytest.mark.slow
@pytest.mark.parametrize("depth", [100, 400, 900, 5000, 100_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_nesting_is_repaired_or_refused(depth, brackets, ran):
    opening, closing = brackets if brackets == "[]" else ('{"a":', "}")
    deep = opening * depth + ("0" if brackets == "{}" else "") + closing * depth
    for content in (DEEP % (CELL, deep), DEEP % (f'{CELL}, {{"outputs": {deep}}}', "0"), deep):
        _, before, after = ran(content.encode())
        assert after == before or b"kaiming_normal_" in after


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "0.1", "1" * 4000])
def test_numbers(number, ran):
    (*_, fixing), before, after = ran((DEEP % (CELL, number)).encode())
    assert fixing == 0
    assert before.count(number.encode()) == after.count(number.encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"null",
        b"[]",
        b"{",
        b'{"cells": [], "cells": 3}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"cells": ["\xff"]}',
        (DEEP % (CELL, "1" * 5000)).encode(),
        b" " * 1000,
        b'"\\ud800"',
    ],
    ids=repr,
)
def test_what_is_no_notebook_is_one_line(content, ran):
    codes, before, after = ran(content)
    assert set(codes) == {2}
    assert before == after


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
def test_encodings(encoding, ran):
    (plain, *_), before, after = ran((DEEP % (CELL, '"größe"')).encode(encoding))
    assert plain == 1
    assert before == after or after.decode(encoding)


def test_keys_that_are_there_twice(ran):
    twice = f'{{"cells": [], "cells": [{CELL}], "metadata": {{}}}}'.encode()
    (*_, fixing), _, after = ran(twice)
    assert fixing == 0
    assert b"kaiming_normal_" in after
    cell = CELL[:-1] + f', "source": {json.dumps(NET)}}}'
    (*_, fixing), _, after = ran(f'{{"cells": [{cell}]}}'.encode())
    assert (fixing, after.count(b"kaiming_normal_")) == (0, 1)


@pytest.mark.parametrize(
    "text", ["x = '\ud800'", "# \udcff", "\0", "x = 1\0", "\x0c\x1b", "\u2028"]
)
def test_text_that_is_no_source(text, ran):
    _, before, after = ran(notebook(code(text), code([f"{NET}# {text}"]), code(NET)))
    assert without_code(before) == without_code(after)


LARGE = {
    "values": (b'{"cells": [' + b"[]," * 3_000_000 + b"[]]}", "more than 5,000,000 values"),
    "lines": (
        json.dumps(notebook(code("%time\n" * 60_000), code("!ls\n" * 60_000))).encode(),
        "more than 100,000 lines of code",
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_notebook_of_data_is_named_and_not_parsed(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content, reason = LARGE[name]
    Path("net.ipynb").write_bytes(content)
    monkeypatch.setattr("ast.parse", lambda *_: pytest.fail("a cell was parsed"))
    assert cli.main(["check", "--isolated", "--no-cache", "net.ipynb"]) == 2
    assert f"net.ipynb: {reason}" in capsys.readouterr().err
