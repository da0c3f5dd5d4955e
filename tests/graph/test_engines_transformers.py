"""torch.nn's transformer layers and stacks: reading and tracing give one record of their parts."""

import pytest
from test_engines import facts

import initlint
from initlint.reading import read
from initlint.tracing.build import build
from initlint.tracing.layers import layers_of

pytestmark = pytest.mark.torch

NET = """\
import torch
import torch.nn.functional as F
from torch import nn


class Layer(nn.TransformerEncoderLayer):
    def __init__(self, width):
        super().__init__(width, 2, 4 * width, norm_first=True)
        self.scale = nn.Parameter(torch.ones(width) * 0.1)

    def forward(self, x, src_mask=None, src_key_padding_mask=None, is_causal=False):
        x = x + self.scale * self._sa_block(self.norm1(x), src_mask, src_key_padding_mask)
        return x + self._ff_block(self.norm2(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {made}
        self.out = nn.Linear(8, 2)
        {treated}

    def forward(self, x):
        {called}
        return self.out(x)
"""
LAYER = "layer = nn.TransformerEncoderLayer({})"
STACK = "self.body = nn.TransformerEncoder(layer, {})"
FORMS = {
    "a layer": ["self.body = nn.TransformerEncoderLayer(8, 2, 16)"],
    "norm first": [LAYER.format("8, 2, 16, norm_first=True"), STACK.format("2, nn.LayerNorm(8)")],
    "gelu": [LAYER.format('8, 2, activation="gelu", batch_first=True'), STACK.format("3")],
    "a function": [
        LAYER.format("d_model=8, nhead=2, activation=F.silu"),
        STACK.format("num_layers=2"),
    ],
    "a module": [LAYER.format("8, 2, 16, activation=nn.ReLU(), bias=False"), STACK.format("2")],
    "a subclass": ["layer = Layer(8)", STACK.format("2, enable_nested_tensor=False")],
    "no stack": [
        "self.body = nn.Sequential(*[nn.TransformerEncoderLayer(8, 2, 16) for _ in range(2)])"
    ],
}
TREATED = {
    "as torch draws them": "pass",
    "xavier": "[nn.init.xavier_uniform_(p) for p in self.parameters() if p.dim() > 1]",
}


def both(source, tmp_path):
    """The records of the net, by reading its file and by building it."""
    path = tmp_path / "net.py"
    path.write_text(source)
    mine = [layer for layer in read([str(path)]).layers if "body" in layer.layer]
    theirs = [layer for layer in layers_of(build(f"{path}:Net")) if "body" in layer.layer]
    return mine, theirs


@pytest.mark.parametrize("treated", TREATED.values(), ids=TREATED)
@pytest.mark.parametrize("made", FORMS.values(), ids=FORMS)
def test_both_engines_see_the_parts_of_an_encoder(made, treated, tmp_path):
    lines = "\n        ".join(made)
    source = NET.format(made=lines, treated=treated, called="x = self.body(x)")
    mine, theirs = both(source, tmp_path)
    assert len(mine) >= 4
    assert [facts(layer) for layer in mine] == [facts(layer) for layer in theirs]


DECODERS = {
    "a stack": (
        "self.body = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2)",
        "x = self.body(x, x)",
    ),
    "a layer, norm first": (
        "self.body = nn.TransformerDecoderLayer(8, 2, 16, norm_first=True)",
        "x = self.body(tgt=x, memory=x)",
    ),
    "both": ("self.body = nn.Transformer(8, 2, 2, 2, 16)", "x = self.body(x, x)"),
    "by name": (
        "self.body = nn.Transformer(d_model=8, nhead=2, num_encoder_layers=1, "
        'num_decoder_layers=1, activation="gelu")',
        "x = self.body(src=x, tgt=x)",
    ),
}


@pytest.mark.parametrize(("made", "called"), DECODERS.values(), ids=DECODERS)
def test_both_engines_see_the_parts_of_a_decoder(made, called, tmp_path):
    mine, theirs = both(NET.format(made=made, treated="pass", called=called), tmp_path)
    assert len(mine) >= 6
    assert [facts(layer) for layer in mine] == [facts(layer) for layer in theirs]


def test_a_stack_of_unknown_length_is_followed_too(tmp_path):
    made = [LAYER.format("8, 2, 16"), STACK.format("torch.seed() % 7")]
    path = tmp_path / "net.py"
    lines = "\n        ".join(made)
    path.write_text(NET.format(made=lines, treated="pass", called="x = self.body(x)"))
    last = read([str(path)]).layers[-1]
    assert (last.parameter, last.following.via) == ("out.weight", ("prenorm",))


@pytest.mark.parametrize("count", ["3", "torch.seed() % 7"])
def test_a_whole_transformer_draws_all_its_layers_again(count, tmp_path):
    path = tmp_path / "net.py"
    made = f"self.body = nn.Transformer(8, 2, {count}, 2, 16)"
    path.write_text(NET.format(made=made, treated="pass", called="x = self.body(x, x)"))
    assert [finding.code for finding in initlint.check(str(path)).findings] == []


def test_equal_layers_of_a_stack_are_a_finding_of_both_engines(tmp_path):
    made = [LAYER.format("8, 2, 16"), STACK.format("2")]
    path = tmp_path / "net.py"
    lines = "\n        ".join(made)
    path.write_text(NET.format(made=lines, treated="pass", called="x = self.body(x)"))
    for target in (str(path), f"{path}:Net"):
        codes = [finding.code for finding in initlint.check(target).findings]
        assert codes == ["INIT010"], target
