"""The recorder of construction: initialisers, stds and constructor calls, exactly."""

import copy
import functools
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from initlint.tracing.record import Recorder

WRITES = {
    "kaiming_normal_": lambda w: nn.init.kaiming_normal_(w, a=0.2),
    "kaiming_uniform_ fan_out": lambda w: nn.init.kaiming_uniform_(
        w, mode="fan_out", nonlinearity="relu"
    ),
    "xavier_normal_ positional gain": lambda w: nn.init.xavier_normal_(w, 1.5),
    "xavier_uniform_": nn.init.xavier_uniform_,
    "orthogonal_": lambda w: nn.init.orthogonal_(w, gain=2.0),
    "trunc_normal_ wide": lambda w: nn.init.trunc_normal_(w, std=0.02),
    "trunc_normal_ narrow": lambda w: nn.init.trunc_normal_(w, std=1.0, a=-1.0, b=1.0),
    "sparse_": lambda w: nn.init.sparse_(w, 0.5, std=0.1),
    "normal_": lambda w: nn.init.normal_(w, std=0.3),
    "uniform_": lambda w: nn.init.uniform_(w, -0.2, 0.2),
    "constant_": lambda w: nn.init.constant_(w, 0.5),
    "eye_": nn.init.eye_,
    "method with keywords": lambda w: w.data.uniform_(-0.1, to=0.3),
    "method on detached": lambda w: w.detach().normal_(0, 0.05),
    "scaled afterwards": lambda w: w.data.normal_().mul_(0.1),
    "uniform scaled": lambda w: w.data.uniform_(-1, 1).div_(10),
    "copied": lambda w: w.data.copy_(torch.randn(200, 300) * 0.02),
    "tensor assigned": lambda w: setattr(w, "data", torch.rand(200, 300)),
    "shifted": lambda w: w.data.uniform_(0, 1).sub_(0.5),
    "truncated by hand": lambda w: w.data.uniform_(-0.9, 0.9).erfinv_().mul_(math.sqrt(2) * 0.1),
    "twice: the last one counts": lambda w: nn.init.normal_(nn.init.zeros_(w), std=0.7),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_recorded_std_is_the_measured_one(write):
    torch.manual_seed(0)
    with Recorder() as recorder:
        weight = nn.Parameter(torch.empty(200, 300))
        with torch.no_grad():
            write(weight)
    found = recorder.initializer(weight)
    assert not found.default
    assert found.std == pytest.approx(weight.std(correction=0).item(), rel=0.02, abs=1e-6)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_meta_and_cpu_record_the_same(write):
    found = []
    for device in ("meta", "cpu"):
        with torch.device(device), Recorder() as recorder:
            weight = nn.Parameter(torch.empty(200, 300))
            with torch.no_grad():
                write(weight)
        found.append(recorder.initializer(weight))
    assert found[0] == found[1]


DEFAULTS = {
    "Linear": lambda: nn.Linear(300, 200),
    "Conv2d grouped": lambda: nn.Conv2d(64, 128, 3, groups=4),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(64, 32, 4),
    "Bilinear": lambda: nn.Bilinear(20, 30, 40),
    "Embedding": lambda: nn.Embedding(300, 200),
}


@pytest.mark.parametrize("make", DEFAULTS.values(), ids=DEFAULTS)
def test_default_is_known_as_pytorchs_own(make):
    with Recorder() as recorder:
        layer = make()
    found = recorder.initializer(layer.weight)
    assert found.default
    assert found.std == pytest.approx(layer.weight.std().item(), rel=0.03)


def test_reset_parameters_called_by_the_user_is_still_the_default():
    with Recorder() as recorder:
        layer = nn.Linear(4, 4)
        nn.init.zeros_(layer.weight)
        layer.reset_parameters()
    assert recorder.initializer(layer.weight).default


def test_apply_of_a_users_function_is_the_users():
    def reset(module):
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)

    with Recorder() as recorder:
        model = nn.Sequential(nn.Linear(4, 4)).apply(reset)
    found = recorder.initializer(model[0].weight)
    assert (found.name, found.default) == ("xavier_uniform_", False)
    assert found.site.line == reset.__code__.co_firstlineno + 2


def test_memory_that_nothing_writes_has_no_initialiser():
    with torch.device("meta"), Recorder() as recorder:
        weight = nn.Parameter(torch.empty(3, 4))
    assert recorder.initializer(weight) is None


UNKNOWABLE = {
    "sum of two draws": lambda w: w.data.copy_(torch.randn(200, 300) + torch.randn(200, 300)),
    "half of it rewritten": lambda w: nn.init.zeros_(w)[:100].fill_(1.0),
    "a row of it rewritten": lambda w: nn.init.zeros_(nn.init.normal_(w)[0]),
    "a row of it, by its data": lambda w: nn.init.normal_(w).data[0].zero_(),
    "a row of it assigned": lambda w: nn.init.normal_(w).__setitem__(0, 1.0),
    "a row of it scaled": lambda w: nn.init.normal_(w)[0].mul_(0.1),
    "most of it, by another scheme": lambda w: nn.init.normal_(
        nn.init.kaiming_normal_(w)[:, 3:], 0, 1e-3
    ),
    "part by part": lambda w: [nn.init.kaiming_normal_(part) for part in w.view(100, 2, 300)],
    "a function of the values": lambda w: w.data.normal_().exp_(),
    "a table": lambda w: w.data.copy_(torch.tensor([[1.0] * 300] * 200)),
}


