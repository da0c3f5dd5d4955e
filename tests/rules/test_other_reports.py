"""Faults that other public reports tell of, each with the code that corrects it."""

import pytest
from judged import found

from initlint import api

HEAD = "import copy\n\nimport torch\nfrom torch import nn\nfrom torchvision import models\n"


def net(body, methods="", base="nn.Module", arguments=""):
    """A model with two layers, more lines in its constructor, and more methods."""
    lines = body.replace("\n", "\n        ")
    more = methods.replace("\n", "\n    ")
    return (
        f"{HEAD}\n\nclass Net({base}):\n    def __init__(self{arguments}):\n"
        "        super().__init__()\n        self.conv = nn.Conv1d(8, 8, 3)\n"
        f"        self.fc = nn.Linear(8, 4)\n        {lines}\n\n    {more}\n\n"
        "    def forward(self, x):\n        return self.fc(self.conv(x).relu().mean(2))\n"
    )


def count(tmp_path, source, code):
    return len(found(tmp_path, source, code))


WALK = "for m in self.modules():\n    if {test}:\n        nn.init.xavier_uniform_(m.weight)"
BOTH = {
    "and for or": "isinstance(m, nn.Linear) and isinstance(m, nn.Conv1d)",
    "in the other order": "isinstance(m, nn.Conv1d) and isinstance(m, nn.Linear)",
    "a third condition": "isinstance(m, nn.Linear) and m.bias is not None "
    "and isinstance(m, nn.BatchNorm1d)",
}
ONE = {
    "or": "isinstance(m, nn.Linear) or isinstance(m, nn.Conv1d)",
    "a class and its base": "isinstance(m, nn.Conv1d) and isinstance(m, nn.Module)",
    "lazy and not": "isinstance(m, nn.Linear) and isinstance(m, nn.LazyLinear)",
    "two things": "isinstance(m, nn.Linear) and isinstance(self.conv, nn.Conv1d)",
    "denied": "isinstance(m, nn.Linear) and not isinstance(m, nn.Conv1d)",
    "two bases": "isinstance(m, nn.modules.conv._ConvNd) and isinstance(m, nn.Conv1d)",
}


@pytest.mark.parametrize("test", BOTH.values(), ids=BOTH)
def test_no_module_is_of_two_classes(test, tmp_path):
    (finding,) = found(tmp_path, net(WALK.format(test=test)), "INIT003")
    assert "no module is of both classes" in finding.message


@pytest.mark.parametrize("test", ONE.values(), ids=ONE)
def test_a_module_may_be_of_two_classes(test, tmp_path):
    findings = found(tmp_path, net(WALK.format(test=test)), "INIT003")
    assert not any("both classes" in finding.message for finding in findings)


CONVS = "nn.Conv1d(8, 8, 1), nn.Conv1d(8, 8, 1)"
CONV = WALK.format(test="isinstance(m, nn.Conv1d)")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (f"self.convs = [{CONVS}]", 1),
        ("self.convs = [nn.Conv1d(8, 8, 1) for _ in range(3)]", 1),
        (f"self.convs = nn.ModuleList([{CONVS}])", 0),
        (f"self.convs = [{CONVS}]\nself.body = nn.Sequential(*self.convs)", 0),
        # One module in a list may be hidden there on purpose.
        ("self.teacher = [nn.Conv1d(8, 8, 1)]", 0),
        (f"self.convs = [{CONVS}]\nfor c in self.convs: nn.init.zeros_(c.weight)", 0),
        (f"self.norms = [{CONVS.replace('Conv1d(8, 8, 1)', 'BatchNorm1d(8)')}]", 0),
    ],
)
def test_a_walk_does_not_see_a_plain_list(made, expected, tmp_path):
    assert count(tmp_path, net(f"{made}\n{CONV}"), "INIT003") == expected


LOOP = "for {target} in self.{walk}():\n    if True:\n        nn.init.zeros_(self.fc.bias)"


@pytest.mark.parametrize(
    ("target", "walk", "expected"),
    [
        ("name, m", "modules", 1),
        ("(n, m)", "children", 1),
        ("n, p", "parameters", 1),
        ("name, m", "named_modules", 0),
        ("n, p", "named_parameters", 0),
        ("m", "modules", 0),
        ("first, *rest", "modules", 0),
    ],
)
def test_a_module_is_no_pair(target, walk, expected, tmp_path):
    source = net(LOOP.format(target=target, walk=walk))
    assert count(tmp_path, source, "INIT007") == expected


