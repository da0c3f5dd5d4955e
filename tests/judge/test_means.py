"""An initialiser whose mean is not zero is judged by its root mean square, and strictly."""

import json
import math
import re

import pytest
import torch
from torch import nn

import initlint
from initlint.output import json as json_format
from initlint.recommend import has_mean, magnitude
from initlint.records import Initializer

NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.out = nn.Linear(64, 64), nn.Linear(64, 10)
            w = self.a.weight
            {fill}
        def forward(self, x):
            return self.out(self.a(x).relu())
"""
# What is written, the mean and the std that it leaves.
FILLS = {
    "nn.init.uniform_(w)": (0.5, 1 / math.sqrt(12)),
    "nn.init.normal_(w, 0.5, 0.17)": (0.5, 0.17),
    "nn.init.normal_(w, mean=-0.5, std=0.17)": (-0.5, 0.17),
    "nn.init.uniform_(w, 0, 0.02)": (0.01, 0.02 / math.sqrt(12)),
    "nn.init.constant_(w, 0.5)": (0.5, 0.0),
    "nn.init.ones_(w)": (1.0, 0.0),
    "w.data.uniform_(0.4, 0.6)": (0.5, 0.2 / math.sqrt(12)),
    "w.data.fill_(0.5)": (0.5, 0.0),
    "w.data.normal_(0.4, 0.17)": (0.4, 0.17),
    "nn.init.trunc_normal_(w, mean=0.5, std=0.17)": (0.5, 0.17),
    "w.data.uniform_(0, 1).sub_(0.1)": (0.4, 1 / math.sqrt(12)),
    "nn.init.kaiming_normal_(w, nonlinearity='relu'); w.data.add_(0.5)": (0.5, math.sqrt(2 / 64)),
    "nn.init.kaiming_normal_(w, nonlinearity='relu'); w.data += 0.5": (0.5, math.sqrt(2 / 64)),
    "w.data.add_(0.5)": (0.5, 1 / math.sqrt(3 * 64)),
}


@pytest.mark.parametrize(("fill", "moments"), FILLS.items(), ids=FILLS)
def test_it_is_reported_with_its_mean(judge, fill, moments):
    found = judge(NET.format(fill=fill))
    current = found.layers["a.weight"].current
    assert (current.mean, current.std) == pytest.approx(moments, abs=1e-9)
    (finding,) = found.findings
    assert finding.fix.applicability == "unsafe"
    if moments[1] == 0:
        # One number in all elements is worse than a scale: its units are copies of one.
        assert found.codes == {"a.weight": "INIT009"} and f"{moments[0]:g}: its" in finding.message
        return
    assert found.codes == {"a.weight": "INIT106"}
    said = re.escape(f"gets the mean {moments[0]:.3g} and std {moments[1]:.3g} from ")
    assert re.search(rf"{said}\w+ in line \d+ before relu: \d[\d.]*×", finding.message)


# Symmetric ones, in whatever way they are written, and those in which a mean is no sum.
SILENT = {
    "nn.init.uniform_(w, -0.3, 0.3)": 0.0,
    "nn.init.normal_(w, 0.0, 0.17)": 0.0,
    "w.data.uniform_(0, 0.6).sub_(0.3)": 0.0,
    "w.data.uniform_(0, 0.6).add_(-0.3)": 0.0,
    "nn.init.uniform_(w, 0, 0.6); w.data -= 0.3": 0.0,
    "nn.init.uniform_(w, 0, 0.6); w.data.add_(0.3, alpha=-1)": 0.0,
    "nn.init.zeros_(w)": 0.0,
    "nn.init.eye_(w)": 1 / 64,
    "nn.init.kaiming_normal_(w, nonlinearity='relu'); w.data.add_(1e-4)": 1e-4,
}


@pytest.mark.parametrize(("fill", "mean"), SILENT.items(), ids=SILENT)
def test_where_there_is_none_nothing_changes(judge, fill, mean):
    found = judge(NET.format(fill=fill))
    assert found.layers["a.weight"].current.mean == pytest.approx(mean)
    assert found.codes == {}


UNCLEAR = [
    "nn.init.uniform_(w, 0, 0.6); w.data.sub_(torch.full((64, 64), 0.3))",
    "nn.init.uniform_(w, 0, 0.6); w.data -= w.data.mean()",
]


@pytest.mark.parametrize("fill", UNCLEAR)
def test_what_is_added_may_take_the_mean_away(judge, fill):
    assert judge(NET.format(fill=fill)).codes == {}


def test_a_bare_parameter(judge):
    found = judge(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w, self.out = nn.Parameter(torch.rand(64, 64)), nn.Linear(64, 10)
            def forward(self, x):
                return self.out(torch.relu(x @ self.w))
        """
    )
    assert found.codes == {"w": "INIT106"}


