"""A live model is exactly as it was after `check`: attributes, buffers, versions, and backward."""

import collections
import contextlib
import types
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import initlint


class Holder:
    """A cache of the user's own: no module."""

    def __init__(self):
        self.items, self.calls, self.last = [], 0, torch.zeros(3)


class Base(nn.Module):
    """Two layers; subclasses change something of theirs in every forward."""

    shared: ClassVar[dict] = {}
    total = 0

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.register_buffer("seen", torch.zeros(3))
        self.register_buffer("none", None)
        self.register_buffer("hidden", torch.ones(2), persistent=False)
        self.plain, self.array = torch.ones(3), np.zeros(3)
        self.calls, self.list, self.table = 0, [1], {"a": [1]}
        self.deque, self.set = collections.deque([1], maxlen=2), {1}
        self.nested = ([torch.zeros(2)], {"k": {"l": [0]}})
        self.holder, self.space = Holder(), types.SimpleNamespace(n=0, xs=[])
        self.unlisted = [nn.BatchNorm1d(8)]
        self.loop = [self.list]
        self.loop.append(self.loop)

    def forward(self, x):
        self.change(x)
        return torch.relu(self.b(torch.relu(self.a(x))))


CHANGES = {
    "number": lambda m, x: setattr(m, "calls", m.calls + 1),
    "new attribute": lambda m, x: setattr(m, "cache", x),
    "attribute deleted": lambda m, x: delattr(m, "calls"),
    "buffer in place": lambda m, x: m.seen.add_(1),
    "buffer by data": lambda m, x: m.seen.data.add_(1),
    "buffer assigned": lambda m, x: setattr(m, "seen", m.seen * 0.9 + 1),
    "buffer not saved": lambda m, x: m.hidden.zero_(),
    "buffer given": lambda m, x: setattr(m, "none", torch.ones(1)),
    "buffer resized": lambda m, x: m.seen.resize_(5),
    "buffer indexed": lambda m, x: m.seen.__setitem__(0, 3.0),
    "plain tensor": lambda m, x: m.plain.mul_(2),
    "array": lambda m, x: m.array.__iadd__(1),
    "list": lambda m, x: m.list.append(x),
    "table": lambda m, x: m.table.update(b=x),
    "list in table": lambda m, x: m.table["a"].append(x),
    "deque": lambda m, x: m.deque.append(x),
    "set": lambda m, x: m.set.clear(),
    "tensor in list in tuple": lambda m, x: m.nested[0][0].add_(1),
    "deep": lambda m, x: m.nested[1]["k"]["l"].append(x),
    "holder": lambda m, x: (m.holder.items.append(x), setattr(m.holder, "calls", 1)),
    "tensor of holder": lambda m, x: m.holder.last.add_(1),
    "namespace": lambda m, x: (setattr(m.space, "n", 1), m.space.xs.append(x)),
    "module in a list": lambda m, x: m.unlisted[0].running_mean.add_(1),
    "loop": lambda m, x: m.loop[1].append(x),
    "of the class": lambda m, x: setattr(type(m), "total", type(m).total + 1),
    "of the class in place": lambda m, x: type(m).shared.update(x=x),
    "new of the class": lambda m, x: setattr(type(m), "added", x),
    "mode": lambda m, x: m.train(not m.training),
    "hook": lambda m, x: m.a.register_forward_hook(lambda *_: None),
    "module added": lambda m, x: m.add_module("c", nn.Linear(2, 2)),
    "module replaced": lambda m, x: setattr(m, "b", nn.Linear(8, 8)),
    "parameter added": lambda m, x: m.register_parameter("p", nn.Parameter(torch.ones(1))),
    "parameter replaced": lambda m, x: setattr(m.a, "bias", nn.Parameter(torch.ones(8))),
}


def content(value, known=None):
    """A value with everything in it, comparable: identities, elements, versions."""
    known = set() if known is None else known
    if isinstance(value, torch.Tensor):
        grad = None if value.grad is None else id(value.grad)
        flags = (value.requires_grad, value._version, tuple(value.shape), grad)
        return id(value), flags, value.detach().tolist()
    if id(value) in known:
        return id(value)
    known.add(id(value))
    if isinstance(value, np.ndarray):
        return id(value), value.tolist()
    if isinstance(value, dict):
        return id(value), [(key, content(part, known)) for key, part in value.items()]
    if isinstance(value, (list, tuple, collections.deque)):
        return id(value), [content(part, known) for part in value]
    if isinstance(value, (nn.Module, Holder, types.SimpleNamespace)):
        return id(value), content(vars(value), known)
    return value if isinstance(value, (int, float, str, set)) else id(value)


