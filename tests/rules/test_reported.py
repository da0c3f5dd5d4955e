"""Forms of public bug reports, each with the form that is right."""

import pytest
from judged import found

from initlint import api

HEAD = """\
import math

import torch
from torch import nn
from torch.nn.modules.utils import _pair
"""
LAYERS = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8, 8)
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        x = self.stem(x).relu().mean((2, 3))
        return self.out(self.fc(x).relu())


net = Net()
"""


def codes(tmp_path, code, *parts):
    """How often one rule reports a file of these parts."""
    return len(found(tmp_path, "\n\n".join((HEAD, *parts)), code))


def _callback(test, body="nn.init.normal_(m.weight, 0, 0.02)"):
    lines = f"    name = m.__class__.__name__\n    if {test}:\n        {body}\n"
    return f"def init(m):\n{lines}"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("name.find('Conv')", "name.find('Conv') != -1"),
        ("name == 'Conv2d' or 'Linear'", "name == 'Conv2d' or name == 'Linear'"),
        ("isinstance(m, nn.Conv2d) or nn.Linear", "isinstance(m, nn.Conv2d) or m is None"),
        ("type(m) == nn.Linear or nn.Conv2d", "type(m) == nn.Linear or type(m) == nn.Conv2d"),
        ("'Conv' or 'Linear' in name", "'Conv' in name or 'Linear' in name"),
    ],
)
def test_a_test_that_always_holds(tmp_path, wrong, right):
    apply = "net.apply(init)\n"
    assert codes(tmp_path, "INIT003", _callback(wrong), LAYERS, apply) == 1
    assert codes(tmp_path, "INIT003", _callback(right), LAYERS, apply) == 0


def test_a_test_that_always_holds_of_names(tmp_path):
    loop = (
        "for name, module in net.named_modules():\n"
        "    if isinstance(module, nn.Linear):\n"
        "        if {test}:\n"
        "            nn.init.zeros_(module.weight)\n"
        "        else:\n"
        "            nn.init.xavier_uniform_(module.weight)\n"
    )
    wrong, right = "'out' or 'head' in name", "'out' in name or 'head' in name"
    assert codes(tmp_path, "INIT003", LAYERS, loop.format(test=wrong)) == 1
    assert codes(tmp_path, "INIT003", LAYERS, loop.format(test=right)) == 0


NAMED = """\
def name_of(activation):
    names = {{nn.ReLU: "relu", nn.Tanh: "tanh"}}
    for kind, name in names.items():
        if isinstance(activation, kind):
            return {what}


def fill(layer, activation):
    activation_name = name_of(activation)
    if activation_name == "relu":
        nn.init.kaiming_normal_(layer.weight)
    elif activation_name in ["tanh", "sigmoid"]:
        nn.init.xavier_normal_(layer.weight)


class Body(nn.Module):
    def __init__(self, act=nn.ReLU()):
        super().__init__()
        self.act = act
        self.one = nn.Linear(8, 8)
        fill(self.one, act)

    def forward(self, x):
        return self.act(self.one(x))
"""


def test_a_name_that_is_a_class(tmp_path):
    assert codes(tmp_path, "INIT003", NAMED.format(what="kind")) == 2
    assert codes(tmp_path, "INIT003", NAMED.format(what="name")) == 0


TABLE = """\
def embedding(count, size, pad):
    table = nn.Embedding(count, size, padding_idx=pad)
    nn.init.normal_(table.weight, std=size ** -0.5)
    {zero}
    return table


class Words(nn.Module):
    def __init__(self, pad={pad}):
        super().__init__()
        self.table = embedding(100, 8, pad)
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        return self.out(self.table(x))


net = Words()
"""


@pytest.mark.parametrize(
    "zero",
    [
        "nn.init.constant_(table.weight[pad], 0)",
        "table.weight.data[pad].zero_()",
        "table.weight.data[pad] = 0",
    ],
)
def test_a_row_of_none_is_the_whole_table(tmp_path, zero):
    assert codes(tmp_path, "INIT005", TABLE.format(zero=zero, pad=None)) == 1
    assert codes(tmp_path, "INIT005", TABLE.format(zero=zero, pad=0)) == 0


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        ("nn.init.zeros_(net.fc.weight)", "nn.init.uniform_(net.fc.weight, -0.1, 0.1)", 1),
        ("net.fc.weight.data.fill_(0)", "net.fc.weight.data.normal_(0, 0.1)", 1),
        ("nn.init.zeros_(net.fc.bias)", "nn.init.uniform_(net.fc.weight, -0.1, 0.1)", 0),
        ("nn.init.zeros_(net.fc.weight)", "nn.init.zeros_(net.fc.bias)", 0),
        ("nn.init.zeros_(net.out.weight)", "nn.init.uniform_(net.fc.weight, -0.1, 0.1)", 0),
    ],
)
def test_zeros_that_the_bias_was_to_get(tmp_path, first, second, count):
    assert codes(tmp_path, "INIT005", LAYERS, f"{first}\n{second}\n") == count


def test_a_tensor_of_a_function_of_the_users(tmp_path):
    function = "def random_weight(size):\n    return torch.randn(size) / math.sqrt(size[1])\n"
    callback = (
        "def init(m):\n    if isinstance(m, nn.Linear):\n        {}random_weight(m.weight.size())\n"
    )
    apply = "net.apply(init)\n"
    for kept, count in (("", 1), ("m.weight.data = ", 0)):
        parts = (function, callback.format(kept), LAYERS, apply)
        assert codes(tmp_path, "INIT002", *parts) == count


HELPER = """\
def trunc_init(module, std=1.0, bias=0.0):
    if hasattr(module, "weight") and module.weight is not None:
        nn.init.trunc_normal_(module.weight, std=std)
    if hasattr(module, "bias") and module.bias is not None:
        nn.init.constant_(module.bias, bias)
