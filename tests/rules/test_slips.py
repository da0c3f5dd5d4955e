"""Slips of released code, each with the code that is right: wrong names, arguments and calls."""

import textwrap

import pytest
from judged import found

from initlint import api

HEAD = "import copy\nimport math\n\nimport torch\nfrom torch import nn\n\n"
NET = """

class Net(nn.Module):
    def __init__(self{arguments}):
        super().__init__()
        self.table = nn.Embedding(40, 16)
        self.body = nn.Linear(16, 32)
        self.encoder = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 8))
        self.decoder = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 8))
        self.attend = nn.Parameter(torch.zeros(8))
{body}
{methods}
    def forward(self, x):
        x = self.body(self.table(x)).tanh()
        return (self.encoder(x) + self.decoder(x)) * self.attend
"""


def count(tmp_path, code, body="", methods="", arguments="", before=""):
    """How often a rule reports a model with these lines in its constructor, and these methods."""
    net = NET.format(
        arguments=arguments,
        body=textwrap.indent(body, " " * 8),
        methods=textwrap.indent(methods, " " * 4),
    )
    return len(found(tmp_path, HEAD + before + net, code))


READS = """
def fill(layer, gain=1.0):
    nn.init.orthogonal_(layer.weight, gain)
"""
ASKS = """
def msra_fill(layer):
    if isinstance(layer, (nn.Linear, nn.Conv2d)):
        nn.init.xavier_uniform_(layer.weight)
"""


def test_a_helper_for_layers_is_handed_a_tensor(tmp_path):
    for argument, wrong in (
        ("self.body.weight", 1),
        ("self.body.weight.data", 1),
        ("self.body", 0),
    ):
        assert count(tmp_path, "INIT007", f"fill({argument})", before=READS) == wrong
    for argument, wrong in (("self.body.weight", 1), ("self.body", 0)):
        assert count(tmp_path, "INIT002", f"msra_fill({argument})", before=ASKS) == wrong


def test_an_attribute_of_a_tensor_that_somebody_asks_for_first(tmp_path):
    helper = READS.replace("nn.init", "if hasattr(layer, 'weight'):\n        nn.init")
    assert count(tmp_path, "INIT007", "fill(self.body.weight)", before=helper) == 0


NAMED = (
    "for name in ({}):\n    if hasattr(self, name):\n        nn.init.normal_(getattr(self, name))"
)


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        ("'attends',", 1),
        ("'atend',", 0),  # The letter that is left out may tell short names apart.
        ("'attend',", 0),
        ("'query', 'attend'", 0),
        ("'query',", 0),
    ],
)
def test_hasattr_of_the_module_itself(names, wrong, tmp_path):
    assert count(tmp_path, "INIT003", NAMED.format(names)) == wrong


@pytest.mark.parametrize(
    ("name", "wrong"), [("weights", 1), ("wieght", 1), ("weight", 0), ("w", 0)]
)
def test_hasattr_of_layers(name, wrong, tmp_path):
    walk = (
        f"for m in self.encoder:\n    if hasattr(m, '{name}'):\n        nn.init.normal_(m.{name})"
    )
    assert count(tmp_path, "INIT003", walk) == wrong


@pytest.mark.parametrize(
    ("classes", "wrong"),
    [
        ("'Linear'", 1),
        ("('Conv2d', 'Linear')", 1),
        ("(nn.Embedding, 'Linear')", 1),
        ("(nn.Linear, 'Linear')", 0),
        ("nn.Linear", 0),
    ],
)
def test_isinstance_takes_no_text(classes, wrong, tmp_path):
    line = f"if isinstance(self.body, {classes}):\n    nn.init.zeros_(self.body.bias)"
    assert count(tmp_path, "INIT007", line) == wrong


METHODS = """
def init_biases(self):
    for layer in self.encoder:
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)
"""


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        ("self.apply(Net.init_biases)", 1),
        ("Net.init_biases(self)", 0),
        ("self.init_biases()", 0),
        ("for m in self.modules():\n    if isinstance(m, Net):\n        Net.init_biases(m)", 0),
    ],
)
def test_apply_of_a_method_that_is_for_the_whole_model(call, wrong, tmp_path):
    assert bool(count(tmp_path, "INIT007", call, METHODS)) == wrong


@pytest.mark.parametrize(
    ("part", "wrong"),
    [("self.bodies", 1), ("self.body", 0), ("getattr(self, 'bodies', self.body)", 0)],
)
def test_a_reset_of_a_part_that_is_not_there(part, wrong, tmp_path):
    method = f"\ndef reset_parameters(self):\n    {part}.reset_parameters()\n"
    assert count(tmp_path, "INIT007", "self.reset_parameters()", method) == wrong


@pytest.mark.parametrize(
    ("target", "wrong"),
    [("table.weights", 1), ("body.biases", 1), ("table.weight", 0), ("body.scale", 0)],
)
def test_a_parameter_under_the_plural_of_its_name(target, wrong, tmp_path):
    line = f"self.{target} = nn.Parameter(torch.randn(40, 16))"
    assert count(tmp_path, "INIT002", line) == wrong


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("torch.log(self.attend.abs())", 1),
        ("self.attend.data.exp()", 1),
        ("torch.sigmoid(self.attend)", 1),
        ("self.attend.data.exp_()", 0),
        ("print(torch.log(self.attend.abs()))", 0),
    ],
)
def test_a_new_tensor_that_nothing_keeps(line, wrong, tmp_path):
    assert count(tmp_path, "INIT002", f"with torch.no_grad():\n    {line}") == wrong


