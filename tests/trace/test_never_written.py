"""INIT001 while tracing: memory of every origin that nothing writes, and every way to write it."""

import pytest

from initlint import api

# The nets are source text, so nothing here imports torch.
pytestmark = pytest.mark.torch

NET = """\
import copy
import numpy
import torch
import torch.nn.functional as F
from torch import nn

P = nn.Parameter


class Net(nn.Module):
    def __init__(self, late=False):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        n = 4
        {lines}

    def forward(self, x):
        x = self.fc(x)
        own = [*self.named_parameters(recurse=False), *self.named_buffers(recurse=False)]
        others = [m for m in self.children() if m is not self.fc]
        inner = [t for m in others for t in (*m.parameters(), *m.buffers())]
        for tensor in (*[t for _, t in own], *inner):
            x = x + (x.sum() * tensor).sum()
        return x
"""
EMPTY = "self.w = P(torch.empty(n, n))\n"
NEVER = {
    "empty": EMPTY,
    "Tensor": "self.w = P(torch.Tensor(n, n))",
    "FloatTensor": "self.w = P(torch.FloatTensor(n))",
    "FloatTensor by a name": "w = torch.FloatTensor(n, n)\nself.w = P(w)",
    "HalfTensor": "self.w = P(torch.HalfTensor(4, 4).float())",
    "Tensor of a Size": "self.w = P(torch.Tensor(torch.Size([4, 4])))",
    "Tensor of a shape": "self.w = P(torch.Tensor(*self.fc.weight.shape))",
    "Tensor of a size": "self.w = P(torch.Tensor(self.fc.weight.size()))",
    "one of two": "self.w = P(torch.Tensor(n) if n > 3 else torch.FloatTensor(n))",
    "new_empty": "self.w = P(self.fc.weight.new_empty(3))",
    "new": "self.w = P(self.fc.weight.data.new(4, 4))",
    "empty_like": "self.w = P(torch.empty_like(self.fc.weight))",
    "empty_strided": "self.w = P(torch.empty_strided((4, 4), (4, 1)))",
    "bfloat16": "self.w = P(torch.empty(4, 4, dtype=torch.bfloat16))",
    "register_parameter": "self.register_parameter('w', P(torch.empty(4)))",
    "a buffer": "self.register_buffer('w', torch.empty(4))",
    "a buffer that is not saved": "self.register_buffer('w', torch.empty(4), persistent=False)",
    "a legacy buffer": "self.register_buffer('w', torch.Tensor(4))",
    "nn.Buffer": "self.w = nn.Buffer(torch.empty(4))",
    "a list": "self.w = nn.ParameterList([P(torch.empty(2)), P(torch.zeros(2))])",
    "a dict": "self.w = nn.ParameterDict({'a': P(torch.empty(2)), 'b': P(torch.zeros(2))})",
    "setattr": "for g in 'ab':\n    setattr(self, g, P(torch.empty(2)))\nnn.init.zeros_(self.a)",
    "a branch": EMPTY + "if late:\n    nn.init.zeros_(self.w)",
    "tied": "self.a = nn.Module()\nself.a.w = P(torch.empty(4))\nself.b = nn.Module()\n"
    "self.b.w = self.a.w",
    "a copy of a module": "m = nn.Module()\nm.w = P(torch.empty(3))\nself.m = copy.deepcopy(m)",
    "a copy filled": EMPTY + "v = self.w.data.clone()\nv.normal_()",
    "a copy filled by nn.init": EMPTY + "nn.init.normal_(self.w.detach().clone())",
    "another tensor filled": EMPTY + "nn.init.uniform_(torch.empty(4))",
    "another name": EMPTY + "w = self.w\nw = torch.zeros(4, 4)",
    "a result thrown away": EMPTY + "self.w.data.mul(0.0)",
    "expanded": "self.w = P(torch.empty(4).expand(3, 4))",
    "expanded and copied": "self.w = P(torch.empty(4).expand(3, 4).clone())",
    "a view": "self.w = P(torch.empty(16).view(4, 4))",
    "transposed": "self.w = P(torch.empty(4, 4).t())",
    "transposed and copied": "self.w = P(torch.empty(4, 4).t().contiguous())",
    "another type": "self.w = P(torch.empty(4, 4).to(torch.float64))",
    "a part": "self.w = P(torch.empty(8, 4)[:4])",
    "resized": "self.w = P(torch.empty(4).resize_(2, 2))",
    "stacked": "self.w = P(torch.stack([torch.empty(4) for _ in range(3)]))",
    "scaled": "self.w = P(torch.empty(4, 4) * 0.02)",
    "scaled in place": EMPTY + "self.w.data.mul_(0.1)",
    "added to": EMPTY + "self.w.data.add_(1.0)",
    "copied from": EMPTY + "self.v = P(torch.zeros(4, 4))\nself.v.data.copy_(self.w.data)",
    "one row": EMPTY + "self.w.data[0].zero_()",
    "some rows": EMPTY + "for i in range(3):\n    nn.init.normal_(self.w.data[i])",
    "one column": EMPTY + "self.w.data[:, 1] = 1.0",
    "one half by an index": EMPTY + "self.w.data[[0, 1]] = 1.0",
    "the diagonal": EMPTY + "self.w.data.diagonal().fill_(1.0)",
    "to_empty": "self.m = nn.Linear(4, 4).to_empty(device='cpu')",
    "to_empty, one of two": "self.m = nn.Linear(4, 4, device='meta').to_empty(device='cpu')\n"
    "nn.init.normal_(self.m.weight)",
    "skip_init": "self.m = nn.utils.skip_init(nn.Linear, 4, 4)",
    "a layer's new bias": "self.m = nn.Linear(4, 4)\nself.m.bias = P(torch.empty(4))",
    "new memory": "self.m = nn.Linear(4, 4)\nself.m.weight.data = torch.empty(4, 4)",
    "a product": "self.w = P(torch.empty(4, 4) @ torch.eye(4))",
    "an einsum": "self.w = P(torch.einsum('ij,jk->ik', torch.empty(4, 4), torch.eye(4)))",
    "a larger picture": "self.w = P(F.interpolate(torch.empty(1, 1, 2, 2), size=4)[0, 0])",
    "another type of another one": "self.w = P(torch.empty(4, dtype=torch.float16))\n"
    "self.w.data.float().zero_()",
    "a memory that was exchanged": EMPTY + "self.w.data.zero_()\nself.w.data = torch.empty(4, 4)",
    "a memory of its .data": EMPTY + "self.w.data.set_(torch.zeros(4, 4))",
    "a gradient": EMPTY + "self.w.grad = torch.zeros(4, 4)",
    "a statistic": "self.m = nn.BatchNorm1d(4)\nself.m.running_mean = torch.empty(4)",
    "a step without a gradient": EMPTY + "torch.optim.SGD([self.w], 0.1).step()",
    "another key": EMPTY + "self.load_state_dict({'fc.bias': torch.zeros(4)}, strict=False)",
    "the same tensor again": "self.w = P(torch.as_tensor(torch.empty(4)))",
    "some of its rows": "self.w = P(torch.empty(4, 4).index_select(0, torch.tensor([0, 1])))",
    "below the diagonal": EMPTY + "self.w.data.tril_()",
    "above the diagonal": EMPTY + "self.w.data.triu_(diagonal=1)",
    "half of the way": EMPTY + "self.w.data.lerp_(torch.ones(4, 4), 0.5)",
    "a copied parameter": EMPTY + "self.v = copy.deepcopy(self.w)\nnn.init.zeros_(self.w)",
    "a walk by another name": EMPTY + "for k, p in self.named_parameters():\n"
    "    if 'weight' in k:\n        nn.init.zeros_(p)",
    "a parameter made late": "self.w = nn.UninitializedParameter()\nself.w.materialize((4, 4))",
    "norms without memory": "self.m = nn.BatchNorm1d(4, device='meta').to_empty(device='cpu')\n"
    "self.m.reset_running_stats()",
    "beside a lazy layer": "self.m = nn.LazyLinear(4)\nself.w = P(torch.empty(4))",
}
WRITTEN = {
    "values": "self.w = P(torch.Tensor([1.0, 2.0]))",
    "numpy": "self.w = P(torch.from_numpy(numpy.ones(4)))",
    "through numpy": EMPTY + "self.w.data.numpy()[:] = 1",
    "a view of it": EMPTY + "nn.init.zeros_(self.w[None])",
    "another view": EMPTY + "self.w.data.view(-1).copy_(torch.arange(16.0))",
    "every row": EMPTY + "for i in range(4):\n    self.w.data[i].fill_(i)",
    "every gate": EMPTY + "for part in self.w.data.chunk(2):\n    nn.init.orthogonal_(part)",
    "both halves": EMPTY + "self.w.data[:2] = 1.0\nself.w.data[2:] = 0.0",
    "by an index": EMPTY + "self.w.data[torch.arange(4)] = 1.0",
    "out": "w = torch.empty(4, 4)\ntorch.randn(4, 4, out=w)\nself.w = P(w)",
    "out of a sum": EMPTY + "torch.add(torch.zeros(4, 4), 1, out=self.w.data)",
    "afterwards": "w = torch.empty(4)\nself.w = P(w)\nw.fill_(1)",
    "beforehand": "w = torch.empty(4)\nw[...] = 2.0\nself.w = P(w)",
    "other memory": EMPTY + "self.w.data = torch.zeros(4, 4)",
    "loaded": EMPTY + "self.load_state_dict({'w': torch.zeros(4, 4)}, strict=False)",
    "foreach": EMPTY + "torch._foreach_zero_([self.w.data])",
    "reset": "self.m = nn.Linear(4, 4).to_empty(device='cpu')\nself.m.reset_parameters()",
    "a vector": EMPTY + "nn.utils.vector_to_parameters(torch.zeros(36), self.parameters())",
    "legacy": "self.w = P(torch.FloatTensor(4))\nself.w.data.uniform_(-1, 1)",
    "scaled afterwards": EMPTY + "self.w.data.normal_().mul_(0.1)",
    "nothing to write": "self.register_buffer('w', torch.empty(0))\n"
    "self.register_buffer('v', None)\nself.register_parameter('u', None)",
    "its storage": EMPTY + "self.w.data.untyped_storage().fill_(0)",
    "another library": EMPTY + "torch.from_dlpack(self.w.data).fill_(1)",
    "numpy's copy": EMPTY + "numpy.copyto(self.w.detach().numpy(), 1.0)",
    "every column": EMPTY + "for i in range(4):\n    self.w.data[:, i] = i",
    "every row by its name": EMPTY + "for row, v in zip(self.w.data, torch.eye(4)):\n"
    "    row.copy_(v)",
    "narrow": EMPTY + "self.w.data.narrow(0, 0, 2).zero_()\nself.w.data.narrow(0, 2, 2).zero_()",
    "strides": EMPTY + "self.w.data.as_strided((16,), (1,)).fill_(2)",
    "other distributions": EMPTY + "self.w.data.exponential_().log_()",
    "out of a product": EMPTY + "torch.matmul(torch.eye(4), torch.eye(4), out=self.w.data)",
    "out of a range": "self.register_buffer('b', torch.empty(4))\ntorch.arange(4, out=self.b)",
    "a weight norm": "self.m = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))",
    "a spectral norm": "self.m = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))",
    "orthogonal": "self.m = nn.utils.parametrizations.orthogonal(nn.Linear(4, 4))",
    "meta, then reset": "with torch.device('meta'):\n    m = nn.Linear(4, 4)\n"
    "self.m = m.to_empty(device='cpu')\nself.m.reset_parameters()",
    "a state of several modules": "ms = [nn.Linear(4, 4) for _ in range(2)]\n"
    "stacked, _ = torch.func.stack_module_state(ms)\nself.w = P(stacked['weight'].detach())",
    "out of two": EMPTY + "r = torch.empty(4, 4)\n"
    "torch.linalg.qr(torch.randn(4, 4), out=(self.w.data, r))",
    "a triangle afterwards": EMPTY + "self.w.data.fill_(1.0).tril_()",
    "a triangle beforehand": EMPTY + "self.w.data.tril_()\nself.w.data.normal_()",
    "made late": "self.w = nn.UninitializedParameter()\nself.w.materialize((4, 4))\n"
    "nn.init.normal_(self.w)",
    "half of new memory": "self.w = P(torch.zeros(4, 4))\nself.w.data[0] = 1.0",
}


