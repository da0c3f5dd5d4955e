"""policy="orthogonal": each matrix of a stack, however forward takes it out of its parameter."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import initlint

COUNT, WIDTH, HIDDEN = 4, 12, 20


def one_batch(x):
    return x.unsqueeze(0).expand(COUNT, -1, -1)


def grouped(x, up, down):
    ends = torch.arange(1, COUNT + 1, dtype=torch.int32) * (len(x) // COUNT)
    hidden = torch.relu(torch._grouped_mm(x, up, offs=ends))
    return torch._grouped_mm(hidden, down, offs=ends)


def chosen(x):
    return x.argmax(-1) % COUNT


# (experts, inputs, outputs): as x @ w takes them.
FORMS = {
    "einsum": lambda x, up, down: torch.einsum(
        "beh,ehd->bed", torch.einsum("bd,edh->beh", x, up).relu(), down
    ),
    "bmm": lambda x, up, down: torch.bmm(torch.bmm(one_batch(x), up).relu(), down),
    "matmul": lambda x, up, down: (x @ up).relu() @ down,
    "index": lambda x, up, down: sum((x @ up[e]).relu() @ down[e] for e in range(COUNT)),
    "unbind": lambda x, up, down: sum(
        (x @ one).relu() @ other for one, other in zip(up.unbind(), down.unbind(), strict=True)
    ),
    "by token": lambda x, up, down: torch.bmm(
        torch.bmm(x.unsqueeze(1), up[chosen(x)]).relu(), down[chosen(x)]
    ),
    "grouped_mm": grouped,
}
# (experts, outputs, inputs): as F.linear takes them.
TURNED = {
    "einsum": lambda x, up, down: torch.einsum(
        "beh,edh->bed", torch.einsum("bd,ehd->beh", x, up).relu(), down
    ),
    "bmm, transpose": lambda x, up, down: torch.bmm(
        torch.bmm(one_batch(x), up.transpose(1, 2)).relu(), down.transpose(-1, -2)
    ),
    "matmul, mT": lambda x, up, down: (x @ up.mT).relu() @ down.mT,
    "bmm, permute": lambda x, up, down: torch.bmm(
        torch.bmm(one_batch(x), up.permute(0, 2, 1)).relu(), torch.permute(down, (0, 2, 1))
    ),
    "linear": lambda x, up, down: sum(
        F.linear(F.linear(x, up[e]).relu(), down[e]) for e in range(COUNT)
    ),
    "index, t": lambda x, up, down: sum((x @ up[e].t()).relu() @ down[e].t() for e in range(COUNT)),
    "grouped_mm, transpose": lambda x, up, down: grouped(x, up.transpose(1, 2), down.mT),
    "flat": lambda x, up, down: sum(
        (x @ one.t()).relu() @ other.t()
        for one, other in zip(
            up.view(COUNT, HIDDEN, WIDTH), down.reshape(-1, WIDTH, HIDDEN), strict=True
        )
    ),
}


class Experts(nn.Module):
    def __init__(self, form, up, down):
        super().__init__()
        self.form, self.up = form, nn.Parameter(torch.randn(up) * 0.02)
        self.down = nn.Parameter(torch.randn(down) * 0.02)

    def forward(self, x):
        return self.form(x, self.up, self.down)


def assert_orthogonal(stack):
    for matrix in stack.detach():
        wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        square = wide @ wide.T
        assert torch.allclose(square, square[0, 0] * torch.eye(len(wide)), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_every_expert_is_orthogonal(form):
    model = Experts(FORMS[form], (COUNT, WIDTH, HIDDEN), (COUNT, HIDDEN, WIDTH))
    initlint.apply_(model, torch.randn(8, WIDTH), seed=0, policy="orthogonal", scope="all")
    assert_orthogonal(model.up)
    assert_orthogonal(model.down)
    assert model.up.std().item() == pytest.approx((2 / WIDTH) ** 0.5, rel=0.01)


@pytest.mark.parametrize("form", TURNED)
def test_so_is_one_that_is_used_transposed(form):
    flat = form == "flat"
    up, down = (COUNT, HIDDEN, WIDTH), (COUNT, WIDTH, HIDDEN)
    sizes = ((COUNT * HIDDEN, WIDTH), (COUNT * WIDTH, HIDDEN)) if flat else (up, down)
    model = Experts(TURNED[form], *sizes)
    initlint.apply_(model, torch.randn(8, WIDTH), seed=0, policy="orthogonal", scope="all")
    assert_orthogonal(model.up.view(up))
    assert_orthogonal(model.down.view(down))
    assert model.up.std().item() == pytest.approx((2 / WIDTH) ** 0.5, rel=0.01)


@pytest.mark.parametrize("policy", ["orthogonal", "calibrated"])
def test_the_report_says_why_weights_stay_though_a_policy_was_asked_for(policy):
    model = Experts(FORMS["einsum"], (COUNT, WIDTH, HIDDEN), (COUNT, HIDDEN, WIDTH))
    nn.init.constant_(model.up, 0.2)
    before = model.up.detach().clone()
    x = torch.randn(8, WIDTH)
    report = initlint.apply_(model, x, seed=0, policy=policy)
    assert model.up.equal(before)
    assert f"The policy {policy} " in str(report)
    assert "The policy" not in str(initlint.apply_(model, x, seed=0))
    assert "The policy" not in str(initlint.apply_(model, x, seed=0, policy=policy, scope="all"))