FILL = """
def fill(m):
    if isinstance(m, nn.Linear):
        nn.init.xavier_normal_(m.weight)
"""


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        (("encoder", "encoder"), 1),
        (("encoder", "decoder"), 0),
        (("decoder", "encoder", "encoder"), 0),
        (("encoder",), 0),
    ],
)
def test_a_walk_through_one_part_twice(parts, wrong, tmp_path):
    body = "\n".join(f"self.{part}.apply(fill)" for part in parts)
    assert count(tmp_path, "INIT002", body, before=FILL) == wrong


def test_a_walk_twice_beside_a_part_of_other_layers(tmp_path):
    walks = "self.encoder.apply(fill)\nself.encoder.apply(fill)"
    body = f"self.decoder = nn.Sequential(nn.Linear(32, 8))\n{walks}"
    assert count(tmp_path, "INIT002", body, before=FILL) == 0


RESETS = "for m in self.modules():\n    if isinstance(m, nn.Linear):\n        m.reset_parameters()"


def test_a_walk_that_resets(tmp_path):
    special = "self.encoder[2].bias.data.fill_(-4.6)"
    assert count(tmp_path, "INIT005", f"{special}\n{RESETS}") == 1
    assert count(tmp_path, "INIT005", f"{RESETS}\n{special}") == 0


@pytest.mark.parametrize("name", ["gate_init_std", "prior_prob", "head_init_scale", "init_std"])
def test_more_names_of_options(name, tmp_path):
    assert count(tmp_path, "INIT011", arguments=f", {name}=0.01") == 1
    used = f"nn.init.normal_(self.body.weight, std={name})"
    assert count(tmp_path, "INIT011", used, arguments=f", {name}=0.01") == 0


HANDED = """
def init_weights(self, init_type, gain):
    for m in self.encoder:
        if isinstance(m, nn.Linear):
            {line}
"""
CALL = "self.init_weights(init_type, 0.5)"


def test_an_option_that_is_only_handed_on(tmp_path):
    def told(line, body=CALL):
        method = HANDED.format(line=line)
        return count(tmp_path, "INIT011", body, method, arguments=", init_type='normal'")

    ignoring = "nn.init.normal_(m.weight, std=gain)"
    assert told(ignoring) == 1
    assert told(f"{ignoring} if init_type == 'normal' else None") == 0
    assert told(ignoring, f"{CALL}\nself.kind = init_type") == 0


TABLE = """
def fill(tensor, how):
    {{"xavier_uniform": nn.init.xavier_uniform_, "kaiming_normal": nn.init.{name}}}[how](tensor)
"""


@pytest.mark.parametrize(
    ("name", "wrong"), [("xavier_normal_", 1), ("kaiming_uniform_", 1), ("kaiming_normal_", 0)]
)
def test_an_entry_of_a_table_of_schemes(name, wrong, tmp_path):
    before = TABLE.format(name=name)
    assert (
        count(tmp_path, "INIT011", "fill(self.body.weight, 'kaiming_normal')", before=before)
        == wrong
    )


GRU = """
class Cell(nn.Module):
    def __init__(self, width=8, hidden=16):
        super().__init__()
        self.w = nn.Parameter(torch.Tensor(width, {gates} * hidden))
        self.u = nn.Parameter(torch.Tensor(hidden, {gates} * hidden))
        bound = 1 / math.sqrt({size})
        for p in self.parameters():
            p.data.uniform_(-bound, bound)

    def forward(self, x, h):
        return torch.sigmoid(x @ self.w + h @ self.u)
"""


@pytest.mark.parametrize("gates", [3, 4])
def test_the_bound_of_torchs_recurrent_layers(gates, tmp_path):
    """With three gates the std of 1/√hidden is 1/√fan_out by chance."""
    right = found(tmp_path, HEAD + GRU.format(gates=gates, size="hidden"), "INIT206")
    wrong = found(tmp_path, HEAD + GRU.format(gates=gates, size=f"{gates} * hidden"), "INIT206")
    assert (len(right), bool(wrong)) == (0, True)


def test_a_part_that_is_only_known_when_the_code_runs(tmp_path):
    walk = (
        "for m in self.modules():\n    if isinstance(m, nn.GroupNorm):\n"
        "        nn.init.constant_(m.weight, 0.5)"
    )
    assert count(tmp_path, "INIT003", walk) == 1
    other = "from norms import NORMS\n"
    methods = "\ndef head(self, x):\n    return self.norm(x)\n"
    body = f"self.norm = NORMS['gn'](8)\n{walk}"
    assert count(tmp_path, "INIT003", body, methods, before=other) == 0


@pytest.mark.torch
@pytest.mark.parametrize(("gain", "wrong"), [("'relu'", 1), ("nn.init.calculate_gain('relu')", 0)])
def test_a_gain_that_no_draw_on_the_meta_device_looks_at(gain, wrong, tmp_path):
    source = NET.format(
        arguments="", body=f"        nn.init.orthogonal_(self.body.weight, {gain})", methods=""
    )
    assert len(found(tmp_path, HEAD + source, "INIT007", trace=True)) == wrong


OWN_ATTRIBUTE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(8, 8, 3)
        self.a.weights = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.a(x) * self.a.weights.sum()
"""


def test_an_attribute_of_ones_own_that_is_read_is_no_slip(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(OWN_ATTRIBUTE)
    assert not api.check(str(path), select=["INIT002"]).findings
