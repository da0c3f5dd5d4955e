"""INIT019 and INIT020: rows for padding that are drawn again, and arguments in the place of eps."""

import pytest
from judged import found, lines

ENGINES = [
    pytest.param(False, id="read"),
    pytest.param(True, id="traced", marks=pytest.mark.torch),
]

TEXT = """\
import torch
from torch import nn


def fill(module):
    if isinstance(module, nn.Embedding):
        module.weight.data.normal_(mean=0.0, std=0.02)
        {restore}


class Net(nn.Module):
    def __init__(self, size=100, pad=1):
        super().__init__()
        self.table = nn.Embedding({arguments})
        self.head = nn.Linear(8, 2)
        {call}

    def forward(self, tokens):
        return self.head(self.table(tokens).sum(1))
"""
GIVEN = "size, 8, padding_idx=pad"


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    "call",
    [
        "self.apply(fill)",
        "nn.init.normal_(self.table.weight, std=8**-0.5)",
        "nn.init.uniform_(self.table.weight, -0.1, 0.1)",
        "self.table.weight.data.uniform_(-1, 1)",
        "for p in self.parameters():\n            nn.init.uniform_(p, -0.1, 0.1)",
        "self.table.weight.data[pad].zero_(); nn.init.normal_(self.table.weight)",
    ],
)
def test_the_row_for_padding_is_drawn(call, trace, tmp_path):
    source = TEXT.format(restore="pass", arguments=GIVEN, call=call)
    (finding,) = found(tmp_path, source, "INIT019", trace)
    assert finding.parameter == "table.weight"


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    "restore",
    [
        "if module.padding_idx is not None: module.weight.data[module.padding_idx].zero_()",
        "nn.init.zeros_(module.weight[module.padding_idx])",
        "module.weight.data[1] = 0",
        "with torch.no_grad(): module.weight[module.padding_idx].fill_(0)",
        "nn.init.constant_(module.weight.data[1:2], 0.0)",
        "module._fill_padding_idx_with_zero()",
        "module.reset_parameters()",
        "nn.init.zeros_(module.weight)",
    ],
)
def test_the_row_is_zero_again(restore, trace, tmp_path):
    source = TEXT.format(restore=restore, arguments=GIVEN, call="self.apply(fill)")
    assert found(tmp_path, source, "INIT019", trace) == ()


@pytest.mark.parametrize("arguments", ["size, 8", "size, 8, None", "size, 8, max_norm=1.0"])
def test_no_row_for_padding(arguments, tmp_path):
    source = TEXT.format(restore="pass", arguments=arguments, call="self.apply(fill)")
    assert found(tmp_path, source, "INIT019") == ()


@pytest.mark.parametrize(
    ("pad", "count"), [("pad", 1), ("pad=None", 0), ("pad=0", 1), ("config", 0)]
)
def test_an_index_that_is_given_is_no_none(pad, count, tmp_path):
    source = TEXT.format(restore="pass", arguments=GIVEN, call="self.apply(fill)")
    source = source.replace("self, size=100, pad=1", f"self, {pad}, size=100")
    source = source.replace("=pad)", "=config.pad)") if pad == "config" else source
    assert len(found(tmp_path, source, "INIT019")) == count


def test_code_that_is_not_read_may_set_the_row_to_zero(tmp_path):
    call = "self.apply(fill)\n        import away\n        away.mend(self.table)"
    source = TEXT.format(restore="pass", arguments=GIVEN, call=call)
    assert found(tmp_path, source, "INIT019") == ()


NORM = """\
from torch import nn

BN_MOMENTUM = 0.01


class Net(nn.Module):
    def __init__(self, width=32, momentum=0.99):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.norm = {norm}

    def forward(self, x):
        return self.norm(self.conv(x))
"""


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    "norm",
    [
        "nn.BatchNorm2d(width, 0.8)",
        "nn.BatchNorm2d(width, momentum)",
        "nn.BatchNorm2d(width, BN_MOMENTUM)",
        "nn.BatchNorm2d(width, True)",
        "nn.BatchNorm2d(width, False)",
        "nn.BatchNorm2d(width, width)",
        "nn.GroupNorm(4, width, width)",
        "nn.InstanceNorm2d(width, 0.9, affine=True)",
        "nn.BatchNorm2d(width, 0.9, affine=False)",
    ],
)
def test_something_else_in_the_place_of_eps(norm, trace, tmp_path):
    source = NORM.format(norm=norm)
    assert lines(tmp_path, source, "INIT020", trace) == {f"self.norm = {norm}"}


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    "norm",
    [
        "nn.BatchNorm2d(width)",
        "nn.BatchNorm2d(width, 1e-3)",
        "nn.BatchNorm2d(width, 1e-5, 0.9)",
        "nn.BatchNorm2d(width, eps=0.5)",
        "nn.BatchNorm2d(width, momentum=0.9)",
        "nn.GroupNorm(4, width)",
        "nn.GroupNorm(4, width, 1e-6)",
        "nn.SyncBatchNorm(width, eps=0.2, momentum=0.8)",
    ],
)
def test_an_eps_that_is_one(norm, trace, tmp_path):
    assert found(tmp_path, NORM.format(norm=norm), "INIT020", trace) == ()


def test_the_number_of_features_for_every_width(tmp_path):
    source = NORM.replace("width=32", "width").format(norm="nn.BatchNorm2d(width, width)")
    assert "its number of features" in found(tmp_path, source, "INIT020")[0].message


def test_a_norm_of_the_users_own_passes_its_eps_on(tmp_path):
    own = "class Own(nn.LayerNorm):\n    def __init__(self, width, eps=1e-6):\n"
    own += "        super().__init__(width, {eps})\n\n\n"
    source = NORM.replace("class Net", own + "class Net")
    for eps, count in (("eps", 0), ("width", 1), ("True", 1)):
        text = source.format(norm="Own(width)", eps=eps)
        assert bool(found(tmp_path, text, "INIT020")) == bool(count)


def test_a_table_of_ones_is_one_of_factors(tmp_path):
    source = TEXT.format(restore="pass", arguments=GIVEN, call="nn.init.ones_(self.table.weight)")
    assert found(tmp_path, source, "INIT019") == ()
