"""INIT005 and INIT006: what a walk over all modules undoes, and what it may undo."""

import pytest
from judged import found, lines

ENGINES = [
    pytest.param(False, id="read"),
    pytest.param(True, id="traced", marks=pytest.mark.torch),
]

NET = """\
import torch
from torch import nn


class Part(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.rnn = nn.GRU(width, width)
        self.scale = nn.Parameter(1e-5 * torch.ones(width, 1))
        {special}

    def forward(self, x):
        return self.rnn(self.norm(x + self.scale.mean() * self.out(self.inner(x))))[0]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.Sequential(Part(), Part())
        self.head = nn.Linear(16, 4)
        {walk}

    def fill(self, module):
        if isinstance(module, (nn.Linear, nn.GRU)):
            for name, parameter in module.named_parameters(recurse=False):
                if "weight" in name:
                    nn.init.xavier_uniform_(parameter)
                else:
                    nn.init.zeros_(parameter)
        elif isinstance(module, nn.LayerNorm):
            module.weight.data.fill_(1.0)

    def forward(self, x):
        return self.head(self.parts(x))
"""
APPLY = "self.apply(self.fill)"
LOST = [
    "nn.init.zeros_(self.out.weight)",
    "nn.init.eye_(self.inner.weight)",
    "nn.init.constant_(self.inner.bias, 1.0)",
    "self.inner.bias.data.fill_(-4.6)",
    "nn.init.zeros_(self.norm.weight)",
    "nn.init.normal_(self.out.weight, std=0.001)",
    "nn.init.xavier_uniform_(self.out.weight, gain=0.01)",
    "nn.init.orthogonal_(self.rnn.weight_hh_l0)",
    "self.inner.bias.data = torch.linspace(-1, 1, 16).log()",
    "self.inner.bias.data[:8] = 1.0",
    "self.out.weight.data.mul_(0.01)",
]
WALKS = [
    APPLY,
    "for module in self.modules():\n            self.fill(module)",
    "for _, module in self.named_modules():\n            self.fill(module)",
    "for i, module in enumerate(list(self.modules())):\n            self.fill(module)",
    "[self.fill(module) for module in self.modules()]",
    "for module in self.parts.modules():\n            self.fill(module)",
]


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize("special", LOST)
def test_what_a_block_wants_for_itself_is_lost(special, trace, tmp_path):
    source = NET.format(special=special, walk=APPLY)
    assert lines(tmp_path, source, "INIT005", trace) == {special}


@pytest.mark.parametrize("walk", WALKS)
def test_every_walk_over_modules_is_seen(walk, tmp_path):
    source = NET.format(special=LOST[0], walk=walk)
    (finding,) = found(tmp_path, source, "INIT005")
    assert finding.parameters == ("parts.0.out.weight", "parts.1.out.weight")


@pytest.mark.torch
@pytest.mark.parametrize("walk", [w for w in WALKS if "list(" not in w])
def test_every_walk_over_modules_is_seen_while_it_runs(walk, tmp_path):
    source = NET.format(special=LOST[0], walk=walk)
    (finding,) = found(tmp_path, source, "INIT005", trace=True)
    assert finding.parameters == ("parts.0.out.weight", "parts.1.out.weight")


@pytest.mark.parametrize("trace", ENGINES)
def test_a_walk_over_parameters_is_seen(trace, tmp_path):
    walk = "for p in self.parameters():\n            if p.dim() > 1: nn.init.xavier_normal_(p)"
    source = NET.format(special="pass", walk=walk)
    assert lines(tmp_path, source, "INIT005", trace) == {
        "self.scale = nn.Parameter(1e-5 * torch.ones(width, 1))"
    }


