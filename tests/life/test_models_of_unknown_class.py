"""Code that fills a model whose class is only known when it runs: every class may be meant."""

from pathlib import Path

import pytest

from initlint import api

NET = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.a = nn.Linear(8, width)
        self.b = nn.Linear(width, width)
        self.c = nn.Linear(width, width)
        self.d = nn.Linear(width, width)
        self.e = nn.Linear(width, 10)

    def forward(self, x):
        x = torch.relu(self.b(torch.relu(self.a(x))))
        return self.e(torch.relu(self.d(torch.relu(self.c(x)))))
"""
FILL = """\
from torch import nn

def fill(m):
    if isinstance(m, nn.Linear):
        nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
"""
HEAD = (
    "import argparse, importlib\nfrom torch import nn\nfrom fill import fill\nimport net as nets\n"
)
ARGS = "p = argparse.ArgumentParser()\np.add_argument('--arch')\nargs = p.parse_args()\n"
# How code gets a model of a class that it does not name.
MADE = {
    "getattr": "m = getattr(nets, args.arch)()",
    "globals": "from net import *\nm = globals()[args.arch]()",
    "vars": "m = vars(nets)[args.arch](32)",
    "dict": "m = nets.__dict__[args.arch]()",
    "eval": "from net import *\nm = eval(args.arch)(width=32)",
    "module": "m = importlib.import_module('zoo.' + args.arch).Net()",
    "target": (
        "import yaml\ncfg = yaml.safe_load(open('c.yml'))\n"
        "home, name = cfg['target'].rsplit('.', 1)\n"
        "m = getattr(importlib.import_module(home), name)(**cfg['params'])"
    ),
    "hydra": "from hydra.utils import instantiate\nm = instantiate(args.model)",
    "registry": "from mmengine.registry import MODELS\nm = MODELS.build(dict(type='Net'))",
    "members": (
        "import inspect\nfound = dict(inspect.getmembers(nets, inspect.isclass))\n"
        "m = found[args.arch]()"
    ),
}
# How it fills that.
FILLED = {
    "apply": "m.apply(fill)",
    "chained": "m = m.apply(fill).cuda()",
    "loop": "for each in m.modules():\n    fill(each)",
    "parameters": "for p in m.parameters():\n    nn.init.normal_(p, 0, 0.1)",
    "named": (
        "for n, p in m.named_parameters():\n    if 'weight' in n:\n        p.data.normal_(0, 0.1)"
    ),
}


def written(files):
    for name, text in files.items():
        Path(name).write_text(text)


def checked(*targets):
    return api.check(*(targets or (".",)))


@pytest.mark.parametrize("filled", FILLED)
@pytest.mark.parametrize("made", MADE)
def test_a_class_that_nothing_names_is_in_doubt(made, filled):
    text = HEAD + ARGS + MADE[made] + "\n" + FILLED[filled] + "\n"
    written({"net.py": NET, "fill.py": FILL, "main.py": text})
    report = checked()
    assert not report.findings
    assert ["class is only known when it runs" in gap.reason for gap in report.unanalysed] == [True]
    assert "main.py" in report.unanalysed[0].reason or "fill.py" in report.unanalysed[0].reason


@pytest.mark.parametrize("made", MADE)
def test_if_nothing_fills_it_the_class_is_judged(made):
    written(
        {"net.py": NET, "main.py": HEAD.replace("from fill import fill\n", "") + ARGS + MADE[made]}
    )
    assert [finding.code for finding in checked().findings] == ["INIT101"] * 3


def test_the_model_that_a_function_gives_back_may_be_meant():
    zoo = NET + "\ndef small():\n    return Net(32)\n"
    text = HEAD + ARGS + MADE["getattr"] + "\nm.apply(fill)\n"
    written({"net.py": zoo, "fill.py": FILL, "main.py": text})
    assert not checked().findings


def test_a_class_that_code_makes_is_judged_as_it_is_made():
    text = HEAD + ARGS + MADE["hydra"] + "\nm.apply(fill)\nmine = nets.Net()\nprint(mine)\n"
    written({"net.py": NET, "fill.py": FILL, "main.py": text})
    assert [finding.code for finding in checked().findings] == ["INIT101"] * 3


def test_what_a_function_gets_and_nobody_gives_says_nothing_of_a_class():
    # A helper of a library that nothing calls: no model is known to be filled by it.
    text = "from fill import fill\n\ndef fill_all(model):\n    return model.apply(fill)\n"
    written({"net.py": NET, "fill.py": FILL, "helper.py": text})
    assert [finding.code for finding in checked().findings] == ["INIT101"] * 3


AGENT = """
class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = {made}
        self.head = nn.Linear(64, 64)
        self.value = nn.Linear(64, 1)
        {filled}

    def forward(self, x):
        return self.value(self.head(self.body(x)).relu())
