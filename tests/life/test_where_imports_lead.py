"""Imports are found where Python would find them: beside, above, in src/, in the named folders."""

import json
from pathlib import Path

import pytest

from initlint import api

NET = """\
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 64)
        self.d = nn.Linear(64, 10)

    def forward(self, x):
        return self.d(F.relu(self.c(F.relu(self.b(F.relu(self.a(x)))))))
"""
FILLED = """\
from torch import nn
{imports}
net = {name}()
for p in net.parameters():
    if p.dim() == 2:
        nn.init.kaiming_normal_(p, nonlinearity="relu")
"""
FACTORY = """\
from torch import nn

def make_mlp(sizes, act=nn.ReLU):
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i < len(sizes) - 2:
            layers.append(act())
    return nn.Sequential(*layers)
"""
MADE = "from zoo.mlp import make_mlp\nnet = make_mlp([8, 64, 64, 10])\n"
FROM = "from zoo.net import Net"


def written(files):
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def codes(*paths):
    files = [str(file) for path in paths for file in sorted(Path(path).rglob("*.py")) or [path]]
    return [finding.code for finding in api.check_all(files, api.Options()).findings]


SETTINGS = {
    "src": ("src", {}),
    "setuptools-where": (
        "lib",
        {"pyproject.toml": '[tool.setuptools.packages.find]\nwhere = ["lib"]\n'},
    ),
    "setuptools-package-dir": (
        "lib",
        {"pyproject.toml": '[tool.setuptools.package-dir]\n"" = "lib"\n'},
    ),
    "hatch": (
        "python",
        {"pyproject.toml": '[tool.hatch.build.targets.wheel]\npackages = ["python/zoo"]\n'},
    ),
    "poetry": (
        "python",
        {"pyproject.toml": '[tool.poetry]\npackages = [{include = "zoo", from = "python"}]\n'},
    ),
    "pytest": (
        "code",
        {"pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["code", "."]\n'},
    ),
    "setup.cfg": ("code", {"setup.cfg": "[options]\npackage_dir =\n    = code\n"}),
    "nothing-but-its-only-place": ("deep/er", {"pyproject.toml": "[project]\nname = 'zoo'\n"}),
}


@pytest.mark.parametrize("root,settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("package", [True, False], ids=["package", "bare"])
def test_what_a_script_fills_is_filled_wherever_the_package_lies(root, settings, package):
    written({"pyproject.toml": "", **settings, f"{root}/zoo/net.py": NET})
    written({"scripts/run.py": FILLED.format(imports=FROM, name="Net")})
    written({f"{root}/zoo/__init__.py": ""} if package else {})
    for paths in ([str(Path.cwd())], ["."], [f"{root}/zoo/net.py"], [root, "scripts"]):
        assert codes(*paths) == []
    written({"scripts/run.py": f"{FROM}\nnet = Net()\n"})
    assert set(codes(".")) == {"INIT101"}


@pytest.mark.parametrize(
    "imports,name",
    [
        (FROM, "Net"),
        ("from zoo import net as n", "n.Net"),
        ("import zoo.net", "zoo.net.Net"),
        ("import zoo.net as z", "z.Net"),
    ],
)
@pytest.mark.parametrize("package", [True, False], ids=["package", "bare"])
def test_every_spelling_of_the_import_leads_there(imports, name, package):
    written({"pyproject.toml": "", "src/zoo/net.py": NET})
    written({"src/zoo/__init__.py": ""} if package else {})
    written({"scripts/run.py": FILLED.format(imports=imports, name=name)})
    assert codes(".") == []


def test_a_factory_in_src_is_called_with_the_arguments_of_the_script():
    written({"pyproject.toml": "", "src/zoo/__init__.py": "", "src/zoo/mlp.py": FACTORY})
    written({"scripts/train.py": MADE})
    assert codes(".") == ["INIT101"]


def test_the_package_of_the_nearest_project_is_meant():
    for project in ("one", "two"):
        written({f"{project}/pyproject.toml": "", f"{project}/src/zoo/net.py": NET})
        written({f"{project}/run.py": f"{FROM}\nnet = Net()\n"})
    written({"two/run.py": FILLED.format(imports=FROM, name="Net")})
    found = api.check(".").findings
    assert {finding.site.path for finding in found} == {"one/src/zoo/net.py"}


def test_a_library_is_no_folder_of_the_project_that_is_called_so():
    written({"pyproject.toml": "", "lib/transformers.py": NET})
    written({"run/run.py": FILLED.format(imports="from transformers import Net", name="Net")})
    assert "INIT101" in codes(".")


def test_a_module_inside_a_package_is_not_at_the_top_level():
    written({"pyproject.toml": "", "a/zoo/__init__.py": "", "a/zoo/net.py": NET})
    written({"run/run.py": FILLED.format(imports="from net import Net", name="Net")})
    assert "INIT101" in codes(".")


def test_a_package_called_torch_within_another_one_is_not_torch():
    base = "from torch import nn\n\nclass Base(nn.Module):\n    pass\n"
    net = NET.replace("nn.Module", "Base") + "\n"
    inner = {"lib/__init__.py": "", "lib/torch/__init__.py": "", "lib/torch/core.py": base}
    written(
        {"setup.py": "", **inner, "lib/torch/net.py": f"from lib.torch.core import Base\n{net}"}
    )
    assert codes(".") == ["INIT101"] * 2
    assert len(api.check("lib/torch/net.py").findings) == 2


def test_of_two_packages_neither_is_accused_and_the_import_is_named():
    written({"pyproject.toml": "", "a/zoo/net.py": NET, "b/zoo/net.py": NET})
    written({"scripts/run.py": "\n" + FILLED.format(imports=FROM, name="Net")})
    report = api.check(".")
    assert report.findings == ()
    said = [gap.reason for gap in report.unanalysed]
    assert any(
        "zoo.net is imported at scripts/run.py:3 and means one of several" in s for s in said
    )


def test_a_module_that_is_missing_in_a_package_of_the_project_is_named():
    written({"pyproject.toml": "", "a/zoo/__init__.py": "", "a/zoo/net.py": NET})
    written({"scripts/run.py": "import torch\nfrom zoo.gone import Deep\nnet = Deep()\n"})
    said = [gap.reason for gap in api.check(".").unanalysed]
    place = "scripts/run.py:2"
    assert any(
        f"zoo.gone is imported at {place} and not found among the files read" in s for s in said
    )


def test_what_is_no_part_of_the_project_is_no_gap():
    written({"pyproject.toml": "", "a/zoo/__init__.py": ""})
    written({"run.py": "import torch\nfrom elsewhere.net import Deep\nnet = Deep()\n"})
    assert api.check(".").unanalysed == ()


@pytest.mark.parametrize(
    "text",
    [
        "[tool.setuptools]\npackage-dir = 7\n",
        '[tool.pytest.ini_options]\npythonpath = ["../..", "\\u0000", "nowhere"]\n',
        '[tool.poetry]\npackages = ["zoo", {from = ["x"]}]\n',
        "tool = 3\n",
        "[broken",
    ],
)
def test_settings_of_any_form_are_no_error(text):
    written({"proj/pyproject.toml": text, "proj/lib/zoo/net.py": NET, "zoo2/other.py": NET})
    written({"proj/scripts/run.py": FILLED.format(imports=FROM, name="Net")})
    assert codes("proj/scripts/run.py", "proj/lib") == []


def test_the_cache_knows_where_imports_begin(monkeypatch, tmp_path):
    from initlint.project.cache import _key

    files = {"a.py": b""}
    assert _key(files, (True, [])) != _key(files, (True, [(("a.py", "zoo"), "src")]))
    assert json.dumps(_key(files, ()))
