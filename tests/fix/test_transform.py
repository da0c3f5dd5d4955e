"""Statements found by the path of their indices: every kind of block, and lines that are shared."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from marked import ONES, XAVIER, ZEROS, fixed, rewritten, unmarked

HEAD = "from torch import nn\n"
CALL = "nn.init.zeros_(fc.weight)"

BLOCKS = {
    "else": """\
        if a:
            pass
        else:
            fc = «nn.Linear(3, 4)»
            +
        """,
    "if alone in an else": """\
        if a:
            pass
        else:
            if b:
                fc = «nn.Linear(3, 4)»
                +
        """,
    "elif": """\
        if a:
            pass
        elif b:
            pass
        elif c:
            fc = «nn.Linear(3, 4)»
            +
        else:
            pass
        """,
    "else after elif": """\
        if a:
            pass
        elif b:
            pass
        else:
            fc = «nn.Linear(3, 4)»
            +
        """,
    "else of a loop": """\
        for a in b:
            pass
        else:
            fc = «nn.Linear(3, 4)»
            +
        """,
    "while": """\
        while a:
            x; y
            fc = «nn.Linear(3, 4)»
            +
            break
        """,
    "second handler": """\
        try:
            pass
        except KeyError:
            pass
        except (OSError, ValueError) as error:
            fc = «nn.Linear(3, 4)»
            +
        """,
    "handler of a group": """\
        try:
            pass
        except* OSError:
            fc = «nn.Linear(3, 4)»
            +
        """,
    "else of a try": """\
        try:
            pass
        except OSError:
            pass
        else:
            fc = «nn.Linear(3, 4)»
            +
        finally:
            pass
        """,
    "finally": """\
        try:
            pass
        finally:
            fc = «nn.Linear(3, 4)»
            +
        """,
    "second case": """\
        match a:
            case 1:
                pass
            case [_, *_] if b:
                fc = «nn.Linear(3, 4)»
                +
        """,
    "with in an async function": """\
        async def f():
            async with a as b, c:
                fc = «nn.Linear(3, 4)»
                +
        """,
    "decorated function in a class in a function": """\
        def f():
            class A:
                @decorated(nn.Linear(3, 4))
                # why
                def g(self):
                    fc = «nn.Linear(3, 4)»
                    +
                    return fc
        """,
    "after lines of several statements": """\
        a = 1; b = 2
        c = 3;
        if a: b; c
        fc = «nn.Linear(3, 4)»
        +
        """,
    "before a comment that closes the block": """\
        if a:
            fc = «nn.Linear(3, 4)»
            +
            # closes the block
        # speaks of b
        b = 1
        """,
}

SHARED = {
    "first of a line": (
        "fc = «nn.Linear(3, 4)»; b = 2  # two\n",
        f"fc = nn.Linear(3, 4); {CALL}; b = 2  # two\n",
    ),
    "last of a line": (
        "b = 2; fc = «nn.Linear(3, 4)»  # two\n",
        f"b = 2; fc = nn.Linear(3, 4)\n{CALL}  # two\n",
    ),
    "stray semicolon": (
        "fc = «nn.Linear(3, 4)» ;  # one\n",
        f"fc = nn.Linear(3, 4); {CALL} ;  # one\n",
    ),
    "behind a head": (
        "if a: fc = «nn.Linear(3, 4)»  # one\nelse: pass\n",
        f"if a: fc = nn.Linear(3, 4); {CALL}  # one\nelse: pass\n",
    ),
    "behind a head, with a loop": (
        "if a: fcs = [«nn.Linear(3, 4)» for _ in b]; c  # one\nd\n",
        "if a:\n    fcs = [nn.Linear(3, 4) for _ in b]\n    for layer in fcs:\n"
        "        nn.init.zeros_(layer.weight)\n    c  # one\nd\n",
    ),
    "between others, with a loop": (
        "# above\na; fcs = [«nn.Linear(3, 4)» for _ in b]; c; d  # one\n",
        "# above\na; fcs = [nn.Linear(3, 4) for _ in b]\nfor layer in fcs:\n"
        "    nn.init.zeros_(layer.weight)\nc; d  # one\n",
    ),
}


@pytest.mark.parametrize("body", BLOCKS.values(), ids=BLOCKS)
def test_in_every_block(body: str) -> None:
    source = HEAD + dedent(body)
    before = "".join(line for line in source.splitlines(True) if line.strip() != "+")
    after = unmarked(source)[0].replace("+\n", f"{CALL}\n")
    assert rewritten(before, ["weight"], calls=ZEROS) == after


@pytest.mark.parametrize(("before", "after"), SHARED.values(), ids=SHARED)
def test_on_a_line_with_others(before: str, after: str) -> None:
    # Where nothing follows on the line, the call may as well go below it.
    result = rewritten(HEAD + before, ["weight"], calls=ZEROS)
    assert result.replace(f"\n{CALL}", f"; {CALL}") == HEAD + after.replace(
        f"\n{CALL}", f"; {CALL}"
    )


CORRECTED = {
    "second of two alike": (
        "a = f(nn.init.ones_(w)), f(«nn.init.ones_(w)»)\n",
        "a = f(nn.init.ones_(w)), f(nn.init.xavier_normal_(w))\n",
    ),
    "inside another call alike": (
        "nn.init.ones_(f(«nn.init.ones_(w)»))\n",
        "nn.init.ones_(f(nn.init.xavier_normal_(w)))\n",
    ),
    "in parentheses of its own": (
        "a = [( «nn.init.ones_(w)» ), 1]\n",
        "a = [( nn.init.xavier_normal_(w) ), 1]\n",
    ),
    "in the head of a loop": (
        "for a in [«nn.init.ones_(w)»]:\n    nn.init.ones_(w)\n",
        "for a in [nn.init.xavier_normal_(w)]:\n    nn.init.ones_(w)\n",
    ),
    "in the test of an elif": (
        "if nn.init.ones_(w):\n    a\nelif f(«nn.init.ones_(w)»):\n    b\n",
        "if nn.init.ones_(w):\n    a\nelif f(nn.init.xavier_normal_(w)):\n    b\n",
    ),
    "behind a head": (
        "if a: b; «nn.init.ones_(w)»; c\n",
        "if a: b; nn.init.xavier_normal_(w); c\n",
    ),
    "next to an f-string": (
        "a = f'{nn.init.ones_(w)}', f(«nn.init.ones_(w)»)\n",
        "a = f'{nn.init.ones_(w)}', f(nn.init.xavier_normal_(w))\n",
    ),
    "a default of an argument": (
        "def g(a=nn.init.ones_(w), *, b=f(«nn.init.ones_(w)»)):\n    nn.init.ones_(w)\n",
        "def g(a=nn.init.ones_(w), *, b=f(nn.init.xavier_normal_(w))):\n    nn.init.ones_(w)\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), CORRECTED.values(), ids=CORRECTED)
def test_an_expression_among_others_alike(before: str, after: str) -> None:
    assert rewritten(HEAD + before, ["w"], calls=XAVIER, kind="correct") == HEAD + after


def test_several_corrections_of_one_statement() -> None:
    source = f"{HEAD}a = [«nn.init.ones_(w)», «nn.init.ones_(v)», «nn.init.ones_(w)»]\n"
    result = rewritten(source, ["w", "v", "w"], calls=[ZEROS, XAVIER, ZEROS], kind="correct")
    calls = "nn.init.zeros_(w), nn.init.xavier_normal_(v), nn.init.zeros_(w)"
    assert result == f"{HEAD}a = [{calls}]\n"


def test_blank_ends_of_a_file_stay() -> None:
    source = f"{HEAD}fc = «nn.Linear(3, 4)»\n\n  \t\n\x0c\n"
    after = f"{HEAD}fc = nn.Linear(3, 4)\nnn.init.ones_(fc.weight)\n\n  \t\n\x0c\n"
    assert rewritten(source, ["weight"], calls=ONES) == after


DEEP = {
    "arms": ("if a:\n    pass\n", "elif b:\n    pass\n"),
    "operations": ("x = 1", " + 1"),
    "attributes": ("x = a", ".b"),
    "calls": ("x = a", "()"),
    "denials": ("x = ", "not "),
}


@pytest.mark.parametrize("times", [50, 300, 3_000, 30_000])
@pytest.mark.parametrize(("head", "part"), DEEP.values(), ids=DEEP)
def test_a_file_that_is_nested_deep_is_rewritten_or_refused(
    head: str, part: str, times: int
) -> None:
    source = f"{HEAD}fc = «nn.Linear(3, 4)»\n{head}{part * times}{'a' if part == 'not ' else ''}\n"
    result = fixed(source, ["weight"], calls=ZEROS)
    for _, reason in result.refused:
        assert "nested too deep" in reason or "cannot be parsed" in reason
    assert result.refused or CALL.encode() in result.source
    assert result.fixed or times > 50


@pytest.mark.parametrize(
    "key", ['"""a\nb"""', '"a" "b"', r"r'\d'", "'a\"]; x'", '"{weight}{init}"']
)
def test_keys_are_spelled_as_they_stand_there(key: str) -> None:
    source = f"{HEAD}d = nn.ModuleDict({{{key}: «nn.Linear(3, 4)»}})\n"
    after = f"{unmarked(source)[0]}nn.init.ones_(d[{key}].weight)\n"
    assert rewritten(source, [f"{ast.literal_eval(key)}.weight"], calls=ONES) == after
