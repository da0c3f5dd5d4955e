"""INIT016: stds that are numbers where the configuration has one."""

import pytest
from judged import found

NET = """\
from torch import nn


class NetConfig:
    def __init__(self, width=8, {field}=0.02, eps=1e-5):
        self.width, self.{field} = width, {field}


class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.fc = nn.Linear(8, 8)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        {before}
        if isinstance(module, nn.Linear):
            {call}

    def forward(self, x):
        return self.fc(x)
"""


@pytest.mark.parametrize("field", ["initializer_range", "init_std"])
@pytest.mark.parametrize(
    "call",
    [
        "nn.init.normal_(module.weight, mean=0.0, std=0.02)",
        "nn.init.normal_(module.weight, 0.0, 0.02)",
        "nn.init.trunc_normal_(module.weight, std=0.01)",
        "module.weight.data.normal_(mean=0.0, std=0.02)",
        "module.weight.data.normal_(0.0, 0.02)",
    ],
)
def test_a_number_in_place_of_the_configurations(field, call, tmp_path):
    source = NET.format(field=field, before="pass", call=call)
    (finding,) = found(tmp_path, source, "INIT016")
    assert finding.site.line == 19 and field in finding.message


@pytest.mark.parametrize(
    ("field", "before", "call"),
    [
        ("layer_norm_eps", "pass", "nn.init.normal_(module.weight, std=0.02)"),
        (
            "initializer_range",
            "std = self.config.initializer_range",
            "nn.init.normal_(module.weight, 0.0, std)",
        ),
        (
            "initializer_range",
            "super()._init_weights(module)",
            "nn.init.normal_(module.weight, std=0.1)",
        ),
        ("initializer_range", "factor = 1", "nn.init.normal_(module.weight, std=0.02)"),
        ("initializer_range", "pass", "nn.init.normal_(module.weight)"),
        ("initializer_range", "pass", "nn.init.normal_(module.weight, std=1.0)"),
        ("initializer_range", "pass", "nn.init.constant_(module.weight, 0.02)"),
        ("initializer_range", "pass", "nn.init.uniform_(module.weight, -0.02, 0.02)"),
    ],
)
def test_a_std_that_is_read_or_not_there(field, before, call, tmp_path):
    source = NET.format(field=field, before=before, call=call)
    assert found(tmp_path, source, "INIT016") == ()


def test_the_configuration_of_another_file(tmp_path):
    config, net = NET.format(
        field="initializer_range",
        before="pass",
        call="nn.init.normal_(module.weight, std=0.02)",
    ).split("\n\n\nclass Net(", 1)
    (tmp_path / "configuration.py").write_text(config.split("\n\n\n", 1)[1])
    source = f"from torch import nn\n\nfrom configuration import NetConfig\n\n\nclass Net({net}"
    assert len(found(tmp_path, source, "INIT016")) == 1