"""


@pytest.mark.parametrize(("handed", "count"), [("m.weight", 1), ("m", 0)])
def test_a_helper_that_is_handed_tensors_outside_of_the_constructor(tmp_path, handed, count):
    loop = (
        "for m in net.modules():\n"
        "    if isinstance(m, nn.Linear):\n"
        f"        trunc_init({handed}, std=0.02)\n"
    )
    assert codes(tmp_path, "INIT002", HELPER, LAYERS, loop) == count


GROUPED = """\
class Grouped(nn.Module):
    def __init__(self, cin, cout, size, groups):
        super().__init__()
        self.groups, self.size = groups, _pair(size)
        self.weight = nn.Parameter(torch.Tensor(cout, cin // groups, *self.size))
        n = cin{per}
        for k in self.size:
            n *= k
        self.weight.data.uniform_(-1 / math.sqrt(n), 1 / math.sqrt(n))

    def forward(self, x):
        return nn.functional.conv2d(x, self.weight, None, 1, 1, 1, self.groups).relu()


net = nn.Sequential(Grouped(64, 64, 3, 32), Grouped(64, 64, 3, 32))
"""


def test_sizes_of_a_kernel_by_torchs_helper(tmp_path):
    assert codes(tmp_path, "INIT202", GROUPED.format(per="")) == 1
    assert codes(tmp_path, "INIT202", GROUPED.format(per=" // groups")) == 0


ACTOR = """\
def hidden_init(layer):
    fan_in = layer.weight.data.size()[{side}]
    limit = 1.0 / math.sqrt(fan_in)
    return -limit, limit


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(33, 400)
        self.two = nn.Linear(404, 300)
        self.three = nn.Linear(300, 1)
        self.one.weight.data.uniform_(*hidden_init(self.one))
        self.two.weight.data.uniform_(*hidden_init(self.two))
        self.three.weight.data.uniform_(-3e-3, 3e-3)

    def forward(self, x, action):
        x = torch.cat((self.one(x).relu(), action), 1)
        return self.three(self.two(x).relu())
"""


def test_a_round_bound_is_proved_by_another_of_its_function(tmp_path):
    # 1/√400 is 0.05, which could be anybody's choice; 1/√300 could not.
    assert codes(tmp_path, "INIT206", ACTOR.format(side=0)) == 1
    assert codes(tmp_path, "INIT206", ACTOR.format(side=1)) == 0


ROTARY = """\
class Rotary(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("inv_freq", 1 / 100 ** (torch.arange(0, 8, 2) / 8), persistent=False)
        self.gate = nn.Linear(8, 8)

    def forward(self, x):
        return self.gate(x * self.inv_freq.repeat(2))

    def init_weights(self):
        nn.init.normal_(self.gate.weight, std=0.02)
        {more}


def build(path):
    with torch.device("meta"):
        net = Rotary()
    net = net.to_empty(device="cpu")
    {filled}
    return net
"""


@pytest.mark.parametrize(
    ("filled", "more", "count"),
    [
        ("net.init_weights()", "pass", 2),
        ("net.init_weights()", "nn.init.zeros_(self.gate.bias)", 1),
        ("net.load_state_dict(torch.load(path))", "pass", 1),
        ("torch.distributed.checkpoint.load(net.state_dict(), checkpoint_id=path)", "pass", 1),
        ("path.restore(net)", "pass", 0),
    ],
)
def test_memory_after_to_empty(tmp_path, filled, more, count):
    assert codes(tmp_path, "INIT001", ROTARY.format(filled=filled, more=more)) == count


def test_values_of_another_process(tmp_path):
    loop = "for t in [*net.parameters(), *net.buffers()]:\n        torch.distributed.{}(t, 0)"
    for function, count in (("broadcast", 0), ("reduce", 2)):
        source = ROTARY.format(filled=loop.format(function), more="pass")
        assert codes(tmp_path, "INIT001", source) == count


ENCODER = """\
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 8)
        {before}
        self.body = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.head = nn.Linear(8, 2)
        {after}

    def fill(self, m):
        if isinstance(m, nn.Linear):
            nn.init.trunc_normal_(m.weight, std=0.02)

    def forward(self, x):
        return self.head(self.body(self.embed(x)))
"""
HEIR = """\
class Heir(Encoder):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 3)
"""


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ("self.apply(self.fill)", "pass", 1),
        ("for m in self.modules(): self.fill(m)", "pass", 1),
        ("pass", "self.apply(self.fill)", 0),
        # What comes afterwards is filled by name.
        ("self.apply(self.fill)", "self.body[0].reset_parameters(); self.apply(self.fill)", 0),
        ("self.embed.apply(self.fill)", "pass", 0),
    ],
)
def test_modules_that_come_after_the_walk(tmp_path, before, after, count):
    encoder = ENCODER.format(before=before, after=after)
    assert codes(tmp_path, "INIT003", encoder) == count


def test_a_heir_may_add_what_it_likes(tmp_path):
    encoder = ENCODER.format(before="pass", after="self.apply(self.fill)")
    assert codes(tmp_path, "INIT003", encoder, HEIR) == 0


@pytest.mark.parametrize(("text", "count"), [("c_proj", 1), ("proj", 0), ("gate", 0)])
def test_a_name_with_one_word_more(tmp_path, text, count):
    block = (
        "class Block(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.up, self.proj = nn.Linear(8, 8), nn.Linear(8, 8)\n\n"
        "    def forward(self, x):\n"
        "        return x + self.proj(self.up(x).relu())\n\n\n"
        "net = nn.Sequential(Block(), Block())\n"
        "for name, p in net.named_parameters():\n"
        f"    if name.endswith('{text}.weight'):\n"
        "        nn.init.normal_(p, std=0.02 / math.sqrt(4))\n"
    )
    assert codes(tmp_path, "INIT003", block) == count


def test_a_message_passing_layer_is_a_module(tmp_path):
    layer = (
        "from torch_geometric.nn import MessagePassing\n"
        "from torch_geometric.nn.inits import glorot\n\n\n"
        "class Conv(MessagePassing):\n"
        "    def __init__(self):\n"
        "        super().__init__(aggr='add')\n"
        "        self.lin = nn.Linear(8, 8)\n"
        "        self.one = nn.Parameter(torch.Tensor(1, 8))\n"
        "        self.two = nn.Parameter(torch.Tensor(1, 8))\n"
        "        {fill}\n\n"
        "    def forward(self, x, edges):\n"
        "        x = self.lin(x)\n"
        "        return self.propagate(edges, x=(x * self.one, x * self.two))\n"
    )
    assert codes(tmp_path, "INIT001", layer.format(fill="glorot(self.one)")) == 1
    both = "glorot(self.one); glorot(self.two)"
    assert codes(tmp_path, "INIT001", layer.format(fill=both)) == 0


TIED = """\
class PreTrainedModel(nn.Module):
    def __init__(self, config=None):
        super().__init__()
        self.config = config

    def post_init(self):
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(std=0.02)
            module.bias.data.zero_()


class Predictions(nn.Module):
    def __init__(self):
        super().__init__()
        self.decoder = nn.Linear(8, 8)
        self.bias = nn.Parameter(torch.zeros(8))

    def forward(self, x):
        return self.decoder(x) + self.bias


class Model(PreTrainedModel):
    {keys}

    def __init__(self, config=None):
        super().__init__(config)
        self.cls = Predictions()
        self.post_init()

    def forward(self, x):
        return self.cls(x)
"""


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ('_tied_weights_keys = {"cls.decoder.bias": "cls.bias"}', 0),
        ('_tied_weights_keys = {"cls.decoder.weight": "other.weight"}', 1),
        ('_tied_weights_keys = ["cls.decoder.weight"]', 1),
        ("_tied_weights_keys = None", 1),
    ],
)
def test_a_hook_fills_what_is_tied(tmp_path, keys, count):
    assert codes(tmp_path, "INIT014", TIED.format(keys=keys)) == count


LOADED = """\
class Backbone(nn.Module):
    def __init__(self, pretrained={default}):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8, 4)
        {first}
        {last}

    def fill(self):
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(m.weight)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))
"""
FILL = "self.fill()"


@pytest.mark.parametrize(
    ("default", "test"),
    [("None", "pretrained"), ("None", "pretrained is not None"), ("False", "pretrained")],
)
def test_a_load_that_is_an_option(tmp_path, default, test):
    load = f"if {test}: self.load_state_dict(torch.load(pretrained))"
    lost = LOADED.format(default=default, first=load, last=FILL)
    kept = LOADED.format(default=default, first=FILL, last=load)
    assert codes(tmp_path, "INIT006", lost) == 1
    assert codes(tmp_path, "INIT006", kept) == 0
    # How the model begins without the option is known all the same.
    assert {layer.current.name for layer in _layers(tmp_path, kept)} == {"kaiming_normal_"}


def _layers(tmp_path, source):
    path = tmp_path / "net.py"
    path.write_text(HEAD + "\n\n" + source)
    return api.check_all([str(path)], api.Options()).layers


@pytest.mark.parametrize(("handed", "count"), [("init(net)", 1), ("init", 0)])
def test_a_function_that_is_called_instead_of_handed_over(tmp_path, handed, count):
    apply = f"net.apply({handed})\n"
    assert codes(tmp_path, "INIT007", _callback("m is None"), LAYERS, apply) == count


@pytest.mark.parametrize(
    ("test", "count"),
    [
        ("type(m) in [nn.Linear, nn.Conv2d]", 1),
        ("isinstance(m, (nn.Linear, nn.Conv2d))", 0),
        ("type(m) in [nn.Linear, nn.Conv2d, Causal]", 0),
    ],
)
def test_one_class_of_two_is_met_as_a_subclass(tmp_path, test, count):
    heir = "class Causal(nn.Conv2d):\n    pass\n"
    layers = LAYERS.replace("nn.Conv2d(3, 8, 3)", "Causal(3, 8, 3)")
    parts = (heir, _callback(test), layers, "net.apply(init)\n")
    assert codes(tmp_path, "INIT003", *parts) == count


RESIZED = """\
    def resize_positions(self, count):
        self.table = nn.Embedding(count, 8)

    def {method}(self, x, count=None):
        {call}
        return self.cls(self.table(x))
