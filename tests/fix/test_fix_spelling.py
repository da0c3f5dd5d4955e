"""How new calls read: the file's own name for torch.nn.init, its quotes, its line length."""

from __future__ import annotations

import pytest
from marked import GAIN, KAIMING, XAVIER, refusal, rewritten, unmarked

SPELLINGS = [
    ("from torch import nn", "from torch import nn", "nn.init"),
    ("import torch.nn as nn", "import torch.nn as nn", "nn.init"),
    ("an alias of nn", "from torch import nn as tnn", "tnn.init"),
    ("torch only", "import torch", "torch.nn.init"),
    ("torch by another name", "import torch as th", "th.nn.init"),
    ("a submodule binds torch", "import torch.nn.functional", "torch.nn.init"),
    ("init only", "from torch.nn import init", "init"),
    ("init by another name", "from torch.nn import init as weight_init", "weight_init"),
    ("init imported as a module", "import torch.nn.init as init", "init"),
    ("nn before torch", "import torch\nfrom torch import nn", "nn.init"),
    ("nn before init", "from torch import nn\nfrom torch.nn import init", "nn.init"),
    (
        "what the file calls already",
        "import torch\nfrom torch import nn\nfrom torch.nn import init\n"
        "init.zeros_(a)\ninit.ones_(b)\nnn.init.ones_(c)",
        "init",
    ),
    ("torch in full, as the file has it", "import torch\ntorch.nn.init.ones_(c)", "torch.nn.init"),
    (
        "imported in a try",
        "try:\n    from torch import nn\nexcept ImportError:\n    raise",
        "nn.init",
    ),
    (
        "a name that the file gives another meaning is passed over",
        "from torch import nn\nfrom torch.nn import init\ninit = init.ones_(c)",
        "nn.init",
    ),
]


@pytest.mark.parametrize(
    ("imports", "spelling"), [pytest.param(*case[1:], id=case[0]) for case in SPELLINGS]
)
def test_the_file_s_own_name(imports: str, spelling: str) -> None:
    result = rewritten(f"{imports}\nfc = «Linear(3, 4)»\n", ["weight"], calls=XAVIER)
    assert result == f"{imports}\nfc = Linear(3, 4)\n{spelling}.xavier_normal_(fc.weight)\n"


def test_every_use_in_the_call_is_spelled() -> None:
    result = rewritten("import torch\nfc = «Linear(3, 4)»\n", ["weight"], calls=GAIN)
    call = 'torch.nn.init.xavier_normal_(fc.weight, gain=torch.nn.init.calculate_gain("tanh"))'
    assert result == f"import torch\nfc = Linear(3, 4)\n{call}\n"


def test_a_local_variable_hides_a_name() -> None:
    source = """\
import torch
from torch import nn


def build(nn):
    fc = «nn.Linear(3, 4)»
"""
    expected = "    torch.nn.init.xavier_normal_(fc.weight)\n"
    assert rewritten(source, ["weight"], calls=XAVIER).endswith(expected)


BARE = (
    "from torch.nn import Linear\nfrom torch.nn.init import calculate_gain, xavier_normal_ as xn\n"
)


def test_functions_imported_by_name_where_the_file_calls_them_so() -> None:
    source = f"{BARE}xn(w)\nfc = «Linear(3, 4)»\n"
    expected = f'{BARE}xn(w)\nfc = Linear(3, 4)\nxn(fc.weight, gain=calculate_gain("tanh"))\n'
    assert rewritten(source, ["weight"], calls=GAIN) == expected


def test_a_second_run_knows_functions_imported_by_name() -> None:
    source = f'{BARE}xn(w)\nfc = «Linear(3, 4)»\nxn(fc.weight, gain=calculate_gain("tanh"))\n'
    assert rewritten(source, ["weight"], calls=GAIN) == unmarked(source)[0]


def test_a_function_that_is_not_imported_by_name() -> None:
    source = f"from torch import nn\n{BARE}xn(w)\nfc = «Linear(3, 4)»\n"
    last = rewritten(source, ["weight"], calls=KAIMING).splitlines()[-1]
    assert last == 'nn.init.kaiming_normal_(fc.weight, mode="fan_in", nonlinearity="relu")'


