"""Pipeline stages get the weights that the whole model would get."""

import copy

import pytest
import torch
from torch import nn

import initlint
from initlint import InitlintError


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a = nn.Linear(width, width)
        self.b = nn.Linear(width, width)

    def forward(self, x):
        return torch.relu(self.b(torch.relu(self.a(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(16, 32)
        self.layers = nn.ModuleDict({str(index): Block(32) for index in range(6)})
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        x = self.stem(x) if self.stem is not None else x
        for layer in self.layers.values():
            x = layer(x)
        return self.head(x) if self.head is not None else x


def cut(net):
    """Torchtitan's way: a copy of the model without the parts that other stages have."""
    first, last = copy.deepcopy(net), copy.deepcopy(net)
    first.head, last.stem = None, None
    for index in range(6):
        del (last if index < 3 else first).layers[str(index)]
    return first, last


def split(net):
    """Torch's way: one module a stage, made from the exported graph."""
    from torch.distributed.pipelining import SplitPoint, pipeline

    spec = {"layers.3": SplitPoint.BEGINNING}
    pipe = pipeline(net, mb_args=(torch.randn(4, 16),), split_spec=spec)
    return pipe.get_stage_module(0), pipe.get_stage_module(1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.mark.parametrize("scope", ["findings", "recommended", "all"])
@pytest.mark.parametrize("stages_of", [cut, split])
@pytest.mark.parametrize("given", ["model", "class"])
def test_stages_get_the_weights_of_the_whole(net, given, stages_of, scope):
    stages = stages_of(copy.deepcopy(net))
    whole = copy.deepcopy(net) if given == "model" else Net
    initlint.apply_(net, seed=1, scope=scope)
    wanted, seen = net.state_dict(), set()
    for stage in stages:
        report = initlint.apply_(stage, seed=1, scope=scope, whole=whole)
        assert {one.parameter for one in report.outcomes} == set(stage.state_dict())
        for name, value in stage.state_dict().items():
            assert torch.equal(value, wanted[name]), name
            seen.add(name)
    assert seen == set(wanted)


class Tied(Net):
    """A weight that two stages have."""

    def __init__(self):
        super().__init__()
        self.layers["4"].b.weight = self.layers["0"].b.weight


class Words(Net):
    """Pre-norm blocks between an embedding and a head that is tied to it."""

    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Embedding(20, 32), nn.Linear(32, 20)
        self.head.weight = self.stem.weight
        for block in self.layers.values():
            block.norm = nn.LayerNorm(32)

    def forward(self, x):
        x = self.stem(x) if self.stem is not None else x
        for block in self.layers.values():
            x = x + block.b(torch.relu(block.a(block.norm(x))))
        return self.head(x) if self.head is not None else x


# Every stage is given the same, whichever stage it names.
OPTIONS = {
    "orthogonal": {"policy": "orthogonal"},
    "only": {"only": ["layers.4", "layers.0.a"]},
    "skip": {"skip": ["layers.1", "*.bias"]},
    "overrides": {
        "overrides": {
            "layers.4": 0.05,
            "head": "zeros_",
            "layers.2.*.bias": "keep",
            "layers.0": nn.init.orthogonal_,
        }
    },
}


def compared(net, stages, **options):
    """How many tensors of stages were compared with those of the whole, all of them equal."""
    whole, count = copy.deepcopy(net), 0
    initlint.apply_(net, seed=1, **options)
    wanted = net.state_dict()
    for stage in stages:
        initlint.apply_(stage, seed=1, whole=whole, **options)
        for name, value in stage.state_dict().items():
            assert torch.equal(value, wanted[name]), name
            count += 1
    return count


@pytest.mark.parametrize("scope", ["findings", "recommended", "all"])
@pytest.mark.parametrize("given", OPTIONS)
@pytest.mark.parametrize("stages_of", [cut, split])
def test_options_mean_in_stages_what_they_mean_in_the_whole(net, stages_of, given, scope):
    stages = stages_of(copy.deepcopy(net))
    assert compared(net, stages, scope=scope, **OPTIONS[given]) == len(net.state_dict())


@pytest.mark.parametrize("given", ["", *OPTIONS])
@pytest.mark.parametrize("kind", [Tied, Words])
def test_a_weight_that_two_stages_have_is_the_same_in_both(kind, given):
    torch.manual_seed(0)
    net = kind()
    options = OPTIONS[given] if given else {}
    assert compared(net, cut(net), scope="all", **options) == len(net.state_dict())


def test_torch_makes_two_weights_of_one_that_is_tied():
    torch.manual_seed(0)
    net = Tied()
    assert compared(net, split(copy.deepcopy(net)), scope="all") > len(net.state_dict())


class Memory(Net):
    """An LSTM in the second stage, and sines before the head."""

    def __init__(self):
        super().__init__()
        self.layers["4"] = Recalling(32)


class Recalling(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.lstm = nn.LSTM(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        return torch.sin(self.out(self.lstm(x)[0]))


@pytest.mark.parametrize("scope", ["findings", "recommended"])
@pytest.mark.parametrize("stages_of", [cut, split])
def test_what_only_one_stage_has_is_an_option_of_all(stages_of, scope):
    torch.manual_seed(0)
    net = Memory()
    stages = stages_of(copy.deepcopy(net))
    count = compared(net, stages, scope=scope, forget_bias=1.0)
    assert count == len(net.state_dict())
    assert (net.layers["4"].lstm.bias_ih_l0[32:64] == 1).all()


def test_a_pattern_that_names_nothing_in_the_whole_is_an_error(net):
    with pytest.raises(InitlintError, match=r"only layers\.6: no parameter or module"):
        initlint.apply_(cut(net)[0], seed=1, whole=net, only="layers.6")


def test_without_the_whole_its_first_layer_sees_the_data(net):
    """So `whole` is needed: a stage alone cannot know what is before it."""
    _, last = cut(net)
    before = last.layers["3"].a.weight.clone()
    initlint.apply_(last, seed=1)
    assert torch.equal(last.layers["3"].a.weight, before)
    initlint.apply_(last, seed=1, whole=net)
    assert not torch.equal(last.layers["3"].a.weight, before)


def test_the_whole_model_itself_is_left_alone(net):
    before = copy.deepcopy(net.state_dict())
    initlint.apply_(cut(net)[0], seed=1, whole=net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_parameter_that_the_whole_lacks_is_named(net):
    with pytest.raises(InitlintError, match=r"a\.weight is a parameter of the stage"):
        initlint.apply_(Block(32), seed=1, whole=net)


def test_a_parameter_of_another_shape_is_named(net):
    stage = cut(net)[1]
    stage.head = nn.Linear(32, 5)
    message = r"head\.weight has the shape \(5, 32\) in the stage and \(4, 32\)"
    with pytest.raises(InitlintError, match=message):
        initlint.apply_(stage, seed=1, whole=net)


@pytest.mark.parametrize("whole", [3, "Net"])
def test_the_whole_is_a_model_or_makes_one(net, whole):
    with pytest.raises(InitlintError, match="whole takes a model, a class or a function"):
        initlint.apply_(net, seed=1, whole=whole)


def test_calibration_needs_the_model_in_one_piece(net):
    with pytest.raises(InitlintError, match="before it is cut into stages"):
        initlint.apply_(cut(net)[0], whole=net, policy="calibrated")


def test_an_object_around_a_stage_is_no_model(net):
    class Stage:
        submod = net

    with pytest.raises(InitlintError, match=r"apply_\(stage\.submod, whole=\.\.\.\)"):
        initlint.apply_(Stage())
