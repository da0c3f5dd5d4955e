"""Single rules of the predicted signal: quadrature, tables, rotations, masks on streams, norms."""

import math
import statistics

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from initlint.graph import signal_pointwise as pointwise
from initlint.graph.quadrature import gaussian_moments
from initlint.graph.samples import Value
from initlint.graph.signal import predicted
from initlint.tracing.arriving import equal_shares, value_of
from initlint.tracing.signal import given, graphed, measured_content

RELU = lambda x: max(x, 0.0)  # noqa: E731


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99, 1.0])
def test_quadrature_gives_the_arc_cosine_kernel(share):
    """E[relu(x) relu(x')], Cho and Saul 2009."""
    q, mean, places, examples = gaussian_moments(RELU, Value(1.0, places=share)).moments
    angle = math.acos(share)
    known = (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / (2 * math.pi)
    assert q == pytest.approx(0.5, abs=1e-4)
    assert mean == pytest.approx(1 / math.sqrt(2 * math.pi), abs=3e-4)
    assert places == pytest.approx(known, abs=3e-4)
    assert examples == pytest.approx(mean**2, abs=1e-6)


def test_quadrature_of_a_value_with_a_mean():
    q, mean, places, _ = gaussian_moments(lambda x: 2 * x + 1, Value(5.0, 1.0, 3.0, 1.0)).moments
    assert (q, mean) == pytest.approx((21 + 4 * 1 - 0, 3.0), abs=1e-6)
    assert places == pytest.approx(4 * 3 + 4 * 1 + 1, abs=1e-6)


@pytest.mark.parametrize(("mean", "places"), [(0.0, 0.5), (0.3, 1.0), (0.0, 2.0)])
@pytest.mark.parametrize("omega", [0.7, 3.0])
def test_sines_have_the_moments_of_the_quadrature(omega, mean, places):
    value = Value(2.0, mean, places, mean**2)
    found = pointwise.sine(value, omega)
    known = gaussian_moments(lambda x: math.sin(omega * x), value).moments
    result = found.value
    assert (result.q, result.mean, result.places, result.examples) == pytest.approx(known, abs=2e-3)
    slope = gaussian_moments(lambda x: omega * math.cos(omega * x), value).moments[0]
    assert found.backs[0] == pytest.approx(slope, rel=1e-3)
    each = result.slopes.each()
    assert math.fsum(each) / len(each) == pytest.approx(slope, rel=1e-3)
    assert result.slopes.mean == pytest.approx(slope, rel=1e-3)


def test_a_sine_of_many_turns_is_any_phase():
    """Whatever the scale, beyond a few turns: E[sin²] = 1/2, and two positions share nothing."""
    for scale in (10.0, 1e3, 1e6):
        value = pointwise.sine(Value(scale**2, places=0.5 * scale**2), 30.0).value
        assert (value.q, value.mean, value.places) == pytest.approx((0.5, 0.0, 0.0), abs=1e-9)


def test_a_constant_value_stays_one():
    assert gaussian_moments(math.tanh, Value(4.0, 2.0, 4.0, 4.0)).moments == pytest.approx(
        (math.tanh(2) ** 2, math.tanh(2), math.tanh(2) ** 2, math.tanh(2) ** 2)
    )


@pytest.mark.parametrize(
    ("indices", "shares"),
    [
        (torch.zeros(3, 5, dtype=torch.long), (1.0, 1.0)),
        (torch.arange(6).expand(2, 6), (0.0, 1 / 6)),
        (torch.tensor([[1, 1, 2], [3, 3, 3]]), (2 / 3, 0.0)),
        (torch.arange(4), (0.0, 0.0)),
        (torch.tensor([[7]]), (0.0, 0.0)),
    ],
)
def test_shares_of_equal_indices(indices, shares):
    assert equal_shares(indices) == pytest.approx(shares)


def test_moments_of_an_input():
    torch.manual_seed(0)
    example, place = torch.randn(64, 8, 1, 1), torch.randn(64, 8, 20, 20)
    value = value_of(3 + example + 2 * place)
    assert value.q == pytest.approx(14, rel=0.03) and value.mean == pytest.approx(3, rel=0.03)
    assert value.places == pytest.approx(10, rel=0.05)
    assert value.examples == pytest.approx(9, rel=0.05)
    assert value.units == pytest.approx(9, rel=0.05)
    rows = value_of(torch.ones(4, 7))
    assert (rows.q, rows.mean, rows.places, rows.examples) == pytest.approx((1, 1, 1, 1))
    assert value_of(torch.randn(6)).q > 0 and value_of(torch.zeros(0, 3)).q != 1


class Net(nn.Module):
    """A net, of which `watched` is compared."""

    def __init__(self, way, **parts):
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.way = way

    def forward(self, *inputs):
        return self.way(self.parts, *inputs)


def compared(make, *inputs, draws=4, given_values=False):
    """By every weighted layer the predicted over the measured rms, forward and backward."""
    torch.manual_seed(0)
    model = make()
    graph = graphed(model, "Net", inputs, (inputs, {}), given_values)
    found = predicted(
        graph.ops, given(measured_content(model), graph.shapes, arriving=graph.arriving)
    )
    assert [reason for reason in found.starts.values() if reason] == []
    runs = [measured(make(), *inputs) for _ in range(draws)]
    ratios = {}
    for op in graph.ops:
        if op.weights:
            name = op.weights[0].parameter.removesuffix(".weight")
            ahead, back = (statistics.geometric_mean(r[name][k] for r in runs) for k in (0, 1))
            rms = found.values[op].rms / ahead, math.sqrt(found.gradients[op]) / back
            ratios[name.removeprefix("parts.")] = rms
    return ratios


def measured(model, *inputs):
    found, hooks = {}, []
    model.train()

    def note(name):
        def noted(layer, args, result):
            found[name] = [float(result.square().mean().sqrt()), 0.0]
            result.register_hook(
                lambda g: found[name].__setitem__(1, float(g.square().mean().sqrt()))
            )

        return noted

    for name, layer in model.named_modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.Embedding)):
            hooks.append(layer.register_forward_hook(note(name)))
    result = model(*inputs)
    (result * torch.randn_like(result)).sum().backward()
    return found