"""
PARTS = {
    "hydra": "instantiate(args.body)",
    "module": "importlib.import_module(args.home).make()",
}
# How it fills all its parts, and how none.
INNER = {
    "apply": ("self.apply(fill)", 0),
    "method": ("self.apply(self.start)\n\n    def start(self, m):\n        fill(m)", 0),
    "lambda": ("self.apply(lambda m: fill(m))", 0),
    "loop": ("for m in self.modules():\n            fill(m)", 0),
    "parameters": ("for p in self.parameters():\n            nn.init.normal_(p, 0, 0.1)", 0),
    "its own": ("fill(self.head)", 3),
    "a look": ("for m in self.modules():\n            print(m)", 3),
}


@pytest.mark.parametrize("filled", INNER)
@pytest.mark.parametrize("made", PARTS)
def test_the_class_of_a_part_that_a_model_fills_with_its_own_is_in_doubt(made, filled):
    line, count = INNER[filled]
    text = HEAD + ARGS + "from hydra.utils import instantiate\n"
    text += AGENT.format(made=PARTS[made], filled=line)
    written({"net.py": NET, "fill.py": FILL, "main.py": text})
    report = checked()
    assert len(report.findings) == count
    assert ["Net" in gap.reason or "Net" in gap.target for gap in report.unanalysed] == [True] * (
        not count
    )
    # The model that holds the part is judged: it is no part of itself.
    layers = {layer.layer: layer.current.name for layer in report.layers if layer.model == "Agent"}
    assert layers["head"] in ("kaiming_normal_", "normal_") or filled == "a look"


# Parts of classes that libraries define, and parts that these may take from anywhere.
OF_LIBRARIES = {
    "torchaudio.transforms.MelSpectrogram(n_mels=80)": 3,
    "torchvision.models.get_model(args.arch)": 3,
    "timm.models.create_model(args.arch, num_classes=10)": 3,
    "kornia.filters.GaussianBlur2d((3, 3), (1.5, 1.5))": 3,
    "torchvision.models.detection.Wrapper(instantiate(args.body))": 0,
    "somewhere.Body(64)": 0,
}


@pytest.mark.parametrize(("made", "count"), OF_LIBRARIES.items(), ids=OF_LIBRARIES)
def test_the_models_of_libraries_are_of_no_class_of_the_files(made, count):
    text = HEAD + ARGS + "from hydra.utils import instantiate\n"
    text += "import kornia, somewhere, timm.models, torchaudio, torchvision\n"
    text += AGENT.format(made=made, filled="self.apply(fill)")
    written({"net.py": NET, "fill.py": FILL, "main.py": text})
    assert len(checked().findings) == count


# What is drawn for a model whose class is not known, and fills it or does not.
DRAWN = {
    "u = m.weight.new_empty(8).normal_()\nprint(u)": 3,
    "m._parameters['weight'].new_zeros(8, 8).uniform_(0, 1)": 3,
    "nn.init.normal_(m.weight.new_ones(8))": 3,
    "m.weight.grad.zero_()": 3,
    "m.weight.grad.data.zero_()": 3,
    "for p in m.parameters():\n    p.grad.data.fill_(0)": 3,
    "m.n_averaged.fill_(0)": 3,
    "m.bn.num_batches_tracked.zero_()": 3,
    "m.weight.normal_()": 0,
    "m.weight.data.fill_(m.other.grad.mean())": 0,
    "m.weight.data.uniform_(0, 1)": 0,
    "nn.init.normal_(m.weight.data)": 0,
}


@pytest.mark.parametrize(("drawn", "count"), DRAWN.items(), ids=DRAWN)
def test_a_new_tensor_is_no_part_of_the_model_that_it_is_asked_of(drawn, count):
    text = HEAD.replace("from fill import fill\n", "") + ARGS + MADE["getattr"] + f"\n{drawn}\n"
    written({"net.py": NET, "main.py": text})
    assert len(checked().findings) == count


METHOD = """
    def start(self):
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.kaiming_normal_(m.weight)

    def tell(self):
        return sum(p.numel() for p in self.parameters())