def test_a_choice_without_a_mean_keeps_its_freedom(judge):
    assert judge(NET.format(fill="nn.init.normal_(w, std=0.5)")).codes == {}
    found = judge(NET.format(fill="nn.init.normal_(w, mean=0.4, std=0.3)"))
    assert found.codes == {"a.weight": "INIT106"}


def test_of_a_live_model_the_mean_is_measured():
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.uniform_(model[0].weight)
    first, _ = (report := initlint.check(model)).layers
    assert first.current.mean == pytest.approx(0.5, abs=0.02)
    assert [(finding.code, finding.layer) for finding in report.findings] == [("INIT106", "0")]


@pytest.mark.parametrize("size", [4, 64, 500])
def test_chance_is_no_mean(size):
    for seed in range(20):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, 4))
        nn.init.kaiming_normal_(model[0].weight, nonlinearity="relu")
        assert initlint.check(model).layers[0].current.mean == 0.0


def test_json_has_the_mean(judge):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.out = nn.Linear(64, 64), nn.Linear(64, 10)
            nn.init.normal_(self.a.weight, 0.5, 0.17)

        def forward(self, x):
            return self.out(self.a(x).relu())

    first, last = json.loads(json_format.render(initlint.check(Net)))["layers"]
    assert (first["current"]["mean"], first["recommended"]["mean"]) == (0.5, 0.0)
    assert last["current"]["mean"] == 0.0


def test_magnitude():
    assert magnitude(Initializer("normal_", {}, 0.3, mean=0.4)) == pytest.approx(0.5)
    assert magnitude(Initializer("eye_", {}, 0.3, mean=0.4)) == 0.3
    assert not has_mean(Initializer("uniform_", {}, 0.3, mean=1e-9))
    assert has_mean(Initializer("constant_", {}, 0.0, mean=1e-9))


HEADS = {
    "U(0, 1)": ("nn.init.uniform_(self.out.weight)", {"INIT106"}),
    "a normal draw with a mean": ("nn.init.normal_(self.out.weight, 0.5, 0.1)", {"INIT106"}),
    "before a tanh": ("nn.init.uniform_(self.out.weight); self.act = nn.Tanh()", {"INIT106"}),
    "a small mean": ("nn.init.uniform_(self.out.weight, 0, 0.001)", set()),
    "a sum, which is loud": ("nn.init.ones_(self.out.weight)", {"INIT305"}),
    "a mean on purpose": ("nn.init.constant_(self.out.weight, 1 / 64)", set()),
}


@pytest.mark.parametrize(("fill", "codes"), HEADS.values(), ids=HEADS)
def test_a_mean_in_the_last_layer_adds_up_too(judge, fill, codes):
    found = judge(f"""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.out, self.act = nn.Linear(64, 64), nn.Linear(64, 1), nn.Identity()
                {fill}
            def forward(self, x):
                return self.act(self.out(torch.sigmoid(self.a(x))))
    """)
    assert {finding.code for finding in found.findings} == codes
    assert all(finding.fix.applicability == "unsafe" for finding in found.findings)
