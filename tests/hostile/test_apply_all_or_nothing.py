"""apply_ and materialize write everything or nothing, whatever fails and wherever."""

import signal

import pytest
import torch
from torch import nn

import initlint
from initlint.fill.undo import Copies, all_or_nothing
from initlint.records import InitlintError

LAYERS = ("a", "b", "c")
POLICIES = ("following", "orthogonal", "calibrated")


class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, width), nn.Linear(width, width), nn.Linear(width, 4)
        self.register_buffer("seen", torch.arange(3.0))

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))


class Fault(torch.Tensor):
    """A tensor whose writing in place raises, at the write after the first `spared` ones."""

    raised = staticmethod(RuntimeError)
    spared = 0

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in ("normal_", "copy_", "fill_", "zero_", "mul_", "sub_", "__setitem__"):
            if cls.spared == 0:
                raise cls.raised("no writes")
            cls.spared -= 1
        return super().__torch_function__(func, types, args, kwargs or {})


@pytest.fixture
def fault(monkeypatch):
    """Lets a class of faulty tensors raise this, after so many writes that succeed."""

    def made(raised=RuntimeError, spared=0):
        monkeypatch.setattr(Fault, "raised", staticmethod(raised))
        monkeypatch.setattr(Fault, "spared", spared)
        return Fault

    return made


def faulty(name, kind, width=16):
    model = Net(width)
    module, _, last = name.rpartition(".")
    layer = model.get_submodule(module)
    setattr(layer, last, nn.Parameter(getattr(layer, last).detach().as_subclass(kind)))
    return model