def of_class(model):
    return {k: content(v) for k, v in vars(type(model)).items()} | {"shared": dict(Base.shared)}


CALLS = {
    "check": initlint.check,
    "apply_": lambda model: initlint.apply_(model, seed=0, only="b.bias"),
}


@pytest.mark.parametrize("raises", [False, True], ids=["returns", "raises"])
@pytest.mark.parametrize("name", CHANGES)
def test_check_leaves_a_model_as_it_was(name, raises):
    class Net(Base):
        def change(self, x):
            CHANGES[name](self, x)
            if raises:
                raise ValueError("on purpose")

    model = Net().eval()
    model.a.weight.grad = torch.ones(8, 8)
    before, kind = content(model), of_class(model)
    try:
        initlint.check(model)
    except initlint.InitlintError:
        assert raises
    assert content(model) == before
    assert of_class(model) == kind


def spectral(layer):
    return nn.utils.parametrizations.spectral_norm(layer)


class Average(Base):
    """Keeps a running average, as quantisers and teachers do, and needs it in backward."""

    def change(self, x):
        with torch.no_grad():
            self.seen.mul_(0.9).add_(1)

    def forward(self, x):
        self.change(x)
        return super().forward(x) * (self.a.weight[0, 0] * self.seen).sum()


MODELS = {
    "batch norm": lambda: nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU()),
    "batch norm, evaluated": lambda: MODELS["batch norm"]().eval(),
    "two norms": lambda: nn.Sequential(
        *(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.BatchNorm1d(8))
    ),
    "spectral norm": lambda: nn.Sequential(spectral(nn.Linear(8, 8)), nn.ReLU()),
    "spectral norm, old": lambda: nn.Sequential(nn.utils.spectral_norm(nn.Linear(8, 8)), nn.ReLU()),
    "weight norm": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), nn.ReLU()
    ),
    "running average": Average,
    "dropout": lambda: nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 8)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", MODELS)
def test_backward_works_after_a_check_between(name, call):
    if call == "apply_" and name != "running average":
        pytest.skip("no layer b")
    torch.manual_seed(0)
    model = MODELS[name]()
    loss = model(torch.randn(4, 8, requires_grad=True)).sum()
    before = {key: (value.clone(), value._version) for key, value in model.named_buffers()}
    CALLS[call](model)
    loss.backward()
    for key, value in model.named_buffers():
        assert torch.equal(value, before[key][0]) and value._version == before[key][1], key


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore")
def test_a_check_changes_nothing_of_real_models(name):
    model = MODELS[name]()
    before = content(model)
    initlint.check(model)
    assert content(model) == before


# Parameters that are no plain arrays of numbers


class Counting(nn.Module):
    """A layer that counts its calls, as timm's BatchNormAct2d does in training."""

    def __init__(self):
        super().__init__()
        self.sizes, self.pads, self.seen = (3, 3), (1, 1), [torch.zeros(2)]
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        self.calls.add_(1)
        self.seen[0].add_(1)
        return x


def test_a_check_changes_nothing_of_a_model_with_many_parts():
    model = nn.Sequential(nn.Linear(4, 4), *(Counting() for _ in range(3_000)))
    initlint.check(model)
    initlint.apply_(model, seed=0)
    assert not any(part.calls or part.seen[0].any() for part in model[1:])


def quantised(weight):
    return torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8)