def linear(n=256, m=256):
    layer = nn.Linear(n, m)
    nn.init.kaiming_normal_(layer.weight)
    return layer


def near(ratios, ahead=0.12, back=0.15):
    for name, (forward, backward) in ratios.items():
        assert forward == pytest.approx(1, abs=ahead), (name, ratios)
        assert backward == pytest.approx(1, abs=back), (name, ratios)


@pytest.mark.slow
def test_the_gradient_of_a_rectified_stream():
    """What one ReLU of a stream lets through, the next one does more often than another unit."""

    def way(p, x):
        x = F.relu(p["first"](x))
        for k in range(10):
            x = F.relu(x + p[f"branch{k}"](x))
        return p["last"](x)

    names = ["first", *(f"branch{k}" for k in range(10)), "last"]

    def make():
        model = Net(way, **{name: linear() for name in names})
        for name in names[1:-1]:
            nn.init.normal_(model.parts[name].weight, 0, 0.3 / 16)
        return model

    near(compared(make, torch.randn(64, 256)))


@pytest.mark.slow
def test_a_depthwise_convolution_before_a_batch_norm():
    """The norm divides each unit by a variance of its own: E[1/v] of nine weights is 9/7."""

    def make():
        return Net(
            lambda p, x: p["last"](F.relu(p["norm"](p["depth"](p["first"](x))))),
            first=nn.Conv2d(8, 128, 1),
            depth=nn.Conv2d(128, 128, 3, padding=1, groups=128),
            norm=nn.BatchNorm2d(128),
            last=nn.Conv2d(128, 32, 1),
        )

    near(compared(make, torch.randn(16, 8, 12, 12)))