@pytest.mark.parametrize("write", UNKNOWABLE.values(), ids=UNKNOWABLE)
def test_what_cannot_be_known_is_unknown(write):
    with Recorder() as recorder:
        weight = nn.Parameter(torch.empty(200, 300))
        with torch.no_grad():
            write(weight)
    assert recorder.initializer(weight).std is None


WHOLE = {
    "view": lambda w: w.view(-1),
    "reshape": lambda w: w.reshape(300, 200),
    "t": lambda w: w.t(),
    "transpose": lambda w: w.transpose(0, 1),
    "data": lambda w: w.data,
    "all of it": lambda w: w[:],
}


@pytest.mark.parametrize("view", WHOLE.values(), ids=WHOLE)
def test_a_view_of_all_elements_is_the_whole(view):
    with Recorder() as recorder:
        weight = nn.Parameter(torch.empty(200, 300))
        with torch.no_grad():
            nn.init.normal_(view(weight), std=0.3)
    found = recorder.initializer(weight)
    assert (found.name, found.std) == ("normal_", 0.3)


def test_the_rows_for_padding_leave_the_scale_of_an_embedding():
    with Recorder() as recorder:
        layer = nn.Embedding(100, 8, padding_idx=0)
        nn.init.normal_(layer.weight, std=0.02)
        nn.init.zeros_(layer.weight[0])
        other = nn.Embedding(100, 8, padding_idx=0)
    assert recorder.initializer(layer.weight).std == 0.02
    assert recorder.initializer(other.weight).std == 1.0


class Inner(nn.Linear):
    def __init__(self, width):
        super().__init__(width, width)


class Sited(nn.Module):
    def __init__(self):
        super().__init__()
        self.single = nn.Linear(3, 4)
        self.nested = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Conv2d(1, 1, 1)))
        self.listed = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
        self.own = Inner(4)
        self.ünïcode = nn.Linear(1, 1)


def test_sites_are_the_constructor_calls_to_the_column():
    with Recorder() as recorder:
        model = Sited()
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    texts = {
        "single": "nn.Linear(3, 4)",
        "nested.0": "nn.Linear(4, 4)",
        "nested.1.0": "nn.Conv2d(1, 1, 1)",
        "listed.1": "nn.Linear(4, 4)",
        "own": "Inner(4)",
        "ünïcode": "nn.Linear(1, 1)",
    }
    for name, text in texts.items():
        site = recorder.made.module_site(model.get_submodule(name))
        assert source[site.line - 1][site.column - 1 : site.end_column - 1] == text, name


def made(width):
    return nn.Linear(width, width)


class Assembled(nn.Module):
    def __init__(self):
        super().__init__()
        template = nn.Linear(4, 4)
        self.first = template
        self.copied = copy.deepcopy(template)
        self.cloned = nn.ModuleList(copy.deepcopy(self.first) for _ in range(2))
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 1), 2)
        setattr(self, "by" + "_name", nn.Linear(5, 5))
        self.add_module("added", nn.Linear(6, 6))
        self.partial = functools.partial(nn.Linear, 7)(8)
        self.factory = made(9)
        for size in (10, 11):
            self.add_module(f"loop{size}", nn.Linear(size, size))
        self.table = nn.ModuleDict({str(n): nn.Linear(n, n) for n in (1, 2)})
        self.own = Inner(12)
        self.chosen = {"linear": nn.Linear}["linear"](13, 13)


SITES = {
    "first": "nn.Linear(4, 4)",
    "copied": "copy.deepcopy(template)",
    "cloned.1": "copy.deepcopy(self.first)",
    "encoder.layers.1.linear1": "nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 1), 2)",
    "by_name": "nn.Linear(5, 5)",
    "added": "nn.Linear(6, 6)",
    "partial": "functools.partial(nn.Linear, 7)(8)",
    "factory": "nn.Linear(width, width)",
    "loop11": "nn.Linear(size, size)",
    "table.2": "nn.Linear(n, n)",
    "own": "Inner(12)",
    "chosen": '{"linear": nn.Linear}["linear"](13, 13)',
}


@pytest.mark.parametrize(("name", "text"), SITES.items())
def test_sites_however_a_layer_comes_about(name, text):
    with torch.device("meta"), Recorder() as recorder:
        model = Assembled()
    site = recorder.made.module_site(model.get_submodule(name))
    line = Path(__file__).read_text(encoding="utf-8").splitlines()[site.line - 1]
    assert line[site.column - 1 : site.end_column - 1] == text


def test_a_copy_holds_what_its_original_held():
    with torch.device("meta"), Recorder() as recorder:
        layer = nn.Linear(4, 4)
        nn.init.orthogonal_(layer.weight)
        copied = copy.deepcopy(layer)
    assert recorder.initializer(copied.weight).name == "orthogonal_"
    assert recorder.initializer(copied.bias).default


def test_a_layer_that_torch_makes_inside_its_own_belongs_to_the_users_line():
    with Recorder() as recorder:
        attention = nn.MultiheadAttention(8, 2)
    assert recorder.made.module_site(attention.out_proj) == recorder.made.module_site(attention)


def test_recording_leaves_torch_as_it_was():
    before = nn.Module.__init__, nn.Parameter.__dict__["__new__"]
    with pytest.raises(RuntimeError), Recorder():
        raise RuntimeError
    assert (nn.Module.__init__, nn.Parameter.__dict__["__new__"]) == before
