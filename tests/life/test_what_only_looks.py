"""Code that only looks at a model silences nothing; initlint's own initialisers fill it."""

from pathlib import Path

import pytest

from initlint import api

NET = """\
from torch import nn
import torch

class Tanh20(nn.Module):
    def __init__(self, n=64):
        super().__init__()
        self.hidden = nn.Sequential(*[m for _ in range(20) for m in (nn.Linear(n, n), nn.Tanh())])
        self.head = nn.Linear(n, 10)

    def forward(self, x):
        return self.head(self.hidden(x))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text("")
    Path("tanh20.py").write_text(NET)


def checked(code):
    Path("sess.py").write_text(f"from tanh20 import Tanh20\n{code}\n")
    alone, whole = api.check("tanh20.py"), api.check(".")
    assert alone.findings == whole.findings
    assert alone.unanalysed == whole.unanalysed == ()
    return alone


LOOKS = {
    "check": "import initlint\ninitlint.check(Tanh20())",
    "check-of-a-variable": "import initlint\nm = Tanh20()\nr = initlint.check(m)\nprint(r)",
    "check-imported": "from initlint import check\nassert not check(Tanh20()).findings",
    "check-in-a-test": "from initlint import check\ndef test_net():\n    assert check(Tanh20())",
    "profile": "import initlint\nm = Tanh20()\nprint(initlint.profile(m).table())",
    "profile-under-another-name": "import initlint as il\nm = Tanh20()\nil.profile(m)",
    "api": "from initlint import api\nm = Tanh20()\napi.check(m)",
    "summary": "import torchinfo\nm = Tanh20()\ntorchinfo.summary(m)",
    "what is loaded, or not": "import torch\nif A:\n    m = torch.load('m.pt').float()\nelse:\n"
    "    m = Tanh20()\nn = sum([p.nelement() for p in m.parameters()])\n"
    "n -= sum([p.nelement() for p in m.head.parameters()])",
    "captum": "from captum.attr import Saliency\nm = Tanh20()\nSaliency(m)",
}


@pytest.mark.parametrize("code", LOOKS.values(), ids=LOOKS)
def test_what_looks_at_a_model_silences_nothing(code):
    assert {finding.code for finding in checked(code).findings} == {"INIT103"}


FILLS = {
    "apply": "import initlint\nm = Tanh20()\ninitlint.apply_(m, seed=0)",
    "apply-imported": "from initlint import apply_\nm = Tanh20()\nreport = apply_(m)",
    "apply-keyword": "import initlint\nm = Tanh20()\ninitlint.apply_(model=m)",
    "apply-in-main": "import initlint\ndef main():\n    m = Tanh20()\n    initlint.apply_(m)",
    "materialize": "import initlint\nm = initlint.materialize(Tanh20)",
    "materialize-arguments": "import initlint as il\nm = il.materialize(Tanh20, args={'n': 8})",
    "materialize-lambda": "import initlint\nm = initlint.materialize(lambda: Tanh20(32))",
    "materialize-meta": (
        "import initlint, torch\nwith torch.device('meta'):\n    m = Tanh20()\n"
        "m = initlint.materialize(m)"
    ),
}


@pytest.mark.parametrize("code", FILLS.values(), ids=FILLS)
def test_what_initlint_fills_has_no_findings(code):
    report = checked(code)
    assert report.findings == ()
    assert len(report.layers) == 21


def test_a_function_that_nobody_knows_is_still_a_reason_for_silence():
    Path("sess.py").write_text("import other\nfrom tanh20 import Tanh20\nother.look(Tanh20())\n")
    assert "other.look gets it" in api.check("tanh20.py").unanalysed[0].reason
