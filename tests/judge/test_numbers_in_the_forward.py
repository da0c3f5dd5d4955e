"""A number that the forward multiplies a layer's input or result with is a part of its scale."""

import pytest
import torch

BLOCK = """
    class Block(nn.Module):
        def __init__(self, into, out):
            super().__init__()
            {init}
        def forward(self, x):
            return {forward}

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(Block(a, 64) for a in (16, 64, 64, 64, 64))
            self.out = nn.Linear(64, 3)
        def forward(self, x):
            for layer in self.layers:
                x = F.relu(layer(x))
            return self.out(x)
"""
SCALE = "self.scale = math.sqrt(2 / into)"
LINEAR = "self.f = nn.Linear(into, out, bias=False); nn.init.normal_(self.f.weight); " + SCALE
BARE = "self.w = nn.Parameter(torch.randn(into, out)); " + SCALE
# Equalised learning rates, and the parametrisation of the neural tangent kernel.
SCALED = {
    "input": (LINEAR, "self.f(x * self.scale)"),
    "result": (LINEAR, "self.f(x) * self.scale"),
    "before": (LINEAR, "self.scale * self.f(x)"),
    "method": (LINEAR, "self.f(x.mul(self.scale))"),
    "divided": (LINEAR + "; self.root = math.sqrt(into / 2)", "self.f(x) / self.root"),
    "twice": (LINEAR, "self.f(x * self.scale**0.5) * self.scale**0.5"),
    "reshaped": (LINEAR, "self.f((x * self.scale).view(-1, x.size(1)))"),
    "matmul": (BARE, "(x @ self.w) * self.scale"),
    "mm": (BARE, "torch.mm(x * self.scale, self.w)"),
    "weight": (BARE, "x @ (self.w * self.scale)"),
}


@pytest.mark.parametrize("form", SCALED)
def test_a_scale_in_the_forward_is_no_wrong_std(judge, form):
    init, forward = SCALED[form]
    found = judge(BLOCK.format(init=init, forward=forward), torch.randn(2, 16))
    assert len(found.layers) == 6
    assert found.codes == {}


@pytest.mark.parametrize("form", ["input", "matmul"])
def test_without_it_the_std_is_wrong(judge, form):
    init, forward = SCALED[form]
    bare = forward.replace(" * self.scale", "")
    found = judge(BLOCK.format(init=init, forward=bare), torch.randn(2, 16))
    assert set(found.codes.values()) == {"INIT106"}


# Numbers that leave the scale as it is, or belong to the data, to a stream, or to a mask.
ELSEWHERE = {
    "one": "self.f(x * 1.0)",
    "slight": "self.f(x) * 1.1",
    "added": "self.f(x + 0.5)",
    "mask": "self.f(x * (x > -9).float())",
}


@pytest.mark.parametrize("form", ELSEWHERE)
def test_other_numbers_leave_the_verdict_as_it_is(judge, form):
    source = BLOCK.format(init="self.f = nn.Linear(into, out)", forward=ELSEWHERE[form])
    plain = BLOCK.format(init="self.f = nn.Linear(into, out)", forward="self.f(x)")
    data = torch.randn(2, 16)
    assert judge(source, data).codes == judge(plain, data).codes != {}


def test_a_factor_of_the_data_is_none_of_the_layers(judge):
    plain = BLOCK.format(init="self.f = nn.Linear(into, out)", forward="self.f(x)")
    source = plain.replace("        for layer in", "        x = x / 255\n            for layer in")
    data = torch.randn(2, 16)
    assert judge(source, data).codes == judge(plain, data).codes != {}


def test_a_stream_that_is_scaled_after_a_sum_says_nothing_of_one_layer(judge):
    source = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)
                self.c, self.d = nn.Linear(64, 64), nn.Linear(64, 64)
                self.e, self.out = nn.Linear(64, 64), nn.Linear(64, 3)
            def forward(self, x):
                x = F.relu(self.a(x))
                x = F.relu((self.b(x) + self.c(x)) {scaled})
                return self.out(F.relu(self.e(F.relu(self.d(x)))))
    """
    data = torch.randn(2, 64)
    found = judge(source.format(scaled="* 0.7071"), data)
    assert set(found.codes) == set(judge(source.format(scaled="* 1.0"), data).codes) != set()