KEPT = {
    "a general scheme of the block": ("nn.init.kaiming_normal_(self.out.weight)", APPLY),
    "zero biases": ("nn.init.zeros_(self.out.bias)", APPLY),
    "a gain of one": ("nn.init.ones_(self.norm.weight)", APPLY),
    "a part that is as the rest will be": ("self.out.bias.data[:8].zero_()", APPLY),
    "special after general": ("pass", APPLY + "\n        nn.init.zeros_(self.head.weight)"),
    "restored": (
        LOST[0],
        APPLY + "\n        for p in self.parts: nn.init.zeros_(p.out.weight)",
    ),
    "only the head is walked": (LOST[0], "self.head.apply(self.fill)"),
    "the walk may not happen": (LOST[0], f"if torch.rand(1) > 0.5: {APPLY}"),
    "another named write": (LOST[0], "nn.init.xavier_normal_(self.parts[0].out.weight)"),
    "code that is not read": (LOST[0], APPLY + "\n        import away\n        away.treat(self)"),
    "marked, and asked": (
        "nn.init.zeros_(self.out.weight); self.out.done = True",
        "for m in self.modules():\n            if not getattr(m, 'done', False): self.fill(m)",
    ),
    "marked on the parameter, and asked": (
        "nn.init.ones_(self.out.bias); self.out.bias._no_reinit = True",
        "for p in self.parameters():\n"
        "            if not getattr(p, '_no_reinit', False): nn.init.normal_(p, std=1e-6)",
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_not_lost_is_not_reported(case, tmp_path):
    special, walk = KEPT[case]
    assert found(tmp_path, NET.format(special=special, walk=walk), "INIT005") == ()


def test_zero_last_gains_after_the_walk_are_as_they_should_be(tmp_path):
    walk = (
        "for m in self.modules():\n            self.fill(m)\n"
        "        for m in self.modules():\n"
        "            if isinstance(m, Part): nn.init.zeros_(m.norm.weight)"
    )
    assert found(tmp_path, NET.format(special="pass", walk=walk), "INIT005") == ()


def test_zero_last_gains_before_the_walk_are_lost(tmp_path):
    zero = "nn.init.zeros_(m.norm.weight)"
    walk = (
        f"for m in self.modules():\n            if isinstance(m, Part): {zero}\n"
        "        for m in self.modules():\n            self.fill(m)"
    )
    (line,) = lines(tmp_path, NET.format(special="pass", walk=walk), "INIT005")
    assert zero in line


BY_NAME = (
    "for name, p in self.named_parameters():\n"
    "            if name.endswith('out.weight'): nn.init.zeros_(p)"
)


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(("after", "count"), [(f"\n        {APPLY}", 1), ("", 0)])
def test_a_walk_that_looks_for_a_name_is_for_few(after, count, trace, tmp_path):
    source = NET.format(special="pass", walk=BY_NAME + after)
    assert len(found(tmp_path, source, "INIT005", trace)) == count


def test_the_hook_of_a_base_and_that_of_its_heir_are_for_the_same(tmp_path):
    source = NET.format(special="pass", walk=APPLY).replace("xavier_uniform_", "eye_")
    source = source.replace("module, (nn.Linear, nn.GRU)", "module, nn.Linear")
    heir = """\


class Heir(Net):
    def __init__(self):
        super().__init__()
        self.more = nn.Linear(4, 4)
        self.apply(self.again)

    def again(self, module):
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
"""
    assert found(tmp_path, source + heir, "INIT005") == ()


SLIP = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.norm = nn.BatchNorm2d(8)
        for m in self.modules():
            if isinstance(m, nn.BatchNorm2d):
                {first}
                {second}

    def forward(self, x):
        return self.norm(self.conv(x)).relu()
"""


@pytest.mark.parametrize("trace", ENGINES)
def test_a_weight_filled_in_place_of_its_bias(trace, tmp_path):
    first, second = "m.weight.data.fill_(1.0)", "m.weight.data.zero_()"
    source = SLIP.format(first=first, second=second)
    assert lines(tmp_path, source, "INIT005", trace) == {second}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("nn.init.ones_(m.weight)", "nn.init.zeros_(m.bias)"),
        ("nn.init.ones_(m.weight)", "nn.init.constant_(m.weight, 1)"),
        ("nn.init.zeros_(m.bias)", "nn.init.ones_(m.weight)"),
        ("nn.init.normal_(m.weight, 1.0, 0.02)", "nn.init.zeros_(m.bias)"),
        ("nn.init.ones_(m.weight); nn.init.zeros_(m.bias)", "m.weight.data.mul_(0.5)"),
    ],
)
def test_a_weight_and_its_bias(first, second, tmp_path):
    assert found(tmp_path, SLIP.format(first=first, second=second), "INIT005") == ()


LOADED = """\
import os
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, path):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        {load}

    def forward(self, x):
        return self.norm(self.conv(x)).mean((2, 3))


def fill(m):
    if isinstance(m, (nn.Conv2d, nn.Linear)):
        nn.init.normal_(m.weight, std=0.02)


class Net(nn.Module):
    def __init__(self, path="encoder.pth"):
        super().__init__()
        self.encoder = Encoder(path)
        self.head = nn.Linear(8, 2)
        {after}

    def forward(self, x):
        return self.head(self.encoder(x))
"""
LOAD = "self.load_state_dict(torch.load(path, map_location='cpu'))"
DRAWN = "nn.init.normal_(m.weight, std=0.02)"


@pytest.mark.parametrize(
    ("load", "after"),
    [
        (LOAD, "self.apply(fill)"),
        (LOAD, "for m in self.modules():\n            fill(m)"),
        ("pass", f"{LOAD}\n        self.apply(fill)"),
        ("pass", f"{LOAD.replace('self', 'self.encoder')}\n        self.apply(fill)"),
        ("pass", f"{LOAD.replace('self', 'self.encoder')}\n        self.encoder.apply(fill)"),
        (
            f"self.load_from(path)\n\n    def load_from(self, path):\n        {LOAD}",
            "self.apply(fill)",
        ),
        # Under a condition: whenever it is loaded, it is lost.
        (f"if os.path.exists(path): {LOAD}", "self.apply(fill)"),
        ("pass", f"if os.path.exists(path): {LOAD}\n        self.apply(fill)"),
        (
            f"try:\n            {LOAD}\n        except OSError:\n            pass",
            "self.apply(fill)",
        ),
    ],
)
def test_loaded_weights_are_drawn_again(load, after, tmp_path):
    source = LOADED.format(load=load, after=after)
    assert lines(tmp_path, source, "INIT006") == {DRAWN}


@pytest.mark.parametrize(
    ("load", "after"),
    [
        (LOAD, "self.head.apply(fill)"),
        (LOAD, "fill(self.head)"),
        ("pass", f"self.apply(fill)\n        {LOAD}"),
        (LOAD, "if torch.rand(1) > 0: self.apply(fill)"),
        ("pass", f"if os.path.exists(path): {LOAD}\n        else: self.apply(fill)"),
        (
            "pass",
            f"if os.path.exists(path): {LOAD}\n"
            "        if not os.path.exists(path): self.apply(fill)",
        ),
        (
            "pass",
            f"self.begin(path)\n\n    def begin(self, path):\n"
            f"        if os.path.exists(path):\n            {LOAD}\n            return\n"
            "        self.apply(fill)",
        ),
        (f"if os.path.exists(path): {LOAD}", "self.head.apply(fill)"),
        ("pass", f"{LOAD}\n        self.head.apply(fill)"),
        ("pass", f"{LOAD}\n        nn.init.zeros_(self.encoder.conv.weight)"),
        ("pass", f"{LOAD}\n        self.head = nn.Linear(8, 5)\n        fill(self.head)"),
        (LOAD, "for m in self.modules():\n            if isinstance(m, nn.Linear): fill(m)"),
    ],
)
def test_loaded_weights_that_stay(load, after, tmp_path):
    source = LOADED.format(load=load, after=after)
    assert found(tmp_path, source, "INIT006") == ()


MADE = """\
import timm
import torch
import torchvision
import transformers
from torch import nn
from torchvision import models
from transformers import AutoModel, AutoTokenizer


class Net(nn.Module):
    def __init__(self{arguments}):
        super().__init__()
        self.backbone = {backbone}
        self.head = nn.Linear(512, 2)
        {after}

    def fill(self, m):
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(m.weight)

    def forward(self, x):
        return self.head(self.backbone(x))
"""


def made(backbone, after="self.apply(self.fill)", arguments=""):
    return MADE.format(backbone=backbone, after=after, arguments=arguments)


TRAINED = [
    "models.resnet18(pretrained=True)",
    "models.resnet18(True)",
    "torchvision.models.resnet50(weights='DEFAULT')",
    "models.resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)",
    "timm.create_model('resnet18', pretrained=True, num_classes=0)",
    "timm.create_model('resnet18', True)",
    "AutoModel.from_pretrained('bert-base-uncased')",
    "transformers.BertModel.from_pretrained('bert-base-uncased')",
]


@pytest.mark.parametrize("backbone", TRAINED)
def test_the_weights_that_another_package_loads_are_drawn_again(backbone, tmp_path):
    (finding,) = found(tmp_path, made(backbone), "INIT006")
    assert finding.site.line == made(backbone).splitlines().index(FILLED) + 1


FILLED = "            nn.init.kaiming_normal_(m.weight)"


@pytest.mark.parametrize(
    ("backbone", "after"),
    [
        ("models.resnet18()", "self.apply(self.fill)"),
        ("models.resnet18(weights=None)", "self.apply(self.fill)"),
        ("models.resnet18(pretrained=False)", "self.apply(self.fill)"),
        ("timm.create_model('resnet18')", "self.apply(self.fill)"),
        ("AutoTokenizer.from_pretrained('bert-base-uncased')", "self.apply(self.fill)"),
        (TRAINED[0], "self.head.apply(self.fill)"),
        (TRAINED[0], "for m in self.head.modules(): self.fill(m)"),
        (TRAINED[0], "self.apply(self.fill)\n        self.load_state_dict(torch.load('x'))"),
        (TRAINED[0], "self.apply(self.fill)\n        self.backbone = nn.Linear(512, 512)"),
        (TRAINED[6], "self.backbone.config = None"),
    ],
)
def test_the_weights_that_another_package_loads_are_kept(backbone, after, tmp_path):
    assert found(tmp_path, made(backbone, after), "INIT006") == ()


@pytest.mark.parametrize(("default", "count"), [("True", 1), ("False", 0), ("None", 0)])
def test_whether_weights_are_loaded_is_for_an_argument_to_say(default, count, tmp_path):
    source = made("models.resnet18(pretrained=trained)", arguments=f", trained={default}")
    assert len(found(tmp_path, source, "INIT006")) == count
