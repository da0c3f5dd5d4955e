"""Of a file from which another is generated the models are not judged beside those of the other."""

from initlint import api

MODULAR = """\
from torch import nn

from .base import Base

class Net(Base):
    pass
"""
BASE = """\
from torch import nn
import torch.nn.functional as F

class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 64)

    def forward(self, x):
        return F.relu(self.b(F.relu(self.a(x))))
"""
SAID = "#  This file was automatically generated from src/models/net/modular_net.py.\n"
WRITTEN = BASE.replace("Base", "Net").replace(
    "64)\n\n", "64)\n        nn.init.kaiming_normal_(self.b.weight, nonlinearity='relu')\n\n"
)


def checked(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)
    return api.check_all(sorted(files), api.Options())


def test_the_generated_file_is_judged(folder):
    files = {"base.py": BASE, "modular_net.py": MODULAR, "modeling_net.py": SAID + WRITTEN}
    report = checked(folder, files)
    assert [(f.code, f.model) for f in report.findings] == [("INIT101", "Base")]
    (gap,) = report.unanalysed
    assert gap.target == "modular_net.py:its models" and gap.unseen
    assert gap.reason.endswith("a file beside it is generated from it, and judged in its place")


def test_alone_it_is_a_file_as_any_other(folder):
    report = checked(folder, {"base.py": BASE, "modular_net.py": MODULAR})
    assert [f.code for f in report.findings] == ["INIT101"] and not report.unanalysed
