"""Graphs of all kinds of models: two ways that agree, inputs found, errors in one line."""

import copy
import inspect
import types

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from initlint.project.inputspec import InputSpec
from initlint.tracing import capture as capturing
from initlint.tracing.build import BuildError, Built, construct
from initlint.tracing.capture import CaptureError, capture
from initlint.tracing.layers import layers_of


def followings(model, *inputs):
    found = layers_of(Built("model", model, None), inputs)
    return {layer.parameter: layer.following.activation for layer in found}


def recorded(model, monkeypatch, *inputs):
    """The layers by a recorded run, even if symbolic tracing would do."""

    def refuse(model):
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(capturing, "traced", refuse)
        return layers_of(Built("model", model, None), inputs)


class Block(nn.Module):
    def __init__(self, width, norm):
        super().__init__()
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out, self.head = nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        weights = (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1)
        return self.head(self.out(weights @ v).mean(1))


class Excited(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)

    def forward(self, x):
        x = F.silu(self.bn(self.conv(x)))
        return x * self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))).sigmoid()


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4 + 4 * i, 4) for i in range(3))

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, F.leaky_relu(layer(x), 0.2)], 1)
        return x


class Own(nn.Module):
    """A model whose forward is given as a function, with what it needs."""

    def __init__(self, run, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.run = run

    def forward(self, x):
        return self.run(self, x)


BOTH = {
    "mlp": lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2)),
    "residual": lambda: nn.Sequential(Block(8, False), Block(8, False)),
    "pre-norm": lambda: nn.Sequential(Block(8, True), Block(8, True), nn.LayerNorm(8)),
    "attention": Attention,
    "squeeze and excite": Excited,
    "dense": Dense,
    "gated": lambda: nn.Sequential(nn.Linear(4, 8), nn.GLU(), nn.Linear(4, 4), nn.Tanh()),
    "recurrent": lambda: Own(
        lambda m, x: m.out(m.rnn(x)[0]).relu(), rnn=nn.LSTM(4, 8), out=nn.Linear(8, 2)
    ),
    "transposed": lambda: nn.Sequential(nn.ConvTranspose2d(3, 8, 4), nn.ELU(), nn.Conv2d(8, 3, 1)),
    "weight norm": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.ReLU(), nn.Linear(4, 4)
    ),
}


@pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)
def test_both_ways_agree_on_every_layer(make, monkeypatch):
    model = make().eval()
    assert capture(model, "model").way == "symbolic"
    assert list(layers_of(Built("model", model, None))) == list(recorded(model, monkeypatch))


def scripted():
    return nn.Sequential(nn.Linear(4, 4), torch.jit.script(nn.Tanh()), nn.Linear(4, 2))


class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.a, self.b, self.reentrant = nn.Linear(4, 4), nn.Linear(4, 4), reentrant

    def forward(self, x):
        return self.b(checkpoint(lambda y: self.a(y).tanh(), x, use_reentrant=self.reentrant))


class Looking(nn.Module):
    """Control flow on shapes, and a generator: only a run can see through."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        def outputs(x):
            for layer in self.layers:
                x = layer(x).relu() if x.shape[-1] == 4 else layer(x).tanh()
                yield x

        return list(outputs(x))[-1]


class Mine(nn.Linear):
    pass


class Double(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x.sigmoid()


class Efficient(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.b(Swish.apply(self.a(x)))


class Asking(nn.Module):
    """Needs values, which meta tensors do not have."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        x = self.a(x)
        return self.b(x.relu()) if x.sum().item() > 1e9 else self.b(x.tanh())


SPECIAL = {
    "scripted part": (scripted, ["unknown", "output"]),
    "checkpoint": (lambda: Checkpointed(False), ["tanh", "output"]),
    "reentrant checkpoint": (lambda: Checkpointed(True), ["tanh", "output"]),
    "control flow and a generator": (Looking, ["relu", "relu", "relu"]),
    "subclasses of Linear": (
        lambda: nn.Sequential(Mine(4, 4), nn.ReLU(), Double(4, 4), nn.Tanh()),
        ["relu", "tanh"],
    ),
    "autograd function": (Efficient, ["silu", "output"]),
    "values asked for": (Asking, ["tanh", "output"]),
    "lazy": (
        lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2)),
        ["relu", "output"],
    ),
    "data parallel": (
        lambda: nn.DataParallel(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))),
        ["relu", "output"],
    ),
}