def everything(model):
    """All that a model holds, and what is said of it: values, versions, modes."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    plain = {n: t.detach().as_subclass(torch.Tensor).clone() for n, t in tensors.items()}
    versions = {n: t._version for n, t in tensors.items()}
    return plain, versions, [m.training for m in model.modules()], torch.get_rng_state()


def assert_same(before, after):
    for one, other in zip(before[0].values(), after[0].values(), strict=True):
        assert torch.equal(one, other)
    assert before[1:3] == after[1:3] and torch.equal(before[3], after[3])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", ["weight", "bias"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_write_that_fails_anywhere_changes_nothing(layer, kind, policy, fault):
    name = f"{layer}.{kind}"
    model = faulty(name, fault())
    before = everything(model)
    with pytest.raises(InitlintError, match=f"{name} cannot be written.*nothing was changed"):
        initlint.apply_(model, seed=0, policy=policy, scope="all")
    assert_same(before, everything(model))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("policy", [*POLICIES, "nonsense"])
def test_the_seed_that_was_drawn_is_given_back(policy, fault):
    model = faulty("c.weight", fault())
    before = everything(model)
    with pytest.raises(InitlintError):
        initlint.apply_(model, policy=policy, scope="all")
    assert_same(before, everything(model))


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("layer", LAYERS)
def test_what_a_parameter_of_the_users_raises_is_one_line(layer, raised, fault):
    model = faulty(f"{layer}.weight", fault(raised)).eval()
    before = everything(model)
    with pytest.raises(InitlintError, match=f"{raised.__name__}: no writes; nothing was changed"):
        initlint.apply_(model, seed=0, scope="all")
    assert_same(before, everything(model))


@pytest.mark.parametrize("layer", LAYERS)
def test_the_users_interrupt_changes_nothing_and_stays_one(layer, fault):
    def sent(text):
        signal.raise_signal(signal.SIGINT)
        return ValueError(text)

    model = faulty(f"{layer}.weight", fault(sent)).eval()
    before = everything(model)
    with pytest.raises(KeyboardInterrupt):
        initlint.apply_(model, seed=0, scope="all")
    assert_same(before, everything(model))


def test_the_part_of_a_large_parameter_that_is_written_is_put_back(fault):
    width = 2**11
    model = faulty("b.weight", fault(spared=5), width)
    before = everything(model)
    with pytest.raises(InitlintError, match=r"b\.weight cannot be written"):
        initlint.apply_(model, seed=0, scope="all")
    assert_same(before, everything(model))


@pytest.mark.parametrize("spared", [1, 2, 3])
def test_a_correction_that_fails_changes_nothing(spared, fault):
    model = faulty("b.weight", fault(spared=spared))
    before = everything(model)
    with pytest.raises(InitlintError, match="nothing was changed"):
        initlint.apply_(model, seed=0, policy="calibrated", scope="all")
    assert_same(before, everything(model))


@pytest.mark.parametrize("count", [0, 1])
def test_a_run_that_fails_late_changes_nothing(count):
    class Tired(Net):
        runs = 0

        def forward(self, x):
            if not x.is_meta:
                type(self).runs += 1
                if type(self).runs > count:
                    raise ValueError("tired")
            return super().forward(x)

    model = Tired()
    before = everything(model)
    with pytest.raises(InitlintError, match=r"tired.*nothing was changed"):
        initlint.apply_(model, seed=0, policy="calibrated", scope="all")
    assert_same(before, everything(model))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_calibration_leaves_no_number_that_is_none(bad):
    model = Net()
    inputs = torch.full((32, 8), bad)
    before = everything(model)
    try:
        initlint.apply_(model, inputs, seed=0, policy="calibrated", scope="all")
    except InitlintError:
        assert_same(before, everything(model))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_what_the_report_cannot_measure_changes_nothing(monkeypatch):
    def fails(*args):
        raise RuntimeError("no std")

    model = Net()
    before = everything(model)
    monkeypatch.setattr("initlint.tracing.measure.measured", fails)
    with pytest.raises(InitlintError, match="no std"):
        initlint.apply_(model, seed=0, scope="all")
    assert_same(before, everything(model))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_model_that_cannot_be_materialized_stays_on_meta(layer, policy, monkeypatch):
    from initlint.fill import blocks, orthogonal, shards

    draw = blocks._draw

    def fails(target, source, block):
        if source.name == f"{layer}.weight":
            raise RuntimeError("no draw")
        draw(target, source, block)

    monkeypatch.setattr(blocks, "_draw", fails)
    assert orthogonal.drawn_block is shards.drawn_block
    with torch.device("meta"):
        model = Net()
    del model.seen
    tensors = dict(model.named_parameters())
    with pytest.raises(InitlintError, match=f"{layer}.weight cannot be written: RuntimeError"):
        initlint.materialize(model, seed=0, policy=policy, scope="all")
    assert all(parameter.is_meta for parameter in model.parameters())
    assert all(tensors[name] is parameter for name, parameter in model.named_parameters())
    with pytest.raises(InitlintError, match=f"{layer}.weight cannot be written: RuntimeError"):
        initlint.materialize(Net, seed=0, policy=policy, scope="all")


def test_what_had_memory_keeps_it_where_the_rest_cannot_be_filled(monkeypatch):
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    loaded = nn.Linear(8, 8)
    model[0] = loaded
    weight, address = loaded.weight.detach().clone(), loaded.weight.data_ptr()

    def fails(*args):
        raise MemoryError

    monkeypatch.setattr("initlint.fill.shards.fill_piece", fails)
    with pytest.raises(InitlintError, match=r"2\.weight cannot be written: MemoryError"):
        initlint.materialize(model, seed=0, scope="all")
    assert model[0] is loaded and loaded.weight.data_ptr() == address
    assert torch.equal(loaded.weight, weight) and model[2].weight.is_meta


def test_too_large_a_model_is_an_error_in_one_line():
    class Huge(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(10**8, 10**8)

        def forward(self, x):
            return torch.relu(self.a(x))

    with pytest.raises(InitlintError) as error:
        initlint.materialize(Huge, seed=0, scope="all")
    assert "\n" not in str(error.value)


def test_an_interrupt_while_putting_back_does_not_end_it(monkeypatch):
    tensors = [torch.zeros(3) for _ in range(3)]
    interrupts = iter([KeyboardInterrupt, KeyboardInterrupt])
    put_back = Copies.put_back
    copy_ = torch.Tensor.copy_

    def interrupted(self, other):
        for raised in interrupts:
            raise raised
        return copy_(self, other)

    def hostile(copies):
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "copy_", interrupted)
            put_back(copies)

    monkeypatch.setattr(Copies, "put_back", hostile)
    with pytest.raises(InitlintError, match="ValueError: three"), all_or_nothing() as copies:
        for tensor in tensors:
            copies.keep(tensor)
            tensor.fill_(1)
        raise ValueError("three")
    assert not any(map(torch.any, tensors))


def test_the_first_copy_of_what_is_written_twice_is_put_back():
    tensor = torch.arange(6.0)
    with pytest.raises(InitlintError), all_or_nothing() as copies:
        copies.keep(tensor)
        tensor.fill_(1)
        copies.keep(tensor[::2])
        tensor.fill_(2)
        raise ValueError("twice")
    assert torch.equal(tensor, torch.arange(6.0))
