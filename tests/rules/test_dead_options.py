"""INIT011: arguments about weights that nothing reads, and branches that call another scheme."""

import pytest
from judged import found

NET = """\
from torch import nn
from torch.nn import init


class Net(nn.Module):
    def __init__(self, width=8, {argument}):
        super().__init__()
        self.fc = nn.Linear(width, width)
        {body}

    def forward(self, x):
        return self.fc(x)
"""


@pytest.mark.parametrize(
    "argument",
    [
        "zero_init_residual=False",
        "zero_init_last=True",
        "init_type='xavier'",
        "init_std=0.02",
        "weight_init='kaiming'",
        "initializer_range=0.02",
        "bias_init=0.0",
        "*, init_values=1e-5",
    ],
)
def test_an_argument_that_nothing_reads(argument, tmp_path):
    (finding,) = found(tmp_path, NET.format(argument=argument, body="pass"), "INIT011")
    assert finding.site.line == 6 and " is never read" in finding.message


@pytest.mark.parametrize(
    ("argument", "body"),
    [
        ("init_std=0.02", "nn.init.normal_(self.fc.weight, std=init_std)"),
        ("init_std=0.02", "self.init_std = init_std"),
        ("init_type='x'", "self.fill = lambda: init_type"),
        ("init_type='x'", "self.settings = locals()"),
        ("init_type='x'", "self.save_hyperparameters()"),
        ("init_type='x'", "del init_type"),
        ("init_channels=3", "pass"),
        ("init_lr=0.1", "pass"),
        ("initial_state=None", "pass"),
    ],
)
def test_an_argument_that_is_read_or_not_about_weights(argument, body, tmp_path):
    assert found(tmp_path, NET.format(argument=argument, body=body), "INIT011") == ()


def test_a_class_that_is_made_in_the_place_of_another(tmp_path):
    one = NET.format(argument="init_values=None", body="self.scale = init_values")
    other = one.replace("Net", "Other").replace("self.scale = init_values", "pass")
    both = one + "\n\n" + other.split("\n\n\n", 1)[1]
    assert found(tmp_path, both, "INIT011") == ()


BRANCH = "if scheme == {text!r}:\n            {call}"


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("xavier", "init.kaiming_normal_(self.fc.weight)"),
        ("kaiming", "init.xavier_uniform_(self.fc.weight); init.zeros_(self.fc.bias)"),
        ("he_normal", "init.xavier_normal_(self.fc.weight)"),
        ("orthogonal", "init.xavier_normal_(self.fc.weight)"),
        ("xavier_uniform", "init.xavier_normal_(self.fc.weight)"),
        ("uniform", "init.normal_(self.fc.weight)"),
        ("normal", "self.fc.weight.data.uniform_(-0.1, 0.1)"),
        ("glorot", "init.kaiming_normal(self.fc.weight)"),
    ],
)
@pytest.mark.parametrize("default", ["None", "'zeros'"])
def test_a_branch_that_calls_another_scheme(text, call, default, tmp_path):
    body = BRANCH.format(text=text, call=call)
    source = NET.format(argument=f"scheme={default}", body=body)
    (finding,) = found(tmp_path, source, "INIT011")
    assert finding.site.line == 9


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("xavier", "init.xavier_normal_(self.fc.weight)"),
        ("xavier", "init.normal_(self.fc.weight, std=(2 / 16) ** 0.5)"),
        ("kaiming", "init.kaiming_uniform_(self.fc.weight); init.normal_(self.fc.bias)"),
        ("normal", "init.trunc_normal_(self.fc.weight)"),
        ("uniform", "init.kaiming_uniform_(self.fc.weight)"),
        ("xavier", "self.scheme = fill_by_xavier"),
        ("zeros", "init.zeros_(self.fc.weight)"),
        ("abnormal", "init.zeros_(self.fc.weight)"),
        ("train", "init.xavier_normal_(self.fc.weight)"),
        ("msra", "init.kaiming_normal_(self.fc.weight, mode='fan_out')"),
    ],
)
def test_a_branch_that_does_what_it_says(text, call, tmp_path):
    body = BRANCH.format(text=text, call=call)
    assert found(tmp_path, NET.format(argument="scheme=None", body=body), "INIT011") == ()


FUNCTION = """\
from torch import nn


def {name}(m):
    if isinstance(m, nn.Linear):
        nn.init.{call}(m.weight)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.apply({name})

    def forward(self, x):
        return self.fc(x)
"""


@pytest.mark.parametrize(
    ("name", "call", "count"),
    [
        ("weights_init_xavier", "kaiming_normal_", 1),
        ("init_kaiming", "orthogonal_", 1),
        ("weights_init_xavier", "xavier_normal_", 0),
        ("weights_init_kaiming", "kaiming_uniform_", 0),
        ("init_kaiming", "normal_", 0),
        ("xavier_layers", "kaiming_normal_", 0),
        ("init_weights", "kaiming_normal_", 0),
    ],
)
def test_a_function_that_is_named_after_a_scheme(name, call, count, tmp_path):
    assert len(found(tmp_path, FUNCTION.format(name=name, call=call), "INIT011")) == count


def test_a_branch_that_is_not_taken(tmp_path):
    body = (
        "if scheme == 'normal':\n            init.normal_(self.fc.weight)\n"
        "        elif scheme == 'kaiming':\n            init.xavier_normal_(self.fc.weight)"
    )
    source = NET.format(argument="scheme='normal'", body=body)
    (finding,) = found(tmp_path, source, "INIT011")
    assert finding.site.line == 11
