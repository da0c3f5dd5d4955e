"""Imports that may fail or come late: what could be imported before can be afterwards."""

from __future__ import annotations

import sys

import pytest
from marked import XAVIER, refusal, rewritten, unmarked

CALL = "nn.init.xavier_normal_(self.fc.weight)"
NET = """
class Net(Module):
    def __init__(self):
        super().__init__()
        self.fc = «Linear(3, 4)»
"""
BARE = "from torch.nn import Linear, Module\n"
GUARDED = "try:\n    from torch.nn import Linear, Module\nexcept ImportError:\n"
NONE = f"{GUARDED}    Linear = Module = object\n"
IN_BRANCH = "if has_torch():\n    from torch import nn\n    from torch.nn import Linear, Module\n"


def done(source: str) -> str:
    """The rewritten source without the new call, which must be there."""
    result = rewritten(source, ["fc.weight"], calls=XAVIER)
    assert CALL in result
    return "".join(line for line in result.splitlines(keepends=True) if CALL not in line)


def indented(source: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in source.splitlines(True))


BESIDE = {
    "in a try": (NONE, "    from torch.nn"),
    "in a try, after what raises of itself": (f"{GUARDED}    raise SystemExit\n", "    from torch"),
    "in a with": (
        "from contextlib import suppress\nwith suppress(ImportError):\n"
        "    from torch.nn import Linear, Module\n",
        "    from torch.nn",
    ),
    "before what may fail first": (
        "try:\n    import scipy\n    from torch.nn import Linear, Module\n"
        "except ImportError:\n    Module = object\n",
        "    import scipy",
    ),
    "not where only type checkers look": (
        f"if TYPE_CHECKING:\n    from torch import Tensor\n{NONE}",
        "    from torch.nn",
    ),
}


@pytest.mark.parametrize(("imports", "before"), BESIDE.values(), ids=BESIDE)
def test_an_import_joins_the_guarded_ones(imports: str, before: str) -> None:
    source = imports + NET
    expected = unmarked(source)[0].replace(before, f"    from torch import nn\n{before}", 1)
    assert done(source) == expected


def test_a_file_that_can_do_without_torch_still_can(monkeypatch: pytest.MonkeyPatch) -> None:
    result = rewritten(NONE + NET, ["fc.weight"], calls=XAVIER)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "torch.nn", None)
    exec(result, {"__name__": "net"})


UNGUARDED = {
    "torch is imported in any case": f"import torch.optim as optim\n+{NONE}",
    "both ways import torch": (
        "import os\n+try:\n    from torch.nn import Linear\n"
        "except ImportError:\n    from torch.nn.modules import Linear\n"
    ),
    "only inside a function": "import os\n+def f():\n    import torch\n",
    "the guard comes later": f"+{NET}{NONE}",
}


@pytest.mark.parametrize("source", UNGUARDED.values(), ids=UNGUARDED)
def test_an_import_that_needs_no_guard(source: str) -> None:
    before, _, after = source.partition("+")
    after = after if "class" in after else after + NET
    assert done(before + after) == f"{before}from torch import nn\n{unmarked(after)[0]}"


def test_a_branch_s_imports_serve_what_stands_in_it() -> None:
    source = IN_BRANCH + indented(NET)
    assert done(source) == unmarked(source)[0]


def test_an_import_joins_those_of_the_branch_that_needs_it() -> None:
    source = IN_BRANCH.replace("    from torch import nn\n", "") + indented(NET)
    expected = unmarked(source)[0].replace("    from", "    from torch import nn\n    from", 1)
    assert done(source) == expected


def test_a_branch_s_imports_are_not_relied_on_outside_it() -> None:
    source = f"{IN_BRANCH}else:\n    Linear = Module = object\n{NET}"
    assert refusal(source, ["fc.weight"]) == (
        "the file imports torch only under a condition, and the import that it needs would be "
        "outside it"
    )


def test_a_guard_on_one_line_has_no_room() -> None:
    source = "try: from torch.nn import Linear, Module\nexcept ImportError: raise\n" + NET
    assert "no import has a line of its own" in refusal(source, ["fc.weight"])


LATE = {
    "nn": "from torch import nn",
    "init": "from torch.nn import init",
    "torch": "import torch",
    "functions by name": "from torch.nn.init import xavier_normal_\nxavier_normal_(net.fc.weight)",
}


@pytest.mark.torch
@pytest.mark.parametrize("later", LATE.values(), ids=LATE)
def test_a_name_bound_after_the_class_is_not_relied_on(later: str) -> None:
    source = f"{BARE}{NET}\nnet = Net()\n{later}\n"
    assert done(source) == f"from torch import nn\n{unmarked(source)[0]}"
    exec(rewritten(source, ["fc.weight"], calls=XAVIER), {"__name__": "net"})


def test_a_name_bound_after_a_statement_is_not_relied_on() -> None:
    source = "from torch.nn import Linear\nfc = «Linear(3, 4)»\nfrom torch import nn\n"
    assert rewritten(source, ["weight"], calls=XAVIER) == (
        "from torch import nn\nfrom torch.nn import Linear\nfc = Linear(3, 4)\n"
        "nn.init.xavier_normal_(fc.weight)\nfrom torch import nn\n"
    )


def test_a_new_import_stands_before_a_branch_that_needs_it() -> None:
    source = "import os\nif os.sep:\n    fc = «make()»\nimport torch\n"
    result = rewritten(source, ["weight"], calls=XAVIER)
    assert result.startswith("import os\nfrom torch import nn\nif os.sep:\n")


def test_the_type_of_a_callback_s_module_needs_a_name_before_the_function() -> None:
    net = NET.replace("(self)", "(self) -> None").replace("«Linear", "«nn.Linear")
    source = f"{BARE}{net}\nfrom torch import nn\n"
    result = rewritten(source, ["fc.weight"], calls=XAVIER, types=["Linear"], style="apply")
    assert "def init_weights(module):" in result