@pytest.mark.parametrize(("make", "answers"), SPECIAL.values(), ids=SPECIAL)
def test_special_models(make, answers):
    assert list(followings(make()).values()) == answers


def test_compiled_models_are_unwrapped_and_compiled_parts_run_as_written():
    whole = torch.compile(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)))
    assert followings(whole) == {"_orig_mod.0.weight": "relu", "_orig_mod.2.weight": "output"}
    part = nn.Sequential(torch.compile(nn.Sequential(nn.Linear(4, 4), nn.ReLU())), nn.Linear(4, 4))
    assert list(followings(part).values()) == ["relu", "output"]


def test_torchs_own_transformer_is_walked_into():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)
    found = followings(encoder)
    assert found["layers.0.linear1.weight"] == "relu"
    assert found["layers.0.self_attn.in_proj_weight"] == "attention"
    assert found["layers.1.linear2.weight"] == "output"


def test_shapes_of_lazy_layers_are_those_of_the_run():
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))
    first, second = layers_of(Built("model", model, None), (torch.zeros(2, 3, 4),))
    assert (first.shape, first.fan_in, second.shape) == ((8, 12), 12, (2, 8))
    assert model[1].has_uninitialized_params()


class Flattened(nn.Module):
    def __init__(self, side, channels=1):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(4 * side * side, 10)

    def forward(self, x):
        x = self.pool(self.conv(x).relu())
        return self.fc(x.view(x.size(0), -1)) if x.shape[0] else x


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(50, 8), nn.GRU(8, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, tokens, mask=None):
        x, _ = self.rnn(self.embed(tokens))
        return self.head(x[:, -1] if x.shape[1] else x)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.image, self.words = nn.Conv2d(1, 4, 3), nn.Embedding(10, 4)
        self.head = nn.Linear(8, 2)

    def forward(self, image, input_ids):
        seen = self.image(image).mean((2, 3))
        assert len(seen) == len(input_ids), "as many images as sentences"
        return self.head(torch.cat([seen, self.words(input_ids).mean(1)], 1).relu())


class FromDict(Pair):
    def forward(self, batch):
        return super().forward(batch["image"], batch["input_ids"])


class FromTuple(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        a, b, c = x
        assert a.shape == b.shape
        return self.a(a).relu() + self.b(b).relu() + self.c(c).relu()


class KeywordOnly(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 3)

    def forward(self, *, features, scale=1.0):
        return self.a(features).relu() if features.shape[0] else scale


class Loose(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 3)

    def forward(self, *values, **options):
        return self.a(values[0]).relu() if len(values) == 1 else None


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 3)

    def forward(self, x):
        batch, length, width = x.shape
        return self.a(x.reshape(batch * length, width)).relu()