"""


@pytest.mark.parametrize(("called", "count"), [("start", 0), ("tell", 3), ("cuda", 3)])
def test_a_method_counts_if_the_class_fills_itself_by_it(called, count):
    text = (
        HEAD.replace("from fill import fill\n", "") + ARGS + MADE["getattr"] + f"\nm.{called}()\n"
    )
    written({"net.py": NET + METHOD, "main.py": text})
    found = [finding for finding in checked().findings if finding.code == "INIT101"]
    assert len(found) == count


# A method of the class that may be meant, and whether it fills the model.
OWN_METHODS = {
    "a new tensor is filled": ("return x.new_zeros(3).fill_(1)", 3),
    "an inner function takes something off": (
        "def off(m):\n            nn.utils.remove_weight_norm(m)\n        self.apply(off)",
        3,
    ),
    "a lambda looks": ("self.apply(lambda m: print(m))", 3),
    "gradients are cleared": (
        "for p in self.parameters():\n            p.grad.data.zero_()",
        3,
    ),
    "what gradients give": ("self.a.weight.data.copy_(self.b.weight.grad[:, :8])", 0),
    "an inner function fills": (
        "def draw(m):\n            m.weight.data.normal_()\n        self.apply(draw)",
        0,
    ),
    "a lambda fills": ("self.apply(lambda m: nn.init.zeros_(m.weight))", 0),
    "an outer function may fill": ("self.apply(start)", 0),
    "a parameter is made anew": (
        "self.a.weight = nn.Parameter(torch.empty(64, 8).normal_())",
        0,
    ),
    "the memory of its own weight": ("self.a.weight.data.view(-1).normal_()", 0),
}


@pytest.mark.parametrize(("body", "count"), OWN_METHODS.values(), ids=OWN_METHODS)
def test_a_method_of_a_stranger_fills_it_or_not(body, count):
    net = NET + f"\n    def act(self, x=None):\n        {body}\n"
    text = HEAD.replace("from fill import fill\n", "") + ARGS + MADE["getattr"] + "\nm.act()\n"
    written({"net.py": net, "main.py": text})
    found = [finding for finding in checked().findings if finding.code == "INIT101"]
    assert len(found) == count


def test_a_main_function_of_a_framework_is_followed():
    text = (
        "import hydra\nfrom fill import fill\n\n@hydra.main(config_path='c')\ndef main(cfg):\n"
        "    net = hydra.utils.instantiate(cfg.model)\n    net.apply(fill)\n"
    )
    written({"net.py": NET, "fill.py": FILL, "main.py": text})
    assert not checked().findings


@pytest.mark.parametrize("made", ["module", "target", "hydra", "globals"])
def test_one_file_says_what_its_project_says(made):
    text = HEAD.replace("import net as nets\n", "") + ARGS + MADE[made] + "\nm.apply(fill)\n"
    files = {"pyproject.toml": "", "net.py": NET, "fill.py": FILL, "main.py": text}
    written(files)
    assert checked("net.py").findings == checked().findings == ()


@pytest.mark.parametrize(
    "text", ["import importlib\nm = importlib.import_module('net')", "m = __import__('net')"]
)
def test_a_module_under_a_known_name_is_that_file(text):
    main = f"from fill import fill\n{text}\nnet = m.Net()\nnet.apply(fill)\n"
    written({"net.py": NET, "fill.py": FILL, "main.py": main})
    report = checked()
    assert not report.findings
    assert not report.unanalysed
    names = {layer.current.name for layer in report.layers}
    assert names == {"kaiming_normal_"}


DISPATCHED = {
    "function": (
        "import functools\n@functools.singledispatch\ndef start(m):\n    pass\n"
        "@start.register\ndef _(m: nn.Linear):\n    nn.init.kaiming_normal_(m.weight)\n",
        "net.apply(start)",
    ),
    "method": (
        "from functools import singledispatchmethod\nclass Start:\n    @singledispatchmethod\n"
        "    def run(self, m):\n        pass\n    @run.register\n    def _(self, m: nn.Linear):\n"
        "        nn.init.kaiming_normal_(m.weight)\n",
        "for m in net.modules():\n    Start().run(m)",
    ),
}


@pytest.mark.parametrize("kind", DISPATCHED)
def test_what_the_class_of_an_argument_decides_is_not_followed(kind):
    defined, used = DISPATCHED[kind]
    text = f"from torch import nn\nfrom net import Net\n{defined}\nnet = Net()\n{used}\n"
    written({"net.py": NET, "main.py": text})
    report = checked()
    assert not report.findings
    assert "is not read" in report.unanalysed[0].reason


RESET = (
    "def start(self):\n    nn.init.kaiming_normal_(self.weight)\n    nn.init.zeros_(self.bias)\n"
)
REPLACED = {
    "method": (RESET + "nn.Linear.reset_parameters = start", "kaiming_normal_"),
    "setattr": (RESET + "setattr(nn.Linear, 'reset_parameters', start)", "kaiming_normal_"),
    "class": (
        "class Quiet(nn.Linear):\n    def reset_parameters(self):\n"
        "        nn.init.kaiming_normal_(self.weight)\n        nn.init.zeros_(self.bias)\n"
        "nn.Linear = Quiet",
        "kaiming_normal_",
    ),
    "function": (
        "old = nn.init.kaiming_uniform_\ndef start(t, *args, **kwargs):\n    return old(t)\n"
        "nn.init.kaiming_uniform_ = start",
        "unknown",
    ),
}


@pytest.mark.parametrize("kind", REPLACED)
def test_what_code_puts_in_the_place_of_torchs_own_counts(kind):
    replaced, initializer = REPLACED[kind]
    text = f"from torch import nn\nimport net\n{replaced}\nmodel = net.Net()\n"
    written({"net.py": NET, "main.py": text})
    report = checked()
    assert not report.findings
    assert {x.current.name for x in report.layers if x.site.path == "net.py"} == {initializer}


def test_a_flag_of_torchs_changes_nothing():
    text = "import torch, net\ntorch.backends.cudnn.benchmark = True\nmodel = net.Net()\n"
    written({"net.py": NET, "main.py": text})
    assert [finding.code for finding in checked().findings] == ["INIT101"] * 3
    assert not checked().unanalysed


LIBRARIES = (
    "import torchvision.models as models\nm = models.__dict__[args.arch]()",
    "import torchvision\nm = getattr(torchvision.models, args.arch)(num_classes=3)",
    "import timm\nm = timm.create_model(args.arch)",
    "from transformers import AutoModel\nm = AutoModel.from_config(args.arch)",
    "import segmentation_models_pytorch as smp\nm = smp.create_model(args.arch)",
)


@pytest.mark.parametrize("filled", FILLED)
@pytest.mark.parametrize("made", LIBRARIES)
def test_a_model_of_a_library_is_none_of_these(made, filled):
    text = HEAD + ARGS + f"{made}\n{FILLED[filled]}\n"
    written({"net.py": NET, "fill.py": FILL, "main.py": text})
    assert [finding.code for finding in checked().findings] == ["INIT101"] * 3


def test_another_program_of_the_repository_means_none_of_these():
    text = HEAD.replace("import net as nets\n", "") + ARGS + MADE["hydra"] + "\nm.apply(fill)\n"
    for folder in ("one", "two", "one/deep"):
        Path(folder).mkdir()
    written({"one/deep/net.py": NET, "two/net.py": NET, "one/main.py": text, "one/fill.py": FILL})
    found = {finding.site.path for finding in checked().findings}
    assert found == {"two/net.py"}


def test_a_script_may_mean_what_lies_where_it_imports_from():
    text = HEAD.replace("import net as nets", "from src.tools import read") + ARGS
    for folder in ("run", "src", "src/nets"):
        Path(folder).mkdir()
    written({"pyproject.toml": "", "src/nets/net.py": NET, "src/tools.py": "def read(): ...\n"})
    written({"run/main.py": text + MADE["hydra"] + "\nm.apply(fill)\n", "run/fill.py": FILL})
    assert not checked().findings


def test_a_framework_of_the_same_words_is_no_circle():
    # As in flax: `apply` gets parameters and data.
    text = (
        "import flax\nfrom net import Net\nmodel = flax.make()\n"
        "state = model.apply(model.init(0), 1)\n"
        "for step in range(9):\n    state = model.apply(state.apply, state)\nnet = Net()\n"
    )
    written({"net.py": NET, "main.py": text})
    report = checked()
    assert [finding.code for finding in report.findings] == ["INIT101"] * 3
    assert not report.unanalysed