"""


@pytest.mark.parametrize("call", ["self.resize_positions(16)", "pass"])
def test_a_hook_misses_nothing_that_comes_after_it(tmp_path, call):
    begin = "        self.cls = Predictions()\n        self.cls.bias = None\n"
    source = TIED.format(keys="pass").replace("        self.cls = Predictions()\n", begin)
    table = "        self.table = nn.Embedding(8, 8)\n        self.post_init()\n"
    source = source.replace("        self.post_init()\n", table)
    hook = (
        "        if isinstance(module, nn.Embedding):\n            nn.init.zeros_(module.weight)\n"
    )
    source = source.replace(
        "            module.bias.data.zero_()\n", f"            module.bias.data.zero_()\n{hook}", 1
    )
    source = source[: source.rindex("    def forward")] + RESIZED.format(
        method="forward", call=call
    )
    assert codes(tmp_path, "INIT014", source) == 0


WRAPPED = """\
from copy import deepcopy


class Mlp(nn.Module):
    def __init__(self, wide):
        super().__init__()
        self.parts = nn.ModuleList()
        if wide:
            self.parts.append(nn.Linear(8, 8))
        else:
            self.parts.append(nn.Linear(8, 8, bias=False))
        self.parts.append(nn.Linear(8, 8))

    def forward(self, x):
        for part in self.parts:
            x = part(x).relu()
        return x


