"""apply_ and materialize in other frameworks, each tried for real where it is installed."""

import importlib

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
    fabric = imported("lightning.fabric").Fabric(accelerator="cpu", devices=1)
    wrapped = fabric.setup_module(Module(), move_to_device=False)
    names = filled(initlint.apply_(wrapped, seed=0))
    assert [name.partition("net.")[2] for name in names] == ["2.weight", "2.bias"]


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


@pytest.mark.parametrize("kind", ["PromptEncoderConfig", "PrefixTuningConfig"])
def test_encoders_of_prompts_belong_to_the_adapter(kind):
    peft, model = imported("peft"), from_config("gpt2")
    more = {"prefix_projection": True} if kind == "PrefixTuningConfig" else {}
    config = getattr(peft, kind)(task_type="CAUSAL_LM", num_virtual_tokens=3, **more)
    model = peft.get_peft_model(model, config)
    before = values(model)
    report = initlint.apply_(model, torch.randint(9, (2, 6)), seed=0, scope="recommended")
    assert all(value.equal(before[name]) for name, value in values(model).items())
    assert not filled(report)
    reasons = {x.parameter: x.reason for x in report.outcomes if x.parameter.startswith("prompt")}
    assert "it belongs to an adapter" in reasons.values()


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


def small(kind):
    transformers = imported("transformers")
    sizes = {
        "gpt2": {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": 16},
        "t5": {"d_model": 32, "d_ff": 64, "num_layers": 2, "num_heads": 2, "d_kv": 16},
    }
    usual = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    usual |= {"num_attention_heads": 2, "num_key_value_heads": 2}
    tokens = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    sizes = sizes.get(kind, usual)
    return transformers.AutoConfig.for_model(kind, vocab_size=50, **sizes, **tokens)


def from_config(kind):
    transformers = imported("transformers")
    auto = "AutoModelForSeq2SeqLM" if kind == "t5" else "AutoModelForCausalLM"
    return getattr(transformers, auto).from_config(small(kind))


def by_accelerate(kind):
    with imported("accelerate").init_empty_weights():
        return from_config(kind)


def on_meta(kind):
    with torch.device("meta"):
        return from_config(kind)


WITHOUT_MEMORY = {
    "from_config": lambda kind: lambda: from_config(kind),
    "accelerate": by_accelerate,
    "meta": on_meta,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WITHOUT_MEMORY)
@pytest.mark.parametrize("kind", ["gpt2", "llama", "t5", "bert"])
def test_a_model_of_transformers_is_as_its_own_hook_makes_it(kind, way):
    torch.manual_seed(0)
    expected = from_config(kind)
    model = initlint.materialize(WITHOUT_MEMORY[way](kind), seed=0)
    found = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, value in (*expected.named_parameters(), *expected.named_buffers()):
        if isinstance(value, nn.Parameter) and value.std() > 0:
            ratio = (found[name].std() / value.std()).item()
            assert ratio == pytest.approx(1, rel=10 / value.numel() ** 0.5), name
        else:
            assert found[name].equal(value), name


def with_a_part_of_another():
    """A model that keeps the body of an inner model, which that has initialised."""
    transformers = imported("transformers")
    constant_ = importlib.import_module("transformers.initialization").constant_

    class Inner(transformers.PreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.body = nn.Linear(4, 4)
            self.post_init()

        def _init_weights(self, module):
            if isinstance(module, nn.Linear):
                constant_(module.weight, 3.0)

    class Outer(Inner):
        def __init__(self, config):
            super().__init__(config)
            self.body, self.own = Inner(config).body, nn.Linear(4, 4)
            self.post_init()

        def _init_weights(self, module):
            if isinstance(module, nn.Linear):
                constant_(module.weight, 1.0)

    return Outer(transformers.PretrainedConfig())


def test_a_part_of_a_model_of_transformers_is_as_that_model_made_it():
    for model in (with_a_part_of_another(), initlint.materialize(with_a_part_of_another)):
        assert model.body.weight.eq(3).all()
        assert model.own.weight.eq(1).all()
    layers = initlint.check(with_a_part_of_another).layers
    assert [(x.layer, x.current.mean) for x in layers] == [("body", 3.0), ("own", 1.0)]


@pytest.mark.parametrize("is_filled", [True, False])
def test_what_has_memory_on_meta_is_filled_by_the_hook_as_elsewhere(is_filled):
    transformers = imported("transformers")
    uniform_ = importlib.import_module("transformers.initialization").uniform_

    class Speech(transformers.PreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.mask = nn.Parameter(torch.Tensor(8).uniform_())
            self.body = nn.Linear(8, 8, bias=False)
            self.post_init()

        def _init_weights(self, module):
            if isinstance(module, nn.Linear):
                uniform_(module.weight, -0.1, 0.1)
            elif isinstance(module, Speech) and is_filled:
                uniform_(module.mask)

        def forward(self, x):
            return self.body(x + self.mask)

    found = initlint.check(lambda: Speech(transformers.PretrainedConfig())).findings
    assert [x.parameters for x in found if x.code == "INIT014"] == (
        [] if is_filled else [("mask",)]
    )


@pytest.mark.filterwarnings("ignore")
def test_the_trainer_of_transformers_trains_what_materialize_makes(tmp_path):
    transformers = imported("transformers")
    texts = [{"input_ids": torch.arange(8), "labels": torch.arange(8)} for _ in range(4)]
    options = {"max_steps": 2, "report_to": [], "use_cpu": True, "disable_tqdm": True}
    trainer = transformers.Trainer(
        model_init=lambda: initlint.materialize(lambda: from_config("gpt2"), seed=0),
        args=transformers.TrainingArguments(str(tmp_path), save_strategy="no", **options),
        train_dataset=texts,
    )
    assert 3 < trainer.train().training_loss < 5


@pytest.mark.filterwarnings("ignore")
def test_of_a_loaded_model_only_the_new_head_is_filled(tmp_path):
    transformers = imported("transformers")
    from_config("bert").save_pretrained(tmp_path)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    before = values(model)
    report = initlint.apply_(model, seed=0, only="classifier", scope="all")
    assert filled(report) == ["classifier.weight", "classifier.bias"]
    moved = [name for name, value in values(model).items() if not value.equal(before[name])]
    assert moved == ["classifier.weight"]


@pytest.mark.parametrize("policy", ["following", "calibrated"])
def test_inputs_may_be_a_dict_of_keyword_arguments(policy):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.out = nn.Linear(8, 16), nn.Linear(4, 16), nn.Linear(16, 2)

        def forward(self, first, *, second=None, scale=1.0):
            if first.sum() > 1e9 or second is None:
                raise ValueError("second is missing")
            return self.out(torch.relu(self.a(first)) + torch.relu(self.b(second)) * scale)

    for inputs in (
        [{"first": torch.randn(9, 8), "second": torch.randn(9, 4)}],
        [torch.randn(9, 8), {"second": torch.randn(9, 4), "scale": 2.0}],
    ):
        report = initlint.apply_(Net(), *inputs, seed=0, policy=policy, scope="all")
        assert {"a.weight", "b.weight", "out.weight"} <= set(filled(report))


def test_a_dict_that_is_an_argument_stays_one():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.out = nn.Linear(8, 16), nn.Linear(16, 2)

        def forward(self, batch):
            hidden = torch.relu(self.a(batch["image"]))
            return self.out(-hidden if hidden.sum() > 1e9 else hidden)

    report = initlint.apply_(Net(), {"image": torch.randn(4, 8)}, seed=0, scope="all")
    assert "out.weight" in filled(report)