def test_a_module_that_gives_its_parts_may_be_a_pair(tmp_path):
    own = "def __iter__(self):\n    return iter((self.conv, self.fc))"
    assert count(tmp_path, net(LOOP.format(target="a, b", walk="modules"), own), "INIT007") == 0


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("xavier_uniform_(self.fc.weight, gain='tanh')", 1),
        ("xavier_normal_(self.fc.weight, 'relu')", 1),
        ("orthogonal_(self.fc.weight, 'relu')", 1),
        ("normal_(self.fc.weight, std='0.02')", 1),
        ("constant_(self.fc.bias, 'zeros')", 1),
        ("xavier_uniform_(self.fc.weight, nn.init.calculate_gain('tanh'))", 0),
        ("kaiming_normal_(self.fc.weight, nonlinearity='relu')", 0),
    ],
)
def test_a_number_is_no_text(call, expected, tmp_path):
    assert count(tmp_path, net(f"nn.init.{call}"), "INIT007") == expected


MEMORY = "self.scale = nn.Parameter(torch.FloatTensor(4))"
FILLS = {
    "all parameters": "for p in self.parameters():\n        p.data.uniform_(-0.1, 0.1)",
    "by name": "nn.init.zeros_(self.scale)",
}


@pytest.mark.parametrize("body", FILLS.values(), ids=FILLS)
def test_memory_that_an_uncalled_method_would_fill(body, tmp_path):
    method = f"def reset_parameters(self):\n    {body}"
    assert count(tmp_path, net(MEMORY, method), "INIT004") == 1
    assert count(tmp_path, net(f"{MEMORY}\nself.reset_parameters()", method), "INIT004") == 0


