"""Imports that a corrected call leaves unused: gone where that is certain, else as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest
from marked import KAIMING, XAVIER, finding, rewritten, unmarked

from initlint.fix.rewrite import rewrite

BODY = "\nnet = nn.Linear(3, 4)\n"
CALL = "«xavier_uniform_(net.weight)»\n"
ROOT = "«nn.init.kaiming_uniform_(net.weight, a=math.sqrt(5))»\n"
NN = "from torch import nn\n"

REMOVED = [
    ("the only name", CALL, f"{NN}from torch.nn.init import xavier_uniform_\n", NN),
    (
        "by another name",
        "«uniform_(net.weight)»\n",
        f"{NN}from torch.nn.init import xavier_uniform_ as uniform_\n",
        NN,
    ),
    (
        "the first of several",
        CALL,
        f"{NN}from torch.nn.init import xavier_uniform_, zeros_\n",
        f"{NN}from torch.nn.init import zeros_\n",
    ),
    (
        "the last of several",
        CALL,
        f"{NN}from torch.nn.init import ones_, xavier_uniform_\n",
        f"{NN}from torch.nn.init import ones_\n",
    ),
    (
        "one in the middle, with a backslash",
        CALL,
        f"{NN}from torch.nn.init import ones_, xavier_uniform_, \\\n    zeros_\n",
        f"{NN}from torch.nn.init import ones_, zeros_\n",
    ),
    (
        "a line of its own in parentheses",
        CALL,
        f"{NN}from torch.nn.init import (\n    ones_,\n    xavier_uniform_,\n    zeros_,\n)\n",
        f"{NN}from torch.nn.init import (\n    ones_,\n    zeros_,\n)\n",
    ),
    (
        "the last line in parentheses",
        CALL,
        f"{NN}from torch.nn.init import (\n    ones_,\n    xavier_uniform_,\n)\n",
        f"{NN}from torch.nn.init import (\n    ones_,\n)\n",
    ),
    (
        "all lines in parentheses",
        f"{CALL}«normal_(net.bias)»\n",
        f"{NN}from torch.nn.init import (\n    normal_,\n    xavier_uniform_,\n)\n",
        NN,
    ),
    (
        "two that are no neighbours",
        f"{CALL}«normal_(net.bias)»\n",
        f"{NN}from torch.nn.init import normal_, ones_, xavier_uniform_\n",
        f"{NN}from torch.nn.init import ones_\n",
    ),
    ("math", ROOT, f"import math\n\n{NN}", NN),
    ("math between others", ROOT, f"import io\nimport math\n\n{NN}", f"import io\n\n{NN}"),
    ("math between empty lines", ROOT, f"import io\n\nimport math\n\n{NN}", f"import io\n\n{NN}"),
    (
        "a function of math",
        "«nn.init.kaiming_uniform_(net.weight, a=sqrt(5))»\n",
        f"from math import sqrt\n{NN}",
        NN,
    ),
]

KEPT = [
    ("used once more", f"{CALL}xavier_uniform_(net.weight)\n", ""),
    ("exported", CALL, '__all__ = ["xavier_uniform_"]\n'),
    ("spoken of in a comment", CALL, "# xavier_uniform_ is what the paper says\n"),
    ("spoken of in a string", CALL, "HOW = 'xavier_uniform_'\n"),
    ("reached by its name", CALL, "HOW = globals()\n"),
    ("reached through the module", CALL, "HOW = sys.modules[__name__]\n"),
    ("not used by what was replaced", "«nn.init.normal_(net.weight)»\n", ""),
]


def kinds(source: str) -> list[str]:
    return ["net.weight"] * source.count("«")


def after(call: str) -> str:
    return "nn.init.xavier_normal_(net.weight)\n" + (
        "nn.init.xavier_normal_(net.bias)\n" if "net.bias" in call else ""
    )


@pytest.mark.parametrize(
    ("call", "imports", "left"), [pytest.param(*case[1:], id=case[0]) for case in REMOVED]
)
def test_a_name_that_nothing_uses_any_more_goes(call: str, imports: str, left: str) -> None:
    result = rewritten(f"{imports}{BODY}{call}", kinds(call), calls=XAVIER, kind="correct")
    assert result == f"{left}{BODY}{after(call)}"


@pytest.mark.parametrize(("call", "use"), [pytest.param(*case[1:], id=case[0]) for case in KEPT])
def test_a_name_that_may_be_used_stays(call: str, use: str) -> None:
    imports = f"{NN}from torch.nn.init import xavier_uniform_\n{use}"
    result = rewritten(f"{imports}{BODY}{call}", kinds(call), calls=XAVIER, kind="correct")
    assert result == f"{imports}{BODY}{after(call)}{call.partition('»')[2].lstrip()}"


LEFT_ALONE = [
    ("an import with a comment", "from torch.nn.init import xavier_uniform_  # noqa: F401\n"),
    (
        "a comment between its names",
        "from torch.nn.init import (\n    ones_,  # both\n    xavier_uniform_,\n)\n",
    ),
    ("an import that shares its line", "import io; from torch.nn.init import xavier_uniform_\n"),
    ("an import of another library", "from timm.layers import xavier_uniform_\n"),
    (
        "a try",
        "try:\n    from torch.nn.init import xavier_uniform_\nexcept ImportError:\n    raise\n",
    ),
    ("imported twice", "from torch.nn.init import xavier_uniform_\n" * 2),
]


@pytest.mark.parametrize("imports", [pytest.param(case[1], id=case[0]) for case in LEFT_ALONE])
def test_imports_that_are_not_touched(imports: str) -> None:
    result = rewritten(f"{NN}{imports}{BODY}{CALL}", ["net.weight"], calls=XAVIER, kind="correct")
    assert result == f"{NN}{imports}{BODY}{after(CALL)}"


@pytest.mark.parametrize("path", ["net/__init__.py", "net.ipynb", "<stdin>"])
def test_files_whose_names_others_use(path: str) -> None:
    source, (site,) = unmarked(f"{NN}from torch.nn.init import xavier_uniform_\n{BODY}{CALL}")
    wanted = finding(replace(site, path=path), "net.weight", XAVIER, "correct")
    result = rewrite(source.encode(), path, [wanted]).source.decode()
    assert result == source.replace("xavier_uniform_(net", "nn.init.xavier_normal_(net")


def test_the_import_that_takes_its_place() -> None:
    source = f"from torch.nn.init import xavier_uniform_\n{BODY}{CALL}"
    result = rewritten(source, ["net.weight"], calls=KAIMING, kind="correct")
    assert result.startswith(f"{NN}{BODY}nn.init.kaiming_normal_(net.weight, ")


def test_an_import_added_after_the_one_that_goes() -> None:
    source = f'"""A net."""\n\nimport math\n\n{BODY}«init.normal_(net.weight, std=math.pi)»\n'
    result = rewritten(source, ["net.weight"], calls=XAVIER, kind="correct")
    assert result == f'"""A net."""\n\n{NN}\n{BODY}{after(CALL)}'


def test_line_endings_stay() -> None:
    source = f"{NN}from torch.nn.init import ones_, xavier_uniform_\nimport io\n{BODY}{CALL}"
    result = rewritten(source.replace("\n", "\r\n"), ["net.weight"], calls=XAVIER, kind="correct")
    expected = f"{NN}from torch.nn.init import ones_\nimport io\n{BODY}{after(CALL)}"
    assert result == expected.replace("\n", "\r\n")
