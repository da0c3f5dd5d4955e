"""apply_ and materialize in other frameworks, each tried for real where it is installed."""

import pytest
import torch
from packages import imported
from torch import nn

import initlint


def body():
    return nn.Sequential(
        *(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    )


def filled(report):
    return [one.parameter for one in report.outcomes if one.status == "filled"]


def values(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def test_a_lightning_module_is_filled():
    lightning = imported("lightning")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = body()

        def training_step(self, batch, index):
            return self.net(batch)

    assert filled(initlint.apply_(Module(), seed=0)) == ["net.2.weight", "net.2.bias"]


@pytest.mark.parametrize("kind", ["LoraConfig", "LoHaConfig", "LoKrConfig"])
def test_adapters_of_peft_start_as_nothing(kind):
    peft = imported("peft")

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.out = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4)

        def forward(self, x):
            return self.out(torch.relu(self.b(torch.relu(self.a(x)))))

    config = getattr(peft, kind)(r=4, target_modules=["a", "b"])
    for scope in ("findings", "recommended", "all"):
        torch.manual_seed(0)
        model = peft.get_peft_model(Net(), config).eval()
        before = model.state_dict()
        before = {name: value.clone() for name, value in before.items()}
        initlint.apply_(model, torch.randn(4, 16), seed=0, scope=scope)
        moved = [n for n, v in model.state_dict().items() if not v.equal(before[n])]
        assert not any("lora_" in n or "hada_" in n or "lokr_" in n for n in moved)


@pytest.mark.filterwarnings("ignore")
def test_quantised_weights_of_torchao_stay():
    quantization = imported("torchao.quantization")
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
    quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
    before = model[0].weight.dequantize()
    initlint.apply_(model, seed=0, scope="all")
    assert model[0].weight.dequantize().equal(before)


def test_what_accelerate_builds_without_memory_is_materialized():
    accelerate = imported("accelerate")
    with accelerate.init_empty_weights():
        model = body()
    initlint.materialize(model, seed=3)
    expected = values(initlint.materialize(body, seed=3))
    assert all(value.equal(expected[name]) for name, value in values(model).items())


def test_metrics_in_a_lightning_module_are_materialized():
    lightning, metrics = imported("lightning"), imported("torchmetrics")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net, self.right = body(), metrics.Accuracy("multiclass", num_classes=4)
            self.example_input_array = torch.zeros(2, 16)

        def training_step(self, batch, index):
            return self.right(self.net(batch), torch.zeros(2, dtype=torch.long))

    model = initlint.materialize(Module, seed=0)
    assert 0 <= model.training_step(torch.randn(2, 16), 0) <= 1
    assert model.example_input_array.equal(torch.zeros(2, 16))


@pytest.mark.parametrize("scope", ["findings", "recommended"])
def test_a_layer_that_peft_trains_whole_is_no_adapter(scope):
    peft = imported("peft")

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.head = nn.Linear(16, 32), nn.Linear(32, 4)

        def forward(self, x):
            return self.head(torch.relu(self.a(x)))

    config = peft.LoraConfig(r=4, target_modules=["a"], modules_to_save=["head"])
    model = peft.get_peft_model(Net(), config)
    names = [f"base_model.model.head.modules_to_save.default.{one}" for one in ("weight", "bias")]
    wanted = names if scope == "recommended" else []
    assert filled(initlint.apply_(model, seed=0, scope=scope)) == wanted
