"""A transposed convolution's stride divides its fan_in: each result sees k/s taps a dimension."""

import math

import pytest
import torch
from torch import nn

import initlint
import initlint.recommend.calls
from initlint.graph.weights import spread

NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.into = nn.Conv2d({into}, {into}, 1)
            self.up = {layer}
            self.out = nn.Conv2d({out}, 3, 3, padding=1)
            {fill}
        def forward(self, x):
            return self.out(self.up(self.into(x)).relu())
"""
# The constructor's arguments, and the fan_in that they come to.
LAYERS = {
    "48, 48, 4, 2, 1": 48 * 16 / 4,
    "48, 24, 4, stride=2, padding=1": 48 * 16 / 4,
    "48, 48, 3, stride=2, output_padding=1": 48 * 9 / 4,
    "5, 48, 3, stride=2": 5 * 9 / 4,
    "48, 48, (4, 6), stride=(2, 3)": 48 * 4,
    "48, 48, [2, 2], [2, 2]": 48,
    "48, 48, 4, (2, 1)": 48 * 8,
    "48, 48, 4, 1": 48 * 16,
    "48, 48, 4, stride=2, groups=4": 12 * 4,
    "48, 48, 2, stride=4": 48,
    "48, 48, 4, stride=2, dilation=2": 48 * 16,
    "48, 48, 4, 2, 1, 0, 1, True, 3": 48 * 4,
}


def net(layer, fill="pass"):
    into, out = layer.split(", ")[:2]
    return NET.format(layer=f"nn.ConvTranspose2d({layer})", into=into, out=out, fill=fill)


@pytest.mark.parametrize(("layer", "fan_in"), LAYERS.items(), ids=LAYERS)
def test_the_right_std_is_recommended_and_accepted(judge, layer, fan_in):
    channels = int(layer.split(",")[0])
    data = torch.zeros(1, channels, 8, 8)
    found = judge(net(layer), data)
    std = math.sqrt(2 / fan_in)
    assert found.layers["up.weight"].fan_in == pytest.approx(fan_in)
    assert found.recommended()["up.weight"] == pytest.approx(std)
    assert found.codes == {"up.weight": "INIT101"}
    filled = net(layer, f"nn.init.normal_(self.up.weight, std={std})")
    assert judge(filled, data).codes == {}


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_recommended_keeps_the_signal(layer):
    up = eval(f"nn.ConvTranspose2d({layer}, device='meta')")
    model = nn.Sequential(up, nn.ReLU(), nn.Conv2d(up.out_channels, 3, 3)).to_empty(device="cpu")
    initlint.apply_(model, torch.zeros(1, up.in_channels, 12, 12), seed=0, scope="all")
    with torch.no_grad():
        up.bias.zero_()
        data = torch.randn(4, up.in_channels, 24, 24, generator=torch.manual_seed(0)).relu()
        inner = up(data)[:, :, 12:-12, 12:-12]
    reached = inner[inner != 0]
    # ReLU halves the second moment of the data, and the gain of two restores it.
    assert float(reached.square().mean()) == pytest.approx(1.0, rel=0.25)


def test_the_written_call_is_right_for_every_width(judge, tmp_path):
    found = judge(net("48, 24, 4, 2, 1"), torch.zeros(1, 48, 8, 8))
    (finding,) = found.findings
    call = initlint.recommend.calls.call(finding.recommended, "w")
    for into, out in ((48, 24), (8, 16)):
        w = nn.Parameter(torch.empty(into, out, 4, 4))
        eval(call, {"nn": nn, "w": w})
        assert float(w.std()) == pytest.approx(math.sqrt(2 / (into * 4)), rel=0.05)


@pytest.mark.parametrize(
    ("fill", "reported"),
    [
        # A quarter of the signal is left by one layer, and not less.
        ('kaiming_normal_(self.up.weight, mode="fan_out", nonlinearity="relu")', False),
        ('kaiming_normal_(self.up.weight, a=1, mode="fan_out")', False),
        ('kaiming_normal_(self.up.weight, a=2, mode="fan_out")', True),
        ("xavier_normal_(self.up.weight, gain=0.5)", True),
        ('kaiming_normal_(self.up.weight, nonlinearity="relu")', False),
        ("normal_(self.up.weight, std=math.sqrt(2 / (64 * 4)))", False),
        ("normal_(self.up.weight, std=0.002)", True),
    ],
)
def test_other_schemes_are_judged_within_the_usual_tolerance(judge, fill, reported):
    """torch's fan_out is all taps of what comes in; its fan_in is what a gradient is made of."""
    found = judge(net("64, 32, 4, 2, 1", f"nn.init.{fill}"), torch.zeros(1, 64, 8, 8))
    assert bool(found.codes) == reported


def halved(count):
    """Transposed convolutions of stride 2 with Kaiming's fan_out, which gives each half its std."""
    names = [f"more{i}" for i in range(count)]
    fill = 'nn.init.kaiming_normal_(self.{}.weight, mode="fan_out", nonlinearity="relu")'
    lines = [f"self.{name} = nn.ConvTranspose2d(32, 32, 4, 2, 1)" for name in names]
    lines += [fill.format(name) for name in names]
    through = "self.into(x)"
    for name in names:
        through = f"self.{name}({through}).relu()"
    text = net("32, 32, 4, 2, 1", ("\n" + " " * 12).join(lines))
    return text.replace("self.up(self.into(x)).relu()", through)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_halves_of_what_is_needed_multiply(judge, count):
    """One or two layers do no harm, and their fix does (docs/trains.md); three lose too much."""
    found = judge(halved(count), torch.zeros(1, 32, 8, 8))
    said = {f"more{i}.weight": "INIT201" for i in range(count)}
    assert {k: v for k, v in found.codes.items() if k != "up.weight"} == (said if count > 2 else {})