NAMES = {
    "_init_weights(self)": 1,
    "_lets_init_weights(self)": 1,
    "_init_weights(self, m)": 1,
    "_set_init_weights(self, std)": 0,
    "_make_weights(self)": 0,
    # Others may call what is public.
    "init_weights(self)": 0,
    "lets_init_weights(self)": 0,
}
TRAINED = """

net = Net()
optimiser = torch.optim.SGD(net.parameters(), 0.1)
net(torch.randn(2, 8, 9)).sum().backward()
optimiser.step()
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_method_that_nothing_calls(name, tmp_path):
    source = net(
        "pass", f"def {name}:\n    nn.init.zeros_(self.fc.weight)\n    self.conv.apply(print)"
    )
    assert count(tmp_path, source, "INIT004") == NAMES[name]


def test_a_public_method_of_a_model_that_is_trained(tmp_path):
    method = "def lets_init_weights(self):\n    nn.init.zeros_(self.fc.weight)"
    assert count(tmp_path, net("pass", method) + TRAINED, "INIT004") == 1
    assert count(tmp_path, net("self.lets_init_weights()", method) + TRAINED, "INIT004") == 0


WITHIN = "def init(m):\n    nn.init.zeros_(m.weight)\n"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("", 1),
        ("self.init = True", 1),
        ("self.fc.apply(init)", 0),
        # Whoever has it may call it.
        ("self.init = init", 0),
        ("self.start = locals()", 0),
        # Another start was meant.
        ("nn.init.zeros_(self.fc.weight)", 0),
    ],
)
def test_a_function_that_its_constructor_does_not_name(after, expected, tmp_path):
    assert count(tmp_path, net(WITHIN + after), "INIT004") == expected


def test_a_method_of_a_class_within_a_constructor(tmp_path):
    inner = "class Inner(nn.Linear):\n    def init(self):\n        nn.init.zeros_(self.weight)\n"
    assert count(tmp_path, net(inner + "self.inner = Inner(9, 9)"), "INIT004") == 0


BESIDE = "\n\ndef init_model(model):\n    nn.init.zeros_(model.fc.weight)\n"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (TRAINED, 1),
        ("\nnet = Net()\n" + TRAINED + "\ninit_model(net)", 0),
        (TRAINED + "\nnet.apply(init_model)", 0),
        (TRAINED + "\n__all__ = ['init_model']", 0),
        (TRAINED + "\nSTARTS = {'zero': init_model}", 0),
        # Who trains it is in another file.
        ("", 0),
    ],
)
def test_a_function_beside_a_trained_model(after, expected, tmp_path):
    assert count(tmp_path, net("pass") + BESIDE + after, "INIT004") == expected


def test_a_function_of_the_same_name_in_another_file(tmp_path):
    (tmp_path / "other.py").write_text(BESIDE + "\n\ndef run(model):\n    init_model(model)\n")
    (tmp_path / "net.py").write_text(net("pass") + BESIDE + TRAINED)
    options = api.Options(codes=frozenset({"INIT004"}))
    paths = [str(tmp_path / name) for name in ("net.py", "other.py")]
    assert len(api.check_all(paths, options).findings) == 1


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("pl.LightningModule", 1),
        ("MessagePassing", 1),
        # A framework may call it.
        ("BaseModule", 0),
    ],
)
def test_whose_constructor_calls_no_such_method(base, expected, tmp_path):
    method = "def _init_weights(self):\n    nn.init.zeros_(self.fc.weight)"
    imports = (
        "import pytorch_lightning as pl\nfrom mmengine.model import BaseModule\n"
        "from torch_geometric.nn import MessagePassing\n"
    )
    source = imports + net("pass", method, base)
    assert count(tmp_path, source, "INIT004") == expected


def test_a_helper_of_the_class_fills(tmp_path):
    helper = "def fill(self, layer):\n    nn.init.zeros_(layer.weight)\n\n"
    method = helper + "def _init_layers(self):\n    self.fill(self.fc)"
    assert count(tmp_path, net("pass", method), "INIT004") == 1
    assert count(tmp_path, net("self._init_layers()", method), "INIT004") == 0


@pytest.mark.parametrize(
    ("argument", "body", "expected"),
    [
        ("init_weights=True", "init_weights = False\nif init_weights:\n    self.fill()", 1),
        ("ortho_init=True", "pass", 1),
        ("init_orthogonal=True", "pass", 1),
        ("log_std_init=0.0", "pass", 1),
        ("init_weights=None", "if init_weights is None:\n    init_weights = True", 0),
        ("init_weights=None", "init_weights = init_weights or True\nself.w = init_weights", 0),
        ("init_weights=True", "if init_weights:\n    self.fill()\ninit_weights = False", 0),
    ],
)
def test_an_option_that_changes_nothing(argument, body, expected, tmp_path):
    fill = "def fill(self):\n    nn.init.zeros_(self.fc.weight)"
    assert count(tmp_path, net(body, fill, arguments=f", {argument}"), "INIT011") == expected


TWINS = "self.{one} = nn.Linear(4, 4)\nself.{other} = {made}"
USED = "def forward(self, x):\n    x = self.{one}(x) + self.{other}(x)\n    return x"


@pytest.mark.parametrize(
    ("one", "other", "made", "expected"),
    [
        ("q1", "q2", "copy.deepcopy(self.q1)", 1),
        ("critic", "critic_2", "copy.deepcopy(self.critic)", 1),
        ("q1", "q2", "nn.Linear(4, 4)", 0),
        ("q", "q_target", "copy.deepcopy(self.q)", 0),
        ("online", "momentum", "copy.deepcopy(self.online)", 0),
        ("q1", "q2", "copy.deepcopy(self.q1).requires_grad_(False)", 0),
        ("q1", "q2", "copy.deepcopy(self.q1)\nself.q2.reset_parameters()", 0),
    ],
)
def test_twins_that_begin_alike(one, other, made, expected, tmp_path):
    body = TWINS.format(one=one, other=other, made=made)
    source = net(body).partition("    def forward")[0]
    source += "    " + USED.format(one=one, other=other).replace("\n", "\n    ") + "\n"
    assert count(tmp_path, source, "INIT010") == expected


def test_a_target_that_forward_does_not_use(tmp_path):
    source = net("self.fc2 = copy.deepcopy(self.fc)")
    assert count(tmp_path, source, "INIT010") == 0


FILL = """