def found(tmp_path, lines, net=NET):
    path = tmp_path / "net.py"
    path.write_text(net.replace("{lines}", lines.replace("\n", "\n        ")))
    report = api.check_all([f"{path}:Net"], api.Options(codes=frozenset({"INIT001"})))
    assert report.parameters
    return report.findings


@pytest.mark.parametrize("lines", NEVER.values(), ids=NEVER)
def test_memory_that_nothing_writes(tmp_path, lines):
    assert found(tmp_path, lines)


@pytest.mark.parametrize("lines", WRITTEN.values(), ids=WRITTEN)
def test_memory_that_something_writes(tmp_path, lines):
    assert found(tmp_path, lines) == ()


def test_what_is_missing_is_counted(tmp_path):
    (finding,) = found(tmp_path, NEVER["some rows"])
    assert "nothing writes 4 of its elements" in finding.message


TABLE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.register_buffer("table", torch.empty(16, 8))

    def forward(self, x):
        x = self.fc(x)
        {lines}
"""
READ = [
    "return x @ self.table.t()",
    "return x + self.table[0]",
    "return x + self.table[None, 0]",
    "return x + self.table.unsqueeze(0)[:, 0]",
    "return x @ self.table.view(8, 16)",
    "return self.table[x.argmax(-1)]",
    "return self.table[torch.cdist(x, self.table).argmin(-1)]",
    "return nn.functional.embedding(x.argmax(-1), self.table)",
    "return x + self.table.to(x.dtype)[1]",
    "return torch.einsum('bd,nd->bn', x, self.table)",
    "if x.shape[0] > 3:\n    x = x * 2\nreturn self.table[x.argmax(-1)]",
]
WRITTEN_BY_FORWARD = [
    "self.table[0] = 1\nreturn x @ self.table.t()",
    "self.table += 1\nreturn x @ self.table.t()",
    "self.table.copy_(x)\nreturn x @ self.table.t()",
    "self.table.mul_(0.9).add_(x.mean())\nreturn x @ self.table.t()",
    "with torch.no_grad():\n    self.table[:] = x[:16]\nreturn x @ self.table.t()",
]


@pytest.mark.parametrize("lines", READ)
def test_a_buffer_that_forward_reads(tmp_path, lines):
    (finding,) = found(tmp_path, lines, TABLE)
    assert finding.parameter == "table"


@pytest.mark.parametrize("lines", WRITTEN_BY_FORWARD)
def test_a_buffer_that_forward_writes(tmp_path, lines):
    assert found(tmp_path, lines, TABLE) == ()
