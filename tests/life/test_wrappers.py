"""Functions that wrap a model and hand it back: what fills the wrapped model fills the model."""

import pytest

from initlint import api

NET = """\
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
        )

    def forward(self, x):
        return self.body(x)
"""
SCRIPT = """\
import torch
from torch import nn
from net import Net

def init(m):
    if isinstance(m, nn.Linear):
        nn.init.kaiming_normal_(m.weight)

net = Net()
"""
WRAPPED = {
    "synchronised": "net = nn.SyncBatchNorm.convert_sync_batchnorm(net)",
    "synchronised by apex": "import apex\nnet = apex.parallel.convert_syncbn_model(net)",
    "parallel": "net = nn.parallel.DistributedDataParallel(net)",
    "parallel by apex": "from apex.parallel import DistributedDataParallel\n"
    "net = DistributedDataParallel(net)",
    "compiled": "net = torch.compile(net)",
    "traced": "net = torch.fx.symbolic_trace(net)",
    "ready for quantisation": "net = torch.ao.quantization.prepare_qat(net)",
    "sharded": "from torch.distributed.fsdp import fully_shard\nnet = fully_shard(net)",
    "in tensor parallel": "from torch.distributed.tensor.parallel import parallelize_module\n"
    "net = parallelize_module(net, None, {})",
    "prepared": "from accelerate import Accelerator\nnet = Accelerator().prepare(net)",
    "prepared with others": "from accelerate import Accelerator\n"
    "optimiser = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    "net, optimiser = Accelerator().prepare(net, optimiser)",
    "cast by apex": "from apex import amp\nnet = amp.initialize(net, opt_level='O2')",
    "cast with others": "from apex import amp\n"
    "optimiser = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    "net, optimiser = amp.initialize(net, optimiser, opt_level='O1')",
    "set up": "from lightning import Fabric\nnet = Fabric().setup(net)",
}


def codes(folder, script):
    (folder / "net.py").write_text(NET)
    (folder / "run.py").write_text(f"{SCRIPT}{script}\n")
    report = api.check(".")
    assert report.unanalysed == ()
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED)
def test_what_is_filled_in_its_wrapper_is_filled(folder, wrapped):
    assert codes(folder, f"{wrapped}\nnet.apply(init)") == []


@pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED)
def test_a_wrapper_fills_nothing(folder, wrapped):
    assert codes(folder, f"{wrapped}\nnet(torch.randn(2, 64)).sum().backward()") == ["INIT101"]


RUN = {
    "with other weights": "torch.func.functional_call(net, dict(net.named_parameters()), data)",
    "for a derivative": "torch.autograd.functional.jacobian(net, data)",
}


@pytest.mark.parametrize("run", RUN.values(), ids=RUN)
def test_what_runs_a_model_gives_data_and_no_model(folder, run):
    script = f"data = torch.randn(2, 64)\nout = {run}\nout.clamp_(0, 1)\nout.fill_(0.0)"
    assert codes(folder, script) == ["INIT101"]


LOOKED_AT = {
    "by tensorboard": "from torch.utils.tensorboard import SummaryWriter\n"
    "SummaryWriter().add_graph(net, torch.randn(2, 64))",
    "by tensorboard's own function": "from torch.utils.tensorboard._pytorch_graph import graph\n"
    "graph(net, torch.randn(2, 64))",
    "saved": "torch.save(net, 'net.pt')",
}


@pytest.mark.parametrize("looked", LOOKED_AT.values(), ids=LOOKED_AT)
def test_what_only_shows_a_model_fills_nothing(folder, looked):
    assert codes(folder, looked) == ["INIT101"]
