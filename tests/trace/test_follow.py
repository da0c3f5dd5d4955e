"""The following activation of every kind of graph that symbolic tracing gives."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from initlint.judge.suited import unsuited
from initlint.recommend import with_recommendations
from initlint.tracing.build import Built
from initlint.tracing.layers import layers_of


class Model(nn.Module):
    """Three linear layers, a convolution and a bare matrix, used as `run(self, x)` says."""

    def __init__(self, run):
        super().__init__()
        self.run = run
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.conv = nn.Conv1d(8, 8, 3, groups=2)
        self.norm, self.act, self.drop = nn.LayerNorm(8), nn.LeakyReLU(0.2), nn.Dropout()
        self.scale = nn.Parameter(torch.ones(8))
        self.w = nn.Parameter(torch.randn(8, 16))

    def forward(self, x):
        return self.run(self, x)


def layers(run):
    model = Model(run)
    return {layer.parameter: layer for layer in layers_of(Built("model", model, None))}


def following(run, parameter="a.weight"):
    return layers(run)[parameter].following


def rms_norm(x):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


ANSWERS = {
    "module": (lambda m, x: m.act(m.a(x)), "leaky_relu", ()),
    "function": (lambda m, x: F.relu(m.a(x)), "relu", ()),
    "torch function": (lambda m, x: torch.tanh(m.a(x)), "tanh", ()),
    "method": (lambda m, x: m.a(x).relu(), "relu", ()),
    "in place": (lambda m, x: m.a(x).relu_(), "relu", ()),
    "output": (lambda m, x: m.a(x), "output", ()),
    "another layer": (lambda m, x: m.b(m.a(x)), "linear", ()),
    "through view": (lambda m, x: m.a(x).view(-1).sigmoid(), "sigmoid", ("shape",)),
    "through dropout": (lambda m, x: F.silu(m.drop(m.a(x))), "silu", ("dropout",)),
    "through norm": (lambda m, x: F.gelu(m.norm(m.a(x))), "gelu", ("norm",)),
    "through written-out RMSNorm": (lambda m, x: F.gelu(rms_norm(m.a(x))), "gelu", ("norm",)),
    "through pool": (lambda m, x: F.relu(F.max_pool1d(m.a(x), 2)), "relu", ("pool",)),
    "through mean": (lambda m, x: m.a(x).mean(1).relu(), "relu", ("pool",)),
    "through a number": (lambda m, x: (m.a(x) * 0.5 + 1).tanh(), "tanh", ()),
    "through a quotient": (lambda m, x: (m.a(x) / 8**0.5).softmax(-1), "softmax", ()),
    "through layer scale": (lambda m, x: F.relu(m.scale * m.a(x)), "relu", ()),
    "through a parameter added": (lambda m, x: F.relu(m.a(x) + m.scale), "relu", ()),
    "residual": (lambda m, x: F.relu(x + m.a(x)), "relu", ("residual",)),
    "in-place residual": (lambda m, x: F.relu(m.a(x).add_(x)), "relu", ("residual",)),
    "doubled": (lambda m, x: F.relu(x_plus_x(m.a(x))), "relu", ()),
    "concatenated": (lambda m, x: torch.cat([x, m.a(x)], 1).relu(), "relu", ("shape",)),
    "gate": (lambda m, x: m.a(x) * m.b(x), "gate", ()),
    "written-out silu": (lambda m, x: silu(m.a(x)), "silu", ()),
    "written-out silu, turned round": (lambda m, x: silu_turned(m.a(x)), "silu", ()),
    "sigmoid of another": (lambda m, x: m.b(x) * torch.sigmoid(m.a(x)), "sigmoid", ()),
    "query": (lambda m, x: attention(m, x), "attention", ("shape",)),
    "consumers agree": (lambda m, x: agree(m.a(x)), "relu", ()),
    "consumers disagree": (lambda m, x: disagree(m.a(x)), "mixed", ()),
    "shape asked for": (lambda m, x: asked(m.a(x)), "relu", ("shape",)),
    "unknown function": (lambda m, x: F.relu(torch.fft.fft(m.a(x)).real), "unknown", ()),
    "square": (lambda m, x: square(m.a(x)), "unknown", ()),
    "reciprocal": (lambda m, x: (1 / m.a(x)).relu(), "unknown", ()),
    "never used": (lambda m, x: m.b(x), "unknown", ()),
}


def x_plus_x(x):
    return x + x


def silu(x):
    return x * torch.sigmoid(x)


def silu_turned(x):
    return x.sigmoid() * x


def attention(m, x):
    weights = (m.a(x) @ m.b(x).transpose(-1, -2)).softmax(-1)
    return weights @ m.c(x)


def agree(x):
    return x.relu() + F.relu(x)


def disagree(x):
    return x.relu() + x.tanh()


def asked(x):
    return x.view(x.shape[0], -1).relu()


def square(x):
    return (x * x).relu()


@pytest.mark.parametrize(("run", "activation", "via"), ANSWERS.values(), ids=ANSWERS)
def test_following(run, activation, via):
    found = following(run)
    if activation == "attention":
        assert found.activation == "attention"
    else:
        assert (found.activation, found.via) == (activation, via)


def test_arguments_come_along():
    assert following(lambda m, x: m.act(m.a(x))).args == {"negative_slope": 0.2}
    assert following(lambda m, x: F.leaky_relu(m.a(x), 0.3)).args == {"negative_slope": 0.3}
    assert following(lambda m, x: F.elu(m.a(x), alpha=2.0)).args == {"alpha": 2.0}


def test_mixed_lists_its_activations():
    assert following(lambda m, x: disagree(m.a(x))).args == {"activations": ("relu", "tanh")}


WEIGHTS = {
    "F.linear": (lambda m, x: F.relu(F.linear(x, m.w)), (16, 8)),
    "matrix on the right": (lambda m, x: (x @ m.w).relu(), (8, 16)),
    "matrix on the left": (lambda m, x: (m.w @ x).relu(), (16, 8)),
    "turned": (lambda m, x: (x @ m.w.t()).relu(), (16, 8)),
    "turned by T": (lambda m, x: (x @ m.w.T).relu(), (16, 8)),
    "torch.matmul": (lambda m, x: torch.matmul(x, m.w).relu(), (8, 16)),
    "einsum": (lambda m, x: torch.einsum("bi,ij->bj", x, m.w).relu(), (8, 16)),
    "einsum over the outputs": (lambda m, x: torch.einsum("bj,ij->bi", x, m.w).relu(), (16, 8)),
    "einsum with an ellipsis": (
        lambda m, x: torch.einsum("...i,io->...o", x, m.w).relu(),
        (8, 16),
    ),
    "einsum with the weight first": (
        lambda m, x: torch.einsum("io, ... i -> ... o", m.w, x).relu(),
        (8, 16),
    ),
    "einsum with the weight's own ellipsis": (
        lambda m, x: torch.einsum("bi,i...->b...", x, m.w).relu(),
        (None, None),
    ),
    "tensordot": (lambda m, x: torch.tensordot(x, m.w, 1).relu(), (8, 16)),
    "tensordot by lists": (
        lambda m, x: torch.tensordot(x, m.w, dims=([-1], [1])).relu(),
        (16, 8),
    ),
    "tensordot with the weight first": (
        lambda m, x: torch.tensordot(m.w, x, dims=([0], [1])).relu(),
        (8, 16),
    ),
    "addmm": (lambda m, x: torch.addmm(m.scale, x, m.w).relu(), (8, 16)),
}


@pytest.mark.parametrize(("run", "fans"), WEIGHTS.values(), ids=WEIGHTS)
def test_bare_parameters(run, fans):
    layer = layers(run)["w"]
    assert (layer.type, layer.following.activation) == ("Parameter", "relu")
    assert (layer.fan_in, layer.fan_out) == fans


def test_a_weight_computed_from_a_parameter_is_reparametrised():
    layer = layers(lambda m, x: F.linear(x, m.w / m.w.norm()).relu())["w"]
    assert "reparametrised" in layer.harmless


def test_fans_of_convolutions_are_per_group_and_the_right_way_round():
    model = nn.Sequential(nn.Conv2d(8, 16, 3, groups=4), nn.ConvTranspose2d(16, 4, 5, groups=2))
    first, second = layers_of(Built("model", model, None))
    assert (first.fan_in, first.fan_out) == (2 * 9, 4 * 9)
    assert (second.fan_in, second.fan_out) == (8 * 25, 2 * 25)


def test_shared_module_is_one_layer():
    found = layers(lambda m, x: m.a(m.a(x).relu()).relu())
    assert found["a.weight"].following.activation == "relu"


def test_tied_weight_goes_by_its_first_name():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    found = layers_of(Built("model", model, None))
    assert [layer.parameter for layer in found] == ["0.weight"]
    assert found[0].following.activation == "mixed"


def test_paths_lead_from_layer_to_layer_and_end_at_a_norm():
    found = layers(lambda m, x: m.c(m.norm(m.b(m.a(x).relu()).relu())))
    a, b, c = (found[f"{name}.weight"] for name in "abc")
    assert (a.before, a.after, a.origin) == (None, "b.weight", "input")
    assert (b.before, b.after, b.origin) == ("a.weight", None, "input")
    assert (c.before, c.after, c.origin) == (None, None, "norm")
    assert c.head and not b.head


def block(model, stream, skip):
    return model.c(skip(stream) + model.b(model.norm(stream).relu()))


@pytest.mark.parametrize("skip", [lambda x: x, nn.Identity(), lambda x: F.dropout(x, 0.1)])
def test_a_stream_is_judged_by_what_its_branches_meet(skip):
    layer = layers(lambda m, x: block(m, m.a(x), skip))["a.weight"]
    assert (layer.following.activation, layer.following.via) == ("relu", ("norm",))
    assert layer.harmless == "a normalisation is between it and its activation"


SILENT = {
    "norm before the activation": (lambda m, x: m.norm(m.a(x)).relu(), "cancels"),
    "norm after the activation": (lambda m, x: m.norm(m.a(x).relu()), "cancels"),
    "norm before the layer": (lambda m, x: m.a(m.norm(x)).relu(), "comes from"),
    "norm and activation before the layer": (
        lambda m, x: m.a(m.norm(x).relu()).relu(),
        "comes from",
    ),
}


@pytest.mark.parametrize(("run", "reason"), SILENT.values(), ids=SILENT)
def test_normalisation_makes_the_scale_harmless(run, reason):
    assert reason in layers(run)["a.weight"].harmless


SPEAKING = {
    "plain": lambda m, x: m.a(x).relu(),
    "norm on one of two ways only": lambda m, x: m.norm(m.a(x)).relu() + m.a(x).relu(),
    "norm after another layer": lambda m, x: m.norm(m.b(m.a(x).relu())),
}


@pytest.mark.parametrize("run", SPEAKING.values(), ids=SPEAKING)
def test_scale_matters_without(run):
    assert layers(run)["a.weight"].harmless == ""


BRANCHES = {
    "identity skip": (lambda m, x: x + m.b(m.a(x).relu()), "inside", "last"),
    "projected skip": (lambda m, x: m.c(x) + m.b(m.a(x).relu()), "inside", "last"),
    "ends in an activation": (lambda m, x: x + m.b(m.a(x).relu()).relu(), "inside", "inside"),
    "normalised inside": (lambda m, x: x + m.b(m.a(m.norm(x)).relu()), "", ""),
    "normalised after": (lambda m, x: m.norm(x + m.b(m.a(x).relu())), "", ""),
    "no skip": (lambda m, x: m.b(m.a(x).relu()), "", ""),
    "two towers": (lambda m, x: m.a(x).relu() + m.b(x).relu(), "", ""),
}


@pytest.mark.parametrize(("run", "first", "second"), BRANCHES.values(), ids=BRANCHES)
def test_residual_branches_without_normalisation(run, first, second):
    found = layers(run)
    assert (found["a.weight"].branch, found["b.weight"].branch) == (first, second)


def test_three_thousand_layers():
    model = nn.Sequential(*[part for _ in range(3_000) for part in (nn.Linear(2, 2), nn.ReLU())])
    found = layers_of(Built("model", model, None))
    assert len(found) == 3_000
    assert {layer.following.activation for layer in found} == {"relu"}


def test_pretrained_attention_and_recurrence_are_listed():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(10, 8)
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
            self.lstm = nn.LSTM(8, 8)
            self.head = nn.Linear(8, 2)

        def forward(self, tokens):
            x = self.embed(tokens)
            x = self.attend(x, x, x)[0]
            return self.head(self.lstm(x)[0])

    found = {x.parameter: x for x in layers_of(Built("model", Mixed(), None))}
    assert found["attend.in_proj_weight"].following.activation == "attention"
    assert found["attend.out_proj.weight"].following.activation == "linear"
    assert found["lstm.weight_ih_l0"].following.activation == "mixed"
    assert found["embed.weight"].fan_in is None


ONE = torch.ones(1)


class Chain(nn.Module):
    """Two convolutions with something between, and something behind."""

    def __init__(self, between, behind, *biases):
        super().__init__()
        first, second = (bool(bias) for bias in biases)
        self.first, self.second = nn.Conv1d(8, 8, 3, bias=first), nn.Conv1d(8, 8, 3, bias=second)
        self.third, self.norm = nn.Conv1d(8, 8, 3), nn.BatchNorm1d(8)
        self.between, self.behind = between, behind

    def forward(self, x):
        return self.behind(self, self.second(self.between(self.first(x)))).tanh()


def norm_of(chain, x):
    return chain.norm(x)


CANCELLED = {
    "leaky relu": (Chain(lambda x: F.leaky_relu(x, 0.2), norm_of, 0, 0), True),
    "prelu and pool": (Chain(lambda x: F.max_pool1d(F.prelu(x, ONE), 2), norm_of, 0, 0), True),
    "a factor": (Chain(lambda x: x.relu() * 0.5, norm_of, 0, 0), True),
    "a number added": (Chain(lambda x: x.relu() + 0.5, norm_of, 0, 0), False),
    "own bias": (Chain(F.relu, norm_of, 1, 0), False),
    "a bias on the way": (Chain(F.relu, norm_of, 0, 1), False),
    "an activation with a scale of its own": (Chain(F.gelu, norm_of, 0, 0), False),
    "no normalisation": (Chain(F.relu, lambda chain, x: x, 0, 0), False),
    "a second way around it": (Chain(F.relu, lambda c, x: c.norm(x) + x, 0, 0), False),
    "functional": (
        Chain(F.relu, lambda c, x: F.layer_norm(F.conv1d(x, c.third.weight), (1,)), 0, 0),
        True,
    ),
    "functional with bias": (
        Chain(F.relu, lambda c, x: c.norm(F.conv1d(x, c.third.weight, ONE * 8)), 0, 0),
        False,
    ),
}


@pytest.mark.parametrize(("model", "expected"), CANCELLED.values(), ids=CANCELLED)
def test_a_normalisation_cancels_what_reaches_it_proportionally(model, expected):
    found = {layer.layer: layer for layer in layers_of(Built("model", model, None))}
    assert found["second"].harmless or not expected
    assert bool(found["first"].harmless) == expected


class Run(nn.Module):
    """A normalisation, layers, an activation between them, and what comes behind."""

    def __init__(self, count, activation, before=True, behind=True):
        super().__init__()
        self.activation = activation
        self.before = nn.LayerNorm(8) if before else nn.Identity()
        self.run = nn.ModuleList([nn.Linear(8, 8) for _ in range(count)])
        self.behind = nn.LayerNorm(8) if behind else nn.Identity()

    def forward(self, x):
        x = self.run[0](self.before(x))
        for layer in self.run[1:]:
            x = layer(self.activation(x))
        return self.behind(x).tanh()


RUNS = {
    "between two normalisations": (Run(3, F.relu), True, False),
    "so long that it ends far from where it began": (Run(9, F.relu), True, True),
    "before a smooth activation": (Run(5, F.gelu), True, False),
    "open at its end": (Run(4, F.gelu, behind=False), False, True),
    "from the input": (Run(4, F.relu, before=False), True, True),
    "from the input, before a smooth activation": (Run(4, F.gelu, before=False), True, False),
}


@pytest.mark.parametrize(("model", "closed", "matters"), RUNS.values(), ids=RUNS)
def test_a_run_between_normalisations_matters_by_what_it_does(model, closed, matters):
    listed = with_recommendations(layers_of(Built("model", model, None)))
    middle = next(layer for layer in listed if layer.layer == "run.1")
    assert middle.closed == closed and bool(list(unsuited(middle, "INIT105"))) == matters