class Video(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        b, t, c, h, w = x.shape
        return self.conv(x.reshape(b * t, c, h, w)).relu()


class Positioned(nn.Module):
    """The size of its images is in its error message alone."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 8, 8)

    def forward(self, x):
        assert x.shape[-1] == 72, f"Input size ({x.shape[-1]}) is not that of the model (72)"
        return self.conv(x).relu()


class Optional(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x, context=None):
        return self.a(x).relu() + self.b(context.view(context.shape[0], -1)).relu()


class Boxed(nn.Module):
    """Says with a capital letter what it misses."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Embedding(4, 4), nn.Embedding(4, 4)

    def forward(self, input_ids, bbox=None):
        if bbox is None:
            raise ValueError("Bbox is required")
        return self.a(input_ids).relu() + self.b(bbox).sum(2).relu()


class Configured(nn.Module):
    """The size of its images is in a part of its configuration."""

    def __init__(self):
        super().__init__()
        part = types.SimpleNamespace(image_size=1040, to_dict=dict)
        self.config = types.SimpleNamespace(prompt_config=part, to_dict=dict)
        self.conv = nn.Conv2d(3, 4, 8, 8)

    def forward(self, x):
        assert x.shape[-1] == 1040
        return self.conv(x).relu()


class Continued(nn.Module):
    """Takes what an earlier call left behind, and misses something else."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x, context=None, past_key_values=None):
        assert past_key_values is None, "of another class"
        found, _ = (context.view(-1, 4), past_key_values)
        return self.a(x).relu().mean(0) + self.b(found).relu().mean(0)


FOUND = {
    "image flattened into a linear layer, 28": lambda: Flattened(13),
    "image flattened into a linear layer, 40": lambda: Flattened(19, 3),
    "1-D convolution": lambda: nn.Sequential(nn.Conv1d(3, 4, 5), nn.ReLU()),
    "signal flattened into a linear layer": lambda: nn.Sequential(
        nn.Conv1d(2, 4, 5, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 98, 3)
    ),
    "3-D convolution": lambda: nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU()),
    "tokens into a recurrent layer": Tokens,
    "two inputs": Pair,
    "a dict": FromDict,
    "a tuple of three": FromTuple,
    "keyword-only": KeywordOnly,
    "positional without names": Loose,
    "sequences of features": Sequence,
    "frames, by the names of the dimensions": Video,
    "size named by the error": Positioned,
    "an optional argument that is needed": Optional,
    "an argument named with a capital letter": Boxed,
    "size in a part of the configuration": Configured,
    "no state of earlier calls": Continued,
    "recurrent cell": lambda: nn.GRUCell(4, 8),
    "multi-head attention by torch": lambda: nn.TransformerEncoderLayer(8, 2, 16),
}


@pytest.mark.parametrize("make", FOUND.values(), ids=FOUND)
def test_inputs_are_found(make, monkeypatch):
    assert "unknown" not in {layer.following.activation for layer in recorded(make(), monkeypatch)}


def test_inputs_given_are_taken():
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x, times):
            assert tuple(x.shape) == (3, 7, 4)
            for _ in range(times):
                x = self.a(x).relu()
            return x

    assert followings(Picky(), torch.zeros(3, 7, 4), 2) == {"a.weight": "relu"}
    with pytest.raises(CaptureError, match="inputs guessed: x=2,"):
        followings(Picky())


def test_an_example_that_the_model_carries_is_taken():
    class Carrying(Video):
        example_input_array = torch.zeros(1, 7, 3, 9, 9)

        def forward(self, x):
            assert x.shape[1] == 7
            return super().forward(x)

    assert followings(Carrying()) == {"conv.weight": "relu"}


class Wrong(nn.Module):
    def __init__(self, run):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(7, 2)
        self.run = run

    def forward(self, x):
        return self.run(self, x)


def asking(run):
    """The same, so that symbolic tracing cannot do it."""
    return lambda m, x: run(m, x) if x.shape[0] else None


RAISING = {
    "a function that torch.nn lacks": (
        lambda m, x: nn.sigmoid(m.first(x)),
        "AttributeError: module 'torch.nn' has no attribute 'sigmoid'; the nearest existing name is",  # noqa: E501
    ),
    "an attribute that the model lacks": (
        lambda m, x: m.frist(x),
        "'Wrong' object has no attribute 'frist'; the nearest existing name is first",
    ),
    "a name that is not defined": (
        lambda m, x: m.first(y),  # noqa: F821
        "NameError: name 'y' is not defined",
    ),
    "layers that do not fit": (
        asking(lambda m, x: m.second(m.first(x).relu())),
        "must have same reduction dim, but got [2, 8] X [7, 2]",
    ),
}


@pytest.mark.parametrize(("run", "text"), RAISING.values(), ids=RAISING)
def test_a_forward_that_raises_gives_one_line(run, text):
    with pytest.raises(CaptureError) as caught:
        followings(Wrong(run))
    line = str(caught.value)
    own = inspect.getsourcelines(run)[1]
    assert line.startswith(("tests/trace/test_capture.py:", __file__ + ":"))
    assert own <= int(line.split(".py:")[1].split(":")[0]) <= own + 60
    assert text in line and "\n" not in line


def test_an_input_that_cannot_be_found_is_named():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, graph):
            return self.a(graph.nodes).relu() if len(graph.nodes) else None

    with pytest.raises(CaptureError, match=r"inputs guessed: graph=2.*give graph as arguments"):
        followings(Odd())


class Changing(nn.Module):
    """Its forward changes what it can, and raises if asked to."""

    def __init__(self, fails):
        super().__init__()
        self.fails = fails
        self.a, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.register_buffer("seen", torch.zeros(1))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        self.seen += 1
        x = self.norm(self.a(x)) if x.shape[0] else x
        if torch.rand(1).item() < 2 and self.fails:
            raise ValueError("on purpose")
        return x.relu()


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_not_changed(fails):
    model = Changing(fails).train()
    model.norm.eval()
    hooks = []
    model.a.register_forward_hook(lambda *_: hooks.append(1))
    model.a.weight.grad = torch.ones(4, 4)
    before = copy.deepcopy(model.state_dict()), torch.get_rng_state(), dict(vars(model))
    call = nn.Module.__call__
    if fails:
        with pytest.raises(CaptureError, match="on purpose"):
            followings(model)
    else:
        assert followings(model) == {"a.weight": "relu"}
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[0][name]), name
    assert torch.equal(torch.get_rng_state(), before[1])
    assert (model.training, model.a.training, model.norm.training) == (True, True, False)
    assert torch.equal(model.a.weight.grad, torch.ones(4, 4))
    assert (model.calls, vars(model).keys()) == (0, before[2].keys())
    assert len(model.a._forward_hooks) == 1 and model.a.weight.requires_grad
    assert nn.Module.__call__ is call and torch.backends.mha.get_fastpath_enabled()


def test_constants_of_forward_are_not_left_in_the_model():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x):
            return torch.maximum(self.a(x), torch.tensor(0.0))

    model = Constant()
    before = set(vars(model))
    assert followings(model) == {"a.weight": "relu"}
    assert set(vars(model)) == before


def test_parts_that_forward_never_calls_are_captured_on_their_own():
    class Auxiliary(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.head = nn.Linear(4, 4), nn.Linear(4, 2)
            self.auxiliary = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))

        def forward(self, x):
            return self.head(self.a(x).relu())

    found = followings(Auxiliary())
    assert found["auxiliary.0.weight"] == "tanh"
    assert found["auxiliary.2.weight"] == "unknown"


def test_a_model_without_forward_is_its_parts():
    class Parts(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))

    assert followings(Parts())["encoder.0.weight"] == "relu"


def test_a_model_that_needs_values_of_its_buffers_is_built_once_more():
    class Buffered(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.register_buffer("times", torch.tensor(2))

        def forward(self, x):
            for _ in range(self.times.item()):
                x = self.a(x).relu()
            return x

    (layer,) = layers_of(construct(Buffered, "model", {}))
    assert layer.following.activation == "relu"


@pytest.mark.parametrize("make", [Asking, Efficient, Looking, lambda: Flattened(13)])
def test_a_default_device_of_the_users_changes_nothing(make):
    model = make()
    expected = followings(model)
    with torch.device("meta"):
        assert followings(model) == expected


def test_inputs_described_by_name_leave_the_others_to_be_found():
    image = InputSpec("image", "float32", (2, 1, 40, 40))
    found = followings(Pair(), image)
    assert found == {"image.weight": "relu", "words.weight": "relu", "head.weight": "output"}
    with pytest.raises(CaptureError, match="input_ids=int64"):
        followings(Pair(), InputSpec("image", "float32", (3, 1, 40, 40)))


def test_a_constructor_that_misses_a_name_is_tried_once():
    tried = []

    def make():
        tried.append(torch.empty(0).device.type)
        return {}["layer"]

    with pytest.raises(BuildError, match="KeyError"):
        construct(make, "make", {})
    assert tried == ["meta"]