FORGOTTEN = {
    "normal_({w}, std=math.sqrt(2 / (32 * 16)))": "INIT201",
    "normal_({w}, 0, math.sqrt(2.0 / (self.into.kernel_size[0] * 16 * 32)))": "INIT201",
    "uniform_({w}, -1 / math.sqrt(32 * 16), 1 / math.sqrt(32 * 16))": "INIT106",
    "kaiming_normal_({w}, a=0, nonlinearity='relu')": "INIT201",
    "kaiming_uniform_({w}, mode='fan_out', nonlinearity='relu')": "INIT201",
    "normal_({w}, std=math.sqrt(2 / (32 * 16 / 4)))": "",
    "normal_({w}, std=0.0625001)": "",
    "normal_({w}, std=0.01)": "INIT106",
}


@pytest.mark.parametrize(("fill", "code"), FORGOTTEN.items(), ids=FORGOTTEN)
def test_a_scale_that_forgets_the_stride(judge, fill, code):
    """Each of three layers of stride 2 halves the signal: an eighth of it is left."""
    ups = ["up", "more", "most"]
    lines = [f"self.{name} = nn.ConvTranspose2d(32, 32, 4, 2, 1)" for name in ups[1:]]
    lines += [f"nn.init.{fill.format(w=f'self.{name}.weight')}" for name in ups]
    three = net("32, 32, 4, 2, 1", ("\n" + " " * 12).join(lines))
    chain = "self.most(self.more(self.up(self.into(x)).relu()).relu()).relu()"
    found = judge(three.replace("self.up(self.into(x)).relu()", chain), torch.zeros(1, 32, 4, 4))
    assert found.codes == ({f"{name}.weight": code for name in ups} if code else {})


FUNCTIONAL = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(48, 48, 4, 4) * {std})
            self.out = nn.Conv2d(48, 3, 3)
        def forward(self, x):
            return self.out(F.conv_transpose2d(x, self.w{options}).relu())
"""


@pytest.mark.parametrize(
    "options", [", stride=2", ", None, 2", ", None, (2, 2), 1, 1", ", None, [2]"]
)
def test_functional(judge, options):
    std = math.sqrt(2 / (48 * 4))
    data = torch.zeros(1, 48, 8, 8)
    found = judge(FUNCTIONAL.format(std=std, options=options), data)
    assert found.layers["w"].fan_in == 48 * 4
    assert found.recommended()["w"] == pytest.approx(std)
    assert found.codes == {}
    far = judge(FUNCTIONAL.format(std=std / 10, options=options), data)
    assert far.codes == {"w": "INIT106"}


def test_functional_with_dilation_and_groups(judge):
    options = ", None, 2, groups=4, dilation=2"
    source = FUNCTIONAL.format(std=0.1, options=options).replace("48, 48, 4, 4", "48, 12, 4, 4")
    assert judge(source, torch.zeros(1, 48, 8, 8)).layers["w"].fan_in == 12 * 16


UNKNOWN = {
    "module": "nn.ConvTranspose2d(48, 48, 4, stride=step)",
    "one of two": "nn.ConvTranspose2d(48, 48, 4, stride=(2, step))",
    "dilation": "nn.ConvTranspose2d(48, 48, 4, stride=2, dilation=step)",
}


@pytest.mark.parametrize("layer", UNKNOWN.values(), ids=UNKNOWN)
def test_of_an_unknown_stride_nothing_is_said(tmp_path, layer):
    path = tmp_path / "net.py"
    source = NET.format(layer=layer, into=48, out=48, fill="pass").replace(
        "(self):", "(self, step):", 1
    )
    path.write_text("from torch import nn\n" + source.replace("\n    ", "\n"))
    report = initlint.check(str(path))
    assert report.findings == ()
    assert [x.recommended for x in report.layers if x.parameter == "up.weight"] == [None]


def test_orthogonal_matrices_are_those_of_the_groups():
    model = nn.Sequential(
        nn.ConvTranspose2d(6, 4, 3, stride=2, groups=2), nn.ReLU(), nn.Conv2d(4, 1, 1)
    )
    initlint.apply_(model, torch.zeros(1, 6, 4, 4), seed=0, policy="orthogonal", scope="all")
    first, second = model[0].weight.detach().view(2, 3, 18)
    for matrix in (first, second):
        gram = matrix @ matrix.T
        assert torch.allclose(gram, gram[0, 0] * torch.eye(3), atol=1e-5)


def test_spread():
    assert spread((4, 4), (2, 2), (1, 1)) == 4
    assert spread((3,), (2,), (1,)) == 2
    assert spread((2,), (4,), (1,)) == 2
    assert spread((4,), (2,), (2,)) == 1
    assert spread((4,), (6,), (4,)) == 3
