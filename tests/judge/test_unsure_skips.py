"""Sums with what an unknown operation makes of the branch's own input: perhaps a skip connection.

Met in a Fourier neural operator, whose skip goes through a change of resolution that is no
operation of the catalogue. PyTorch's default trains best inside a residual branch.
"""

import pytest
import torch

NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(16, 64)
            self.into = nn.ModuleList([nn.Linear(64, 64) for _ in range(4)])
            self.out_of = nn.ModuleList([nn.Linear(64, 64) for _ in range(4)])
            self.projections = nn.ModuleList([nn.Linear(64, 64) for _ in range(4)])
            self.last = nn.Linear(64, 2)

        def forward(self, x):
            h = self.first(x)
            for into, out_of, projection in zip(self.into, self.out_of, self.projections):
                h = F.relu({result})
            return self.last(h)
"""
BRANCH = "out_of(F.relu(into(h)))"
UNKNOWN = "torch.fft.irfft(torch.fft.rfft({}), 64)"
SKIPS = {
    "unknown": f"{BRANCH} + {UNKNOWN.format('h')}",
    "on the left": f"{UNKNOWN.format('h')} + {BRANCH}",
    "of a projection": f"{BRANCH} + {UNKNOWN.format('projection(h)')}",
    "with a factor": f"{BRANCH} + 0.5 * {UNKNOWN.format('h')}",
}
# The other side is no skip, whatever the unknown operation does.
OTHERS = {
    "behind an activation": f"{BRANCH} + F.relu({UNKNOWN.format('h')})",
    "of the branch itself": f"out_of(F.relu(into(h) + {UNKNOWN.format('into(h)')}))",
    "of something else": f"{BRANCH} + {UNKNOWN.format('torch.ones(1, 64)')}",
}


def inside(found, name):
    return {key for key, layer in found.layers.items() if name in key and layer.branch}


@pytest.mark.parametrize("result", SKIPS.values(), ids=SKIPS)
def test_the_layers_of_the_branch_are_left_alone(judge, result):
    found = judge(NET.format(result=result), torch.ones(2, 16))
    assert len(inside(found, "into")) == len(inside(found, "out_of")) == 4
    assert not [name for name in found.codes if "into" in name or "out_of" in name]


@pytest.mark.parametrize("result", SKIPS.values(), ids=SKIPS)
def test_the_last_layer_does_not_begin_as_zero(judge, result):
    # A branch of zeros would leave all to an operation that nobody knows.
    found = judge(NET.format(result=result), torch.ones(2, 16))
    recommended = {name: std for name, std in found.recommended().items() if "out_of" in name}
    assert len(recommended) == 4 and 0 not in recommended.values()


def test_a_known_skip_is_as_before(judge):
    found = judge(NET.format(result=f"{BRANCH} + h"), torch.ones(2, 16))
    recommended = found.recommended()
    assert [recommended[f"out_of.{n}.weight"] for n in range(4)] == [0] * 4


@pytest.mark.parametrize("result", OTHERS.values(), ids=OTHERS)
def test_what_is_no_skip_makes_no_branch(judge, result):
    found = judge(NET.format(result=result), torch.ones(2, 16))
    assert not inside(found, "into") and not inside(found, "out_of")