class Complex(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.real, self.imaginary = deepcopy(module), deepcopy(module)

    def forward(self, x):
        return self.real(x.real) - self.imaginary(x.imag)


class Lifted(nn.Module):
    def __init__(self, wide, is_complex):
        super().__init__()
        self.lift = Mlp(wide)
        if is_complex:
            self.lift = Complex(self.lift)

    def forward(self, x):
        return self.lift(x)
"""


def test_what_is_copied_in_one_branch_is_no_stack(tmp_path):
    assert codes(tmp_path, "INIT010", WRAPPED) == 0


SINES = """\
class Sines(nn.Embedding):
    def fresh(self, count):
        self.weight = nn.Parameter(torch.zeros(count, 8), requires_grad=False)

    def forward(self, x):
        if x.shape[0] > self.weight.size(0):
            self.fresh(x.shape[0])
        return super().forward(x)


class Decoder(PreTrainedModel):
    def __init__(self, config=None):
        super().__init__(config)
        self.places = Sines(4, 8)
        self.out = nn.Linear(8, 8)
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(std=0.02)
            module.bias.data.zero_()
        elif isinstance(module, Sines):
            {fill}

    def forward(self, x):
        return self.out(self.places(x))
"""


@pytest.mark.parametrize(("fill", "count"), [("module.weight.data.zero_()", 0), ("pass", 1)])
def test_a_hook_fills_what_forward_replaces(tmp_path, fill, count):
    base = TIED[: TIED.index("class Predictions")]
    assert codes(tmp_path, "INIT014", base, SINES.format(fill=fill)) == count