IMPORTS = [
    (
        "before the first import from torch",
        "from math import pi\n+from torch.nn import Linear\nfrom torch.optim import SGD\n",
    ),
    (
        "after the last import of torch",
        "import os\nimport torch.nn.functional as F\n+import sys\nfrom x import Linear\n",
    ),
    ("after the other imports", "import os\nfrom layers import Linear\n+\nx = 1\nimport sys\n"),
    ("after the docstring", '"""A net."""\n+\nLinear = make()\n'),
    (
        "after a future import",
        '"""A net."""\n\nfrom __future__ import annotations\n+\nLinear = make()\n',
    ),
    ("after the opening comments", "#!/usr/bin/env python\n# coding: utf-8\n+Linear = make()\n"),
    ("at the top", "+Linear = make()\n"),
    (
        "after an import over several lines",
        "from layers import (\n    Linear,\n)\n+\nx = 1\n",
    ),
]


@pytest.mark.parametrize("imports", [pytest.param(case[1], id=case[0]) for case in IMPORTS])
def test_an_import_where_there_is_no_name(imports: str) -> None:
    before, plus, after = imports.partition("+")
    assert plus
    result = rewritten(f"{before}{after}fc = «Linear(3, 4)»\n", ["weight"], calls=XAVIER)
    added = "from torch import nn\n"
    end = "fc = Linear(3, 4)\nnn.init.xavier_normal_(fc.weight)\n"
    assert result == f"{before}{added}{after}{end}"


def test_one_import_for_several_calls() -> None:
    source = "from torch.nn import Linear\na = «Linear(3, 4)»\nb = «Linear(4, 5)»\n"
    result = rewritten(source, ["weight", "weight"], calls=XAVIER)
    assert result.count("from torch import nn\n") == 1


def test_no_import_beside_another_statement() -> None:
    source = "import os; from torch.nn import Linear\nfc = «Linear(3, 4)»\n"
    assert refusal(source, ["weight"]) == (
        "no import has a line of its own to put the new import next to"
    )


QUOTES = [
    ("double by default", "", '"'),
    ("double where the file has both", "a = 'x'\nb = \"y\"\n", '"'),
    ("single where the file has only those", "a = 'x'\n", "'"),
    ("docstrings do not count", '"""Doc."""\na = \'x\'\n', "'"),
    ("strings with both quotes do not count", 'a = \'x\'\nb = "it\'s \\"so\\""\n', "'"),
    ("prefixes do not count", "a = rb'x'\nb = f'{a}'\n", "'"),
    ("comments do not count", "a = 'x'  # \"y\"\n", "'"),
]


@pytest.mark.parametrize(
    ("strings", "quote"), [pytest.param(*case[1:], id=case[0]) for case in QUOTES]
)
def test_the_file_s_own_quotes(strings: str, quote: str) -> None:
    last = rewritten(f"{strings}from torch import nn\nfc = «nn.Linear(3, 4)»\n", ["weight"])
    call = 'nn.init.kaiming_normal_(fc.weight, mode="fan_in", nonlinearity="relu")'
    assert last.splitlines()[-1] == call.replace('"', quote)


def attribute(length: int) -> str:
    """The end of a constructor whose attribute's name has `length` characters."""
    name = "x" * length
    source = f"""\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.{name} = «nn.Linear(3, 4)»
"""
    result = rewritten(source, [f"{name}.weight"])
    assert result.startswith(unmarked(source)[0])
    return result[len(unmarked(source)[0]) :].replace(name, "X")


def test_a_line_of_a_hundred_columns_stays_whole() -> None:
    call = 'nn.init.kaiming_normal_(self.X.weight, mode="fan_in", nonlinearity="relu")'
    assert attribute(19) == f"        {call}\n"


def test_a_longer_line_has_its_arguments_indented() -> None:
    assert attribute(20) == (
        "        nn.init.kaiming_normal_(\n"
        '            self.X.weight, mode="fan_in", nonlinearity="relu"\n'
        "        )\n"
    )


def test_arguments_too_long_for_one_line_have_one_each() -> None:
    assert attribute(60) == (
        "        nn.init.kaiming_normal_(\n"
        "            self.X.weight,\n"
        '            mode="fan_in",\n'
        '            nonlinearity="relu",\n'
        "        )\n"
    )