@pytest.mark.slow
def test_tables_of_which_one_row_is_used():
    """Token types as in BERT: all tokens of all examples have the same one."""

    class Embedded(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.types = nn.Embedding(300, 64), nn.Embedding(2, 64)
            self.value = nn.Linear(64, 64)
            self.register_buffer("kinds", torch.zeros(1, 64, dtype=torch.long))

        def forward(self, tokens):
            # Asking for a value, so that the graph is that of a run.
            length = int(tokens.shape[1])
            x = self.words(tokens) + self.types(self.kinds[:, :length].expand(len(tokens), length))
            return self.value(x.mean(1)) if len(tokens.shape) == 2 else x

    torch.manual_seed(0)
    tokens = torch.randint(300, (16, 32))
    ratios = compared(Embedded, tokens)
    # Without the common row, the mean over 32 tokens would be a fourth of it.
    assert ratios["value"][0] == pytest.approx(1, abs=0.2)


def attention(turned):
    def rotated(x):
        one, two = x[..., :32], x[..., 32:]
        angles = torch.arange(24)[:, None] / 10 ** (torch.arange(64) % 32 / 16)
        return x * angles.cos() + torch.cat((-two, one), -1) * angles.sin()

    def way(p, x):
        q, k, v = p["query"](x), p["key"](x), p["value"](x)
        q, k = (rotated(q), rotated(k)) if turned else (q, k)
        return p["last"](F.scaled_dot_product_attention(q, k, v))

    def make():
        names = ("query", "key", "value", "last")
        model = Net(way, **{name: nn.Linear(64, 64, bias=False) for name in names})
        for layer in model.parts.values():
            nn.init.normal_(layer.weight, 0, 0.5 / 8)
        return model

    return make


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, True], ids=["plain", "rotary"])
def test_the_gradient_of_queries_and_keys(turned):
    ratios = compared(attention(turned), torch.randn(32, 24, 64), draws=6)
    near(ratios, back=0.2)


@pytest.mark.slow
def test_inputs_of_another_scale_count():
    images = 128 + 64 * torch.randn(32, 3, 12, 12)

    def make():
        return Net(
            lambda p, x: p["last"](F.relu(p["first"](x)).mean((2, 3))),
            first=nn.Conv2d(3, 64, 3),
            last=nn.Linear(64, 8),
        )

    ratios = compared(make, images, draws=8, given_values=True)
    assert ratios["first"][0] == pytest.approx(1, abs=0.15)
    assert ratios["last"][0] == pytest.approx(1, abs=0.25)


@pytest.mark.slow
def test_few_examples_in_a_batch_norm():
    """A mean over two examples has half of what each of them has by itself."""

    def make():
        return Net(
            lambda p, x: p["last"](p["norm"](p["first"](x)).relu().mean((2, 3))),
            first=nn.Conv2d(8, 64, 1),
            norm=nn.BatchNorm2d(64),
            last=nn.Linear(64, 16),
        )

    constant = torch.randn(2, 8, 1, 1).expand(2, 8, 6, 6) + 0.3 * torch.randn(2, 8, 6, 6)
    ratios = compared(make, constant, draws=12, given_values=True)
    assert ratios["last"][0] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("queries", [1, 4, 12])
@pytest.mark.parametrize("is_written", [False, True], ids=["fused", "written out"])
def test_few_queries_send_little_to_each_value(queries, is_written):
    """As of a class token: each of 24 values gets the gradient of so many queries, not of 24."""

    def way(p, x):
        q, k, v = p["q"](x[:, :queries]), p["k"](x), p["v"](x)
        if is_written:
            return p["last"]((q @ k.transpose(1, 2) / 8).softmax(-1) @ v)
        return p["last"](F.scaled_dot_product_attention(q, k, v))

    def make():
        return Net(way, **{name: nn.Linear(64, 64, bias=False) for name in ("q", "k", "v", "last")})

    ratios = compared(make, torch.randn(32, 24, 64))
    assert ratios["v"][1] == pytest.approx(1, rel=0.25)
    assert ratios["last"][0] == pytest.approx(1, rel=0.1)