class Loud(torch.Tensor):
    """A subclass that refuses everything but to be looked at."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func.__name__ in ("std", "reshape", "abs", "clone", "to", "float"):
            raise SystemExit(f"no {func.__name__}")
        return super().__torch_function__(func, types, args, kwargs or {})


ODD = {
    "sparse": (torch.Tensor.to_sparse, "sparse"),
    "sparse rows": (torch.Tensor.to_sparse_csr, "sparse"),
    "quantised": (quantised, "quantised"),
    "complex": (lambda w: w.to(torch.complex64), "complex"),
    "nested": (lambda w: torch.nested.nested_tensor([w, w[:3]]), "nested"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ODD)
def test_an_odd_parameter_is_listed_and_the_rest_is_judged(name):
    make, word = ODD[name]
    model = nn.Sequential(*(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU()))
    weight = nn.Parameter(make(torch.randn(8, 8)), requires_grad=False)
    if name == "nested":
        model.register_parameter("odd", weight)
    else:
        model[2].weight = weight
    report = initlint.check(model)
    listed = {gap.target: gap.reason for gap in report.unanalysed}
    wanted = "odd" if name == "nested" else "2.weight"
    assert listed == {
        f"Sequential: {wanted}": f"the parameter is {word}; its values are not judged"
    }
    assert "0.weight" in {layer.parameter for layer in report.layers}
    assert all(finding.parameter != wanted for finding in report.findings)


def test_a_subclass_that_refuses_is_one_line():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    model[0].weight = nn.Parameter(torch.randn(8, 8).as_subclass(Loud))
    try:
        report = initlint.check(model)
        assert report.layers[0].current.name in ("unknown", "measured", "kaiming_uniform_")
    except initlint.InitlintError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float16, torch.bfloat16, torch.int8])
def test_other_dtypes_are_measured_or_left(dtype):
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    model[0].weight = nn.Parameter(torch.randn(8, 8).to(dtype), requires_grad=False)
    assert initlint.check(model).layers


SIZES = {
    "huge": lambda: nn.Linear(10**8, 10**8),
    "beyond floats": lambda: nn.Linear(2**31, 2**31),
    "overflowing": lambda: nn.Linear(2**40, 2**40),
    "beyond integers": lambda: nn.Linear(10**30, 10**30),
    "none": lambda: nn.Linear(0, 8),
    "negative": lambda: nn.Linear(-1, 8),
    "not a number": lambda: nn.Linear(float("nan"), 8),
    "infinite": lambda: nn.Linear(float("inf"), 8),
    "a text": lambda: nn.Linear("8", 8),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("call", [initlint.check, lambda b: initlint.materialize(b, seed=0)])
def test_sizes_out_of_range_are_one_line_or_judged(name, call):
    if name in ("huge", "beyond floats") and call is not initlint.check:
        pytest.skip("whether so much memory can be had is the system's")
    try:
        call(lambda: nn.Sequential(SIZES[name](), nn.ReLU()))
    except initlint.InitlintError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000


NAMES = ["a\nb", "\x1b[31m", "{init}", "{0}", "{", "%s", "\ud800", "a b", "\u202e", "é", "x" * 500]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_of_a_layer_is_judged_and_filled(name):
    model = nn.Sequential()
    model.add_module(name, nn.Linear(8, 8))
    model.add_module("act", nn.ReLU())
    report = initlint.check(model, select="ALL")
    assert report.layers[0].parameter == f"{name}.weight"
    text = str(report)
    assert "\x1b" not in text and "\nb" not in text
    initlint.apply_(model, seed=0)


class Casts(nn.Module):
    """A model whose forward changes the kind of its parameters, not their values."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        self.requires_grad_(False)
        self.half()
        return self.last(torch.relu(self.first(x)))


def test_the_dtype_and_requires_grad_of_parameters_are_kept():
    model = Casts()
    before = {name: (p, p.detach().clone(), p.data_ptr()) for name, p in model.named_parameters()}
    initlint.check(model, torch.randn(2, 8))
    for name, parameter in model.named_parameters():
        same, values, place = before[name]
        assert parameter is same
        assert parameter.requires_grad
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter, values)
        assert parameter.data_ptr() == place


WEIGHT = nn.Parameter(torch.ones(8, 8))


class Loading(Base):
    def forward(self, x):
        self.load_state_dict({k: torch.zeros_like(v) for k, v in self.state_dict().items()})
        return self.b(torch.relu(self.a(x)))


class PastTheProxy(Base):
    def forward(self, x):
        self.a._parameters["weight"].data.zero_()
        return self.b(torch.relu(self.a(x)))


class ByAGlobal(Base):
    def __init__(self):
        super().__init__()
        self.a.weight = WEIGHT

    def forward(self, x):
        WEIGHT.data.zero_()
        return self.b(torch.relu(self.a(x)))


@pytest.mark.parametrize("kind", [Loading, PastTheProxy, ByAGlobal])
@pytest.mark.parametrize("inputs", [(), (torch.ones(2, 8),)], ids=["no input", "input"])
def test_weights_that_forward_writes_are_kept(kind, inputs):
    model = kind()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    versions = {name: value._version for name, value in model.named_parameters()}
    with contextlib.suppress(initlint.InitlintError):
        initlint.check(model, *inputs)
    for name, value in model.named_parameters():
        assert torch.equal(value, before[name])
        assert value._version == versions[name]
