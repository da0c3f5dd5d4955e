"""INIT305: last layers whose results are loud, wherever the scale of their input is known."""

import textwrap

import pytest

import initlint
from initlint.judge import first_loss

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(100, 64)
            self.norm, self.body = nn.LayerNorm(64), nn.Linear(64, 64)
            self.head = nn.Linear(64, 100, bias=False)
            {fill}

        def forward(self, ids):
            x = self.norm(self.body(self.embed(ids)))
            return {result}
"""
TIED = "self.head.weight = self.embed.weight"
DRAWN = "nn.init.normal_(self.head.weight)"
LOUD = {
    "a tied head": (TIED, "self.head(x)"),
    "a normal draw": (DRAWN, "self.head(x)"),
    "a mean": ("nn.init.uniform_(self.head.weight)", "self.head(x)"),
    "probabilities": (DRAWN, "self.head(x).softmax(-1)"),
    "the logarithms of probabilities": (DRAWN, "F.log_softmax(self.head(x), -1)"),
    "a sigmoid of the model's own": (DRAWN, "torch.sigmoid(self.head(x))"),
    "a policy's tanh": (DRAWN, "self.head(x).tanh()"),
    "a part of the result": (DRAWN, "self.head(x)[:, -1]"),
    "one of two results": (DRAWN, "(self.head(x), x)"),
    "a table used as a matrix": ("pass", "F.linear(x, self.embed.weight)"),
}


@pytest.mark.parametrize(("fill", "result"), LOUD.values(), ids=LOUD)
def test_it_is_reported(judge, fill, result):
    found = judge(NET.format(fill=fill, result=result))
    (finding,) = found.findings
    assert finding.code == "INIT305"
    # A tied head is filled where its embedding is.
    assert (finding.fix is not None) == ("nn.init" in fill)
    assert "gives results of rms" in finding.message and len(finding.message) <= 160
    is_saturated = "sigmoid" in result or "tanh" in result
    assert ("lets hardly any gradient through" in finding.message) == is_saturated


NAMED = """
    class Net(nn.Module):
        def __init__(self, words, width{default}):
            super().__init__()
            self.embed, self.norm = nn.Embedding(words, width), nn.LayerNorm(width)
            self.head = nn.Linear(width, words, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, ids):
            return self.head(self.norm(self.embed(ids)))
"""


@pytest.mark.parametrize("default", ["", "=512"])
def test_sizes_that_are_names_give_no_numbers(default):
    (finding,) = initlint.check(HEAD + textwrap.dedent(NAMED.format(default=default))).findings
    assert finding.message == (
        "embed gives results whose rms grows with √width; a std of 1/√width gives rms 1 "
        "(`initlint rule INIT305`)"
    )
    assert finding.unfixed == "an embedding shares this weight, and may need its scale"


def test_the_std_that_is_wanted_is_named(judge):
    (finding,) = judge(NET.format(fill=TIED, result="self.head(x)")).findings
    assert "of rms 8: as 100 logits" in finding.message
    assert "a std of 0.125 gives rms 1" in finding.message


@pytest.mark.parametrize(
    "result", ["self.head(x)", "self.head(x).tanh()", "self.head(x).softmax(1)"]
)
@pytest.mark.parametrize("fill", [DRAWN, "nn.init.uniform_(self.head.weight)"])
def test_the_unsafe_fix_quiets_it(fill, result):
    source = HEAD + textwrap.dedent(NET.format(fill=fill, result=result))
    assert not initlint.fix(source).count
    fixed = initlint.fix(source, unsafe=True)
    assert fixed.count == 1 and not initlint.check(fixed.source).findings


QUIET = {
    "the default": ("pass", "self.head(x)"),
    "a small table": (f"{TIED}; nn.init.normal_(self.embed.weight, std=0.02)", "self.head(x)"),
    "a scaled result": (DRAWN, "self.head(x) * 0.01"),
    "a scaled input": (DRAWN, "self.head(x * 0.01)"),
    "a table that is looked up": ("pass", "self.head(x) + self.embed(ids)[..., :1]"),
    "a norm behind it": (DRAWN, "F.layer_norm(self.head(x), (100,))"),
    "an input of unknown scale": (DRAWN, "self.head(torch.special.erfcx(x))"),
    "a small head before a sigmoid": (f"{DRAWN[:-1]}, std=0.1)", "self.head(x).sigmoid()"),
    "a gate": (DRAWN, "self.head(x).sigmoid() * self.head(x)"),
}


@pytest.mark.parametrize(("fill", "result"), QUIET.values(), ids=QUIET)
def test_it_is_not_reported(judge, fill, result):
    assert judge(NET.format(fill=fill, result=result)).findings == ()


def test_layers_before_it_are_taken_for_right(judge):
    """What other rules report of them is not reported again, and not counted into the advice."""
    source = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)
                self.head = nn.Linear(64, 10)
                nn.init.normal_(self.b.weight, std=5.0)
                nn.init.normal_(self.head.weight, std={std})

            def forward(self, x):
                return self.head(self.b(self.a(x).relu()).relu())
    """
    assert judge(source.format(std=0.4)).codes == {"b.weight": "INIT106"}
    found = judge(source.format(std=2.0))
    assert found.codes == {"b.weight": "INIT106", "head.weight": "INIT305"}
    (said,) = [f.message for f in found.findings if f.code == "INIT305"]
    assert float(said.partition("of rms ")[2].partition(":")[0]) < 20


def test_the_scale_of_embeddings_is_known(judge):
    """Without a norm, a table of N(0, 1) and two default layers: 64**0.5 / 3 is less than 4."""
    body = NET.replace("self.norm(self.body(self.embed(ids)))", "self.body(self.embed(ids))")
    (finding,) = judge(body.format(fill=TIED, result="self.head(x)")).findings
    assert "results of rms 4.6" in finding.message or "results of rms 4.7" in finding.message


@pytest.mark.parametrize(
    ("rms", "classes", "loss"),
    # From a million draws, with NumPy.
    [(4.0, 2, 2.373), (7.54, 2, 4.306), (1.0, 10, 2.729), (30.0, 10, 46.1), (4.0, 1000, 13.97)],
)
def test_the_first_loss_is_that_of_independent_normal_logits(rms, classes, loss):
    assert first_loss(rms, classes) == pytest.approx(loss, rel=0.01)


@pytest.mark.parametrize("units", [2, 100])
def test_the_message_names_the_loss_of_so_many_classes(judge, units):
    source = NET.format(fill=DRAWN, result="self.head(x)").replace(
        "nn.Linear(64, 100,", f"nn.Linear(64, {units},"
    )
    (finding,) = judge(source).findings
    assert f": as {units} logits, the first loss is " in finding.message
    said = float(finding.message.split("loss is ")[1].split()[0])
    assert said == pytest.approx(first_loss(8.0, units), rel=0.05)


def test_one_result_is_no_class(judge):
    source = NET.format(fill=DRAWN, result="self.head(x)").replace(
        "nn.Linear(64, 100,", "nn.Linear(64, 1,"
    )
    (finding,) = judge(source).findings
    assert "loss" not in finding.message