def fill(m):
    if isinstance(m, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(m.weight)
{more}

def build():
    net = models.{made}
    net.fc = nn.Linear(512, 10)
    {then}
    return net


build()
"""


@pytest.mark.parametrize(
    ("made", "then", "more", "expected"),
    [
        ("resnet18(pretrained=True)", "net.apply(fill)", "", 1),
        ("resnet18(weights='DEFAULT')", "net.apply(fill)", "", 1),
        ("resnet18()", "net.apply(fill)", "", 0),
        ("resnet18(weights=None)", "net.apply(fill)", "", 0),
        ("resnet18(pretrained=True)", "net.fc.apply(fill)", "", 0),
        ("resnet18(pretrained=True)", "net.layer4.apply(fill)", "", 0),
        ("resnet18(pretrained=True)", "net.apply(print)", "", 0),
        ("resnet18(pretrained=True)", "if torch.rand(1) > 0: net.apply(fill)", "", 0),
    ],
)
def test_a_loaded_model_of_another_package(made, then, more, expected, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(HEAD + FILL.format(made=made, then=then, more=more))
    report = api.check_all([str(path)], api.Options(codes=frozenset({"INIT006"})))
    assert len(report.findings) == expected


GIVEN = "self.emb = nn.Embedding.from_pretrained(vectors{frozen})\n{after}"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("for p in self.parameters():\n    if p.dim() == 2: nn.init.xavier_uniform_(p)", 1),
        (WALK.format(test="isinstance(m, nn.Embedding)"), 1),
        (WALK.format(test="isinstance(m, nn.Linear)"), 0),
        ("self.fc.reset_parameters()", 0),
    ],
)
def test_a_table_that_was_given(after, expected, tmp_path):
    body = GIVEN.format(frozen=", freeze=False", after=after)
    assert count(tmp_path, net(body, arguments=", vectors"), "INIT006") == expected


LOADED = """\
self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(8, 2, 16) for _ in range(2)])
self.head = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
self.load_state_dict(torch.load("x.pt"))
{after}"""


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (WALK.format(test="isinstance(m, nn.Linear)"), 1),
        (WALK.format(test="isinstance(m, nn.Linear)").replace("self.mod", "self.head.mod"), 0),
        (WALK.format(test="isinstance(m, nn.Conv1d)"), 0),
    ],
)
def test_all_layers_of_one_class_are_drawn_again(after, expected, tmp_path):
    assert count(tmp_path, net(LOADED.format(after=after)), "INIT006") == expected


def test_a_constructor_that_asks_what_it_is_handed(tmp_path):
    source = net("pass").replace(
        "class Net",
        "class Base(nn.Module):\n"
        "    def __init__(self, inner):\n        super().__init__()\n"
        "        if hasattr(inner, 'wrapped'):\n            nn.init.zeros_(inner.wrapped)\n"
        "        self.inner = inner\n\n\nclass Net",
    )
    source += (
        "\n\nclass Outer(Base):\n    def __init__(self):\n        super().__init__(Net())\n\n"
        "    def forward(self, x):\n        return self.inner(x)\n"
    )
    assert count(tmp_path, source, "INIT002") == 0


@pytest.mark.parametrize(("text", "expected"), [("c_fc.weight", 1), ("zz.weight", 0)])
def test_a_mark_of_one_letter_before_the_name(text, expected, tmp_path):
    body = (
        "for n, p in self.named_parameters():\n"
        f"    if n.endswith('{text}'): nn.init.normal_(p, std=0.3)"
    )
    assert count(tmp_path, net(body), "INIT003") == expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("str(type(m)) == 'Linear'", 1),
        ("str(m.__class__) == 'Linear'", 1),
        ("str(type(m)) == \"<class 'torch.nn.modules.linear.Linear'>\"", 0),
        ("'Linear' in str(type(m))", 0),
    ],
)
def test_the_text_of_a_class_is_not_its_name(test, expected, tmp_path):
    assert count(tmp_path, net(WALK.format(test=test)), "INIT003") == expected


NAMED = """self.{part} = nn.LSTM(8, 8)
for n, p in self.named_parameters():
    if {test}: p.data.zero_()"""


@pytest.mark.parametrize(
    ("part", "test", "expected"),
    [
        ("decoder_rnn", "'decder_rnn' in n", 1),
        ("classifier", "'classifer' in n", 1),
        ("classifier", "'clasifier' in n", 1),
        # One letter may tell names apart, at their ends above all.
        ("kprojection", "'projection' in n", 0),
        ("embedding", "'embeddings' in n", 0),
        ("encoder", "'decoder' in n", 0),
        ("rnn", "n == 'weight_hh'", 1),
    ],
)
def test_a_name_that_lacks_a_letter(part, test, expected, tmp_path):
    body = NAMED.format(part=part, test=test)
    if "==" in test:
        body = body.replace("self.named", "self.rnn.named")
    assert count(tmp_path, net(body), "INIT003") == expected
